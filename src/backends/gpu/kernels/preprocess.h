// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/gpu/kernels/launch.h"

// From images of 8 bits to the model's tensor of floats.

namespace hedge::gpu {

/// RGB images of one size, and the tensor's order of what they become.
struct PixelsToTensor {
  int batch = 1;
  int pixels = 1;             ///< Of one image.
  bool planar_image = true;   ///< Planes of red, green and blue; else red, green, blue of a pixel.
  bool planar_tensor = true;  ///< NCHW; else NHWC.
  bool bgr = false;           ///< The tensor's first channel is blue.
};

/// tensor[image, channel, pixel] = tables[256 * color + image's byte]: `tables` are 3 * 256 floats,
/// of red, green and blue. Nothing is computed, so the bits are those of the tables.
[[nodiscard]] cudaError_t launch_preprocess(const PixelsToTensor& shape, const std::uint8_t* images,
                                            const float* tables, float* tensor,
                                            const Launch& launch);

}  // namespace hedge::gpu
