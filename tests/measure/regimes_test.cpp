// SPDX-License-Identifier: Apache-2.0
// Runs whose truth is known, 4,000 of each kind. The seeds are fixed, so that nothing here is left
// to chance once it has passed.
#include "measure/regimes.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <ostream>
#include <random>
#include <string>
#include <vector>

#include "hedge/error.h"
#include "measure/validity.h"
#include "support/series.h"

namespace hedge {
namespace {

constexpr double kMean = 100'000;
constexpr double kNoise = 3'000;  // 3 %.
constexpr double kRhos[] = {0, 0.5, 0.9};

/// The level at a place of the run, 0 to 1, as a factor.
using Level = std::function<double(double)>;

std::vector<std::int64_t> run_with(const Level& level, std::size_t count, double rho,
                                   NormalNoise& random) {
  std::vector<double> series = ar1_series(count, rho, kMean, kNoise, random);
  for (std::size_t i = 0; i < count; ++i) {
    series[i] *= level(static_cast<double>(i) / static_cast<double>(count));
  }
  return rounded(series);
}

struct Disturbance {
  const char* name;
  Level level;
};

void PrintTo(const Disturbance& disturbance, std::ostream* out) {
  *out << disturbance.name;
}

/// Of every tenth inference or so, the slow one a factor of the others.
std::vector<std::int64_t> spiky_run(double share, double factor, std::size_t count,
                                    std::size_t from, double rho, NormalNoise& noise,
                                    std::mt19937_64& random) {
  std::vector<double> series = ar1_series(count, rho, kMean, kNoise, noise);
  for (std::size_t i = from; i < count; ++i) {
    if (static_cast<double>(random() >> 11U) * 0x1p-53 < share) series[i] *= factor;
  }
  return rounded(series);
}

class Disturbed : public testing::TestWithParam<Disturbance> {};

/// 2,000 samples, and 5,000 where they say about as much as 260 independent ones.
TEST_P(Disturbed, RunsAreCutIntoSegmentsOrSaidToDrift) {
  NormalNoise random(11);
  int found = 0;
  for (int run = 0; run < kSimulatedRuns; ++run) {
    const double rho = kRhos[run % 3];
    const auto ns = run_with(GetParam().level, rho < 0.9 ? 2000 : 5000, rho, random);
    found += find_regimes(ns).steady() ? 0 : 1;
  }
  EXPECT_GE(static_cast<double>(found) / kSimulatedRuns, 0.95);
}

INSTANTIATE_TEST_SUITE_P(
    Runs, Disturbed,
    testing::Values(Disturbance{"StepUpEarly", [](double u) { return u < 0.2 ? 1 : 1.05; }},
                    Disturbance{"StepUpInTheMiddle", [](double u) { return u < 0.5 ? 1 : 1.05; }},
                    Disturbance{"StepDownLate", [](double u) { return u < 0.8 ? 1 : 0.95; }},
                    Disturbance{"DriftUp", [](double u) { return 1 + 0.05 * u; }},
                    Disturbance{"DriftDown", [](double u) { return 1.05 - 0.05 * u; }},
                    // Heats up, throttles and cools down, again and again.
                    Disturbance{"Saw", [](double u) { return 1 + 0.15 * std::fmod(4 * u, 1.0); }},
                    Disturbance{"ThrottledForAFifth",
                                [](double u) { return u > 0.4 && u < 0.6 ? 1.1 : 1; }},
                    Disturbance{"ToAndFroBetweenTwoClocks",
                                [](double u) { return std::fmod(2 * u, 1.0) < 0.5 ? 1 : 1.08; }}),
    [](const auto& info) { return std::string(info.param.name); });

struct Noise {
  const char* name;
  double rho;
  std::size_t count;
};

void PrintTo(const Noise& noise, std::ostream* out) {
  *out << noise.name;
}

class Steady : public testing::TestWithParam<Noise> {};

/// The whole verdict: nothing else must call a steady run INVALID either.
TEST_P(Steady, RunsAreSeldomInvalid) {
  NormalNoise random(21);
  int invalid = 0;
  for (int run = 0; run < kSimulatedRuns; ++run) {
    const auto ns = run_with([](double) { return 1.0; }, GetParam().count, GetParam().rho, random);
    RunEvidence evidence;
    evidence.summary = summarize(ns);
    evidence.regimes = find_regimes(ns);
    invalid += judge(evidence).verdict == Verdict::kInvalid ? 1 : 0;
  }
  EXPECT_LE(static_cast<double>(invalid) / kSimulatedRuns, 0.05);
}

// 50 correlation times, (1 + rho) / (1 - rho) each, and more.
INSTANTIATE_TEST_SUITE_P(Runs, Steady,
                         testing::Values(Noise{"Independent100", 0, 100},
                                         Noise{"Independent2000", 0, 2000},
                                         Noise{"Half150", 0.5, 150}, Noise{"Half2000", 0.5, 2000},
                                         Noise{"Strong950", 0.9, 950},
                                         Noise{"Strong2000", 0.9, 2000}),
                         [](const auto& info) { return std::string(info.param.name); });

struct Spikes {
  const char* name;
  double share;
  double factor;
  double rho;
};

void PrintTo(const Spikes& spikes, std::ostream* out) {
  *out << spikes.name;
}

class Spiky : public testing::TestWithParam<Spikes> {};

/// Blocks of which most samples happen to be slow are no regime.
TEST_P(Spiky, SteadyRunsAreSeldomCut) {
  const Spikes& spikes = GetParam();
  NormalNoise noise(41);
  std::mt19937_64 random(42);
  int cut = 0;
  for (int run = 0; run < kSimulatedRuns; ++run) {
    const std::size_t count = run % 2 == 0 ? 500 : 2000;
    const auto ns = spiky_run(spikes.share, spikes.factor, count, 0, spikes.rho, noise, random);
    cut += find_regimes(ns).steady() ? 0 : 1;
  }
  EXPECT_LE(static_cast<double>(cut) / kSimulatedRuns, 0.02);
}

INSTANTIATE_TEST_SUITE_P(Runs, Spiky,
                         testing::Values(Spikes{"Seldom", 0.01, 5, 0}, Spikes{"High", 0.02, 20, 0},
                                         Spikes{"Often", 0.1, 3, 0}, Spikes{"Half", 0.05, 3, 0.5}),
                         [](const auto& info) { return std::string(info.param.name); });

/// The median stays and the mean grows, by a fifth and to four times as much.
TEST(FindRegimes, SeldomOnesThatBecomeSlowAreFound) {
  NormalNoise noise(43);
  std::mt19937_64 random(44);
  int found = 0;
  for (int run = 0; run < kSimulatedRuns; ++run) {
    const double factor = run % 2 == 0 ? 3 : 30;
    const Regimes regimes =
        find_regimes(spiky_run(0.1, factor, 2000, 1000, run % 4 < 2 ? 0 : 0.5, noise, random));
    if (regimes.steady()) continue;
    ++found;
    if (!regimes.of_means || regimes.segments.size() != 2) continue;
    EXPECT_NEAR(static_cast<double>(regimes.segments[1].first), 1000, 400);
    EXPECT_GT(regimes.segments[1].mean_ns, 1.05 * regimes.segments[0].mean_ns);
    EXPECT_NEAR(regimes.segments[1].median_ns, regimes.segments[0].median_ns, 0.03 * kMean);
  }
  EXPECT_GE(static_cast<double>(found) / kSimulatedRuns, 0.95);
}

TEST(FindRegimes, TellsWhereAndHowMuch) {
  NormalNoise random(31);
  const auto ns = run_with([](double u) { return u < 0.25 ? 1 : 1.2; }, 4000, 0.5, random);
  const Regimes regimes = find_regimes(ns);
  ASSERT_EQ(regimes.segments.size(), 2U);
  EXPECT_EQ(regimes.segments[0].first, 0U);
  EXPECT_NEAR(static_cast<double>(regimes.segments[1].first), 1000, 20);
  EXPECT_EQ(regimes.segments[0].count + regimes.segments[1].count, 4000U);
  EXPECT_EQ(regimes.segments[0].count, regimes.segments[1].first);
  EXPECT_NEAR(regimes.segments[0].median_ns, kMean, 0.01 * kMean);
  EXPECT_NEAR(regimes.segments[1].median_ns, 1.2 * kMean, 0.01 * kMean);
  EXPECT_EQ(regimes.segments[0].step, 0);
  EXPECT_NEAR(regimes.segments[1].step, 0.2, 0.02);
  EXPECT_FALSE(regimes.steady());
}

TEST(FindRegimes, TellsADriftFromBeginToEnd) {
  NormalNoise random(32);
  const auto ns = run_with([](double u) { return 1 + 0.05 * u; }, 4000, 0, random);
  const Regimes regimes = find_regimes(ns);
  ASSERT_EQ(regimes.segments.size(), 1U);
  ASSERT_TRUE(regimes.drift);
  EXPECT_NEAR(*regimes.drift, 0.05, 0.01);
}

TEST(FindRegimes, SpikesAreNoRegime) {
  NormalNoise random(33);
  auto ns = run_with([](double) { return 1.0; }, 5000, 0, random);
  for (std::size_t i = 0; i < ns.size(); i += 50) ns[i] *= 20;
  EXPECT_TRUE(find_regimes(ns).steady());
}

TEST(FindRegimes, StepsOfTheClockAreNoRegime) {
  // 20 ns or 21, whatever the clock makes of it.
  std::vector<std::int64_t> ns(2000, 20);
  for (std::size_t i = 1000; i < ns.size(); ++i) ns[i] = 21;
  EXPECT_TRUE(find_regimes(ns).steady());
  for (std::size_t i = 1000; i < ns.size(); ++i) ns[i] = 40;
  EXPECT_TRUE(find_regimes(ns, 20).steady());  // Within two steps of a clock of 20 ns.
  const Regimes regimes = find_regimes(ns, 1);
  ASSERT_EQ(regimes.segments.size(), 2U);
  EXPECT_EQ(regimes.segments[1].first, 1000U);
}

TEST(FindRegimes, ConstantsHoldTheirLevel) {
  const Regimes regimes = find_regimes(std::vector<std::int64_t>(1000, 5000));
  EXPECT_TRUE(regimes.steady());
  EXPECT_EQ(regimes.segments[0],
            (Segment{.first = 0, .count = 1000, .median_ns = 5000, .mean_ns = 5000, .step = 0}));
}

TEST(FindRegimes, OfFewSamplesSaysNothing) {
  const Regimes regimes = find_regimes(std::vector<std::int64_t>(kFewestToJudge - 1, 7));
  EXPECT_FALSE(regimes.judged);
  EXPECT_FALSE(regimes.steady());
  EXPECT_EQ(regimes.segments.size(), 1U);
  EXPECT_TRUE(find_regimes(std::vector<std::int64_t>(kFewestToJudge, 7)).judged);
  EXPECT_THROW((void)find_regimes(std::vector<std::int64_t>{}), Error);
}

}  // namespace
}  // namespace hedge
