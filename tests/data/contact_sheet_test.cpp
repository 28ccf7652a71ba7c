// SPDX-License-Identifier: Apache-2.0
#include "data/contact_sheet.h"

#include <gtest/gtest.h>

#include <vector>

#include "data/recipes.h"

namespace hedge {
namespace {

std::vector<int> pixel(const Picture& picture, int y, int x) {
  const auto* at = picture.rgb.data() + 3 * (y * picture.width + x);
  return {at[0], at[1], at[2]};
}

/// One image of 96x96 in one colour, so that nothing is enlarged: at (6, 6) it lies on the sheet,
/// at (102, 6) its tensor.
Picture sheet_of(const std::string& recipe, std::array<std::uint8_t, 3> color,
                 std::array<ChannelStatistics, 3>* statistics = nullptr) {
  std::vector<std::uint8_t> pixels;
  for (int i = 0; i < 96 * 96; ++i) pixels.insert(pixels.end(), color.begin(), color.end());
  // One black and one white pixel set the scale.
  std::fill_n(pixels.begin(), 3, std::uint8_t{0});
  std::fill_n(pixels.begin() + 3, 3, std::uint8_t{255});
  const auto parsed = parse_recipe(recipe + ",size=96x96");
  const Preprocessing prepare(parsed);
  ContactSheet sheet(parsed);
  sheet.add({.pixels = pixels, .height = 96, .width = 96, .layout = PixelLayout::kInterleaved},
            prepare);
  if (statistics != nullptr) *statistics = sheet.statistics();
  return sheet.draw();
}

TEST(ContactSheet, ARightRecipeShowsTheImageTwice) {
  for (const char* layout : {"nhwc", "nchw"}) {
    const Picture sheet =
        sheet_of(std::string("scale=1/255,mean=0.5,std=0.25,layout=") + layout, {200, 100, 50});
    EXPECT_EQ(sheet.width, 6 + 96 + 6);
    EXPECT_EQ(sheet.height, 6 + 192 + 12);
    EXPECT_EQ(pixel(sheet, 50, 50), (std::vector{200, 100, 50}));
    EXPECT_EQ(pixel(sheet, 150, 50), (std::vector{200, 100, 50}));
    EXPECT_EQ(pixel(sheet, 0, 0), (std::vector{64, 64, 64}));
  }
}

TEST(ContactSheet, ExchangedChannelsShow) {
  const Picture sheet = sheet_of("scale=1/255,order=bgr", {200, 100, 50});
  EXPECT_EQ(pixel(sheet, 50, 50), (std::vector{200, 100, 50}));
  EXPECT_EQ(pixel(sheet, 150, 50), (std::vector{50, 100, 200}));
}

TEST(ContactSheet, AWrongMeanShowsAsATint) {
  std::array<ChannelStatistics, 3> statistics;
  const Picture sheet = sheet_of("scale=1,mean=255:0:0", {128, 128, 128}, &statistics);
  EXPECT_EQ(pixel(sheet, 150, 50), (std::vector{64, 192, 192}));
  EXPECT_NEAR(statistics[0].mean, 128 - 255, 0.1);
  EXPECT_NEAR(statistics[1].mean, 128, 0.1);
  EXPECT_EQ(statistics[0].min, -255);
  EXPECT_EQ(statistics[0].max, 0);
  EXPECT_NEAR(statistics[1].std, 1.87, 0.01);
}

}  // namespace
}  // namespace hedge
