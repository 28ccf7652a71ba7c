// SPDX-License-Identifier: Apache-2.0
#include "energy/energy_summary.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "energy/power_csv.h"
#include "energy/simulated_meter.h"

namespace hedge {
namespace {

using test::SimulatedLoad;
using test::SimulatedMeter;
using test::SimulatedSensor;

constexpr std::int64_t kS = 1'000'000'000;

/// At rest from 2 s, at work from 5 s to 35 s, at rest until 40 s; 100 inferences a second.
const RunWindows kWindows{{5 * kS, 35 * kS}, Window{2 * kS, 4 * kS}, Window{37 * kS, 39 * kS}};

Recording simulate(const SimulatedLoad& load, const SimulatedSensor& sensor) {
  SimulatedMeter meter(load, sensor, 1);
  return record(meter, 40);
}

bool has(const std::vector<std::string>& lines, const std::string& part) {
  return std::any_of(lines.begin(), lines.end(),
                     [&](const std::string& line) { return line.find(part) != part.npos; });
}
bool warns(const EnergySummary& summary, const std::string& part) {
  return has(summary.warnings, part);
}

TEST(EnergySummary, GrossAndNet) {
  const SimulatedLoad load{.idle_watts = 4, .watts = 10, .begin_s = 5, .end_s = 35};
  const EnergySummary summary = summarize_energy(
      simulate(load, {.kind = SimulatedSensor::Kind::kInstant, .noise = 0.05}), kWindows);
  const double seconds = summary.window.seconds();
  EXPECT_GT(seconds, 29.5);
  EXPECT_LE(seconds, 30);
  EXPECT_NEAR(summary.inferences, 100 * seconds, 1);
  EXPECT_NEAR(summary.gross.joules.value(), 10 * seconds, *summary.gross.half_width);
  EXPECT_NEAR(summary.idle->watts, 4, summary.idle->half_width.value());
  EXPECT_NEAR(summary.net.joules.value(), 6 * seconds, *summary.net.half_width);
  EXPECT_GT(*summary.net.half_width, *summary.gross.half_width);
  EXPECT_TRUE(summary.warnings.empty()) << summary.warnings.front();
  EXPECT_TRUE(summary.doubts.empty()) << summary.doubts.front();
}

TEST(EnergySummary, WithoutBaselineNetIsUnknown) {
  const SimulatedLoad load{.begin_s = 5, .end_s = 35};
  const EnergySummary summary =
      summarize_energy(simulate(load, {.noise = 0.05}), {kWindows.load, {}, {}});
  EXPECT_TRUE(summary.gross.joules.has_value());
  EXPECT_FALSE(summary.idle.has_value());
  EXPECT_FALSE(summary.net.joules.has_value());
}

TEST(EnergySummary, AnIdlePowerThatChangedIsSaid) {
  // It rests at 2 W before, and at 8 W after: the load goes on beyond its end.
  const SimulatedLoad load{.idle_watts = 2, .watts = 8, .begin_s = 5};
  const EnergySummary summary = summarize_energy(simulate(load, {.noise = 0.05}), kWindows);
  EXPECT_TRUE(warns(summary, "idle power was"));
  EXPECT_NEAR(summary.idle->watts, 5, 0.1);
  EXPECT_GT(summary.idle->half_width.value(), 3);
}

TEST(EnergySummary, AShortLoadIsSaidAndLessCertain) {
  const SimulatedLoad load{.idle_watts = 4, .watts = 10, .begin_s = 5, .end_s = 8};
  const SimulatedSensor slow{.refresh_s = 1.3, .phase_s = 0.2, .noise = 0.05};
  Recording recording = simulate(load, slow);
  const EnergySummary summary = summarize_energy(recording, {{5 * kS, 8 * kS}, {}, {}});
  EXPECT_TRUE(has(summary.doubts, "fewer than three refreshes"));
  EXPECT_NEAR(summary.gross.joules.value(), 30, summary.gross.half_width.value());
}

TEST(EnergySummary, ALoadInBeatsIsTakenWhole) {
  const SimulatedLoad load{.idle_watts = 4, .watts = 10, .begin_s = 5, .end_s = 35};
  const Recording recording = simulate(load, {.noise = 0.05});
  const EnergySummary summary = summarize_energy(recording, {{5 * kS, 35 * kS}, {}, {}, 2999});
  EXPECT_DOUBLE_EQ(summary.window.seconds(), 30);
  EXPECT_EQ(summary.inferences, 2999);
  EXPECT_NEAR(summary.gross.joules.value(), 300, summary.gross.half_width.value());
  EXPECT_TRUE(summary.doubts.empty());
}

TEST(EnergySummary, ARailThatVanishesMakesTheTotalUnknown) {
  const SimulatedLoad load{.begin_s = 5, .end_s = 35};
  SimulatedMeter meter(load, {.noise = 0.05}, 1);
  RailTrace whole(meter.rails()[0], gap_for_period(10'000'000));
  RailTrace vanishing(meter.rails()[0], gap_for_period(10'000'000));
  Recording recording;
  for (std::int64_t t = kS; t < 40 * kS; t += 10'000'000) {
    RailReading reading;
    meter.now_s = static_cast<double>(t) * 1e-9;
    meter.read({&reading, 1});
    whole.add(reading);
    if (t > 15 * kS) reading.value = kNoReading;
    vanishing.add(reading);
    recording.progress.add(t, t / 10'000'000);
  }
  recording.rails = {whole, vanishing};
  const EnergySummary summary = summarize_energy(recording, kWindows);
  EXPECT_FALSE(summary.gross.joules.has_value());
  EXPECT_FALSE(summary.net.joules.has_value());
  EXPECT_TRUE(summary.rails[0].joules.has_value());
  EXPECT_TRUE(warns(summary, "readings failed"));
  EXPECT_TRUE(has(summary.doubts, "without a reading"));
}

/// Of the only rail, ticks end early: what is known is of a part of the load.
TEST(EnergySummary, OnePartOfTheLoadIsADoubt) {
  const SimulatedLoad load{.begin_s = 5, .end_s = 35};
  SimulatedMeter meter(load, {.noise = 0.05}, 1);
  RailTrace vanishing(meter.rails()[0], gap_for_period(10'000'000));
  Recording recording;
  for (std::int64_t t = kS; t < 40 * kS; t += 10'000'000) {
    RailReading reading;
    meter.now_s = static_cast<double>(t) * 1e-9;
    meter.read({&reading, 1});
    if (t > 15 * kS) reading.value = kNoReading;
    vanishing.add(reading);
    recording.progress.add(t, t / 10'000'000);
  }
  recording.rails = {vanishing};
  const EnergySummary summary = summarize_energy(recording, kWindows);
  EXPECT_FALSE(summary.doubts.empty());
  EXPECT_TRUE(warns(summary, "idle power after") || !summary.gross.joules);
}

TEST(EnergySummary, AWideIntervalAndNegativeEnergyAreDoubts) {
  const SimulatedLoad load{.idle_watts = 0.2, .watts = 0.3, .begin_s = 5, .end_s = 35};
  const EnergySummary noisy =
      summarize_energy(simulate(load, {.refresh_s = 1, .noise = 1}), kWindows);
  EXPECT_TRUE(has(noisy.doubts, "known to"));
  const SimulatedLoad reversed{.idle_watts = -4, .watts = -10, .begin_s = 5, .end_s = 35};
  const EnergySummary negative = summarize_energy(simulate(reversed, {.noise = 0.05}), kWindows);
  EXPECT_TRUE(has(negative.doubts, "wrong way round"));
}

TEST(EnergySummary, PartsOfARailAreNotAdded) {
  const SimulatedLoad load{.idle_watts = 4, .watts = 10, .begin_s = 5, .end_s = 35};
  Recording recording = simulate(load, {.noise = 0.05});
  Rail part = recording.rails[0].rail();
  part.in_total = false;
  RailTrace trace(part, recording.rails[0].gap_ns());
  for (const TracePoint& point : recording.rails[0].points()) {
    trace.add({point.time_ns, point.value / 2});
  }
  recording.rails.push_back(trace);
  const EnergySummary summary = summarize_energy(recording, kWindows);
  EXPECT_NEAR(*summary.gross.joules, 10 * summary.window.seconds(), 1);
  EXPECT_NEAR(*summary.rails[1].joules, 5 * summary.window.seconds(), 1);
}

TEST(EnergySummary, AStuckSensorIsSaid) {
  const SimulatedLoad load{.idle_watts = 4, .watts = 4, .begin_s = 5, .end_s = 35};
  const EnergySummary summary = summarize_energy(simulate(load, {}), kWindows);
  EXPECT_FALSE(summary.gross.half_width.has_value());
  EXPECT_TRUE(has(summary.doubts, "never changed"));
}

/// A meter's log from 0 to 40 s, 10 rows a second; every 50th row holds no power.
Recording logged(double idle_watts, double watts) {
  PowerRecording log;
  for (int i = 0; i < 400; ++i) {
    if (i % 50 == 49) {
      ++log.rows_without_value;
      continue;
    }
    const bool works = i >= 50 && i <= 350;
    log.samples.push_back({i * kS / 10, works ? watts : idle_watts});
  }
  log.resolution = 0.01;
  Recording recording;
  recording.rails.push_back(trace_of(log, 0));
  recording.progress.add(5 * kS, 0);
  recording.progress.add(35 * kS, 3000);
  return recording;
}

TEST(EnergySummary, ALogWithoutNoiseIsTaken) {
  const EnergySummary summary = summarize_energy(logged(4, 10), kWindows);
  EXPECT_TRUE(summary.doubts.empty()) << summary.doubts.front();
  EXPECT_NEAR(summary.gross.joules.value(), 10 * summary.window.seconds(), 0.1);
  EXPECT_GT(summary.rails[0].distinct_samples, 280);
  ASSERT_EQ(summary.warnings.size(), 1U);
  EXPECT_TRUE(warns(summary, "8 of 400 rows of the log hold no power"));
}

TEST(EnergySummary, ALogOfKilowattsIsAskedForItsUnit) {
  EXPECT_TRUE(warns(summarize_energy(logged(4000, 5000), kWindows), "state the right unit?"));
  EXPECT_FALSE(warns(summarize_energy(logged(400, 500), kWindows), "unit"));
}

TEST(EnergySummary, ALogThatNeverChangesIsSaid) {
  EXPECT_TRUE(warns(summarize_energy(logged(5, 5), kWindows), "392 rows of the log hold the same"));
}

TEST(EnergySummary, NoRailsAreUnknown) {
  Recording recording;
  recording.progress.add(0, 0);
  const EnergySummary summary = summarize_energy(recording, kWindows);
  EXPECT_FALSE(summary.gross.joules.has_value());
  EXPECT_FALSE(summary.gross.unknown_reason.empty());
}

}  // namespace
}  // namespace hedge
