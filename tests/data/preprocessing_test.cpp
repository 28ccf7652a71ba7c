// SPDX-License-Identifier: Apache-2.0
#include "hedge/preprocessing.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "data/recipes.h"
#include "hedge/error.h"

namespace hedge {
namespace {

constexpr std::size_t kHeight = 5;  // Not square and no multiple of a vector: swapped extents and
constexpr std::size_t kWidth = 7;   // forgotten tails show.
constexpr std::size_t kPixels = kHeight * kWidth;

/// Red, green or blue of one pixel: every value differs from its neighbours in all directions.
std::uint8_t value(std::size_t channel, std::size_t y, std::size_t x) {
  return static_cast<std::uint8_t>(255 - (channel * 83 + y * 31 + x * 7) % 256);
}

std::vector<std::uint8_t> pixels(PixelLayout layout) {
  std::vector<std::uint8_t> bytes(3 * kPixels);
  for (std::size_t c = 0; c < 3; ++c) {
    for (std::size_t y = 0; y < kHeight; ++y) {
      for (std::size_t x = 0; x < kWidth; ++x) {
        const std::size_t at = layout == PixelLayout::kPlanar ? c * kPixels + y * kWidth + x
                                                              : (y * kWidth + x) * 3 + c;
        bytes[at] = value(c, y, x);
      }
    }
  }
  return bytes;
}

PreprocessingRecipe recipe_of(TensorLayout layout, ChannelOrder order) {
  return {.scale = 1.0 / 255,
          .mean = {0.4914, 0.4822, 0.4465},
          .std = {0.2023, 0.1994, 0.2010},
          .layout = layout,
          .channel_order = order,
          .height = kHeight,
          .width = kWidth};
}

Image image_of(const std::vector<std::uint8_t>& bytes, PixelLayout layout) {
  return {.pixels = bytes, .height = kHeight, .width = kWidth, .layout = layout, .label = 0};
}

std::string refusal(const Preprocessing& prepare, const Image& image, std::span<float> tensor) {
  try {
    prepare(image, tensor);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kBadInput);
    return error.what();
  }
  return "accepted";
}

TEST(Preprocessing, EveryLayoutAndOrderAgainstTheFormula) {
  for (const auto from : {PixelLayout::kPlanar, PixelLayout::kInterleaved}) {
    const auto bytes = pixels(from);
    for (const auto to : {TensorLayout::kNhwc, TensorLayout::kNchw}) {
      for (const auto order : {ChannelOrder::kRgb, ChannelOrder::kBgr}) {
        const PreprocessingRecipe recipe = recipe_of(to, order);
        std::vector<float> tensor(3 * kPixels, -1000.F);
        Preprocessing{recipe}(image_of(bytes, from), tensor);
        for (std::size_t c = 0; c < 3; ++c) {
          const std::size_t color = order == ChannelOrder::kBgr ? 2 - c : c;
          for (std::size_t y = 0; y < kHeight; ++y) {
            for (std::size_t x = 0; x < kWidth; ++x) {
              const std::size_t at = to == TensorLayout::kNchw ? c * kPixels + y * kWidth + x
                                                               : (y * kWidth + x) * 3 + c;
              // Exact: the correctly rounded value of the formula in double.
              const double exact =
                  (value(color, y, x) * recipe.scale - recipe.mean[color]) / recipe.std[color];
              ASSERT_EQ(tensor[at], static_cast<float>(exact))
                  << "channel " << c << " y " << y << " x " << x;
            }
          }
        }
      }
    }
  }
}

TEST(Preprocessing, RawRecipeKeepsAllPixelValues) {
  std::vector<std::uint8_t> bytes(3 * 256);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i % 256);
  std::vector<float> tensor(bytes.size());
  const PreprocessingRecipe raw{.height = 16, .width = 16};
  Preprocessing{raw}({.pixels = bytes, .height = 16, .width = 16}, tensor);
  for (std::size_t i = 0; i < 256; ++i) {
    for (std::size_t c = 0; c < 3; ++c) ASSERT_EQ(tensor[3 * i + c], static_cast<float>(i));
  }
}

TEST(Preprocessing, RefusesOtherSizes) {
  const Preprocessing prepare(recipe_of(TensorLayout::kNhwc, ChannelOrder::kRgb));
  const auto bytes = pixels(PixelLayout::kPlanar);
  const Image good = image_of(bytes, PixelLayout::kPlanar);
  std::vector<float> tensor(3 * kPixels);
  ASSERT_EQ(refusal(prepare, good, tensor), "accepted");

  Image turned = good;
  std::swap(turned.height, turned.width);
  EXPECT_EQ(refusal(prepare, turned, tensor),
            "an image of 7x5 (height x width) for a model of 5x7");
  Image cut = good;
  cut.pixels = cut.pixels.first(cut.pixels.size() - 1);
  EXPECT_NE(refusal(prepare, cut, tensor).find("104 bytes"), std::string::npos);
  std::vector<float> batch(2 * tensor.size());
  EXPECT_NE(refusal(prepare, good, batch).find("210 floats"), std::string::npos);
  EXPECT_NE(refusal(prepare, good, std::span(tensor).first(104)).find("104 floats"),
            std::string::npos);
}

TEST(Preprocessing, RefusesRecipesThatGiveNoNumbers) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  const std::vector<PreprocessingRecipe> bad{
      {.std = {1, 0, 1}},
      {.std = {1, 1, nan}},
      {.std = {infinity, 1, 1}},
      {.std = {1e-300, 1, 1}},
      {.mean = {nan, 0, 0}},
      {.mean = {0, -infinity, 0}},
      {.mean = {0, 0, 1e39}},
      {.scale = nan},
      {.scale = infinity},
      {.scale = 0},
      // White is finite, 0/1e-50; black is not.
      {.scale = 1, .mean = {255, 0, 0}, .std = {1e-50, 1, 1}},
      {.height = 0},
      {.width = -1},
      {.height = 8193},
  };
  for (std::size_t i = 0; i < bad.size(); ++i) {
    EXPECT_THROW(Preprocessing{bad[i]}, Error) << "recipe " << i;
  }
}

}  // namespace
}  // namespace hedge
