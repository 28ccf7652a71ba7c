// SPDX-License-Identifier: Apache-2.0
#include "data/fit.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "data/dataset_wrapper.h"
#include "data/picture.h"
#include "data/resample.h"
#include "hedge/error.h"

namespace hedge {
namespace {

/// Interleaved pixels, copied only where they are planes.
std::span<const std::uint8_t> interleaved(const Image& image, std::vector<std::uint8_t>& scratch) {
  if (image.layout == PixelLayout::kInterleaved) return image.pixels;
  const std::size_t count = image.pixels.size() / 3;
  scratch.resize(3 * count);
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t c = 0; c < 3; ++c) scratch[3 * i + c] = image.pixels[c * count + i];
  }
  return scratch;
}

/// Where `size` pixels are cut from the middle of `whole`: Python's round((whole - size) / 2),
/// which goes to the even number from a half.
int centered(int whole, int size) {
  const int twice = whole - size;
  const int half = twice / 2;
  return twice % 2 == 1 && half % 2 == 1 ? half + 1 : half;
}

struct Extents {
  int height;
  int width;
};

Extents resized(const Image& image, const PreprocessingRecipe& recipe, const std::string& name) {
  if (recipe.resize_height == 0) return {image.height, image.width};
  if (recipe.resize_width != 0) return {recipe.resize_height, recipe.resize_width};
  // The short side becomes resize_height, the long one follows, rounded down.
  const auto [low, high] = std::minmax(image.height, image.width);
  const std::int64_t long_side = static_cast<std::int64_t>(recipe.resize_height) * high / low;
  // A strip a pixel high must not become a picture of gigabytes.
  if (long_side > kMostPixels / recipe.resize_height) {
    throw bad_input(fmt::format(
        "{}: {}x{} (height x width) resized to {} on the short side would have {} pixels, over {}; "
        "state resize=HEIGHTxWIDTH",
        name, image.height, image.width, recipe.resize_height, long_side * recipe.resize_height,
        kMostPixels));
  }
  const int other = static_cast<int>(long_side);
  return image.height <= image.width ? Extents{recipe.resize_height, other}
                                     : Extents{other, recipe.resize_height};
}

}  // namespace

Image fit_image(const Image& image, const PreprocessingRecipe& recipe, const std::string& name) {
  const bool fits = image.height == recipe.height && image.width == recipe.width;
  const bool has_steps = recipe.resize_height != 0 || recipe.crop_height != 0;
  if (fits && (image.presized || !has_steps)) return image;
  if (!has_steps) {
    throw bad_input(fmt::format(
        "{}: {}x{} (height x width), but the model takes {}x{}: say how to get there "
        "with resize and crop in --preprocess, as resize={},crop={} (docs/"
        "preprocessing.md)",
        name, image.height, image.width, recipe.height, recipe.width,
        std::min(recipe.height, recipe.width) * 8 / 7,
        recipe.height == recipe.width ? fmt::format("{}", recipe.height)
                                      : fmt::format("{}x{}", recipe.height, recipe.width)));
  }
  const Extents size = resized(image, recipe, name);
  PictureWindow window{.height = size.height, .width = size.width};
  if (recipe.crop_height != 0) {
    if (size.height < recipe.crop_height || size.width < recipe.crop_width) {
      throw bad_input(
          fmt::format("{}: {}x{} after resizing, too small for crop={}x{}; state a larger resize",
                      name, size.height, size.width, recipe.crop_height, recipe.crop_width));
    }
    window = {.top = centered(size.height, recipe.crop_height),
              .left = centered(size.width, recipe.crop_width),
              .height = recipe.crop_height,
              .width = recipe.crop_width};
  }
  if (window.height != recipe.height || window.width != recipe.width) {
    throw bad_input(
        fmt::format("{}: the recipe makes it {}x{} (height x width), but the model takes {}x{}: "
                    "state resize={}x{}, or crop={}x{} behind resize",
                    name, window.height, window.width, recipe.height, recipe.width, recipe.height,
                    recipe.width, recipe.height, recipe.width));
  }
  auto pixels = std::make_shared<std::vector<std::uint8_t>>(
      std::size_t{3} * static_cast<std::size_t>(recipe.height) *
      static_cast<std::size_t>(recipe.width));
  std::vector<std::uint8_t> scratch;
  resample(interleaved(image, scratch), image.height, image.width, size.height, size.width, window,
           recipe.interpolation, *pixels);
  return {.pixels = *pixels,
          .height = recipe.height,
          .width = recipe.width,
          .layout = PixelLayout::kInterleaved,
          .label = image.label,
          .owner = pixels};
}

namespace {

class FittedDataset final : public DatasetWrapper {
 public:
  FittedDataset(std::unique_ptr<Dataset> dataset, const PreprocessingRecipe& recipe)
      : DatasetWrapper(std::move(dataset)), recipe_(recipe) {}

  [[nodiscard]] Image image(std::size_t index) const override {
    return fit_image(wrapped().image(index), recipe_, name(index));
  }

 private:
  PreprocessingRecipe recipe_;
};

}  // namespace

std::unique_ptr<Dataset> fit_dataset(std::unique_ptr<Dataset> dataset,
                                     const PreprocessingRecipe& recipe) {
  if (!dataset->decodes()) {
    const Image first = dataset->image(0);
    // All images of such a dataset have one size.
    if (first.height == recipe.height && first.width == recipe.width) return dataset;
  }
  return std::make_unique<FittedDataset>(std::move(dataset), recipe);
}

}  // namespace hedge
