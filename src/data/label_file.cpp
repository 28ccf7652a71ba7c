// SPDX-License-Identifier: Apache-2.0
#include "data/label_file.h"

#include <fmt/format.h>

#include <charconv>
#include <iterator>
#include <string>
#include <string_view>

#include "base/file.h"
#include "base/text.h"
#include "hedge/error.h"

namespace hedge {

void write_labels(const std::filesystem::path& path, std::span<const int> labels) {
  std::string text;
  for (const int label : labels) fmt::format_to(std::back_inserter(text), "{}\n", label);
  write_file(path, text);
}

std::vector<int> read_labels(const std::filesystem::path& path, int classes) {
  const std::string text = read_text_file(path);
  std::vector<std::string> lines = split(text, '\n');
  if (!lines.empty() && lines.back().empty()) lines.pop_back();
  std::vector<int> labels;
  labels.reserve(lines.size());
  for (std::string& line : lines) {
    if (line.ends_with('\r')) line.pop_back();
    int label = -1;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), label);
    if (error != std::errc{} || end != line.data() + line.size() || label < 0 || label >= classes) {
      throw bad_input(fmt::format("{}: line {} is '{}', not a class from 0 to {}", path.string(),
                                  labels.size() + 1, line.substr(0, 40), classes - 1));
    }
    labels.push_back(label);
  }
  return labels;
}

}  // namespace hedge
