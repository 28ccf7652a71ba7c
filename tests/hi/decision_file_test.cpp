// SPDX-License-Identifier: Apache-2.0
#include "hi/decide/decision_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "hedge/error.h"
#include "support/temporary_folder.h"

namespace hedge {
namespace {

std::string refusal(const std::string& text) {
  try {
    (void)decision_from_text(text, "d.json");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kBadInput);
    const std::string message = error.what();
    EXPECT_TRUE(message.starts_with("d.json: ")) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos);
    return message;
  }
  return "accepted";
}

std::string with(const std::string& fields) {
  return R"({"schema": "hedge.decision/1", )" + fields + "}";
}

TEST(DecisionFile, Golden) {
  DecisionFile file;
  file.decision = logistic_decision(-4.5, 5.25, -3.5);
  file.decision.temperature = 1.5;
  file.classes = 10;
  file.model = "resnet8";
  file.origin = "fitted on 10000 images";
  file.fit = {{"auc", 0.75}};
  EXPECT_EQ(decision_to_text(file), R"({
  "schema": "hedge.decision/1",
  "rule": "logistic",
  "threshold": 0.5,
  "temperature": 1.5,
  "intercept": -4.5,
  "features": [
    "top1",
    "top2"
  ],
  "weights": [
    5.25,
    -3.5
  ],
  "classes": 10,
  "model": "resnet8",
  "origin": "fitted on 10000 images",
  "fit": {
    "auc": 0.75
  }
}
)");
}

TEST(DecisionFile, EveryRuleComesBackToTheLastBit) {
  const std::vector<Decision> decisions{
      logistic_decision(-4.531622904031753, 5.82555453, -3.59687685),
      {.threshold = 0.1,
       .intercept = 1.0 / 3,
       .features = {Feature::kEntropy, Feature::kEnergy, Feature::kMargin},
       .weights = {0.1, -1e-300, 1e300}},
      {.threshold = 0.3, .intercept = 2},  // No feature at all.
      {.rule = Rule::kTop1, .threshold = 0.9, .temperature = 2.5},
      {.rule = Rule::kMargin, .threshold = 0.1},
      {.rule = Rule::kEntropy, .threshold = 1.25},
      {.rule = Rule::kEnergy, .threshold = -7.5},
      {.rule = Rule::kAlways},
      {.rule = Rule::kNever},
      {.rule = Rule::kOracle},
      {.rule = Rule::kRandom, .share = 0.3, .seed = 18446744073709551615U}};
  const test::TemporaryFolder folder;
  for (const Decision& decision : decisions) {
    DecisionFile file;
    file.decision = decision;
    const std::filesystem::path path = folder.path() / "d.json";
    write_decision(path, file);
    const DecisionFile back = read_decision(path);
    EXPECT_EQ(back.decision, decision) << name_of(decision.rule);
    EXPECT_EQ(back.classes, 0);
    EXPECT_TRUE(back.model.empty() && back.origin.empty() && back.fit.is_null());
  }
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(DecisionFile, DefaultsOfWhatMayBeAbsent) {
  const DecisionFile file =
      decision_from_text(with(R"("rule": "top1", "threshold": 0.75, "new_field": [1])"), "d.json");
  EXPECT_EQ(file.decision, (Decision{.rule = Rule::kTop1, .threshold = 0.75}));
  EXPECT_EQ(decision_from_text(with(R"("rule": "random", "share": 1)"), "d.json").decision.seed,
            1U);
}

TEST(DecisionFile, RefusesByName) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"", "no decision file"},
      {"{", "no decision file"},
      {"[]", "hedge.decision/1"},
      {"{}", "hedge fit"},
      {R"({"schema": "hedge.result/1"})", "hedge.decision/1"},
      {R"({"schema": 1})", "hedge.decision/1"},
      {with(R"("x": 1)"), "'rule' is missing"},
      {with(R"("rule": 3)"), "'rule' is no text"},
      {with(R"("rule": "bogus")"), "no decision 'bogus'; there are logistic"},
      {with(R"("rule": "top1")"), "'threshold' is missing"},
      {with(R"("rule": "top1", "threshold": "0.5")"), "'threshold' is no number"},
      {with(R"("rule": "top1", "threshold": null)"), "'threshold' is no number"},
      {with(R"("rule": "top1", "threshold": 1e999)"), "no decision file"},
      {with(R"("rule": "top1", "threshold": 1, "temperature": 0)"), "which is above 0"},
      {with(R"("rule": "top1", "threshold": 1, "temperature": -1)"), "which is above 0"},
      {with(R"("rule": "logistic", "threshold": 1)"), "'intercept' is missing"},
      {with(R"("rule": "logistic", "threshold": 1, "intercept": 0, "features": {}, "weights": [])"),
       "'features' is no list"},
      {with(R"("rule": "logistic", "threshold": 1, "intercept": 0, "features": ["top1"],
               "weights": [1, 2])"),
       "1 features, but 2 weights"},
      {with(R"("rule": "logistic", "threshold": 1, "intercept": 0, "features": ["top3"],
               "weights": [1])"),
       "no feature 'top3'"},
      {with(R"("rule": "logistic", "threshold": 1, "intercept": 0, "features": ["top1"],
               "weights": [true])"),
       "'weights' is no number"},
      {with(R"("rule": "random")"), "'share' is missing"},
      {with(R"("rule": "random", "share": 1.5)"), "which is from 0 to 1"},
      {with(R"("rule": "random", "share": 0.5, "seed": -1)"), "seed"},
      {with(R"("rule": "random", "share": 0.5, "seed": 1e62)"), "seed"},
      {with(R"("rule": "never", "classes": 1)"), "below 2"},
      {with(R"("rule": "never", "classes": 10.5)"), "classes"},
      {with(R"("rule": "never", "model": 8)"), "'model' is no text"}};
  for (const auto& [text, words] : cases) {
    const std::string message = refusal(text);
    EXPECT_NE(message.find(words), std::string::npos) << text << "\n  -> " << message;
  }
}

TEST(DecisionFile, FilesThatAreNone) {
  const test::TemporaryFolder folder;
  EXPECT_THROW((void)read_decision(folder.path() / "none.json"), Error);
  EXPECT_THROW((void)read_decision(folder.path()), Error);
  EXPECT_THROW(write_decision(folder.path() / "none" / "d.json", {}), Error);
}

}  // namespace
}  // namespace hedge
