// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "hedge/dataset.h"

namespace hedge {

/// The CIFAR-10 binary form: records of one label byte and 3,072 bytes of a 32x32 image, the planes
/// red, green and blue one after the other. (https://www.cs.toronto.edu/~kriz/cifar.html)
inline constexpr std::size_t kCifarPixelBytes = 3072;
inline constexpr std::size_t kCifarRecordBytes = 1 + kCifarPixelBytes;
inline constexpr int kCifarClasses = 10;

/// Maps the file. Throws bad_input: as MappedFile::open, empty, a size that is no multiple of the
/// record, a label out of range (with record and byte). `class_names` outlive the dataset.
[[nodiscard]] std::unique_ptr<Dataset> open_cifar(const std::filesystem::path& file,
                                                  std::span<const std::string> class_names = {});

/// The same on bytes in memory, kept alive by `owner`; `name` is for messages.
[[nodiscard]] std::unique_ptr<Dataset> cifar_from_bytes(
    std::span<const std::byte> bytes, std::shared_ptr<const void> owner, const std::string& name,
    std::span<const std::string> class_names = {});

/// `file` in the first of the folders in which Dataset::open looks for datasets (that of `data`
/// where it is a file itself). Throws bad_input that lists where it was looked for.
[[nodiscard]] std::filesystem::path find_data_file(const std::string& file,
                                                   const std::filesystem::path& data);

/// The file that Dataset::open(name, data) opens: `data` itself where it is a file, else the first
/// hit of the search. Throws bad_input as it does for a name or file that is not there.
[[nodiscard]] std::filesystem::path find_dataset_file(const std::string& name,
                                                      const std::filesystem::path& data);

/// The training images of cifar (data_batch_*.bin) or shapes (shapes_train.bin), sorted, from the
/// first folder of the same search that has any; none where none has (imagenet has none).
[[nodiscard]] std::vector<std::filesystem::path> find_training_files(
    const std::string& name, const std::filesystem::path& data);

}  // namespace hedge
