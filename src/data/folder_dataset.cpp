// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "data/file_datasets.h"
#include "data/label_file.h"
#include "data/picture.h"
#include "hedge/error.h"

namespace hedge {
namespace {

namespace fs = std::filesystem;

/// Files that begin with a dot are left behind by other systems (._photo.jpg).
bool is_hidden(const fs::path& path) {
  return path.filename().string().starts_with('.');
}

template <class Iterator>
Iterator iterate(const fs::path& folder) {
  std::error_code error;
  Iterator iterator(folder, error);
  if (error) throw bad_input(fmt::format("{}: {}", folder.string(), error.message()));
  return iterator;
}

/// All pictures below `folder`, paths relative to it, in the order of their bytes.
std::vector<std::string> pictures_below(const fs::path& folder) {
  std::vector<std::string> names;
  for (auto entries = iterate<fs::recursive_directory_iterator>(folder);
       entries != fs::recursive_directory_iterator();) {
    const fs::path& path = entries->path();
    std::error_code error;
    if (is_hidden(path)) {
      if (entries->is_directory(error)) entries.disable_recursion_pending();
    } else if (is_picture_name(path) && !entries->is_directory(error)) {
      names.push_back(path.lexically_relative(folder).generic_string());
    }
    entries.increment(error);
    if (error) throw bad_input(fmt::format("below {}: {}", folder.string(), error.message()));
  }
  std::sort(names.begin(), names.end());
  return names;
}

/// "; x.webp is not read", of a file below a folder without pictures, else nothing.
std::string unread_file(const fs::path& folder) {
  std::error_code error;
  for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code no_status;
    if (is_hidden(entry->path()) || !entry->is_regular_file(no_status)) continue;
    return fmt::format("; {} is not read", entry->path().filename().string());
  }
  return {};
}

[[noreturn]] void no_pictures(const fs::path& folder) {
  throw bad_input(fmt::format("{}: no image in it (.jpg, .jpeg, .png, .bmp, .ppm or .pgm){}",
                              folder.string(), unread_file(folder)));
}

bool is_number(const std::string& text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// torchvision and Keras sort the names as text, so we do; with 0, 1, ..., 10 that surprises.
void warn_of_numbers(const fs::path& folder, const std::vector<std::string>& names) {
  if (!std::all_of(names.begin(), names.end(), is_number)) return;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const bool same = names[i].size() < 10 && std::stoul(names[i]) == i;
    if (same) continue;
    log(LogLevel::kWarning,
        fmt::format("{}: sub-folders are sorted as text (as torchvision and Keras do), so '{}' is "
                    "class {}; state other classes with --labels=FILE",
                    folder.string(), names[i], i));
    return;
  }
}

std::unique_ptr<Dataset> by_sub_folders(const fs::path& folder) {
  std::vector<std::string> names;
  std::size_t loose = 0;
  for (const auto& entry : iterate<fs::directory_iterator>(folder)) {
    std::error_code error;
    if (is_hidden(entry.path())) continue;
    if (entry.is_directory(error)) {
      names.push_back(entry.path().filename().string());
    } else if (is_picture_name(entry.path())) {
      ++loose;
    }
  }
  if (names.empty()) {
    if (loose == 0) no_pictures(folder);
    throw bad_input(
        fmt::format("{}: {} images, but no sub-folders; put those of a class into one sub-folder, "
                    "or state the classes with --labels=FILE",
                    folder.string(), loose));
  }
  std::sort(names.begin(), names.end());
  if (loose > 0) {
    log(LogLevel::kWarning, fmt::format("{}: {} images outside the sub-folders belong to no class "
                                        "and are left out",
                                        folder.string(), loose));
  }
  std::vector<ImageFile> files;
  for (std::size_t label = 0; label < names.size(); ++label) {
    const fs::path below = folder / names[label];
    const auto pictures = pictures_below(below);
    if (pictures.empty()) {
      throw bad_input(
          fmt::format("{}: the folder of class {} holds no image{}; fill it or remove it",
                      below.string(), label, unread_file(below)));
    }
    for (const std::string& name : pictures) {
      files.push_back({below / name, static_cast<int>(label)});
    }
  }
  warn_of_numbers(folder, names);
  const auto classes = static_cast<int>(names.size());
  return dataset_of_files(std::move(files), classes, std::move(names), true);
}

/// Of a line "FILE CLASS", also with a comma, semicolon or tab between them; the file's name may
/// hold blanks. Nothing where it is none.
std::optional<std::pair<std::string, int>> file_and_class(std::string_view line) {
  const std::size_t last = line.find_last_of(" \t,;");
  if (last == std::string_view::npos || last == 0) return std::nullopt;
  const auto label = parse_integer<int>(line.substr(last + 1));
  if (!label) return std::nullopt;
  const std::size_t name = line.find_last_not_of(" \t,;", last);
  if (name == std::string_view::npos) return std::nullopt;
  return std::pair(std::string(line.substr(0, name + 1)), *label);
}

std::vector<ImageFile> by_named_lines(const fs::path& folder, const std::string& labels,
                                      const std::vector<std::string>& pictures,
                                      const std::vector<std::string>& lines) {
  std::map<std::string, std::size_t> seen;
  std::vector<ImageFile> files;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto found = file_and_class(lines[i]);
    if (!found) {
      throw bad_input(fmt::format("{}: line {} is no 'FILE CLASS' (a path below {} and a number)",
                                  labels, i + 1, folder.string()));
    }
    if (found->second < 0) {
      throw bad_input(fmt::format("{}: line {} states class {}, which is below 0", labels, i + 1,
                                  found->second));
    }
    std::string name = fs::path(found->first).lexically_normal().generic_string();
    if (!std::binary_search(pictures.begin(), pictures.end(), name)) {
      throw bad_input(fmt::format("{}: line {} names '{}', which is no image below {}", labels,
                                  i + 1, printable(found->first), folder.string()));
    }
    const auto [first, is_new] = seen.emplace(name, i + 1);
    if (!is_new) {
      throw bad_input(fmt::format("{}: lines {} and {} name the same image '{}'", labels,
                                  first->second, i + 1, printable(found->first)));
    }
    files.push_back({folder / name, found->second});
  }
  if (files.size() < pictures.size()) {
    log(LogLevel::kWarning,
        fmt::format("{}: names {} of the {} images below {}; the others are left out", labels,
                    files.size(), pictures.size(), folder.string()));
  }
  return files;
}

std::unique_ptr<Dataset> by_label_file(const fs::path& folder, const fs::path& labels) {
  const auto pictures = pictures_below(folder);
  if (pictures.empty()) no_pictures(folder);
  std::vector<ImageFile> files =
      label_pictures(folder, pictures, read_text_file(labels), labels.string());
  int most = 0;
  for (const ImageFile& file : files) most = std::max(most, file.label);
  return dataset_of_files(std::move(files), most + 1, {}, true);
}

}  // namespace

std::vector<ImageFile> label_pictures(const fs::path& folder,
                                      const std::vector<std::string>& pictures,
                                      const std::string& text, const std::string& labels) {
  std::vector<std::string> lines = split(text, '\n');
  for (std::string& line : lines) {
    line.erase(line.find_last_not_of(" \t\r") + 1);
  }
  while (!lines.empty() && lines.back().empty()) lines.pop_back();
  if (lines.empty()) throw bad_input(fmt::format("{}: empty; it states no class", labels));
  if (!parse_integer<std::int64_t>(lines.front()))
    return by_named_lines(folder, labels, pictures, lines);
  const auto classes = labels_from_text(text, labels, pictures.size(), kMostClasses);
  std::vector<ImageFile> files;
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    files.push_back({folder / pictures[i], classes[i]});
  }
  return files;
}

std::unique_ptr<Dataset> open_unlabelled(const fs::path& folder) {
  std::vector<ImageFile> files;
  for (const std::string& name : pictures_below(folder)) files.push_back({folder / name, 0});
  if (files.empty()) no_pictures(folder);
  return dataset_of_files(std::move(files), 1, {}, true);
}

std::unique_ptr<Dataset> open_folder(const fs::path& folder, const fs::path& labels) {
  if (folder.empty()) throw bad_input("--dataset=folder: names no folder; write folder:DIR");
  std::error_code error;
  if (!fs::is_directory(folder, error)) {
    throw bad_input(fmt::format("{}: no such folder", folder.string()));
  }
  return labels.empty() ? by_sub_folders(folder) : by_label_file(folder, labels);
}

}  // namespace hedge
