// SPDX-License-Identifier: Apache-2.0
#include "data/scores_file.h"

#include <fmt/format.h>

#include <bit>
#include <iterator>
#include <string>

#include "base/file.h"
#include "base/text.h"
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

}  // namespace

void require_scores_extension(const std::filesystem::path& path) {
  if (extension_of(path) == ".npy" || extension_of(path) == ".csv") return;
  throw bad_input(
      fmt::format("{}: scores are written as .npy or .csv; name the file so", path.string()));
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

}  // namespace hedge
