// SPDX-License-Identifier: Apache-2.0
// Against what Pillow decodes and resizes (tools/make_image_goldens.py), byte for byte.
#include "data/picture.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/log.h"
#include "data/fit.h"
#include "data/recipes.h"
#include "hedge/error.h"
#include "support/temporary_folder.h"

namespace hedge {
namespace {

namespace fs = std::filesystem;

const fs::path kImages = fs::path(HEDGE_SOURCE_DIR) / "tests/data/images";

std::string bytes_of(const std::string& name) {
  return read_text_file(kImages / name);
}

/// A raw PPM as Pillow writes it; not read by the code under test.
Picture expected_picture(const std::string& name) {
  std::istringstream text(bytes_of(name));
  std::string magic;
  int maximum = 0;
  Picture picture;
  text >> magic >> picture.width >> picture.height >> maximum;
  text.get();
  picture.rgb.resize(static_cast<std::size_t>(3 * picture.width * picture.height));
  text.read(reinterpret_cast<char*>(picture.rgb.data()),
            static_cast<std::streamsize>(picture.rgb.size()));
  EXPECT_TRUE(magic == "P6" && maximum == 255 && text) << name;
  return picture;
}

std::vector<std::vector<std::string>> table(const std::string& name) {
  std::vector<std::vector<std::string>> rows;
  std::ifstream lines(kImages / name);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    rows.emplace_back(std::istream_iterator<std::string>(words),
                      std::istream_iterator<std::string>());
  }
  return rows;
}

Picture decode(std::string_view bytes, const DecodeOptions& options = {}) {
  return decode_picture(std::as_bytes(std::span(bytes.data(), bytes.size())), "x.jpg", options);
}

std::string refusal(std::string_view bytes, const DecodeOptions& options = {}) {
  try {
    (void)decode(bytes, options);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kBadInput) << error.what();
    const std::string message = error.what();
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    EXPECT_TRUE(message.starts_with("x.jpg: ")) << message;
    return message;
  }
  return "accepted";
}

void expect_refusal(std::string_view bytes, const std::string& part) {
  const std::string message = refusal(bytes);
  EXPECT_NE(message.find(part), std::string::npos) << message;
}

Image image_of(const Picture& picture) {
  return {.pixels = picture.rgb,
          .height = picture.height,
          .width = picture.width,
          .layout = PixelLayout::kInterleaved,
          .presized = false};
}

TEST(Picture, DecodesAsPillow) {
  const auto rows = table("decoded.txt");
  ASSERT_GT(rows.size(), 40U);
  for (const auto& row : rows) {
    const Picture expected = expected_picture(row.at(1));
    const Picture picture = read_picture(kImages / row.at(0));
    ASSERT_EQ(picture.width, expected.width) << row[0];
    ASSERT_EQ(picture.height, expected.height) << row[0];
    EXPECT_EQ(picture.rgb, expected.rgb) << row[0];
    EXPECT_EQ(picture.warning, "") << row[0];
  }
}

/// Pillow makes 255 of every value above 255 (docs/datasets.md).
TEST(Picture, GreyOfSixteenBitsKeepsTheUpperEight) {
  using namespace std::string_literals;
  const std::string png =  // 0, 255, 256, 0x80ff, 0xffff
      "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\5\0\0\0\1\x10\0\0\0\0\x63\5\xe7\x6c\0\0\0\x13IDAT"
      "\x78\x9c\x63\x60\x60\x60\xf8\xcf\xc8\xd0\xf0\xff\xff\x7f\0\xf\4\4\x7e\xc2\xb6\xa0\xad\0\0\0"
      "\0IEND"
      "\xae\x42\x60\x82"s;
  const Picture picture = decode(png);
  ASSERT_EQ(picture.rgb.size(), 15U);
  const std::vector<int> expected{0, 0, 1, 128, 255};
  for (std::size_t i = 0; i < 15; ++i) EXPECT_EQ(picture.rgb[i], expected[i / 3]) << i;
}

TEST(Picture, ResizesAndCropsAsPillow) {
  const auto rows = table("fitted.txt");
  ASSERT_GT(rows.size(), 15U);
  for (const auto& row : rows) {
    const Picture source = read_picture(kImages / row.at(0));
    const Picture expected = expected_picture(row.at(1));
    const PreprocessingRecipe recipe = parse_recipe(row.at(2));
    const Image image = fit_image(image_of(source), recipe, "x");
    ASSERT_EQ(image.width, expected.width) << row[2];
    ASSERT_EQ(image.height, expected.height) << row[2];
    EXPECT_TRUE(std::equal(image.pixels.begin(), image.pixels.end(), expected.rgb.begin(),
                           expected.rgb.end()))
        << row[0] << ' ' << row[2];
  }
}

TEST(Picture, OrientationCanBeLeftAlone) {
  const Picture upright = decode(bytes_of("exif6.jpg"));
  const Picture lying = decode(bytes_of("exif6.jpg"), {.upright = false});
  EXPECT_EQ(lying.width, 20);
  EXPECT_EQ(lying.height, 11);
  EXPECT_EQ(lying.orientation, 6);
  EXPECT_EQ(upright.width, 11);
  EXPECT_EQ(upright.orientation, 1);
  // A quarter clockwise: the first column from below is the first row.
  const auto pixel = [](const Picture& picture, int y, int x) {
    const auto* at = picture.rgb.data() + 3 * (y * picture.width + x);
    return std::vector<std::uint8_t>(at, at + 3);
  };
  EXPECT_EQ(pixel(upright, 0, 0), pixel(lying, 10, 0));
  EXPECT_EQ(pixel(upright, 19, 3), pixel(lying, 7, 19));
}

TEST(Picture, ExifOfAnyBytes) {
  const auto of = [](std::string_view text) {
    return exif_orientation(std::as_bytes(std::span(text.data(), text.size())));
  };
  using namespace std::string_literals;
  using namespace std::string_view_literals;
  const std::string entry = "\x12\x01\x03\0\x01\0\0\0\x06\0\0\0"s;
  const std::string good = "II*\0\x08\0\0\0\x01\0"s + entry;
  EXPECT_EQ(of(good), 6);
  EXPECT_EQ(of("MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x08\0\0"sv), 8);
  for (std::size_t size = 0; size < good.size(); ++size) EXPECT_EQ(of(good.substr(0, size)), 1);
  EXPECT_EQ(of("II*\0\xff\xff\xff\xff\x01\0"sv), 1);
  EXPECT_EQ(of("II*\0\x08\0\0\0\xff\xff"sv), 1);
  std::string bad = good;
  bad[18] = 9;
  EXPECT_EQ(of(bad), 1);
  bad[18] = 0;
  EXPECT_EQ(of(bad), 1);
}

TEST(Picture, TruncatedFilesAreRefusedWithTheOffset) {
  for (const char* name : {"420.jpg", "progressive.jpg", "grey.jpg", "cmyk.jpg", "rgb.png",
                           "interlaced.png", "rgb.bmp", "palette.bmp", "rgb.ppm", "grey.pgm"}) {
    const std::string whole = bytes_of(name);
    for (const std::size_t size :
         {whole.size() / 3, whole.size() / 2, whole.size() * 3 / 4, whole.size() - 20}) {
      const std::string message = refusal(std::string_view(whole).substr(0, size));
      EXPECT_NE(message.find("truncated"), std::string::npos) << name << ' ' << message;
      EXPECT_NE(message.find(std::to_string(size)), std::string::npos) << name << ' ' << message;
    }
    for (std::size_t size = 0; size < whole.size(); size += 7) {
      if (size + 12 > whole.size()) break;
      EXPECT_NE(refusal(std::string_view(whole).substr(0, size)), "accepted")
          << name << ' ' << size;
    }
  }
}

TEST(Picture, AJpegWithoutItsEndMarkerIsWhole) {
  const std::string whole = bytes_of("420.jpg");
  EXPECT_EQ(decode(std::string_view(whole).substr(0, whole.size() - 2)).rgb, decode(whole).rgb);
}

TEST(Picture, DamagedJpegsAreReadWithAWarning) {
  std::string logged;
  set_log_sink([&](LogLevel, std::string_view message) { logged += message; });
  std::string bytes = bytes_of("restarts.jpg");
  const std::size_t restart = bytes.find("\xff\xd0");
  ASSERT_NE(restart, std::string::npos);
  bytes.erase(restart - 8, 8);
  const Picture picture = decode(bytes);
  set_log_sink({});
  EXPECT_EQ(picture.width, 33);
  EXPECT_NE(logged.find("x.jpg: Corrupt JPEG data"), std::string::npos) << logged;
}

TEST(Picture, OtherBytesAreRefused) {
  expect_refusal("", "empty");
  expect_refusal("GIF89a", "JPEG, PNG, BMP, PPM and PGM can");
  expect_refusal("\xff\xd8\xff\xe0", "truncated");
  expect_refusal("\x89PNG\r\n\x1a\n", "truncated");
  std::string png = bytes_of("rgb.png");
  png[png.size() / 2] ^= 1;
  expect_refusal(png, "no PNG that can be read");
}

TEST(Picture, TooManyPixelsAreRefusedBeforeTheyAreAllocated) {
  using namespace std::string_literals;
  // 65,280 x 65,280 in a header; the data need not be there.
  std::string jpeg = bytes_of("420.jpg");
  const std::size_t frame = jpeg.find("\xff\xc0");
  jpeg.replace(frame + 5, 4, "\xff\x00\xff\x00"s);
  expect_refusal(jpeg, "65280 x 65280 pixels");
  std::string png = bytes_of("rgb.png");
  EXPECT_NE(refusal(png, {.most_pixels = 824}).find("33 x 25 pixels"), std::string::npos);
  EXPECT_EQ(refusal(png, {.most_pixels = 825}), "accepted");
  expect_refusal("P6 2147483647 2147483647 255\n", "pixels (width x height)");
  expect_refusal("P5 0 5 255\n", "0 x 5 pixels");
}

TEST(Picture, TwentyThousandPixelsWide) {
  std::string wide = "P6\n20000 3\n255\n";
  for (int i = 0; i < 20000 * 3 * 3; ++i) wide.push_back(static_cast<char>(i / 97 % 256));
  const Picture picture = decode(wide);
  EXPECT_EQ(picture.width, 20000);
  const Image image = fit_image(image_of(picture), parse_recipe("resize=8,crop=8,size=8x8"), "x");
  EXPECT_EQ(image.pixels.size(), 192U);
  // The short side as asked for would make the long one gigabytes.
  try {
    (void)fit_image(image_of(picture), parse_recipe("resize=256,crop=224,size=224x224"), "x");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("x: 3x20000 (height x width) resized to 256"),
              std::string::npos)
        << error.what();
  }
}

TEST(Picture, PnmHeaders) {
  EXPECT_EQ(decode("P2 2 1 255 7 9").rgb, (std::vector<std::uint8_t>{7, 7, 7, 9, 9, 9}));
  EXPECT_EQ(decode("P2#c\n2#\n1 10#\n5\t#\n11\n").rgb,
            (std::vector<std::uint8_t>{128, 128, 128, 255, 255, 255}));
  EXPECT_EQ(decode(std::string("P5 1 1 65535\n\x80\x00", 15)).rgb,
            (std::vector<std::uint8_t>{128, 128, 128}));
  expect_refusal("P4 1 1\n0", "can");
  expect_refusal("P7\n", "can");
  expect_refusal("P", "can");
  expect_refusal("P5 1 1 0\n0", "largest value is 0");
  expect_refusal("P5 1 1 65536\n00", "largest value is 65536");
  expect_refusal("P5 x 1 255\n0", "the width at byte 3 is no number");
  expect_refusal("P5 1 -1 255\n0", "the height at byte 5 is no number");
  expect_refusal("P5 99999999999 1 255\n0", "too large");
  expect_refusal("P5 1 1 255", "truncated");
  expect_refusal("P3 1 1 255 1 2 x", "a pixel at byte 15 is no number");
  expect_refusal("P3 1 1 255 1 2  ", "truncated");
}

TEST(Picture, BmpHeaders) {
  const std::string good = bytes_of("rgb.bmp");
  const auto changed = [&](std::size_t at, const std::string& bytes) {
    std::string copy = good;
    return copy.replace(at, bytes.size(), bytes);
  };
  using namespace std::string_literals;
  expect_refusal("BM", "truncated");
  expect_refusal(changed(14, "\x13"s), "header has 19 bytes");
  expect_refusal(changed(28, "\x02"s), "2 bits");
  expect_refusal(changed(28, "\x30"s), "48 bits");
  expect_refusal(changed(30, "\x01"s), "compression 1");
  expect_refusal(changed(10, "\xff\xff\xff\x7f"s), "truncated");
  expect_refusal(changed(18, "\0\0\0\0"s), "0 x 25");
  expect_refusal(changed(18, "\xff\xff\xff\xff"s), "-1 x 25");
  expect_refusal(changed(22, "\0\0\0\x80"s), "pixels");
  std::string masks = bytes_of("565.bmp");
  masks[54] = 1;  // 0xF801: bits apart
  expect_refusal(masks, "colour mask 0xf801");
}

TEST(Picture, WritesPng) {
  const test::TemporaryFolder folder;
  const Picture picture = read_picture(kImages / "photo.png");
  write_png(folder.path() / "a.png", picture);
  const Picture again = read_picture(folder.path() / "a.png");
  EXPECT_EQ(again.width, picture.width);
  EXPECT_EQ(again.rgb, picture.rgb);
}

TEST(Picture, Names) {
  for (const char* name : {"a.jpg", "a.JPEG", "b/c.Png", "x.bmp", "x.ppm", "x.pgm", "x.pnm"}) {
    EXPECT_TRUE(is_picture_name(name)) << name;
  }
  for (const char* name : {"a.txt", "jpg", "a.jpg.gz", "a.", "a.gif", "a.bin"}) {
    EXPECT_FALSE(is_picture_name(name)) << name;
  }
}

TEST(Fit, PresizedImagesStay) {
  const Picture source = read_picture(kImages / "photo.png");
  Image image = image_of(source);
  const auto recipe = parse_recipe("resize=70,crop=61x83,size=61x83");
  EXPECT_NE(fit_image(image, recipe, "x").pixels.data(), source.rgb.data());
  image.presized = true;
  EXPECT_EQ(fit_image(image, recipe, "x").pixels.data(), source.rgb.data());
}

TEST(Fit, PlanesAreResizedToo) {
  const Picture source = read_picture(kImages / "photo.png");
  const std::size_t count = source.rgb.size() / 3;
  std::vector<std::uint8_t> planes(source.rgb.size());
  for (std::size_t i = 0; i < planes.size(); ++i) planes[i % 3 * count + i / 3] = source.rgb[i];
  Image planar = image_of(source);
  planar.pixels = planes;
  planar.layout = PixelLayout::kPlanar;
  const auto recipe = parse_recipe("resize=24x31,size=24x31");
  const Image a = fit_image(planar, recipe, "x");
  const Image b = fit_image(image_of(source), recipe, "x");
  EXPECT_TRUE(std::equal(a.pixels.begin(), a.pixels.end(), b.pixels.begin(), b.pixels.end()));
}

TEST(Fit, WhatDoesNotLeadToTheTensorIsRefusedWithTheKeys) {
  const Picture source = read_picture(kImages / "photo.png");  // 61 high, 83 wide
  const auto refusal = [&](const std::string& recipe) {
    try {
      (void)fit_image(image_of(source), parse_recipe(recipe), "y.png");
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kBadInput);
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  EXPECT_NE(refusal("size=224x224")
                .find("y.png: 61x83 (height x width), but the model takes "
                      "224x224: say how to get there with resize and crop in "
                      "--preprocess, as resize=256,crop=224"),
            std::string::npos)
      << refusal("size=224x224");
  EXPECT_NE(refusal("size=64x64,crop=64").find("too small for crop=64x64"), std::string::npos);
  EXPECT_NE(refusal("size=64x64,resize=64").find("makes it 64x87"), std::string::npos);
  EXPECT_EQ(refusal("size=61x83"), "accepted");
  EXPECT_EQ(refusal("size=61x61,crop=61"), "accepted");
}

}  // namespace
}  // namespace hedge
