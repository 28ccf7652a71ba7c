// SPDX-License-Identifier: Apache-2.0
#include "data/scores_file.h"

#include <gtest/gtest.h>

#include <charconv>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/text.h"
#include "hedge/error.h"
#include "support/temporary_folder.h"

namespace hedge {
namespace {

class ScoresFile : public testing::Test {
 protected:
  test::TemporaryFolder owner_;
  std::filesystem::path folder_ = owner_.path();
};

TEST_F(ScoresFile, NpyGolden) {
  const std::vector<float> values{0.5F, -1.F, 2.F, 0.1F, 3e38F, 0.F};
  write_scores(folder_ / "a.npy", values, 3);
  // What NumPy 1.x and 2.x write for np.array(..., '<f4').reshape(2, 3), byte for byte.
  std::string expected("\x93NUMPY\x01\x00\x76\x00", 10);
  expected += "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
  expected.append(127 - expected.size(), ' ').push_back('\n');
  ASSERT_EQ(expected.size(), 128U);
  std::string data(values.size() * sizeof(float), '\0');
  std::memcpy(data.data(), values.data(), data.size());
  EXPECT_EQ(read_text_file(folder_ / "a.npy"), expected + data);
}

TEST_F(ScoresFile, NpyDataBeginOnA64ByteBorder) {
  // The digits of the shape push the header's length about; 128 is where it would spill over.
  for (const std::size_t columns : {1U, 10U, 1000U, 100000U}) {
    const std::vector<float> values(columns * 2, 1.F);
    write_scores(folder_ / "a.npy", values, columns);
    const std::string bytes = read_text_file(folder_ / "a.npy");
    const std::size_t header = bytes.size() - values.size() * sizeof(float);
    EXPECT_EQ(header % 64, 0U);
    EXPECT_EQ(bytes[header - 1], '\n');
    EXPECT_EQ(static_cast<unsigned char>(bytes[8]) + 256U * static_cast<unsigned char>(bytes[9]),
              header - 10);
  }
}

TEST_F(ScoresFile, CsvGolden) {
  const std::vector<float> values{0.1F, 1.F, -2.5F, 1e-10F, 16777216.F, 0.33333334F};
  write_scores(folder_ / "a.csv", values, 2);
  EXPECT_EQ(read_text_file(folder_ / "a.csv"), "0.1,1\n-2.5,1e-10\n16777216,0.33333334\n");
}

TEST_F(ScoresFile, CsvGivesTheSameFloatsBackAcrossPieces) {
  std::vector<float> values;
  std::uint32_t bits = 1;
  while (values.size() < 200'000) {
    bits = bits * 1664525U + 1013904223U;
    float value = 0;
    std::memcpy(&value, &bits, sizeof value);
    if (std::isfinite(value)) values.push_back(value);
  }
  write_scores(folder_ / "a.csv", values, 10);
  const std::string text = read_text_file(folder_ / "a.csv");
  ASSERT_GT(text.size(), 2U << 20U);
  std::size_t at = 0;
  const auto lines = split(text, '\n');
  ASSERT_EQ(lines.size(), values.size() / 10 + 1);
  EXPECT_TRUE(lines.back().empty());
  for (std::size_t i = 0; i + 1 < lines.size(); ++i) {
    const auto fields = split(lines[i], ',');
    ASSERT_EQ(fields.size(), 10U);
    for (const auto& field : fields) {
      float value = 0;
      const auto end = std::from_chars(field.data(), field.data() + field.size(), value).ptr;
      ASSERT_EQ(end, field.data() + field.size()) << field;
      ASSERT_EQ(std::memcmp(&value, &values[at++], sizeof value), 0) << field;
    }
  }
}

TEST_F(ScoresFile, ExtensionsInUpperCaseAndOthers) {
  const std::vector<float> values{1.F};
  write_scores(folder_ / "a.CSV", values, 1);
  EXPECT_EQ(read_text_file(folder_ / "a.CSV"), "1\n");
  for (const char* name : {"a.txt", "a", "npy", "a.npy.gz", ".csv"}) {
    try {
      write_scores(folder_ / name, values, 1);
      ADD_FAILURE() << name;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kBadInput);
      const std::string message = error.what();
      EXPECT_NE(message.find(".npy or .csv"), std::string::npos) << message;
      EXPECT_NE(message.find(name), std::string::npos) << message;
    }
    EXPECT_THROW(require_scores_extension(folder_ / name), Error);
    EXPECT_FALSE(std::filesystem::exists(folder_ / name));
  }
  EXPECT_NO_THROW(require_scores_extension("x/y.Npy"));
}

TEST_F(ScoresFile, RefusesWhatIsNoMatrixAndLeavesTheOldFile) {
  const std::vector<float> values{1.F, 2.F, 3.F};
  write_scores(folder_ / "a.csv", values, 3);
  EXPECT_THROW(write_scores(folder_ / "a.csv", values, 2), Error);
  EXPECT_THROW(write_scores(folder_ / "a.csv", values, 0), Error);
  EXPECT_THROW(write_scores(folder_ / "none" / "a.csv", values, 3), Error);
  EXPECT_EQ(read_text_file(folder_ / "a.csv"), "1,2,3\n");
  // Nothing is left beside it.
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

TEST_F(ScoresFile, WhatIsWrittenIsReadAgain) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> values{0.1F, nan, -infinity, 3e38F, 1e-40F, -0.F};
  for (const char* name : {"a.npy", "a.csv"}) {
    write_scores(folder_ / name, values, 3);
    const RecordedScores scores = read_scores(folder_ / name);
    EXPECT_EQ(scores.columns, 3U);
    EXPECT_EQ(scores.rows(), 2U);
    ASSERT_EQ(scores.values.size(), values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      EXPECT_TRUE(std::isnan(values[i]) ? std::isnan(scores.values[i])
                                        : scores.values[i] == values[i])
          << name << ' ' << i;
    }
    EXPECT_EQ(scores.row(1)[0], 3e38F);
  }
}

std::string refusal_of_csv(std::string_view text) {
  try {
    (void)scores_from_csv(text, "s.csv");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kBadInput);
    const std::string message = error.what();
    EXPECT_EQ(message.find('\n'), std::string::npos);
    EXPECT_TRUE(message.starts_with("s.csv: ")) << message;
    return message;
  }
  return "accepted";
}

TEST_F(ScoresFile, CsvAsOthersWriteIt) {
  const RecordedScores scores = scores_from_csv("1, 2 ,+3\r\n4,5,-6e-1\r\n\r\n\n", "s.csv");
  EXPECT_EQ(scores.values, (std::vector<float>{1, 2, 3, 4, 5, -0.6F}));
  EXPECT_EQ(scores.columns, 3U);
}

TEST_F(ScoresFile, CsvIsRefusedByLineAndColumn) {
  for (const auto& [text, words] : std::vector<std::pair<std::string, std::string>>{
           {"", "no scores"},
           {"\n\n", "no scores"},
           {"a,b\n1,2\n", "line 1: column 1 is 'a'"},
           {"1,2\n3\n", "line 2 has 1 scores, those before have 2"},
           {"1,2\n3,4,5\n", "line 2 has 3"},
           {"1,2\n\n3,4\n", "line 2: column 1 is ''"},
           {"1,2,\n", "column 3 is ''"},
           {"1;2\n", "'1;2'"},
           {"1,1e99\n", "not a number that a float holds"},
           {"1,2 3\n", "column 2"}}) {
    EXPECT_NE(refusal_of_csv(text).find(words), std::string::npos) << refusal_of_csv(text);
  }
}

TEST_F(ScoresFile, NpyOfOtherTypesAndShapes) {
  const auto file = [](const std::string& type, const std::string& shape, std::size_t bytes) {
    std::string header =
        "{'descr': '" + type + "', 'fortran_order': False, 'shape': " + shape + ", }\n";
    std::string text("\x93NUMPY\x01\x00", 8);
    text.push_back(static_cast<char>(header.size()));
    text.push_back('\0');
    return text + header + std::string(bytes, '\0');
  };
  const auto read = [](const std::string& bytes) {
    return scores_from_npy(std::as_bytes(std::span(bytes.data(), bytes.size())), "s.npy");
  };
  const auto refusal = [&](const std::string& bytes) -> std::string {
    try {
      (void)read(bytes);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kBadInput);
      return error.what();
    }
    return "accepted";
  };
  EXPECT_EQ(read(file("<f8", "(2, 3)", 48)).rows(), 2U);
  EXPECT_NE(refusal(file("<i8", "(2, 3)", 48)).find("'<i8'"), std::string::npos);
  EXPECT_NE(refusal(file("<f4", "(6,)", 24)).find("images x classes"), std::string::npos);
  EXPECT_NE(refusal(file("<f4", "(0, 10)", 0)).find("no scores"), std::string::npos);
  EXPECT_NE(refusal(file("<f4", "(2, 3)", 23)).find("truncated"), std::string::npos);
  // A fuzzer's find: the type of a foreign file went into the message as it was.
  const std::string message = refusal(file("<f4\n0\x01", "(2, 3)", 24));
  EXPECT_NE(message.find("'<f4?0?'"), std::string::npos) << message;
  EXPECT_EQ(message.find('\n'), std::string::npos);
}

}  // namespace
}  // namespace hedge
