// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace hedge {

/// Of the validation set of ILSVRC2012.
inline constexpr std::size_t kImagenetImages = 50'000;
inline constexpr int kImagenetClasses = 1000;
inline constexpr const char* kImagenetLabels = "imagenet_labels.txt";

/// Edge and size of the original's raw files, u8, interleaved.
inline constexpr int kRawEdge = 224;
inline constexpr std::size_t kRawBytes = std::size_t{3} * kRawEdge * kRawEdge;

struct ImagenetFile {
  std::size_t number;  ///< From 1.
  std::filesystem::path path;
};

/// The images of a folder, as the dataset reads and `fetch-data` checks them.
struct ImagenetFiles {
  bool raw = false;  ///< The original's .bin, else JPEGs.
  /// "data/bin/ILSVRC2012_val_*.bin", for messages; that of data/val/ where there are none.
  std::string where;
  std::vector<ImagenetFile> files;  ///< By number; an image that is there twice is twice here.
  /// JPEGs that are not read, because bin/ goes before them though it is no whole set.
  std::size_t passed_over = 0;
};

/// bin/ILSVRC2012_val_N.bin, else ILSVRC2012_val_N.JPEG (in any case) in `folder`, in its val/ or
/// in that one's folders of classes, into which torchvision sorts them.
[[nodiscard]] ImagenetFiles find_imagenet_files(const std::filesystem::path& folder);

/// "bin/... holds 3 of 50000 images and goes before the 50000 JPEGs beside it: ...".
[[nodiscard]] std::string passed_over_text(const ImagenetFiles& files);

}  // namespace hedge
