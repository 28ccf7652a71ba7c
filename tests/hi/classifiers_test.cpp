// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <fstream>
#include <string>
#include <vector>

#include "hedge/error.h"
#include "hi/simulate/local_classifier.h"
#include "hi/simulate/recorded_classifier.h"
#include "support/temporary_folder.h"

namespace hedge {
namespace {

/// Images of the given names, all alike but for one pixel.
class NamedImages final : public Dataset {
 public:
  explicit NamedImages(std::vector<std::string> names) : names_(std::move(names)) {
    for (std::size_t i = 0; i < names_.size(); ++i) {
      pixels_.emplace_back(12, static_cast<std::uint8_t>(i));
    }
  }
  [[nodiscard]] std::size_t size() const override { return names_.size(); }
  [[nodiscard]] int classes() const override { return 10; }
  [[nodiscard]] Image image(std::size_t index) const override {
    return {.pixels = pixels_.at(index), .height = 2, .width = 2};
  }
  [[nodiscard]] int label(std::size_t /*index*/) const override { return 0; }
  [[nodiscard]] std::string name(std::size_t index) const override { return names_.at(index); }

 private:
  std::vector<std::string> names_;
  std::vector<std::vector<std::uint8_t>> pixels_;
};

class Recorded : public testing::Test {
 protected:
  RecordedClassifier read(const std::string& text, const std::string& dataset = "cifar") const {
    std::ofstream(path_, std::ios::binary) << text;
    return read_recorded_classifier(path_, images_, dataset, 10);
  }
  std::string refusal(const std::string& text, const std::string& dataset = "cifar") const {
    try {
      (void)read(text, dataset);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kBadInput);
      return error.what();
    }
    return "accepted";
  }
  test::TemporaryFolder folder_;
  std::filesystem::path path_ = folder_.path() / "answers.txt";
  NamedImages images_{{"ILSVRC2012_val_00000002.JPEG", "ILSVRC2012_val_00000003.JPEG",
                       "ILSVRC2012_val_00050000.JPEG"}};
};

TEST_F(Recorded, AnswersLineByLine) {
  for (const char* text : {"4\n0\n9\n", "4\r\n0\r\n9\r\n", "4\n0\n9"}) {
    RecordedClassifier server = read(text);
    EXPECT_EQ(server.classify(0).label, 4);
    EXPECT_EQ(server.classify(1).label, 0);
    EXPECT_EQ(server.classify(2).label, 9);
    EXPECT_TRUE(server.classify(2).scores.empty());
    EXPECT_EQ(server.description(), path_.string() + " (recorded)");
  }
}

TEST_F(Recorded, RefusesWhatDoesNotGoWithTheImages) {
  EXPECT_NE(refusal("4\n0\n").find("2 lines for a dataset of 3 images"), std::string::npos);
  EXPECT_NE(refusal("4\n0\n9\n1\n").find("4 lines"), std::string::npos);
  EXPECT_NE(refusal("4\n\n9\n").find("line 2"), std::string::npos);
  EXPECT_NE(refusal("4\n0\n10\n").find("from 0 to 9"), std::string::npos);
  EXPECT_NE(refusal("4\n0\n-1\n").find("line 3"), std::string::npos);
  EXPECT_NE(refusal("").find("empty"), std::string::npos);
}

TEST_F(Recorded, WholeImagenetForSomeOfItsImages) {
  std::string all;
  for (int i = 1; i <= 50'000; ++i) all += fmt::format("{}\n", i % 10);
  RecordedClassifier server = read(all, "imagenet");
  EXPECT_EQ(server.classify(0).label, 2);
  EXPECT_EQ(server.classify(1).label, 3);
  EXPECT_EQ(server.classify(2).label, 0);
  EXPECT_NE(refusal(all).find("50000 lines"), std::string::npos);  // Of no other dataset.
  EXPECT_EQ(read("7\n8\n9\n", "imagenet").classify(0).label, 7);
}

/// Its scores are its input, and what the classifier did is told.
class EchoContext final : public ExecutionContext {
 public:
  [[nodiscard]] std::span<float> input() override { return values_; }
  [[nodiscard]] std::size_t output_count() const override { return 1; }
  [[nodiscard]] std::span<const float> output(std::size_t /*index*/) const override {
    return scores_;
  }
  void infer() override {
    for (std::size_t i = 0; i < scores_.size(); ++i) {
      scores_[i] = static_cast<float>(i) == values_[0] ? 1.F : 0.F;
    }
  }
  [[nodiscard]] MemoryUse memory() const override { return {}; }

 private:
  std::vector<float> values_ = std::vector<float>(12);
  std::vector<float> scores_ = std::vector<float>(4);
};

class EchoEngine final : public Engine {
 public:
  explicit EchoEngine(bool with_recipe) {
    info_.precision = "fp32";
    info_.backend = "echo";
    if (with_recipe) info_.preprocessing = PreprocessingRecipe{.height = 2, .width = 2};
  }
  [[nodiscard]] const EngineInfo& info() const override { return info_; }
  [[nodiscard]] std::unique_ptr<ExecutionContext> create_context(
      const ContextOptions& options) const override {
    EXPECT_EQ(options.batch, 1);
    return std::make_unique<EchoContext>();
  }

 private:
  EngineInfo info_;
};

TEST(LocalClassifier, PreparesAndInfers) {
  LocalClassifier server(std::make_shared<EchoEngine>(true),
                         std::make_shared<NamedImages>(std::vector<std::string>(4)), "e.engine", 1);
  for (const int image : {3, 0, 2}) {
    const Classification answer = server.classify(static_cast<std::size_t>(image));
    EXPECT_EQ(answer.label, image);
    EXPECT_EQ(answer.scores.size(), 4U);
    EXPECT_GE(*answer.preprocess_ns, 0);
    EXPECT_GE(*answer.infer_ns, 0);
  }
  EXPECT_EQ(server.description(), "e.engine (fp32, backend echo, run here)");
}

TEST(LocalClassifier, NeedsARecipe) {
  EXPECT_THROW(LocalClassifier(std::make_shared<EchoEngine>(false),
                               std::make_shared<NamedImages>(std::vector<std::string>(1)), "e", 1),
               Error);
}

}  // namespace
}  // namespace hedge
