// SPDX-License-Identifier: Apache-2.0
#include <csetjmp>
#include <cstdio>
// jpeglib.h uses FILE and size_t without including them.
#include <fmt/format.h>
#include <jerror.h>
#include <jpeglib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <utility>

#include "codecs/formats.h"
#include "hedge/error.h"

namespace hedge {
namespace {

constexpr std::string_view kExifHeader{"Exif\0\0", 6};

/// Every scan of a progressive file costs a pass over the whole picture: a small file could keep us
/// for hours. Encoders write about ten.
constexpr int kMostScans = 200;

/// a * b / 255, rounded as Pillow's MULDIV255 does (src/libImaging/Convert.c).
constexpr unsigned multiply_255(unsigned a, unsigned b) {
  const unsigned product = a * b + 128;
  return ((product >> 8U) + product) >> 8U;
}

class JpegReader {
 public:
  JpegReader(std::span<const std::byte> bytes, std::int64_t most_pixels)
      : bytes_(bytes), most_pixels_(most_pixels) {
    std::memset(&info_, 0, sizeof info_);
    info_.err = jpeg_std_error(&errors_);
    errors_.error_exit = [](j_common_ptr info) { std::longjmp(self(info).jump_, 1); };
    errors_.emit_message = [](j_common_ptr info, int level) { self(info).on_message(level); };
    errors_.output_message = [](j_common_ptr) {};  // Otherwise libjpeg prints.
    progress_.progress_monitor = [](j_common_ptr info) { self(info).on_progress(); };
    info_.client_data = this;
  }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;
  ~JpegReader() { jpeg_destroy_decompress(&info_); }

  Picture read() {
    call([](JpegReader& reader) { reader.read_header(); });
    check_extents(info_.image_height, info_.image_width, most_pixels_);
    const int components = info_.num_components;
    if (components != 1 && components != 3 && components != 4) {
      throw bad_input(fmt::format("a JPEG of {} components; 1, 3 and 4 can be read", components));
    }
    // YCCK becomes CMYK in libjpeg; both are stored inverted by all known encoders.
    info_.out_color_space = components == 4 ? JCS_CMYK : JCS_RGB;
    picture_.height = static_cast<int>(info_.image_height);
    picture_.width = static_cast<int>(info_.image_width);
    picture_.orientation = orientation();
    picture_.rgb.resize(std::size_t{3} * info_.image_height * info_.image_width);
    if (components == 4) row_.resize(std::size_t{4} * info_.image_width);
    call([](JpegReader& reader) { reader.read_rows(); });
    picture_.warning = warning_.data();
    return std::move(picture_);
  }

 private:
  static JpegReader& self(j_common_ptr info) {
    return *static_cast<JpegReader*>(info->client_data);
  }

  /// An error of libjpeg jumps out of `function` back to here; so `function` owns nothing that has
  /// a destructor.
  void call(void (*function)(JpegReader&)) {
    if (setjmp(jump_) == 0) {  // NOLINT(cert-err52-cpp): the only way that libjpeg knows
      function(*this);
      return;
    }
    if (at_end_) {
      throw bad_input(fmt::format("truncated: the file ends at byte {}, before its image data do",
                                  bytes_.size()));
    }
    if (too_many_scans_) throw bad_input(fmt::format("a JPEG of over {} scans", kMostScans));
    std::array<char, JMSG_LENGTH_MAX> text{};
    errors_.format_message(reinterpret_cast<j_common_ptr>(&info_), text.data());
    const std::size_t left = info_.src != nullptr ? info_.src->bytes_in_buffer : 0;
    throw bad_input(fmt::format("no JPEG that can be read: {} (near byte {})", text.data(),
                                bytes_.size() - std::min(left, bytes_.size())));
  }

  void read_header() {
    jpeg_create_decompress(&info_);
    info_.progress = &progress_;
    jpeg_mem_src(&info_, reinterpret_cast<const unsigned char*>(bytes_.data()),
                 static_cast<unsigned long>(bytes_.size()));
    jpeg_save_markers(&info_, JPEG_APP0 + 1, 0xFFFF);
    jpeg_read_header(&info_, TRUE);
  }

  void read_rows() {
    jpeg_start_decompress(&info_);
    const std::size_t stride = std::size_t{3} * info_.output_width;
    while (info_.output_scanline < info_.output_height) {
      std::uint8_t* to = picture_.rgb.data() + stride * info_.output_scanline;
      JSAMPROW row = info_.out_color_space == JCS_CMYK ? row_.data() : to;
      jpeg_read_scanlines(&info_, &row, 1);
      if (info_.out_color_space == JCS_CMYK) from_inverted_cmyk(to);
    }
    jpeg_finish_decompress(&info_);
  }

  /// As Pillow's cmyk2rgb.
  void from_inverted_cmyk(std::uint8_t* to) const {
    for (std::size_t x = 0; x < info_.output_width; ++x) {
      const unsigned light = row_[4 * x + 3];  // 255 less the black
      for (std::size_t c = 0; c < 3; ++c) {
        const unsigned ink = 255U - row_[4 * x + c];
        const unsigned taken = multiply_255(ink, light);
        to[3 * x + c] = static_cast<std::uint8_t>(light > taken ? light - taken : 0U);
      }
    }
  }

  /// Warnings have level -1. libjpeg goes on with grey where data are missing; we do not.
  void on_message(int level) {
    if (level >= 0) return;
    const int code = errors_.msg_code;
    if (code == JWRN_JPEG_EOF) {
      at_end_ = true;
      // A single scan may be whole with only its end marker missing; of several, some are missing.
      if (jpeg_has_multiple_scans(&info_) != FALSE) std::longjmp(jump_, 1);
    } else if (code == JWRN_HIT_MARKER && at_end_) {
      std::longjmp(jump_, 1);
    } else if (warning_[0] == '\0') {
      errors_.format_message(reinterpret_cast<j_common_ptr>(&info_), warning_.data());
    }
  }

  void on_progress() {
    if (info_.input_scan_number > kMostScans) {
      too_many_scans_ = true;
      std::longjmp(jump_, 1);
    }
  }

  [[nodiscard]] int orientation() const {
    for (const jpeg_marker_struct* marker = info_.marker_list; marker != nullptr;
         marker = marker->next) {
      const std::string_view data(reinterpret_cast<const char*>(marker->data), marker->data_length);
      if (marker->marker != JPEG_APP0 + 1 || !data.starts_with(kExifHeader)) continue;
      const auto tiff = data.substr(kExifHeader.size());
      return exif_orientation(std::as_bytes(std::span(tiff.data(), tiff.size())));
    }
    return 1;
  }

  std::span<const std::byte> bytes_;
  std::int64_t most_pixels_;
  jpeg_decompress_struct info_;
  jpeg_error_mgr errors_;
  jpeg_progress_mgr progress_{};
  std::jmp_buf jump_;
  Picture picture_;
  std::vector<std::uint8_t> row_;
  bool at_end_ = false;
  bool too_many_scans_ = false;
  std::array<char, JMSG_LENGTH_MAX> warning_{};
};

}  // namespace

Picture decode_jpeg(std::span<const std::byte> bytes, std::int64_t most_pixels) {
  return JpegReader(bytes, most_pixels).read();
}

}  // namespace hedge
