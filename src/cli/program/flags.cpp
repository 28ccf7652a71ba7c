// SPDX-License-Identifier: Apache-2.0
#include "cli/program/flags.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <filesystem>
#include <utility>

#include "base/text.h"
#include "hedge/error.h"

namespace hedge::cli {
namespace {

// Every sample is kept, 8 bytes each, so this is a matter of memory.
constexpr std::int64_t kMostIterations = 100'000'000;

// More than any image has pixels along one side.
constexpr std::int64_t kLargestExtent = 1'000'000'000;

}  // namespace

std::int64_t parse_count(const std::string& flag, const std::string& text, std::int64_t low,
                         std::int64_t high) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = end == text.data() + text.size() && !text.empty();
  if (error == std::errc::invalid_argument || !whole) {
    throw bad_input(
        fmt::format("{}={}: not a whole number; give one from {} to {}", flag, text, low, high));
  }
  if (error == std::errc::result_out_of_range || value < low || value > high) {
    throw bad_input(fmt::format("{}={}: out of range; give {} to {}", flag, text, low, high));
  }
  return value;
}

double parse_number(const std::string& flag, const std::string& text, double low, double high) {
  double value = 0;
  const char* last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, value);
  if (error != std::errc{} || end != last || !(value >= low && value <= high)) {
    throw bad_input(fmt::format("{}={}: give a number from {} to {}", flag, text, low, high));
  }
  return value;
}

std::vector<std::int64_t> parse_counts(const std::string& flag, const std::string& text,
                                       std::int64_t low, std::int64_t high) {
  std::vector<std::int64_t> values;
  for (const std::string& part : split(text, ',')) {
    values.push_back(parse_count(flag, part, low, high));
  }
  return values;
}

BatchRange parse_batches(const std::string& flag, const std::string& text) {
  const std::vector<std::string> parts = split(text, ':');
  if (parts.size() != 1 && parts.size() != 3) {
    throw bad_input(fmt::format(
        "{}={}: give one number of images, or the least, the tuned and the most, as 1:4:8", flag,
        printable(text, 40)));
  }
  const auto count = [&](std::size_t i) { return parse_count(flag, parts[i], 1, kMostImages); };
  if (parts.size() == 1) return {count(0), count(0), count(0)};
  const BatchRange range{count(0), count(1), count(2)};
  if (range.tuned < range.least || range.most < range.tuned) {
    throw bad_input(fmt::format("{}={}: the numbers must not fall (least:tuned:most)", flag, text));
  }
  return range;
}

std::int64_t parse_iterations(const std::string& text, std::int64_t all) {
  if (text == "all") return all;
  const std::int64_t value = parse_count("--iterations", text, 0, kMostIterations);
  return value == 0 ? all : value;
}

std::map<std::string, Shape> parse_shapes(const std::string& text) {
  std::map<std::string, Shape> shapes;
  if (text.empty()) return shapes;
  if (text.find_first_not_of("0123456789,") == std::string::npos &&
      text.find(',') != std::string::npos) {
    std::string right = text;
    std::replace(right.begin(), right.end(), ',', 'x');
    throw bad_input(fmt::format("--shape={}: write {}", text, right));
  }
  const std::vector<std::string> parts = split(text, ',');
  for (const std::string& part : parts) {
    const std::size_t colon = part.rfind(':');
    const std::string name = colon == std::string::npos ? "" : part.substr(0, colon);
    const std::string extents = colon == std::string::npos ? part : part.substr(colon + 1);
    Shape shape;
    for (const std::string& extent : split(extents, 'x')) {
      const auto value = parse_integer<std::int64_t>(extent);
      if (!value || *value < 1 || *value > kLargestExtent) {
        throw bad_input(
            fmt::format("--shape={}: not a shape; write 1x3x224x224, or NAME:1x3x224x224", text));
      }
      shape.push_back(*value);
    }
    if (!shapes.emplace(name, std::move(shape)).second || (name.empty() && parts.size() > 1)) {
      throw bad_input(fmt::format("--shape={}: each of several inputs needs its name, once", text));
    }
  }
  return shapes;
}

void require_batch_within(const std::string& max_batch_size,
                          const std::vector<std::int64_t>& batches) {
  if (max_batch_size.empty()) return;
  const std::int64_t most = parse_count("--maxBatchSize", max_batch_size, 1, kMostImages);
  for (const std::int64_t batch : batches) {
    if (batch > most) {
      throw bad_input(fmt::format("--batch={}: above --maxBatchSize={}", batch, most));
    }
  }
}

std::vector<NamedFile> stated_files(const CLI::App& app, const std::string& where) {
  std::vector<NamedFile> files;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_items_expected_max() == 0) continue;  // It takes no value.
    for (const std::string& value : option->results()) {
      files.push_back({where + option->get_name(), value});
      const std::size_t colon = value.find(':');
      if (colon == std::string::npos) continue;
      for (const std::string& part : split(value.substr(colon + 1), ',')) {
        files.push_back({where + option->get_name(), part});
      }
    }
  }
  return files;
}

namespace {

/// Whichever way it is spelt; empty for what nothing is lost of.
std::filesystem::path place_of(const std::string& path) {
  std::error_code ignored;
  if (path.empty() || path == "-" || std::filesystem::is_character_file(path, ignored)) return {};
  // weakly_canonical leaves a bare name that is not there yet as it is, and stops at a link to
  // nothing, through which a file would be made.
  std::filesystem::path place = std::filesystem::absolute(path, ignored);
  for (int links = 0; links < 40 && std::filesystem::is_symlink(place, ignored); ++links) {
    place = place.parent_path() / std::filesystem::read_symlink(place, ignored);
  }
  return std::filesystem::weakly_canonical(place, ignored);
}

}  // namespace

void require_distinct(const OutputFiles& outputs, const std::vector<NamedFile>& stated) {
  std::vector<NamedFile> files = outputs.written;
  files.insert(files.end(), outputs.kept.begin(), outputs.kept.end());
  const std::size_t written = files.size();
  files.insert(files.end(), stated.begin(), stated.end());
  std::vector<std::filesystem::path> places;
  for (const NamedFile& file : files) places.push_back(place_of(file.path));
  for (std::size_t a = 0; a < written; ++a) {
    for (std::size_t b = a + 1; b < files.size(); ++b) {
      // An output's flag is among those stated, too.
      if (places[a].empty() || places[a] != places[b] || files[a].flag == files[b].flag) continue;
      throw bad_input(fmt::format("{} and {} name the same file, {}; name another", files[b].flag,
                                  files[a].flag, files[a].path));
    }
  }
}

std::vector<const CLI::Option*> flags_since(const CLI::App& app, std::size_t before) {
  const auto all = app.get_options();
  std::vector<const CLI::Option*> flags;
  std::copy_if(all.begin() + static_cast<std::ptrdiff_t>(before), all.end(),
               std::back_inserter(flags),
               [](const CLI::Option* option) { return option->get_name() != "--labels"; });
  return flags;
}

std::vector<const CLI::Option*> flags_named(const CLI::App& app,
                                            std::initializer_list<const char*> names) {
  std::vector<const CLI::Option*> flags;
  for (const char* name : names) flags.push_back(app.get_option(name));
  return flags;
}

void refuse_given(const std::vector<const CLI::Option*>& flags, std::string_view why) {
  for (const CLI::Option* option : flags) {
    if (option->count() > 0) throw bad_input(fmt::format("{}: {}", option->get_name(), why));
  }
}

std::vector<std::string> split_command_line(const std::string& line) {
  std::vector<std::string> words;
  std::string word;
  bool begun = false;
  char quote = 0;
  for (const char c : line) {
    if (quote != 0) {
      if (c == quote) {
        quote = 0;
      } else {
        word += c;
      }
    } else if (c == '\'' || c == '"') {
      quote = c;
      begun = true;
    } else if (c == ' ' || c == '\t') {
      if (begun) words.push_back(word);
      word.clear();
      begun = false;
    } else {
      word += c;
      begun = true;
    }
  }
  if (quote != 0) throw bad_input(fmt::format("'{}': a quote is not closed", line));
  if (begun) words.push_back(word);
  return words;
}

}  // namespace hedge::cli
