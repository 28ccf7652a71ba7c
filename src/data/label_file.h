// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hedge {

/// Labels above it are taken for a mistake.
inline constexpr int kMostClasses = 1'000'000;

/// One class a line: predictions of a model, the answers of a recorded server. Written aside, then
/// renamed.
void write_labels(const std::filesystem::path& path, std::span<const int> labels);

/// Line ends of Windows are taken too. Throws bad_input: naming the line, no number or a class
/// outside 0..classes-1 (an empty line too); an empty file.
[[nodiscard]] std::vector<int> read_labels(const std::filesystem::path& path, int classes);

/// The same on the text of a file; `name` is for messages.
[[nodiscard]] std::vector<int> labels_from_text(std::string_view text, const std::string& name,
                                                int classes);

/// The same for a file that goes with a dataset. Throws bad_input also where the file does not hold
/// exactly `expected` classes: answers for other images would be read in silence.
[[nodiscard]] std::vector<int> read_labels(const std::filesystem::path& path, std::size_t expected,
                                           int classes);
[[nodiscard]] std::vector<int> labels_from_text(std::string_view text, const std::string& name,
                                                std::size_t expected, int classes);

}  // namespace hedge
