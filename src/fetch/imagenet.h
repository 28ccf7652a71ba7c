// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace hedge {

/// What a folder holds of the ImageNet validation set (ILSVRC2012): 50,000 images, either
/// `bin/ILSVRC2012_val_%08d.bin` (224x224x3 bytes each, from 1) or the JPEGs as they come
/// (`ILSVRC2012_val_%08d.JPEG` in the folder, in `val` or in folders of classes below it), and
/// `imagenet_labels.txt`.
struct ImagenetCheck {
  std::vector<std::string> found;    ///< One line each, for people.
  std::vector<std::string> missing;  ///< Likewise; empty when the set is complete.
};

/// Names and sizes of all images and every label are looked at, no image is decoded. Throws
/// bad_input where there is no such folder.
[[nodiscard]] ImagenetCheck check_imagenet(const std::filesystem::path& folder);

/// What to obtain, where, under which terms, and where to put it in `folder`.
[[nodiscard]] std::string how_to_get_imagenet(const std::filesystem::path& folder);

}  // namespace hedge
