// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "backends/cpu/kernels/kernel.h"
#include "backends/cpu/kernels/nhwc/kernel_set.h"

// Kernels of our own. Images lie as NHWC without gaps. The buffers of each are named in
// order.

namespace hedge::cpu {

struct NamedKernel {
  Kernel kernel;
  std::string name;  ///< "hedge:igemm:neon"
};

inline constexpr Bounds kUnbounded{-__builtin_huge_valf(), __builtin_huge_valf()};

/// A convolution, or with planes of 1x1 a fully connected layer.
struct Convolution {
  Geometry geometry{};
  int groups = 1;
  int out_channels = 0;
  bool residual = false;
  Bounds bounds = kUnbounded;
  int threads = 1;
};

[[nodiscard]] bool is_depthwise(const Convolution& layer);
/// "hedge:igemm:neon"; asks for no more of the layer than its channels and groups.
[[nodiscard]] std::string convolution_name(const Convolution& layer, const KernelSet& set);
/// Buffers: source, packed weights, result, and the residual where there is one (may be the
/// result's own).
[[nodiscard]] NamedKernel make_convolution(const Convolution& layer, const KernelSet& set);
/// From weights [out_channels][channels/groups][kernel_h][kernel_w] and a bias an output channel
/// (or null) to what the kernel of the same layer and set reads.
[[nodiscard]] std::vector<float> pack_weights(const Convolution& layer, const KernelSet& set,
                                              const float* weights, const float* bias);

/// A convolution over 8-bit planes (or with planes of 1x1 a fully connected layer):
/// result = bounded(factor * (sum + bias) + residual_scale * residual) for each output channel, the
/// sum being of (source - its zero point) * weight.
struct IntegerConvolution {
  Convolution layer{};  ///< `residual` is of no meaning here.
  bool source_is_signed = true;
  std::int32_t source_zero_point = 0;
  Number result = Number::kFloat;
  Number residual = Number::kNone;
  float residual_scale = 1;
  std::int32_t zero_point = 0;  ///< Of the result; bounds count from it.
};

/// "hedge:int8_igemm:avx2"
[[nodiscard]] std::string integer_convolution_name(const Convolution& layer, const KernelSet& set);
/// Buffers: source, packed weights, scratch, result, and the residual where there is one (may be
/// the result's own if its numbers are as wide).
[[nodiscard]] NamedKernel make_integer_convolution(const IntegerConvolution& layer,
                                                   const KernelSet& set);
[[nodiscard]] std::size_t scratch_bytes(const IntegerConvolution& layer);
/// From weights [out_channels][channels/groups][kernel_h][kernel_w] to what the kernel of the same
/// layer and set reads. `bias` may be empty.
[[nodiscard]] std::vector<std::int32_t> pack_integer_weights(const IntegerConvolution& layer,
                                                             const KernelSet& set,
                                                             const std::int8_t* weights,
                                                             const std::vector<float>& factors,
                                                             const std::vector<float>& bias);

/// Buffers: source, result.
[[nodiscard]] NamedKernel make_pool(const PoolPlan& plan, int threads, const KernelSet& set);

/// result = bounded(a), any layout as long as it is the same. Buffers: a, result.
[[nodiscard]] NamedKernel make_clip(std::size_t elements, Bounds bounds, const KernelSet& set);

/// Along the middle axis of [outer][extent][inner]. Buffers: source, result.
[[nodiscard]] NamedKernel make_softmax(std::int64_t outer, std::int64_t extent, std::int64_t inner);

/// result[i] = source[i] for each index i of `extents`, each side with strides of its own, in
/// floats. Buffers: source, result.
[[nodiscard]] NamedKernel make_copy(const std::vector<std::int64_t>& extents,
                                    const std::vector<std::int64_t>& source_strides,
                                    const std::vector<std::int64_t>& result_strides);

}  // namespace hedge::cpu
