// SPDX-License-Identifier: Apache-2.0
#include "engine/container.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/file.h"
#include "support/temporary_folder.h"

namespace hedge {
namespace {

class Container : public testing::Test {
 protected:
  void SetUp() override {
    const auto bytes = std::make_shared<std::vector<std::byte>>(1000, std::byte{0x5a});
    container_.info.model = "tiny";
    container_.info.precision = "fp32";
    container_.info.tf32 = true;
    container_.info.backend = "null";
    container_.info.inputs = {{"in", {1, 2, 2, 3}}};
    container_.info.outputs = {{"out", {1, 10}}};
    container_.info.preprocessing = PreprocessingRecipe{.scale = 1.0 / 255};
    container_.layer_choices = nlohmann::json::array({"a", "b"});
    container_.sections = {{"weights", *bytes, bytes},
                           {"empty", {}, nullptr},
                           {"rest", std::span(*bytes).first(3), bytes}};
    save_container(container_, path_);
  }
  [[nodiscard]] std::vector<std::byte> file_bytes() const {
    const std::string text = read_text_file(path_);
    std::vector<std::byte> bytes(text.size());
    std::memcpy(bytes.data(), text.data(), text.size());
    return bytes;
  }
  static std::string refusal(const std::vector<std::byte>& bytes) {
    try {
      (void)parse_container(bytes, nullptr, "x.engine");
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kBadInput);
      return error.what();
    }
    return "accepted";
  }

  EngineContainer container_;
  test::TemporaryFolder folder_;
  std::filesystem::path path_ = folder_.path() / "x.engine";
};

TEST_F(Container, RoundTrip) {
  const EngineContainer back = load_container(path_);
  EXPECT_EQ(back.info.model, "tiny");
  EXPECT_TRUE(back.info.tf32);
  EXPECT_EQ(back.info.preprocessing, container_.info.preprocessing);
  EXPECT_EQ(back.info.outputs.at(0).shape, (std::vector<std::int64_t>{1, 10}));
  EXPECT_EQ(back.layer_choices, container_.layer_choices);
  ASSERT_EQ(back.sections.size(), 3U);
  EXPECT_EQ(back.sections[0].name, "weights");
  EXPECT_EQ(back.sections[0].bytes.size(), 1000U);
  EXPECT_EQ(std::memcmp(back.sections[0].bytes.data(), container_.sections[0].bytes.data(), 1000),
            0);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(back.sections[0].bytes.data()) % 64, 0U);
  EXPECT_EQ(back.sections[2].bytes.size(), 3U);
}

TEST_F(Container, EveryFlippedBitIsNoticed) {
  std::vector<std::byte> bytes = file_bytes();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      bytes[i] ^= std::byte{1} << bit;
      ASSERT_NE(refusal(bytes), "accepted") << "byte " << i << " bit " << bit;
      bytes[i] ^= std::byte{1} << bit;
    }
  }
  EXPECT_EQ(refusal(bytes), "accepted");
}

TEST_F(Container, EveryTruncationIsNoticed) {
  const std::vector<std::byte> bytes = file_bytes();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const std::string reason =
        refusal({bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)});
    ASSERT_TRUE(reason.find("truncated") != std::string::npos || size < 8 ||
                reason.find("empty") != std::string::npos)
        << size << ": " << reason;
  }
  std::vector<std::byte> longer = bytes;
  longer.push_back(std::byte{0});
  EXPECT_NE(refusal(longer).find("wrong size"), std::string::npos);
}

TEST_F(Container, SaysWhatIsWrong) {
  std::vector<std::byte> bytes = file_bytes();
  bytes[8] = std::byte{2};
  EXPECT_NE(refusal(bytes).find("newer"), std::string::npos);
  std::vector<std::byte> foreign(200, std::byte{'x'});
  EXPECT_NE(refusal(foreign).find("not a Hedge engine"), std::string::npos);
  EXPECT_NE(refusal({}).find("empty"), std::string::npos);
}

TEST_F(Container, IsWrittenWholeOrNotAtAll) {
  EXPECT_THROW(save_container(container_, "/nonexistent-folder/x.engine"), Error);
  const auto before = file_bytes();
  container_.sections.resize(100);
  EXPECT_THROW(save_container(container_, path_), Error);
  EXPECT_EQ(file_bytes(), before);
}

}  // namespace
}  // namespace hedge
