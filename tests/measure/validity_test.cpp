// SPDX-License-Identifier: Apache-2.0
#include "measure/validity.h"

#include <gtest/gtest.h>

#include <vector>

#include "fakes.h"
#include "support/series.h"

namespace hedge {
namespace {

std::vector<std::int64_t> quiet(std::size_t count = 1000, double mean = 100'000) {
  NormalNoise noise(3);
  return rounded(ar1_series(count, 0, mean, 0.03 * mean, noise));
}

RunEvidence evidence_of(const std::vector<std::int64_t>& ns) {
  RunEvidence evidence;
  evidence.summary = summarize(ns);
  evidence.regimes = find_regimes(ns);
  return evidence;
}

void expect_valid(const RunEvidence& evidence) {
  const Validity validity = judge(evidence);
  EXPECT_EQ(validity.verdict, Verdict::kValid);
  EXPECT_TRUE(validity.reasons.empty());
}

/// One reason that holds all the words, its advice among them.
void expect_reason(const RunEvidence& evidence, const std::vector<std::string>& words) {
  const Validity validity = judge(evidence);
  EXPECT_EQ(validity.verdict, Verdict::kInvalid);
  ASSERT_EQ(validity.reasons.size(), 1U) << words.front();
  for (const std::string& word : words) {
    EXPECT_NE(validity.reasons[0].find(word), std::string::npos)
        << word << " in: " << validity.reasons[0];
  }
}

TEST(Judge, AQuietRunIsValid) {
  expect_valid(evidence_of(quiet()));
  expect_valid({});
}

TEST(Judge, TooFewSamples) {
  RunEvidence evidence;
  evidence.summary = summarize(quiet(19));
  expect_reason(evidence, {"too few samples", "19", "20", "--iterations"});
  evidence.summary = summarize(quiet(40));
  expect_valid(evidence);
}

TEST(Judge, AMeanThatIsNotKnown) {
  // Independent ones of 30 % noise: 30 of them give 11 %.
  NormalNoise noise(4);
  RunEvidence evidence;
  evidence.summary = summarize(rounded(ar1_series(30, 0, 1e5, 3e4, noise)));
  expect_reason(evidence, {"the mean of the samples, timed one by one, is known to +-", "5 %",
                           "--iterations"});
}

TEST(Judge, SamplesThatVary) {
  auto ns = quiet(20'000);
  for (std::size_t i = 0; i < ns.size(); i += 100) ns[i] = 1'200'000;
  expect_reason(evidence_of(ns), {"vary by", "50 %", "taskset"});
}

TEST(Judge, ALevelThatChanged) {
  auto ns = quiet(2000);
  for (std::size_t i = 1000; i < ns.size(); ++i) ns[i] = ns[i] * 6 / 5;
  RunEvidence evidence;
  evidence.regimes = find_regimes(ns);
  expect_reason(evidence, {"changed once", "by up to +", "from sample 1000", "clocks"});
}

TEST(Judge, ALevelThatDrifted) {
  RunEvidence evidence;
  evidence.regimes = Regimes{.segments = {Segment{0, 100, 1e5, 0}}, .drift = 0.054};
  expect_reason(evidence, {"drifted by +5.4 %", "--warmup"});
  evidence.regimes = Regimes{.segments = {Segment{0, 10, 1e5, 0}}, .drift = {}, .judged = false};
  expect_reason(evidence, {"20 samples", "--iterations"});
}

TEST(Judge, AWarmUpThatDidNotSettle) {
  RunEvidence evidence;
  WarmUp warm_up;
  warm_up.runs = 50;
  warm_up.duration_ns = 10'000'000'000;
  warm_up.settled = false;
  evidence.warm_up = warm_up;
  expect_reason(evidence, {"not steady", "50", "10.0 s", "--warmup"});
  evidence.warmer = "run it once more";  // Of a program without that flag.
  expect_reason(evidence, {"not steady", "s; run it once more, lock"});
  evidence.warm_up->settled = std::nullopt;  // Nobody asked.
  expect_valid(evidence);
  evidence.warm_up->settled = true;
  expect_valid(evidence);
}

TEST(Judge, ATimerThatCostsMuch) {
  auto evidence = evidence_of(quiet(1000, 300));
  evidence.timer = TimerOverhead{.sample_ns = 20, .pair_ns = 40, .resolution_ns = 1};
  expect_reason(evidence, {"the timer adds 20 ns", "5 %", "--timing=loop"});
  evidence.timer->sample_ns = 10;
  expect_valid(evidence);
}

LoopSummary loop_of(double mean_ns) {
  return {.mean_ns = mean_ns,
          .mean_ci95_ns = Interval{0.99 * mean_ns, 1.01 * mean_ns},
          .stretches = 200,
          .autocorrelation_time = 1};
}

TEST(Judge, ALoopOfWhichLittleIsKnown) {
  RunEvidence evidence;
  evidence.loop = loop_of(5);
  expect_valid(evidence);
  evidence.loop->autocorrelation_time = 20;
  expect_reason(evidence, {"too few stretches", "200 count as 10", "--iterations"});
  evidence.loop = loop_of(5);
  evidence.loop->mean_ci95_ns = Interval{4, 6};
  expect_reason(evidence,
                {"the mean of the loop is known to +-20.0 % only", "; raise --iterations"});
  evidence.longer = "let it run for longer";
  expect_reason(evidence, {"% is allowed); let it run for longer"});
  evidence.loop = loop_of(5);
  evidence.loop->stretches = 1;
  expect_reason(evidence, {"too few stretches", "1 count as 1"});
}

TEST(Judge, AMeanThatChangesUnderAMedianThatHolds) {
  RunEvidence evidence;
  evidence.regimes = Regimes{};
  evidence.regimes->of_means = true;
  evidence.regimes->segments = {{0, 500, 30'000, 30'500, 0}, {500, 500, 30'000, 60'000, 0.97}};
  expect_reason(evidence, {"the mean, but not the median, changed once (by up to +97.0 %)",
                           "30.50 us, 60.00 us from sample 500"});
}

TEST(Judge, EvidenceIsThatOfWhatWasMeasured) {
  const CancellationGuard guard;
  std::vector<std::int64_t> samples(100, 1000);
  LoopRun loop{{100, 90'000}, {{100, 90'000}}, 1};
  const TimerOverhead overhead{.sample_ns = 20, .pair_ns = 40, .resolution_ns = 1};
  WarmUp warm_up;
  warm_up.runs = 7;
  const RunEvidence both = evidence_of(samples, loop, warm_up, overhead, {"hot"});
  EXPECT_EQ(both.summary->count, 100U);
  EXPECT_EQ(both.loop->mean_ns, 900);
  EXPECT_EQ(both.regimes->segments[0].count, 100U);  // Of the samples.
  EXPECT_FALSE(both.timer);                          // The loop is the figure.
  EXPECT_EQ(both.timer_ns, 20);
  EXPECT_EQ(both.warm_up->runs, 7);
  EXPECT_EQ(both.serious_conditions, std::vector<std::string>{"hot"});
  EXPECT_FALSE(both.cut_short);
  const RunEvidence each = evidence_of(samples, {}, {}, overhead, {});
  EXPECT_TRUE(each.timer && !each.loop);
  request_cancellation();
  const RunEvidence alone = evidence_of({}, loop, {}, overhead, {});
  EXPECT_TRUE(alone.loop && !alone.summary && !alone.regimes && alone.cut_short);
}

TEST(Judge, ALoopThatDiffersFromItsParts) {
  auto evidence = evidence_of(quiet());
  evidence.timer_ns = 20;
  evidence.loop = loop_of(80'000);
  expect_reason(evidence, {"one by one", "take 25 % more time than in the loop", "run again"});
  evidence.loop = loop_of(125'000);
  expect_reason(evidence, {"take 20 % less time than in the loop"});
  evidence.loop = loop_of(99'000);
  expect_valid(evidence);
  // Of some nanoseconds nobody can tell.
  evidence = evidence_of(quiet(1000, 300));
  evidence.timer_ns = 250;
  evidence.loop = loop_of(1);
  expect_valid(evidence);
}

TEST(Judge, APercentileThatTheRunWasMadeFor) {
  auto evidence = evidence_of(quiet());
  evidence.goal = PercentileGoal{.percent = 90, .needed = 64, .independent = 63};
  evidence.longer = longer_advice({.iterations = 10, .duration_ns = 1});
  expect_reason(evidence, {"p90 needs 64", "63; measure for longer (--duration)"});
  EXPECT_EQ(longer_advice({.iterations = 10}), "raise --iterations");
  evidence.goal->independent = 64;
  expect_valid(evidence);
}

TEST(Text, MicrosecondsKeepTheirDigits) {
  EXPECT_EQ(us_text(12345.678), "12345.68");
  EXPECT_EQ(us_text(95.666), "95.67");
  EXPECT_EQ(us_text(9.8765), "9.877");
  EXPECT_EQ(us_text(0.0211), "0.02110");
  EXPECT_EQ(us_text(0.0051724), "0.005172");
  EXPECT_EQ(us_text(-0.0051724), "-0.005172");
  EXPECT_EQ(us_text(1e-12), "0.0000000");
  EXPECT_EQ(us_text(0), "0.00");
}

TEST(Judge, ARunThatWasCutShort) {
  RunEvidence evidence;
  evidence.cut_short = true;
  expect_reason(evidence, {"Ctrl-C"});
}

TEST(Judge, APacedLoadThatCameLate) {
  RunEvidence evidence;
  evidence.paced = PacedEvidence{.periodic = true, .requests = 100, .missed = 1, .busy = 0.5};
  expect_valid(evidence);
  evidence.paced->missed = 2;
  expect_reason(evidence, {"2 of 100", "late", "--rate"});
  evidence.paced->periodic = false;
  expect_valid(evidence);
  evidence.paced->busy = 0.96;
  expect_reason(evidence, {"kept up with", "96 %", "--rate"});
}

TEST(Judge, ConditionsInTheirOwnWords) {
  RunEvidence evidence;
  evidence.serious_conditions = {"the CPU was throttled: cool it"};
  expect_reason(evidence, {"the CPU was throttled: cool it"});
}

TEST(Judge, TellsEveryReason) {
  RunEvidence evidence;
  evidence.summary = summarize(quiet(10));
  evidence.cut_short = true;
  evidence.serious_conditions = {"a", "b"};
  EXPECT_EQ(judge(evidence).reasons.size(), 4U);
}

TEST(PercentileName, IsShort) {
  EXPECT_EQ(percentile_name(90), "p90");
  EXPECT_EQ(percentile_name(99.9), "p99.9");
}

}  // namespace
}  // namespace hedge
