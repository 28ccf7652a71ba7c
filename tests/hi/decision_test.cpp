// SPDX-License-Identifier: Apache-2.0
#include "hi/decide/decision.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>

#include "hedge/error.h"

namespace hedge {
namespace {

/// Of softmax scores 0.6, 0.3, 0.1, as logits' features would be.
ScoreFeatures some_features() {
  ScoreFeatures features;
  features.predicted = 2;
  features.top1 = 0.6;
  features.top2 = 0.3;
  features.entropy = 0.9;
  features.energy = -4;
  return features;
}

std::string refusal(const std::function<void()>& function) {
  try {
    function();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kBadInput);
    return error.what();
  }
  return "accepted";
}

TEST(Decision, EachRuleKeepsOnTheSureSideOfItsThresholdAndOnIt) {
  struct Case {
    Rule rule;
    double at;          ///< The threshold on which the features lie.
    double confidence;  ///< Theirs.
    double stricter;    ///< Which way the threshold asks for more.
  };
  for (const Case& c :
       {Case{Rule::kTop1, 0.6, 0.6, 1}, Case{Rule::kMargin, 0.6 - 0.3, 0.6 - 0.3, 1},
        Case{Rule::kEntropy, 0.9, -0.9, -1}, Case{Rule::kEnergy, -4, 4, -1}}) {
    Decision decision{.rule = c.rule, .threshold = c.at};
    const std::string name(name_of(c.rule));
    EXPECT_EQ(decision.confidence(some_features()), c.confidence) << name;
    EXPECT_TRUE(decision.keep(some_features())) << name;
    decision.threshold = c.at + c.stricter * 1e-9;
    EXPECT_FALSE(decision.keep(some_features())) << name;
    decision.threshold = c.at - c.stricter * 1e-9;
    EXPECT_TRUE(decision.keep(some_features())) << name;
    EXPECT_FALSE(decision.keep(ScoreFeatures{})) << name;  // NaN is never trusted.
    EXPECT_TRUE(std::isnan(decision.confidence(ScoreFeatures{}))) << name;
  }
}

TEST(Decision, LogisticIsTheFormulaOnAnyFeatures) {
  const Decision decision{.intercept = -0.5,
                          .features = {Feature::kTop1, Feature::kTop2, Feature::kMargin,
                                       Feature::kEntropy, Feature::kEnergy},
                          .weights = {1, -2, 3, -4, -0.5}};
  const double logit = -0.5 + 0.6 - 2 * 0.3 + 3 * 0.3 - 4 * 0.9 + 0.5 * 4;
  EXPECT_NEAR(decision.confidence(some_features()), 1 / (1 + std::exp(-logit)), 1e-15);
  EXPECT_TRUE(std::isnan(decision.confidence(ScoreFeatures{})));
  EXPECT_FALSE(decision.keep(ScoreFeatures{}));
  // p = 1/2 is kept, as the original does.
  EXPECT_TRUE(Decision{.intercept = 0}.keep(some_features()));
}

TEST(Decision, BoundsNeedNoScores) {
  EXPECT_FALSE(Decision{.rule = Rule::kAlways}.keep(some_features()));
  EXPECT_TRUE(Decision{.rule = Rule::kNever}.keep(ScoreFeatures{}));
  EXPECT_NE(refusal([] {
              (void)Decision{.rule = Rule::kOracle}.keep(some_features());
            }).find("true class"),
            std::string::npos);
}

TEST(Decision, RandomOffloadsItsShareRepeatablyAndBySeed) {
  Decision decision{.rule = Rule::kRandom, .share = 0.3, .seed = 5};
  constexpr std::uint64_t kImages = 100'000;
  std::uint64_t offloads = 0;
  std::uint64_t differ = 0;
  Decision other = decision;
  other.seed = 6;
  for (std::uint64_t image = 0; image < kImages; ++image) {
    const bool keep = decision.keep({}, image);
    ASSERT_EQ(keep, decision.keep(some_features(), image));
    offloads += keep ? 0 : 1;
    differ += keep != other.keep({}, image) ? 1 : 0;
  }
  // Five standard deviations of the binomials.
  EXPECT_NEAR(static_cast<double>(offloads), 30'000, 725);
  EXPECT_NEAR(static_cast<double>(differ), 2 * 0.3 * 0.7 * kImages, 780);
  decision.share = 0;
  EXPECT_TRUE(decision.keep({}, 1));
  decision.share = 1;
  EXPECT_FALSE(decision.keep({}, 1));
}

TEST(Decision, NamesAndBack) {
  for (const Rule rule :
       {Rule::kLogistic, Rule::kTop1, Rule::kMargin, Rule::kEntropy, Rule::kEnergy, Rule::kAlways,
        Rule::kNever, Rule::kRandom, Rule::kOracle}) {
    EXPECT_EQ(rule_named(name_of(rule)), rule);
  }
  for (const Feature feature :
       {Feature::kTop1, Feature::kTop2, Feature::kMargin, Feature::kEntropy, Feature::kEnergy}) {
    EXPECT_EQ(feature_named(name_of(feature)), feature);
  }
  const std::string message = refusal([] { (void)rule_named("softmax\n"); });
  EXPECT_NE(message.find("logistic"), std::string::npos) << message;
  EXPECT_EQ(message.find('\n'), std::string::npos);
  EXPECT_NE(refusal([] { (void)feature_named(""); }).find("entropy"), std::string::npos);
  EXPECT_TRUE(has_threshold(Rule::kMargin));
  EXPECT_FALSE(has_threshold(Rule::kRandom));
}

}  // namespace
}  // namespace hedge
