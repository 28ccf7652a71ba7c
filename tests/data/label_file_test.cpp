// SPDX-License-Identifier: Apache-2.0
#include "data/label_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/file.h"
#include "hedge/error.h"
#include "support/temporary_folder.h"

namespace hedge {
namespace {

class LabelFile : public testing::Test {
 protected:
  void put(const std::string& bytes) const { std::ofstream(path_, std::ios::binary) << bytes; }
  std::string refusal(const std::string& bytes) const {
    put(bytes);
    try {
      (void)read_labels(path_, 10);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kBadInput);
      return error.what();
    }
    return "accepted";
  }
  test::TemporaryFolder folder_;
  std::filesystem::path path_ = folder_.path() / "labels.txt";
};

TEST_F(LabelFile, GoldenAndBack) {
  const std::vector<int> labels{8, 1, 0, 999, 10};
  write_labels(path_, labels);
  EXPECT_EQ(read_text_file(path_), "8\n1\n0\n999\n10\n");
  EXPECT_EQ(read_labels(path_, 1000), labels);
  EXPECT_EQ(read_labels(path_, 5, 1000), labels);
}

TEST_F(LabelFile, LineEndsOfOtherSystemsAndNoLastOne) {
  put("3\r\n4\r\n");
  EXPECT_EQ(read_labels(path_, 10), (std::vector<int>{3, 4}));
  put("3\n4");
  EXPECT_EQ(read_labels(path_, 10), (std::vector<int>{3, 4}));
}

TEST_F(LabelFile, BadLinesAreNamedByNumber) {
  for (const char* bad :
       {"10", "-1", "x", "", " 3", "3 ", "3.0", "+3", "99999999999999999999", "3,4", "\r"}) {
    const std::string message = refusal(std::string("1\n2\n") + bad + "\n4\n");
    EXPECT_NE(message.find("line 3"), std::string::npos) << bad << " -> " << message;
    EXPECT_NE(message.find(path_.string()), std::string::npos) << message;
    EXPECT_NE(message.find("0 to 9"), std::string::npos) << message;
  }
  EXPECT_NE(refusal("1\n\n").find("line 2"), std::string::npos);
}

TEST_F(LabelFile, BinaryDoesNotReachTheMessage) {
  const std::string message = refusal(std::string("\x1b[2J\0\xff", 6) + std::string(5000, 'a'));
  for (const char c : message) EXPECT_TRUE(c >= ' ' && c <= '~');
  EXPECT_LT(message.size(), 250U);
}

TEST_F(LabelFile, RefusesEmptyMissingAndAnotherCount) {
  EXPECT_NE(refusal("").find("empty"), std::string::npos);
  put("1\n2\n3\n");
  EXPECT_EQ(read_labels(path_, 3, 10).size(), 3U);
  EXPECT_THROW((void)read_labels(path_, 2, 10), Error);
  try {
    (void)read_labels(path_, 10000, 10);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("3 lines for a dataset of 10000"), std::string::npos);
  }
  std::filesystem::remove(path_);
  EXPECT_THROW((void)read_labels(path_, 10), Error);
}

}  // namespace
}  // namespace hedge
