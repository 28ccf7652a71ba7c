// SPDX-License-Identifier: Apache-2.0
#include "measure/latency.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <random>
#include <stdexcept>
#include <vector>

#include "fakes.h"
#include "hedge/error.h"
#include "measure/latency_result.h"

namespace hedge {
namespace {

std::vector<std::int64_t> to_vector(std::span<const std::int64_t> samples) {
  return {samples.begin(), samples.end()};
}

TEST(TimerOverhead, OfAClockThatStepsEvenly) {
  const TimerOverhead overhead = timer_overhead(FakeClock(25));
  EXPECT_EQ(overhead.sample_ns, 25);
  EXPECT_EQ(overhead.pair_ns, 50);
  EXPECT_EQ(overhead.resolution_ns, 25);
}

TEST(TimerOverhead, OfACoarseClock) {
  // Moves by 1000 ns at every tenth read: most samples are empty, yet the step is 1000.
  struct Coarse {
    std::shared_ptr<std::int64_t> reads = std::make_shared<std::int64_t>(0);
    std::int64_t now_ns() { return (*reads)++ / 10 * 1000; }
  };
  const TimerOverhead overhead = timer_overhead(Coarse());
  EXPECT_EQ(overhead.sample_ns, 0);
  EXPECT_EQ(overhead.resolution_ns, 1000);
  EXPECT_EQ(overhead.pair_ns, 200);
}

TEST(TimerOverhead, OfAClockThatStandsStill) {
  const TimerOverhead overhead = timer_overhead(FakeClock(0));
  EXPECT_EQ(overhead.sample_ns, 0);
  EXPECT_EQ(overhead.pair_ns, 0);
  EXPECT_EQ(overhead.resolution_ns, 0);
}

TEST(TimerOverhead, OfTheRealClockIsPlausible) {
  const TimerOverhead overhead = timer_overhead();
  EXPECT_GT(overhead.pair_ns, 0);
  EXPECT_GT(overhead.resolution_ns, 0);
  EXPECT_LT(overhead.sample_ns, 1'000'000);
}

TEST(LatencyRecorder, KeepsEverySampleInOrder) {
  const FakeClock clock;
  LatencyRecorder<FakeClock> recorder(3, clock);
  for (const std::int64_t ns : {500, 100, 900}) recorder.time([&] { clock.advance(ns); });
  EXPECT_EQ(to_vector(recorder.samples_ns()), (std::vector<std::int64_t>{500, 100, 900}));
  EXPECT_EQ(clock.reads(), 6);  // two a call, no more
}

TEST(LatencyRecorder, HoldsNothingOfWhatLiesBetweenCalls) {
  const FakeClock clock;
  LatencyRecorder<FakeClock> recorder(2, clock);
  recorder.time([&] { clock.advance(7); });
  clock.advance(1'000'000);
  recorder.time([&] { clock.advance(8); });
  EXPECT_EQ(to_vector(recorder.samples_ns()), (std::vector<std::int64_t>{7, 8}));
}

TEST(LatencyRecorder, TheStoreStaysWhereItIsUpToItsCapacity) {
  LatencyRecorder<FakeClock> recorder(1000, FakeClock(1));
  recorder.time([] {});
  const std::int64_t* const store = recorder.samples_ns().data();
  for (int i = 1; i < 1000; ++i) recorder.time([] {});
  EXPECT_EQ(recorder.samples_ns().data(), store);
  recorder.clear();
  EXPECT_TRUE(recorder.samples_ns().empty());
  for (int i = 0; i < 1000; ++i) recorder.time([] {});
  EXPECT_EQ(recorder.samples_ns().data(), store);
  recorder.time([] {});  // beyond: grows rather than loses
  EXPECT_EQ(recorder.samples_ns().size(), 1001U);
}

TEST(LatencyRecorder, StoringLiesOutsideTheTimedRegion) {
  // A clock that tells how many samples are stored: both reads of a sample see the same number.
  struct StoreClock {
    std::function<std::int64_t()> stored;
    std::int64_t now_ns() { return stored ? stored() : 0; }
  };
  const LatencyRecorder<StoreClock>* watched = nullptr;
  LatencyRecorder<StoreClock> recorder(
      0, {[&watched] {
        return watched == nullptr ? 0 : static_cast<std::int64_t>(watched->samples_ns().size());
      }});
  watched = &recorder;
  for (int i = 0; i < 100; ++i) recorder.time([] {});
  EXPECT_EQ(to_vector(recorder.samples_ns()), std::vector<std::int64_t>(100, 0));
}

TEST(LatencyRecorder, AnExceptionPassesAndLeavesNoSample) {
  LatencyRecorder<FakeClock> recorder(1, FakeClock(1));
  EXPECT_THROW(recorder.time([] { throw std::runtime_error("x"); }), std::runtime_error);
  EXPECT_TRUE(recorder.samples_ns().empty());
}

TEST(MeasureCalls, TakesTheTimeOnceAroundTheLoop) {
  const CancellationGuard guard;
  const FakeClock clock;
  FakeContext context([&](int run) { clock.advance(run == 1 ? 1000 : 10); });
  const LoopTiming timing = measure_calls([&] { context.infer(); }, 100, clock);
  EXPECT_EQ(context.runs(), 100);
  EXPECT_EQ(timing.iterations, 100);
  EXPECT_EQ(timing.total_ns, 1990);
  EXPECT_DOUBLE_EQ(timing.ns_per_iteration(), 19.9);
  EXPECT_EQ(clock.reads(), 2);
}

TEST(MeasureCalls, EndsAfterTheCallThatIsUnderWay) {
  const CancellationGuard guard;
  const FakeClock clock;
  FakeContext context([&](int run) {
    clock.advance(10);
    if (run == 7) request_cancellation();
  });
  const LoopTiming timing = measure_calls([&] { context.infer(); }, 1'000'000, clock);
  EXPECT_EQ(timing.iterations, 7);
  EXPECT_EQ(timing.total_ns, 70);
  EXPECT_DOUBLE_EQ(timing.ns_per_iteration(), 10);
}

TEST(MeasureCalls, NoIterationIsNoLatency) {
  const CancellationGuard guard;
  FakeContext context;
  for (const std::int64_t iterations : {0, -5}) {
    const LoopTiming timing = measure_calls([&] { context.infer(); }, iterations, FakeClock(1));
    EXPECT_EQ(timing.iterations, 0);
    EXPECT_EQ(timing.ns_per_iteration(), 0);
    EXPECT_THROW((void)latency_result(LoopRun{timing, {timing}, 1}, TimerOverhead{}), Error);
  }
  EXPECT_EQ(context.runs(), 0);
}

TEST(LatencyRecorder, GivesItsSamplesAway) {
  LatencyRecorder<FakeClock> recorder(4, FakeClock(5));
  recorder.time([] {});
  const std::int64_t* const store = recorder.samples_ns().data();
  const std::vector<std::int64_t> taken = recorder.take();
  EXPECT_EQ(taken, std::vector<std::int64_t>{5});
  EXPECT_EQ(taken.data(), store);  // Not copied.
  EXPECT_TRUE(recorder.samples_ns().empty());
  recorder.time([] {});
  EXPECT_EQ(recorder.samples_ns().size(), 1U);
}

TEST(LatencyRecorder, TellsWhenACallEnded) {
  const FakeClock clock;
  LatencyRecorder<FakeClock> recorder(1, clock);
  const std::int64_t end = recorder.time([&] { clock.advance(7); });
  EXPECT_EQ(end, clock.now_ns());
}

TEST(RecordCalls, MeetsBothBounds) {
  const CancellationGuard guard;
  const FakeClock clock;
  const auto call = [&] { clock.advance(10); };
  const auto samples = [&](const RunBound& bound) {
    LatencyRecorder<FakeClock> recorder(10, clock);
    const std::int64_t elapsed = record_calls(call, bound, recorder, clock);
    EXPECT_EQ(elapsed, static_cast<std::int64_t>(recorder.samples_ns().size()) * 10);
    return recorder.samples_ns().size();
  };
  EXPECT_EQ(samples({.iterations = 5}), 5U);
  EXPECT_EQ(samples({.iterations = 5, .duration_ns = 95}), 10U);
  EXPECT_EQ(samples({.iterations = 50, .duration_ns = 95}), 50U);
  EXPECT_EQ(samples({.iterations = 0}), 0U);
}

TEST(RecordCalls, TellsItsProgressAndEndsWhenCancelled) {
  const CancellationGuard guard;
  const FakeClock clock;
  LatencyRecorder<FakeClock> recorder(10, clock);
  std::int64_t told = 0;
  (void)record_calls([&] { clock.advance(10); }, {.iterations = 100}, recorder, clock,
                     [&](std::int64_t iterations, std::int64_t elapsed_ns) {
                       told = iterations;
                       EXPECT_EQ(elapsed_ns, 10 * iterations);
                       if (iterations == 4) request_cancellation();
                     });
  EXPECT_EQ(told, 4);
  EXPECT_EQ(recorder.samples_ns().size(), 4U);
}

constexpr std::int64_t kMillisecond = 1'000'000;

TEST(MeasureStretches, MeetsBothBounds) {
  const CancellationGuard guard;
  const FakeClock clock;
  const auto call = [&] { clock.advance(kMillisecond); };
  const auto run = [&](const RunBound& bound) {
    return measure_stretches(call, bound, 1e6, clock);
  };
  EXPECT_EQ(run({.iterations = 1000}).total.iterations, 1000);
  EXPECT_EQ(run({.iterations = 1}).stretches.size(), 1U);
  const LoopRun by_time = run({.iterations = 10, .duration_ns = 100 * kMillisecond});
  EXPECT_EQ(by_time.total.total_ns, 100 * kMillisecond);
  EXPECT_EQ(by_time.timers, 100);
  EXPECT_EQ(run({.iterations = 150, .duration_ns = 100 * kMillisecond}).total.iterations, 150);
}

TEST(MeasureStretches, AreNeitherShortNorMany) {
  const CancellationGuard guard;
  const FakeClock clock;
  const auto call = [&] { clock.advance(100); };
  // Expected as it is, a thousand times slower, and a hundred times faster.
  for (const double expected_ns : {100.0, 1e5, 1.0}) {
    const LoopRun run = measure_stretches(call, {.iterations = 5'000'000}, expected_ns, clock);
    EXPECT_EQ(run.total.iterations, 5'000'000);
    EXPECT_EQ(run.total.total_ns, 500 * kMillisecond);
    EXPECT_GE(run.stretches.size(), 20U);
    EXPECT_LE(run.stretches.size(), kMostStretches);
    std::int64_t brief = 0;
    LoopTiming sum;
    for (const LoopTiming& part : run.stretches) {
      brief += static_cast<double>(part.total_ns) < kLeastStretch_ns / 2 ? 1 : 0;
      sum.iterations += part.iterations;
      sum.total_ns += part.total_ns;
    }
    EXPECT_LE(brief, expected_ns == 1e5 ? 10 : 1);
    EXPECT_EQ(sum.iterations, run.total.iterations);
    EXPECT_EQ(sum.total_ns, run.total.total_ns);
    EXPECT_LT(run.timers, 3000);
  }
}

TEST(MeasureStretches, TwoAndTwoBecomeOne) {
  std::vector<LoopTiming> stretches{{1, 10}, {2, 20}, {3, 30}, {4, 40}, {5, 50}};
  merge_pairs(stretches);
  ASSERT_EQ(stretches.size(), 3U);
  EXPECT_EQ(stretches[0].iterations, 3);
  EXPECT_EQ(stretches[1].total_ns, 70);
  EXPECT_EQ(stretches[2].iterations, 5);
}

TEST(MeasureStretches, EndsWhenCancelled) {
  const CancellationGuard guard;
  const FakeClock clock;
  int calls = 0;
  const LoopRun run = measure_stretches(
      [&] {
        clock.advance(10);
        if (++calls == 25) request_cancellation();
      },
      {.iterations = 1000}, 10, clock);
  EXPECT_EQ(run.total.iterations, 25);
  EXPECT_EQ(run.total.total_ns, 250);
}

TEST(LatencyResult, OfStretchesHasTheIntervalOfTheirMeans) {
  LoopRun run;
  run.timers = 40;
  for (int i = 0; i < 40; ++i) {
    run.stretches.push_back({100, 100'000 + (i % 2 == 0 ? 1000 : -1000)});
    run.total.iterations += 100;
    run.total.total_ns += run.stretches.back().total_ns;
  }
  const LatencyResult result = latency_result(run, TimerOverhead{50, 100, 1});
  EXPECT_DOUBLE_EQ(result.mean.value(), 1.0);
  EXPECT_EQ(result.stretches, 40);
  ASSERT_TRUE(result.mean_ci95);
  EXPECT_LE((*result.mean_ci95)[0], 1.0);
  EXPECT_GE((*result.mean_ci95)[1], 1.0);
  EXPECT_DOUBLE_EQ(result.timer_overhead.value(), 0.0005);
  ASSERT_TRUE(find_regimes(run));
  EXPECT_TRUE(find_regimes(run)->steady());
  for (std::size_t i = 20; i < 40; ++i) run.stretches[i].total_ns *= 2;
  const auto regimes = find_regimes(run);
  ASSERT_EQ(regimes->segments.size(), 2U);
  EXPECT_EQ(regimes->segments[1].first, 20U);
  EXPECT_NEAR(regimes->segments[1].median_ns, 2000, 30);
  run.stretches.resize(19);
  EXPECT_FALSE(find_regimes(run));
}

TEST(LatencyResult, OfALoopIsNotBelowZero) {
  LoopRun run{{300, 30'000'000}, {{100, 1'000'000}, {100, 28'000'000}, {100, 1'000'000}}, 3};
  const auto interval = latency_result(run, TimerOverhead{}).mean_ci95;
  ASSERT_TRUE(interval);
  EXPECT_EQ((*interval)[0], 0);
  EXPECT_GT((*interval)[1], 100);
}

TEST(LatencyResult, LeavesAShortLastStretchOutOfTheInterval) {
  LoopRun run;
  for (int i = 0; i < 40; ++i) run.stretches.push_back({100, 100'000 + i % 3});
  run.total = {4000, 4'000'039};
  const auto before = latency_result(run, TimerOverhead{}).mean_ci95;
  run.stretches.push_back({1, 50'000});
  EXPECT_EQ(latency_result(run, TimerOverhead{}).mean_ci95, before);
}

TEST(LatencyResult, SaysWhichPercentilesItsSamplesDoNotSufficeFor) {
  std::vector<std::int64_t> ns;
  for (int i = 1; i <= 100; ++i) ns.push_back(i * 1000);
  std::shuffle(ns.begin(), ns.end(), std::mt19937_64(1));
  const LatencyResult result = latency_result(summarize(ns), kScopeInfer, TimerOverhead{});
  EXPECT_FALSE(result.needed_samples.p50);
  EXPECT_FALSE(result.needed_samples.p90);
  EXPECT_EQ(result.needed_samples.p99, 368);
  EXPECT_EQ(result.needed_samples.p999, 3688);
  EXPECT_LE(result.independent_samples.p99.value(), 100);
  EXPECT_NEAR(result.cv.value(), 29.011491975882016 / 50.5, 1e-9);
  EXPECT_GE(result.autocorrelation_time.value(), 1);
}

TEST(ProcessUsage, CountsWhatIsDone) {
  const ProcessUsage begin = process_usage();
  std::int64_t work = 0;
  while ((process_usage() - begin).cpu_ns < 2'000'000) work += 1;
  const ProcessUsage used = process_usage() - begin;
  EXPECT_GE(used.wall_ns + 1'000'000, used.cpu_ns);
  EXPECT_GT(work, 0);
  const UsageResult result = usage_result({.wall_ns = 2'000'000'000,
                                           .cpu_ns = 1'000'000'000,
                                           .user_ns = 900'000'000,
                                           .system_ns = 100'000'000,
                                           .waits = 3,
                                           .preemptions = 4,
                                           .page_faults = 5},
                                          1000);
  EXPECT_DOUBLE_EQ(result.wall_seconds.value(), 2);
  EXPECT_DOUBLE_EQ(result.cpu_us_per_inference.value(), 1000);
  EXPECT_EQ(result.preemptions, 4);
  ProcessUsage sum;
  sum += {.wall_ns = 2, .cpu_ns = 3};
  sum += {.wall_ns = 5, .waits = 1};
  EXPECT_EQ(sum, (ProcessUsage{.wall_ns = 7, .cpu_ns = 3, .waits = 1}));
}

TEST(LatencyResult, IsInMicrosecondsWithTheIntervalsThereAre) {
  std::vector<std::int64_t> ns;
  for (int i = 1; i <= 100; ++i) ns.push_back(i * 1000);
  std::shuffle(ns.begin(), ns.end(), std::mt19937_64(1));
  const LatencyResult result =
      latency_result(summarize(ns), kScopePreprocessAndInfer, TimerOverhead{25, 51, 1});
  EXPECT_EQ(result.count, 100);
  EXPECT_DOUBLE_EQ(result.mean.value(), 50.5);
  EXPECT_NEAR(result.stddev.value(), 29.011491975882016, 1e-9);
  EXPECT_EQ(result.min, 1);
  EXPECT_EQ(result.max, 100);
  EXPECT_EQ(result.p50, 50);
  EXPECT_EQ(result.p90, 90);
  EXPECT_EQ(result.p95, 95);
  EXPECT_EQ(result.p99, 99);
  EXPECT_EQ(result.p999, 100);
  EXPECT_EQ(result.ci95.p50, (Range{40, 61}));
  EXPECT_TRUE(result.ci95.p90.has_value());
  EXPECT_FALSE(result.ci95.p99.has_value());
  EXPECT_EQ(result.scope, "preprocess+infer");
  EXPECT_DOUBLE_EQ(result.timer_overhead.value(), 0.025);
}

TEST(LatencyResult, OfALoopHasAMeanAndNoPercentiles) {
  const LatencyResult result =
      latency_result(LoopRun{{100, 250'000}, {{100, 250'000}}, 1}, TimerOverhead{50, 100, 1});
  EXPECT_EQ(result.count, 100);
  EXPECT_DOUBLE_EQ(result.mean.value(), 2.5);
  EXPECT_FALSE(result.p50.has_value());
  EXPECT_FALSE(result.min.has_value());
  EXPECT_EQ(result.scope, "loop");
  EXPECT_DOUBLE_EQ(result.timer_overhead.value(), 0.0005);
}

}  // namespace
}  // namespace hedge
