// SPDX-License-Identifier: Apache-2.0
#include "data/imagenet_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <system_error>
#include <tuple>

#include "base/text.h"

namespace hedge {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kStem = "ILSVRC2012_val_";

/// The number in "ILSVRC2012_val_00000001.bin".
std::optional<std::size_t> number_of(const fs::path& path, std::string_view extension) {
  const std::string stem = path.stem().string();
  if (!stem.starts_with(kStem) || to_lower(path.extension().string()) != extension) return {};
  const auto number = parse_integer<std::size_t>(std::string_view(stem).substr(kStem.size()));
  return number == std::size_t{0} ? std::nullopt : number;
}

void collect(const fs::path& folder, std::string_view extension, bool deeper,
             std::vector<ImagenetFile>& files) {
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code no_status;
    if (const auto number = number_of(entry->path(), extension)) {
      files.push_back({*number, entry->path()});
    } else if (deeper && entry->is_directory(no_status)) {
      collect(entry->path(), extension, false, files);
    }
  }
}

std::string pattern(const fs::path& folder, std::string_view extension) {
  return (folder / fmt::format("{}*{}", kStem, extension)).string();
}

}  // namespace

ImagenetFiles find_imagenet_files(const fs::path& folder) {
  ImagenetFiles found;
  collect(folder / "bin", ".bin", false, found.files);
  found.raw = !found.files.empty();
  found.where = pattern(folder / "bin", ".bin");
  if (found.files.size() < kImagenetImages) {
    std::vector<ImagenetFile> jpegs;
    collect(folder, ".jpeg", false, jpegs);
    const std::size_t beside = jpegs.size();
    collect(folder / "val", ".jpeg", true, jpegs);
    if (found.raw) {
      found.passed_over = jpegs.size();
    } else {
      found.where = pattern(folder / "val", ".JPEG");
      if (beside == jpegs.size() && beside > 0) found.where = pattern(folder, ".JPEG");
      if (beside < jpegs.size() && beside > 0) {
        found.where = fmt::format("{} and {}", pattern(folder, ".JPEG"), found.where);
      }
      found.files = std::move(jpegs);
    }
  }
  std::sort(found.files.begin(), found.files.end(),
            [](const ImagenetFile& a, const ImagenetFile& b) {
              return std::tie(a.number, a.path) < std::tie(b.number, b.path);
            });
  return found;
}

std::string passed_over_text(const ImagenetFiles& files) {
  return fmt::format(
      "{}: {} of {} images, read in place of the {} JPEGs beside them; complete or remove bin/",
      files.where, files.files.size(), kImagenetImages, files.passed_over);
}

}  // namespace hedge
