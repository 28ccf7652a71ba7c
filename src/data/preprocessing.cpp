// SPDX-License-Identifier: Apache-2.0
#include "hedge/preprocessing.h"

#include <fmt/format.h>

#include "data/recipes.h"
#include "hedge/error.h"

namespace hedge {
namespace {

using Table = std::array<float, 256>;

/// One channel into its plane: `pixels` read every `kFrom` bytes.
template <std::size_t kFrom>
void channel(const std::uint8_t* pixels, float* tensor, std::size_t count, const Table& table) {
  for (std::size_t i = 0; i < count; ++i) tensor[i] = table[pixels[i * kFrom]];
}

/// Into interleaved pixels, all three channels in one pass: three passes would write each cache
/// line three times. `kFrom` is 1 for planes, 3 for interleaved pixels.
template <std::size_t kFrom>
void interleave(const std::array<const std::uint8_t*, 3>& from, float* tensor, std::size_t count,
                const std::array<const Table*, 3>& tables) {
  const auto [first, second, third] = from;
  const Table& table0 = *tables[0];
  const Table& table1 = *tables[1];
  const Table& table2 = *tables[2];
  for (std::size_t i = 0; i < count; ++i) {
    tensor[3 * i] = table0[first[kFrom * i]];
    tensor[3 * i + 1] = table1[second[kFrom * i]];
    tensor[3 * i + 2] = table2[third[kFrom * i]];
  }
}

}  // namespace

Preprocessing::Preprocessing(const PreprocessingRecipe& recipe) : recipe_(recipe) {
  check_recipe(recipe);
  for (std::size_t c = 0; c < 3; ++c) {
    for (std::size_t pixel = 0; pixel < 256; ++pixel) {
      tables_[c][pixel] = static_cast<float>(
          (static_cast<double>(pixel) * recipe.scale - recipe.mean[c]) / recipe.std[c]);
    }
  }
}

void Preprocessing::operator()(const Image& image, std::span<float> tensor) const {
  const auto count =
      static_cast<std::size_t>(recipe_.height) * static_cast<std::size_t>(recipe_.width);
  if (image.height != recipe_.height || image.width != recipe_.width) {
    throw bad_input(fmt::format("an image of {}x{} (height x width) for a model of {}x{}",
                                image.height, image.width, recipe_.height, recipe_.width));
  }
  if (image.pixels.size() != 3 * count || tensor.size() != 3 * count) {
    throw bad_input(fmt::format(
        "an RGB image of {}x{} has {} values; these pixels are {} bytes and the tensor {} floats",
        image.height, image.width, 3 * count, image.pixels.size(), tensor.size()));
  }
  const bool planar = image.layout == PixelLayout::kPlanar;
  const bool bgr = recipe_.channel_order == ChannelOrder::kBgr;
  std::array<const std::uint8_t*, 3> from{};
  std::array<const Table*, 3> tables{};
  for (std::size_t c = 0; c < 3; ++c) {
    const std::size_t color = bgr ? 2 - c : c;
    from[c] = image.pixels.data() + (planar ? color * count : color);
    tables[c] = &tables_[color];
  }
  if (recipe_.layout == TensorLayout::kNhwc) {
    planar ? interleave<1>(from, tensor.data(), count, tables)
           : interleave<3>(from, tensor.data(), count, tables);
    return;
  }
  for (std::size_t c = 0; c < 3; ++c) {
    float* to = tensor.data() + c * count;
    planar ? channel<1>(from[c], to, count, *tables[c])
           : channel<3>(from[c], to, count, *tables[c]);
  }
}

}  // namespace hedge
