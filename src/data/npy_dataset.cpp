// SPDX-License-Identifier: Apache-2.0
// Images and labels out of .npy files.
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "base/file.h"
#include "base/naming.h"
#include "base/text.h"
#include "data/file_datasets.h"
#include "data/label_file.h"
#include "data/npy.h"
#include "data/picture.h"
#include "hedge/error.h"

namespace hedge {
namespace {

class NpyDataset final : public Dataset {
 public:
  NpyDataset(const NpyArray& array, std::shared_ptr<const void> owner, std::vector<int> labels)
      : owner_(std::move(owner)),
        pixels_(reinterpret_cast<const std::uint8_t*>(array.data.data())),
        labels_(std::move(labels)),
        interleaved_(array.shape[3] == 3),
        height_(array.shape[interleaved_ ? 1 : 2]),
        width_(array.shape[interleaved_ ? 2 : 3]),
        classes_(*std::max_element(labels_.begin(), labels_.end()) + 1) {}

  [[nodiscard]] std::size_t size() const override { return labels_.size(); }
  [[nodiscard]] int classes() const override { return classes_; }
  [[nodiscard]] int label(std::size_t index) const override { return labels_[index]; }
  [[nodiscard]] Image image(std::size_t index) const override {
    const std::size_t bytes = 3 * height_ * width_;
    return {.pixels = {pixels_ + index * bytes, bytes},
            .height = static_cast<int>(height_),
            .width = static_cast<int>(width_),
            .layout = interleaved_ ? PixelLayout::kInterleaved : PixelLayout::kPlanar,
            .label = labels_[index]};
  }

 private:
  std::shared_ptr<const void> owner_;
  const std::uint8_t* pixels_;
  std::vector<int> labels_;
  bool interleaved_;
  std::size_t height_;
  std::size_t width_;
  int classes_;
};

}  // namespace

std::vector<int> labels_from_npy(std::span<const std::byte> bytes, const std::string& name) {
  return naming(name, [&] {
    const NpyArray array = npy_array(bytes);
    const std::string& type = array.type;
    const bool is_integer = type.size() == 3 &&
                            std::string_view("<>|=").find(type[0]) != std::string_view::npos &&
                            (type[1] == 'i' || type[1] == 'u') &&
                            std::string_view("1248").find(type[2]) != std::string_view::npos;
    if (!is_integer || array.shape.size() != 1) {
      throw bad_input(
          fmt::format("has type '{}' and shape {}; labels are integers of one axis, "
                      "one for each image",
                      type, npy_shape_text(array.shape)));
    }
    const auto size = static_cast<std::size_t>(type[2] - '0');
    require_npy_data(array, size);
    std::vector<int> labels(array.shape[0]);
    for (std::size_t i = 0; i < labels.size(); ++i) {
      std::uint64_t value = 0;
      for (std::size_t b = 0; b < size; ++b) {
        const std::size_t at = type[0] == '>' ? b : size - 1 - b;
        value = value << 8U | std::to_integer<std::uint64_t>(array.data[i * size + at]);
      }
      // A negative number is a large one here: both are out of range.
      if (value >= static_cast<std::uint64_t>(kMostClasses) ||
          (type[1] == 'i' && (value >> (8 * size - 1)) != 0)) {
        throw bad_input(fmt::format("label {} of image {} is no class from 0 to {}",
                                    type[1] == 'i' && (value >> (8 * size - 1)) != 0
                                        ? std::string("below 0")
                                        : fmt::format("{}", value),
                                    i, kMostClasses - 1));
      }
      labels[i] = static_cast<int>(value);
    }
    return labels;
  });
}

std::unique_ptr<Dataset> npy_from_bytes(std::span<const std::byte> images,
                                        const std::string& images_name,
                                        std::shared_ptr<const void> owner,
                                        std::vector<int> labels) {
  return naming(images_name, [&]() -> std::unique_ptr<Dataset> {
    const NpyArray array = npy_array(images);
    if (array.type != "|u1" && array.type != "<u1" && array.type != ">u1" && array.type != "u1") {
      throw bad_input(fmt::format(
          "has type '{}'; images are bytes 0 to 255 (numpy's astype('uint8'))", array.type));
    }
    const auto& shape = array.shape;
    if (shape.size() != 4 || (shape[3] != 3 && shape[1] != 3)) {
      throw bad_input(fmt::format("has shape {}; images are N x H x W x 3 or N x 3 x H x W",
                                  npy_shape_text(shape)));
    }
    require_npy_data(array, 1);
    if (shape[0] == 0) throw bad_input("holds no image");
    const bool interleaved = shape[3] == 3;
    const auto bounded = [](std::size_t extent) {
      return static_cast<std::int64_t>(std::min<std::size_t>(extent, kMostPixels + 1));
    };
    check_extents(bounded(shape[interleaved ? 1 : 2]), bounded(shape[interleaved ? 2 : 3]),
                  kMostPixels);
    if (labels.size() != shape[0]) {
      throw bad_input(
          fmt::format("holds {} images, but there are {} labels", shape[0], labels.size()));
    }
    return std::make_unique<NpyDataset>(array, std::move(owner), std::move(labels));
  });
}

std::unique_ptr<Dataset> open_npy(const std::filesystem::path& images,
                                  const std::filesystem::path& labels) {
  auto mapped = MappedFile::open(images);
  const auto bytes = mapped->bytes();
  auto classes = to_lower(labels.extension().string()) == ".npy"
                     ? labels_from_npy(MappedFile::open(labels)->bytes(), labels.string())
                     : read_labels(labels, kMostClasses);
  return npy_from_bytes(bytes, images.string(), std::move(mapped), std::move(classes));
}

}  // namespace hedge
