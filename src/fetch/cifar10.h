// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace hedge {

/// What https://www.cs.toronto.edu/~kriz/cifar.html offers as "CIFAR-10 binary version". The page
/// gives an MD5, c32a1d4ab5d03f1284b67883e8d87530; the SHA-256 of the same file is published by
/// TensorFlow Datasets (url_checksums/cifar10.txt), and unlike an MD5 it cannot be forged.
inline constexpr const char* kCifar10Url =
    "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz";
inline constexpr std::uint64_t kCifar10Bytes = 170'052'171;
inline constexpr const char* kCifar10Sha256 =
    "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd";

struct Cifar10Options {
  std::filesystem::path folder = "data";
  std::string url = kCifar10Url;
  std::string sha256 = kCifar10Sha256;  ///< Of the archive, lower case.
  std::uint64_t bytes = kCifar10Bytes;  ///< Of the archive; 0: not known.
  bool force = false;                   ///< Replace files that this did not write.
  int timeout_s = 30;
  int retries = 5;
  /// Bytes of the archive that are there, and in all (0: unknown).
  std::function<void(std::uint64_t, std::uint64_t)> progress;
};

enum class Fetched {
  kDone,
  kWasThere,   ///< Nothing was done: the files are those that an earlier run unpacked.
  kCancelled,  ///< What was downloaded is kept for the next run.
};

/// Downloads, verifies and unpacks CIFAR-10 into `folder`: data_batch_1.bin to data_batch_5.bin,
/// test_batch.bin, batches.meta.txt, and cifar-10.sha256, the checksums of these in the format of
/// sha256sum, by which the next run knows them. Throws bad_input where a file of such a name is
/// there that no run wrote, runtime_failure for what goes wrong underway.
[[nodiscard]] Fetched fetch_cifar10(const Cifar10Options& options);

using Checksums = std::map<std::string, std::string>;  ///< File name to SHA-256.

/// The lines "checksum  name" of cifar-10.sha256; none where it is of another archive.
[[nodiscard]] Checksums parse_checksums(std::string_view text, const std::string& archive_sha256);

/// Names of the files, without the folder.
[[nodiscard]] const std::vector<std::string>& cifar10_files();

}  // namespace hedge
