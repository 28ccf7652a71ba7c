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

/// One labelled image, RGB, 8 bits a channel. The pixels stay valid as long as the dataset and
/// `owner`, where there is one, live.
struct Image {
  std::span<const std::uint8_t> pixels;
  int height = 0;
  int width = 0;
  PixelLayout layout = PixelLayout::kPlanar;
  int label = 0;
  /// Of pixels that were decoded for this image; empty where they lie in a mapped file.
  std::shared_ptr<const void> owner = nullptr;
  /// Was made for tensors of its size: a recipe's resize and crop are for other sizes only. False
  /// for pictures, which are always resized and cropped.
  bool presized = true;
};

/// Labelled images in a fixed order, at least one. Reads are thread-safe.
class Dataset {
 public:
  virtual ~Dataset() = default;
  [[nodiscard]] virtual std::size_t size() const = 0;
  /// All labels are below it.
  [[nodiscard]] virtual int classes() const = 0;
  /// `index` < size(). Throws bad_input where the image is read only now and cannot be.
  [[nodiscard]] virtual Image image(std::size_t index) const = 0;
  /// That of image(index), without reading the image.
  [[nodiscard]] virtual int label(std::size_t index) const = 0;
  /// For messages: the image's file, or "image 17".
  [[nodiscard]] virtual std::string name(std::size_t index) const;
  /// One for each class, or none where they are not known.
  [[nodiscard]] virtual std::span<const std::string> class_names() const { return {}; }
  /// Whether image() reads and decodes a file, so that decoding ahead (data/decode_ahead.h) pays.
  [[nodiscard]] virtual bool decodes() const { return false; }

  /// Opens the test split of the dataset called `name` ("cifar", "shapes", "imagenet"; aliases as
  /// "cifar10", "CIFAR-10") below the first folder of `data` that holds it, or the user's own:
  /// "folder:DIR" or "npy:X.npy,Y.npy" (docs/datasets.md). `data` empty means the search order of
  /// the programs: $HEDGE_DATA, else data, else ../data. `labels` is a label file in place of the
  /// dataset's own. Throws bad_input: no such dataset, no such file (says what was looked for and
  /// how to get it), empty, truncated, a label out of range, labels that do not go with the images.
  static std::unique_ptr<Dataset> open(const std::string& name, const std::filesystem::path& data,
                                       const std::filesystem::path& labels = {});
};

}  // namespace hedge
