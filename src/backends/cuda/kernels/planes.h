// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/cuda/kernels/elements.h"

// Over NHWC without tensor cores: pools, convolutions in groups, LRN.

namespace hedge::cuda {

enum class PoolOp : std::uint8_t {
  kMax,
  kMeanInside,  ///< Over what lies in the input.
  kMeanPadded,  ///< Over what lies in input or padding.
};

struct Pool {
  PoolOp op = PoolOp::kMax;
  ElementType type = ElementType::kFloat32;
  Convolution shape{};  ///< in_c and out_c differ by filling only.
  int used_c = 1;
  int pad_bottom = 0, pad_right = 0;
  /// Of 8 bits, which may leave as another type.
  Scale scale{};
  ElementType result_type = ElementType::kFloat32;
  Scale result_scale{};
};
[[nodiscard]] cudaError_t launch_pool(const Pool& pool, void* y, const void* x,
                                      const Launch& launch);

/// A convolution in groups: output channel c sums input channels from c / group_out * group_in on.
struct GroupedConvolution {
  Convolution shape{};
  ElementType type = ElementType::kFloat32;
  int group_in = 1, group_out = 1;
  int zero_point = 0;  ///< Of x in 8 bits.
};
/// `weights` are [kernel_h][kernel_w][group_in][out_c], of the type; zeros for filling.
[[nodiscard]] cudaError_t launch_grouped(const GroupedConvolution& convolution, const void* x,
                                         const void* weights, const Epilogue& epilogue,
                                         const Launch& launch);

/// y = x / (bias + alpha / size * (sum of squares over `size` channels around))^beta
struct Lrn {
  ElementType type = ElementType::kFloat32;
  int pixels = 1, stored_c = 1, used_c = 1;
  int size = 1;
  float alpha = 0, beta = 0, bias = 0;
};
[[nodiscard]] cudaError_t launch_lrn(const Lrn& lrn, void* y, const void* x, const Launch& launch);

}  // namespace hedge::cuda
