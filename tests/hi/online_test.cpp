// SPDX-License-Identifier: Apache-2.0
#include "hi/online/online.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <set>
#include <span>
#include <vector>

#include "base/random.h"
#include "hedge/error.h"

namespace hedge {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Hedge over thresholds by its definition: all losses kept, the weight of each threshold worked
/// out anew from their sum.
class SlowHedge {
 public:
  struct Step {
    double confidence;
    double keep_loss;
    double offload_loss;
  };

  /// The share of thresholds in (low - margin, high + margin], by weight, that offload
  /// `confidence`.
  [[nodiscard]] double offload_share(double confidence, double rate, std::size_t experts) const {
    std::set<double> borders{-1.0 / static_cast<double>(experts),
                             1 + 1.0 / static_cast<double>(experts), confidence};
    for (const Step& step : steps) borders.insert(step.confidence);
    double offload = 0;
    double all = 0;
    for (auto upper = std::next(borders.begin()); upper != borders.end(); ++upper) {
      double loss = 0;
      for (const Step& step : steps) {
        loss += step.confidence >= *upper ? step.keep_loss : step.offload_loss;
      }
      const double weight = (*upper - *std::prev(upper)) * std::exp(-rate * loss);
      all += weight;
      if (confidence < *upper) offload += weight;
    }
    return offload / all;
  }

  std::vector<Step> steps;
};

void expect_as_slow_hedge(const HedgeOptions& options, int images) {
  HedgePolicy policy(options);
  SlowHedge slow;
  SplitMix64 random(5);
  for (int i = 0; i < images; ++i) {
    const double confidence = std::floor(random.uniform() * 40) / 40;
    const bool offloaded = policy.offload(confidence);
    const double share = slow.offload_share(confidence, policy.learning_rate(), options.experts);
    const double explore = policy.exploration();
    ASSERT_NEAR(policy.probability(), explore + (1 - explore) * share, 1e-9) << i;
    const bool right = random.uniform() < confidence;
    const bool server_right = random.uniform() < 0.9;
    SlowHedge::Step step{confidence, 0, options.costs.offload};
    if (offloaded) {
      policy.feedback(right, server_right);
      step.keep_loss = right ? 0 : 1 / policy.probability();
      if (!server_right) step.offload_loss += options.costs.server_error / policy.probability();
    }
    slow.steps.push_back(step);
  }
}

TEST(HedgePolicy, IsTheDefinition) {
  expect_as_slow_hedge({.costs = {0.3, 0}, .horizon = 600}, 600);
  expect_as_slow_hedge({.costs = {0.1, 1}, .horizon = 600, .seed = 3}, 600);
  expect_as_slow_hedge({.costs = {0.2, 0.5}, .exploration = 0.2, .learning_rate = 0.1}, 600);
}

TEST(HedgePolicy, IsTheDefinitionAlsoWhereTheRateFalls) {
  expect_as_slow_hedge({.costs = {0.3, 0}}, 900);
  expect_as_slow_hedge({.costs = {0.3, 1}, .exploration = 0.1}, 900);
}

TEST(HedgePolicy, SharesWeightsByTheDefinition) {
  // Herbster and Warmuth's: w <- (1 - a) w e^(-rate loss) / sum + a mass, on cells that never
  // split.
  constexpr int kCells = 20;
  constexpr double kMemory = 300;
  const HedgeOptions options{.costs = {0.3, 0}, .experts = 64, .memory = 300};
  HedgePolicy policy(options);
  std::vector<double> border{1.0 + 1.0 / 64};  // Descending.
  for (int i = kCells; i > 0; --i) border.push_back(static_cast<double>(i) / kCells);
  border.push_back(-1.0 / 64);
  std::vector<double> mass;
  for (std::size_t i = 0; i + 1 < border.size(); ++i) {
    mass.push_back((border[i] - border[i + 1]) / (1 + 2.0 / 64));
  }
  std::vector<double> weight = mass;
  SplitMix64 random(11);
  for (int step = 0; step < 2000; ++step) {
    const double confidence = std::floor(1 + random.uniform() * kCells) / kCells;
    const bool offloaded = policy.offload(confidence);
    double share = 0;
    for (std::size_t i = 0; i < weight.size(); ++i) {
      if (confidence < border[i]) share += weight[i];
    }
    const double explore = policy.exploration();
    ASSERT_NEAR(policy.probability(), explore + (1 - explore) * share, 1e-9) << step;
    const bool right = random.uniform() < (step < 1000 ? confidence : 0.2);
    if (offloaded) policy.feedback(right);
    const double keep_loss = offloaded && !right ? 1 / policy.probability() : 0;
    double sum = 0;
    for (std::size_t i = 0; i < weight.size(); ++i) {
      const double loss = confidence < border[i] ? options.costs.offload : keep_loss;
      sum += weight[i] *= std::exp(-policy.learning_rate() * loss);
    }
    for (std::size_t i = 0; i < weight.size(); ++i) {
      weight[i] = (1 - 1 / kMemory) * weight[i] / sum + mass[i] / kMemory;
    }
  }
}

TEST(HedgePolicy, ThresholdsOfAnUnsplitIntervalCountAsEvenlySpread) {
  // Two intervals: the second confidence does not split one again.
  HedgePolicy policy({.costs = {0.3, 0}, .experts = 2, .exploration = 0.0, .learning_rate = 1.0});
  policy.offload(0.5);
  EXPECT_DOUBLE_EQ(policy.probability(), 0.5);  // Thresholds lie in (-0.5, 1.5].
  const double keep = policy.tally().offloads == 0 ? 1 : std::exp(-1 / 0.5);
  const double offload = std::exp(-0.3);
  if (policy.tally().offloads == 1) policy.feedback(false);
  policy.offload(0.25);
  EXPECT_EQ(policy.intervals(), 2U);
  // Of the interval up to 0.5 a quarter lies above 0.25.
  EXPECT_NEAR(policy.probability(), (offload + 0.25 * keep) / (offload + keep), 1e-12);
}

TEST(HedgePolicy, KeepsToItsMemory) {
  HedgePolicy policy({.costs = {0.3, 0}, .experts = 16});
  SplitMix64 random(2);
  for (int i = 0; i < 30000; ++i) {
    const double confidence = random.uniform();
    if (policy.offload(confidence)) policy.feedback(random.uniform() < confidence);
    ASSERT_LE(policy.intervals(), 16U);
    ASSERT_GE(policy.probability(), policy.exploration() * (1 - 1e-12));
    ASSERT_LE(policy.probability(), 1 + 1e-12);
  }
  EXPECT_NEAR(policy.threshold(), 0.7, 0.1);
}

TEST(HedgePolicy, ExploresAndLearnsAsTheoryHasIt) {
  const double log_experts = std::log(256);
  const HedgePolicy known({.costs = {0.3, 0}, .horizon = 100000});
  const double explore = std::cbrt(log_experts / (2 * 0.3 * 100000));
  EXPECT_DOUBLE_EQ(known.exploration(), explore);
  EXPECT_NEAR(known.learning_rate(), 2 * explore * explore, 1e-12);
  HedgePolicy unknown({.costs = {0.3, 0}});
  EXPECT_EQ(unknown.exploration(), 1);  // Images few enough that to offload all is as good.
  for (int i = 0; i < 1000; ++i) {
    if (unknown.offload(0.5)) unknown.feedback(true);
  }
  const double later = std::cbrt(log_experts / (3 * 0.3 * 1000));
  EXPECT_NEAR(unknown.exploration(), later, 1e-12);
  EXPECT_GE(unknown.learning_rate(), 2 * later * later * (1 - 1e-9));
  EXPECT_LE(unknown.learning_rate(), 2 * later * later * std::pow(1.1, 2.0 / 3) + 1e-9);
  // What a memory of 5,000 images sets is the horizon of 5,000.
  EXPECT_DOUBLE_EQ(HedgePolicy({.memory = 5000}).exploration(),
                   HedgePolicy({.horizon = 5000}).exploration());
}

TEST(HedgePolicy, FindsOutThatOneSideIsBetter) {
  for (const bool right : {true, false}) {
    HedgePolicy policy({.costs = {0.4, 0}, .horizon = 3000});
    SplitMix64 random(9);
    for (int i = 0; i < 3000; ++i) {
      if (policy.offload(random.uniform())) policy.feedback(right);
    }
    if (right) {
      EXPECT_LT(policy.threshold(), 0.02);
      EXPECT_LT(policy.probability(), 2 * policy.exploration());
    } else {
      EXPECT_EQ(policy.threshold(), kInfinity);
      EXPECT_GT(policy.probability(), 0.95);
    }
  }
}

TEST(HedgePolicy, TakesConfidencesBeyondItsRangeForItsEnds) {
  HedgePolicy policy({.low = -2, .high = -1, .exploration = 0.0});
  policy.offload(-kInfinity);
  EXPECT_NEAR(policy.probability(), (1 + 1.0 / 256) / (1 + 2.0 / 256), 1e-12);
  HedgePolicy other({.low = -2, .high = -1, .exploration = 0.0});
  other.offload(7);
  EXPECT_NEAR(other.probability(), (1.0 / 256) / (1 + 2.0 / 256), 1e-12);
}

TEST(HedgePolicy, EstimatesTheErrorsOfAnswersThatItKept) {
  // Of one run the estimate is noisy, over runs it has no bias.
  constexpr int kRuns = 300;
  double sum = 0;
  double squares = 0;
  for (std::uint64_t seed = 1; seed <= kRuns; ++seed) {
    HedgePolicy policy({.costs = {0.3, 0}, .experts = 16, .exploration = 0.1, .seed = seed});
    SplitMix64 random(seed + 1000);
    double kept_wrong = 0;
    for (int i = 0; i < 500; ++i) {
      const double confidence = random.uniform();
      const bool right = random.uniform() < confidence;
      if (policy.offload(confidence)) {
        policy.feedback(right);
      } else if (!right) {
        ++kept_wrong;
      }
    }
    const double difference = policy.tally().kept_errors - kept_wrong;
    sum += difference;
    squares += difference * difference;
  }
  const double mean = sum / kRuns;
  const double error = std::sqrt((squares / kRuns - mean * mean) / kRuns);
  EXPECT_LT(std::abs(mean), 4 * error);
  EXPECT_LT(error, 1);
}

// ---- upper confidence bounds

UpperConfidencePolicy on_levels(const UcbOptions& options, int images, std::uint64_t seed,
                                const std::function<double(double)>& error_rate) {
  UpperConfidencePolicy policy(options);
  SplitMix64 random(seed);
  for (int i = 0; i < images; ++i) {
    const double confidence = (std::floor(random.uniform() * 10) + 0.5) / 10;
    const bool right = random.uniform() >= error_rate(confidence);
    if (policy.offload(confidence)) policy.feedback(right);
  }
  return policy;
}

TEST(UpperConfidencePolicy, OffloadsUntilItsBinsAreKnown) {
  UpperConfidencePolicy policy({.bins = 8});
  SplitMix64 random(4);
  for (int i = 0; i < 64; ++i) {
    EXPECT_EQ(policy.bins(), 0U);
    EXPECT_TRUE(policy.offload(random.uniform()));
    policy.feedback(true);
  }
  EXPECT_EQ(policy.bins(), 8U);
}

TEST(UpperConfidencePolicy, KeepsByTheBoundAndNothingElse) {
  // One bin; answers are right. kl(0, q) = -ln(1 - q), so it is kept once -n ln(1 - q) > ln t.
  const double cost = 0.1;
  UpperConfidencePolicy policy({.costs = {cost, 0}, .bins = 1});
  UpperConfidencePolicy wide({.costs = {cost, 0}, .bins = 1, .bound = ConfidenceBound::kHoeffding});
  for (int t = 1; t <= 400; ++t) {
    const double n = static_cast<double>(policy.tally().offloads);
    const bool keep = n >= 8 && -n * std::log(1 - cost) > std::log(t);
    ASSERT_EQ(policy.offload(0.5), !keep) << t;
    if (!keep) policy.feedback(true);
    const double m = static_cast<double>(wide.tally().offloads);
    const bool keep_wide = m >= 8 && 2 * m * cost * cost > std::log(t);
    ASSERT_EQ(wide.offload(0.5), !keep_wide) << t;
    if (!keep_wide) wide.feedback(true);
  }
  EXPECT_LT(policy.tally().offloads, 60);
  EXPECT_GT(wide.tally().offloads, 250);  // The looser bound takes more.
}

TEST(UpperConfidencePolicy, ForgetsByItsMemory) {
  // As above, with counts that fade and a limit that stays.
  constexpr double kMemory = 200;
  UpperConfidencePolicy policy({.costs = {0.1, 0}, .bins = 1, .memory = 200});
  double count = 8;
  for (int t = 1; t <= 8; ++t) {
    ASSERT_TRUE(policy.offload(0.5));
    policy.feedback(true);
  }
  int kept = 0;
  for (int t = 9; t <= 3000; ++t) {
    count *= 1 - 1 / kMemory;
    const bool keep = -count * std::log(0.9) > std::log(std::min<double>(t, kMemory));
    ASSERT_EQ(policy.offload(0.5), !keep) << t;
    kept += keep ? 1 : 0;
    if (keep) continue;
    policy.feedback(true);
    count += 1;
  }
  EXPECT_GT(kept, 1500);
  EXPECT_LT(kept, 2900);
}

TEST(UpperConfidencePolicy, FindsTheBestThresholdOfLevels) {
  for (const bool monotone : {true, false}) {
    for (const ConfidenceBound bound : {ConfidenceBound::kKl, ConfidenceBound::kHoeffding}) {
      const auto policy = on_levels({.costs = {0.3, 0}, .monotone = monotone, .bound = bound},
                                    30000, 1, [](double confidence) { return 1 - confidence; });
      EXPECT_EQ(policy.bins(), 10U);
      EXPECT_DOUBLE_EQ(policy.threshold(), 0.75);
    }
  }
}

TEST(UpperConfidencePolicy, BorrowsFromLessSureBinsWhereToldTo) {
  const auto offloads = [](bool monotone) {
    return on_levels({.costs = {0.1, 0}, .monotone = monotone}, 5000, 2,
                     [](double) { return 0.02; })
        .tally()
        .offloads;
  };
  EXPECT_LT(2 * offloads(true), offloads(false));
}

TEST(UpperConfidencePolicy, WeighsAServerThatErrsToo) {
  // Both wrong half of the time: an offload buys nothing.
  UpperConfidencePolicy policy({.costs = {0.2, 1}, .bins = 4});
  SplitMix64 random(3);
  for (int i = 0; i < 4000; ++i) {
    if (policy.offload(0.5)) policy.feedback(random.uniform() < 0.5, random.uniform() < 0.5);
  }
  EXPECT_DOUBLE_EQ(policy.threshold(), 0.5);
  EXPECT_LT(policy.tally().offloads, 1500);
  // Where the server is right it does.
  UpperConfidencePolicy other({.costs = {0.2, 1}, .bins = 4});
  for (int i = 0; i < 4000; ++i) {
    if (other.offload(0.5)) other.feedback(random.uniform() < 0.5, true);
  }
  EXPECT_EQ(other.tally().offloads, 4000);
}

TEST(UpperConfidencePolicy, HasABinForEachOfFewConfidences) {
  // Of rare ones too, which no quantile would find.
  UpperConfidencePolicy policy({.bins = 4});
  for (int i = 0; i < 32; ++i) {
    policy.offload(i == 3 ? 0.3 : i == 20 ? 0.6 : 0.9);
    policy.feedback(true);
  }
  EXPECT_EQ(policy.bins(), 3U);
}

// ---- all of them

std::vector<OnlinePolicy> all_policies() {
  return {OnlinePolicy(HedgePolicy({.horizon = 2000})),
          OnlinePolicy(HedgePolicy({.memory = 1000})),
          OnlinePolicy(HedgePolicy(HedgeOptions{})),
          OnlinePolicy(UpperConfidencePolicy(UcbOptions{})),
          OnlinePolicy(UpperConfidencePolicy({.memory = 1000})),
          OnlinePolicy(FixedThresholdPolicy(0.5, {}))};
}

/// What a policy decides about 2,000 images, with `between` called before each.
std::vector<bool> decisions(OnlinePolicy policy,
                            const std::function<void(OnlinePolicy&, int)>& between) {
  SplitMix64 random(8);
  std::vector<bool> offloaded;
  for (int i = 0; i < 2000; ++i) {
    between(policy, i);
    const double confidence = random.uniform();
    const bool right = random.uniform() < confidence;
    offloaded.push_back(policy.offload(confidence));
    if (offloaded.back()) policy.feedback(right);
  }
  return offloaded;
}

TEST(OnlinePolicies, AreDeterministicWithTheirSeed) {
  const auto nothing = [](OnlinePolicy&, int) {};
  for (const OnlinePolicy& policy : all_policies()) {
    EXPECT_EQ(decisions(policy, nothing), decisions(policy, nothing));
  }
  EXPECT_NE(decisions(HedgePolicy({.seed = 1}), nothing),
            decisions(HedgePolicy({.seed = 2}), nothing));
}

TEST(OnlinePolicies, OffloadWhatIsNoNumberAndLearnNothingOfIt) {
  for (const OnlinePolicy& policy : all_policies()) {
    const auto plain = decisions(policy, [](OnlinePolicy&, int) {});
    EXPECT_EQ(plain, decisions(policy, [](OnlinePolicy& other, int i) {
                if (i % 7 != 0) return;
                EXPECT_TRUE(other.offload(kNan));
                other.feedback(i % 2 == 0);
              }));
  }
}

TEST(OnlinePolicies, TakeFeedbackOnceAndOnlyOfOffloadedImages) {
  for (const OnlinePolicy& policy : all_policies()) {
    SplitMix64 random(6);
    OnlinePolicy strict = policy;
    OnlinePolicy careless = policy;
    for (int i = 0; i < 2000; ++i) {
      const double confidence = random.uniform();
      const bool offloaded = strict.offload(confidence);
      ASSERT_EQ(careless.offload(confidence), offloaded) << i;
      if (offloaded) strict.feedback(true);
      careless.feedback(true);
      careless.feedback(false);
    }
  }
}

TEST(OnlinePolicies, ForgetAnImageWhoseAnswerNeverCame) {
  // Lost at random, as by a server that fails; the threshold is found all the same.
  for (OnlinePolicy policy : {OnlinePolicy(HedgePolicy({.horizon = 20000})),
                              OnlinePolicy(UpperConfidencePolicy(UcbOptions{}))}) {
    SplitMix64 random(7);
    for (int i = 0; i < 20000; ++i) {
      const double confidence = random.uniform();
      const bool right = random.uniform() < confidence;
      const bool lost = random.uniform() < 0.3;
      if (policy.offload(confidence) && !lost) policy.feedback(right);
    }
    EXPECT_NEAR(policy.threshold(), 0.7, 0.12);
  }
}

TEST(OnlinePolicies, CountWhatTheyDid) {
  OnlinePolicy policy(FixedThresholdPolicy(0.5, {.offload = 0.25, .server_error = 0.5}));
  EXPECT_FALSE(policy.offload(0.5));
  EXPECT_TRUE(policy.offload(0.4999));
  policy.feedback(false, false);
  EXPECT_TRUE(policy.offload(kNan));
  policy.feedback(true);
  EXPECT_EQ(policy.tally().images, 3);
  EXPECT_EQ(policy.tally().offloads, 2);
  EXPECT_DOUBLE_EQ(policy.tally().cost(), 2 * 0.25 + 0.5);
  EXPECT_TRUE(OnlinePolicy(FixedThresholdPolicy(kInfinity, {})).offload(1e300));
  EXPECT_FALSE(OnlinePolicy(FixedThresholdPolicy(-kInfinity, {})).offload(-1e300));
}

TEST(OnlinePolicies, RefuseOptionsOutOfRange) {
  for (const OnlineCosts costs : {OnlineCosts{1, 0}, OnlineCosts{-0.1, 0}, OnlineCosts{kNan, 0},
                                  OnlineCosts{0.3, 1.1}, OnlineCosts{0.3, kNan}}) {
    EXPECT_THROW(HedgePolicy({.costs = costs}), Error);
    EXPECT_THROW(UpperConfidencePolicy({.costs = costs}), Error);
  }
  EXPECT_THROW(HedgePolicy({.low = 1, .high = 1}), Error);
  EXPECT_THROW(HedgePolicy({.low = kNan}), Error);
  EXPECT_THROW(HedgePolicy({.experts = 1}), Error);
  EXPECT_THROW(HedgePolicy({.horizon = -1}), Error);
  EXPECT_THROW(HedgePolicy({.memory = -1}), Error);
  EXPECT_THROW(HedgePolicy({.exploration = 1.5}), Error);
  EXPECT_THROW(HedgePolicy({.learning_rate = 0.0}), Error);
  EXPECT_THROW(UpperConfidencePolicy({.bins = 0}), Error);
  EXPECT_THROW(UpperConfidencePolicy({.memory = 1}), Error);
  EXPECT_THROW(UpperConfidencePolicy({.width = 0}), Error);
  EXPECT_THROW(UpperConfidencePolicy({.width = kInfinity}), Error);
}

TEST(OnlinePolicies, OffloadAllWhereItIsFree) {
  for (OnlinePolicy policy : {OnlinePolicy(HedgePolicy({.costs = {0, 0}})),
                              OnlinePolicy(UpperConfidencePolicy({.costs = {0, 0}}))}) {
    for (int i = 0; i < 500; ++i) {
      ASSERT_TRUE(policy.offload(0.9));
      policy.feedback(true);
    }
  }
}

}  // namespace
}  // namespace hedge
