// SPDX-License-Identifier: Apache-2.0
#include "data/scores_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <iterator>
#include <string>
#include <system_error>

#include "base/file.h"
#include "base/naming.h"
#include "base/text.h"
#include "data/npy.h"
#include "hedge/error.h"

namespace hedge {
namespace {

static_assert(std::endian::native == std::endian::little);  // '<f4' is written as it lies.

std::string npy_header(std::size_t rows, std::size_t columns) {
  std::string dictionary =
      fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}", rows, columns);
  // Magic, version and length take 10 bytes; the data begin on a 64-byte border, after a line end.
  const std::size_t total = (10 + dictionary.size() + 1 + 63) / 64 * 64;
  dictionary.append(total - 10 - dictionary.size() - 1, ' ').push_back('\n');
  std::string header("\x93NUMPY\x01\x00", 8);
  header.push_back(static_cast<char>(dictionary.size() & 0xFFU));
  header.push_back(static_cast<char>(dictionary.size() >> 8U));
  return header + dictionary;
}

void write_csv(AtomicFile& file, std::span<const float> values, std::size_t columns) {
  // In pieces: the text of a large set is several times the scores themselves.
  constexpr std::size_t kPiece = 1U << 20U;
  std::string text;
  for (std::size_t i = 0; i < values.size(); ++i) {
    fmt::format_to(std::back_inserter(text), "{}{}", values[i],
                   (i + 1) % columns == 0 ? '\n' : ',');
    if (text.size() >= kPiece) {
      file.write(text);
      text.clear();
    }
  }
  file.write(text);
}

std::string extension_of(const std::filesystem::path& path) {
  return to_lower(path.extension().string());
}

/// One line's numbers behind those that are there. Throws bad_input without the line's number.
void read_line(std::string_view line, std::vector<float>& values) {
  std::size_t column = 1;
  for (const char* at = line.data();; ++column) {
    const char* const end = line.data() + line.size();
    while (at != end && (*at == ' ' || *at == '+')) ++at;
    float value = 0;
    auto [stop, error] = std::from_chars(at, end, value);
    while (stop != end && *stop == ' ') ++stop;
    if (error != std::errc{} || (stop != end && *stop != ',')) {
      const std::string_view rest(at, static_cast<std::size_t>(end - at));
      throw bad_input(
          fmt::format("column {} is '{}', not a number{}", column,
                      printable(rest.substr(0, rest.find(',')), 40),
                      error == std::errc::result_out_of_range ? " that a float holds" : ""));
    }
    values.push_back(value);
    if (stop == end) return;
    at = stop + 1;
  }
}

template <class Element>
void append_elements(std::span<const std::byte> data, std::vector<float>& values) {
  values.resize(data.size() / sizeof(Element));
  for (std::size_t i = 0; i < values.size(); ++i) {
    Element element;
    std::memcpy(&element, data.data() + i * sizeof(Element), sizeof(Element));
    values[i] = static_cast<float>(element);
  }
}

}  // namespace

void require_scores_extension(const std::filesystem::path& path) {
  if (extension_of(path) == ".npy" || extension_of(path) == ".csv") return;
  throw bad_input(
      fmt::format("{}: scores are kept as .npy or .csv; name the file so", path.string()));
}

void write_scores(const std::filesystem::path& path, std::span<const float> values,
                  std::size_t columns) {
  require_scores_extension(path);
  if (columns == 0 || values.size() % columns != 0) {
    throw bad_input(fmt::format("{}: {} scores are no whole number of rows of {}", path.string(),
                                values.size(), columns));
  }
  AtomicFile file(path);
  if (extension_of(path) == ".npy") {
    file.write(npy_header(values.size() / columns, columns));
    file.write(std::as_bytes(values));
  } else {
    write_csv(file, values, columns);
  }
  file.commit();
}

RecordedScores scores_from_npy(std::span<const std::byte> bytes, const std::string& name) {
  return naming(name, [&] {
    const NpyArray array = npy_array(bytes);
    if (array.shape.size() != 2 || (array.type != "<f4" && array.type != "<f8")) {
      throw bad_input(
          fmt::format("has type '{}' and shape {}; scores are float32 or float64, "
                      "images x classes",
                      array.type, npy_shape_text(array.shape)));
    }
    const std::size_t size = array.type == "<f4" ? sizeof(float) : sizeof(double);
    require_npy_data(array, size);
    RecordedScores scores{.values = {}, .columns = array.shape[1]};
    if (size == sizeof(float)) {
      append_elements<float>(array.data, scores.values);
    } else {
      append_elements<double>(array.data, scores.values);
    }
    if (scores.values.empty()) throw bad_input("holds no scores");
    return scores;
  });
}

RecordedScores scores_from_csv(std::string_view text, const std::string& name) {
  while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
  RecordedScores scores;
  for (std::size_t number = 1; !text.empty(); ++number) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    const std::size_t before = scores.values.size();
    naming(fmt::format("{}: line {}", name, number), [&] { read_line(line, scores.values); });
    const std::size_t read = scores.values.size() - before;
    if (scores.columns == 0) scores.columns = read;
    if (read != scores.columns) {
      throw bad_input(fmt::format("{}: line {} has {} scores, those before have {}", name, number,
                                  read, scores.columns));
    }
  }
  if (scores.columns == 0) throw bad_input(fmt::format("{}: holds no scores", name));
  return scores;
}

RecordedScores read_scores(const std::filesystem::path& path) {
  require_scores_extension(path);
  const auto file = MappedFile::open(path);
  if (extension_of(path) == ".npy") return scores_from_npy(file->bytes(), path.string());
  const auto bytes = file->bytes();
  return scores_from_csv({reinterpret_cast<const char*>(bytes.data()), bytes.size()},
                         path.string());
}

}  // namespace hedge
