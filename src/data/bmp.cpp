// SPDX-License-Identifier: Apache-2.0
// Windows bitmaps: 1, 4 and 8 bits with a palette, 16, 24 and 32 bits, uncompressed
// (https://learn.microsoft.com/en-us/windows/win32/gdi/bitmap-storage).
#include <fmt/format.h>

#include <array>
#include <bit>
#include <cstdint>

#include "data/picture.h"
#include "hedge/error.h"

namespace hedge {
namespace {

constexpr std::size_t kFileHeader = 14;
constexpr std::size_t kCoreHeader = 12;  // OS/2 and Windows 2
constexpr std::size_t kInfoHeader = 40;
constexpr std::uint32_t kRgb = 0;
constexpr std::uint32_t kBitFields = 3;
constexpr std::uint32_t kAlphaBitFields = 6;

/// One colour inside a pixel of 16 or 32 bits.
struct Field {
  unsigned shift = 0;
  std::uint32_t maximum = 0;

  static Field of(std::uint32_t mask) {
    if (mask == 0) return {};
    const auto shift = static_cast<unsigned>(std::countr_zero(mask));
    return {shift, mask >> shift};
  }
  /// Zero-based mask of up to 8 bits to 0..255, rounded down as Pillow does.
  [[nodiscard]] std::uint8_t value(std::uint32_t pixel) const {
    const std::uint64_t bits = (pixel >> shift) & maximum;
    return maximum == 0 ? 0 : static_cast<std::uint8_t>(bits * 255 / maximum);
  }
};

class BmpReader {
 public:
  explicit BmpReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  Picture read(std::int64_t most_pixels) {
    read_header();
    check_extents(height_, width_, most_pixels);
    const std::uint64_t stride = (static_cast<std::uint64_t>(width_) * bits_ + 31) / 32 * 4;
    const std::uint64_t needed = stride * static_cast<std::uint64_t>(height_);
    if (pixels_at_ > bytes_.size() || bytes_.size() - pixels_at_ < needed) {
      throw bad_input(
          fmt::format("truncated: {} x {} pixels take {} bytes from byte {} on, the "
                      "file ends at byte {}",
                      width_, height_, needed, pixels_at_, bytes_.size()));
    }
    Picture picture;
    picture.height = static_cast<int>(height_);
    picture.width = static_cast<int>(width_);
    picture.rgb.resize(static_cast<std::size_t>(3 * height_ * width_));
    for (std::int64_t y = 0; y < height_; ++y) {
      const std::int64_t line = top_down_ ? y : height_ - 1 - y;
      row(pixels_at_ + static_cast<std::size_t>(line) * static_cast<std::size_t>(stride),
          picture.rgb.data() + 3 * y * width_);
    }
    return picture;
  }

 private:
  std::uint32_t number(std::size_t at, std::size_t size) const {
    if (at + size > bytes_.size()) {
      throw bad_input(fmt::format("truncated: the header ends at byte {}", bytes_.size()));
    }
    std::uint32_t value = 0;
    for (std::size_t i = size; i-- > 0;) {
      value = value << 8U | std::to_integer<std::uint32_t>(bytes_[at + i]);
    }
    return value;
  }

  void read_header() {
    pixels_at_ = number(10, 4);
    const std::size_t header = number(kFileHeader, 4);
    if (header == kCoreHeader) {
      width_ = number(18, 2);
      height_ = number(20, 2);
      bits_ = number(24, 2);
    } else if (header >= kInfoHeader && header <= 124) {
      width_ = static_cast<std::int32_t>(number(18, 4));
      height_ = static_cast<std::int32_t>(number(22, 4));
      bits_ = number(28, 2);
      compression_ = number(30, 4);
      if (height_ < 0) {
        top_down_ = true;
        height_ = -height_;
      }
    } else {
      throw bad_input(
          fmt::format("a BMP whose header has {} bytes; 12 and 40 to 124 are known", header));
    }
    const bool fields = compression_ == kBitFields || compression_ == kAlphaBitFields;
    if (compression_ != kRgb && !(fields && (bits_ == 16 || bits_ == 32))) {
      throw bad_input(fmt::format(
          "a BMP of compression {} with {} bits a pixel; only uncompressed ones can be read",
          compression_, bits_));
    }
    if (bits_ <= 8) {
      read_palette(header);
    } else if (bits_ == 16 || bits_ == 32) {
      read_masks(fields);
    } else if (bits_ != 24) {
      throw bad_input(
          fmt::format("a BMP of {} bits a pixel; 1, 4, 8, 16, 24 and 32 are known", bits_));
    }
  }

  void read_palette(std::size_t header) {
    if (bits_ != 1 && bits_ != 4 && bits_ != 8) {
      throw bad_input(
          fmt::format("a BMP of {} bits a pixel; 1, 4, 8, 16, 24 and 32 are known", bits_));
    }
    const std::size_t entry = header == kCoreHeader ? 3 : 4;
    std::size_t colors = header == kCoreHeader ? 0 : number(46, 4);
    if (colors == 0) colors = std::size_t{1} << bits_;
    if (colors > palette_.size()) throw bad_input(fmt::format("a palette of {} colours", colors));
    for (std::size_t i = 0; i < colors; ++i) {
      const std::size_t at = kFileHeader + header + i * entry;
      for (std::size_t c = 0; c < 3; ++c) {
        palette_[i][c] = static_cast<std::uint8_t>(number(at + 2 - c, 1));
      }
    }
  }

  void read_masks(bool stated) {
    // Without masks: 5 bits each, or a byte each.
    std::array<std::uint32_t, 3> masks{0xFF0000, 0xFF00, 0xFF};
    if (bits_ == 16) masks = {0x7C00, 0x3E0, 0x1F};
    for (std::size_t c = 0; c < 3; ++c) {
      // In the longer headers they are the fields that follow the first 40 bytes: the same place.
      if (stated) masks[c] = number(kFileHeader + kInfoHeader + 4 * c, 4);
      fields_[c] = Field::of(masks[c]);
      if (fields_[c].maximum == 0 || fields_[c].maximum > 255 ||
          (fields_[c].maximum & (fields_[c].maximum + 1)) != 0) {
        throw bad_input(
            fmt::format("a BMP with the colour mask {:#x}; a colour has 1 to 8 bits in "
                        "a row",
                        masks[c]));
      }
    }
  }

  void row(std::size_t at, std::uint8_t* to) const {
    for (std::int64_t x = 0; x < width_; ++x, to += 3) {
      const auto column = static_cast<std::size_t>(x);
      if (bits_ == 24) {
        for (std::size_t c = 0; c < 3; ++c) to[c] = byte(at + 3 * column + 2 - c);
      } else if (bits_ <= 8) {
        const std::size_t in_byte = 8 / bits_;
        const unsigned shift = static_cast<unsigned>((in_byte - 1 - column % in_byte) * bits_);
        const std::size_t index =
            (std::size_t{byte(at + column / in_byte)} >> shift) & ((std::size_t{1} << bits_) - 1);
        for (std::size_t c = 0; c < 3; ++c) to[c] = palette_[index][c];
      } else {
        const std::uint32_t pixel = number(at + column * (bits_ / 8), bits_ / 8);
        for (std::size_t c = 0; c < 3; ++c) to[c] = fields_[c].value(pixel);
      }
    }
  }

  [[nodiscard]] std::uint8_t byte(std::size_t at) const {
    return std::to_integer<std::uint8_t>(bytes_[at]);
  }

  std::span<const std::byte> bytes_;
  std::int64_t width_ = 0;
  std::int64_t height_ = 0;
  bool top_down_ = false;
  std::uint32_t bits_ = 0;
  std::uint32_t compression_ = kRgb;
  std::size_t pixels_at_ = 0;
  std::array<std::array<std::uint8_t, 3>, 256> palette_{};
  std::array<Field, 3> fields_{};
};

}  // namespace

Picture decode_bmp(std::span<const std::byte> bytes, std::int64_t most_pixels) {
  return BmpReader(bytes).read(most_pixels);
}

}  // namespace hedge
