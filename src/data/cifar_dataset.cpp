// SPDX-License-Identifier: Apache-2.0
#include "data/cifar_dataset.h"

#include <fmt/format.h>

#include <cstdint>
#include <utility>

#include "base/file.h"
#include "hedge/error.h"

namespace hedge {
namespace {

class CifarDataset final : public Dataset {
 public:
  CifarDataset(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
               std::span<const std::string> class_names)
      : owner_(std::move(owner)),
        records_(reinterpret_cast<const std::uint8_t*>(bytes.data())),
        size_(bytes.size() / kCifarRecordBytes),
        class_names_(class_names) {}

  [[nodiscard]] std::size_t size() const override { return size_; }
  [[nodiscard]] int classes() const override { return kCifarClasses; }
  [[nodiscard]] Image image(std::size_t index) const override {
    const std::uint8_t* record = records_ + index * kCifarRecordBytes;
    return {.pixels = {record + 1, kCifarPixelBytes},
            .height = 32,
            .width = 32,
            .layout = PixelLayout::kPlanar,
            .label = *record};
  }
  [[nodiscard]] int label(std::size_t index) const override {
    return records_[index * kCifarRecordBytes];
  }
  [[nodiscard]] std::span<const std::string> class_names() const override { return class_names_; }

 private:
  std::shared_ptr<const void> owner_;
  const std::uint8_t* records_;
  std::size_t size_;
  std::span<const std::string> class_names_;
};

}  // namespace

std::unique_ptr<Dataset> cifar_from_bytes(std::span<const std::byte> bytes,
                                          std::shared_ptr<const void> owner,
                                          const std::string& name,
                                          std::span<const std::string> class_names) {
  if (bytes.empty()) throw bad_input(fmt::format("{}: empty; fetch or make it again", name));
  const std::size_t left = bytes.size() % kCifarRecordBytes;
  if (left != 0) {
    throw bad_input(
        fmt::format("{}: {} bytes are no whole number of CIFAR-10 records of {} bytes: record {}, "
                    "at byte {}, is cut short (or this is another kind of file)",
                    name, bytes.size(), kCifarRecordBytes, bytes.size() / kCifarRecordBytes,
                    bytes.size() - left));
  }
  for (std::size_t at = 0; at < bytes.size(); at += kCifarRecordBytes) {
    const auto label = std::to_integer<int>(bytes[at]);
    if (label >= kCifarClasses) {
      throw bad_input(fmt::format("{}: record {} (byte {}) has label {}; labels go from 0 to {}",
                                  name, at / kCifarRecordBytes, at, label, kCifarClasses - 1));
    }
  }
  return std::make_unique<CifarDataset>(bytes, std::move(owner), class_names);
}

std::unique_ptr<Dataset> open_cifar(const std::filesystem::path& file,
                                    std::span<const std::string> class_names) {
  auto mapped = MappedFile::open(file);
  const auto bytes = mapped->bytes();
  return cifar_from_bytes(bytes, std::move(mapped), file.string(), class_names);
}

}  // namespace hedge
