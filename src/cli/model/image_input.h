// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "hedge/dataset.h"
#include "hedge/engine.h"
#include "hedge/preprocessing.h"

namespace hedge::cli {

/// Where a context takes images: its tensor, which is made here by the recipe, or, where infer()
/// does that (PixelInput), the images as they are. Context and recipe outlive it.
class ImageInput {
 public:
  /// `layout` is what a context that takes pixels was created with.
  ImageInput(ExecutionContext& context, const Preprocessing& prepare, PixelLayout layout,
             std::int64_t batch);

  /// Into place number `slot` of the batch. Throws bad_input where the image has another size or
  /// layout. No allocation.
  void place(const Image& image, std::int64_t slot) const;
  /// The same image in every place.
  void fill(const Image& image) const;

 private:
  void place_pixels(const Image& image, std::size_t slot) const;

  std::span<float> tensor_;
  std::span<std::uint8_t> pixels_;
  const Preprocessing& prepare_;
  PixelLayout layout_;
  std::int64_t batch_;
};

}  // namespace hedge::cli
