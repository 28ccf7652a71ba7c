// SPDX-License-Identifier: Apache-2.0
#include "measure/paired_comparison.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "fakes.h"
#include "hedge/error.h"
#include "support/series.h"

namespace hedge {
namespace {

/// Right-skewed noise, as of latencies, from bits that are the same on every platform.
class Noise {
 public:
  explicit Noise(std::uint64_t seed) : bits_(seed) {}
  std::int64_t ns(double scale) {
    const double uniform = static_cast<double>((bits_() >> 11U) + 1) * 0x1p-53;
    return static_cast<std::int64_t>(scale * (1 - 0.1 * std::log(uniform)));
  }

 private:
  std::mt19937_64 bits_;
};

ComparisonVerdict simulate(std::uint64_t seed, double scale_b, std::size_t pairs) {
  const FakeClock clock;
  Noise noise(seed);
  PairedComparison<FakeClock> comparison(pairs, seed, clock);
  comparison.run(
      pairs, [&] { clock.advance(noise.ns(100'000)); },
      [&] { clock.advance(noise.ns(100'000 * scale_b)); });
  return comparison.result().verdict;
}

std::string order_of(std::uint64_t seed, int pairs) {
  const FakeClock clock;
  PairedComparison<FakeClock> comparison(1, seed, clock);
  std::string order;
  for (int i = 0; i < pairs; ++i) {
    comparison.run_pair([&] { order += 'a'; }, [&] { order += 'b'; });
  }
  return order;
}

ComparisonVerdict verdict_of_noise(double rho, std::uint64_t seed, double scale_b,
                                   std::size_t pairs) {
  NormalNoise noise(seed);
  const auto a_ns = rounded(ar1_series(pairs, rho, 1e5, 3e3, noise));
  const auto b_ns = rounded(ar1_series(pairs, rho, 1e5 * scale_b, 3e3, noise));
  return verdict_of(paired_ratio(a_ns, b_ns));
}

double share_of_differences(int comparisons, double rho, double scale_b, std::size_t pairs) {
  int found = 0;
  for (int i = 0; i < comparisons; ++i) {
    const auto seed = static_cast<std::uint64_t>(i);
    found += verdict_of_noise(rho, seed, scale_b, pairs) != ComparisonVerdict::kNoDifference;
  }
  return static_cast<double>(found) / comparisons;
}

TEST(PairedComparison, OfEqualsCriesWolfInAboutOneOfFifty) {
  const CancellationGuard guard;
  constexpr int kComparisons = 2000;
  int wolves = 0;
  for (int i = 0; i < kComparisons; ++i) {
    if (simulate(static_cast<std::uint64_t>(i), 1.0, 100) != ComparisonVerdict::kNoDifference) {
      ++wolves;
    }
  }
  EXPECT_LT(static_cast<double>(wolves) / kComparisons, 0.035);
  EXPECT_GT(wolves, 5);
}

TEST(PairedComparison, OfEqualsCriesWolfSeldomUnderAutocorrelationToo) {
  // 50 correlation times and more: (1 + rho) / (1 - rho) pairs each.
  EXPECT_LT(share_of_differences(kSimulatedRuns, 0, 1, 400), 0.05);
  EXPECT_LT(share_of_differences(kSimulatedRuns, 0.5, 1, 400), 0.05);
  EXPECT_LT(share_of_differences(kSimulatedRuns, 0.9, 1, 1000), 0.05);
}

TEST(PairedComparison, FindsAFifthOfAPercentUnderNoiseOfThree) {
  // Under sanitizers, too few runs for the figure.
  const double least = kSimulatedRuns < 4000 ? 0.9 : 0.95;
  EXPECT_GT(share_of_differences(kSimulatedRuns, 0, 1.002, 10'000), least);
}

TEST(PairedComparison, FindsADifferenceThatIsThere) {
  const CancellationGuard guard;
  int found = 0;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    if (simulate(seed, 1.05, 300) == ComparisonVerdict::kAFaster) ++found;
    EXPECT_NE(simulate(seed, 0.95, 300), ComparisonVerdict::kAFaster);
  }
  EXPECT_GE(found, 48);
  EXPECT_EQ(simulate(1, 0.9, 300), ComparisonVerdict::kBFaster);
}

TEST(PairedComparison, DriftMeetsBothAlike) {
  // The machine slows down to a third while comparing; side by side this does not matter.
  const CancellationGuard guard;
  const FakeClock clock;
  PairedComparison<FakeClock> comparison(1000, 3, clock);
  double slowness = 1;
  const auto work = [&](double ns) {
    slowness += 0.001;
    clock.advance(static_cast<std::int64_t>(ns * slowness));
  };
  comparison.run(
      1000, [&] { work(100'000); }, [&] { work(110'000); });
  const ComparisonResult result = comparison.result();
  EXPECT_NEAR(result.ratio.ratio, 100.0 / 110.0, 0.001);
  EXPECT_EQ(result.verdict, ComparisonVerdict::kAFaster);
}

TEST(PairedComparison, FirstOfThePairIsDrawnAndFollowsFromTheSeed) {
  const std::string order = order_of(42, 1000);
  EXPECT_EQ(order, order_of(42, 1000));
  EXPECT_NE(order, order_of(43, 1000));
  int a_first = 0;
  for (std::size_t i = 0; i < order.size(); i += 2) {
    ASSERT_NE(order[i], order[i + 1]);  // each once in every pair
    a_first += order[i] == 'a' ? 1 : 0;
  }
  EXPECT_GT(a_first, 420);
  EXPECT_LT(a_first, 580);
  // Bits of std::mt19937_64(42), lowest first: 13930160852258120406 = 0x...d6.
  EXPECT_EQ(order.substr(0, 16), "baababbaabbaabab");
}

TEST(PairedComparison, AnAdvantageOfGoingFirstCancels) {
  const CancellationGuard guard;
  const FakeClock clock;
  Noise noise(9);
  PairedComparison<FakeClock> comparison(2000, 9, clock);
  bool first = true;
  const auto work = [&] {
    clock.advance(noise.ns(first ? 100'000 : 150'000));
    first = !first;
  };
  comparison.run(2000, work, work);
  EXPECT_EQ(comparison.result().verdict, ComparisonVerdict::kNoDifference);
}

TEST(PairedComparison, KeepsTheSamplesOfEachInPairs) {
  const CancellationGuard guard;
  const FakeClock clock;
  PairedComparison<FakeClock> comparison(100, 5, clock);
  for (int i = 0; i < 100; ++i) {
    comparison.run_pair([&] { clock.advance(100 + i); }, [&] { clock.advance(2 * (100 + i)); });
  }
  ASSERT_EQ(comparison.a_ns().size(), 100U);
  ASSERT_EQ(comparison.b_ns().size(), 100U);
  for (std::size_t i = 0; i < 100; ++i) {
    EXPECT_EQ(comparison.a_ns()[i], static_cast<std::int64_t>(100 + i));
    EXPECT_EQ(comparison.b_ns()[i], static_cast<std::int64_t>(2 * (100 + i)));
  }
  const ComparisonResult result = comparison.result();
  EXPECT_NEAR(result.ratio.ratio, 0.5, 1e-12);
  EXPECT_EQ(result.pairs, 100U);
  EXPECT_EQ(result.a.min_ns, 100);
  EXPECT_EQ(result.b.min_ns, 200);
  EXPECT_EQ(result.verdict, ComparisonVerdict::kAFaster);
}

TEST(PairedComparison, CancellationEndsBetweenPairs) {
  const CancellationGuard guard;
  PairedComparison<FakeClock> comparison(100, 1, FakeClock(1));
  int calls = 0;
  const auto work = [&] {
    if (++calls == 5) request_cancellation();
  };
  EXPECT_EQ(comparison.run(100, work, work), 3U);
  EXPECT_EQ(comparison.a_ns().size(), 3U);
  EXPECT_EQ(comparison.b_ns().size(), 3U);
}

TEST(PairedComparison, RefusesNoPairsAndSpoiledOnes) {
  PairedComparison<FakeClock> comparison(10, 1, FakeClock(1));
  EXPECT_THROW((void)comparison.result(), Error);
  int calls = 0;
  const auto work = [&] {
    if (++calls == 2) throw std::runtime_error("the second of the pair");
  };
  EXPECT_THROW(comparison.run_pair(work, work), std::runtime_error);
  EXPECT_THROW((void)comparison.result(), Error);
}

TEST(PairedComparison, FewPairsAndTiesShowNoDifference) {
  using Samples = std::vector<std::int64_t>;
  EXPECT_EQ(compare_samples(Samples{1}, Samples{9}).verdict, ComparisonVerdict::kUnknown);
  EXPECT_EQ(compare_samples(Samples{1, 2}, Samples{9, 7}).verdict,
            ComparisonVerdict::kNoDifference);
  EXPECT_EQ(compare_samples(Samples(6, 1), Samples(6, 9)).verdict, ComparisonVerdict::kAFaster);
  EXPECT_EQ(compare_samples(Samples(6, 9), Samples(6, 1)).verdict, ComparisonVerdict::kBFaster);
  EXPECT_EQ(compare_samples(Samples(99, 7), Samples(99, 7)).verdict,
            ComparisonVerdict::kNoDifference);
}

TEST(PairedComparison, FewRoundsGiveNoVerdict) {
  const std::vector<std::int64_t> a(90, 1000);
  const std::vector<std::int64_t> b(90, 1100);
  const std::vector<std::size_t> begins{0, 30, 60};
  for (std::size_t rounds = 1; rounds <= 3; ++rounds) {
    const auto result = compare_samples(a, b, std::span(begins).first(rounds));
    EXPECT_EQ(result.verdict,
              rounds < 3 ? ComparisonVerdict::kTooFewRounds : ComparisonVerdict::kAFaster);
    EXPECT_TRUE(result.ratio.interval);
    const Validity validity = judge_comparison(result, {}, false, {});
    EXPECT_EQ(validity.verdict, rounds < 3 ? Verdict::kInvalid : Verdict::kValid);
    if (rounds == 1) {
      EXPECT_EQ(validity.reasons[0], "one round: where memory lies decides; give --rounds=20");
    }
  }
}

TEST(PairedComparison, IsJudgedByTimerAndConditions) {
  ComparisonResult result;
  result.rounds = 20;
  result.a.p50_ns = 1000;
  result.b.p50_ns = 400;
  TimerOverhead overhead;
  overhead.sample_ns = 20;
  EXPECT_EQ(judge_comparison(result, overhead, false, {}).verdict, Verdict::kValid);
  overhead.sample_ns = 21;
  const Validity validity = judge_comparison(result, overhead, true, {"throttled"});
  ASSERT_EQ(validity.reasons.size(), 3U);
  EXPECT_NE(validity.reasons[0].find("adds 21 ns to samples of 400 ns"), std::string::npos);
  EXPECT_NE(validity.reasons[1].find("Ctrl-C"), std::string::npos);
  EXPECT_EQ(validity.reasons[2], "throttled");
}

TEST(PairedComparison, MeasuredApartAMarginIsLeftOut) {
  const auto verdict = [](double lower, double upper) {
    return verdict_apart({.ratio = (lower + upper) / 2, .interval = Interval{lower, upper}});
  };
  EXPECT_EQ(verdict(1.004, 1.031), ComparisonVerdict::kWithinMargin);
  EXPECT_EQ(verdict(1.021, 1.031), ComparisonVerdict::kBFaster);
  EXPECT_EQ(verdict(0.97, 0.981), ComparisonVerdict::kWithinMargin);
  EXPECT_EQ(verdict(0.97, 0.980), ComparisonVerdict::kAFaster);
  EXPECT_EQ(verdict(0.97, 1.01), ComparisonVerdict::kNoDifference);
  EXPECT_EQ(verdict_apart({}), ComparisonVerdict::kUnknown);
}

TEST(PairedComparison, VerdictsInWords) {
  EXPECT_EQ(to_string(ComparisonVerdict::kAFaster), "A is faster");
  EXPECT_EQ(to_string(ComparisonVerdict::kBFaster), "B is faster");
  EXPECT_EQ(to_string(ComparisonVerdict::kNoDifference), "no difference that this data shows");
}

}  // namespace
}  // namespace hedge
