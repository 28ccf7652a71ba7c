// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "backends/cuda/kernels/elements.h"

// Both ends of small classifiers, each as one kernel: there a launch costs more than the work.

namespace hedge::cuda {

/// A convolution of the caller's floats, as they lie, into NHWC.
struct Stem {
  Convolution shape{};  ///< in_c as it is, out_c as stored.
  ElementType type = ElementType::kFloat32;
  bool planar = false;  ///< The input is NCHW, else NHWC.
  /// The caller's floats are brought into 8 bits first; weights are stored integers then, and sums
  /// of their products exact (the epilogue's factors make them real numbers).
  bool quantized = false;
  Scale scale{};  ///< Of those.
};
/// More could be inexact as floats.
inline constexpr int kMostQuantizedTaps = (1 << 24) / (255 * 127);
/// More than a block gets is more than this kernel can do.
[[nodiscard]] std::size_t stem_shared_bytes(const Stem& stem);
/// `weights` are [kernel_h][kernel_w][in_c][out_c], floats, zeros for filling.
[[nodiscard]] cudaError_t launch_stem(const Stem& stem, const float* x, const float* weights,
                                      const Epilogue& epilogue, const Launch& launch);

/// The mean of each channel of a plane, a product by weights, and softmax where it is wanted.
struct Head {
  ElementType type = ElementType::kFloat32;         ///< Of the planes.
  ElementType result_type = ElementType::kFloat32;  ///< Of batch x classes.
  int batch = 1, plane = 1;
  int stored_c = 1, used_c = 1, classes = 1;
  bool softmax = false;
  Scale scale{};           ///< Of planes in 8 bits.
  bool quantized = false;  ///< The means pass through 8 bits.
  Scale mean_scale{};
};
inline constexpr int kMostHeadChannels = 1024;
inline constexpr int kMostHeadClasses = 256;
/// `weights` are [classes][used_c], `bias` [classes] or null; floats. Tells the host where the
/// batch is 1.
[[nodiscard]] cudaError_t launch_head(const Head& head, void* y, const void* x,
                                      const float* weights, const float* bias,
                                      const Launch& launch);

}  // namespace hedge::cuda
