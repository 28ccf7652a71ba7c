// SPDX-License-Identifier: Apache-2.0
#include "data/npy.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <cstdint>
#include <limits>
#include <string_view>
#include <system_error>

#include "base/text.h"
#include "hedge/error.h"

namespace hedge {
namespace {

constexpr std::string_view kMagic{"\x93NUMPY", 6};
constexpr std::size_t kMostHeader = 1U << 20U;
constexpr std::size_t kMostAxes = 32;

/// The header: a literal of a Python dictionary with the keys 'descr', 'fortran_order', 'shape'.
class HeaderReader {
 public:
  explicit HeaderReader(std::string_view text) : text_(text) {}

  /// Throws bad_input without a name in front.
  void read(NpyArray& array) {
    expect('{');
    bool has_type = false;
    bool has_order = false;
    bool has_shape = false;
    while (!take('}')) {
      const std::string key = quoted();
      expect(':');
      if (key == "descr" && !has_type) {
        has_type = true;
        array.type = printable(quoted(), 40);  // It goes into messages.
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

std::size_t product(const std::vector<std::size_t>& shape) {
  std::size_t count = 1;
  for (const std::size_t extent : shape) {
    if (extent != 0 && count > std::numeric_limits<std::size_t>::max() / 16 / extent) {
      throw bad_input(fmt::format("its shape {} is too large", npy_shape_text(shape)));
    }
    count *= extent;
  }
  return count;
}

}  // namespace

std::string npy_shape_text(const std::vector<std::size_t>& shape) {
  return fmt::format("({})", fmt::join(shape, ", "));
}

NpyArray npy_array(std::span<const std::byte> bytes) {
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
  NpyArray array;
  HeaderReader(text.substr(begin, length)).read(array);
  array.data = bytes.subspan(begin + length);
  return array;
}

void require_npy_data(const NpyArray& array, std::size_t element_bytes) {
  const std::size_t needed = product(array.shape) * element_bytes;
  if (array.data.size() < needed) {
    throw bad_input(fmt::format("truncated: shape {} takes {} bytes of data, there are {}",
                                npy_shape_text(array.shape), needed, array.data.size()));
  }
  if (array.data.size() > needed) {
    throw bad_input(fmt::format("{} bytes behind the data of shape {}", array.data.size() - needed,
                                npy_shape_text(array.shape)));
  }
}

}  // namespace hedge
