// SPDX-License-Identifier: Apache-2.0
#include "cli/model/image_input.h"

#include <fmt/format.h>

#include <algorithm>

#include "hedge/error.h"

namespace hedge::cli {

ImageInput::ImageInput(ExecutionContext& context, const Preprocessing& prepare, PixelLayout layout,
                       std::int64_t batch)
    : tensor_(context.input()), prepare_(prepare), layout_(layout), batch_(batch) {
  if (auto* pixels = dynamic_cast<PixelInput*>(&context)) pixels_ = pixels->input_u8();
}

void ImageInput::place(const Image& image, std::int64_t slot) const {
  if (!pixels_.empty()) return place_pixels(image, static_cast<std::size_t>(slot));
  const std::size_t size = tensor_.size() / static_cast<std::size_t>(batch_);
  prepare_(image, tensor_.subspan(static_cast<std::size_t>(slot) * size, size));
}

void ImageInput::place_pixels(const Image& image, std::size_t slot) const {
  const std::size_t size = pixels_.size() / static_cast<std::size_t>(batch_);
  const PreprocessingRecipe& recipe = prepare_.recipe();
  if (image.height != recipe.height || image.width != recipe.width || image.layout != layout_ ||
      image.pixels.size() != size) {
    throw bad_input(fmt::format(
        "an image of {}x{} ({}) where the GPU was set up for {}x{} ({}); preprocess on the CPU",
        image.height, image.width, image.layout == PixelLayout::kPlanar ? "planes" : "interleaved",
        recipe.height, recipe.width, layout_ == PixelLayout::kPlanar ? "planes" : "interleaved"));
  }
  std::copy(image.pixels.begin(), image.pixels.end(), pixels_.subspan(slot * size).begin());
}

void ImageInput::fill(const Image& image) const {
  for (std::int64_t slot = 0; slot < batch_; ++slot) place(image, slot);
}

}  // namespace hedge::cli
