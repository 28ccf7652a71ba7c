// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "hedge/dataset.h"

namespace hedge {

/// One image of a dataset of files. Which it is, raw bytes or a picture, tells the extension.
struct ImageFile {
  std::filesystem::path path;
  int label = 0;
};

/// Images that are read when they are asked for. `upright`: EXIF's orientation is applied.
[[nodiscard]] std::unique_ptr<Dataset> dataset_of_files(std::vector<ImageFile> files, int classes,
                                                        std::vector<std::string> class_names,
                                                        bool upright);

/// Pictures below `folder`. Without `labels`: one sub-folder a class, in the order of their names.
/// With it: lines "FILE CLASS", or one class a line in the order of the files' names. Throws
/// bad_input: no such folder, no pictures, a class without any, labels that do not go with the
/// files.
[[nodiscard]] std::unique_ptr<Dataset> open_folder(const std::filesystem::path& folder,
                                                   const std::filesystem::path& labels);

/// All pictures below `folder`, as if of one class.
[[nodiscard]] std::unique_ptr<Dataset> open_unlabelled(const std::filesystem::path& folder);

/// The pictures (paths below `folder`, sorted) with the classes that the text of a label file
/// states in one of its two forms. `labels` is its name for messages. Throws bad_input.
[[nodiscard]] std::vector<ImageFile> label_pictures(const std::filesystem::path& folder,
                                                    const std::vector<std::string>& pictures,
                                                    const std::string& text,
                                                    const std::string& labels);

/// The images that find_imagenet_files (imagenet_files.h) lists in `folder`; line N of `labels`
/// (empty: folder/imagenet_labels.txt) is the class of image N. Nothing where there are none.
/// Throws bad_input for labels that are missing, too few or none of 1000 classes.
[[nodiscard]] std::unique_ptr<Dataset> open_imagenet(const std::filesystem::path& folder,
                                                     const std::filesystem::path& labels);

/// Arrays of NumPy, mapped: u8 images, N x H x W x 3 or N x 3 x H x W, and N integers. `labels` may
/// also be a text file, one class a line. Throws bad_input, naming the file.
[[nodiscard]] std::unique_ptr<Dataset> open_npy(const std::filesystem::path& images,
                                                const std::filesystem::path& labels);

/// The same on bytes in memory, kept alive by `owner`; names are for messages.
[[nodiscard]] std::unique_ptr<Dataset> npy_from_bytes(std::span<const std::byte> images,
                                                      const std::string& images_name,
                                                      std::shared_ptr<const void> owner,
                                                      std::vector<int> labels);
/// The classes in an array of one axis of integers of any width. Throws bad_input.
[[nodiscard]] std::vector<int> labels_from_npy(std::span<const std::byte> bytes,
                                               const std::string& name);

}  // namespace hedge
