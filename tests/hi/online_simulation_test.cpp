// SPDX-License-Identifier: Apache-2.0
#include "hi/online/online_simulation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <vector>

#include "base/random.h"
#include "hedge/error.h"
#include "hi/online/online_streams.h"

namespace hedge {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

double cost_of(std::span<const OnlineRound> rounds, double threshold) {
  double cost = 0;
  for (const OnlineRound& round : rounds) {
    cost += round.confidence >= threshold ? round.keep_loss : round.offload_loss;
  }
  return cost;
}

/// With ties and confidences that are no numbers.
std::vector<OnlineRound> random_rounds(std::size_t count, std::uint64_t seed) {
  SplitMix64 random(seed);
  std::vector<OnlineRound> rounds(count);
  for (OnlineRound& round : rounds) {
    round.confidence = std::floor(random.uniform() * 12) / 12;
    round.local_right = random.uniform() < round.confidence;
    round.server_right = random.uniform() < 0.9;
    round.agree = round.local_right && round.server_right;
    round.keep_loss = round.local_right ? 0 : 1;
    round.offload_loss = 0.2 + (round.server_right ? 0 : 1);
    if (random.uniform() < 0.05) round.confidence = kNan;
  }
  return rounds;
}

TEST(BestFixedThreshold, IsTheBestOfAllTried) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    const auto rounds = random_rounds(seed, seed);
    double least = cost_of(rounds, kInfinity);
    for (int i = -1; i <= 13; ++i) least = std::min(least, cost_of(rounds, i / 12.0));
    const BestThreshold best = best_fixed_threshold(rounds);
    EXPECT_NEAR(best.cost, least, 1e-9);
    EXPECT_NEAR(cost_of(rounds, best.threshold), least, 1e-9);
  }
}

TEST(BestFixedThreshold, MayBeToOffloadAllOrNothing) {
  std::vector<OnlineRound> rounds(10, {.confidence = 0.9, .keep_loss = 1, .offload_loss = 0.3});
  EXPECT_EQ(best_fixed_threshold(rounds).threshold, kInfinity);
  EXPECT_NEAR(best_fixed_threshold(rounds).cost, 3, 1e-12);
  for (OnlineRound& round : rounds) round.keep_loss = 0;
  EXPECT_EQ(best_fixed_threshold(rounds).threshold, 0.9);
  EXPECT_EQ(best_fixed_threshold({}).cost, 0);
}

TEST(BestCosts, AreThoseOfThePrefixes) {
  const auto rounds = random_rounds(200, 4);
  const std::vector<std::size_t> checkpoints{1, 2, 50, 199, 200};
  const std::vector<double> costs = best_costs(rounds, checkpoints);
  for (std::size_t i = 0; i < checkpoints.size(); ++i) {
    EXPECT_NEAR(costs[i], best_fixed_threshold(std::span(rounds).first(checkpoints[i])).cost, 1e-9);
  }
}

TEST(LogCheckpoints, AscendToTheEnd) {
  for (const std::size_t images : {1U, 2U, 10U, 12345U}) {
    const auto checkpoints = log_checkpoints(images, 20);
    EXPECT_EQ(checkpoints.back(), images);
    EXPECT_TRUE(std::is_sorted(checkpoints.begin(), checkpoints.end()));
    EXPECT_EQ(std::set<std::size_t>(checkpoints.begin(), checkpoints.end()).size(),
              checkpoints.size());
    EXPECT_GE(checkpoints.front(), 1U);
  }
}

TEST(Play, CountsByTheLossesOfTheRounds) {
  const auto rounds = random_rounds(500, 5);
  const std::vector<std::size_t> checkpoints{100, 500};
  const OnlineRun run =
      play(FixedThresholdPolicy(0.5, {}), rounds, OnlineFeedback::kServer, checkpoints);
  EXPECT_NEAR(run.cost[0], cost_of(std::span(rounds).first(100), 0.5), 1e-9);
  EXPECT_NEAR(run.cost[1], cost_of(rounds, 0.5), 1e-9);
  std::size_t right = 0;
  std::size_t offloads = 0;
  for (const OnlineRound& round : rounds) {
    const bool keep = round.confidence >= 0.5;
    offloads += keep ? 0U : 1U;
    right += (keep ? round.local_right : round.server_right) ? 1U : 0U;
  }
  EXPECT_EQ(run.offloads, offloads);
  EXPECT_EQ(run.right, right);
}

TEST(Play, TellsThePolicyWhatTheFeedbackIs) {
  // The server is always wrong and always disagrees; the local model is right.
  std::vector<OnlineRound> rounds(6000, {.confidence = 0.5, .offload_loss = 1.3});
  for (OnlineRound& round : rounds) round.server_right = round.agree = false;
  const std::vector<std::size_t> end{rounds.size()};
  const auto offloads = [&](OnlineFeedback feedback, double server_error) {
    return play(UpperConfidencePolicy({.costs = {0.3, server_error}}), rounds, feedback, end)
        .offloads;
  };
  EXPECT_EQ(offloads(OnlineFeedback::kServer, 0), rounds.size());  // It takes the server for right.
  EXPECT_LT(offloads(OnlineFeedback::kLabels, 1), 200U);
}

TEST(GrowthExponent, IsTheSlopeOfTheLastStretch) {
  const auto images = log_checkpoints(100000, 48);
  std::vector<double> regret;
  for (const std::size_t t : images) regret.push_back(3 * std::pow(t, 0.66));
  regret[0] = -5;  // Long before.
  EXPECT_NEAR(*growth_exponent(images, regret), 0.66, 1e-9);
  regret.back() = 0;
  EXPECT_FALSE(growth_exponent(images, regret));
  EXPECT_FALSE(growth_exponent(std::vector<std::size_t>{1, 100}, std::vector<double>{1, 2}));
}

TEST(MeanOver, HasAnIntervalWhereValuesDiffer) {
  const OnlineMean mean = mean_over(std::vector<double>{1, 2, 3});
  EXPECT_DOUBLE_EQ(mean.mean, 2);
  EXPECT_NEAR(mean.ci95->upper - 2, 4.302653 / std::sqrt(3), 1e-5);  // Student's t, 2 degrees.
  EXPECT_FALSE(mean_over(std::vector<double>{1}).ci95);
  EXPECT_FALSE(mean_over(std::vector<double>{0.1 + 0.2, 0.3}).ci95);
}

// ---- streams

TEST(SyntheticStream, HasTheTruthThatItSays) {
  const SyntheticOptions options{.images = 50000, .offload_cost = 0.25};
  const OnlineStream stream = synthetic_stream(options, 3);
  EXPECT_NEAR(best_fixed_threshold(stream.rounds).threshold, 0.75, 1e-3);
  double expected = 0;
  double wrong = 0;
  for (const OnlineRound& round : stream.rounds) {
    expected += round.keep_loss;
    wrong += round.local_right ? 0 : 1;
    EXPECT_NEAR(round.keep_loss, 1 - round.confidence, 1e-12);
  }
  EXPECT_NEAR(wrong, expected, 4 * std::sqrt(50000 / 6.0));  // Variance of p (1 - p): 1/6.
  const OnlineStream again = synthetic_stream(options, 3);
  EXPECT_TRUE(std::equal(stream.rounds.begin(), stream.rounds.end(), again.rounds.begin(),
                         [](const OnlineRound& a, const OnlineRound& b) {
                           return a.confidence == b.confidence && a.local_right == b.local_right;
                         }));
}

TEST(SyntheticStream, DriftsWhereItSays) {
  const auto best_in = [](Drift drift, std::size_t begin, std::size_t end) {
    const OnlineStream stream = synthetic_stream({.drift = drift, .images = 40000}, 1);
    return best_fixed_threshold(std::span(stream.rounds).subspan(begin, end - begin)).threshold;
  };
  EXPECT_NEAR(best_in(Drift::kSudden, 0, 20000), 0.7, 1e-3);
  EXPECT_EQ(best_in(Drift::kSudden, 20000, 40000), kInfinity);
  EXPECT_NEAR(best_in(Drift::kGradual, 0, 10000), 0.7, 1e-3);
  EXPECT_EQ(best_in(Drift::kGradual, 30000, 40000), kInfinity);
  for (std::size_t part = 0; part < 8; ++part) {
    const double best = best_in(Drift::kRecurring, 5000 * part, 5000 * (part + 1));
    if (part % 2 == 0) {
      EXPECT_NEAR(best, 0.7, 1e-2);
    } else {
      EXPECT_EQ(best, kInfinity);
    }
  }
  EXPECT_EQ(synthetic_stream({.drift = Drift::kRecurring, .images = 800}, 1).segments[3], 300U);
  EXPECT_TRUE(synthetic_stream({.images = 800}, 1).segments.empty());
}

TEST(OrderedStream, IsAPermutationWithItsClassesTogether) {
  std::vector<OnlineRound> rounds(300);
  std::vector<int> classes(300);
  for (std::size_t i = 0; i < 300; ++i) {
    rounds[i].confidence = static_cast<double>(i);
    classes[i] = static_cast<int>(i % 7);
  }
  for (const char* name : {"recorded", "shuffled", "by-class"}) {
    const OnlineStream stream = ordered_stream(rounds, classes, order_named(name), 5);
    std::set<double> seen;
    for (const OnlineRound& round : stream.rounds) seen.insert(round.confidence);
    EXPECT_EQ(seen.size(), 300U) << name;
  }
  EXPECT_EQ(ordered_stream(rounds, classes, OnlineOrder::kRecorded, 5).rounds[299].confidence, 299);
  const OnlineStream by_class = ordered_stream(rounds, classes, OnlineOrder::kByClass, 5);
  ASSERT_EQ(by_class.segments.size(), 7U);
  for (std::size_t part = 0; part < 7; ++part) {
    const std::size_t end = part < 6 ? by_class.segments[part + 1] : 300;
    std::set<int> in_part;
    for (std::size_t i = by_class.segments[part]; i < end; ++i) {
      in_part.insert(classes[static_cast<std::size_t>(by_class.rounds[i].confidence)]);
    }
    EXPECT_EQ(in_part.size(), 1U);
  }
  const auto first = [&](std::uint64_t seed) {
    return ordered_stream(rounds, classes, OnlineOrder::kShuffled, seed).rounds[0].confidence;
  };
  EXPECT_EQ(first(1), first(1));
  EXPECT_TRUE(first(1) != first(2) || first(1) != first(3));
}

TEST(Names, AreSaidWhereThereIsNoSuchOne) {
  EXPECT_THROW(static_cast<void>(drift_named("slow")), Error);
  EXPECT_THROW(static_cast<void>(order_named("sorted")), Error);
}

// ---- regret against theory

OnlineSummary summary_of(const SyntheticOptions& synthetic, std::size_t repetitions,
                         const std::function<OnlinePolicy(std::size_t)>& policy) {
  const PolicyMaker maker = [&](std::size_t r, const OnlineStream&) { return policy(r); };
  return repeat_online([&](std::size_t r) { return synthetic_stream(synthetic, 100 + r); },
                       std::span(&maker, 1), OnlineFeedback::kServer, repetitions)
      .front();
}

std::function<OnlinePolicy(std::size_t)> hedge_of(HedgeOptions options) {
  return [options](std::size_t r) {
    HedgeOptions seeded = options;
    seeded.seed = r + 1;
    return OnlinePolicy(HedgePolicy(seeded));
  };
}

std::function<OnlinePolicy(std::size_t)> ucb_of(const UcbOptions& options) {
  return [options](std::size_t) { return OnlinePolicy(UpperConfidencePolicy(options)); };
}

/// 3 (ln N / 2)^(1/3) (b T)^(2/3), the leading term of docs/online.md.
double known_horizon_bound(double cost, double images) {
  return 3 * std::cbrt(std::log(64) / 2) * std::pow(cost * images, 2.0 / 3);
}

TEST(HedgeRegret, LiesBelowItsBoundAndGrowsByTwoThirds) {
  for (const double cost : {0.1, 0.3, 0.5}) {
    const SyntheticOptions synthetic{.images = 40000, .offload_cost = cost};
    const OnlineSummary known =
        summary_of(synthetic, 4, hedge_of({.costs = {cost, 0}, .experts = 64, .horizon = 40000}));
    EXPECT_LT(known.regret.mean, known_horizon_bound(cost, 40000));
    const OnlineSummary anytime =
        summary_of(synthetic, 4, hedge_of({.costs = {cost, 0}, .experts = 64}));
    EXPECT_LT(anytime.regret.mean, 1.31 * known_horizon_bound(cost, 40000));
    EXPECT_GT(anytime.regret.mean, 0.02 * known_horizon_bound(cost, 40000));
  }
  // (ln t is as t^0.1 here, sqrt as t^0.5, all exploration as t^1.)
  const OnlineSummary anytime =
      summary_of({.images = 120000}, 4, hedge_of({.costs = {0.3, 0}, .experts = 64}));
  ASSERT_TRUE(anytime.growth);
  EXPECT_NEAR(*anytime.growth, 2.0 / 3, 0.07);
}

TEST(HedgeRegret, OfAKnownHorizonGrowsByTwoThirdsOverHorizons) {
  std::vector<std::size_t> images;
  std::vector<double> regret;
  for (std::int64_t horizon = 8000; horizon <= 128000; horizon *= 2) {
    const OnlineSummary summary =
        summary_of({.images = static_cast<std::size_t>(horizon)}, 3,
                   hedge_of({.costs = {0.3, 0}, .experts = 64, .horizon = horizon}));
    images.push_back(static_cast<std::size_t>(horizon));
    regret.push_back(summary.regret.mean);
  }
  // It comes from above and slowly: 0.72 between 1 and 4 million images (docs/online.md).
  const double growth = *growth_exponent(images, regret);
  EXPECT_GT(growth, 0.6);
  EXPECT_LT(growth, 0.8);
}

TEST(UcbRegret, GrowsAsTheLogarithmOnFinitelyManyConfidences) {
  for (const UcbOptions& options : {UcbOptions{}, UcbOptions{.monotone = false},
                                    UcbOptions{.bound = ConfidenceBound::kHoeffding}}) {
    const OnlineSummary summary = summary_of({.images = 200000, .levels = 10}, 4, ucb_of(options));
    ASSERT_TRUE(summary.growth);
    EXPECT_LT(*summary.growth, 0.3);
    // Per ln t: no more over the last factor of 4 than over all.
    const auto quarter = std::find_if(summary.checkpoints.begin(), summary.checkpoints.end(),
                                      [](std::size_t t) { return t >= 50000; });
    const auto at = static_cast<std::size_t>(quarter - summary.checkpoints.begin());
    const double late = (summary.regret.mean - summary.curve[at].mean) /
                        std::log(200000.0 / static_cast<double>(*quarter));
    EXPECT_LT(late, 1.5 * summary.regret.mean / std::log(200000.0));
    EXPECT_LT(summary.regret.mean, 250);
  }
}

TEST(UcbRegret, HasTheConstantOfKlUcb) {
  // Each level that is worth keeping takes ln T / kl(error, cost) offloads, each cost - error too
  // dear. Levels 0.75, 0.85 and 0.95 at a cost of 0.3.
  double per_log = 0;
  for (const double error : {0.25, 0.15, 0.05}) {
    const double kl = error * std::log(error / 0.3) + (1 - error) * std::log((1 - error) / 0.7);
    per_log += (0.3 - error) / kl;
  }
  const OnlineSummary summary =
      summary_of({.images = 200000, .levels = 10}, 6, ucb_of({.monotone = false}));
  EXPECT_NEAR(summary.regret.mean / (per_log * std::log(200000.0)), 1, 0.35);
}

TEST(Regret, OfAWrongFixedThresholdIsLinear) {
  const OnlineSummary summary = summary_of({.images = 20000}, 2, [](std::size_t) {
    return OnlinePolicy(FixedThresholdPolicy(0.5, {}));
  });
  // Between 0.5 and 0.7 an answer costs 0.1 on the mean more than to offload.
  EXPECT_NEAR(summary.regret.mean, 20000 * 0.2 * 0.1, 20);
  EXPECT_NEAR(*summary.growth, 1, 0.03);
  EXPECT_DOUBLE_EQ(summary.threshold, 0.5);
}

TEST(Drift, IsFollowedByPoliciesThatForget) {
  for (const Drift drift : {Drift::kSudden, Drift::kRecurring}) {
    const SyntheticOptions synthetic{.drift = drift, .images = 80000};
    const auto tracking = [&](const std::function<OnlinePolicy(std::size_t)>& policy) {
      return summary_of(synthetic, 2, policy).tracking->mean;
    };
    const OnlineSummary forgetting =
        summary_of(synthetic, 2, hedge_of({.experts = 64, .memory = 2000}));
    // Better than any fixed threshold, which a policy that never forgets is not.
    EXPECT_LT(forgetting.regret.mean, 0);
    EXPECT_LT(forgetting.tracking->mean, 0.8 * tracking(hedge_of({.experts = 64})));
    EXPECT_LT(tracking(ucb_of({.memory = 2000})),
              tracking([](std::size_t) { return FixedThresholdPolicy(kInfinity, {}); }));
  }
}

TEST(RepeatOnline, StopsWhenTold) {
  const PolicyMaker maker = [](std::size_t, const OnlineStream&) {
    return OnlinePolicy(FixedThresholdPolicy(0.5, {}));
  };
  int asked = 0;
  const auto summaries = repeat_online(
      [](std::size_t r) { return synthetic_stream({.images = 200}, r); }, std::span(&maker, 1),
      OnlineFeedback::kServer, 10, [&] { return ++asked == 3; });
  EXPECT_EQ(summaries.front().repetitions, 3U);
  EXPECT_EQ(summaries.front().images, 200U);
  EXPECT_THROW(static_cast<void>(repeat_online([](std::size_t) { return OnlineStream{}; },
                                               std::span(&maker, 1), OnlineFeedback::kServer, 1)),
               Error);
}

}  // namespace
}  // namespace hedge
