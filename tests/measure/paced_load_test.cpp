// SPDX-License-Identifier: Apache-2.0
// A scripted clock and a sleeper that moves it: no test sleeps, but for one of a millisecond.
#include "measure/paced_load.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "fakes.h"
#include "hedge/error.h"
#include "measure/latency_result.h"

namespace hedge {
namespace {

constexpr std::int64_t kMillisecond = 1'000'000;
constexpr std::int64_t kSecond = 1000 * kMillisecond;

/// Wakes up `late_ns` after the deadline.
auto sleeper(const FakeClock& clock, std::int64_t late_ns = 0) {
  return [clock, late_ns](std::int64_t deadline_ns) {
    clock.advance(deadline_ns + late_ns - clock.now_ns());
  };
}

PacedOptions periodic(double rate, std::int64_t requests) {
  return {.rate_per_s = rate, .bound = {.iterations = requests}};
}

TEST(RunPaced, SleepsUntilEachRequest) {
  const CancellationGuard guard;
  const FakeClock clock;
  const auto run = run_paced([&] { clock.advance(2 * kMillisecond); }, periodic(10, 5), clock,
                             sleeper(clock, 30'000));
  ASSERT_EQ(run.samples.size(), 5U);
  EXPECT_EQ(run.missed, 0);
  for (std::size_t i = 0; i < 5; ++i) {
    const PacedSample& sample = run.samples[i];
    EXPECT_EQ(sample.scheduled_ns - run.begin_ns,
              static_cast<std::int64_t>(i) * 100 * kMillisecond);
    EXPECT_EQ(sample.service_ns(), 2 * kMillisecond);
    EXPECT_EQ(sample.after_idle, i > 0);
    EXPECT_EQ(sample.response_ns(), (i > 0 ? 30'000 : 0) + 2 * kMillisecond);
  }
  // The idle time after the last one is in the window.
  EXPECT_EQ(run.end_ns - run.begin_ns, 500 * kMillisecond);
  EXPECT_EQ(run.busy_ns(), 10 * kMillisecond);
}

TEST(RunPaced, CatchesUpAfterALateOneByAbsoluteDeadlines) {
  const CancellationGuard guard;
  const FakeClock clock;
  int calls = 0;
  // The second request takes 250 ms: three, four come late, the fifth finds the server idle.
  const auto run =
      run_paced([&] { clock.advance(++calls == 2 ? 250 * kMillisecond : 20 * kMillisecond); },
                periodic(10, 6), clock, sleeper(clock));
  ASSERT_EQ(run.samples.size(), 6U);
  EXPECT_EQ(run.missed, 2);
  std::vector<std::int64_t> begins;
  for (const PacedSample& s : run.samples)
    begins.push_back((s.begin_ns - run.begin_ns) / kMillisecond);
  EXPECT_EQ(begins, (std::vector<std::int64_t>{0, 100, 350, 370, 400, 500}));
  EXPECT_EQ(run.samples[2].service_ns(), 20 * kMillisecond);
  EXPECT_EQ(run.samples[2].response_ns(), 170 * kMillisecond);
  EXPECT_FALSE(run.samples[3].after_idle);
  EXPECT_TRUE(run.samples[4].after_idle);
}

TEST(RunPaced, OverloadedRunsWithoutSleep) {
  const CancellationGuard guard;
  const FakeClock clock;
  const auto run = run_paced([&] { clock.advance(150 * kMillisecond); }, periodic(10, 20), clock,
                             [](std::int64_t) { ADD_FAILURE() << "slept"; });
  EXPECT_EQ(run.missed, 19);
  EXPECT_EQ(run.end_ns - run.begin_ns, 3 * kSecond);
  EXPECT_EQ(run.busy_ns(), 3 * kSecond);
}

TEST(RunPaced, LastsAsLongAsItIsTold) {
  const CancellationGuard guard;
  const FakeClock clock;
  PacedOptions options = periodic(10, 3);
  options.bound.duration_ns = kSecond;
  const auto infer = [&] { clock.advance(kMillisecond); };
  EXPECT_EQ(run_paced(infer, options, clock, sleeper(clock)).samples.size(), 10U);
  options.bound.iterations = 25;
  EXPECT_EQ(run_paced(infer, options, clock, sleeper(clock)).samples.size(), 25U);
}

TEST(RunPaced, EndsWhenCancelledAsleepOrAtWork) {
  const CancellationGuard guard;
  const FakeClock clock;
  int calls = 0;
  const auto asleep = run_paced([&] { ++calls; }, periodic(10, 100), clock,
                                [&](std::int64_t) {
                                  if (calls == 3) request_cancellation();
                                  clock.advance(100 * kMillisecond);
                                });
  EXPECT_EQ(asleep.samples.size(), 3U);
  cancellation_flag = false;
  const auto at_work = run_paced(
      [&] {
        clock.advance(kMillisecond);
        request_cancellation();
      },
      periodic(10, 100), clock, sleeper(clock));
  EXPECT_EQ(at_work.samples.size(), 1U);
  EXPECT_EQ(at_work.end_ns - at_work.begin_ns, kMillisecond);
}

TEST(RunPaced, HandsIdleTimeToWhoWantsIt) {
  const CancellationGuard guard;
  const FakeClock clock;
  std::vector<std::int64_t> idle;
  const auto run =
      run_paced([&] { clock.advance(kMillisecond); }, periodic(10, 3), clock, sleeper(clock),
                [&](std::int64_t next_ns) { idle.push_back(next_ns); });
  ASSERT_EQ(idle.size(), 3U);  // Before the second, the third, and after the last.
  EXPECT_EQ(idle[0], run.samples[1].scheduled_ns);
  EXPECT_EQ(idle[2], run.end_ns);
}

TEST(RunPaced, SleepsInEarnest) {
  const CancellationGuard guard;
  const auto run = run_paced([] {}, periodic(1000, 3));
  ASSERT_EQ(run.samples.size(), 3U);
  // However busy the machine, nothing begins before its time.
  for (const PacedSample& sample : run.samples) EXPECT_GE(sample.begin_ns, sample.scheduled_ns);
  EXPECT_GE(run.end_ns - run.begin_ns, 3 * kMillisecond);
}

TEST(ArrivalTimes, OfAPeriodDoNotDrift) {
  ArrivalTimes arrivals(3, Arrivals::kPeriodic, 0);
  std::int64_t last = 0;
  for (int i = 0; i <= 3'000'000; ++i) last = arrivals.next();
  EXPECT_EQ(last, 1'000'000 * kSecond);
}

TEST(ArrivalTimes, OfPoissonHaveExponentialGaps) {
  ArrivalTimes arrivals(100, Arrivals::kPoisson, 7);
  constexpr int kGaps = 100'000;
  double sum = 0;
  double squares = 0;
  int below = 0;
  std::int64_t previous = 0;
  for (int i = 0; i < kGaps; ++i) {
    const std::int64_t now = arrivals.next();
    const double gap = static_cast<double>(now - previous) * 100 / kSecond;
    previous = now;
    sum += gap;
    squares += gap * gap;
    below += gap < std::log(2.0) ? 1 : 0;
  }
  EXPECT_NEAR(sum / kGaps, 1, 0.02);
  EXPECT_NEAR(squares / kGaps, 2, 0.06);
  EXPECT_NEAR(static_cast<double>(below) / kGaps, 0.5, 0.01);
}

TEST(ArrivalTimes, FollowFromTheSeedAlone) {
  ArrivalTimes first(10, Arrivals::kPoisson, 5);
  ArrivalTimes same(10, Arrivals::kPoisson, 5);
  ArrivalTimes other(10, Arrivals::kPoisson, 6);
  const std::int64_t time = first.next();
  EXPECT_EQ(time, same.next());
  EXPECT_NE(time, other.next());
}

TEST(ArrivalTimes, RefuseWhatIsNoRate) {
  for (const double rate : {0.0, -1.0, 2e9, std::nan("")}) {
    EXPECT_THROW(ArrivalTimes(rate, Arrivals::kPeriodic, 0), Error);
  }
}

TEST(PacedResult, TellsServiceAndResponseApart) {
  const CancellationGuard guard;
  const FakeClock clock;
  int calls = 0;
  const PacedOptions options = periodic(10, 4);
  const auto run =
      run_paced([&] { clock.advance(++calls == 2 ? 120 * kMillisecond : 20 * kMillisecond); },
                options, clock, sleeper(clock, kMillisecond));
  const PacedResult result = paced_result(run, options, TimerOverhead{});
  EXPECT_EQ(result.arrivals, "periodic");
  EXPECT_FALSE(result.seed);
  EXPECT_EQ(result.requests, 4);
  EXPECT_EQ(result.missed, 1);
  EXPECT_DOUBLE_EQ(result.seconds.value(), 0.4);
  EXPECT_DOUBLE_EQ(result.busy.value(), 0.45);
  EXPECT_DOUBLE_EQ(result.wake_up_us.value(), 1000);
  EXPECT_EQ(result.after_idle_us->count, 2);
  EXPECT_DOUBLE_EQ(result.after_idle_us->min.value(), 20e3);
  EXPECT_EQ(result.response_us->count, 4);
  EXPECT_DOUBLE_EQ(result.response_us->max.value(), 121e3);
  EXPECT_DOUBLE_EQ(result.response_us->min.value(), 20e3);
}

}  // namespace
}  // namespace hedge
