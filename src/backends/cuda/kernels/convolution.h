// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <vector>

// Convolutions over NHWC by the tensor cores, each thread block with a tile of pixels x channels. What
// makes batch 1 slow are planes too small to fill the GPU: so the sum over K is split too, among
// the warps of a block and, where that is not enough, among blocks.

namespace hedge::cuda {

enum class ElementKind : std::uint8_t { kHalf, kBfloat16, kTf32, kFloat32 };

/// Elements of a granule of 16 bytes: channels are stored in whole granules, the rest zeros.
[[nodiscard]] constexpr int granule_of(ElementKind kind) {
  return kind == ElementKind::kHalf || kind == ElementKind::kBfloat16 ? 8 : 4;
}

/// What happens to a sum before it is stored.
struct PostOpParameters {
  enum class Kind : std::uint8_t { kRelu, kClip, kAddTensor };
  Kind kind = Kind::kRelu;
  float alpha = 0;
  float beta = 0;
  const void* operand = nullptr;  ///< kAddTensor: shape and type of the output.
};

struct Convolution {
  int batch = 1;
  int in_h = 1, in_w = 1, in_c = 1;     ///< Channels as stored: whole granules.
  int out_h = 1, out_w = 1, out_c = 1;  ///< Likewise.
  int kernel_h = 1, kernel_w = 1;
  int stride_h = 1, stride_w = 1;
  int pad_top = 0, pad_left = 0;
  int dilation_h = 1, dilation_w = 1;
  [[nodiscard]] int pixels() const { return batch * out_h * out_w; }
};

/// How the work is cut up.
struct ConvolutionTactic {
  int m_tiles = 1;  ///< Of 16 pixels, of a warp.
  int n_tiles = 1;  ///< Of 8 channels, of a warp.
  int warps_m = 1, warps_n = 1, warps_k = 1;
  int splits = 1;  ///< Blocks that share a tile's sum.
};

inline constexpr int kMostPostOps = 4;

struct ConvolutionArguments {
  const void* x = nullptr;
  const void* weights = nullptr;  ///< By pack_weights.
  const float* bias = nullptr;    ///< out_c numbers; null: none.
  void* y = nullptr;
  float* workspace = nullptr;          ///< Of workspace_floats; null where there are no splits.
  std::uint32_t* counters = nullptr;   ///< Of counter_count, zero; zero again afterwards.
  bool overlap = false;  ///< Begin while the stream's kernel before it still runs (Hopper on).
  int post_op_count = 0;
  PostOpParameters post_ops[kMostPostOps];
};

[[nodiscard]] std::vector<ConvolutionTactic> convolution_tactics(const Convolution& shape,
                                                                 ElementKind kind);
[[nodiscard]] std::size_t workspace_floats(const Convolution& shape, const ConvolutionTactic& tactic);
[[nodiscard]] std::size_t counter_count(const Convolution& shape, const ConvolutionTactic& tactic);

/// Weights as the kernel reads them: for each chunk of K and each 8 output channels a granule for
/// each lane. `weights` is [out_c][kernel_h][kernel_w][in_c], of the stored channels, as floats.
[[nodiscard]] std::vector<std::byte> pack_weights(const float* weights, const Convolution& shape,
                                                  ElementKind kind);

[[nodiscard]] cudaError_t launch_convolution(const Convolution& shape, ElementKind kind,
                                             const ConvolutionTactic& tactic,
                                             const ConvolutionArguments& arguments,
                                             cudaStream_t stream);

}  // namespace hedge::cuda
