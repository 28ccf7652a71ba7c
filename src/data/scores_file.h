// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

namespace hedge {

/// Throws bad_input unless the extension is one that write_scores knows.
void require_scores_extension(const std::filesystem::path& path);

/// A matrix, one image a row, one class a column. `.npy`: NumPy's format 1.0, float32, C order
/// (numpy.lib.format); `.csv`: no header line, the shortest digits that give the same float back.
/// Written aside, then renamed. Throws bad_input where the extension is another or `values` is no
/// whole number of rows of `columns`, runtime_failure where the disk does not take it.
void write_scores(const std::filesystem::path& path, std::span<const float> values,
                  std::size_t columns);

}  // namespace hedge
