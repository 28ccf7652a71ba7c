// SPDX-License-Identifier: Apache-2.0
#include "fetch/imagenet.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdint>
#include <string_view>
#include <system_error>

#include "data/label_file.h"
#include "hedge/error.h"

namespace hedge {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kImages = 50'000;
constexpr int kClasses = 1000;
constexpr std::uintmax_t kRawBytes = std::uintmax_t{224} * 224 * 3;
constexpr std::string_view kStem = "ILSVRC2012_val_";

/// 1 to 50000, or 0 for a file of another name.
std::size_t number_of(const std::string& name, std::string_view extension) {
  if (name.size() != kStem.size() + 8 + extension.size() || !name.starts_with(kStem) ||
      !name.ends_with(extension)) {
    return 0;
  }
  std::size_t number = 0;
  const char* begin = name.data() + kStem.size();
  const auto [end, error] = std::from_chars(begin, begin + 8, number);
  return error == std::errc{} && end == begin + 8 && number <= kImages ? number : 0;
}

struct Images {
  std::vector<bool> there = std::vector<bool>(kImages + 1);
  std::size_t count = 0;
  std::size_t bad = 0;
  std::string first_bad;
  std::size_t twice = 0;  ///< In two folders: which of the two would be read?
  std::string first_twice;
};

void count_image(const fs::directory_entry& entry, std::string_view extension, Images& images) {
  const std::string name = entry.path().filename().string();
  const std::size_t number = number_of(name, extension);
  if (number == 0) return;
  std::error_code error;
  const std::uintmax_t size = entry.file_size(error);
  const bool right = !error && (extension == ".bin" ? size == kRawBytes : size > 0);
  if (!right && images.bad++ == 0) {
    images.first_bad = error ? fmt::format("{}: {}", name, error.message())
                             : fmt::format("{} has {} bytes", name, size);
  }
  if (!right) return;
  if (images.there[number]) {
    if (images.twice++ == 0) images.first_twice = name;
    return;
  }
  images.there[number] = true;
  ++images.count;
}

/// `deeper`: also in the folders of classes that torchvision sorts them into.
void count_images(const fs::path& folder, std::string_view extension, bool deeper, Images& images) {
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code no_status;
    if (deeper && entry->is_directory(no_status)) {
      count_images(entry->path(), extension, false, images);
    } else {
      count_image(*entry, extension, images);
    }
  }
}

/// "number 17, 18 and 49,981 more".
std::string gaps(const Images& images) {
  std::string text;
  std::size_t named = 0;
  for (std::size_t number = 1; number <= kImages && named < 3; ++number) {
    if (!images.there[number]) text += fmt::format("{}{}", named++ == 0 ? "" : ", ", number);
  }
  const std::size_t more = kImages - images.count - named;
  return more == 0 ? text : fmt::format("{} and {} more", text, more);
}

void check_images(const fs::path& folder, ImagenetCheck& check) {
  Images raw;
  count_images(folder / "bin", ".bin", false, raw);
  Images jpegs;
  count_images(folder, ".JPEG", false, jpegs);
  count_images(folder / "val", ".JPEG", true, jpegs);
  const bool has_jpegs = jpegs.count + jpegs.bad > raw.count + raw.bad;
  const Images& best = has_jpegs ? jpegs : raw;
  const std::string where = (folder / (has_jpegs ? "val" : "bin") /
                             fmt::format("{}*{}", kStem, has_jpegs ? ".JPEG" : ".bin"))
                                .string();
  if (best.count > 0)
    check.found.push_back(fmt::format("{}: {} of {} images", where, best.count, kImages));
  if (best.bad > 0) {
    check.missing.push_back(
        fmt::format("{}: {} of the wrong size (first: {}){}", where, best.bad, best.first_bad,
                    where.ends_with(".bin") ? fmt::format("; {} bytes are right", kRawBytes) : ""));
  }
  if (best.twice > 0) {
    check.missing.push_back(fmt::format("{}: {} are there twice (first: {}); remove one of each",
                                        where, best.twice, best.first_twice));
  }
  if (best.count == 0 && best.bad == 0) {
    check.missing.push_back(fmt::format("{}: no images, {} are needed", where, kImages));
  } else if (best.count < kImages) {
    check.missing.push_back(fmt::format("{}: {} images are missing, number {}", where,
                                        kImages - best.count, gaps(best)));
  }
}

void check_labels(const fs::path& folder, ImagenetCheck& check) {
  const fs::path file = folder / "imagenet_labels.txt";
  std::error_code error;
  if (!fs::exists(file, error)) {
    check.missing.push_back(fmt::format("{}: {} labels, one a line, from 0 to {}", file.string(),
                                        kImages, kClasses - 1));
    return;
  }
  try {
    std::vector<bool> seen(kClasses);
    std::size_t classes = 0;
    for (const int label : read_labels(file, kImages, kClasses)) {
      const auto index = static_cast<std::size_t>(label);
      if (!seen[index]) ++classes;
      seen[index] = true;
    }
    if (classes < seen.size()) {
      check.missing.push_back(
          fmt::format("{}: only {} of {} classes occur in it", file.string(), classes, kClasses));
      return;
    }
    check.found.push_back(fmt::format("{}: {} labels", file.string(), kImages));
  } catch (const Error& bad) {
    check.missing.emplace_back(bad.what());
  }
}

}  // namespace

ImagenetCheck check_imagenet(const fs::path& folder) {
  std::error_code error;
  if (!fs::is_directory(folder, error)) {
    throw bad_input(fmt::format("{}: no such folder; name the one that has the images with --data",
                                folder.string()));
  }
  ImagenetCheck check;
  check_images(folder, check);
  check_labels(folder, check);
  return check;
}

std::string how_to_get_imagenet(const fs::path& folder) {
  return fmt::format(
      "ImageNet may not be passed on: its terms (research and teaching only) are between you and\n"
      "image-net.org, where you register and obtain of ILSVRC2012\n"
      "  ILSVRC2012_img_val.tar          the 50,000 validation images, 6.3 GB; unpack into "
      "{0}/val\n"
      "  ILSVRC2012_devkit_t12.tar.gz    their ground truth\n"
      "and write the labels into {0}/imagenet_labels.txt, one a line in the order of the images, "
      "as your\n"
      "models count the classes: 0 to 999 in the order of the WordNet numbers (n01440764 first). "
      "The ILSVRC\n"
      "numbers of the ground truth, 1 to 1000, are in another order: meta.mat of the devkit tells "
      "which is\n"
      "which. Images prepared beforehand (224x224x3 bytes, row by row, R G B) go into\n"
      "{0}/bin/ILSVRC2012_val_00000001.bin and so on.\n",
      folder.string());
}

}  // namespace hedge
