// SPDX-License-Identifier: Apache-2.0
#include "hi/decide/fast_decision.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "hedge/error.h"
#include "hi/decide/score_kernels.h"
#include "hi/reference_features.h"

namespace hedge {
namespace {

using Scores = std::vector<float>;
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

bool slow(const Decision& decision, const Scores& scores, ScoreKind kind, std::uint64_t image = 0) {
  return decision.keep(score_features(scores, kind, decision.temperature), image);
}

/// One of every way through; some with a temperature.
std::vector<Decision> decisions(ScoreKind kind) {
  std::vector<Decision> all{
      logistic_decision(-4.531622904031753, 5.82555453, -3.59687685),
      {.threshold = 0.8, .intercept = -1, .features = {Feature::kTop1}, .weights = {3}},
      {.threshold = 0.3,
       .intercept = 0.1,
       .features = {Feature::kMargin, Feature::kTop2, Feature::kTop1},
       .weights = {2, -1, 0.5}},
      {.intercept = 2, .features = {Feature::kEntropy, Feature::kTop1}, .weights = {-2, 0.5}},
      {.threshold = 1e-7, .intercept = -20, .features = {Feature::kTop1}, .weights = {9}},
      {.intercept = 0, .features = std::vector(9, Feature::kTop1), .weights = std::vector(9, 0.1)},
      {.intercept = 0.5},
      {.intercept = -0.5},
      {.rule = Rule::kTop1, .threshold = 0.6},
      {.rule = Rule::kMargin, .threshold = 0.4},
      {.rule = Rule::kEntropy, .threshold = 1.1},
      {.rule = Rule::kAlways},
      {.rule = Rule::kNever},
      {.rule = Rule::kRandom, .share = 0.3, .seed = 7}};
  if (kind == ScoreKind::kLogits) {
    all.push_back({.rule = Rule::kEnergy, .threshold = -6});
    all.push_back({.intercept = -3, .features = {Feature::kEnergy}, .weights = {-0.5}});
  }
  const std::size_t count = all.size();
  for (std::size_t i = 0; i < count; ++i) {
    all.push_back(all[i]);
    all.back().temperature = 1.7;
  }
  return all;
}

class FastDecisionOf : public testing::TestWithParam<ScoreKind> {};
INSTANTIATE_TEST_SUITE_P(Kinds, FastDecisionOf,
                         testing::Values(ScoreKind::kLogits, ScoreKind::kSoftmax));

TEST_P(FastDecisionOf, AnswersAsTheSlowPath) {
  std::mt19937_64 random(3);
  int mixed = 0;
  for (const Decision& decision : decisions(GetParam())) {
    const FastDecision fast(decision, GetParam());
    std::size_t kept = 0;
    std::size_t images = 0;
    for (const std::size_t classes : {2U, 10U, 63U, 64U, 77U, 1000U}) {
      for (int i = 0; i < 60; ++i) {
        Scores scores = test::random_logits(random, classes, 0.5F + static_cast<float>(i % 6));
        if (GetParam() == ScoreKind::kSoftmax) scores = test::softmax_of(scores);
        const bool keep = fast.keep(scores, images);
        ASSERT_EQ(keep, slow(decision, scores, GetParam(), images))
            << name_of(decision.rule) << ' ' << classes << " classes, image " << i;
        kept += keep ? 1 : 0;
        ++images;
      }
    }
    mixed += kept > images / 20 && kept < images - images / 20 ? 1 : 0;
  }
  EXPECT_GE(mixed, 12);  // The rest is constant or nearly so.
}

/// The threshold is the confidence of the image itself, or its neighbours: there rounding decides.
TEST_P(FastDecisionOf, AnswersAsTheSlowPathOnTheThreshold) {
  std::mt19937_64 random(4);
  for (Decision decision : decisions(GetParam())) {
    for (int i = 0; i < 200; ++i) {
      Scores scores = test::random_logits(random, i % 2 == 0 ? 10 : 130, 3);
      if (GetParam() == ScoreKind::kSoftmax) scores = test::softmax_of(scores);
      const double confidence =
          decision.confidence(score_features(scores, GetParam(), decision.temperature));
      for (const double towards : {-kInfinity, 0.F, kInfinity}) {
        const double at = towards == 0 ? confidence : std::nextafter(confidence, towards);
        const bool negated = decision.rule == Rule::kEntropy || decision.rule == Rule::kEnergy;
        decision.threshold = negated ? -at : at;
        ASSERT_EQ(FastDecision(decision, GetParam()).keep(scores),
                  slow(decision, scores, GetParam()))
            << name_of(decision.rule) << " at " << at;
      }
    }
  }
}

TEST_P(FastDecisionOf, AnswersAsTheSlowPathOnWhatIsNoNumber) {
  std::vector<Scores> odd{{},
                          {1},
                          {kNan, kNan, kNan},
                          {0.9F, kNan, 0.1F},
                          {kNan, 0.9F},
                          {kInfinity, 0},
                          {kInfinity, kInfinity},
                          {0.9F, -kInfinity},
                          {0.9F, -kInfinity, 0.1F},
                          {3e38F, -3e38F, 0},
                          {0.5F, 0.5F},
                          {0, 0},
                          {-1, -2, -3},
                          Scores(100, kNan),
                          Scores(100, 0.01F)};
  odd.emplace_back(100, kNan)[63] = 1;
  odd.emplace_back(100, -kInfinity)[99] = 1;
  odd.emplace_back(100, -200.F)[99] = -100;
  for (const Decision& decision : decisions(GetParam())) {
    const FastDecision fast(decision, GetParam());
    for (std::size_t i = 0; i < odd.size(); ++i) {
      EXPECT_EQ(fast.keep(odd[i], i), slow(decision, odd[i], GetParam(), i))
          << name_of(decision.rule) << ", scores " << i;
    }
  }
}

TEST(FastDecision, RefusesWhatItCannotJudge) {
  const auto refused = [](const Decision& decision, ScoreKind kind, const char* word) {
    try {
      (void)FastDecision(decision, kind);
      ADD_FAILURE() << word;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kBadInput);
      EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << error.what();
    }
  };
  refused({.rule = Rule::kEnergy}, ScoreKind::kSoftmax, "ends in softmax");
  refused({.features = {Feature::kEnergy}, .weights = {1}}, ScoreKind::kSoftmax, "ends in softmax");
  refused({.rule = Rule::kOracle}, ScoreKind::kLogits, "true class");
  refused({.features = {Feature::kTop1}, .weights = {}}, ScoreKind::kLogits, "1 features");
}

TEST(FastDecision, ExtremeTemperatures) {
  std::mt19937_64 random(5);
  for (const double temperature : {1e-300, 1e-3, 1e3, 1e300}) {
    Decision decision{.rule = Rule::kTop1, .threshold = 0.3, .temperature = temperature};
    const FastDecision fast(decision, ScoreKind::kLogits);
    for (int i = 0; i < 50; ++i) {
      const Scores scores = test::random_logits(random, 10, 3);
      EXPECT_EQ(fast.keep(scores), slow(decision, scores, ScoreKind::kLogits)) << temperature;
    }
  }
}

/// Everything that FastDecision promises for logits rests on this bound.
TEST(ScoreKernels, ErrorsLieWithinTheirBound) {
  std::mt19937_64 random(6);
  for (const std::size_t classes : {2U, 10U, 16U, 100U, 1000U, 20000U}) {
    const double bound = softmax_error(classes);
    for (int i = 0; i < 60; ++i) {
      const double temperature = i % 3 == 0 ? 1 : i % 3 == 1 ? 0.3 : 2.5;
      const Scores logits =
          test::random_logits(random, classes, 0.01F * std::pow(1.2F, static_cast<float>(i)));
      const TopTwo top = wide_top_two(logits);
      const SoftmaxSums sums =
          softmax_sums(logits, top.first, static_cast<float>(temperature), true);
      double sum = 0;
      double weighted = 0;
      for (const float logit : logits) {
        const double s =
            (static_cast<double>(logit) - static_cast<double>(top.first)) / temperature;
        sum += std::exp(s);
        weighted += std::exp(s) * s;
      }
      EXPECT_LT(std::abs(sums.sum - sum), 0.5 * bound * sum) << classes << ' ' << i;
      EXPECT_LE(std::abs(sums.weighted - weighted), 0.5 * bound * (std::abs(weighted) + 1e-3))
          << classes << ' ' << i;
    }
  }
}

TEST(ScoreKernels, ExponentialOfFloats) {
  for (float x = 0; x > -80; x -= 0.00317F) {
    const double exact = std::exp(static_cast<double>(x));
    ASSERT_NEAR(static_cast<double>(float_exp(x)) / exact, 1, 3e-7) << x;
  }
  EXPECT_EQ(float_exp(0), 1);
  EXPECT_EQ(float_exp(-kInfinity), float_exp(-80));
  EXPECT_EQ(float_exp(-1e9F), float_exp(-80));
}

TEST(ScoreKernels, WideTopTwoIsTopTwo) {
  std::mt19937 random(8);
  for (std::size_t size = 0; size < 200; ++size) {
    Scores scores(size);
    for (float& score : scores) score = static_cast<float>(random() % 50) - 20;
    for (std::size_t i = 0; i < size / 9; ++i) scores[random() % size] = kNan;
    TopTwo plain;
    for (const float score : scores) plain.add(score);
    for (const TopTwo& top : {wide_top_two(scores), top_two(scores)}) {
      EXPECT_EQ(top.first, plain.first) << size;
      EXPECT_EQ(top.second, plain.second) << size;
    }
  }
}

}  // namespace
}  // namespace hedge
