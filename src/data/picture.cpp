// SPDX-License-Identifier: Apache-2.0
#include "data/picture.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "base/module.h"
#include "base/naming.h"
#include "base/text.h"
#include "data/codecs.h"
#include "hedge/error.h"

namespace hedge {
namespace {

/// The module stays open once it is; a failure to open it is tried again.
const Module& codecs() {
  static const std::shared_ptr<const Module> module = Module::load("codecs");
  return *module;
}

bool begins_with(std::span<const std::byte> bytes, std::string_view magic) {
  return bytes.size() >= magic.size() && std::memcmp(bytes.data(), magic.data(), magic.size()) == 0;
}

Picture decode_any(std::span<const std::byte> bytes, std::int64_t most_pixels) {
  Picture picture;
  if (begins_with(bytes, "\xff\xd8\xff")) {
    static const auto decode = codecs().function<decltype(hedge_decode_jpeg)>("hedge_decode_jpeg");
    decode(bytes.data(), bytes.size(), most_pixels, &picture);
    return picture;
  }
  if (begins_with(bytes, "\x89PNG\r\n\x1a\n")) {
    static const auto decode = codecs().function<decltype(hedge_decode_png)>("hedge_decode_png");
    decode(bytes.data(), bytes.size(), most_pixels, &picture);
    return picture;
  }
  if (begins_with(bytes, "BM")) return decode_bmp(bytes, most_pixels);
  if (begins_with(bytes, "P")) return decode_pnm(bytes, most_pixels);
  if (bytes.empty()) throw bad_input("empty; an image is needed");
  throw bad_input("no image that can be read; JPEG, PNG, BMP, PPM and PGM can");
}

std::uint32_t tiff_number(std::span<const std::byte> bytes, std::size_t size, bool big_endian) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < size; ++i) {
    const auto byte = std::to_integer<std::uint32_t>(bytes[big_endian ? i : size - 1 - i]);
    value = value << 8U | byte;
  }
  return value;
}

}  // namespace

Picture decode_picture(std::span<const std::byte> bytes, const std::string& name,
                       const DecodeOptions& options) {
  Picture picture = naming(name, [&] { return decode_any(bytes, options.most_pixels); });
  if (!picture.warning.empty()) {
    log(LogLevel::kWarning, fmt::format("{}: {}; read all the same", name, picture.warning));
  }
  return options.upright ? turned_upright(std::move(picture)) : picture;
}

Picture read_picture(const std::filesystem::path& path, const DecodeOptions& options) {
  return decode_picture(MappedFile::open(path)->bytes(), path.string(), options);
}

bool is_picture_name(const std::filesystem::path& path) {
  constexpr std::array<std::string_view, 7> kExtensions{".jpg", ".jpeg", ".png", ".bmp",
                                                        ".ppm", ".pgm",  ".pnm"};
  const std::string extension = to_lower(path.extension().string());
  return std::find(kExtensions.begin(), kExtensions.end(), extension) != kExtensions.end();
}

void write_png(const std::filesystem::path& path, const Picture& picture) {
  static const auto encode = codecs().function<decltype(hedge_encode_png)>("hedge_encode_png");
  std::vector<std::byte> bytes;
  encode(&picture, &bytes);
  write_file(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

void check_extents(std::int64_t height, std::int64_t width, std::int64_t most_pixels) {
  // In this order the product cannot overflow.
  if (height < 1 || width < 1 || height > most_pixels || width > most_pixels / height) {
    throw bad_input(fmt::format("{} x {} pixels (width x height); 1 to {} in all can be read",
                                width, height, most_pixels));
  }
}

int exif_orientation(std::span<const std::byte> tiff) noexcept {
  constexpr std::size_t kHeader = 8;
  constexpr std::size_t kEntry = 12;
  constexpr std::uint32_t kOrientation = 0x0112;
  constexpr std::uint32_t kShort = 3;
  if (tiff.size() < kHeader) return 1;
  const bool big = begins_with(tiff, "MM");
  if (!big && !begins_with(tiff, "II")) return 1;
  const std::size_t directory = tiff_number(tiff.subspan(4), 4, big);
  if (directory > tiff.size() || tiff.size() - directory < 2) return 1;
  const std::size_t count = tiff_number(tiff.subspan(directory), 2, big);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = directory + 2 + i * kEntry;
    if (at + kEntry > tiff.size()) return 1;
    if (tiff_number(tiff.subspan(at), 2, big) != kOrientation) continue;
    if (tiff_number(tiff.subspan(at + 2), 2, big) != kShort) return 1;
    const auto value = static_cast<int>(tiff_number(tiff.subspan(at + 8), 2, big));
    return value >= 1 && value <= 8 ? value : 1;
  }
  return 1;
}

Picture turned_upright(Picture picture) {
  if (picture.orientation <= 1 || picture.orientation > 8) {
    picture.orientation = 1;
    return picture;
  }
  // 2 mirrored, 3 upside down, 4 both; 5 to 8 are those of 1 to 4 with rows and columns exchanged
  // (Exif 2.32, 4.6.4, tag 0112: where row 0 and column 0 of the file are seen).
  const bool exchange = picture.orientation >= 5;
  const bool from_right = picture.orientation == 2 || picture.orientation == 3 ||
                          picture.orientation == 7 || picture.orientation == 8;
  const bool from_bottom = picture.orientation == 3 || picture.orientation == 4 ||
                           picture.orientation == 6 || picture.orientation == 7;
  const auto height = static_cast<std::size_t>(picture.height);
  const auto width = static_cast<std::size_t>(picture.width);
  Picture turned;
  turned.height = exchange ? picture.width : picture.height;
  turned.width = exchange ? picture.height : picture.width;
  turned.warning = std::move(picture.warning);
  turned.rgb.resize(picture.rgb.size());
  std::uint8_t* to = turned.rgb.data();
  for (std::size_t y = 0; y < static_cast<std::size_t>(turned.height); ++y) {
    for (std::size_t x = 0; x < static_cast<std::size_t>(turned.width); ++x, to += 3) {
      const std::size_t row = exchange ? x : y;
      const std::size_t column = exchange ? y : x;
      const std::size_t at = (from_bottom ? height - 1 - row : row) * width +
                             (from_right ? width - 1 - column : column);
      std::memcpy(to, picture.rgb.data() + 3 * at, 3);
    }
  }
  return turned;
}

}  // namespace hedge
