// SPDX-License-Identifier: Apache-2.0
// From a JPEG of 500x375 to 224x224: what one thread of decoding ahead does for an image, and its
// parts.

#include <benchmark/benchmark.h>
// jpeglib.h uses FILE and size_t without including them.
#include <cstdio>

#include <jpeglib.h>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <vector>

#include "data/fit.h"
#include "data/picture.h"
#include "data/recipes.h"
#include "hedge/preprocessing.h"

namespace hedge {
namespace {

constexpr int kHeight = 375;
constexpr int kWidth = 500;

/// As smooth and as rough as a photograph, roughly.
Picture photo() {
  Picture picture;
  picture.height = kHeight;
  picture.width = kWidth;
  picture.rgb.resize(std::size_t{3} * kHeight * kWidth);
  std::mt19937 random(1);
  std::size_t at = 0;
  for (int y = 0; y < kHeight; ++y) {
    for (int x = 0; x < kWidth; ++x) {
      for (int c = 0; c < 3; ++c) {
        const double smooth = 128 + 60 * std::sin(x * 0.03 * (c + 1)) + 50 * std::cos(y * 0.05);
        const int noise = static_cast<int>(random() % 25) - 12;
        picture.rgb[at++] = static_cast<std::uint8_t>(smooth + noise);
      }
    }
  }
  return picture;
}

std::vector<std::byte> encode_jpeg(const Picture& picture, int quality) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* data = nullptr;
  unsigned long size = 0;  // NOLINT(google-runtime-int): libjpeg's type
  jpeg_mem_dest(&info, &data, &size);
  info.image_width = static_cast<JDIMENSION>(picture.width);
  info.image_height = static_cast<JDIMENSION>(picture.height);
  info.input_components = 3;
  info.in_color_space = JCS_RGB;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, quality, TRUE);
  jpeg_start_compress(&info, TRUE);
  while (info.next_scanline < info.image_height) {
    auto* row = const_cast<JSAMPROW>(picture.rgb.data()) +
                std::size_t{3} * info.image_width * info.next_scanline;
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  std::vector<std::byte> file(bytes, bytes + size);
  std::free(data);
  return file;
}

Image image_of(const Picture& picture) {
  return {.pixels = picture.rgb,
          .height = picture.height,
          .width = picture.width,
          .layout = PixelLayout::kInterleaved,
          .presized = false};
}

PreprocessingRecipe imagenet() {
  return find_recipe("", "imagenet").value();
}

void jpeg_decode(benchmark::State& state) {
  const std::vector<std::byte> file = encode_jpeg(photo(), 85);
  for (auto _ : state) benchmark::DoNotOptimize(decode_picture(file, "bench.jpg"));
  state.counters["images_per_s"] =
      benchmark::Counter(1, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["file_bytes"] = static_cast<double>(file.size());
}
BENCHMARK(jpeg_decode);

void resize_and_crop(benchmark::State& state, Interpolation interpolation) {
  const Picture picture = photo();
  PreprocessingRecipe recipe = imagenet();
  recipe.interpolation = interpolation;
  const Image image = image_of(picture);
  for (auto _ : state) benchmark::DoNotOptimize(fit_image(image, recipe, "x"));
}
BENCHMARK_CAPTURE(resize_and_crop, bilinear, Interpolation::kBilinear);
BENCHMARK_CAPTURE(resize_and_crop, bicubic, Interpolation::kBicubic);

/// Everything from the file's bytes to the cropped pixels, in as many threads. 300 images a second
/// in two threads are asked for.
void jpeg_to_224(benchmark::State& state) {
  static const std::vector<std::byte> file = encode_jpeg(photo(), 85);
  const PreprocessingRecipe recipe = imagenet();
  for (auto _ : state) {
    const Picture picture = decode_picture(file, "bench.jpg");
    benchmark::DoNotOptimize(fit_image(image_of(picture), recipe, "x"));
  }
  state.counters["images_per_s"] =
      benchmark::Counter(1, benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(jpeg_to_224)->Threads(1)->Threads(2)->UseRealTime();

}  // namespace
}  // namespace hedge
