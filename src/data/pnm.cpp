// SPDX-License-Identifier: Apache-2.0
// PPM and PGM (https://netpbm.sourceforge.net/doc/ppm.html, pgm.html), plain and raw.
#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <limits>

#include "data/picture.h"
#include "hedge/error.h"

namespace hedge {
namespace {

constexpr std::uint32_t kMostMaximum = 65535;

class PnmReader {
 public:
  explicit PnmReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  Picture read(std::int64_t most_pixels) {
    const char kind = bytes_.size() > 1 ? static_cast<char>(bytes_[1]) : '?';
    if (kind != '2' && kind != '3' && kind != '5' && kind != '6') {
      throw bad_input(
          "no image that can be read; JPEG, PNG, BMP, PPM (P3, P6) and PGM (P2, P5) can");
    }
    at_ = 2;
    Picture picture;
    const std::uint32_t width = number("the width");
    const std::uint32_t height = number("the height");
    maximum_ = number("the largest value");
    check_extents(height, width, most_pixels);
    if (maximum_ < 1 || maximum_ > kMostMaximum) {
      throw bad_input(
          fmt::format("the largest value is {}; 1 to {} are known", maximum_, kMostMaximum));
    }
    const bool plain = kind == '2' || kind == '3';
    const std::size_t channels = kind == '3' || kind == '6' ? 3 : 1;
    if (!plain) ++at_;  // A single blank ends the header.
    const std::size_t samples = channels * width * height;
    // Each sample takes a byte at least: what cannot be there is not allocated.
    const std::size_t least = samples * (!plain && maximum_ > 255 ? 2 : 1);
    if (at_ > bytes_.size() || bytes_.size() - at_ < least) {
      throw bad_input(
          fmt::format("truncated: {} x {} pixels take {} bytes from byte {} on, the "
                      "file ends at byte {}",
                      width, height, least, at_, bytes_.size()));
    }
    picture.height = static_cast<int>(height);
    picture.width = static_cast<int>(width);
    picture.rgb.resize(std::size_t{3} * width * height);
    std::uint8_t* to = picture.rgb.data();
    for (std::size_t i = 0; i < samples; ++i) {
      const std::uint8_t value = scaled(plain ? number("a pixel") : raw());
      *to++ = value;
      if (channels == 1) {
        *to++ = value;
        *to++ = value;
      }
    }
    return picture;
  }

 private:
  [[nodiscard]] int peek() const {
    return at_ < bytes_.size() ? std::to_integer<int>(bytes_[at_]) : -1;
  }

  /// Blanks and comments go before a number, a blank or the end behind it.
  std::uint32_t number(const char* what) {
    const auto blank = [](int c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
    while (blank(peek()) || peek() == '#') {
      if (peek() == '#') {
        while (peek() != '\n' && peek() != '\r' && peek() >= 0) ++at_;
      } else {
        ++at_;
      }
    }
    const std::size_t begin = at_;
    std::uint64_t value = 0;
    for (; peek() >= '0' && peek() <= '9'; ++at_) {
      value = value * 10 + static_cast<std::uint64_t>(peek() - '0');
      if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int32_t>::max())) {
        throw bad_input(fmt::format("{} at byte {} is too large", what, begin));
      }
    }
    if (at_ == begin && peek() < 0) {
      throw bad_input(fmt::format("truncated: the file ends at byte {}, before {}", at_, what));
    }
    if (at_ == begin || (peek() >= 0 && !blank(peek()) && peek() != '#')) {
      throw bad_input(fmt::format("{} at byte {} is no number", what, begin));
    }
    return static_cast<std::uint32_t>(value);
  }

  std::uint32_t raw() {
    std::uint32_t value = std::to_integer<std::uint32_t>(bytes_[at_++]);
    if (maximum_ > 255) value = value << 8U | std::to_integer<std::uint32_t>(bytes_[at_++]);
    return value;
  }

  [[nodiscard]] std::uint8_t scaled(std::uint32_t value) const {
    if (value >= maximum_) return 255;
    // As Pillow rounds: halves to the even number.
    return static_cast<std::uint8_t>(std::nearbyint(static_cast<double>(value) / maximum_ * 255));
  }

  std::span<const std::byte> bytes_;
  std::size_t at_ = 0;
  std::uint32_t maximum_ = 255;
};

}  // namespace

Picture decode_pnm(std::span<const std::byte> bytes, std::int64_t most_pixels) {
  return PnmReader(bytes).read(most_pixels);
}

}  // namespace hedge
