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

TEST(MeasureLoop, TakesTheTimeOnceAroundTheLoop) {
  const CancellationGuard guard;
  const FakeClock clock;
  FakeContext context([&](int run) { clock.advance(run == 1 ? 1000 : 10); });
  const LoopTiming timing = measure_loop(context, 100, clock);
  EXPECT_EQ(context.runs(), 100);
  EXPECT_EQ(timing.iterations, 100);
  EXPECT_EQ(timing.total_ns, 1990);
  EXPECT_DOUBLE_EQ(timing.ns_per_iteration(), 19.9);
  EXPECT_EQ(clock.reads(), 2);
}

TEST(MeasureLoop, EndsAfterTheInferenceThatIsUnderWay) {
  const CancellationGuard guard;
  const FakeClock clock;
  FakeContext context([&](int run) {
    clock.advance(10);
    if (run == 7) request_cancellation();
  });
  const LoopTiming timing = measure_loop(context, 1'000'000, clock);
  EXPECT_EQ(timing.iterations, 7);
  EXPECT_EQ(timing.total_ns, 70);
  EXPECT_DOUBLE_EQ(timing.ns_per_iteration(), 10);
}

TEST(MeasureLoop, NoIterationIsNoLatency) {
  const CancellationGuard guard;
  FakeContext context;
  for (const std::int64_t iterations : {0, -5}) {
    const LoopTiming timing = measure_loop(context, iterations, FakeClock(1));
    EXPECT_EQ(timing.iterations, 0);
    EXPECT_EQ(timing.ns_per_iteration(), 0);
    EXPECT_THROW((void)latency_result(timing, TimerOverhead{}), Error);
  }
  EXPECT_EQ(context.runs(), 0);
}

TEST(WarmUp, RunsAHundredTimesUnlessToldOrCancelled) {
  const CancellationGuard guard;
  FakeContext context([](int run) {
    if (run == 115) request_cancellation();
  });
  EXPECT_EQ(warm_up(context), 100);
  EXPECT_EQ(warm_up(context, 3), 3);
  EXPECT_EQ(warm_up(context, 0), 0);
  EXPECT_EQ(context.runs(), 103);
  EXPECT_EQ(warm_up(context), 12);
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
  const LatencyResult result = latency_result(LoopTiming{100, 250'000}, TimerOverhead{50, 100, 1});
  EXPECT_EQ(result.count, 100);
  EXPECT_DOUBLE_EQ(result.mean.value(), 2.5);
  EXPECT_FALSE(result.p50.has_value());
  EXPECT_FALSE(result.min.has_value());
  EXPECT_EQ(result.scope, "loop");
  EXPECT_DOUBLE_EQ(result.timer_overhead.value(), 0.0005);
}

}  // namespace
}  // namespace hedge
