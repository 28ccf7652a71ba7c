// SPDX-License-Identifier: Apache-2.0
#include "hi/sweep/sweep.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "hedge/error.h"
#include "hi/recorded_cases.h"

namespace hedge {
namespace {

using test::random_case;
using test::RecordedCase;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

struct Applied {
  std::int64_t offloads = 0;
  std::int64_t correct = 0;
};

/// The slow and obvious way: the decision asked image by image.
Applied apply(const Decision& decision, const RecordedCase& images) {
  Applied applied;
  for (std::size_t i = 0; i < images.scores.size(); ++i) {
    const bool keep = decision.keep(images.scores[i], i);
    applied.offloads += keep ? 0 : 1;
    applied.correct +=
        (keep ? images.scores[i].predicted : images.server_labels[i]) == images.labels[i] ? 1 : 0;
  }
  return applied;
}

std::vector<Decision> decisions() {
  std::vector<Decision> all{logistic_decision(-4.53, 5.83, -3.6)};
  for (const Rule rule : {Rule::kTop1, Rule::kMargin, Rule::kEntropy, Rule::kEnergy}) {
    all.push_back({.rule = rule});
  }
  return all;
}

class SweepOf : public testing::TestWithParam<std::size_t> {};
INSTANTIATE_TEST_SUITE_P(Decisions, SweepOf, testing::Range<std::size_t>(0, 5), [](const auto& of) {
  return std::string(name_of(decisions()[of.param].rule));
});

TEST_P(SweepOf, EachPointIsWhatItsThresholdDoesImageByImage) {
  const RecordedCase images = random_case(211, 7, 5);
  const Outcomes outcomes = images.outcomes();
  Decision decision = decisions()[GetParam()];
  const auto points = sweep(rank_images(decision, images.scores), outcomes);
  for (const SweepPoint& point : points) {
    decision.threshold = point.threshold;
    const Applied applied = apply(decision, images);
    EXPECT_EQ(applied.offloads, point.offloads) << point.threshold;
    EXPECT_EQ(applied.correct, point.correct) << point.threshold;
  }
}

TEST_P(SweepOf, HasEachDistinctThresholdOnce) {
  const RecordedCase images = random_case(211, 7, 6);
  Decision decision = decisions()[GetParam()];
  const auto points = sweep(rank_images(decision, images.scores), images.outcomes());
  std::set<std::int64_t> swept;
  for (const SweepPoint& point : points) swept.insert(point.offloads);
  EXPECT_EQ(swept.size(), points.size());
  // Whatever threshold one thinks of, the sweep has what it does.
  std::set<std::int64_t> possible;
  for (const ScoreFeatures& scores : images.scores) {
    const double confidence = decision.confidence(scores);
    if (std::isnan(confidence)) continue;
    for (const double least : {confidence, std::nextafter(confidence, 1e9)}) {
      decision.threshold = least;
      decision.threshold = decision.least_confidence();
      possible.insert(apply(decision, images).offloads);
    }
  }
  EXPECT_EQ(swept, possible);
}

TEST_P(SweepOf, LeavesOutWhatDoesNotCount) {
  const RecordedCase images = random_case(150, 7, 7);
  const Ranking ranking = rank_images(decisions()[GetParam()], images.scores);
  std::vector<std::uint8_t> counted(images.scores.size());
  RecordedCase part;
  for (std::size_t i = 0; i < counted.size(); ++i) {
    counted[i] = i % 3 == 0 ? 0 : 1;
    if (counted[i] == 0) continue;
    part.scores.push_back(images.scores[i]);
    part.labels.push_back(images.labels[i]);
    part.server_labels.push_back(images.server_labels[i]);
  }
  const auto expected = sweep(rank_images(ranking.decision, part.scores), part.outcomes());
  const auto points = sweep(ranking, images.outcomes(), counted);
  ASSERT_EQ(points.size(), expected.size());
  for (std::size_t i = 0; i < points.size(); ++i) {
    EXPECT_EQ(points[i].threshold, expected[i].threshold);
    EXPECT_EQ(points[i].offloads, expected[i].offloads);
    EXPECT_EQ(points[i].correct, expected[i].correct);
  }
}

/// Images with softmax (top1, 1 - top1).
RecordedCase by_hand(const std::vector<float>& top1, std::vector<int> labels,
                     std::vector<int> server_labels) {
  RecordedCase images{
      .scores = {}, .labels = std::move(labels), .server_labels = std::move(server_labels)};
  for (const float p : top1) {
    const std::vector<float> scores{p, 1 - p};
    images.scores.push_back(score_features(scores, ScoreKind::kSoftmax));
  }
  return images;
}

TEST(Sweep, ByHand) {
  // All are called class 0 locally.
  const RecordedCase images = by_hand({0.75F, 0.875F, 0.75F, 0.625F}, {0, 0, 1, 1}, {0, 1, 1, 0});
  const auto points = sweep(rank_images({.rule = Rule::kTop1}, images.scores), images.outcomes());
  ASSERT_EQ(points.size(), 4U);  // The two of 0.75 share a fate.
  EXPECT_LT(points[0].threshold, 0.625);
  EXPECT_NEAR(points[0].threshold, 0.625, 2e-9);
  EXPECT_EQ(points[0].offloads, 0);
  EXPECT_EQ(points[0].correct, 2);
  EXPECT_EQ(points[1].threshold, 0.6875);  // Midway.
  EXPECT_EQ(points[1].offloads, 1);
  EXPECT_EQ(points[1].correct, 2);  // The server is wrong there, too.
  EXPECT_EQ(points[2].threshold, 0.8125);
  EXPECT_EQ(points[2].offloads, 3);
  EXPECT_EQ(points[2].correct, 3);
  EXPECT_GT(points[3].threshold, 0.875);
  EXPECT_NEAR(points[3].threshold, 0.875, 2e-9);
  EXPECT_EQ(points[3].offloads, 4);
  EXPECT_EQ(points[3].correct, 2);
}

TEST(Sweep, NeverTrustsWhatIsNoNumber) {
  const RecordedCase images = by_hand({0.75F, kNan, 0.875F}, {0, 0, 0}, {1, 0, 1});
  const auto points = sweep(rank_images({.rule = Rule::kTop1}, images.scores), images.outcomes());
  ASSERT_EQ(points.size(), 3U);
  EXPECT_EQ(points[0].offloads, 1);
  EXPECT_EQ(points[0].correct, 3);
  EXPECT_EQ(points[2].offloads, 3);
}

TEST(Sweep, WhereNothingIsTrustedOffloadsEverything) {
  const RecordedCase images = by_hand({kNan, kNan}, {0, 0}, {0, 1});
  const auto points =
      sweep(rank_images({.rule = Rule::kEntropy}, images.scores), images.outcomes());
  ASSERT_EQ(points.size(), 1U);
  EXPECT_EQ(points[0].offloads, 2);
  EXPECT_EQ(points[0].correct, 1);
}

TEST(Sweep, ThresholdsBetweenNeighboursOfTheLastBitHold) {
  const double a = 0.75;
  const double b = std::nextafter(a, 1.0);
  std::vector<ScoreFeatures> scores(2);
  scores[0].top1 = a;
  scores[1].top1 = b;
  Outcomes outcomes{.local_right = {1, 1}, .server_right = {0, 0}, .local_correct = 2};
  const auto points = sweep(rank_images({.rule = Rule::kTop1}, scores), outcomes);
  ASSERT_EQ(points.size(), 3U);
  EXPECT_EQ(points[1].threshold, b);
  EXPECT_EQ(points[1].offloads, 1);
}

TEST(Sweep, RefusesRulesWithoutThreshold) {
  for (const Rule rule : {Rule::kAlways, Rule::kNever, Rule::kRandom, Rule::kOracle}) {
    EXPECT_THROW((void)rank_images({.rule = rule}, {}), Error);
  }
}

TEST(JudgeOutcomes, CountsGainsAndLosses) {
  const RecordedCase images = by_hand({0.75F, 0.75F, 0.75F, 0.75F}, {0, 0, 1, 1}, {0, 1, 1, 0});
  const Outcomes outcomes = images.outcomes();
  EXPECT_EQ(outcomes.local_correct, 2);
  EXPECT_EQ(outcomes.server_correct, 2);
  EXPECT_EQ(outcomes.gains, 1);
  EXPECT_EQ(outcomes.losses, 1);
}

TEST(JudgeOutcomes, RefusesOtherLengths) {
  const RecordedCase images = random_case(10, 3, 1);
  const std::vector<int> few(9);
  EXPECT_THROW((void)judge_outcomes(images.scores, few, images.server_labels), Error);
  EXPECT_THROW((void)judge_outcomes(images.scores, images.labels, few), Error);
}

TEST(Bounds, NoDecisionLeavesThem) {
  const RecordedCase images = random_case(400, 5, 11);
  const Outcomes outcomes = images.outcomes();
  for (const Decision& decision : decisions()) {
    for (const SweepPoint& point : sweep(rank_images(decision, images.scores), outcomes)) {
      const double share = static_cast<double>(point.offloads) / 400;
      const double accuracy = static_cast<double>(point.correct) / 400;
      EXPECT_LE(accuracy, oracle_accuracy(outcomes, share) + 1e-12);
    }
  }
  EXPECT_DOUBLE_EQ(oracle_accuracy(outcomes, 0), static_cast<double>(outcomes.local_correct) / 400);
  EXPECT_NEAR(oracle_accuracy(outcomes, 1), static_cast<double>(outcomes.server_correct) / 400,
              1e-12);
  EXPECT_DOUBLE_EQ(random_accuracy(outcomes, 0), oracle_accuracy(outcomes, 0));
  EXPECT_NEAR(random_accuracy(outcomes, 1), oracle_accuracy(outcomes, 1), 1e-12);
}

TEST(Bounds, TheOracleIsTheBestOfAllOrders) {
  // Seven images: every set of k of them, for every k.
  const RecordedCase images = random_case(7, 2, 3);
  const Outcomes outcomes = images.outcomes();
  for (int k = 0; k <= 7; ++k) {
    std::int64_t best = 0;
    for (unsigned set = 0; set < 128; ++set) {
      if (__builtin_popcount(set) != k) continue;
      std::int64_t correct = 0;
      for (std::size_t i = 0; i < 7; ++i) {
        correct += (set >> i & 1U) != 0 ? outcomes.server_right[i] : outcomes.local_right[i];
      }
      best = std::max(best, correct);
    }
    EXPECT_NEAR(oracle_accuracy(outcomes, k / 7.0), static_cast<double>(best) / 7, 1e-12) << k;
  }
}

TEST(Area, IsTheIntegralOfTheBounds) {
  const RecordedCase images = random_case(300, 4, 8);
  const Outcomes outcomes = images.outcomes();
  double oracle = 0;
  double random = 0;
  constexpr int kSteps = 30'000;
  for (int i = 0; i < kSteps; ++i) {
    const double share = (i + 0.5) / kSteps;
    oracle += oracle_accuracy(outcomes, share) / kSteps;
    random += random_accuracy(outcomes, share) / kSteps;
  }
  EXPECT_NEAR(oracle_area(outcomes), oracle, 1e-8);
  EXPECT_NEAR(random_area(outcomes), random, 1e-8);
}

TEST(Area, OfAKnownCurve) {
  // Confidence is whether the local model is right where the server is, too: an oracle.
  RecordedCase images = random_case(300, 4, 9);
  const Outcomes outcomes = images.outcomes();
  for (std::size_t i = 0; i < 300; ++i) {
    images.scores[i].top1 = 0.5 + 0.25 * (outcomes.local_right[i] - outcomes.server_right[i]);
  }
  const auto points = sweep(rank_images({.rule = Rule::kTop1}, images.scores), outcomes);
  EXPECT_EQ(points.size(), 4U);
  EXPECT_NEAR(area_under(points, outcomes), oracle_area(outcomes), 1e-12);
  // Nothing told apart: one step from all-local to all-server.
  for (ScoreFeatures& scores : images.scores) scores.top1 = 0.5;
  const auto blind = sweep(rank_images({.rule = Rule::kTop1}, images.scores), outcomes);
  EXPECT_NEAR(area_under(blind, outcomes), random_area(outcomes), 1e-12);
}

}  // namespace
}  // namespace hedge
