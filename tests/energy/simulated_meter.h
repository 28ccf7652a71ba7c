// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>
#include <random>
#include <vector>

#include "energy/power_meter.h"
#include "energy/sampler.h"

namespace hedge::test {

/// A load with known energy: idle until `begin_s`, then `watts` with a drift, a slow wave and a
/// ripple, and idle again from `end_s`. Times in seconds.
struct SimulatedLoad {
  struct Wave {
    double watts = 0;
    double hertz = 1;
    double phase = 0;
  };

  double idle_watts = 2;
  double watts = 10;
  double drift_watts_per_s = 0;
  std::array<Wave, 2> waves{};
  double begin_s = 0;
  double end_s = std::numeric_limits<double>::infinity();

  [[nodiscard]] double power(double t) const {
    if (t < begin_s || t >= end_s) return idle_watts;
    double value = watts + drift_watts_per_s * (t - begin_s);
    for (const Wave& wave : waves) value += wave.watts * std::sin(turn(wave, t));
    return value;
  }
  /// From 0 on.
  [[nodiscard]] double energy(double t) const {
    const double from = begin_s;
    const double to = std::min(t, end_s);
    double joules = idle_watts * std::min(t, begin_s);
    if (t > end_s) joules += idle_watts * (t - end_s);
    if (to <= from) return joules;
    joules += watts * (to - from) + drift_watts_per_s * (to - from) * (to - from) / 2;
    for (const Wave& wave : waves) {
      const double rate = 2 * std::numbers::pi * wave.hertz;
      joules += wave.watts / rate * (std::cos(turn(wave, from)) - std::cos(turn(wave, to)));
    }
    return joules;
  }

 private:
  static double turn(const Wave& wave, double t) {
    return 2 * std::numbers::pi * wave.hertz * t + wave.phase;
  }
};

/// A sensor that refreshes every `refresh_s` and holds its value in between.
struct SimulatedSensor {
  enum class Kind { kInstant, kAverage, kCounter };

  Kind kind = Kind::kInstant;
  double refresh_s = 0.1;
  double phase_s = 0;  ///< Of its first refresh.
  double noise = 0;    ///< Standard deviation, watts; a counter has none.
  double step = 0;     ///< Watts or joules.
};

/// Reads a SimulatedLoad at the simulated time `now_s`.
class SimulatedMeter final : public PowerMeter {
 public:
  SimulatedMeter(const SimulatedLoad& load, const SimulatedSensor& sensor, std::uint64_t seed)
      : load_(load), sensor_(sensor), random_(seed) {
    const bool counter = sensor.kind == SimulatedSensor::Kind::kCounter;
    rails_ = {{.name = "simulated",
               .kind = counter ? RailKind::kEnergy : RailKind::kPower,
               .in_total = true,
               .resolution = sensor.step,
               .wraps_at = {}}};
  }

  [[nodiscard]] const MeterFacts& facts() const noexcept override { return facts_; }
  [[nodiscard]] std::span<const Rail> rails() const noexcept override { return rails_; }
  void read(std::span<RailReading> readings) noexcept override {
    const auto tick =
        static_cast<std::int64_t>(std::floor((now_s - sensor_.phase_s) / sensor_.refresh_s));
    if (tick != tick_) value_ = refreshed(static_cast<double>(tick));
    tick_ = tick;
    readings[0] = {static_cast<std::int64_t>(now_s * 1e9), value_};
  }

  double now_s = 0;

 private:
  double refreshed(double tick) {
    const double t = sensor_.phase_s + tick * sensor_.refresh_s;
    double value = 0;
    switch (sensor_.kind) {
      case SimulatedSensor::Kind::kInstant:
        value = load_.power(t);
        break;
      case SimulatedSensor::Kind::kAverage:
        value = (load_.energy(t) - load_.energy(t - sensor_.refresh_s)) / sensor_.refresh_s;
        break;
      case SimulatedSensor::Kind::kCounter:
        value = load_.energy(t);
        break;
    }
    if (sensor_.noise > 0) value += sensor_.noise * normal_(random_);
    return sensor_.step > 0 ? std::round(value / sensor_.step) * sensor_.step : value;
  }

  SimulatedLoad load_;
  SimulatedSensor sensor_;
  std::mt19937_64 random_;
  std::normal_distribution<double> normal_;
  std::int64_t tick_ = std::numeric_limits<std::int64_t>::min();
  double value_ = 0;
  MeterFacts facts_{"simulated", "", ""};
  std::vector<Rail> rails_;
};

/// What the sampler's thread would have recorded until `end_s`.
inline Recording record(SimulatedMeter& meter, double end_s, std::int64_t period_ns = 10'000'000) {
  MeterReader reader(&meter, period_ns);
  for (std::int64_t k = 0;; ++k) {
    const std::int64_t now = reading_deadline_ns(1'000'000'000, k, period_ns);
    meter.now_s = static_cast<double>(now) * 1e-9;
    if (meter.now_s > end_s) break;
    reader.read(now, k);
  }
  return std::move(reader.recording());
}

}  // namespace hedge::test
