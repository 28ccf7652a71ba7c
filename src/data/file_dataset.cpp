// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <utility>

#include "base/file.h"
#include "data/file_datasets.h"
#include "data/imagenet_files.h"
#include "data/picture.h"
#include "hedge/error.h"

namespace hedge {
namespace {

Image raw_image(const std::filesystem::path& path) {
  auto mapped = MappedFile::open(path);
  const auto bytes = mapped->bytes();
  if (bytes.size() != kRawBytes) {
    throw bad_input(
        fmt::format("{}: {} bytes; a raw image of ImageNet has {} ({}x{}x3, u8, interleaved)",
                    path.string(), bytes.size(), kRawBytes, kRawEdge, kRawEdge));
  }
  return {.pixels = {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()},
          .height = kRawEdge,
          .width = kRawEdge,
          .layout = PixelLayout::kInterleaved,
          .owner = std::move(mapped)};
}

class FileDataset final : public Dataset {
 public:
  FileDataset(std::vector<ImageFile> files, int classes, std::vector<std::string> class_names,
              bool upright)
      : files_(std::move(files)),
        classes_(classes),
        class_names_(std::move(class_names)),
        upright_(upright) {}

  [[nodiscard]] std::size_t size() const override { return files_.size(); }
  [[nodiscard]] int classes() const override { return classes_; }
  [[nodiscard]] int label(std::size_t index) const override { return files_[index].label; }
  [[nodiscard]] std::string name(std::size_t index) const override {
    return files_[index].path.string();
  }
  [[nodiscard]] std::span<const std::string> class_names() const override { return class_names_; }
  [[nodiscard]] bool decodes() const override { return true; }

  [[nodiscard]] Image image(std::size_t index) const override {
    const ImageFile& file = files_[index];
    Image image;
    if (is_picture_name(file.path)) {
      auto picture =
          std::make_shared<const Picture>(read_picture(file.path, {.upright = upright_}));
      image = {.pixels = picture->rgb,
               .height = picture->height,
               .width = picture->width,
               .layout = PixelLayout::kInterleaved,
               .owner = picture,
               .presized = false};
    } else {
      image = raw_image(file.path);
    }
    image.label = file.label;
    return image;
  }

 private:
  std::vector<ImageFile> files_;
  int classes_;
  std::vector<std::string> class_names_;
  bool upright_;
};

}  // namespace

std::unique_ptr<Dataset> dataset_of_files(std::vector<ImageFile> files, int classes,
                                          std::vector<std::string> class_names, bool upright) {
  return std::make_unique<FileDataset>(std::move(files), classes, std::move(class_names), upright);
}

}  // namespace hedge
