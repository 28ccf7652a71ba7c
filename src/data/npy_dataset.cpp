// SPDX-License-Identifier: Apache-2.0
// NumPy's .npy, formats 1.0, 2.0 and 3.0 (numpy.lib.format; NEP 1).
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

#include "base/file.h"
#include "base/naming.h"
#include "base/text.h"
#include "data/file_datasets.h"
#include "data/label_file.h"
#include "data/picture.h"
#include "hedge/error.h"

namespace hedge {
namespace {

constexpr std::string_view kMagic{"\x93NUMPY", 6};
constexpr std::size_t kMostHeader = 1U << 20U;
constexpr std::size_t kMostAxes = 32;

struct Array {
  std::string type;  ///< NumPy's: "|u1", "<i8", ...
  std::vector<std::size_t> shape;
  std::span<const std::byte> data;
};

/// The header: a literal of a Python dictionary with the keys 'descr', 'fortran_order', 'shape'.
class HeaderReader {
 public:
  explicit HeaderReader(std::string_view text) : text_(text) {}

  /// Throws bad_input without a name in front.
  void read(Array& array) {
    expect('{');
    bool has_type = false;
    bool has_order = false;
    bool has_shape = false;
    while (!take('}')) {
      const std::string key = quoted();
      expect(':');
      if (key == "descr" && !has_type) {
        has_type = true;
        array.type = quoted();
      } else if (key == "fortran_order" && !has_order) {
        has_order = true;
        if (take_word("True")) {
          throw bad_input("is in Fortran's order; save it with numpy.ascontiguousarray");
        }
        if (!take_word("False")) fail();
      } else if (key == "shape" && !has_shape) {
        has_shape = true;
        array.shape = extents();
      } else {
        fail();
      }
      if (!take(',')) {
        expect('}');
        break;
      }
    }
    blanks();
    if (at_ != text_.size() || !has_type || !has_order || !has_shape) fail();
  }

 private:
  [[noreturn]] static void fail() {
    throw bad_input("damaged: its header is none that NumPy writes");
  }
  void blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }
  bool take(char c) {
    blanks();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!take(c)) fail();
  }
  bool take_word(std::string_view word) {
    blanks();
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }
  std::string quoted() {
    blanks();
    // A structured type is a list here.
    if (at_ < text_.size() && text_[at_] == '[') {
      throw bad_input("holds records; a plain array is needed");
    }
    const char quote = at_ < text_.size() ? text_[at_] : '\0';
    if (quote != '\'' && quote != '"') fail();
    const std::size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) fail();
    std::string word(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return word;
  }
  std::vector<std::size_t> extents() {
    std::vector<std::size_t> shape;
    expect('(');
    while (!take(')')) {
      blanks();
      std::size_t extent = 0;
      const char* end = text_.data() + text_.size();
      const auto [stop, error] = std::from_chars(text_.data() + at_, end, extent);
      if (error != std::errc{} || shape.size() == kMostAxes) fail();
      at_ = static_cast<std::size_t>(stop - text_.data());
      (void)take_word("L");  // Of Python 2.
      shape.push_back(extent);
      if (!take(',')) {
        expect(')');
        break;
      }
    }
    return shape;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

std::size_t little_endian(std::span<const std::byte> bytes) {
  std::size_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) {
    value = value << 8U | std::to_integer<std::size_t>(bytes[i]);
  }
  return value;
}

std::string shape_text(const std::vector<std::size_t>& shape) {
  return fmt::format("({})", fmt::join(shape, ", "));
}

/// Throws bad_input without a name in front.
Array read_array(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (!text.starts_with(kMagic)) {
    throw bad_input("no array of NumPy (.npy); numpy.save writes one");
  }
  if (bytes.size() < 12) throw bad_input("truncated: its header is cut short");
  const auto version = std::to_integer<int>(bytes[6]);
  if (version < 1 || version > 3 || bytes[7] != std::byte{0}) {
    throw bad_input(fmt::format("has format {}.{}; 1.0, 2.0 and 3.0 are known", version,
                                std::to_integer<int>(bytes[7])));
  }
  const std::size_t begin = version == 1 ? 10 : 12;
  const std::size_t length = little_endian(bytes.subspan(8, begin - 8));
  if (length > kMostHeader || length > bytes.size() - begin) {
    throw bad_input(fmt::format("truncated: its header of {} bytes is cut short", length));
  }
  Array array;
  HeaderReader(text.substr(begin, length)).read(array);
  array.data = bytes.subspan(begin + length);
  return array;
}

std::size_t product(const std::vector<std::size_t>& shape) {
  std::size_t count = 1;
  for (const std::size_t extent : shape) {
    if (extent != 0 && count > std::numeric_limits<std::size_t>::max() / 16 / extent) {
      throw bad_input(fmt::format("its shape {} is too large", shape_text(shape)));
    }
    count *= extent;
  }
  return count;
}

/// The elements must be there, and nothing else.
void require_data(const Array& array, std::size_t element_bytes) {
  const std::size_t needed = product(array.shape) * element_bytes;
  if (array.data.size() < needed) {
    throw bad_input(fmt::format("truncated: shape {} takes {} bytes of data, there are {}",
                                shape_text(array.shape), needed, array.data.size()));
  }
  if (array.data.size() > needed) {
    throw bad_input(fmt::format("{} bytes behind the data of shape {}", array.data.size() - needed,
                                shape_text(array.shape)));
  }
}

class NpyDataset final : public Dataset {
 public:
  NpyDataset(const Array& array, std::shared_ptr<const void> owner, std::vector<int> labels)
      : owner_(std::move(owner)),
        pixels_(reinterpret_cast<const std::uint8_t*>(array.data.data())),
        labels_(std::move(labels)),
        interleaved_(array.shape[3] == 3),
        height_(array.shape[interleaved_ ? 1 : 2]),
        width_(array.shape[interleaved_ ? 2 : 3]),
        classes_(*std::max_element(labels_.begin(), labels_.end()) + 1) {}

  [[nodiscard]] std::size_t size() const override { return labels_.size(); }
  [[nodiscard]] int classes() const override { return classes_; }
  [[nodiscard]] int label(std::size_t index) const override { return labels_[index]; }
  [[nodiscard]] Image image(std::size_t index) const override {
    const std::size_t bytes = 3 * height_ * width_;
    return {.pixels = {pixels_ + index * bytes, bytes},
            .height = static_cast<int>(height_),
            .width = static_cast<int>(width_),
            .layout = interleaved_ ? PixelLayout::kInterleaved : PixelLayout::kPlanar,
            .label = labels_[index]};
  }

 private:
  std::shared_ptr<const void> owner_;
  const std::uint8_t* pixels_;
  std::vector<int> labels_;
  bool interleaved_;
  std::size_t height_;
  std::size_t width_;
  int classes_;
};

}  // namespace

std::vector<int> labels_from_npy(std::span<const std::byte> bytes, const std::string& name) {
  return naming(name, [&] {
    const Array array = read_array(bytes);
    const std::string& type = array.type;
    const bool is_integer = type.size() == 3 &&
                            std::string_view("<>|=").find(type[0]) != std::string_view::npos &&
                            (type[1] == 'i' || type[1] == 'u') &&
                            std::string_view("1248").find(type[2]) != std::string_view::npos;
    if (!is_integer || array.shape.size() != 1) {
      throw bad_input(
          fmt::format("has type '{}' and shape {}; labels are integers of one axis, "
                      "one for each image",
                      type, shape_text(array.shape)));
    }
    const auto size = static_cast<std::size_t>(type[2] - '0');
    require_data(array, size);
    std::vector<int> labels(array.shape[0]);
    for (std::size_t i = 0; i < labels.size(); ++i) {
      std::uint64_t value = 0;
      for (std::size_t b = 0; b < size; ++b) {
        const std::size_t at = type[0] == '>' ? b : size - 1 - b;
        value = value << 8U | std::to_integer<std::uint64_t>(array.data[i * size + at]);
      }
      // A negative number is a large one here: both are out of range.
      if (value >= static_cast<std::uint64_t>(kMostClasses) ||
          (type[1] == 'i' && (value >> (8 * size - 1)) != 0)) {
        throw bad_input(fmt::format("label {} of image {} is no class from 0 to {}",
                                    type[1] == 'i' && (value >> (8 * size - 1)) != 0
                                        ? std::string("below 0")
                                        : fmt::format("{}", value),
                                    i, kMostClasses - 1));
      }
      labels[i] = static_cast<int>(value);
    }
    return labels;
  });
}

std::unique_ptr<Dataset> npy_from_bytes(std::span<const std::byte> images,
                                        const std::string& images_name,
                                        std::shared_ptr<const void> owner,
                                        std::vector<int> labels) {
  return naming(images_name, [&]() -> std::unique_ptr<Dataset> {
    const Array array = read_array(images);
    if (array.type != "|u1" && array.type != "<u1" && array.type != ">u1" && array.type != "u1") {
      throw bad_input(fmt::format(
          "has type '{}'; images are bytes 0 to 255 (numpy's astype('uint8'))", array.type));
    }
    const auto& shape = array.shape;
    if (shape.size() != 4 || (shape[3] != 3 && shape[1] != 3)) {
      throw bad_input(fmt::format("has shape {}; images are N x H x W x 3 or N x 3 x H x W",
                                  shape_text(shape)));
    }
    require_data(array, 1);
    if (shape[0] == 0) throw bad_input("holds no image");
    const bool interleaved = shape[3] == 3;
    const auto bounded = [](std::size_t extent) {
      return static_cast<std::int64_t>(std::min<std::size_t>(extent, kMostPixels + 1));
    };
    check_extents(bounded(shape[interleaved ? 1 : 2]), bounded(shape[interleaved ? 2 : 3]),
                  kMostPixels);
    if (labels.size() != shape[0]) {
      throw bad_input(
          fmt::format("holds {} images, but there are {} labels", shape[0], labels.size()));
    }
    return std::make_unique<NpyDataset>(array, std::move(owner), std::move(labels));
  });
}

std::unique_ptr<Dataset> open_npy(const std::filesystem::path& images,
                                  const std::filesystem::path& labels) {
  auto mapped = MappedFile::open(images);
  const auto bytes = mapped->bytes();
  auto classes = to_lower(labels.extension().string()) == ".npy"
                     ? labels_from_npy(MappedFile::open(labels)->bytes(), labels.string())
                     : read_labels(labels, kMostClasses);
  return npy_from_bytes(bytes, images.string(), std::move(mapped), std::move(classes));
}

}  // namespace hedge
