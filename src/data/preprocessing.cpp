// SPDX-License-Identifier: Apache-2.0
#include "hedge/preprocessing.h"

#include <fmt/format.h>

#include "hedge/error.h"

namespace hedge {
namespace {

/// One channel: `pixels` read every `from` bytes, `tensor` written every `to` floats. The strides are
/// template parameters so that each of the four loops is compiled to vector code.
template <std::size_t kFrom, std::size_t kTo>
void channel(const std::uint8_t* pixels, float* tensor, std::size_t count, float factor,
             float offset) {
  for (std::size_t i = 0; i < count; ++i) {
    tensor[i * kTo] = static_cast<float>(pixels[i * kFrom]) * factor + offset;
  }
}

/// Planes to interleaved pixels, the way of every CIFAR image: all three channels in one pass.
void interleave(const std::uint8_t* red, const std::uint8_t* green, const std::uint8_t* blue,
                float* tensor, std::size_t count, const std::array<float, 3>& factor,
                const std::array<float, 3>& offset) {
  for (std::size_t i = 0; i < count; ++i) {
    tensor[3 * i] = static_cast<float>(red[i]) * factor[0] + offset[0];
    tensor[3 * i + 1] = static_cast<float>(green[i]) * factor[1] + offset[1];
    tensor[3 * i + 2] = static_cast<float>(blue[i]) * factor[2] + offset[2];
  }
}

}  // namespace

Preprocessing::Preprocessing(const PreprocessingRecipe& recipe) : recipe_(recipe) {
  for (std::size_t c = 0; c < 3; ++c) {
    // mean and std are stated for red, green, blue whatever the order of the tensor.
    factor_[c] = static_cast<float>(recipe.scale / recipe.std[c]);
    offset_[c] = static_cast<float>(-recipe.mean[c] / recipe.std[c]);
  }
}

void Preprocessing::operator()(const Image& image, std::span<float> tensor) const {
  const auto count = static_cast<std::size_t>(recipe_.height) * static_cast<std::size_t>(recipe_.width);
  if (image.height != recipe_.height || image.width != recipe_.width ||
      image.pixels.size() != 3 * count || tensor.size() != 3 * count) {
    throw bad_input(fmt::format("an image of {}x{} (height x width) for a model of {}x{}",
                                image.height, image.width, recipe_.height, recipe_.width));
  }
  const bool planar = image.layout == PixelLayout::kPlanar;
  const bool bgr = recipe_.channel_order == ChannelOrder::kBgr;
  std::array<const std::uint8_t*, 3> from{};
  std::array<float, 3> factor{};
  std::array<float, 3> offset{};
  for (std::size_t c = 0; c < 3; ++c) {
    const std::size_t color = bgr ? 2 - c : c;
    from[c] = image.pixels.data() + (planar ? color * count : color);
    factor[c] = factor_[color];
    offset[c] = offset_[color];
  }
  if (planar && recipe_.layout == TensorLayout::kNhwc) {
    interleave(from[0], from[1], from[2], tensor.data(), count, factor, offset);
    return;
  }
  for (std::size_t c = 0; c < 3; ++c) {
    if (recipe_.layout == TensorLayout::kNchw) {
      float* to = tensor.data() + c * count;
      planar ? channel<1, 1>(from[c], to, count, factor[c], offset[c])
             : channel<3, 1>(from[c], to, count, factor[c], offset[c]);
    } else {
      channel<3, 3>(from[c], tensor.data() + c, count, factor[c], offset[c]);
    }
  }
}

}  // namespace hedge
