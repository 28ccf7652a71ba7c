// SPDX-License-Identifier: Apache-2.0
#include "backends/cuda/kernels/convolution.h"

#include <algorithm>
#include <cstring>

#include "backends/cuda/kernels/device.cuh"
#include "backends/cuda/kernels/mma.cuh"

namespace hedge::cuda {
namespace {

/// What a block gets without asking for more.
constexpr std::size_t kMostSharedBytes = 48 * 1024;

/// Of a block: large tiles need the registers.
__host__ __device__ constexpr int most_warps(int m_tiles) {
  return m_tiles >= 4 ? 8 : 16;
}

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
  int blocks_n;       ///< Blocks along y beyond these are the sibling's.
};

/// Where a thread stands in K: a tap and a granule of its channels.
struct Position {
  int tap_y, tap_x, granule;
};

template <class Kind, int kM, int kN, int kDepth>
__global__ void __launch_bounds__(most_warps(kM) * kWarp) convolve(const Parameters p) {
  using Element = typename Kind::Element;
  constexpr int kG = kGranule<Kind>;
  extern __shared__ float sums[];
  const Convolution& c = p.shape;
  const ConvolutionTactic& t = p.tactic;
  const Sibling& s = p.arguments.sibling;
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

  // The convolution that the block works for.
  const bool is_sibling = static_cast<int>(blockIdx.y) >= p.blocks_n;
  const int block_n = static_cast<int>(blockIdx.y) - (is_sibling ? p.blocks_n : 0);
  const int out_c = is_sibling ? s.out_c : c.out_c;
  const int kernel_h = is_sibling ? 1 : c.kernel_h;
  const int kernel_w = is_sibling ? 1 : c.kernel_w;
  const int pad_top = is_sibling ? 0 : c.pad_top;
  const int pad_left = is_sibling ? 0 : c.pad_left;
  const int chunks = is_sibling ? ceil_div(p.granules_c, kChunkGranules) : p.chunks;
  const int n_tiles_total = is_sibling ? ceil_div(s.out_c, 8) : p.n_tiles_total;
  const float* bias_of = is_sibling ? s.bias : p.arguments.epilogue.bias;
  const int first_n = (block_n * t.warps_n + warp_n) * kN;  // In tiles of 8.

  // This warp's share of the chunks.
  const int begin = static_cast<int>(static_cast<long long>(chunks) * warp_k / t.warps_k);
  const int end = static_cast<int>(static_cast<long long>(chunks) * (warp_k + 1) / t.warps_k);

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
    top[i] = row < pixels ? y * c.stride_h - pad_top : -(1 << 28);
    left[i] = x * c.stride_w - pad_left;
    base[i] = (image * c.in_h + y * c.stride_h - pad_top) * granules_row + left[i] * p.granules_c;
  }
  // What this thread stores in the end: granules of channels.
  const int granules_out = out_c / kG;
  const int columns_g = columns / kG;
  const int first_g = block_n * columns_g;
  const int items = rows * columns_g;
  const bool adds = !is_sibling && p.arguments.epilogue.post_op_count > 0 &&
                    p.arguments.epilogue.post_ops[0].kind == PostOpParameters::Kind::kAddTensor;
  const auto load_tensor = [&](int item) {
    const int pixel = blockIdx.x * rows + item / columns_g;
    const int g = first_g + item % columns_g;
    const bool there = adds && item < items && pixel < pixels && g < granules_out;
    const auto* tensor = static_cast<const uint4*>(p.arguments.epilogue.post_ops[0].operand);
    return there ? tensor[static_cast<std::size_t>(pixel) * granules_out + g] : uint4{0, 0, 0, 0};
  };
  const auto* input = static_cast<const uint4*>(p.arguments.x);
  const auto* weights =
      static_cast<const uint4*>(is_sibling ? s.weights : p.arguments.weights) + lane;

  // Sums begin with the bias; of the warps that share a tile, one has it.
  float sum[kM][kN][4] = {};
  if (warp_k == 0 && bias_of != nullptr) {
#pragma unroll
    for (int n = 0; n < kN; ++n) {
      const int channel = (first_n + n) * 8 + quad * 2;
      if (channel >= out_c) continue;
      const float2 bias = __ldg(reinterpret_cast<const float2*>(bias_of + channel));
#pragma unroll
      for (int m = 0; m < kM; ++m) {
        sum[m][n][0] = sum[m][n][2] = bias.x;
        sum[m][n][1] = sum[m][n][3] = bias.y;
      }
    }
  }
  uint4 a[kDepth][2 * kM], b[kDepth][kN];
  Position at;
  {
    const int granule = begin * kChunkGranules + quad;
    const int tap = granule / p.granules_c;
    at = {tap / kernel_w, tap % kernel_w, granule % p.granules_c};
  }
  const uint4 zero{0, 0, 0, 0};
  const auto load_columns = [&](int chunk, uint4(&columns_of)[kN]) {
#pragma unroll
    for (int j = 0; j < kN; ++j) {
      const int tile = first_n + j;
      columns_of[j] =
          tile < n_tiles_total ? __ldg(weights + (chunk * n_tiles_total + tile) * kWarp) : zero;
    }
  };
  const auto load_rows = [&](uint4(&rows_of)[2 * kM]) {
    const int dy = at.tap_y * c.dilation_h;
    const int dx = at.tap_x * c.dilation_w;
    const int offset = dy * granules_row + dx * p.granules_c + at.granule;
    const bool inside = at.tap_y < kernel_h;
#pragma unroll
    for (int i = 0; i < 2 * kM; ++i) {
      const bool there = inside &&
                         static_cast<unsigned>(top[i] + dy) < static_cast<unsigned>(c.in_h) &&
                         static_cast<unsigned>(left[i] + dx) < static_cast<unsigned>(c.in_w);
      rows_of[i] = there ? input[base[i] + offset] : zero;
    }
    at.granule += kChunkGranules;
    while (at.granule >= p.granules_c) {
      at.granule -= p.granules_c;
      if (++at.tap_x == kernel_w) {
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
  uint4 tensor = load_tensor(static_cast<int>(threadIdx.x));  // Needed last, but already there.
  for (int chunk = begin; chunk < end; chunk += kDepth) {
#pragma unroll
    for (int d = 0; d < kDepth; ++d) {
      if (chunk + d < end) {
#pragma unroll
        for (int m = 0; m < kM; ++m) {
#pragma unroll
          for (int n = 0; n < kN; ++n)
            multiply<Kind>(sum[m][n], a[d][2 * m], a[d][2 * m + 1], b[d][n]);
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
        float2* to =
            reinterpret_cast<float2*>(mine + (m * 16 + h * 8 + group) * columns + n * 8 + quad * 2);
        *to = make_float2(sum[m][n][2 * h], sum[m][n][2 * h + 1]);
      }
    }
  }
  __syncthreads();

  const std::size_t tile_size = static_cast<std::size_t>(rows) * columns;
  for (int item = threadIdx.x; item < items; item += blockDim.x) {
    const int row = item / columns_g;
    const int g = item % columns_g;
    const int pixel = blockIdx.x * rows + row;
    if (pixel >= pixels || first_g + g >= granules_out) continue;
    if (item >= static_cast<int>(blockDim.x)) tensor = load_tensor(item);
    float total[kG];
#pragma unroll
    for (int e = 0; e < kG; ++e) total[e] = 0;
#pragma unroll 4
    for (int k = 0; k < t.warps_k; ++k) {
      const float* from = sums + k * tile_size + row * columns + g * kG;
#pragma unroll
      for (int e = 0; e < kG; e += 4) {
        const float4 f = *reinterpret_cast<const float4*>(from + e);
        total[e] += f.x;
        total[e + 1] += f.y;
        total[e + 2] += f.z;
        total[e + 3] += f.w;
      }
    }
    if (is_sibling) {
      store_granule<Element, kG>(s.y, static_cast<std::size_t>(pixel) * granules_out + first_g + g,
                                 total);
      continue;
    }
    finish_channels<Element, kG, true>(p.arguments.epilogue, static_cast<std::size_t>(pixel),
                                       (first_g + g) * kG, out_c, total, tensor);
  }
}

/// Blocks along y for so many channels.
int blocks_of(int channels, const ConvolutionTactic& t) {
  return ceil_div(channels, t.warps_n * t.n_tiles * 8);
}

dim3 grid_of(const Parameters& p) {
  const ConvolutionTactic& t = p.tactic;
  return dim3(static_cast<unsigned>(ceil_div(p.shape.pixels(), t.warps_m * t.m_tiles * 16)),
              static_cast<unsigned>(p.blocks_n + blocks_of(p.arguments.sibling.out_c, t)));
}

std::size_t shared_bytes(const ConvolutionTactic& t) {
  return static_cast<std::size_t>(t.warps_k) *
         static_cast<std::size_t>(t.warps_m * t.m_tiles * 16) *
         static_cast<std::size_t>(t.warps_n * t.n_tiles * 8) * sizeof(float);
}

template <class Kind, int kM, int kN>
cudaError_t launch(const Parameters& p, const Launch& at) {
  constexpr int kCost = 2 * kM + kN;
  constexpr int kDepth = kCost <= 4 ? 4 : kCost <= 6 ? 3 : 2;
  const ConvolutionTactic& t = p.tactic;
  const auto threads = static_cast<unsigned>(t.warps_m * t.warps_n * t.warps_k * kWarp);
  return launch_kernel(convolve<Kind, kM, kN, kDepth>, grid_of(p), threads, shared_bytes(t), at, p);
}

template <class Kind>
cudaError_t launch_kind(const Parameters& p, const Launch& at) {
  switch (p.tactic.m_tiles * 16 + p.tactic.n_tiles) {
    case 16 + 1:
      return launch<Kind, 1, 1>(p, at);
    case 16 + 2:
      return launch<Kind, 1, 2>(p, at);
    case 16 + 4:
      return launch<Kind, 1, 4>(p, at);
    case 32 + 2:
      return launch<Kind, 2, 2>(p, at);
    case 32 + 4:
      return launch<Kind, 2, 4>(p, at);
    case 64 + 4:
      return launch<Kind, 4, 4>(p, at);
    default:
      return cudaErrorInvalidValue;
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
      if (n < m) continue;  // Such tiles have never been the fastest.
      for (const int wm : {1, 2, 4}) {
        for (const int wn : {1, 2, 4}) {
          for (const int wk : {1, 2, 4, 8, 16}) {
            const ConvolutionTactic t{m, n, wm, wn, wk};
            if (wm * wn * wk > most_warps(m) || wk > chunks) continue;
            if (n * wn > 1 && n * wn / 2 >= n_tiles) continue;
            if (m * wm > m_tiles && m * wm / 2 >= m_tiles) continue;
            if (shared_bytes(t) > kMostSharedBytes) continue;
            if (wn * n * 8 % granule_of(kind) != 0) continue;
            tactics.push_back(t);
          }
        }
      }
    }
  }
  return tactics;
}

Convolution sibling_shape(const Convolution& shape, int out_c) {
  Convolution sibling = shape;
  sibling.out_c = out_c;
  sibling.kernel_h = sibling.kernel_w = 1;
  sibling.pad_top = sibling.pad_left = 0;
  sibling.dilation_h = sibling.dilation_w = 1;
  return sibling;
}

std::vector<std::byte> pack_weights(const float* weights, const Convolution& c, ElementKind kind) {
  const int granule = granule_of(kind);
  const int chunks = chunks_of_k(c, kind);
  const int granules = granules_of_k(c, kind);
  const int n_tiles = ceil_div(c.out_c, 8);
  const std::size_t k = static_cast<std::size_t>(granules) * static_cast<std::size_t>(granule);
  std::vector<std::byte> packed(static_cast<std::size_t>(chunks) *
                                static_cast<std::size_t>(n_tiles) * kWarp * kGranuleBytes);
  std::byte* to = packed.data();
  for (int chunk = 0; chunk < chunks; ++chunk) {
    for (int tile = 0; tile < n_tiles; ++tile) {
      for (int lane = 0; lane < kWarp; ++lane, to += kGranuleBytes) {
        const int n = tile * 8 + lane / 4;
        const int g = chunk * kChunkGranules + lane % 4;
        if (n >= c.out_c || g >= granules) continue;
        const float* from = weights + static_cast<std::size_t>(n) * k +
                            static_cast<std::size_t>(g) * static_cast<std::size_t>(granule);
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
                               const ConvolutionTactic& tactic,
                               const ConvolutionArguments& arguments, const Launch& at) {
  const Parameters p{shape,
                     tactic,
                     arguments,
                     shape.in_c / granule_of(kind),
                     granules_of_k(shape, kind),
                     chunks_of_k(shape, kind),
                     ceil_div(shape.out_c, 8),
                     blocks_of(shape.out_c, tactic)};
  switch (kind) {
    case ElementKind::kHalf:
      return launch_kind<Half>(p, at);
    case ElementKind::kBfloat16:
      return launch_kind<Bfloat16>(p, at);
    case ElementKind::kTf32:
      return launch_kind<Tf32>(p, at);
    case ElementKind::kFloat32:
      return launch_kind<Float32>(p, at);
  }
  return cudaErrorInvalidValue;
}

}  // namespace hedge::cuda
