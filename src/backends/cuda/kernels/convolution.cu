// SPDX-License-Identifier: Apache-2.0
#include "backends/cuda/kernels/convolution.h"

#include <algorithm>
#include <cstring>

#include "backends/cuda/kernels/convolution_tile.cuh"

namespace hedge::cuda {
namespace {

using namespace tile;

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

template <class Kind, int kM, int kN, int kDepth>
__global__ void __launch_bounds__(most_warps(kM) * kWarp) convolve(const Parameters p) {
  using Sum = typename Kind::Accumulator;
  HEDGE_SHARED_MEMORY(shared);
  let_successor_begin();
  const Place place = place_of<kM, kN>(p);
  const Windows<kM> windows = windows_of<kM>(p, place);
  Sum sum[kM][kN][4] = {};
  begin_sums<Kind>(p, place, sum);
  auto* sums = reinterpret_cast<Sum*>(shared);
  auto* units = reinterpret_cast<Units*>(sums + static_cast<std::size_t>(p.tactic.warps_k) *
                                                    place.rows * place.columns);
  Units unit;  // Needed after the sums; kept in registers until then, so that nothing waits for it.
  if constexpr (std::is_same_v<Kind, Int8>) unit = load_units(p, place);
  Item<Kind> item(p, place, static_cast<int>(threadIdx.x));
  uint4 a[kDepth][2 * kM], b[kDepth][kN];
  Position position = position_of(p, place, place.begin * kChunkGranules + place.quad);
#pragma unroll
  for (int d = 0; d < kDepth; ++d) {
    if (place.begin + d < place.end) load_columns(p, place, place.begin + d, b[d]);
  }
  wait_for_predecessor();  // The weights are there before it ends; its results are not.
#pragma unroll
  for (int d = 0; d < kDepth; ++d) {
    if (place.begin + d < place.end) load_rows(p, place, windows, position, a[d]);
  }
  uint4 tensor = load_tensor(p, place, item);  // Needed last, but already there.
  for (int chunk = place.begin; chunk < place.end; chunk += kDepth) {
#pragma unroll
    for (int d = 0; d < kDepth; ++d) {
      if (chunk + d >= place.end) continue;
#pragma unroll
      for (int m = 0; m < kM; ++m) {
#pragma unroll
        for (int n = 0; n < kN; ++n)
          multiply<Kind>(sum[m][n], a[d][2 * m], a[d][2 * m + 1], b[d][n]);
      }
      if (chunk + d + kDepth < place.end) {
        load_columns(p, place, chunk + d + kDepth, b[d]);
        load_rows(p, place, windows, position, a[d]);
      }
    }
  }
  share_sums(place, sum, sums);
  if constexpr (std::is_same_v<Kind, Int8>) {
    if (static_cast<int>(threadIdx.x) < place.columns) units[threadIdx.x] = unit;
  }
  __syncthreads();
  const int items = place.rows * (place.columns / kStored<Kind>);
  for (int i = threadIdx.x; i < items; i += blockDim.x) {
    if (i >= static_cast<int>(blockDim.x)) {
      item = Item<Kind>(p, place, i);
      tensor = load_tensor(p, place, item);
    }
    if (item.there) store_item<Kind>(p, place, item, sums, units, tensor);
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

std::size_t shared_bytes(const ConvolutionTactic& t, ElementKind kind) {
  const auto columns = static_cast<std::size_t>(t.warps_n * t.n_tiles * 8);
  const std::size_t sums = static_cast<std::size_t>(t.warps_k) *
                           static_cast<std::size_t>(t.warps_m * t.m_tiles * 16) * columns;
  return sums * sizeof(float) + (kind == ElementKind::kInt8 ? columns * sizeof(Units) : 0);
}

template <class Kind, int kM, int kN>
cudaError_t launch(const Parameters& p, const Launch& at) {
  constexpr int kCost = 2 * kM + kN;
  constexpr int kDepth = kCost <= 4 ? 4 : kCost <= 6 ? 3 : 2;
  const ConvolutionTactic& t = p.tactic;
  const auto threads = static_cast<unsigned>(t.warps_m * t.warps_n * t.warps_k * kWarp);
  return launch_kernel(
      convolve<Kind, kM, kN, kDepth>, grid_of(p), threads,
      shared_bytes(t, std::is_same_v<Kind, Int8> ? ElementKind::kInt8 : ElementKind::kFloat32), at,
      p);
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

/// A number as it lies in memory; of 8 bits, which `x` is already.
void encode_one(std::byte* to, float x, ElementKind kind) {
  if (kind == ElementKind::kHalf) {
    const __half h = __float2half_rn(x);
    std::memcpy(to, &h, 2);
  } else if (kind == ElementKind::kBfloat16) {
    const __nv_bfloat16 h = __float2bfloat16_rn(x);
    std::memcpy(to, &h, 2);
  } else if (kind == ElementKind::kInt8) {
    *to = static_cast<std::byte>(static_cast<std::int8_t>(x));
  } else {
    std::memcpy(to, &x, 4);
  }
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
            if (shared_bytes(t, kind) > kMostSharedBytes) continue;
            if (kind != ElementKind::kInt8 && wn * n * 8 % granule_of(kind) != 0) continue;
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
          encode_one(to + static_cast<std::size_t>(e) * byte_size(type_of(kind)), from[e], kind);
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
                     blocks_of(shape.out_c, tactic),
                     0x01010101U * static_cast<std::uint8_t>(arguments.zero_point)};
  switch (kind) {
    case ElementKind::kHalf:
      return launch_kind<Half>(p, at);
    case ElementKind::kBfloat16:
      return launch_kind<Bfloat16>(p, at);
    case ElementKind::kTf32:
      return launch_kind<Tf32>(p, at);
    case ElementKind::kFloat32:
      return launch_kind<Float32>(p, at);
    case ElementKind::kInt8:
      return launch_kind<Int8>(p, at);
  }
  return cudaErrorInvalidValue;
}

}  // namespace hedge::cuda
