// SPDX-License-Identifier: Apache-2.0
// Energies against the truth of a simulated load: how far off, and how often within the interval.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <numbers>
#include <random>

#include "energy/integrate.h"
#include "energy/simulated_meter.h"

namespace hedge {
namespace {

using test::SimulatedLoad;
using test::SimulatedMeter;
using test::SimulatedSensor;
using Kind = SimulatedSensor::Kind;

#if defined(__has_feature)
#define HEDGE_HAS_FEATURE(name) __has_feature(name)
#else
#define HEDGE_HAS_FEATURE(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
    HEDGE_HAS_FEATURE(address_sanitizer) || !defined(__OPTIMIZE__)
constexpr int kRuns = 100;  // The sanitizers look at the code, not at the coverage.
constexpr double kLeastCovered = 0.9;
constexpr double kMostBeyond = 0.1;
#else
constexpr int kRuns = 4000;
constexpr double kLeastCovered = 0.95;
constexpr double kMostBeyond = 0.03;  // Of runs with a pure tone, beyond the bound of the error.
#endif
constexpr std::int64_t kPeriod_ns = 10'000'000;  // Of the readings.

struct Scenario {
  SimulatedLoad load;
  SimulatedSensor sensor;
};

double between(std::mt19937_64& random, double low, double high) {
  return std::uniform_real_distribution<double>(low, high)(random);
}

/// A load between 4 and 16 W with ripple and drift, begun and ended anywhere between two ticks.
/// What it does faster than the sensor is noise, but for a little hum: a pure tone in step with a
/// sensor that takes the power of the moment cannot be told from a constant.
Scenario random_scenario(std::uint64_t seed, Kind kind, double hertz) {
  std::mt19937_64 random(seed);
  Scenario s;
  s.load.watts = between(random, 4, 16);
  s.load.idle_watts = between(random, 0.1, 0.6) * s.load.watts;
  s.load.drift_watts_per_s = between(random, -0.001, 0.001) * s.load.watts;
  s.load.waves[0] = {between(random, 0, 0.02) * s.load.watts, between(random, 0.02, 0.5),
                     between(random, 0, 6.28)};
  s.load.waves[1] = {between(random, 0, 0.004) * s.load.watts, between(random, 20, 300),
                     between(random, 0, 6.28)};
  s.load.begin_s = between(random, 3, 4);
  s.load.end_s = s.load.begin_s + 30 + 2.5 / hertz;
  s.sensor = {.kind = kind,
              .refresh_s = 1 / hertz * between(random, 0.97, 1.03),
              .phase_s = between(random, 0, 1 / hertz),
              .noise = kind == Kind::kCounter ? 0 : 0.015 * s.load.watts,
              .step = kind == Kind::kCounter ? 1e-3 : 0.04};
  return s;
}

/// The load at the ticks of a sensor, one after the other. Waves are turned from tick to tick, for
/// 48,000 runs of 3,000 samples have no time for sines; energies count from the load's beginning.
class Ticks {
 public:
  Ticks(const SimulatedLoad& load, const SimulatedSensor& sensor) : load_(load), sensor_(sensor) {
    for (std::size_t i = 0; i < load.waves.size(); ++i) {
      rate_[i] = 2 * std::numbers::pi * load.waves[i].hertz;
      turns_[i][0] = 1;
      const auto turn = std::polar(1.0, rate_[i] * sensor.refresh_s);
      for (std::size_t k = 1; k < kMostTicks; ++k) turns_[i][k] = turns_[i][k - 1] * turn;
      wave_[i] = std::polar(1.0, rate_[i] * sensor.phase_s + load.waves[i].phase);
      begin_[i] = std::polar(1.0, rate_[i] * load.begin_s + load.waves[i].phase).real();
      end_[i] = std::polar(1.0, rate_[i] * load.end_s + load.waves[i].phase).real();
    }
  }
  void go_to(std::int64_t tick) {
    while (tick_ < tick) {
      const std::int64_t ticks = std::min<std::int64_t>(tick - tick_, kMostTicks - 1);
      for (std::size_t i = 0; i < wave_.size(); ++i) {
        wave_[i] *= turns_[i][static_cast<std::size_t>(ticks)];
      }
      tick_ += ticks;
    }
  }
  [[nodiscard]] double power() const {
    const double t = time(0);
    if (t < load_.begin_s || t >= load_.end_s) return load_.idle_watts;
    double value = load_.watts + load_.drift_watts_per_s * (t - load_.begin_s);
    for (std::size_t i = 0; i < wave_.size(); ++i) value += load_.waves[i].watts * wave_[i].imag();
    return value;
  }
  /// Up to this tick, or the one before it.
  [[nodiscard]] double energy(bool before = false) const {
    const double t = time(before ? 1 : 0);
    const double in = std::clamp(t, load_.begin_s, load_.end_s) - load_.begin_s;
    double joules =
        load_.idle_watts * (t - in) + load_.watts * in + load_.drift_watts_per_s * in * in / 2;
    if (in <= 0) return joules;
    for (std::size_t i = 0; i < wave_.size(); ++i) {
      const auto wave = before ? wave_[i] * std::conj(turns_[i][1]) : wave_[i];
      const double now = t < load_.end_s ? wave.real() : end_[i];
      joules += load_.waves[i].watts / rate_[i] * (begin_[i] - now);
    }
    return joules;
  }

 private:
  static constexpr std::size_t kMostTicks = 32;
  [[nodiscard]] double time(std::int64_t before) const {
    return sensor_.phase_s + static_cast<double>(tick_ - before) * sensor_.refresh_s;
  }

  const SimulatedLoad& load_;
  const SimulatedSensor& sensor_;
  std::int64_t tick_ = 0;
  std::array<double, 2> rate_{};
  std::array<std::complex<double>, 2> wave_{};
  std::array<std::array<std::complex<double>, kMostTicks>, 2> turns_{};
  std::array<double, 2> begin_{};
  std::array<double, 2> end_{};
};

double sensed(const Ticks& ticks, const SimulatedSensor& sensor, double noise) {
  const double exact = sensor.kind == Kind::kInstant ? ticks.power()
                       : sensor.kind == Kind::kAverage
                           ? (ticks.energy() - ticks.energy(true)) / sensor.refresh_s
                           : ticks.energy();
  return sensor.step > 0 ? std::round((exact + noise) / sensor.step) * sensor.step : exact + noise;
}

/// What test::record() would give: of the readings between two ticks the first, the last, and
/// enough of the others that no gap is seen.
RailTrace trace_of_run(const SimulatedLoad& load, const SimulatedSensor& sensor, std::uint64_t seed,
                       double until_s) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal(0, sensor.noise);
  const bool counter = sensor.kind == Kind::kCounter;
  RailTrace trace({.name = "simulated",
                   .kind = counter ? RailKind::kEnergy : RailKind::kPower,
                   .in_total = true,
                   .resolution = sensor.step,
                   .wraps_at = {}},
                  gap_for_period(kPeriod_ns));
  Ticks ticks(load, sensor);
  constexpr std::int64_t kStart_ns = 1'000'000'000;
  RailReading latest;
  double next_tick_s = -1;
  for (std::int64_t k = 0;; ++k) {
    const std::int64_t now_ns = reading_deadline_ns(kStart_ns, k, kPeriod_ns);
    const double now_s = static_cast<double>(now_ns) * 1e-9;
    if (now_s > until_s) break;
    if (now_s >= next_tick_s) {
      if (k > 0) trace.add(latest);
      const double tick = std::floor((now_s - sensor.phase_s) / sensor.refresh_s);
      next_tick_s = sensor.phase_s + (tick + 1) * sensor.refresh_s;
      ticks.go_to(static_cast<std::int64_t>(tick));
      latest.value = sensed(ticks, sensor, sensor.noise > 0 ? normal(random) : 0);
      trace.add({now_ns, latest.value});
    }
    latest.time_ns = now_ns;
    if (k % 20 == 0) trace.add(latest);
  }
  trace.add(latest);
  return trace;
}

struct Outcome {
  double relative_error = 0;
  bool covered = false;
  double relative_half_width = 0;
};

Outcome run(const Scenario& s, std::uint64_t seed) {
  const RailTrace trace = trace_of_run(s.load, s.sensor, seed + 1'000'000, s.load.end_s + 1);
  const Window whole{static_cast<std::int64_t>(s.load.begin_s * 1e9),
                     static_cast<std::int64_t>(s.load.end_s * 1e9)};
  const auto window = aligned_window(trace, whole);
  if (!window) return {1, false, 0};
  const double truth = s.load.energy(static_cast<double>(window->end_ns) * 1e-9) -
                       s.load.energy(static_cast<double>(window->begin_ns) * 1e-9);
  const RailEnergy energy = integrate(trace, *window);
  if (!energy.joules || !energy.half_width) return {1, false, 0};
  const double error = *energy.joules - truth;
  return {std::fabs(error) / truth, std::fabs(error) <= *energy.half_width,
          *energy.half_width / truth};
}

struct Case {
  Kind kind;
  double hertz;
  double most_error;
};

void PrintTo(const Case& c, std::ostream* out) {
  const char* kinds[] = {"instant", "average", "counter"};
  *out << kinds[static_cast<int>(c.kind)] << " at " << c.hertz << " Hz";
}

class EnergyOfSimulatedLoad : public testing::TestWithParam<Case> {};

TEST_P(EnergyOfSimulatedLoad, IsWithinItsIntervalAndItsBound) {
  const Case c = GetParam();
  int covered = 0;
  double worst = 0;
  double width = 0;
  for (int i = 0; i < kRuns; ++i) {
    const auto seed = static_cast<std::uint64_t>(i);
    const Outcome outcome = run(random_scenario(seed, c.kind, c.hertz), seed);
    covered += outcome.covered ? 1 : 0;
    worst = std::max(worst, outcome.relative_error);
    width += outcome.relative_half_width / kRuns;
  }
  RecordProperty("covered_percent", std::to_string(100.0 * covered / kRuns));
  EXPECT_LT(worst, c.most_error);
  EXPECT_GE(covered, kLeastCovered * kRuns);
  // An interval that says nothing would cover too.
  EXPECT_LT(width, 2 * c.most_error);
}

TEST(EnergyOfSimulatedLoad, IsSimulatedAsTheReaderWouldSeeIt) {
  constexpr double kStep = 1e-6;  // So that rest is the same value again, whatever is rounded.
  for (const Kind kind : {Kind::kInstant, Kind::kAverage, Kind::kCounter}) {
    for (const double hertz : {1.0, 10.0, 300.0}) {
      Scenario s = random_scenario(11, kind, hertz);
      s.sensor.noise = 0;
      s.sensor.step = kStep;
      const RailTrace quick = trace_of_run(s.load, s.sensor, 1, s.load.end_s + 1);
      SimulatedMeter meter(s.load, s.sensor, 1);
      const Recording slow = record(meter, s.load.end_s + 1);
      const auto expected = slow.rails.front().points();
      ASSERT_EQ(quick.points().size(), expected.size());
      for (std::size_t i = 0; i < expected.size(); ++i) {
        const TracePoint& point = quick.points()[i];
        ASSERT_EQ(point.time_ns, expected[i].time_ns);
        ASSERT_EQ(point.until_ns, expected[i].until_ns);
        ASSERT_EQ(point.after_gap, expected[i].after_gap);
        ASSERT_NEAR(point.value, expected[i].value, 1.5 * kStep);
      }
    }
  }
}

/// A sensor that takes the power of the moment and a load that pulses: where the tone lies at a
/// multiple of the sensor's rate, or of that of the readings, it looks like a constant, and nothing
/// in the data shows it. So the error has no bound, but the interval holds as often as it says.
class PureTone : public testing::TestWithParam<Case> {};

TEST_P(PureTone, IsWithinTheIntervalAndSeldomBeyondTheBound) {
  const Case c = GetParam();
  constexpr double kTone = 0.03;  // Of the power.
  int covered = 0;
  int beyond = 0;
  for (int i = 0; i < kRuns; ++i) {
    const auto seed = static_cast<std::uint64_t>(i);
    Scenario scenario = random_scenario(seed, c.kind, c.hertz);
    scenario.load.waves[1].watts = kTone * scenario.load.watts;
    const Outcome outcome = run(scenario, seed);
    covered += outcome.covered ? 1 : 0;
    beyond += outcome.relative_error > c.most_error ? 1 : 0;
  }
  RecordProperty("covered_percent", std::to_string(100.0 * covered / kRuns));
  RecordProperty("beyond_percent", std::to_string(100.0 * beyond / kRuns));
  EXPECT_GE(covered, kLeastCovered * kRuns);
  EXPECT_LE(beyond, kMostBeyond * kRuns);
}

INSTANTIATE_TEST_SUITE_P(Meters, PureTone,
                         testing::Values(Case{Kind::kInstant, 1, 0.015},
                                         Case{Kind::kInstant, 10, 0.005},
                                         Case{Kind::kInstant, 100, 0.005},
                                         Case{Kind::kInstant, 1000, 0.005}));

INSTANTIATE_TEST_SUITE_P(
    Meters, EnergyOfSimulatedLoad,
    testing::Values(Case{Kind::kInstant, 1, 0.015}, Case{Kind::kInstant, 10, 0.005},
                    Case{Kind::kInstant, 100, 0.005}, Case{Kind::kInstant, 1000, 0.005},
                    Case{Kind::kAverage, 1, 0.015}, Case{Kind::kAverage, 10, 0.005},
                    Case{Kind::kAverage, 100, 0.005}, Case{Kind::kAverage, 1000, 0.005},
                    Case{Kind::kCounter, 1, 0.015}, Case{Kind::kCounter, 10, 0.005},
                    Case{Kind::kCounter, 100, 0.005}, Case{Kind::kCounter, 1000, 0.005}));

}  // namespace
}  // namespace hedge
