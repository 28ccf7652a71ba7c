// SPDX-License-Identifier: Apache-2.0
#include "quant/calibration_cache.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <optional>
#include <set>

#include "base/file.h"
#include "base/text.h"
#include "hedge/error.h"

namespace hedge {
namespace {

// Far beyond activations, and far enough from the ends of float to be multiplied and divided by.
constexpr float kLeastScale = 1e-20F;
constexpr float kLargestScale = 1e20F;

constexpr std::size_t kMostNamed = 10;

/// For a message: the first names, and how many more there are.
std::string list_names(const std::vector<std::string>& names) {
  std::vector<std::string> first(
      names.begin(),
      names.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), kMostNamed)));
  std::string text = fmt::format("{}", fmt::join(first, ", "));
  if (names.size() > kMostNamed) text += fmt::format(" and {} more", names.size() - kMostNamed);
  return text;
}

std::optional<float> float_from_hex(std::string_view digits) {
  std::uint32_t bits = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits, 16);
  if (digits.size() != 8 || error != std::errc{} || end != digits.data() + digits.size()) {
    return std::nullopt;
  }
  return std::bit_cast<float>(bits);
}

/// A line with what can be read of it: foreign bytes may hold anything.
std::string excerpt(std::string_view line) {
  std::string text(line.substr(0, 80));
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c < 0x20 || c == 0x7F; }, '?');
  return fmt::format("'{}'", text);
}

CalibrationCache::Entry parse_entry(std::string_view line, std::size_t number) {
  const std::size_t colon = line.rfind(':');
  if (colon == std::string_view::npos || colon == 0) {
    throw bad_input(fmt::format("line {}: {} is not 'tensor: scale'", number, excerpt(line)));
  }
  std::string_view digits = line.substr(colon + 1);
  while (!digits.empty() && digits.front() == ' ') digits.remove_prefix(1);
  const auto scale = float_from_hex(digits);
  if (!scale) {
    throw bad_input(
        fmt::format("line {}: {} does not end in the eight hexadecimal digits of a scale", number,
                    excerpt(line)));
  }
  return {std::string(line.substr(0, colon)), *scale};
}

}  // namespace

const CalibrationCache::Entry* CalibrationCache::find(std::string_view tensor) const {
  const auto found = std::find_if(entries.begin(), entries.end(),
                                  [&](const Entry& entry) { return entry.tensor == tensor; });
  return found == entries.end() ? nullptr : &*found;
}

std::string calibration_cache_header(std::string_view version, CalibrationMethod method) {
  std::array<int, 3> numbers{};
  std::size_t count = 0;
  for (const std::string& part : split(std::string(version), '.')) {
    const char* last = part.data() + part.size();
    if (count == numbers.size() ||
        std::from_chars(part.data(), last, numbers.at(count)).ptr != last || part.empty() ||
        numbers.at(count) < 0 || numbers.at(count) > 99) {
      throw bad_input(fmt::format("'{}' is no version of TensorRT (8.6.2 is one)", version));
    }
    ++count;
  }
  const int major = numbers[0] * (numbers[0] >= 10 ? 10'000 : 1'000);
  return fmt::format(
      "TRT-{}-{}", major + numbers[1] * 100 + numbers[2],
      method == CalibrationMethod::kMinMax ? "MinMaxCalibration" : "EntropyCalibration2");
}

CalibrationCache parse_calibration_cache(std::string_view text) {
  CalibrationCache cache;
  std::set<std::string> seen;
  std::vector<std::string> wrong;
  std::size_t number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    while (line.ends_with('\r')) line.remove_suffix(1);
    ++number;
    if (number == 1) {
      if (!line.starts_with("TRT-")) {
        throw bad_input(fmt::format(
            "not a calibration cache: the first line is {}, not as TRT-8602-EntropyCalibration2",
            excerpt(line)));
      }
      cache.header = line;
    } else if (!line.empty()) {
      CalibrationCache::Entry entry = parse_entry(line, number);
      if (!seen.insert(entry.tensor).second) {
        throw bad_input(
            fmt::format("line {}: tensor {} comes twice", number, excerpt(entry.tensor)));
      }
      if (!(entry.scale >= kLeastScale && entry.scale <= kLargestScale)) {
        wrong.push_back(fmt::format("{} ({})", excerpt(entry.tensor), entry.scale));
      }
      cache.entries.push_back(std::move(entry));
    }
  }
  if (cache.entries.empty()) throw bad_input("not a calibration cache: it holds no tensor");
  if (!wrong.empty()) {
    throw bad_input(
        fmt::format("scales that are no positive numbers, or beyond all sense: {}; calibrate again",
                    list_names(wrong)));
  }
  return cache;
}

std::string to_text(const CalibrationCache& cache) {
  std::string text = cache.header + "\n";
  for (const auto& [tensor, scale] : cache.entries) {
    if (tensor.find('\n') != std::string::npos) {
      throw bad_input(fmt::format(
          "tensor {}: a calibration cache cannot hold a name with a line end", excerpt(tensor)));
    }
    text += fmt::format("{}: {:08x}\n", tensor, std::bit_cast<std::uint32_t>(scale));
  }
  return text;
}

CalibrationCache read_calibration_cache(const std::filesystem::path& file) {
  const std::string text = read_text_file(file);
  try {
    return parse_calibration_cache(text);
  } catch (const Error& error) {
    throw bad_input(fmt::format("{}: {}", file.string(), error.what()));
  }
}

void write_calibration_cache(const std::filesystem::path& file, const CalibrationCache& cache) {
  write_file(file, to_text(cache));
}

void require_tensors(const CalibrationCache& cache, std::span<const std::string> tensors) {
  std::vector<std::string> missing;
  for (const std::string& tensor : tensors) {
    if (cache.find(tensor) == nullptr) missing.push_back(tensor);
  }
  if (missing.empty()) return;
  throw bad_input(fmt::format(
      "the calibration cache has no scale for {} of {} tensors: {}; it is of another model, or of "
      "another build of it: delete it, or name another (`build_engine --calib_cache`)",
      missing.size(), tensors.size(), list_names(missing)));
}

}  // namespace hedge
