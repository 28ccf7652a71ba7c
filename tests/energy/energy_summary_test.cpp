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
  EXPECT_NEAR(summary.idle->watts, 4, summary.idle->half_width);
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
  EXPECT_GT(summary.idle->half_width, 3);
}

/// Samples of a load that is over within a few of them are those of the rest around it.
void expect_too_short(const SimulatedSensor& sensor, const std::string& reason) {
  const SimulatedLoad load{.idle_watts = 4, .watts = 40, .begin_s = 5, .end_s = 8};
  const RunWindows windows{{5 * kS, 8 * kS}, Window{kS, 4 * kS}, Window{9 * kS, 39 * kS}};
  for (const bool beats : {false, true}) {
    RunWindows those = windows;
    if (beats) those.beats = 30;
    const EnergySummary summary = summarize_energy(simulate(load, sensor), those);
    EXPECT_FALSE(summary.gross.joules || summary.gross.half_width);
    EXPECT_FALSE(summary.net.joules || summary.net.half_width);
    EXPECT_FALSE(summary.rails[0].joules.has_value());
    ASSERT_EQ(summary.doubts.size(), 1U);
    EXPECT_EQ(summary.doubts.front(), reason);
    // So is a baseline of 3 s; the one of 30 s is none such.
    EXPECT_TRUE(summary.idle.has_value());
    EXPECT_NEAR(summary.idle->watts, 4, 0.1);
  }
}

TEST(EnergySummary, ALoadShorterThanAFewTicksIsUnknown) {
  const std::string reason =
      "unknown: simulated: the load of 3 s is shorter than 6 ticks of the meter (1.3 s): run it "
      "for at least 19.5 s";
  using Kind = SimulatedSensor::Kind;
  for (const Kind kind : {Kind::kInstant, Kind::kAverage}) {
    expect_too_short({.kind = kind, .refresh_s = 1.3, .phase_s = 0.2, .noise = 0.05}, reason);
  }
  expect_too_short({.kind = Kind::kCounter, .refresh_s = 1.3, .phase_s = 0.2}, reason);
}

/// Twenty inferences within two readings: the meter ticks oftener than it is read.
TEST(EnergySummary, ALoadBetweenTwoReadingsIsUnknown) {
  const std::int64_t ms = kS / 1000;
  const SimulatedLoad load{.idle_watts = 10, .watts = 10, .begin_s = 5};
  const Recording recording =
      simulate(load, {.kind = SimulatedSensor::Kind::kCounter, .refresh_s = 0.002, .step = 1e-6});
  for (const std::int64_t length : {2 * ms, 25 * ms, 45 * ms}) {
    const EnergySummary summary = summarize_energy(
        recording,
        {{5 * kS, 5 * kS + length}, Window{4 * kS, 4300 * ms}, Window{6 * kS, 6300 * ms}});
    EXPECT_FALSE(summary.gross.joules.has_value()) << length;
    EXPECT_FALSE(summary.net.joules.has_value());
    EXPECT_NEAR(summary.idle->watts, 10, 0.5);
    EXPECT_TRUE(has(summary.doubts, "ticks of the meter (10 ms): run it for at least 150 ms"))
        << summary.doubts.front();
  }
  const EnergySummary longer =
      summarize_energy(recording, {{5 * kS, 5200 * ms}, std::nullopt, std::nullopt});
  EXPECT_NEAR(longer.gross.joules.value(), 10 * longer.window.seconds(),
              longer.gross.half_width.value());
}

TEST(EnergySummary, ABaselineShorterThanAFewTicksIsNone) {
  const SimulatedLoad load{.idle_watts = 4, .watts = 10, .begin_s = 5, .end_s = 35};
  const EnergySummary summary =
      summarize_energy(simulate(load, {.refresh_s = 1, .phase_s = 0.4, .noise = 0.05}), kWindows);
  EXPECT_TRUE(summary.gross.joules.has_value());
  EXPECT_FALSE(summary.idle || summary.net.joules);
  EXPECT_TRUE(warns(summary,
                    "the idle power before the load is not known: simulated: the baseline of 2 s "
                    "is shorter than 5 ticks of the meter (1 s): give --idle=6s"))
      << summary.warnings.front();
}

/// At rest an INA3221 shows one value for seconds.
TEST(EnergySummary, APowerThatRestsWithinAStepIsABaseline) {
  const SimulatedLoad load{.idle_watts = 4, .watts = 10, .begin_s = 5, .end_s = 35};
  SimulatedLoad waved = load;
  waved.waves[0] = {.watts = 0.5, .hertz = 0.3};
  const EnergySummary summary = summarize_energy(simulate(waved, {.step = 0.04}), kWindows);
  EXPECT_NEAR(summary.idle->watts, 4, summary.idle->half_width);
  EXPECT_GT(summary.idle->half_width, 0);
  EXPECT_TRUE(summary.net.joules && summary.net.half_width);
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
  EXPECT_FALSE(warns(summary, "filled in"));
}

/// A sensor that answers EAGAIN to every `every`th reading, or to all others where that is below 0.
EnergySummary with_failures(int every) {
  const SimulatedLoad load{.begin_s = 5, .end_s = 35};
  SimulatedMeter meter(load, {.refresh_s = 0.02, .noise = 0.05}, 1);
  Recording recording;
  recording.rails.emplace_back(meter.rails()[0], gap_for_period(10'000'000));
  for (int i = 100; i < 4000; ++i) {
    RailReading reading;
    meter.now_s = i * 0.01;
    meter.read({&reading, 1});
    if (i % every == 0) reading.value = kNoReading;
    recording.rails[0].add(reading);
    recording.progress.add(reading.time_ns, i);
  }
  return summarize_energy(recording, kWindows);
}

TEST(EnergySummary, AboveAFifthOfFailedReadingsItIsUnknown) {
  const EnergySummary half = with_failures(2);
  EXPECT_FALSE(half.gross.joules.has_value());
  EXPECT_TRUE(has(half.doubts, "readings failed for 50 % of the time (20 % is allowed)"));
  EXPECT_FALSE(half.idle.has_value());
  const EnergySummary tenth = with_failures(10);
  EXPECT_TRUE(tenth.gross.joules.has_value());
  EXPECT_TRUE(tenth.doubts.empty());
  EXPECT_TRUE(warns(tenth, "390 of 3900 readings failed"));
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
  EXPECT_FALSE(summary.gross.joules.has_value());
  EXPECT_FALSE(summary.idle || summary.net.joules);
  EXPECT_TRUE(has(summary.doubts, "readings are all the same: the sensor is stuck"));
}

/// Of an AGX some rails draw nothing: beside one that ticks that is no stuck sensor.
TEST(EnergySummary, ARailThatRestsBesideOthersIsKnownToItsStep) {
  const SimulatedLoad load{.idle_watts = 4, .watts = 10, .begin_s = 5, .end_s = 35};
  Recording recording = simulate(load, {.noise = 0.05});
  Rail resting = recording.rails[0].rail();
  resting.name = "CV";
  resting.resolution = 0.04;
  RailTrace trace(resting, recording.rails[0].gap_ns());
  for (std::int64_t t = kS; t < 40 * kS; t += 10'000'000) trace.add({t, 0});
  const double alone = summarize_energy(recording, kWindows).gross.half_width.value();
  recording.rails.push_back(trace);
  const EnergySummary summary = summarize_energy(recording, kWindows);
  EXPECT_NEAR(summary.gross.joules.value(), 10 * summary.window.seconds(), 1);
  EXPECT_GT(summary.gross.half_width.value(), alone);
  EXPECT_TRUE(summary.net.joules.has_value());
  EXPECT_TRUE(summary.doubts.empty()) << summary.doubts.front();
}

TEST(EnergySummary, ASensorThatSticksInTheLoadIsNamed) {
  const SimulatedLoad load{.idle_watts = 4, .watts = 10, .begin_s = 5, .end_s = 35};
  for (const double stuck_from_s : {15.0, 5.0}) {
    SimulatedMeter meter(load, {.noise = 0.05}, 1);
    Recording recording;
    recording.rails.emplace_back(meter.rails()[0], gap_for_period(10'000'000));
    for (std::int64_t t = kS; t < 40 * kS; t += 10'000'000) {
      RailReading reading;
      meter.now_s = std::min(static_cast<double>(t) * 1e-9, stuck_from_s);
      meter.read({&reading, 1});
      reading.time_ns = t;
      recording.rails[0].add(reading);
      recording.progress.add(t, t / 10'000'000);
    }
    const EnergySummary summary = summarize_energy(recording, kWindows);
    if (stuck_from_s > 5) {
      EXPECT_TRUE(has(summary.doubts, "its value did not change in the last 20 s"))
          << summary.doubts.front();
      EXPECT_TRUE(has(summary.doubts, "simulated told of"));
    } else {
      EXPECT_FALSE(summary.gross.joules.has_value());
      EXPECT_TRUE(has(summary.doubts, "simulated: its reading changed 1 time only"))
          << summary.doubts.front();
    }
  }
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
