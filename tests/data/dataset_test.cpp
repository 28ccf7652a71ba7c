// SPDX-License-Identifier: Apache-2.0
#include "hedge/dataset.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "data/cifar_dataset.h"
#include "data/dataset_names.h"
#include "hedge/error.h"
#include "support/temporary_folder.h"

namespace hedge {
namespace {

namespace fs = std::filesystem;

/// Records whose label is the index modulo 10 and whose pixels tell record and position.
std::string records(std::size_t count) {
  std::string bytes;
  for (std::size_t i = 0; i < count; ++i) {
    bytes.push_back(static_cast<char>(i % 10));
    for (std::size_t p = 0; p < kCifarPixelBytes; ++p) {
      bytes.push_back(static_cast<char>((p * 7 + i * 13) % 256));
    }
  }
  return bytes;
}

template <class Function>
std::string refusal(Function function) {
  try {
    (void)function();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kBadInput);
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    return error.what();
  }
  return "accepted";
}

std::string refusal_of_bytes(const std::string& bytes) {
  return refusal(
      [&] { return cifar_from_bytes(std::as_bytes(std::span(bytes)), nullptr, "x.bin"); });
}

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// A folder of its own as the current one, without $HEDGE_DATA.
class DatasetFiles : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(root_ / "work");
    before_ = fs::current_path();
    fs::current_path(root_ / "work");
    if (const char* value = std::getenv("HEDGE_DATA")) environment_ = value;
    ::unsetenv("HEDGE_DATA");
  }
  void TearDown() override {
    fs::current_path(before_);
    ::unsetenv("HEDGE_DATA");
    if (environment_) ::setenv("HEDGE_DATA", environment_->c_str(), 1);
  }
  void put(const fs::path& path, const std::string& bytes) const {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path, std::ios::binary) << bytes;
  }
  static std::size_t size_of(const std::string& name, const fs::path& data) {
    return Dataset::open(name, data)->size();
  }

  test::TemporaryFolder folder_;
  fs::path root_ = folder_.path();
  fs::path before_;
  std::optional<std::string> environment_;
};

TEST(DatasetNames, Aliases) {
  for (const char* name : {"cifar", "cifar10", "CIFAR-10", "Cifar_10", "CIFAR"}) {
    EXPECT_EQ(canonical_dataset(name), "cifar") << name;
  }
  for (const char* name : {"imagenet", "ImageNet1k", "imagenet-1k", "ILSVRC2012"}) {
    EXPECT_EQ(canonical_dataset(name), "imagenet") << name;
  }
  EXPECT_EQ(canonical_dataset("Shapes"), "shapes");
  for (const char* name : {"", "cifar100", "cifa", "-", "imagenet21k", "cifar "}) {
    EXPECT_EQ(canonical_dataset(name), "") << name;
  }
  for (const auto known : known_datasets()) EXPECT_EQ(canonical_dataset(known), known);
}

TEST(DatasetNames, TheUsersOwnBecomeAbsolute) {
  const std::string here = std::filesystem::current_path().string();
  EXPECT_EQ(absolute_dataset("folder:a/../photos"), "folder:" + here + "/photos");
  EXPECT_EQ(absolute_dataset("npy:x.npy,/d/y.npy"), "npy:" + here + "/x.npy,/d/y.npy");
  EXPECT_EQ(absolute_dataset("npy:x.npy"), "npy:" + here + "/x.npy");
  EXPECT_EQ(absolute_dataset("folder:/photos, mine"), "folder:/photos, mine");
  for (const char* same : {"cifar", "", "folder:", "npy:", "npy:,"}) {
    EXPECT_EQ(absolute_dataset(same), same);
  }
}

TEST(CifarDataset, ReadsRecords) {
  const std::string bytes = records(23);
  const auto dataset = cifar_from_bytes(std::as_bytes(std::span(bytes)), nullptr, "x.bin");
  EXPECT_EQ(dataset->size(), 23U);
  EXPECT_EQ(dataset->classes(), 10);
  for (std::size_t i = 0; i < 23; ++i) {
    const Image image = dataset->image(i);
    EXPECT_EQ(image.label, static_cast<int>(i % 10));
    EXPECT_EQ(image.height, 32);
    EXPECT_EQ(image.width, 32);
    EXPECT_EQ(image.layout, PixelLayout::kPlanar);
    ASSERT_EQ(image.pixels.size(), kCifarPixelBytes);
    for (std::size_t p = 0; p < kCifarPixelBytes; ++p) {
      ASSERT_EQ(image.pixels[p], (p * 7 + i * 13) % 256) << i << ' ' << p;
    }
  }
}

TEST(CifarDataset, DoesNotCopyAndKeepsTheOwner) {
  auto bytes = std::make_shared<const std::string>(records(2));
  const std::weak_ptr<const std::string> watch = bytes;
  const auto* first = reinterpret_cast<const std::uint8_t*>(bytes->data());
  auto dataset = cifar_from_bytes(std::as_bytes(std::span(*bytes)), bytes, "x.bin");
  bytes.reset();
  EXPECT_FALSE(watch.expired());
  EXPECT_EQ(dataset->image(1).pixels.data(), first + kCifarRecordBytes + 1);
  dataset.reset();
  EXPECT_TRUE(watch.expired());
}

TEST(CifarDataset, RefusesBadBytes) {
  EXPECT_TRUE(holds(refusal_of_bytes(""), "x.bin: empty"));
  for (const std::size_t size : {1U, 3072U, 3074U, 6145U, 6147U}) {
    const std::string message = refusal_of_bytes(records(3).substr(0, size));
    EXPECT_TRUE(holds(message, std::to_string(size) + " bytes")) << message;
    EXPECT_TRUE(holds(message, "at byte " + std::to_string(size / 3073 * 3073))) << message;
    EXPECT_TRUE(holds(message, "record " + std::to_string(size / 3073))) << message;
  }
  for (const int label : {10, 127, 128, 255}) {
    std::string bytes = records(3);
    bytes[2 * kCifarRecordBytes] = static_cast<char>(label);
    const std::string message = refusal_of_bytes(bytes);
    EXPECT_TRUE(holds(message, "record 2 (byte 6146) has label " + std::to_string(label)))
        << message;
  }
}

TEST_F(DatasetFiles, OpensBelowTheFolderGiven) {
  put("a/test_batch.bin", records(1));
  put("b/cifar-10-batches-bin/test_batch.bin", records(2));
  put("c/shapes_test.bin", records(3));
  EXPECT_EQ(size_of("CIFAR-10", root_ / "a"), 1U);
  EXPECT_EQ(size_of("cifar", root_ / "b"), 2U);
  EXPECT_EQ(size_of("shapes", root_ / "c"), 3U);
  EXPECT_THROW((void)Dataset::open("shapes", root_ / "a"), Error);
  EXPECT_THROW((void)Dataset::open("cifar", root_ / "c"), Error);
  put("a/cifar-10-batches-bin/test_batch.bin", records(4));
  EXPECT_EQ(size_of("cifar", root_ / "a"), 1U);
}

TEST_F(DatasetFiles, AFileIsTakenItself) {
  put("mine.bin", records(5));
  EXPECT_EQ(size_of("cifar", root_ / "mine.bin"), 5U);
  EXPECT_EQ(size_of("shapes", root_ / "mine.bin"), 5U);
  EXPECT_EQ(find_dataset_file("cifar", root_ / "mine.bin"), root_ / "mine.bin");
}

TEST_F(DatasetFiles, SearchOrder) {
  put("data/test_batch.bin", records(1));  // ../data as seen from work/
  EXPECT_EQ(size_of("cifar", {}), 1U);
  put("work/data/test_batch.bin", records(2));
  EXPECT_EQ(size_of("cifar", {}), 2U);
  put("elsewhere/test_batch.bin", records(3));
  ::setenv("HEDGE_DATA", (root_ / "elsewhere").c_str(), 1);
  EXPECT_EQ(size_of("cifar", {}), 3U);
  put("given/test_batch.bin", records(4));
  EXPECT_EQ(size_of("cifar", root_ / "given"), 4U);
  ::setenv("HEDGE_DATA", "", 1);  // Set and empty is not set.
  EXPECT_EQ(size_of("cifar", {}), 2U);
}

TEST_F(DatasetFiles, AStatedFolderIsNotSearchedAround) {
  put("data/test_batch.bin", records(1));
  fs::create_directories(root_ / "wrong");
  EXPECT_THROW((void)Dataset::open("cifar", root_ / "wrong"), Error);
  ::setenv("HEDGE_DATA", (root_ / "wrong").c_str(), 1);
  EXPECT_THROW((void)Dataset::open("cifar", {}), Error);
}

TEST_F(DatasetFiles, NotFoundSaysWhereAndHowToGetIt) {
  const std::string cifar = refusal([] { return Dataset::open("cifar", {}); });
  EXPECT_TRUE(holds(cifar, "test_batch.bin in data (no such folder)")) << cifar;
  EXPECT_TRUE(holds(cifar, "../data (no such folder)")) << cifar;
  EXPECT_TRUE(holds(cifar, "hedge fetch-data cifar10")) << cifar;
  fs::create_directories("data");
  const std::string shapes = refusal([] { return Dataset::open("shapes", {}); });
  EXPECT_TRUE(holds(shapes, "data/shapes_test.bin")) << shapes;
  EXPECT_TRUE(holds(shapes, "hedge make-data shapes DIR")) << shapes;
}

TEST_F(DatasetFiles, UnknownNames) {
  const std::string typo = refusal([] { return Dataset::open("shape", {}); });
  EXPECT_TRUE(holds(typo, "no dataset 'shape' (did you mean shapes?)")) << typo;
  EXPECT_TRUE(holds(typo, "cifar, imagenet and shapes")) << typo;
  EXPECT_NE(refusal([] { return Dataset::open("", {}); }), "accepted");
  const std::string imagenet = refusal([] { return Dataset::open("imagenet1k", {}); });
  EXPECT_TRUE(holds(imagenet, "dataset imagenet not found")) << imagenet;
  EXPECT_TRUE(holds(imagenet, "data/bin/ILSVRC2012_val_00000001.bin")) << imagenet;
}

TEST_F(DatasetFiles, BadFilesAreNamed) {
  put("empty/test_batch.bin", "");
  put("cut/test_batch.bin", records(2).substr(0, 5000));
  fs::create_directories(root_ / "folder/test_batch.bin");
  for (const char* name : {"empty", "cut", "folder"}) {
    const fs::path folder = root_ / name;
    const std::string message = refusal([&] { return Dataset::open("cifar", folder); });
    EXPECT_TRUE(holds(message, (folder / "test_batch.bin").string())) << message;
  }
  EXPECT_NE(refusal([&] { return open_cifar(root_ / "none.bin"); }), "accepted");
}

}  // namespace
}  // namespace hedge
