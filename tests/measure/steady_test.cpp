// SPDX-License-Identifier: Apache-2.0
#include "measure/steady.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <vector>

#include "fakes.h"
#include "support/series.h"

namespace hedge {
namespace {

constexpr std::int64_t kMillisecond = 1'000'000;
constexpr std::int64_t kSecond = 1000 * kMillisecond;

/// Feeds `duration_of(elapsed)` until steady; the time that it took, or nothing within `most_ns`.
std::optional<std::int64_t> time_to_steady(const std::function<double(double)>& duration_of,
                                           std::int64_t most_ns = 60 * kSecond) {
  SteadyDetector detector;
  std::int64_t elapsed = 0;
  while (elapsed < most_ns) {
    const auto ns = static_cast<std::int64_t>(duration_of(static_cast<double>(elapsed) / kSecond));
    elapsed += ns;
    detector.add(ns);
    if (detector.steady()) return elapsed;
  }
  return std::nullopt;
}

TEST(SteadyDetector, TakesThreeWindowsOfALevel) {
  EXPECT_EQ(time_to_steady([](double) { return 1e6; }), 120 * kMillisecond);
  // Windows of five samples where those are longer than 40 ms.
  EXPECT_EQ(time_to_steady([](double) { return 100e6; }), 15 * 100 * kMillisecond);
}

TEST(SteadyDetector, WaitsForARampHoweverSlow) {
  for (const double seconds : {0.05, 0.3, 1.0}) {
    const auto time =
        time_to_steady([&](double t) { return 100e3 * (1 + 0.5 * std::exp(-t / seconds)); });
    ASSERT_TRUE(time) << seconds;
    const double left = 0.5 * std::exp(-static_cast<double>(*time) / kSecond / seconds);
    EXPECT_LT(left, 0.03) << seconds;
  }
}

TEST(SteadyDetector, IsNotFooledByNoise) {
  NormalNoise noise(1);
  EXPECT_LT(time_to_steady([&](double) { return 100e3 + 10e3 * noise(); }).value_or(0),
            500 * kMillisecond);
  // A spike in a window does not move its median.
  int n = 0;
  EXPECT_EQ(time_to_steady([&](double) { return ++n % 10 == 0 ? 1.9e6 : 0.9e6; }).value_or(0) /
                kMillisecond,
            120);
}

TEST(SteadyDetector, NeverSettlesOnWhatKeepsGrowing) {
  EXPECT_FALSE(time_to_steady([](double t) { return 100e3 * (1 + t); }, 10 * kSecond));
}

TEST(SteadyDetector, TellsTheLevelOfItsLastWindow) {
  SteadyDetector detector;
  EXPECT_FALSE(detector.level_ns());
  for (int i = 0; i < 40; ++i) detector.add(kMillisecond);
  EXPECT_EQ(detector.level_ns(), 1e6);
  for (int i = 0; i < 20; ++i) detector.add(2 * kMillisecond);
  EXPECT_EQ(detector.level_ns(), 2e6);
  EXPECT_FALSE(detector.steady());
}

TEST(SteadyDetector, KeepsAFewOfVeryManySamples) {
  // 20 ns each: a window holds a million of them, of which it keeps at most 4,096.
  SteadyDetector detector;
  std::int64_t count = 0;
  for (; !detector.steady() && count < 10'000'000; ++count) detector.add(count % 2 == 0 ? 20 : 21);
  EXPECT_NEAR(static_cast<double>(count), 120e6 / 20.5, 1000);
}

/// A context that takes `duration_of(run)` on the clock.
FakeContext timed(const FakeClock& clock, std::function<std::int64_t(int)> duration_of) {
  return FakeContext(
      [clock, duration_of = std::move(duration_of)](int run) { clock.advance(duration_of(run)); });
}

TEST(WarmUp, KeepsTheColdStartApart) {
  const CancellationGuard guard;
  const FakeClock clock;
  auto context = timed(clock, [](int run) { return run == 1 ? 50 * kMillisecond : kMillisecond; });
  const WarmUp warm_up = warm_up_calls([&] { context.infer(); }, WarmUpRule::automatic(), clock);
  EXPECT_EQ(warm_up.cold_ns, 50 * kMillisecond);
  EXPECT_EQ(warm_up.settled, true);
  EXPECT_EQ(warm_up.level_ns, 1e6);
  // Windows of 40 ms hold fewer of the first.
  EXPECT_EQ(warm_up.runs, context.runs());
  EXPECT_GE(warm_up.runs, 100);  // At least, though it is steady before.
  EXPECT_LT(warm_up.runs, 140);
  EXPECT_EQ(warm_up.duration_ns, (warm_up.runs + 49) * kMillisecond);
}

TEST(WarmUp, EndsAtItsBoundsUnsettled) {
  const CancellationGuard guard;
  const FakeClock clock;
  auto growing = timed(clock, [](int run) { return run * kMillisecond; });
  const WarmUp by_time = warm_up_calls([&] { growing.infer(); }, WarmUpRule::automatic(), clock);
  EXPECT_EQ(by_time.settled, false);
  EXPECT_GE(by_time.duration_ns, 10 * kSecond);
  EXPECT_LT(by_time.duration_ns, 11 * kSecond);

  auto again = timed(clock, [](int run) { return run * kMillisecond; });
  WarmUpRule rule = WarmUpRule::automatic();
  rule.most_runs = 120;
  const WarmUp by_runs = warm_up_calls([&] { again.infer(); }, rule, clock);
  EXPECT_EQ(by_runs.runs, 120);
  EXPECT_EQ(by_runs.settled, false);
}

TEST(WarmUp, OfASlowModelIsLongEnoughToBeJudged) {
  const CancellationGuard guard;
  const FakeClock clock;
  auto slow = timed(clock, [](int) { return 4 * kSecond; });
  const WarmUp warm_up = warm_up_calls([&] { slow.infer(); }, WarmUpRule::automatic(), clock);
  EXPECT_EQ(warm_up.runs, WarmUpRule::kFewestRuns);
  EXPECT_EQ(warm_up.settled, true);
}

TEST(WarmUp, DoesAsManyRunsOrAsLongAsTold) {
  const CancellationGuard guard;
  const FakeClock clock;
  auto context = timed(clock, [](int) { return 3 * kMillisecond; });
  const auto infer = [&] { context.infer(); };
  const WarmUp runs = warm_up_calls(infer, WarmUpRule::runs(7), clock);
  EXPECT_EQ(runs.runs, 7);
  EXPECT_FALSE(runs.settled);
  EXPECT_EQ(runs.cold_ns, 3 * kMillisecond);
  const WarmUp none = warm_up_calls(infer, WarmUpRule::runs(0), clock);
  EXPECT_EQ(none.runs, 0);
  EXPECT_FALSE(none.cold_ns);
  EXPECT_FALSE(none.level_ns);
  const WarmUp time = warm_up_calls(infer, WarmUpRule::duration(200 * kMillisecond), clock);
  EXPECT_EQ(time.runs, 67);
  EXPECT_FALSE(time.settled);
}

TEST(WarmUp, EndsWhenCancelled) {
  const CancellationGuard guard;
  const FakeClock clock;
  auto context = timed(clock, [](int run) {
    if (run == 5) request_cancellation();
    return kMillisecond;
  });
  EXPECT_EQ(warm_up_calls([&] { context.infer(); }, WarmUpRule::automatic(), clock).runs, 5);
  EXPECT_EQ(warm_up_calls([&] { context.infer(); }, WarmUpRule::runs(10), clock).runs, 0);
}

}  // namespace
}  // namespace hedge
