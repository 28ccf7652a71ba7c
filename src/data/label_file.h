// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <span>
#include <vector>

namespace hedge {

/// One class a line: predictions of a model, the answers of a recorded server. Written aside, then
/// renamed.
void write_labels(const std::filesystem::path& path, std::span<const int> labels);

/// Throws bad_input, naming the line: no number, a class outside 0..classes-1.
[[nodiscard]] std::vector<int> read_labels(const std::filesystem::path& path, int classes);

}  // namespace hedge
