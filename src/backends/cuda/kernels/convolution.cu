// SPDX-License-Identifier: Apache-2.0
#include "backends/cuda/kernels/convolution.h"

#include <algorithm>
#include <cstring>

#include "backends/cuda/kernels/mma.cuh"

namespace hedge::cuda {
namespace {

constexpr int kWarp = 32;
/// Of a block: large tiles need the registers.
__host__ __device__ constexpr int most_warps(int m_tiles) { return m_tiles >= 4 ? 8 : 16; }

__host__ __device__ constexpr int ceil_div(int a, int b) { return (a + b - 1) / b; }

int granules_of_k(const Convolution& c, ElementKind kind) {
  return c.kernel_h * c.kernel_w * (c.in_c / granule_of(kind));
}
int chunks_of_k(const Convolution& c, ElementKind kind) {
  return ceil_div(granules_of_k(c, kind), kChunkGranules);
}

struct Parameters {
  Convolution shape;
  ConvolutionTactic tactic;
  ConvolutionArguments arguments;
  int granules_c;  ///< Of one tap.
  int granules_k;
  int chunks;
  int n_tiles_total;  ///< Of 8 channels, in the packed weights.
};

/// Where a thread stands in K: a tap and a granule of its channels.
struct Position {
  int tap_y, tap_x, granule;
};

template <class Element>
__device__ inline float to_float(Element x) { return static_cast<float>(x); }
template <class Element>
__device__ inline Element from_float(float x) { return static_cast<Element>(x); }
template <>
__device__ inline __half from_float(float x) { return __float2half_rn(x); }
template <>
__device__ inline __nv_bfloat16 from_float(float x) { return __float2bfloat16_rn(x); }

/// Programmatic dependent launch (Hopper on): the next kernel of the stream may begin now, and waits
/// itself where it needs what this one has written.
__device__ inline void let_successor_begin() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;");
#endif
}
__device__ inline void wait_for_predecessor() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

template <class Kind, int kM, int kN, int kDepth>
__global__ void __launch_bounds__(most_warps(kM) * kWarp)
convolve(const Parameters p) {
  using Element = typename Kind::Element;
  constexpr int kG = kGranule<Kind>;
  extern __shared__ float sums[];
  const Convolution& c = p.shape;
  const ConvolutionTactic& t = p.tactic;
  let_successor_begin();
  const int lane = threadIdx.x % kWarp;
  const int warp = threadIdx.x / kWarp;
  const int group = lane / 4;
  const int quad = lane % 4;
  const int warp_n = warp % t.warps_n;
  const int warp_m = warp / t.warps_n % t.warps_m;
  const int warp_k = warp / (t.warps_n * t.warps_m);
  const int rows = t.warps_m * kM * 16;
  const int columns = t.warps_n * kN * 8;
  const int first_row = blockIdx.x * rows + warp_m * kM * 16;
  const int first_n = (blockIdx.y * t.warps_n + warp_n) * kN;  // In tiles of 8.

  // This warp's share of the chunks.
  const int parts = t.warps_k * t.splits;
  const int part = blockIdx.z * t.warps_k + warp_k;
  const int begin = static_cast<int>(static_cast<long long>(p.chunks) * part / parts);
  const int end = static_cast<int>(static_cast<long long>(p.chunks) * (part + 1) / parts);

  // Its pixels: where their windows begin, in the input.
  const int plane = c.out_h * c.out_w;
  const int pixels = c.batch * plane;
  int top[2 * kM], left[2 * kM];
  int base[2 * kM];
  const int granules_row = c.in_w * p.granules_c;
#pragma unroll
  for (int i = 0; i < 2 * kM; ++i) {
    const int row = first_row + (i / 2) * 16 + (i % 2) * 8 + group;
    const int image = row / plane;
    const int y = row % plane / c.out_w;
    const int x = row % plane % c.out_w;
    top[i] = row < pixels ? y * c.stride_h - c.pad_top : -(1 << 28);
    left[i] = x * c.stride_w - c.pad_left;
    base[i] = (image * c.in_h + y * c.stride_h - c.pad_top) * granules_row + left[i] * p.granules_c;
  }
  const auto* input = static_cast<const uint4*>(p.arguments.x);
  const auto* weights = static_cast<const uint4*>(p.arguments.weights) + lane;

  float sum[kM][kN][4] = {};
  uint4 a[kDepth][2 * kM], b[kDepth][kN];
  Position at;
  {
    const int granule = begin * kChunkGranules + quad;
    const int tap = granule / p.granules_c;
    at = {tap / c.kernel_w, tap % c.kernel_w, granule % p.granules_c};
  }
  const uint4 zero{0, 0, 0, 0};
  const auto load_columns = [&](int chunk, uint4(&columns_of)[kN]) {
#pragma unroll
    for (int j = 0; j < kN; ++j) {
      const int tile = first_n + j;
      columns_of[j] = tile < p.n_tiles_total
                          ? __ldg(weights + (chunk * p.n_tiles_total + tile) * kWarp)
                          : zero;
    }
  };
  const auto load_rows = [&](uint4(&rows_of)[2 * kM]) {
    const int dy = at.tap_y * c.dilation_h;
    const int dx = at.tap_x * c.dilation_w;
    const int offset = dy * granules_row + dx * p.granules_c + at.granule;
    const bool inside = at.tap_y < c.kernel_h;
#pragma unroll
    for (int i = 0; i < 2 * kM; ++i) {
      const bool there = inside && static_cast<unsigned>(top[i] + dy) < static_cast<unsigned>(c.in_h) &&
                         static_cast<unsigned>(left[i] + dx) < static_cast<unsigned>(c.in_w);
      rows_of[i] = there ? input[base[i] + offset] : zero;
    }
    at.granule += kChunkGranules;
    while (at.granule >= p.granules_c) {
      at.granule -= p.granules_c;
      if (++at.tap_x == c.kernel_w) {
        at.tap_x = 0;
        ++at.tap_y;
      }
    }
  };
#pragma unroll
  for (int d = 0; d < kDepth; ++d) {
    if (begin + d < end) load_columns(begin + d, b[d]);
  }
  wait_for_predecessor();  // The weights are there before it ends; its results are not.
#pragma unroll
  for (int d = 0; d < kDepth; ++d) {
    if (begin + d < end) load_rows(a[d]);
  }
  for (int chunk = begin; chunk < end; chunk += kDepth) {
#pragma unroll
    for (int d = 0; d < kDepth; ++d) {
      if (chunk + d < end) {
#pragma unroll
        for (int m = 0; m < kM; ++m) {
#pragma unroll
          for (int n = 0; n < kN; ++n) multiply<Kind>(sum[m][n], a[d][2 * m], a[d][2 * m + 1], b[d][n]);
        }
        if (chunk + d + kDepth < end) {
          load_columns(chunk + d + kDepth, b[d]);
          load_rows(a[d]);
        }
      }
    }
  }

  // Sums of the warps that share a tile come together in shared memory.
  float* mine = sums + static_cast<std::size_t>(warp_k) * rows * columns +
                (warp_m * kM * 16) * columns + warp_n * kN * 8;
#pragma unroll
  for (int m = 0; m < kM; ++m) {
#pragma unroll
    for (int n = 0; n < kN; ++n) {
#pragma unroll
      for (int h = 0; h < 2; ++h) {
        float2* to = reinterpret_cast<float2*>(mine + (m * 16 + h * 8 + group) * columns + n * 8 + quad * 2);
        *to = make_float2(sum[m][n][2 * h], sum[m][n][2 * h + 1]);
      }
    }
  }
  __syncthreads();

  const int granules_out = c.out_c / kG;
  const int columns_g = columns / kG;
  const int first_g = blockIdx.y * columns_g;
  const int items = rows * columns_g;
  const std::size_t tile_size = static_cast<std::size_t>(rows) * columns;
  const std::size_t tile = static_cast<std::size_t>(blockIdx.x) * gridDim.y + blockIdx.y;
  float* workspace = p.arguments.workspace + tile * t.splits * tile_size;
  if (t.splits > 1) {
    for (int i = threadIdx.x; i < rows * columns; i += blockDim.x) {
      float total = sums[i];
      for (int k = 1; k < t.warps_k; ++k) total += sums[k * tile_size + i];
      workspace[blockIdx.z * tile_size + i] = total;
    }
    __threadfence();
    __syncthreads();
    __shared__ bool last;
    if (threadIdx.x == 0) {
      last = atomicAdd(p.arguments.counters + tile, 1U) + 1 == static_cast<unsigned>(t.splits);
      if (last) p.arguments.counters[tile] = 0;
    }
    __syncthreads();
    if (!last) return;
    __threadfence();
  }
  const float* parts_of = t.splits > 1 ? workspace : sums;
  const int part_count = t.splits > 1 ? t.splits : t.warps_k;
  for (int item = threadIdx.x; item < items; item += blockDim.x) {
    const int row = item / columns_g;
    const int g = item % columns_g;
    const int pixel = blockIdx.x * rows + row;
    if (pixel >= pixels || first_g + g >= granules_out) continue;
    float total[kG];
#pragma unroll
    for (int e = 0; e < kG; ++e) total[e] = 0;
    for (int k = 0; k < part_count; ++k) {
      const float* from = parts_of + k * tile_size + row * columns + g * kG;
#pragma unroll
      for (int e = 0; e < kG; e += 4) {
        const float4 f = *reinterpret_cast<const float4*>(from + e);
        total[e] += f.x; total[e + 1] += f.y; total[e + 2] += f.z; total[e + 3] += f.w;
      }
    }
    const int channel = (first_g + g) * kG;
    const std::size_t index = static_cast<std::size_t>(pixel) * c.out_c + channel;
    const ConvolutionArguments& args = p.arguments;
    if (args.bias != nullptr) {
#pragma unroll
      for (int e = 0; e < kG; ++e) total[e] += __ldg(args.bias + channel + e);
    }
    for (int o = 0; o < args.post_op_count; ++o) {
      const PostOpParameters& op = args.post_ops[o];
      switch (op.kind) {
        case PostOpParameters::Kind::kRelu:
#pragma unroll
          for (int e = 0; e < kG; ++e) total[e] = fmaxf(total[e], 0.F);
          break;
        case PostOpParameters::Kind::kClip:
#pragma unroll
          for (int e = 0; e < kG; ++e) total[e] = fminf(fmaxf(total[e], op.alpha), op.beta);
          break;
        case PostOpParameters::Kind::kAddTensor: {
          const uint4 raw = *reinterpret_cast<const uint4*>(static_cast<const Element*>(op.operand) + index);
          const Element* other = reinterpret_cast<const Element*>(&raw);
#pragma unroll
          for (int e = 0; e < kG; ++e) total[e] += to_float(other[e]);
          break;
        }
      }
    }
    uint4 raw;
    Element* out = reinterpret_cast<Element*>(&raw);
#pragma unroll
    for (int e = 0; e < kG; ++e) out[e] = from_float<Element>(total[e]);
    *reinterpret_cast<uint4*>(static_cast<Element*>(args.y) + index) = raw;
  }
}

dim3 grid_of(const Convolution& c, const ConvolutionTactic& t) {
  const int rows = t.warps_m * t.m_tiles * 16;
  const int columns = t.warps_n * t.n_tiles * 8;
  return dim3(static_cast<unsigned>(ceil_div(c.pixels(), rows)),
              static_cast<unsigned>(ceil_div(c.out_c, columns)), static_cast<unsigned>(t.splits));
}

std::size_t shared_bytes(const ConvolutionTactic& t) {
  return static_cast<std::size_t>(t.warps_k) * static_cast<std::size_t>(t.warps_m * t.m_tiles * 16) *
         static_cast<std::size_t>(t.warps_n * t.n_tiles * 8) * sizeof(float);
}

template <class Kind, int kM, int kN>
cudaError_t launch(const Parameters& p, cudaStream_t stream) {
  constexpr int kCost = 2 * kM + kN;
  constexpr int kDepth = kCost <= 4 ? 4 : kCost <= 6 ? 3 : 2;
  const ConvolutionTactic& t = p.tactic;
  const auto threads = static_cast<unsigned>(t.warps_m * t.warps_n * t.warps_k * kWarp);
  cudaLaunchAttribute overlap{};
  overlap.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  overlap.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = grid_of(p.shape, t);
  config.blockDim = dim3(threads);
  config.dynamicSmemBytes = shared_bytes(t);
  config.stream = stream;
  config.attrs = &overlap;
  config.numAttrs = p.arguments.overlap ? 1 : 0;
  return cudaLaunchKernelEx(&config, convolve<Kind, kM, kN, kDepth>, p);
}

template <class Kind>
cudaError_t launch_kind(const Parameters& p, cudaStream_t stream) {
  switch (p.tactic.m_tiles * 16 + p.tactic.n_tiles) {
    case 16 + 1: return launch<Kind, 1, 1>(p, stream);
    case 16 + 2: return launch<Kind, 1, 2>(p, stream);
    case 16 + 4: return launch<Kind, 1, 4>(p, stream);
    case 32 + 1: return launch<Kind, 2, 1>(p, stream);
    case 32 + 2: return launch<Kind, 2, 2>(p, stream);
    case 32 + 4: return launch<Kind, 2, 4>(p, stream);
    case 64 + 1: return launch<Kind, 4, 1>(p, stream);
    case 64 + 2: return launch<Kind, 4, 2>(p, stream);
    case 64 + 4: return launch<Kind, 4, 4>(p, stream);
    default: return cudaErrorInvalidValue;
  }
}

std::uint16_t half_bits(float x, ElementKind kind) {
  std::uint16_t bits = 0;
  if (kind == ElementKind::kHalf) {
    const __half h = __float2half_rn(x);
    std::memcpy(&bits, &h, 2);
  } else {
    const __nv_bfloat16 h = __float2bfloat16_rn(x);
    std::memcpy(&bits, &h, 2);
  }
  return bits;
}

}  // namespace

std::vector<ConvolutionTactic> convolution_tactics(const Convolution& shape, ElementKind kind) {
  std::vector<ConvolutionTactic> tactics;
  const int chunks = chunks_of_k(shape, kind);
  const int n_tiles = ceil_div(shape.out_c, 8);
  const int m_tiles = ceil_div(shape.pixels(), 16);
  for (const int m : {1, 2, 4}) {
    for (const int n : {1, 2, 4}) {
      for (const int wm : {1, 2, 4}) {
        for (const int wn : {1, 2, 4}) {
          for (const int wk : {1, 2, 4, 8, 16}) {
            for (const int splits : {1, 2, 4, 8}) {
              const ConvolutionTactic t{m, n, wm, wn, wk, splits};
              if (wm * wn * wk > most_warps(m) || wk * splits > chunks) continue;
              if (n * wn > n_tiles && n * wn > 1 && n * wn / 2 >= n_tiles) continue;
              if (m * wm > m_tiles && m * wm / 2 >= m_tiles) continue;
              if (shared_bytes(t) > 48 * 1024) continue;
              if ((wm * m * 16) % 1 != 0 || (wn * n * 8) % granule_of(kind) != 0) continue;
              const dim3 grid = grid_of(shape, t);
              const long long blocks = static_cast<long long>(grid.x) * grid.y * grid.z;
              if (splits > 1 && blocks > 1024) continue;
              if (blocks * wm * wn * wk > 132LL * 64 * 4) continue;
              tactics.push_back(t);
            }
          }
        }
      }
    }
  }
  return tactics;
}

std::size_t workspace_floats(const Convolution& shape, const ConvolutionTactic& t) {
  if (t.splits == 1) return 0;
  const dim3 grid = grid_of(shape, t);
  return static_cast<std::size_t>(grid.x) * grid.y * grid.z * static_cast<std::size_t>(t.warps_m * t.m_tiles * 16) *
         static_cast<std::size_t>(t.warps_n * t.n_tiles * 8);
}
std::size_t counter_count(const Convolution& shape, const ConvolutionTactic& t) {
  const dim3 grid = grid_of(shape, t);
  return t.splits == 1 ? 0 : static_cast<std::size_t>(grid.x) * grid.y;
}

std::vector<std::byte> pack_weights(const float* weights, const Convolution& c, ElementKind kind) {
  const int granule = granule_of(kind);
  const int chunks = chunks_of_k(c, kind);
  const int granules = granules_of_k(c, kind);
  const int n_tiles = ceil_div(c.out_c, 8);
  const std::size_t k = static_cast<std::size_t>(granules) * static_cast<std::size_t>(granule);
  std::vector<std::byte> packed(static_cast<std::size_t>(chunks) * static_cast<std::size_t>(n_tiles) * kWarp * kGranuleBytes);
  std::byte* to = packed.data();
  for (int chunk = 0; chunk < chunks; ++chunk) {
    for (int tile = 0; tile < n_tiles; ++tile) {
      for (int lane = 0; lane < kWarp; ++lane, to += kGranuleBytes) {
        const int n = tile * 8 + lane / 4;
        const int g = chunk * kChunkGranules + lane % 4;
        if (n >= c.out_c || g >= granules) continue;
        const float* from = weights + static_cast<std::size_t>(n) * k + static_cast<std::size_t>(g) * static_cast<std::size_t>(granule);
        for (int e = 0; e < granule; ++e) {
          if (granule == 4) {
            std::memcpy(to + 4 * e, from + e, 4);
          } else {
            const std::uint16_t bits = half_bits(from[e], kind);
            std::memcpy(to + 2 * e, &bits, 2);
          }
        }
      }
    }
  }
  return packed;
}

cudaError_t launch_convolution(const Convolution& shape, ElementKind kind,
                               const ConvolutionTactic& tactic, const ConvolutionArguments& arguments,
                               cudaStream_t stream) {
  const Parameters p{shape, tactic, arguments, shape.in_c / granule_of(kind), granules_of_k(shape, kind),
                     chunks_of_k(shape, kind), ceil_div(shape.out_c, 8)};
  switch (kind) {
    case ElementKind::kHalf: return launch_kind<Half>(p, stream);
    case ElementKind::kBfloat16: return launch_kind<Bfloat16>(p, stream);
    case ElementKind::kTf32: return launch_kind<Tf32>(p, stream);
    case ElementKind::kFloat32: return launch_kind<Float32>(p, stream);
  }
  return cudaErrorInvalidValue;
}

}  // namespace hedge::cuda
