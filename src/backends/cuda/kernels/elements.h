// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>

#include "backends/gpu/kernels/launch.h"

namespace hedge::cuda {

using gpu::Completion;
using gpu::Launch;

/// How numbers lie in memory. kInt8 goes with a Scale.
enum class ElementType : std::uint8_t { kFloat32, kHalf, kBfloat16, kInt8 };

/// How products are computed: by what the tensor cores take. kFloat32 is three products of TF32.
enum class ElementKind : std::uint8_t { kHalf, kBfloat16, kTf32, kFloat32, kInt8 };

[[nodiscard]] constexpr ElementType type_of(ElementKind kind) {
  return kind == ElementKind::kHalf       ? ElementType::kHalf
         : kind == ElementKind::kBfloat16 ? ElementType::kBfloat16
         : kind == ElementKind::kInt8     ? ElementType::kInt8
                                          : ElementType::kFloat32;
}
[[nodiscard]] constexpr std::size_t byte_size(ElementType type) {
  return type == ElementType::kFloat32 ? 4 : type == ElementType::kInt8 ? 1 : 2;
}

/// What 8 bits mean: real = scale * (stored - zero_point). All are stored as int8: of uint8 the
/// stored number and the zero point less 128, which is the same to whoever multiplies.
struct Scale {
  float scale = 1;
  int zero_point = 0;
};
[[nodiscard]] constexpr bool operator==(const Scale& a, const Scale& b) {
  return a.scale == b.scale && a.zero_point == b.zero_point;
}

inline constexpr int kGranuleBytes = 16;
/// Elements of a granule of 16 bytes: channels are stored in whole granules, the rest zeros.
[[nodiscard]] constexpr int granule_of(ElementType type) {
  return kGranuleBytes / static_cast<int>(byte_size(type));
}
/// Channels that kernels store at once that write any type.
inline constexpr int kAnyGranule = 8;
[[nodiscard]] constexpr int granule_of(ElementKind kind) {
  return granule_of(type_of(kind));
}

/// What happens to a number before it is stored, in order; the functions are those of
/// graph/post_op.h.
struct PostOpParameters {
  enum class Kind : std::uint8_t {
    kAddTensor,    ///< + operand, of the result's shape and layout.
    kAddChannels,  ///< + operand[channel], floats.
    kRelu,
    kClip,
    kLeakyRelu,
    kElu,
    kTanh,
    kSigmoid,
    kHardSigmoid,
    kHardSwish,
    kSwish,
    kGelu,
    kGeluTanh,
    kLinear,
    kExp,
    kLog,
    kSqrt,
    kAbs,
    kPow,
  };
  Kind kind = Kind::kRelu;
  float alpha = 0;
  float beta = 0;
  const void* operand = nullptr;  ///< Set at the launch.
  /// Of kAddTensor's operand: the result's, but where Epilogue::type says what that is.
  ElementType type = ElementType::kFloat32;
  Scale scale{};
};
inline constexpr int kMostPostOps = 4;

/// From the sums of a convolution to what is stored.
struct Epilogue {
  const float* bias = nullptr;  ///< A number a stored channel; null: none.
  void* y = nullptr;            ///< NHWC; null where `rows` is set.
  float* rows = nullptr;        ///< pixels x used_c, without filling: scores as they leave.
  int used_c = 0;               ///< Channels beyond these are filling: zeros.
  /// Where products are of 8 bits, by stored channel: what makes sums real numbers, once the bias
  /// (in units of the sums then) is added; behind them what sums begin with, as int32, for the
  /// source's zero point. Null elsewhere.
  const float* factors = nullptr;
  /// Of `y`, and its scale, where a kernel writes any type: the stem and whatever reads 8 bits.
  ElementType type = ElementType::kFloat32;
  Scale scale{};
  int post_op_count = 0;
  PostOpParameters post_ops[kMostPostOps];
};

/// A plane of pixels and a window over it. Channels as stored: whole granules.
struct Convolution {
  int batch = 1;
  int in_h = 1, in_w = 1, in_c = 1;
  int out_h = 1, out_w = 1, out_c = 1;
  int kernel_h = 1, kernel_w = 1;
  int stride_h = 1, stride_w = 1;
  int pad_top = 0, pad_left = 0;
  int dilation_h = 1, dilation_w = 1;
  [[nodiscard]] int pixels() const { return batch * out_h * out_w; }
};

}  // namespace hedge::cuda
