// SPDX-License-Identifier: Apache-2.0
#include "builder/calibration_images.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "builder/int8.h"
#include "hedge/error.h"
#include "support/temporary_folder.h"

namespace hedge {
namespace {

using test::TemporaryFolder;

const PreprocessingRecipe kRecipe{};  // 32x32

/// Records whose label and pixels are one number each.
void write_records(const std::filesystem::path& file, const std::string& numbers) {
  std::filesystem::create_directories(file.parent_path());
  std::ofstream out(file, std::ios::binary);
  for (const char number : numbers) out << std::string(3073, static_cast<char>(number - '0'));
}

class CalibrationImagesTest : public testing::Test {
 protected:
  CalibrationImages open(const std::string& input = "") {
    return open_calibration_images("cifar", folder_.path(), input, kRecipe);
  }
  static std::string labels(const CalibrationImages& images) {
    std::string text;
    for (std::size_t i = 0; i < images.dataset->size(); ++i) {
      EXPECT_EQ(images.dataset->image(i).pixels[0], images.dataset->label(i));
      text += std::to_string(images.dataset->label(i));
    }
    return text;
  }

  TemporaryFolder folder_;
};

TEST_F(CalibrationImagesTest, JoinsTrainingFilesInOrderBesideTestImages) {
  write_records(folder_.path() / "cifar-10-batches-bin/data_batch_2.bin", "34");
  write_records(folder_.path() / "cifar-10-batches-bin/data_batch_1.bin", "012");
  write_records(folder_.path() / "test_batch.bin", "9");
  const CalibrationImages images = open();
  EXPECT_EQ(labels(images), "01234");
  EXPECT_FALSE(images.test_images);
}

TEST_F(CalibrationImagesTest, KnowsTestImagesHoweverTheyAreNamed) {
  write_records(folder_.path() / "test_batch.bin", "97");
  EXPECT_EQ(labels(open()), "97");
  EXPECT_TRUE(open().test_images);
  EXPECT_TRUE(open((folder_.path() / "test_batch.bin").string()).test_images);
  EXPECT_TRUE(open(folder_.path().string()).test_images);
  write_records(folder_.path() / "others.bin", "1");
  EXPECT_FALSE(open((folder_.path() / "others.bin").string()).test_images);
}

TEST_F(CalibrationImagesTest, SaysWhichFlagWhereThereAreNone) {
  for (const std::string input : {"", "/no/such.bin"}) {
    try {
      (void)open(input);
      FAIL();
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("--calib_input"), std::string::npos) << error.what();
    }
  }
  EXPECT_THROW((void)open_calibration_images("", folder_.path(), "", kRecipe), Error);
}

TEST_F(CalibrationImagesTest, RefusesOneImageManyTimes) {
  write_records(folder_.path() / "data_batch_1.bin", "5557");
  const CalibrationImages images = open();
  EXPECT_THROW(require_different_images(images, 3), Error);
  EXPECT_NO_THROW(require_different_images(images, 4));
  EXPECT_NO_THROW(require_different_images(images, 1));
}

TEST(Keep, TakesNamesWithColons) {
  EXPECT_EQ(parse_keep("first:fp32"), std::pair(std::string("first"), std::string("fp32")));
  EXPECT_EQ(parse_keep("block:0/conv:fp32"),
            std::pair(std::string("block:0/conv"), std::string("fp32")));
  for (const char* wrong : {"", "first", ":fp32", "first:", "first:int7", "first:int8"}) {
    EXPECT_THROW((void)parse_keep(wrong), Error) << wrong;
  }
}

}  // namespace
}  // namespace hedge
