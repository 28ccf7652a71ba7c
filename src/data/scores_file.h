// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hedge {

/// Throws bad_input unless the extension is one that write_scores knows.
void require_scores_extension(const std::filesystem::path& path);

/// A matrix, one image a row, one class a column. `.npy`: NumPy's format 1.0, float32, C order
/// (numpy.lib.format); `.csv`: no header line, the shortest digits that give the same float back.
/// Written aside, then renamed. Throws bad_input where the extension is another or `values` is no
/// whole number of rows of `columns`, runtime_failure where the disk does not take it.
void write_scores(const std::filesystem::path& path, std::span<const float> values,
                  std::size_t columns);

/// Scores of images, one image after the other, `columns` (classes) each.
struct RecordedScores {
  std::vector<float> values;
  std::size_t columns = 0;
  [[nodiscard]] std::size_t rows() const noexcept {
    return columns == 0 ? 0 : values.size() / columns;
  }
  [[nodiscard]] std::span<const float> row(std::size_t index) const noexcept {
    return std::span(values).subspan(index * columns, columns);
  }
};

/// What write_scores and NumPy write: `.npy` with float32 or float64 of two axes; `.csv` with
/// numbers only, as many on each line (blank lines at the end and Windows line ends are taken). NaN
/// and infinities are values. Throws bad_input: another extension, no file, a cell that is no
/// number (with line and column), rows of different length, nothing in it.
[[nodiscard]] RecordedScores read_scores(const std::filesystem::path& path);

/// The same on the bytes of a file; `name` is for messages.
[[nodiscard]] RecordedScores scores_from_npy(std::span<const std::byte> bytes,
                                             const std::string& name);
[[nodiscard]] RecordedScores scores_from_csv(std::string_view text, const std::string& name);

}  // namespace hedge
