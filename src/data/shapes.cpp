// SPDX-License-Identifier: Apache-2.0
#include "data/shapes.h"

#include <algorithm>
#include <cstdlib>

#include "base/random.h"

namespace hedge {
namespace {

constexpr int kSide = 32;
constexpr int kUnit = 1024;    ///< Of a shape's own coordinates: its radius.
constexpr int kSubpixel = 16;  ///< Positions on the canvas are in sixteenths of a pixel.

/// Started from seed and index, so that any image can be drawn without those before it.
class Random {
 public:
  Random(std::uint64_t seed, std::uint64_t index) : random_(mix_bits(seed) + mix_bits(~index)) {}
  /// Uniform in low..high, both included.
  int range(int low, int high) {
    const auto span = static_cast<std::uint64_t>(high - low + 1);
    return low + static_cast<int>(((random_.next() >> 32U) * span) >> 32U);
  }
  bool chance(int percent) { return range(1, 100) <= percent; }

 private:
  SplitMix64 random_;
};

/// sin of whole degrees, times 1024: Bhaskara's approximation (7th century), within 0.2 %.
int sine(int degrees) {
  degrees = ((degrees % 360) + 360) % 360;
  const int sign = degrees >= 180 ? -1 : 1;
  const int x = degrees % 180;
  const int product = x * (180 - x);
  return sign * 4 * product * kUnit / (40500 - product);
}

struct Point {
  int x;
  int y;
};

constexpr std::array<Point, 3> kTriangle{{{0, -1024}, {887, 512}, {-887, 512}}};
constexpr std::array<Point, 4> kSquare{{{-790, -790}, {790, -790}, {790, 790}, {-790, 790}}};
constexpr std::array<Point, 6> kHexagon{
    {{1024, 0}, {512, 887}, {-512, 887}, {-1024, 0}, {-512, -887}, {512, -887}}};
constexpr std::array<Point, 10> kStar{{{0, -1024},
                                       {271, -373},
                                       {974, -316},
                                       {438, 142},
                                       {602, 828},
                                       {0, 460},
                                       {-602, 828},
                                       {-438, 142},
                                       {-974, -316},
                                       {-271, -373}}};
constexpr std::array<Point, 12> kCross{{{-320, -1000},
                                        {320, -1000},
                                        {320, -320},
                                        {1000, -320},
                                        {1000, 320},
                                        {320, 320},
                                        {320, 1000},
                                        {-320, 1000},
                                        {-320, 320},
                                        {-1000, 320},
                                        {-1000, -320},
                                        {-320, -320}}};
constexpr std::array<Point, 7> kArrow{
    {{0, -1024}, {780, -120}, {300, -120}, {300, 980}, {-300, 980}, {-300, -120}, {-780, -120}}};

/// Even-odd rule.
bool inside_polygon(std::span<const Point> polygon, Point p) {
  bool inside = false;
  Point a = polygon.back();
  for (const Point b : polygon) {
    if ((a.y > p.y) != (b.y > p.y)) {
      const int cross = (p.x - a.x) * (b.y - a.y) - (b.x - a.x) * (p.y - a.y);
      if ((cross < 0) == (b.y > a.y)) inside = !inside;
    }
    a = b;
  }
  return inside;
}

bool inside_circle(Point p, int center_x, int radius) {
  const int x = p.x - center_x;
  return x * x + p.y * p.y < radius * radius;
}

/// `p` in the shape's own coordinates.
bool inside_shape(int label, Point p) {
  if (std::abs(p.x) > kUnit || std::abs(p.y) > kUnit) return false;
  switch (label) {
    case 0:
      return inside_circle(p, 0, 960);
    case 1:
      return inside_circle(p, 0, kUnit) && !inside_circle(p, 0, 560);
    case 2:
      return inside_polygon(kTriangle, p);
    case 3:
      return inside_polygon(kSquare, p);
    case 4:
      return inside_polygon(kHexagon, p);
    case 5:
      return inside_polygon(kStar, p);
    case 6:
      return inside_polygon(kCross, p);
    case 7:
      return inside_circle(p, 0, kUnit) && !inside_circle(p, 480, 800);
    case 8:
      return inside_polygon(kArrow, p);
    default:
      return inside_circle(p, 0, kUnit) && p.y > -60;
  }
}

using Color = std::array<int, 3>;

Color random_color(Random& random) {
  return {random.range(0, 255), random.range(0, 255), random.range(0, 255)};
}

/// How far apart the eye of a net sees two colours: the sum over the channels.
int contrast(const Color& a, const Color& b) {
  return std::abs(a[0] - b[0]) + std::abs(a[1] - b[1]) + std::abs(a[2] - b[2]);
}

class Canvas {
 public:
  explicit Canvas(Random& random) : random_(random) {}

  /// A gradient with stripes.
  void ground() {
    const Color from = random_color(random_);
    Color to = from;
    for (int& channel : to) channel = std::clamp(channel + random_.range(-70, 70), 0, 255);
    const int angle = random_.range(0, 359);
    const int stripe_angle = random_.range(0, 359);
    const int stripe_period = random_.range(3, 9) * kUnit;
    const int stripe_height = random_.range(0, 36);
    for (int y = 0; y < kSide; ++y) {
      for (int x = 0; x < kSide; ++x) {
        const auto along = [&](int degrees) {
          return (x - kSide / 2) * sine(degrees + 90) + (y - kSide / 2) * sine(degrees);
        };
        const int t = std::clamp(along(angle) / 64 + 256, 0, 512);
        const int phase = (along(stripe_angle) + 64 * stripe_period) % stripe_period;
        const int stripe = 2 * phase < stripe_period ? stripe_height : -stripe_height;
        for (std::size_t c = 0; c < 3; ++c) {
          pixel(x, y)[c] = from[c] + (to[c] - from[c]) * t / 512 + stripe / 2;
        }
      }
    }
    ground_ = {(from[0] + to[0]) / 2, (from[1] + to[1]) / 2, (from[2] + to[2]) / 2};
  }

  /// A straight bar between two random points.
  void bar(int width) {
    const Point a{random_.range(0, kSide - 1), random_.range(0, kSide - 1)};
    const Point b{random_.range(0, kSide - 1), random_.range(0, kSide - 1)};
    const Color color = random_color(random_);
    const int length2 = std::max(1, (b.x - a.x) * (b.x - a.x) + (b.y - a.y) * (b.y - a.y));
    for (int y = 0; y < kSide; ++y) {
      for (int x = 0; x < kSide; ++x) {
        const int along = (x - a.x) * (b.x - a.x) + (y - a.y) * (b.y - a.y);
        const int across = (x - a.x) * (b.y - a.y) - (y - a.y) * (b.x - a.x);
        if (along < 0 || along > length2 || 4 * across * across > width * width * length2) continue;
        pixel(x, y) = color;
      }
    }
  }

  void blob(int radius) {
    const Point center{random_.range(0, kSide - 1), random_.range(0, kSide - 1)};
    const Color color = random_color(random_);
    for (int y = std::max(0, center.y - radius); y <= std::min(kSide - 1, center.y + radius); ++y) {
      for (int x = std::max(0, center.x - radius); x <= std::min(kSide - 1, center.x + radius);
           ++x) {
        const int dx = x - center.x;
        const int dy = y - center.y;
        if (dx * dx + dy * dy <= radius * radius) pixel(x, y) = color;
      }
    }
  }

  void shape(int label) {
    const int radius = random_.range(5 * kSubpixel, 11 * kSubpixel);
    const int room =
        radius * 3 / 4;  // A shape may hang over the border by a quarter of its radius.
    const Point center{random_.range(room, kSide * kSubpixel - room),
                       random_.range(room, kSide * kSubpixel - room)};
    const int angle = random_.range(0, 359);
    const int stretch = random_.range(820, 1220);
    Color color = random_color(random_);
    for (int i = 0; i < 20 && contrast(color, ground_) < 70; ++i) color = random_color(random_);
    const int cosine = sine(angle + 90);
    const int sine_value = sine(angle);
    for (int y = 0; y < kSide; ++y) {
      for (int x = 0; x < kSide; ++x) {
        int covered = 0;  // Of four points in the pixel.
        for (int sample = 0; sample < 4; ++sample) {
          const int dx = x * kSubpixel + (sample % 2) * 8 + 4 - center.x;
          const int dy = y * kSubpixel + (sample / 2) * 8 + 4 - center.y;
          if (std::abs(dx) + std::abs(dy) > 2 * radius) continue;
          const int u = (dx * cosine + dy * sine_value) / radius;
          const int v = (dy * cosine - dx * sine_value) / radius;
          covered += inside_shape(label, {u * stretch / kUnit, v * kUnit / stretch}) ? 1 : 0;
        }
        if (covered == 0) continue;
        for (std::size_t c = 0; c < 3; ++c) {
          int& value = pixel(x, y)[c];
          value += (color[c] - value) * covered / 4;
        }
      }
    }
  }

  void noise(int amplitude) {
    for (Color& color : pixels_) {
      for (int& channel : color) {
        channel += random_.range(-amplitude, amplitude) + random_.range(-amplitude, amplitude);
      }
    }
  }

  void store(std::span<std::uint8_t> planes) const {
    for (std::size_t i = 0; i < pixels_.size(); ++i) {
      for (std::size_t c = 0; c < 3; ++c) {
        planes[c * pixels_.size() + i] =
            static_cast<std::uint8_t>(std::clamp(pixels_[i][c], 0, 255));
      }
    }
  }

 private:
  Color& pixel(int x, int y) { return pixels_[static_cast<std::size_t>(y * kSide + x)]; }

  Random& random_;
  Color ground_{};
  std::array<Color, static_cast<std::size_t>(kSide* kSide)> pixels_{};
};

}  // namespace

void render_shapes_record(std::uint64_t seed, std::uint64_t index,
                          std::span<std::uint8_t, kCifarRecordBytes> record) {
  Random random(seed, index);
  const int label = static_cast<int>(index % kShapesClassNames.size());
  Canvas canvas(random);
  canvas.ground();
  for (int i = random.range(1, 4); i > 0; --i) {
    random.chance(50) ? canvas.bar(random.range(1, 3)) : canvas.blob(random.range(1, 3));
  }
  canvas.shape(label);
  for (int i = random.range(1, 4); i > 0; --i) canvas.bar(random.range(1, 3));
  for (int i = random.range(0, 3); i > 0; --i) canvas.blob(random.range(1, 3));
  canvas.noise(random.range(4, 36));
  record[0] = static_cast<std::uint8_t>(label);
  canvas.store(record.subspan<1>());
}

}  // namespace hedge
