// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <png.h>

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstring>
#include <utility>

#include "codecs/formats.h"
#include "hedge/error.h"

namespace hedge {
namespace {

/// What reading and writing share: libpng's two structures and the way back from its errors.
class PngBase {
 public:
  PngBase(const PngBase&) = delete;
  PngBase& operator=(const PngBase&) = delete;

 protected:
  PngBase() = default;
  ~PngBase() = default;

  [[noreturn]] static void on_error(png_structp png, png_const_charp message) {
    auto& self = *static_cast<PngBase*>(png_get_error_ptr(png));
    std::strncpy(self.message_.data(), message, self.message_.size() - 1);
    std::longjmp(self.jump_, 1);
  }
  static void on_warning(png_structp /*png*/, png_const_charp /*message*/) {}

  /// An error of libpng jumps out of `function` back to here; so `function` owns nothing that has a
  /// destructor.
  template <class Self>
  bool call(Self& self, void (*function)(Self&)) {
    if (setjmp(jump_) != 0) return false;  // NOLINT(cert-err52-cpp): the only way libpng knows
    function(self);
    return true;
  }

  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  std::jmp_buf jump_{};
  std::array<char, 200> message_{};
};

class PngReader : private PngBase {
 public:
  PngReader(std::span<const std::byte> bytes, std::int64_t most_pixels)
      : bytes_(bytes), most_pixels_(most_pixels) {}
  ~PngReader() { png_destroy_read_struct(&png_, &info_, nullptr); }

  Picture read() {
    guarded([](PngReader& reader) { reader.read_header(); });
    const std::size_t height = png_get_image_height(png_, info_);
    const std::size_t width = png_get_image_width(png_, info_);
    check_extents(static_cast<std::int64_t>(height), static_cast<std::int64_t>(width),
                  most_pixels_);
    picture_.height = static_cast<int>(height);
    picture_.width = static_cast<int>(width);
    picture_.rgb.resize(3 * height * width);
    rows_.resize(height);
    for (std::size_t y = 0; y < height; ++y) rows_[y] = picture_.rgb.data() + 3 * width * y;
    guarded([](PngReader& reader) { reader.read_rows(); });
    png_bytep exif = nullptr;
    png_uint_32 size = 0;
    if (png_get_eXIf_1(png_, info_, &size, &exif) != 0) {
      picture_.orientation = exif_orientation(std::as_bytes(std::span(exif, size)));
    }
    return std::move(picture_);
  }

 private:
  void guarded(void (*function)(PngReader&)) {
    if (call(*this, function)) return;
    if (at_end_) {
      throw bad_input(fmt::format("truncated: the file ends at byte {}, before its image data do",
                                  bytes_.size()));
    }
    throw bad_input(
        fmt::format("no PNG that can be read: {} (near byte {})", message_.data(), offset_));
  }

  static void read_bytes(png_structp png, png_bytep to, std::size_t count) {
    auto& self = *static_cast<PngReader*>(png_get_io_ptr(png));
    if (count > self.bytes_.size() - self.offset_) {
      self.at_end_ = true;
      png_error(png, "end of file");
    }
    std::memcpy(to, self.bytes_.data() + self.offset_, count);
    self.offset_ += count;
  }

  void read_header() {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, static_cast<PngBase*>(this), on_error,
                                  on_warning);
    if (png_ == nullptr) std::longjmp(jump_, 1);
    info_ = png_create_info_struct(png_);
    if (info_ == nullptr) png_error(png_, "out of memory");
    png_set_read_fn(png_, this, read_bytes);
    png_set_user_limits(png_, 0x7fffffff, 0x7fffffff);  // check_extents has ours.
    png_read_info(png_, info_);
    const auto color = png_get_color_type(png_, info_);
    png_set_strip_16(png_);
    if (color == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png_);
    if ((color & PNG_COLOR_MASK_COLOR) == 0) {
      png_set_expand_gray_1_2_4_to_8(png_);
      png_set_gray_to_rgb(png_);
    }
    png_set_strip_alpha(png_);
    png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    // A row of another length would run over the picture's end.
    if (png_get_rowbytes(png_, info_) != std::size_t{3} * png_get_image_width(png_, info_)) {
      png_error(png_, "rows of another length than RGB");
    }
  }

  void read_rows() {
    png_read_image(png_, rows_.data());
    png_read_end(png_, info_);
  }

  std::span<const std::byte> bytes_;
  std::int64_t most_pixels_;
  std::size_t offset_ = 0;
  bool at_end_ = false;
  Picture picture_;
  std::vector<png_bytep> rows_;
};

class PngWriter : private PngBase {
 public:
  explicit PngWriter(const Picture& picture) : picture_(picture) {}
  ~PngWriter() { png_destroy_write_struct(&png_, &info_); }

  std::vector<std::byte> write() {
    if (!call<PngWriter>(*this, [](PngWriter& writer) { writer.write_all(); })) {
      throw runtime_failure(fmt::format("PNG: {}", message_.data()));
    }
    return std::move(bytes_);
  }

 private:
  static void write_bytes(png_structp png, png_bytep from, std::size_t count) {
    auto& bytes = static_cast<PngWriter*>(png_get_io_ptr(png))->bytes_;
    const auto* begin = reinterpret_cast<const std::byte*>(from);
    bytes.insert(bytes.end(), begin, begin + count);
  }

  void write_all() {
    png_ = png_create_write_struct(PNG_LIBPNG_VER_STRING, static_cast<PngBase*>(this), on_error,
                                   on_warning);
    if (png_ == nullptr) std::longjmp(jump_, 1);
    info_ = png_create_info_struct(png_);
    if (info_ == nullptr) png_error(png_, "out of memory");
    png_set_write_fn(png_, this, write_bytes, [](png_structp) {});
    png_set_IHDR(png_, info_, static_cast<png_uint_32>(picture_.width),
                 static_cast<png_uint_32>(picture_.height), 8, PNG_COLOR_TYPE_RGB,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png_, info_);
    const std::size_t stride = std::size_t{3} * static_cast<std::size_t>(picture_.width);
    for (std::size_t y = 0; y < static_cast<std::size_t>(picture_.height); ++y) {
      png_write_row(png_, picture_.rgb.data() + y * stride);
    }
    png_write_end(png_, nullptr);
  }

  const Picture& picture_;
  std::vector<std::byte> bytes_;
};

}  // namespace

Picture decode_png(std::span<const std::byte> bytes, std::int64_t most_pixels) {
  return PngReader(bytes, most_pixels).read();
}

std::vector<std::byte> encode_png(const Picture& picture) {
  return PngWriter(picture).write();
}

}  // namespace hedge
