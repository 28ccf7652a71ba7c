// SPDX-License-Identifier: Apache-2.0
#include "energy/integrate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <vector>

#include "energy/rail_trace.h"

namespace hedge {
namespace {

constexpr std::int64_t kMs = 1'000'000;
constexpr std::int64_t kS = 1000 * kMs;
constexpr std::int64_t kGap = 250 * kMs;

Rail power_rail(double resolution = 0) {
  return {.name = "rail",
          .kind = RailKind::kPower,
          .in_total = true,
          .resolution = resolution,
          .wraps_at = {}};
}
Rail counter_rail(std::optional<double> wraps_at = {}) {
  return {.name = "counter",
          .kind = RailKind::kEnergy,
          .in_total = true,
          .resolution = 1e-6,
          .wraps_at = wraps_at};
}

/// Asked every 10 ms from `begin_ns` to `end_ns`, what `value` says of the last tick of
/// `refresh_ns`.
void feed(RailTrace& trace, std::int64_t begin_ns, std::int64_t end_ns, std::int64_t refresh_ns,
          const std::function<double(double)>& value) {
  for (std::int64_t t = begin_ns; t <= end_ns; t += 10 * kMs) {
    const std::int64_t tick = t / refresh_ns * refresh_ns;
    trace.add({t, value(static_cast<double>(tick) * 1e-9)});
  }
}

// ------------------------------------------------------------------------------------ the trace

TEST(RailTrace, RepeatedValuesAreOneSample) {
  RailTrace trace(power_rail(), kGap);
  feed(trace, 0, kS, 100 * kMs, [](double t) { return 5 + t; });
  ASSERT_EQ(trace.points().size(), 11U);
  EXPECT_EQ(trace.points()[3].time_ns, 300 * kMs);
  EXPECT_EQ(trace.points()[3].until_ns, 390 * kMs);
}

TEST(RailTrace, WrappedCounterGoesOn) {
  RailTrace trace(counter_rail(1000), kGap);
  feed(trace, 0, 10 * kS, 10 * kMs, [](double t) { return std::fmod(950 + 10 * t, 1000.0); });
  EXPECT_EQ(trace.wraps(), 1);
  EXPECT_EQ(trace.resets(), 0);
  EXPECT_NEAR(trace.points().back().value, 1050, 1e-9);
  const RailEnergy energy = integrate(trace, {0, 10 * kS});
  EXPECT_NEAR(energy.joules.value(), 100, 1e-6);
}

TEST(RailTrace, CounterThatJumpsBackIsFilledIn) {
  // From the middle of its range: a wrap would have taken megawatts.
  RailTrace trace(counter_rail(262143), kGap);
  feed(trace, 0, 10 * kS, 10 * kMs, [](double t) { return (t < 5 ? 100'000 : -50) + 10 * t; });
  EXPECT_EQ(trace.resets(), 1);
  EXPECT_EQ(trace.wraps(), 0);
  const RailEnergy energy = integrate(trace, {0, 10 * kS});
  EXPECT_NEAR(energy.joules.value(), 100, 0.01);
}

TEST(RailTrace, LongRunsAreThinnedAndKeepTheirEnergy) {
  RailTrace power(power_rail(), kGap);
  RailTrace counter(counter_rail(), kGap);
  const auto readings = static_cast<std::int64_t>(RailTrace::kMostPoints) + 1000;
  for (std::int64_t i = 0; i < readings; ++i) {
    const double t = static_cast<double>(i) * 0.01;
    power.add({i * 10 * kMs, 10 + ((i % 2) != 0 ? 1.0 : -1.0) + t * 1e-4});
    counter.add({i * 10 * kMs, 10 * t});
  }
  EXPECT_LT(power.points().size(), RailTrace::kMostPoints);
  const Window window{100 * kS, 10'000 * kS};
  const double drift = (10'000.0 * 10'000 - 100.0 * 100) / 2 * 1e-4;
  EXPECT_NEAR(integrate(power, window).joules.value(), 99'000 + drift, 1);
  EXPECT_NEAR(integrate(counter, window).joules.value(), 99'000, 0.01);
}

// ------------------------------------------------------------------------------------ watts

TEST(IntegrateWatts, IsExactForALine) {
  RailTrace trace(power_rail(), kGap);
  feed(trace, 0, 10 * kS, 10 * kMs, [](double t) { return 5 + t; });
  const RailEnergy energy = integrate(trace, {2 * kS, 8 * kS});
  EXPECT_NEAR(energy.joules.value(), 5 * 6 + (64 - 4) / 2.0, 1e-9);
  EXPECT_FALSE(energy.refresh_seconds.has_value());  // It may be quicker than it was read.
}

TEST(IntegrateWatts, WindowsBetweenTicksAreInterpolated) {
  RailTrace trace(power_rail(), 2 * kS);
  feed(trace, 0, 20 * kS, kS, [](double t) { return 5 + t; });
  // From 2.5 s to 8.25 s: the line that the ticks lie on.
  const RailEnergy energy = integrate(trace, {2500 * kMs, 8250 * kMs});
  EXPECT_NEAR(energy.joules.value(), 5 * 5.75 + (8.25 * 8.25 - 2.5 * 2.5) / 2, 1e-9);
}

TEST(IntegrateWatts, CountsDistinctSamplesInTheWindow) {
  RailTrace trace(power_rail(), kGap);
  feed(trace, 0, 10 * kS, 100 * kMs, [](double t) { return 5 + std::sin(t); });
  EXPECT_EQ(integrate(trace, {kS, 2 * kS}).distinct_samples, 11);
}

TEST(IntegrateWatts, HeldValuesAreHeldAndNotBridged) {
  // Refreshed every 100 ms; the value changes at 1 s and at 2 s only.
  RailTrace trace(power_rail(), kGap);
  const auto step = [](double t) { return t < 0.99 ? 4.0 + t : t < 1.99 ? 10.0 : 20.0 + t; };
  feed(trace, 0, 3 * kS, 100 * kMs, step);
  // Linear from 4.9 to 10 and from 10 to 22 within one refresh each, 10 W between.
  const RailEnergy energy = integrate(trace, {1000 * kMs, 2000 * kMs});
  EXPECT_NEAR(energy.joules.value(), 10 * 0.9 + (10 + 22) / 2.0 * 0.1, 1e-9);
}

TEST(IntegrateWatts, ASensorThatNeverMovesHasNoInterval) {
  RailTrace trace(power_rail(0.04), kGap);
  feed(trace, 0, 10 * kS, 10 * kMs, [](double) { return 5.0; });
  const RailEnergy energy = integrate(trace, {kS, 9 * kS});
  EXPECT_NEAR(energy.joules.value(), 40, 1e-9);
  EXPECT_FALSE(energy.half_width.has_value());
  EXPECT_EQ(energy.distinct_samples, 1);
}

TEST(IntegrateWatts, RestWithinAStepIsCertainToHalfOfIt) {
  RailTrace trace(power_rail(0.04), kGap);
  feed(trace, 0, 10 * kS, 100 * kMs, [](double t) { return t < 5 ? 2.0 : 10 + std::sin(9 * t); });
  const RailEnergy energy = integrate(trace, {kS, 4 * kS});
  EXPECT_NEAR(energy.joules.value(), 6, 1e-9);
  EXPECT_NEAR(energy.half_width.value(), 1.96 * 0.02 / std::sqrt(3.0) * 3, 1e-3);
}

TEST(IntegrateWatts, TheStepOfTheSensorIsInTheInterval) {
  // Between two steps all the time: half a step off is possible, and no noise shows it.
  RailTrace trace(power_rail(0.5), kGap);
  feed(trace, 0, 10 * kS, 10 * kMs,
       [](double t) { return std::round((5.2 + 0.06 * std::sin(7 * t)) / 0.5) * 0.5; });
  const RailEnergy energy = integrate(trace, {kS, 9 * kS});
  ASSERT_TRUE(energy.half_width.has_value());
  EXPECT_GE(*energy.half_width, std::fabs(*energy.joules - 5.2 * 8));
}

TEST(IntegrateWatts, SmallGapsAreFilledAndSaid) {
  RailTrace trace(power_rail(), kGap);
  feed(trace, 0, 4 * kS, 10 * kMs, [](double t) { return 10 + 0.1 * std::sin(50 * t); });
  feed(trace, 5 * kS, 10 * kS, 10 * kMs, [](double t) { return 10 + 0.1 * std::sin(50 * t); });
  const RailEnergy energy = integrate(trace, {0, 10 * kS});
  EXPECT_NEAR(energy.joules.value(), 100, 0.3);
  EXPECT_NEAR(energy.gap_seconds, 1, 0.001);
}

TEST(IntegrateWatts, LargeGapsAreUnknown) {
  RailTrace trace(power_rail(), kGap);
  feed(trace, 0, 4 * kS, 10 * kMs, [](double t) { return 10 + t; });
  const RailEnergy vanished = integrate(trace, {0, 10 * kS});
  EXPECT_FALSE(vanished.joules.has_value());
  EXPECT_NE(vanished.unknown_reason.find("without a reading"), std::string::npos);
  feed(trace, 8 * kS, 10 * kS, 10 * kMs, [](double t) { return 10 + t; });
  EXPECT_FALSE(integrate(trace, {0, 10 * kS}).joules.has_value());
}

TEST(IntegrateWatts, FailedReadingsAreNotZeros) {
  const auto trace_failing_from = [](double phase) {
    RailTrace trace(power_rail(), kGap);
    feed(trace, 0, 10 * kS, 10 * kMs, [&](double t) {
      return std::fmod(t, 0.1) > phase ? kNoReading : 10 + 0.01 * std::sin(t);
    });
    return trace;
  };
  const RailTrace seldom = trace_failing_from(0.085);
  EXPECT_GT(seldom.failed_readings(), 90);
  const RailEnergy energy = integrate(seldom, {0, 9900 * kMs});
  EXPECT_NEAR(energy.joules.value(), 99, 0.1);
  EXPECT_EQ(energy.gap_seconds, 0);
  // Above a fifth nobody knows, be it by ones.
  const RailEnergy unknown = integrate(trace_failing_from(0.045), {0, 9900 * kMs});
  EXPECT_FALSE(unknown.joules.has_value());
  EXPECT_NE(unknown.unknown_reason.find("readings failed for"), std::string::npos);
}

TEST(RailTrace, TellsForHowLongReadingsFailed) {
  RailTrace trace(power_rail(), kGap);
  EXPECT_EQ(trace.failing_ns_until(kS), 0);
  for (const auto& [t, value] : {std::pair{0, 1.0},
                                 {10, kNoReading},
                                 {20, kNoReading},
                                 {40, 1.0},
                                 {50, 1.0},
                                 {60, kNoReading}}) {
    trace.add({t * kMs, value});
  }
  EXPECT_EQ(trace.failing_ns_until(5 * kMs), 0);
  EXPECT_EQ(trace.failing_ns_until(20 * kMs), 10 * kMs);
  EXPECT_EQ(trace.failing_ns_until(55 * kMs), 30 * kMs);
  EXPECT_EQ(trace.failing_ns_until(65 * kMs), 35 * kMs);  // and still does
}

TEST(IntegrateWatts, NothingReadIsUnknown) {
  const RailTrace trace(power_rail(), kGap);
  const RailEnergy energy = integrate(trace, {0, kS});
  EXPECT_FALSE(energy.joules.has_value());
  EXPECT_FALSE(energy.unknown_reason.empty());
  EXPECT_FALSE(integrate(trace, {kS, kS}).joules.has_value());
}

// ------------------------------------------------------------------------------------ counters

TEST(IntegrateCounter, IsTheDifferenceBetweenTicks) {
  RailTrace trace(counter_rail(), kGap);
  // A load that steps from 5 to 15 W at 5 s; a counter misses nothing of it.
  feed(trace, 0, 10 * kS, 100 * kMs, [](double t) { return t < 5 ? 5 * t : 25 + 15 * (t - 5); });
  const RailEnergy energy = integrate(trace, {2 * kS, 8 * kS});
  EXPECT_NEAR(energy.joules.value(), 15 + 45, 1e-9);
  EXPECT_LT(energy.half_width.value(), 0.4);
}

TEST(IntegrateCounter, WindowsBetweenTicksAreLessCertain) {
  RailTrace trace(counter_rail(), 3 * kS);
  const auto energy_at = [](double t) { return 10 * t - 2 * std::cos(t); };
  feed(trace, 0, 40 * kS, kS, energy_at);
  const RailEnergy aligned = integrate(trace, {5 * kS, 35 * kS});
  const RailEnergy between = integrate(trace, {5500 * kMs, 35'500 * kMs});
  EXPECT_NEAR(between.joules.value(), energy_at(35.5) - energy_at(5.5), *between.half_width);
  EXPECT_GT(*between.half_width, 3 * *aligned.half_width);
}

TEST(IntegrateCounter, AGapInTheReadingsLosesNothing) {
  RailTrace trace(counter_rail(), kGap);
  const auto energy_at = [](double t) { return 10 * t; };
  feed(trace, 0, 2 * kS, 10 * kMs, energy_at);
  feed(trace, 8 * kS, 10 * kS, 10 * kMs, energy_at);
  const RailEnergy energy = integrate(trace, {kS, 9 * kS});
  EXPECT_NEAR(energy.joules.value(), 80, 1e-6);
  EXPECT_EQ(energy.gap_seconds, 0);
}

TEST(IntegrateCounter, OneTickIsUnknown) {
  RailTrace trace(counter_rail(), kGap);
  feed(trace, 0, 900 * kMs, kS, [](double t) { return 7 + t; });
  EXPECT_FALSE(integrate(trace, {100 * kMs, 800 * kMs}).joules.has_value());
}

TEST(IntegrateCounter, ACounterThatStopsIsNoIdleRail) {
  RailTrace trace(counter_rail(), kGap);
  feed(trace, 0, 20 * kS, 10 * kMs, [](double t) { return 10 * std::min(t, 10.0); });
  // It stands still for half of the window; what was drawn then, nobody knows.
  EXPECT_FALSE(integrate(trace, {kS, 20 * kS}).joules.has_value());
}

// ------------------------------------------------------------------------------------ windows

TEST(AlignedWindow, GoesFromTickToTick) {
  RailTrace trace(power_rail(), 3 * kS);
  feed(trace, 0, 20 * kS, kS, [](double t) { return 5 + t; });
  const auto window = aligned_window(trace, {2500 * kMs, 9900 * kMs});
  ASSERT_TRUE(window.has_value());
  // The tick at 3 s may tell of the time before 2.5 s.
  EXPECT_EQ(window->begin_ns, 4 * kS);
  EXPECT_EQ(window->end_ns, 9 * kS);
  // Fewer than five values in it are none.
  EXPECT_TRUE(aligned_window(trace, {2500 * kMs, 8100 * kMs}).has_value());
  EXPECT_FALSE(aligned_window(trace, {2500 * kMs, 7900 * kMs}).has_value());
}

}  // namespace
}  // namespace hedge
