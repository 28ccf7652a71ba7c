// SPDX-License-Identifier: Apache-2.0
#include "data/contact_sheet.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "data/resample.h"

namespace hedge {
namespace {

constexpr int kSmallestEdge = 96;  ///< Of an image on the sheet, so that one of CIFAR-10 is seen.
constexpr int kLargestEdge = 256;
constexpr int kGap = 6;
constexpr std::uint8_t kGround = 64;

}  // namespace

void ContactSheet::add(const Image& image, const Preprocessing& prepare) {
  const std::size_t count = image.pixels.size() / 3;
  std::vector<std::uint8_t> pixels(3 * count);
  const bool planar = image.layout == PixelLayout::kPlanar;
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t c = 0; c < 3; ++c) {
      pixels[3 * i + c] = image.pixels[planar ? c * count + i : 3 * i + c];
    }
  }
  std::vector<float> tensor(3 * count);
  prepare(image, tensor);
  images_.push_back(std::move(pixels));
  tensors_.push_back(std::move(tensor));
}

std::size_t ContactSheet::position(std::size_t pixel, std::size_t c) const {
  const auto count =
      static_cast<std::size_t>(recipe_.height) * static_cast<std::size_t>(recipe_.width);
  return recipe_.layout == TensorLayout::kNchw ? c * count + pixel : 3 * pixel + c;
}

std::array<ChannelStatistics, 3> ContactSheet::statistics() const {
  std::array<ChannelStatistics, 3> result;
  for (std::size_t c = 0; c < 3; ++c) {
    ChannelStatistics& channel = result[c];
    const bool bgr = recipe_.channel_order == ChannelOrder::kBgr;
    channel.color = std::array{"red", "green", "blue"}[bgr ? 2 - c : c];
    channel.min = std::numeric_limits<double>::infinity();
    channel.max = -channel.min;
    double sum = 0;
    double count = 0;
    const auto each = [&](auto function) {
      for (const auto& tensor : tensors_) {
        for (std::size_t i = 0; i < tensor.size() / 3; ++i) {
          function(static_cast<double>(tensor[position(i, c)]));
        }
      }
    };
    each([&](double value) {
      sum += value;
      count += 1;
      channel.min = std::min(channel.min, value);
      channel.max = std::max(channel.max, value);
    });
    channel.mean = sum / count;
    double squares = 0;  // In a second pass: of large values the difference would lose its digits.
    each([&](double value) { squares += (value - channel.mean) * (value - channel.mean); });
    channel.std = std::sqrt(squares / count);
  }
  return result;
}

int ContactSheet::columns() const {
  return static_cast<int>(std::ceil(std::sqrt(2.0 * static_cast<double>(images_.size()))));
}

Picture ContactSheet::draw() const {
  const int longest = std::max(recipe_.height, recipe_.width);
  // Whole factors: every pixel of a small image is to be seen as it is.
  const int factor = std::max(1, (kSmallestEdge + longest - 1) / longest);
  const double shrink = longest > kLargestEdge ? static_cast<double>(kLargestEdge) / longest : 1.0;
  const auto shown = [&](int extent) {
    return std::max(1, static_cast<int>(std::lround(extent * factor * shrink)));
  };
  const int height = shown(recipe_.height);
  const int width = shown(recipe_.width);
  const int across = std::min(columns(), static_cast<int>(images_.size()));
  const int down = (static_cast<int>(images_.size()) + across - 1) / across;
  Picture sheet;
  sheet.width = across * (width + kGap) + kGap;
  sheet.height = down * (2 * height + 2 * kGap) + kGap;
  check_extents(sheet.height, sheet.width, kMostPixels);
  const std::size_t stride = std::size_t{3} * static_cast<std::size_t>(sheet.width);
  sheet.rgb.assign(stride * static_cast<std::size_t>(sheet.height), kGround);

  float least = std::numeric_limits<float>::infinity();
  float greatest = -least;
  for (const auto& tensor : tensors_) {
    const auto [low, high] = std::minmax_element(tensor.begin(), tensor.end());
    least = std::min(least, *low);
    greatest = std::max(greatest, *high);
  }
  const double scale = greatest > least ? 255.0 / (static_cast<double>(greatest) - least) : 0.0;

  std::vector<std::uint8_t> cell(std::size_t{3} * static_cast<std::size_t>(height) *
                                 static_cast<std::size_t>(width));
  const auto place = [&](std::span<const std::uint8_t> pixels, int top, int left) {
    resample(pixels, recipe_.height, recipe_.width, height, width, {0, 0, height, width},
             shrink < 1.0 ? Interpolation::kBilinear : Interpolation::kNearest, cell);
    const std::size_t row = std::size_t{3} * static_cast<std::size_t>(width);
    for (int y = 0; y < height; ++y) {
      std::copy_n(cell.data() + static_cast<std::size_t>(y) * row, row,
                  sheet.rgb.data() + static_cast<std::size_t>(top + y) * stride +
                      std::size_t{3} * static_cast<std::size_t>(left));
    }
  };
  std::vector<std::uint8_t> seen(cell.size());
  for (std::size_t i = 0; i < images_.size(); ++i) {
    const int top = kGap + static_cast<int>(i) / across * (2 * height + 2 * kGap);
    const int left = kGap + static_cast<int>(i) % across * (width + kGap);
    place(images_[i], top, left);
    const auto& tensor = tensors_[i];
    seen.resize(tensor.size());
    for (std::size_t pixel = 0; pixel < tensor.size() / 3; ++pixel) {
      for (std::size_t c = 0; c < 3; ++c) {
        const double value = (static_cast<double>(tensor[position(pixel, c)]) - least) * scale;
        seen[3 * pixel + c] = static_cast<std::uint8_t>(std::lround(value));
      }
    }
    place(seen, top + height, left);
  }
  return sheet;
}

}  // namespace hedge
