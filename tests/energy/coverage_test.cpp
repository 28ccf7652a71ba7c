// SPDX-License-Identifier: Apache-2.0
// Energies against the truth of a simulated load: how far off, and how often within the interval.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
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
    HEDGE_HAS_FEATURE(address_sanitizer)
constexpr int kRuns = 34;  // The sanitizers look at the code, not at the coverage.
constexpr double kLeastCovered = 0.85;
#else
constexpr int kRuns = 334;  // Twelve cases: 4,000 in all.
constexpr double kLeastCovered = 0.95;
#endif

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

struct Outcome {
  double relative_error = 0;
  bool covered = false;
  double relative_half_width = 0;
};

Outcome run(std::uint64_t seed, Kind kind, double hertz) {
  const Scenario s = random_scenario(seed, kind, hertz);
  SimulatedMeter meter(s.load, s.sensor, seed + 1'000'000);
  const Recording recording = record(meter, s.load.end_s + 1);
  const RailTrace& trace = recording.rails.front();
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
    const Outcome outcome = run(static_cast<std::uint64_t>(i), c.kind, c.hertz);
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
