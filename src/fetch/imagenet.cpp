// SPDX-License-Identifier: Apache-2.0
#include "fetch/imagenet.h"

#include <fmt/format.h>

#include <cstdint>
#include <system_error>

#include "data/imagenet_files.h"
#include "data/label_file.h"
#include "hedge/error.h"

namespace hedge {
namespace {

namespace fs = std::filesystem;

struct Images {
  std::vector<bool> there = std::vector<bool>(kImagenetImages + 1);
  std::size_t count = 0;
  std::size_t bad = 0;
  std::string first_bad;
  std::size_t twice = 0;  ///< In two folders: the dataset refuses that.
  std::string first_twice;
  std::size_t beyond = 0;  ///< With a number above 50000.
};

void count_image(const ImagenetFile& file, bool raw, Images& images) {
  if (file.number > kImagenetImages) {
    ++images.beyond;
    return;
  }
  const std::string name = file.path.filename().string();
  std::error_code error;
  const std::uintmax_t size = fs::file_size(file.path, error);
  const bool right = !error && (raw ? size == kRawBytes : size > 0);
  if (!right && images.bad++ == 0) {
    images.first_bad = error ? fmt::format("{}: {}", name, error.message())
                             : fmt::format("{} has {} bytes", name, size);
  }
  if (!right) return;
  if (images.there[file.number]) {
    if (images.twice++ == 0) images.first_twice = name;
    return;
  }
  images.there[file.number] = true;
  ++images.count;
}

/// "number 17, 18 and 49,981 more".
std::string gaps(const Images& images) {
  std::string text;
  std::size_t named = 0;
  for (std::size_t number = 1; number <= kImagenetImages && named < 3; ++number) {
    if (!images.there[number]) text += fmt::format("{}{}", named++ == 0 ? "" : ", ", number);
  }
  const std::size_t more = kImagenetImages - images.count - named;
  return more == 0 ? text : fmt::format("{} and {} more", text, more);
}

void check_images(const fs::path& folder, ImagenetCheck& check) {
  const ImagenetFiles found = find_imagenet_files(folder);
  Images images;
  for (const ImagenetFile& file : found.files) count_image(file, found.raw, images);
  const std::string& where = found.where;
  if (images.count > 0) {
    check.found.push_back(fmt::format("{}: {} of {} images", where, images.count, kImagenetImages));
  }
  if (found.passed_over > 0) check.missing.push_back(passed_over_text(found));
  if (images.bad > 0) {
    check.missing.push_back(
        fmt::format("{}: {} of the wrong size (first: {}){}", where, images.bad, images.first_bad,
                    found.raw ? fmt::format("; {} bytes are right", kRawBytes) : ""));
  }
  if (images.beyond > 0) {
    check.missing.push_back(fmt::format("{}: {} with numbers above {}; remove them", where,
                                        images.beyond, kImagenetImages));
  }
  if (images.twice > 0) {
    check.missing.push_back(fmt::format("{}: {} are there twice (first: {}); remove one of each",
                                        where, images.twice, images.first_twice));
  }
  if (images.count == 0 && images.bad == 0) {
    check.missing.push_back(fmt::format("{}: no images, {} are needed", where, kImagenetImages));
  } else if (images.count < kImagenetImages) {
    check.missing.push_back(fmt::format("{}: {} images are missing, number {}", where,
                                        kImagenetImages - images.count, gaps(images)));
  }
}

void check_labels(const fs::path& folder, ImagenetCheck& check) {
  const fs::path file = folder / kImagenetLabels;
  std::error_code error;
  if (!fs::exists(file, error)) {
    check.missing.push_back(fmt::format("{}: {} labels, one a line, from 0 to {}", file.string(),
                                        kImagenetImages, kImagenetClasses - 1));
    return;
  }
  try {
    std::vector<bool> seen(kImagenetClasses);
    std::size_t classes = 0;
    for (const int label : read_labels(file, kImagenetImages, kImagenetClasses)) {
      const auto index = static_cast<std::size_t>(label);
      if (!seen[index]) ++classes;
      seen[index] = true;
    }
    if (classes < seen.size()) {
      check.missing.push_back(fmt::format("{}: only {} of {} classes occur in it", file.string(),
                                          classes, kImagenetClasses));
      return;
    }
    check.found.push_back(fmt::format("{}: {} labels", file.string(), kImagenetImages));
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
