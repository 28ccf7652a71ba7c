// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/cuda/kernels/convolution.h"
#include "backends/cuda/kernels/device.cuh"
#include "backends/cuda/kernels/mma.cuh"

// What a thread of the convolution on the tensor cores does, piece by piece.

namespace hedge::cuda::tile {

struct Parameters {
  Convolution shape;
  ConvolutionTactic tactic;
  ConvolutionArguments arguments;
  int granules_c;  ///< Of one tap.
  int granules_k;
  int chunks;
  int n_tiles_total;      ///< Of 8 channels, in the packed weights.
  int blocks_n;           ///< Blocks along y beyond these are the sibling's.
  std::uint32_t padding;  ///< What lies beside the plane, as a word.
};

/// Channels of a pixel that a thread stores at once.
template <class Kind>
inline constexpr int kStored = std::is_same_v<Kind, Int8> ? kLanes<AnyElement> : kGranule<Kind>;
template <class Kind>
using Stored = std::conditional_t<std::is_same_v<Kind, Int8>, AnyElement, typename Kind::Element>;

/// Which part of the work a thread has.
struct Place {
  int lane, group, quad;  ///< A quad shares a row, eight groups a tile.
  int warp_m, warp_n, warp_k;
  int rows, columns;  ///< Of the block's tile.
  int first_row;      ///< Of the warp: a pixel of the result.
  int first_n;        ///< Of the warp: in tiles of 8 channels.
  int begin, end;     ///< Of the warp: chunks of K.
  // Of the convolution that the block works for.
  bool is_sibling;
  int block_n;  ///< Among its blocks along y.
  int out_c, n_tiles;
  int kernel_h, kernel_w, pad_top, pad_left;
};

template <int kM, int kN>
__device__ inline Place place_of(const Parameters& p) {
  const ConvolutionTactic& t = p.tactic;
  const int warp = threadIdx.x / kWarp;
  Place at;
  at.lane = threadIdx.x % kWarp;
  at.group = at.lane / 4;
  at.quad = at.lane % 4;
  at.warp_n = warp % t.warps_n;
  at.warp_m = warp / t.warps_n % t.warps_m;
  at.warp_k = warp / (t.warps_n * t.warps_m);
  at.rows = t.warps_m * kM * 16;
  at.columns = t.warps_n * kN * 8;
  at.first_row = blockIdx.x * at.rows + at.warp_m * kM * 16;
  const Convolution& c = p.shape;
  const Sibling& s = p.arguments.sibling;
  at.is_sibling = static_cast<int>(blockIdx.y) >= p.blocks_n;
  at.block_n = static_cast<int>(blockIdx.y) - (at.is_sibling ? p.blocks_n : 0);
  at.out_c = at.is_sibling ? s.out_c : c.out_c;
  at.n_tiles = at.is_sibling ? ceil_div(s.out_c, 8) : p.n_tiles_total;
  at.kernel_h = at.is_sibling ? 1 : c.kernel_h;
  at.kernel_w = at.is_sibling ? 1 : c.kernel_w;
  at.pad_top = at.is_sibling ? 0 : c.pad_top;
  at.pad_left = at.is_sibling ? 0 : c.pad_left;
  const int chunks = at.is_sibling ? ceil_div(p.granules_c, kChunkGranules) : p.chunks;
  at.first_n = (at.block_n * t.warps_n + at.warp_n) * kN;
  at.begin = static_cast<int>(static_cast<long long>(chunks) * at.warp_k / t.warps_k);
  at.end = static_cast<int>(static_cast<long long>(chunks) * (at.warp_k + 1) / t.warps_k);
  return at;
}

/// Where the windows of a thread's pixels begin, in the input; `base` in granules.
template <int kM>
struct Windows {
  int top[2 * kM], left[2 * kM], base[2 * kM];
};

template <int kM>
__device__ inline Windows<kM> windows_of(const Parameters& p, const Place& at) {
  const Convolution& c = p.shape;
  const int plane = c.out_h * c.out_w;
  const int pixels = c.batch * plane;
  const int granules_row = c.in_w * p.granules_c;
  Windows<kM> windows;
#pragma unroll
  for (int i = 0; i < 2 * kM; ++i) {
    const int row = at.first_row + (i / 2) * 16 + (i % 2) * 8 + at.group;
    const int image = row / plane;
    const int y = row % plane / c.out_w;
    const int x = row % plane % c.out_w;
    windows.top[i] = row < pixels ? y * c.stride_h - at.pad_top : -(1 << 28);
    windows.left[i] = x * c.stride_w - at.pad_left;
    windows.base[i] = (image * c.in_h + y * c.stride_h - at.pad_top) * granules_row +
                      windows.left[i] * p.granules_c;
  }
  return windows;
}

/// What sums begin with: the bias, in integers what the source's zero point takes off. Of the warps
/// that share a tile, one has it.
template <class Kind, int kM, int kN>
__device__ inline void begin_sums(const Parameters& p, const Place& at,
                                  typename Kind::Accumulator (&sum)[kM][kN][4]) {
  using Pair = std::conditional_t<std::is_same_v<Kind, Int8>, int2, float2>;
  const Epilogue& epilogue = p.arguments.epilogue;
  const float* from = std::is_same_v<Kind, Int8> ? epilogue.factors + p.shape.out_c
                      : at.is_sibling            ? p.arguments.sibling.bias
                                                 : epilogue.bias;
  if (at.warp_k != 0 || from == nullptr) return;
#pragma unroll
  for (int n = 0; n < kN; ++n) {
    const int channel = (at.first_n + n) * 8 + at.quad * 2;
    if (channel >= at.out_c) continue;
    const Pair first = __ldg(reinterpret_cast<const Pair*>(from + channel));
#pragma unroll
    for (int m = 0; m < kM; ++m) {
      sum[m][n][0] = sum[m][n][2] = first.x;
      sum[m][n][1] = sum[m][n][3] = first.y;
    }
  }
}

template <int kN>
__device__ inline void load_columns(const Parameters& p, const Place& at, int chunk,
                                    uint4 (&columns)[kN]) {
  const void* packed = at.is_sibling ? p.arguments.sibling.weights : p.arguments.weights;
  const auto* weights = static_cast<const uint4*>(packed) + at.lane;
#pragma unroll
  for (int j = 0; j < kN; ++j) {
    const int tile = at.first_n + j;
    columns[j] = tile < at.n_tiles ? __ldg(weights + (chunk * at.n_tiles + tile) * kWarp)
                                   : uint4{0, 0, 0, 0};
  }
}

/// Where a thread stands in K: a tap and a granule of its channels.
struct Position {
  int tap_y, tap_x, granule;
};

__device__ inline Position position_of(const Parameters& p, const Place& place, int granule) {
  const int tap = granule / p.granules_c;
  return {tap / place.kernel_w, tap % place.kernel_w, granule % p.granules_c};
}

/// This position's granules of the thread's rows; then on to the next chunk.
template <int kM>
__device__ inline void load_rows(const Parameters& p, const Place& place,
                                 const Windows<kM>& windows, Position& at, uint4 (&rows)[2 * kM]) {
  const Convolution& c = p.shape;
  const auto* input = static_cast<const uint4*>(p.arguments.x);
  const int dy = at.tap_y * c.dilation_h;
  const int dx = at.tap_x * c.dilation_w;
  const int offset = dy * c.in_w * p.granules_c + dx * p.granules_c + at.granule;
  const bool inside = at.tap_y < place.kernel_h;
#pragma unroll
  for (int i = 0; i < 2 * kM; ++i) {
    const bool there = inside &&
                       static_cast<unsigned>(windows.top[i] + dy) < static_cast<unsigned>(c.in_h) &&
                       static_cast<unsigned>(windows.left[i] + dx) < static_cast<unsigned>(c.in_w);
    rows[i] =
        there ? input[windows.base[i] + offset] : uint4{p.padding, p.padding, p.padding, p.padding};
  }
  at.granule += kChunkGranules;
  while (at.granule >= p.granules_c) {
    at.granule -= p.granules_c;
    if (++at.tap_x == place.kernel_w) {
      at.tap_x = 0;
      ++at.tap_y;
    }
  }
}

/// What the block stores, as items of kStored channels of a pixel.
template <class Kind>
struct Item {
  __device__ Item(const Parameters& p, const Place& at, int item)
      : row(item / (at.columns / kStored<Kind>)),
        column(item % (at.columns / kStored<Kind>)*kStored<Kind>),
        pixel(blockIdx.x * at.rows + row),
        channel(at.block_n * at.columns + column),
        there(row < at.rows && pixel < p.shape.batch * p.shape.out_h * p.shape.out_w &&
              channel < at.out_c) {}
  int row, column;  ///< In the tile.
  int pixel, channel;
  bool there;
};

/// The item's numbers of the tensor that a first post-op adds, where there is one.
template <class Kind>
__device__ inline uint4 load_tensor(const Parameters& p, const Place& at, const Item<Kind>& item) {
  const PostOpParameters& op = p.arguments.epilogue.post_ops[0];
  uint4 tensor{0, 0, 0, 0};
  if (!item.there || at.is_sibling || p.arguments.epilogue.post_op_count == 0 ||
      op.kind != PostOpParameters::Kind::kAddTensor) {
    return tensor;
  }
  const std::size_t index = static_cast<std::size_t>(item.pixel) * p.shape.out_c + item.channel;
  if constexpr (std::is_same_v<Kind, Int8>) {
    if (op.type == ElementType::kInt8) {
      copy_words<kStored<Kind>>(&tensor, static_cast<const std::int8_t*>(op.operand) + index);
    } else if (op.type != ElementType::kFloat32) {
      copy_words<2 * kStored<Kind>>(&tensor, static_cast<const __half*>(op.operand) + index);
    }
  } else {
    tensor = static_cast<const uint4*>(op.operand)[index / kStored<Kind>];
  }
  return tensor;
}

/// Of the block's channels, which makes sums of integers real numbers.
struct Units {
  float bias = 0, factor = 0;
};
__device__ inline Units load_units(const Parameters& p, const Place& at) {
  const int channel = blockIdx.y * at.columns + static_cast<int>(threadIdx.x);
  if (static_cast<int>(threadIdx.x) >= at.columns || channel >= p.shape.out_c) return {};
  const Epilogue& epilogue = p.arguments.epilogue;
  return {__ldg(epilogue.bias + channel), __ldg(epilogue.factors + channel)};
}

/// Sums of the warps that share a tile come together in shared memory.
template <int kM, int kN, class Sum>
__device__ inline void share_sums(const Place& at, const Sum (&sum)[kM][kN][4], Sum* shared) {
  using Pair = std::conditional_t<std::is_same_v<Sum, int>, int2, float2>;
  Sum* mine = shared + static_cast<std::size_t>(at.warp_k) * at.rows * at.columns +
              (at.warp_m * kM * 16) * at.columns + at.warp_n * kN * 8;
#pragma unroll
  for (int m = 0; m < kM; ++m) {
#pragma unroll
    for (int n = 0; n < kN; ++n) {
#pragma unroll
      for (int h = 0; h < 2; ++h) {
        Sum* to = mine + (m * 16 + h * 8 + at.group) * at.columns + n * 8 + at.quad * 2;
        *reinterpret_cast<Pair*>(to) = Pair{sum[m][n][2 * h], sum[m][n][2 * h + 1]};
      }
    }
  }
}

/// Adds an item's sums of all warps, in order.
template <class Sum, int kG>
__device__ inline void collect(const Place& at, const Sum* shared, int warps_k, int first,
                               Sum (&total)[kG]) {
  using Four = std::conditional_t<std::is_same_v<Sum, int>, int4, float4>;
  const std::size_t tile = static_cast<std::size_t>(at.rows) * at.columns;
#pragma unroll
  for (int e = 0; e < kG; ++e) total[e] = 0;
#pragma unroll 4
  for (int k = 0; k < warps_k; ++k) {
#pragma unroll
    for (int e = 0; e < kG; e += 4) {
      const Four f = *reinterpret_cast<const Four*>(shared + k * tile + first + e);
      total[e] += f.x;
      total[e + 1] += f.y;
      total[e + 2] += f.z;
      total[e + 3] += f.w;
    }
  }
}

template <class Kind>
__device__ inline void store_item(const Parameters& p, const Place& at, const Item<Kind>& item,
                                  const typename Kind::Accumulator* shared, const Units* units,
                                  const uint4& tensor) {
  constexpr int kG = kStored<Kind>;
  typename Kind::Accumulator total[kG];
  collect(at, shared, p.tactic.warps_k, item.row * at.columns + item.column, total);
  float x[kG];
#pragma unroll
  for (int e = 0; e < kG; ++e) {
    if constexpr (std::is_same_v<Kind, Int8>) {
      const Units unit = units[item.column + e];
      x[e] = (static_cast<float>(total[e]) + unit.bias) * unit.factor;
    } else {
      x[e] = total[e];
    }
  }
  if constexpr (!std::is_same_v<Kind, Int8>) {  // Integers have none.
    if (at.is_sibling) {
      const std::size_t index = static_cast<std::size_t>(item.pixel) * at.out_c + item.channel;
      return store_granule<Stored<Kind>, kG>(p.arguments.sibling.y, index / kG, x);
    }
  }
  finish_channels<Stored<Kind>, kG, true>(p.arguments.epilogue,
                                          static_cast<std::size_t>(item.pixel), item.channel,
                                          p.shape.out_c, x, tensor);
}

}  // namespace hedge::cuda::tile
