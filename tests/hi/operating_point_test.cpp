// SPDX-License-Identifier: Apache-2.0
#include "hi/sweep/operating_point.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "hedge/error.h"
#include "hi/recorded_cases.h"

namespace hedge {
namespace {

using test::random_case;
using test::RecordedCase;

/// Points of a system, by what counts.
OperatingPoint point(double accuracy, double seconds, double joules, double share) {
  return {.decision = 0,
          .point = {},
          .accuracy = accuracy,
          .share = share,
          .seconds = seconds,
          .joules = joules};
}

struct Fixture {
  explicit Fixture(std::size_t images, unsigned seed) : recorded(random_case(images, 5, seed)) {
    outcomes = recorded.outcomes();
    for (const Rule rule : {Rule::kTop1, Rule::kMargin, Rule::kEntropy}) {
      rankings.push_back(rank_images({.rule = rule}, recorded.scores));
    }
    costs.seconds = LinearCost{.local = 1, .decision = 0.5, .offload = 10};
    costs.joules = LinearCost{.local = 2, .decision = 0, .offload = 3};
  }
  RecordedCase recorded;
  Outcomes outcomes;
  std::vector<Ranking> rankings;
  Costs costs;
};

TEST(OperatingPoints, AllLocalPaysNoDecisionAndAllServerNoLocalModel) {
  const Fixture made(90, 2);
  const auto points = operating_points(made.rankings, made.outcomes, made.costs);
  EXPECT_EQ(points[0].decision, kAllLocal);
  EXPECT_EQ(points[0].share, 0);
  EXPECT_EQ(points[0].seconds, 1);
  EXPECT_EQ(points[0].joules, 2);
  EXPECT_EQ(points[0].point.correct, made.outcomes.local_correct);
  EXPECT_EQ(points[1].decision, kAllServer);
  EXPECT_EQ(points[1].share, 1);
  EXPECT_EQ(points[1].seconds, 10);
  EXPECT_EQ(points[1].joules, 3);
  EXPECT_EQ(points[1].point.correct, made.outcomes.server_correct);
  for (std::size_t i = 2; i < points.size(); ++i) {
    EXPECT_DOUBLE_EQ(points[i].seconds, 1.5 + 10 * points[i].share);
    EXPECT_DOUBLE_EQ(points[i].joules, 2 + 3 * points[i].share);
  }
}

TEST(OperatingPoints, UnknownCostsAreNoNumbers) {
  const Fixture made(20, 2);
  for (const OperatingPoint& each : operating_points(made.rankings, made.outcomes, {})) {
    EXPECT_TRUE(std::isnan(each.seconds));
    EXPECT_TRUE(std::isnan(each.joules));
  }
}

TEST(ParetoFront, IsWhatNoOtherPointBeats) {
  const Fixture made(200, 3);
  const auto points = operating_points(made.rankings, made.outcomes, made.costs);
  for (const Axis axis : {Axis::kShare, Axis::kSeconds, Axis::kJoules}) {
    const auto front = pareto_front(points, axis);
    std::vector<bool> on_front(points.size());
    for (const std::size_t index : front) on_front[index] = true;
    for (std::size_t i = 0; i < points.size(); ++i) {
      bool beaten = false;
      for (std::size_t j = 0; j < points.size(); ++j) {
        const double cost = cost_of(points[i], axis);
        const double other = cost_of(points[j], axis);
        const bool no_worse = other <= cost && points[j].accuracy >= points[i].accuracy;
        const bool better = other < cost || points[j].accuracy > points[i].accuracy;
        beaten = beaten || (no_worse && (better || j < i));
      }
      EXPECT_EQ(on_front[i], !beaten) << i;
    }
    for (std::size_t k = 1; k < front.size(); ++k) {
      EXPECT_GT(cost_of(points[front[k]], axis), cost_of(points[front[k - 1]], axis));
      EXPECT_GT(points[front[k]].accuracy, points[front[k - 1]].accuracy);
    }
  }
}

TEST(BestPoint, MeetsAllBoundsAndIsTheBest) {
  const Fixture made(200, 4);
  const auto points = operating_points(made.rankings, made.outcomes, made.costs);
  const Wishes wishes{.max_seconds = 5, .max_joules = 2.9, .max_share = 0.5, .min_accuracy = 0.4};
  const auto best = best_point(points, wishes);
  ASSERT_TRUE(best);
  double most = 0;
  for (const OperatingPoint& each : points) {
    if (each.seconds <= 5 && each.joules <= 2.9 && each.share <= 0.5 && each.accuracy >= 0.4) {
      most = std::max(most, each.accuracy);
    }
  }
  EXPECT_EQ(points[*best].accuracy, most);
  EXPECT_LE(points[*best].joules, 2.9);
}

TEST(BestPoint, WhereTheLeastCostIsAskedFor) {
  const std::vector points{point(0.9, 3, 1, 0.1), point(0.8, 2, 2, 0.2), point(0.7, 1, 3, 0.3)};
  EXPECT_EQ(best_point(points, {}), 0U);
  EXPECT_EQ(best_point(points, {.min_accuracy = 0.75, .objective = Objective::kSeconds}), 1U);
  EXPECT_EQ(best_point(points, {.min_accuracy = 0.75, .objective = Objective::kJoules}), 0U);
  EXPECT_EQ(best_point(points, {.objective = Objective::kSeconds}), 2U);
  EXPECT_EQ(best_point(points, {.objective = Objective::kShare}), 0U);
  EXPECT_EQ(best_point(points, {.max_seconds = 2}), 1U);  // Ends included.
  EXPECT_EQ(best_point(points, {.max_seconds = 0.5}), std::nullopt);
}

TEST(BestPoint, TiesGoToTheCheaper) {
  const std::vector points{point(0.9, 3, 1, 0.3), point(0.9, 2, 2, 0.2), point(0.9, 2, 2, 0.1),
                           point(0.9, 2, 2, 0.1)};
  EXPECT_EQ(best_point(points, {}), 2U);
}

TEST(BestPoint, RefusesBoundsOnWhatIsNotKnown) {
  const double unknown = std::nan("");
  const std::vector points{point(0.9, unknown, unknown, 0.3)};
  EXPECT_THROW((void)best_point(points, {.max_seconds = 1}), Error);
  EXPECT_THROW((void)best_point(points, {.max_joules = 1}), Error);
  EXPECT_THROW((void)best_point(points, {.objective = Objective::kSeconds}), Error);
  EXPECT_THROW((void)best_point(points, {.objective = Objective::kJoules}), Error);
  EXPECT_THROW((void)best_point({}, {}), Error);
  EXPECT_EQ(best_point(points, {.max_share = 0.5}), 0U);
}

TEST(NearestPoint, HasTheLeastExcessOverItsWorstBound) {
  // Over by: 50 % of the latency; 20 % of the errors allowed; both by more.
  const std::vector points{point(0.95, 3, 1, 0), point(0.88, 2, 1, 0), point(0.5, 4, 1, 0)};
  const Wishes wishes{.max_seconds = 2, .min_accuracy = 0.9};
  EXPECT_EQ(best_point(points, wishes), std::nullopt);
  EXPECT_EQ(nearest_point(points, wishes), 1U);
}

TEST(CrossValidation, OfAChoiceThatIsForcedIsThatChoice) {
  const Fixture made(200, 5);
  // Only all-local keeps to it: every point of a decision takes 1.5 s at least.
  const HeldOut held =
      cross_validate(made.rankings, made.outcomes, made.costs, {.max_seconds = 1}, 5);
  EXPECT_EQ(held.correct, made.outcomes.local_correct);
  EXPECT_EQ(held.offloads, 0);
  EXPECT_EQ(held.total, 200);
  EXPECT_EQ(held.infeasible, 0);
  EXPECT_DOUBLE_EQ(held.seconds, 1);
  EXPECT_DOUBLE_EQ(held.joules, 2);
  EXPECT_EQ(held.choices, std::vector<int>(5, kAllLocal));
}

TEST(CrossValidation, CountsFoldsThatCannotMeetTheBounds) {
  const Fixture made(50, 5);
  const HeldOut held =
      cross_validate(made.rankings, made.outcomes, made.costs, {.max_seconds = 0.5}, 5);
  EXPECT_EQ(held.infeasible, 5);
  EXPECT_EQ(held.correct, made.outcomes.local_correct);  // The nearest.
}

TEST(CrossValidation, IsWhatEachFoldsChoiceDoesOnTheRest) {
  // The pooled figure must lie within what thresholds do, and the same seed give the same.
  const Fixture made(300, 6);
  const Wishes wishes{.max_share = 0.3};
  const HeldOut held = cross_validate(made.rankings, made.outcomes, made.costs, wishes, 10, 3);
  const HeldOut again = cross_validate(made.rankings, made.outcomes, made.costs, wishes, 10, 3);
  EXPECT_EQ(held.correct, again.correct);
  EXPECT_EQ(held.offloads, again.offloads);
  EXPECT_NEAR(held.seconds, 1.5 + 10 * static_cast<double>(held.offloads) / 300, 1e-9);
  EXPECT_LE(held.accuracy_ci95.lower, static_cast<double>(held.correct) / 300);
  EXPECT_GE(held.accuracy_ci95.upper, static_cast<double>(held.correct) / 300);
}

TEST(CrossValidation, SeesTheOptimismOfTheSameImages) {
  // Server and local model are right by the toss of a coin: nothing is to be gained, yet the best
  // threshold on the same images seems to gain. Mean over 40 draws of 60 images.
  double same = 0;
  double held_out = 0;
  double truth = 0;
  std::mt19937 random(1);
  for (unsigned draw = 0; draw < 40; ++draw) {
    Fixture made(60, 100 + draw);
    for (std::size_t i = 0; i < 60; ++i) {
      made.outcomes.local_right[i] = random() % 2;
      made.outcomes.server_right[i] = random() % 2;
    }
    made.outcomes.local_correct = made.outcomes.server_correct = 0;
    for (std::size_t i = 0; i < 60; ++i) {
      made.outcomes.local_correct += made.outcomes.local_right[i];
      made.outcomes.server_correct += made.outcomes.server_right[i];
    }
    const auto points = operating_points(made.rankings, made.outcomes, made.costs);
    same += points[best_point(points, {}).value()].accuracy / 40;
    const HeldOut held = cross_validate(made.rankings, made.outcomes, made.costs, {}, 5);
    held_out += static_cast<double>(held.correct) / 60 / 40;
    truth +=
        static_cast<double>(made.outcomes.local_correct + made.outcomes.server_correct) / 120 / 40;
  }
  EXPECT_GT(same, truth + 0.05);
  EXPECT_NEAR(held_out, truth, 0.03);
}

TEST(CrossValidation, RefusesFoldsThatCannotBe) {
  const Fixture made(5, 5);
  EXPECT_THROW((void)cross_validate(made.rankings, made.outcomes, made.costs, {}, 1), Error);
  EXPECT_THROW((void)cross_validate(made.rankings, made.outcomes, made.costs, {}, 6), Error);
}

}  // namespace
}  // namespace hedge
