// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

// What one instruction set contributes: inner loops over NHWC planes of floats, between plain
// structs, so that a file that is compiled for AVX-512 shares no inline function with others.

namespace hedge::cpu {

/// A window that slides over the planes of a batch; `channels` lie together for each pixel.
/// Dilations count from 1. Taps that fall outside the plane are padding.
struct Geometry {
  int batch = 1;
  int channels = 0;  ///< Of the input, all groups together.
  int in_h = 0, in_w = 0, out_h = 0, out_w = 0;
  int kernel_h = 1, kernel_w = 1;
  int stride_h = 1, stride_w = 1;
  int dilation_h = 1, dilation_w = 1;
  int pad_top = 0, pad_left = 0;
};

/// What is done to a result before it is stored: + residual where there is one, then bounds.
struct Bounds {
  float low = 0;
  float high = 0;
};

/// Work is cut into jobs 0 .. jobs-1 that threads may share out.
struct ConvolutionPlan {
  Geometry geometry{};
  int groups = 1;
  int out_channels = 0;  ///< All groups together.
  int vectors = 1;       ///< Vectors of output channels that a tile computes: 1 or 2.
  int tiles = 1;         ///< Of a row of output pixels; their widths differ by one at most.
  int tiles_a_job = 1;
  bool rows_first = true;  ///< Whether consecutive jobs share pixels rather than weights.
  Bounds bounds{};
  const void* zeros = nullptr;  ///< As many as a group has channels: what padding reads.
};

/// `weights`: for each group and block of output channels the bias of the block, then for each tap
/// and input channel the block's weights; zero where the block reaches beyond the channels. A last
/// block that one vector holds has rows of one vector, at the distance of whole blocks.
struct ConvolutionBuffers {
  const float* src = nullptr;
  const float* weights = nullptr;
  const float* residual = nullptr;  ///< Null where there is none; may be dst.
  float* dst = nullptr;
};

/// `weights`: the bias, then for each tap a weight a channel, in rows of whole vectors.
struct DepthwisePlan {
  Geometry geometry{};
  Bounds bounds{};
  const float* zeros = nullptr;  ///< One for each channel.
};

struct PoolPlan {
  Geometry geometry{};
  bool largest = false;            ///< The largest, else the mean.
  bool count_padding = false;      ///< Whether the mean divides by the whole window.
  int padded_h = 0, padded_w = 0;  ///< What count_padding counts: up to the end of the padding.
  Bounds bounds{};
};

/// How numbers lie in the result and residual of an integer convolution.
enum class Number : std::uint8_t { kNone, kInt8, kUInt8, kFloat };

/// A convolution of 16-bit integers, two input channels a lane, so `geometry.channels` counts pairs
/// (each group filled up to whole ones). A product of two bytes takes 16 bits and a sum of two such
/// 17, so nothing saturates on the way to 32 (as it does in the x86 instruction for bytes).
/// result = bounded(factor * (sum + bias) + residual_scale * residual), rounded and + zero_point
/// where it is not a float. `bounds` lie within what the result can hold.
///
/// `weights`: as ConvolutionPlan's, of pairs, under two rows of floats instead of the bias: the
/// factors and the biases.
struct IntegerPlan : ConvolutionPlan {
  Number result = Number::kFloat;
  Number residual = Number::kNone;
  float residual_scale = 1;
  std::int32_t zero_point = 0;
};

struct IntegerBuffers {
  const std::int32_t* src = nullptr;  ///< Pairs.
  const std::int32_t* weights = nullptr;
  const void* residual = nullptr;
  void* dst = nullptr;
};

/// Each channel for itself, of 16-bit integers. `weights`: for each tap one a channel.
struct IntegerDepthwiseBuffers {
  const std::int16_t* src = nullptr;
  const float* factors = nullptr;
  const float* bias = nullptr;
  const std::int16_t* weights = nullptr;
  const void* residual = nullptr;
  void* dst = nullptr;
};

/// From bytes to 16 bits: stored - zero_point, each pixel's groups of `channels` filled up to
/// `width`, each row of pixels with `left` and `right` zero ones beside it, so that no tile needs
/// to know of padding.
struct Widening {
  bool is_signed = true;
  std::int32_t zero_point = 0;
  int groups = 1, channels = 0, width = 0;
  int columns = 0, left = 0, right = 0;
};

struct KernelSet {
  const char* name = "";
  int lanes = 0;            ///< Floats in a vector.
  int widest_tile[2] = {};  ///< Pixels, for tiles of 1 and of 2 vectors.
  void (*convolution)(const ConvolutionPlan&, const ConvolutionBuffers&, int first, int last);
  void (*depthwise)(const DepthwisePlan&, const ConvolutionBuffers&, int first, int last);
  void (*pool)(const PoolPlan&, const float* src, float* dst, int first, int last);
  /// dst = bounded(src); dst may be src.
  void (*clip)(const float* src, float* dst, std::size_t count, Bounds bounds);
  bool pairs_interleaved = false;  ///< A vector of weights: lane by lane both, or all first ones.
  /// Rows number first .. last-1 of all images.
  void (*widen)(const Widening&, const void* src, std::int16_t* dst, int first, int last);
  void (*integer_convolution)(const IntegerPlan&, const IntegerBuffers&, int first, int last);
  void (*integer_depthwise)(const IntegerPlan&, const IntegerDepthwiseBuffers&, int first,
                            int last);
};

/// Blocks of output channels in a group, and jobs in all. depthwise and pool have batch * out_h.
[[nodiscard]] int blocks_of(const ConvolutionPlan& plan, int lanes);
[[nodiscard]] int jobs_of(const ConvolutionPlan& plan, int lanes);

/// All that this CPU runs, the best first.
[[nodiscard]] const std::vector<const KernelSet*>& kernel_sets();

}  // namespace hedge::cpu
