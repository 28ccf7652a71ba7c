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
namespace {

/// The start of a bad line for a message of one line, whatever bytes it holds.
std::string shown(std::string_view line) {
  std::string text(line.substr(0, 40));
  for (char& c : text) {
    if (c < ' ' || c > '~') c = '?';
  }
  return text;
}

}  // namespace

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
                                  labels.size() + 1, shown(line), classes - 1));
    }
    labels.push_back(label);
  }
  if (labels.empty()) throw bad_input(fmt::format("{}: empty; one class a line", path.string()));
  return labels;
}

std::vector<int> read_labels(const std::filesystem::path& path, std::size_t expected, int classes) {
  std::vector<int> labels = read_labels(path, classes);
  if (labels.size() != expected) {
    throw bad_input(
        fmt::format("{}: {} lines for a dataset of {} images; one class a line, in the "
                    "order of the images, is needed",
                    path.string(), labels.size(), expected));
  }
  return labels;
}

}  // namespace hedge
