// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

#include "backends/cuda/kernels/elements.h"

// Convolutions over NHWC by the tensor cores, each thread block with a tile of pixels x channels.
// Products of 8 bits are exact, and leave in 8 bits or as any other type (Epilogue::type).
// What makes batch 1 slow are planes too small to fill the GPU: so the sum over K is split too,
// among the warps of a block.

namespace hedge::cuda {

/// How the work is cut up.
struct ConvolutionTactic {
  int m_tiles = 1;  ///< Of 16 pixels, of a warp.
  int n_tiles = 1;  ///< Of 8 channels, of a warp.
  int warps_m = 1, warps_n = 1, warps_k = 1;
};

/// A convolution by 1x1 without padding that has the same input, strides and pixels, in the same
/// launch: the projection of a residual block beside the block's first convolution. A launch costs
/// more than its work. Its sums are stored as they are, NHWC.
struct Sibling {
  int out_c = 0;  ///< As stored; 0: there is none.
  const void* weights = nullptr;
  const float* bias = nullptr;
  void* y = nullptr;
};

struct ConvolutionArguments {
  const void* x = nullptr;
  const void* weights = nullptr;  ///< By pack_weights.
  Epilogue epilogue;
  int zero_point = 0;  ///< Of x in 8 bits.
  Sibling sibling{};
};

/// The sibling by itself, for pack_weights.
[[nodiscard]] Convolution sibling_shape(const Convolution& shape, int out_c);

/// Every tactic that the kernel has for the shape, some hundreds.
[[nodiscard]] std::vector<ConvolutionTactic> convolution_tactics(const Convolution& shape,
                                                                 ElementKind kind);

/// Weights as the kernel reads them: for each chunk of K and each 8 output channels a granule for
/// each lane. `weights` is [out_c][kernel_h][kernel_w][in_c], of the stored channels, as floats; of
/// kInt8 they are the stored integers.
[[nodiscard]] std::vector<std::byte> pack_weights(const float* weights, const Convolution& shape,
                                                  ElementKind kind);

[[nodiscard]] cudaError_t launch_convolution(const Convolution& shape, ElementKind kind,
                                             const ConvolutionTactic& tactic,
                                             const ConvolutionArguments& arguments,
                                             const Launch& launch);

}  // namespace hedge::cuda
