// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>

#include "backends/gpu/device.h"
#include "backends/gpu/kernels/preprocess.h"
#include "hedge/engine.h"
#include "hedge/preprocessing.h"

namespace hedge::gpu {

/// How the pixels lie that a context takes, and what becomes of them.
struct PixelSource {
  PixelLayout layout = PixelLayout::kPlanar;
  Preprocessing prepare;
};

/// Null where the options have no pixels. Throws bad_input where nothing says how they are to be
/// preprocessed.
[[nodiscard]] std::shared_ptr<const PixelSource> pixel_source(const EngineInfo& info,
                                                              const ContextOptions& options);

/// Preprocessing on the GPU: the tables of `Preprocessing` there, so that the tensor has its bits,
/// and the tensor, which no longer goes over the bus.
class PixelStage {
 public:
  /// For an input of so many floats. Throws bad_input where the recipe does not give as many.
  PixelStage(const PixelSource& source, std::size_t input_elements);

  /// Bytes of the images: one for each float of the input.
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] std::byte* tensor() const { return tensor_.get(); }
  /// From `images`, where kernels see them, to tensor().
  [[nodiscard]] cudaError_t enqueue(const std::byte* images, cudaStream_t stream) const;

 private:
  PixelsToTensor shape_;
  std::size_t bytes_ = 0;
  Memory tables_;
  Memory tensor_;
};

}  // namespace hedge::gpu
