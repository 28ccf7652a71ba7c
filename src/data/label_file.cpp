// SPDX-License-Identifier: Apache-2.0
#include "data/label_file.h"

#include <fmt/format.h>

#include <iterator>
#include <string>

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
  return labels_from_text(read_text_file(path), path.string(), classes);
}

std::vector<int> labels_from_text(std::string_view text, const std::string& name, int classes) {
  std::vector<std::string> lines = split(text, '\n');
  if (!lines.empty() && lines.back().empty()) lines.pop_back();
  std::vector<int> labels;
  labels.reserve(lines.size());
  for (std::string& line : lines) {
    if (line.ends_with('\r')) line.pop_back();
    const auto label = parse_integer<int>(line);
    if (!label || *label < 0 || *label >= classes) {
      throw bad_input(fmt::format("{}: line {} is '{}', not a class from 0 to {}", name,
                                  labels.size() + 1, printable(line, 40), classes - 1));
    }
    labels.push_back(*label);
  }
  if (labels.empty()) throw bad_input(fmt::format("{}: empty; one class a line", name));
  return labels;
}

std::vector<int> read_labels(const std::filesystem::path& path, std::size_t expected, int classes) {
  return labels_from_text(read_text_file(path), path.string(), expected, classes);
}

std::vector<int> labels_from_text(std::string_view text, const std::string& name,
                                  std::size_t expected, int classes) {
  std::vector<int> labels = labels_from_text(text, name, classes);
  if (labels.size() != expected) {
    throw bad_input(
        fmt::format("{}: {} lines for a dataset of {} images; one class a line, in the "
                    "order of the images, is needed",
                    name, labels.size(), expected));
  }
  return labels;
}

}  // namespace hedge
