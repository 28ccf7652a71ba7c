// SPDX-License-Identifier: Apache-2.0
#include "data/resample.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace hedge {
namespace {

constexpr int kPrecisionBits = 32 - 8 - 2;  // Pillow: 8 bits of result, 2 of headroom.
constexpr std::size_t kChannels = 3;

struct Filter {
  double support;
  double (*weight)(double);
};

double bilinear(double x) {
  x = std::abs(x);
  return x < 1.0 ? 1.0 - x : 0.0;
}

/// Keys' cubic with a = -0.5, in the order of operations of Pillow's bicubic_filter.
double bicubic(double x) {
  constexpr double kA = -0.5;
  x = std::abs(x);
  if (x < 1.0) return ((kA + 2.0) * x - (kA + 3.0)) * x * x + 1;
  if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * kA;
  return 0.0;
}

/// For each new pixel of a line: which old ones count, and by how much.
struct Coefficients {
  struct Span {
    int first = 0;
    int count = 0;
  };
  std::vector<Span> spans;
  std::vector<std::int32_t> weights;  ///< `stride` for each new pixel.
  std::size_t stride = 0;

  [[nodiscard]] const std::int32_t* of(std::size_t pixel) const {
    return weights.data() + pixel * stride;
  }
};

/// Pillow's precompute_coeffs and normalize_coeffs_8bpc for new pixels `begin` to `begin + count`.
Coefficients coefficients(int size, int new_size, int begin, int count, const Filter& filter) {
  const double scale = static_cast<double>(size) / new_size;
  const double stretch = std::max(scale, 1.0);
  const double support = filter.support * stretch;
  Coefficients result;
  result.stride = static_cast<std::size_t>(std::ceil(support)) * 2 + 1;
  result.spans.resize(static_cast<std::size_t>(count));
  result.weights.resize(result.stride * result.spans.size());
  std::vector<double> exact(result.stride);
  for (int i = 0; i < count; ++i) {
    const double center = (begin + i + 0.5) * scale;
    const int first = std::max(0, static_cast<int>(center - support + 0.5));
    const int last = std::min(size, static_cast<int>(center + support + 0.5));
    double sum = 0;
    for (int k = 0; k < last - first; ++k) {
      const double weight = filter.weight((k + first - center + 0.5) * (1.0 / stretch));
      exact[static_cast<std::size_t>(k)] = weight;
      sum += weight;
    }
    result.spans[static_cast<std::size_t>(i)] = {first, last - first};
    std::int32_t* weights = result.weights.data() + static_cast<std::size_t>(i) * result.stride;
    for (int k = 0; k < last - first; ++k) {
      double weight = exact[static_cast<std::size_t>(k)];
      if (sum != 0.0) weight /= sum;
      weights[k] =
          static_cast<std::int32_t>((weight < 0 ? -0.5 : 0.5) + weight * (1 << kPrecisionBits));
    }
  }
  return result;
}

std::uint8_t clip(std::int32_t sum) {
  return static_cast<std::uint8_t>(std::clamp(sum >> kPrecisionBits, 0, 255));
}

constexpr std::int32_t kHalf = 1 << (kPrecisionBits - 1);

void horizontal(const std::uint8_t* row, const Coefficients& columns, std::uint8_t* out) {
  for (std::size_t x = 0; x < columns.spans.size(); ++x) {
    const auto [first, count] = columns.spans[x];
    const std::int32_t* weights = columns.of(x);
    const std::uint8_t* from = row + kChannels * static_cast<std::size_t>(first);
    std::int32_t red = kHalf;
    std::int32_t green = kHalf;
    std::int32_t blue = kHalf;
    for (int k = 0; k < count; ++k, from += kChannels) {
      red += from[0] * weights[k];
      green += from[1] * weights[k];
      blue += from[2] * weights[k];
    }
    out[kChannels * x] = clip(red);
    out[kChannels * x + 1] = clip(green);
    out[kChannels * x + 2] = clip(blue);
  }
}

/// Tap by tap over a whole row, which compilers turn into vectors. `sums` is scratch of a row.
void vertical(const std::uint8_t* rows, std::size_t stride, Coefficients::Span span,
              const std::int32_t* weights, std::vector<std::int32_t>& sums, std::uint8_t* out) {
  std::fill(sums.begin(), sums.end(), kHalf);
  std::int32_t* sum = sums.data();
  for (int k = 0; k < span.count; ++k) {
    const std::uint8_t* row = rows + static_cast<std::size_t>(k) * stride;
    const std::int32_t weight = weights[k];
    for (std::size_t i = 0; i < stride; ++i) sum[i] += row[i] * weight;
  }
  for (std::size_t i = 0; i < stride; ++i) out[i] = clip(sum[i]);
}

/// A part of a picture, `width` pixels wide, whose first row is row `top` of the whole.
struct Rows {
  const std::uint8_t* pixels;
  std::size_t width;
  int top;

  [[nodiscard]] const std::uint8_t* row(int y) const {
    return pixels + kChannels * width * static_cast<std::size_t>(y - top);
  }
};

/// Rows `first` to `last`, each made `columns` long.
void pass_horizontal(const Rows& from, int first, int last, const Coefficients& columns,
                     std::uint8_t* out) {
  const std::size_t stride = kChannels * columns.spans.size();
  for (int y = first; y < last; ++y, out += stride) horizontal(from.row(y), columns, out);
}

void pass_vertical(const Rows& from, const Coefficients& rows, std::uint8_t* out) {
  const std::size_t stride = kChannels * from.width;
  std::vector<std::int32_t> sums(stride);
  for (std::size_t y = 0; y < rows.spans.size(); ++y, out += stride) {
    vertical(from.row(rows.spans[y].first), stride, rows.spans[y], rows.of(y), sums, out);
  }
}

void convolve(std::span<const std::uint8_t> rgb, int height, int width, int new_height,
              int new_width, const PictureWindow& window, const Filter& filter,
              std::span<std::uint8_t> out) {
  // A side that keeps its extent gets weights of 1 and 0, which change nothing: leaving its pass
  // out, as Pillow does, comes to the same.
  const Coefficients rows = coefficients(height, new_height, window.top, window.height, filter);
  const Coefficients columns = coefficients(width, new_width, window.left, window.width, filter);
  const Rows whole{rgb.data(), static_cast<std::size_t>(width), 0};
  // The order of the passes shows in the rounding between them. Pillow 13 begins with the vertical
  // one where the height shrinks by more than twice what the width does; older ones never do.
  const int shorter = height - new_height;
  if (shorter > 0 && shorter > 2 * (width - new_width)) {
    std::vector<std::uint8_t> between(kChannels * whole.width * rows.spans.size());
    pass_vertical(whole, rows, between.data());
    pass_horizontal({between.data(), whole.width, 0}, 0, window.height, columns, out.data());
    return;
  }
  const int first = rows.spans.front().first;
  const int last = rows.spans.back().first + rows.spans.back().count;
  std::vector<std::uint8_t> between(kChannels * columns.spans.size() *
                                    static_cast<std::size_t>(last - first));
  pass_horizontal(whole, first, last, columns, between.data());
  pass_vertical({between.data(), columns.spans.size(), first}, rows, out.data());
}

/// Where the new pixels of a line come from. Added up step by step as Pillow's ImagingScaleAffine
/// does: its rounding errors are part of the result.
std::vector<std::size_t> nearest_positions(int size, int new_size, int begin, int count) {
  const double scale = static_cast<double>(size) / new_size;
  std::vector<std::size_t> positions;
  positions.reserve(static_cast<std::size_t>(count));
  double at = scale * 0.5;
  for (int i = 0; i < begin + count; ++i, at += scale) {
    if (i >= begin)
      positions.push_back(static_cast<std::size_t>(std::min(static_cast<int>(at), size - 1)));
  }
  return positions;
}

void take_nearest(std::span<const std::uint8_t> rgb, int height, int width, int new_height,
                  int new_width, const PictureWindow& window, std::span<std::uint8_t> out) {
  const auto rows = nearest_positions(height, new_height, window.top, window.height);
  const auto columns = nearest_positions(width, new_width, window.left, window.width);
  std::uint8_t* to = out.data();
  for (const std::size_t y : rows) {
    for (const std::size_t x : columns) {
      const std::uint8_t* from = rgb.data() + kChannels * (y * static_cast<std::size_t>(width) + x);
      to = std::copy_n(from, kChannels, to);
    }
  }
}

}  // namespace

void resample(std::span<const std::uint8_t> rgb, int height, int width, int new_height,
              int new_width, const PictureWindow& window, Interpolation interpolation,
              std::span<std::uint8_t> out) {
  switch (interpolation) {
    case Interpolation::kNearest:
      take_nearest(rgb, height, width, new_height, new_width, window, out);
      return;
    case Interpolation::kBilinear:
      convolve(rgb, height, width, new_height, new_width, window, {1.0, bilinear}, out);
      return;
    case Interpolation::kBicubic:
      convolve(rgb, height, width, new_height, new_width, window, {2.0, bicubic}, out);
      return;
  }
}

}  // namespace hedge
