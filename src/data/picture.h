// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hedge {

/// A decoded picture, RGB, 8 bits a channel, interleaved.
struct Picture {
  std::vector<std::uint8_t> rgb;
  int height = 0;
  int width = 0;
  int orientation = 1;  ///< EXIF's, 1 to 8; 1 is upright.
  std::string warning;  ///< Of the decoder, where the file is damaged and was read all the same.
};

/// Above it a picture is refused: 300 MB of pixels. 20,000 x 5,000 are let through.
inline constexpr std::int64_t kMostPixels = 100'000'000;

struct DecodeOptions {
  bool upright = true;  ///< Turn as EXIF's orientation says.
  std::int64_t most_pixels = kMostPixels;
};

/// JPEG, PNG, BMP, PPM or PGM, told by the first bytes; the pixels are those that Pillow's
/// `Image.open(...).convert("RGB")` gives, but of 16 bits a grey image has the upper 8, too, where
/// Pillow makes 255 of all above it. Transparency is dropped.
/// `name` is for messages. Throws bad_input in one line that begins with the name: another format,
/// truncated (with the offset), damaged, more than `most_pixels`. A warning goes to the log.
[[nodiscard]] Picture decode_picture(std::span<const std::byte> bytes, const std::string& name,
                                     const DecodeOptions& options = {});
/// The same for a file.
[[nodiscard]] Picture read_picture(const std::filesystem::path& path,
                                   const DecodeOptions& options = {});

/// Whether the name ends as one of a picture that decode_picture takes (.jpg, .jpeg, .png, .bmp,
/// .ppm, .pgm, .pnm; upper case too).
[[nodiscard]] bool is_picture_name(const std::filesystem::path& path);

/// Writes a PNG, aside, then renamed. Throws runtime_failure.
void write_png(const std::filesystem::path& path, const Picture& picture);

/// Throws bad_input, without a name in front, for an extent below 1 or too many pixels. All
/// decoders call it before they allocate.
void check_extents(std::int64_t height, std::int64_t width, std::int64_t most_pixels);

/// EXIF's orientation from its TIFF structure (behind "Exif\0\0"); 1 where there is none or the
/// bytes are damaged, as viewers do.
[[nodiscard]] int exif_orientation(std::span<const std::byte> tiff) noexcept;

/// Turns and mirrors as `picture.orientation` says, which becomes 1.
[[nodiscard]] Picture turned_upright(Picture picture);

// The formats that need no library. Throw bad_input without a name in front.
[[nodiscard]] Picture decode_bmp(std::span<const std::byte> bytes, std::int64_t most_pixels);
[[nodiscard]] Picture decode_pnm(std::span<const std::byte> bytes, std::int64_t most_pixels);

}  // namespace hedge
