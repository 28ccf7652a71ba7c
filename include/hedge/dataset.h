// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

namespace hedge {

enum class PixelLayout : std::uint8_t {
  kPlanar,       ///< C x H x W, as CIFAR-10's files.
  kInterleaved,  ///< H x W x C, as decoded JPEGs.
};

/// One labelled image, RGB, 8 bits a channel. The pixels belong to the dataset and stay valid as
/// long as it lives.
struct Image {
  std::span<const std::uint8_t> pixels;
  int height = 0;
  int width = 0;
  PixelLayout layout = PixelLayout::kPlanar;
  int label = 0;
};

/// Labelled images in a fixed order. Reads are thread-safe.
class Dataset {
 public:
  virtual ~Dataset() = default;
  [[nodiscard]] virtual std::size_t size() const = 0;
  [[nodiscard]] virtual int classes() const = 0;
  /// `index` < size().
  [[nodiscard]] virtual Image image(std::size_t index) const = 0;

  /// Opens the test split of the dataset called `name` ("cifar", "shapes"; aliases as "cifar10",
  /// "CIFAR-10") below the first folder of `data` that holds it. `data` empty means the search
  /// order of the programs: $HEDGE_DATA, else data, else ../data. Throws bad_input: no such
  /// dataset, no such file (says what was looked for and how to get it), empty, truncated, a label
  /// out of range.
  static std::unique_ptr<Dataset> open(const std::string& name, const std::filesystem::path& data);
};

}  // namespace hedge
