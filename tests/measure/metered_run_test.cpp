// SPDX-License-Identifier: Apache-2.0
#include "measure/metered_run.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <limits>
#include <string>
#include <thread>

#include "base/cancellation.h"
#include "hedge/error.h"
#include "measure/energy_result.h"
#include "measure/join_recording.h"

namespace hedge {
namespace {

constexpr std::int64_t kMs = 1'000'000;
constexpr std::int64_t kS = 1000 * kMs;
constexpr std::int64_t kEndless = std::numeric_limits<std::int64_t>::max();

struct CancellationReset {
  ~CancellationReset() { cancellation_flag.store(false); }
};

TEST(CountedCalls, CountsAndPublishes) {
  std::atomic<std::int64_t> done{5};
  const std::atomic<bool> stop{false};
  int calls = 0;
  const LoopTiming loop = measure_counted_calls([&] { ++calls; }, 10, 4, done, stop);
  EXPECT_EQ(loop.iterations, 10);
  EXPECT_EQ(calls, 10);
  EXPECT_EQ(done.load(), 15);
}

TEST(CountedCalls, StopsOnTheFlagAndOnCtrlC) {
  std::atomic<std::int64_t> done{0};
  std::atomic<bool> stop{false};
  const auto stopping = [&] {
    if (done.load() >= 3) stop.store(true);
  };
  EXPECT_EQ(measure_counted_calls(stopping, kEndless, 1, done, stop).iterations, 4);
  stop.store(false);
  const CancellationReset reset;
  EXPECT_EQ(
      measure_counted_calls([] { request_cancellation(); }, kEndless, 1, done, stop).iterations, 1);
}

/// Over between two readings, of which neither tells when it began and ended.
TEST(MeteredLoad, ProgressIsThatOfTheLoadsOwnEnds) {
  MeteredLoad load(nullptr, {.period_ns = 100 * kMs});
  load.rest(30 * kMs);
  load.work([] {}, 20, 1, 1);
  load.rest(100 * kMs);
  const MeteredRun run = load.finish();
  EXPECT_EQ(run.recording.progress.at(run.windows.load.begin_ns), 0);
  EXPECT_EQ(run.recording.progress.at(run.windows.load.end_ns), 20);
  EXPECT_EQ(run.recording.progress.at(run.windows.idle_before->begin_ns), 0);
  EXPECT_EQ(run.recording.progress.at(run.windows.idle_after->end_ns), 20);
}

TEST(MeteredLoad, TellsWhenItDidWhat) {
  MeteredLoad load(nullptr, {.period_ns = kMs});
  load.rest(20 * kMs);
  load.mark([] {}, 2 * kMs, false);
  load.work([] { std::this_thread::sleep_for(std::chrono::milliseconds(1)); }, 20, 1, 1e6);
  load.rest(20 * kMs);
  const MeteredRun run = load.finish();
  ASSERT_TRUE(run.windows.idle_before && run.windows.idle_after);
  EXPECT_GE(run.windows.idle_before->seconds(), 0.02);
  EXPECT_LE(run.windows.idle_before->end_ns, run.markers.front().window.begin_ns);
  EXPECT_EQ(run.markers.size(), kMarkerChips.size() + 2);
  EXPECT_LE(run.markers.back().window.end_ns, run.windows.load.begin_ns);
  // A quarter for the machine to come to rest.
  EXPECT_GE(run.windows.idle_after->begin_ns, run.windows.load.end_ns + 5 * kMs);
  EXPECT_EQ(run.loop.total.iterations, 20);
  EXPECT_EQ(run.loop.stretches.size(), 20U);  // Of a millisecond.
  EXPECT_EQ(run.recording.progress.at(run.end.steady_ns), 20);
}

TEST(MeteredLoad, StopsFromAnotherThread) {
  MeteredLoad load(nullptr, {.period_ns = kMs});
  std::thread stopper([&] {
    while (load.done() < 5) std::this_thread::yield();
    load.stop_work();
  });
  load.work([] { std::this_thread::sleep_for(std::chrono::microseconds(100)); }, kEndless, 1, 1e5);
  stopper.join();
  EXPECT_GE(load.finish().loop.total.iterations, 5);
}

TEST(MeteredLoad, ACancelledRestIsNoBaselineAndACancelledMarkerNone) {
  const CancellationReset reset;
  MeteredLoad load(nullptr, {.period_ns = kMs});
  request_cancellation();
  load.rest(3600 * kS);
  load.mark([] {}, 3600 * kS, false);
  load.work([] {}, kEndless, 1, 1);
  load.rest(kMs, true);
  const MeteredRun run = load.finish();
  EXPECT_FALSE(run.windows.idle_before.has_value());
  EXPECT_TRUE(run.markers.empty());
  EXPECT_EQ(run.loop.total.iterations, 0);
  EXPECT_TRUE(run.windows.idle_after.has_value());  // Asked for to the end.
}

// ------------------------------------------------------------------------------------------ join

/// A run whose steady clock is 1000 s behind the time of day.
MeteredRun run_at_steady_100s() {
  MeteredRun run;
  run.begin = {100 * kS, 1100 * kS};
  run.end = {140 * kS, 1140 * kS};
  run.windows.load = {110 * kS, 130 * kS};
  return run;
}

PowerRecording recorded(bool absolute, std::int64_t from_ns, std::int64_t to_ns) {
  PowerRecording recording;
  recording.absolute = absolute;
  for (std::int64_t t = from_ns; t <= to_ns; t += 100 * kMs) {
    recording.samples.push_back({t, static_cast<double>(t / (100 * kMs) % 7)});
  }
  return recording;
}

TEST(Join, ByTheTimeOfDay) {
  const JoinedRecording joined =
      join_recording(recorded(true, 1105 * kS, 1135 * kS), run_at_steady_100s(), "p.csv");
  EXPECT_EQ(joined.trace.points().front().time_ns, 105 * kS);
  EXPECT_TRUE(joined.notes.empty());
}

TEST(Join, AClockThatWasSetIsSaid) {
  MeteredRun run = run_at_steady_100s();
  run.end.unix_ns += kS / 2;
  const JoinedRecording joined = join_recording(recorded(true, 1105 * kS, 1135 * kS), run, "p.csv");
  ASSERT_EQ(joined.notes.size(), 1U);
  EXPECT_NE(joined.notes[0].find("moved by 0.500 s"), std::string::npos) << joined.notes[0];
}

TEST(Join, RefusesWhatCannotBeJoined) {
  const MeteredRun run = run_at_steady_100s();
  const auto refusal = [&](const PowerRecording& recording) -> std::string {
    try {
      (void)join_recording(recording, run, "p.csv");
    } catch (const Error& error) {
      return error.what();
    }
    return "taken";
  };
  EXPECT_NE(refusal(recorded(false, 0, 60 * kS)).find("--marker"), std::string::npos);
  // An hour off, as of a clock in another zone.
  const std::string other_zone = refusal(recorded(true, 4705 * kS, 4735 * kS));
  EXPECT_NE(other_zone.find("the load ran from 1970-01-01T00:18:30Z"), std::string::npos)
      << other_zone;
  EXPECT_NE(other_zone.find("if its times were 1 h earlier: are they local time"),
            std::string::npos)
      << other_zone;
  EXPECT_NE(
      refusal(recorded(true, 1105 * kS - 19'800 * kS, 1135 * kS - 19'800 * kS)).find("5.5 h later"),
      std::string::npos);
  const std::string too_short = refusal(recorded(true, 1105 * kS, 1120 * kS));
  EXPECT_NE(too_short.find("covers"), std::string::npos);
  EXPECT_NE(too_short.find("set both clocks"), std::string::npos) << too_short;
}

// ------------------------------------------------------------------------------------------ result

TEST(EnergyResultForm, UnknownIsAbsent) {
  Recording recording;
  recording.rails.emplace_back(Rail{.name = "VDD_IN",
                                    .kind = RailKind::kPower,
                                    .in_total = true,
                                    .resolution = 0,
                                    .wraps_at = {}},
                               kS);
  const EnergySummary summary = summarize_energy(recording, {{0, kS}, {}, {}});
  const EnergyResult result = energy_result({"ina3221", "the module", "1 %"}, summary, recording);
  EXPECT_EQ(result.meter, "ina3221");
  EXPECT_EQ(result.rails, std::vector<std::string>{"VDD_IN"});
  EXPECT_FALSE(result.joules_total || result.mean_watts || result.mj_per_inference || result.ci95);
  EXPECT_TRUE(result.rail_details->at("VDD_IN").contains("unknown"));
  EXPECT_FALSE(result.rail_details->at("VDD_IN").contains("joules"));
}

TEST(EnergyResultForm, UnitsAreThoseOfTheSchema) {
  Recording recording;
  recording.rails.emplace_back(Rail{.name = "package-0",
                                    .kind = RailKind::kEnergy,
                                    .in_total = true,
                                    .resolution = 1e-6,
                                    .wraps_at = {}},
                               kS);
  for (std::int64_t t = 0; t <= 10 * kS; t += 10 * kMs) {
    recording.rails[0].add({t, static_cast<double>(t) * 1e-9 * 20});
    recording.progress.add(t, t / kMs);  // 1000 a second
  }
  const EnergySummary summary =
      summarize_energy(recording, {{2 * kS, 8 * kS}, Window{0, kS}, Window{9 * kS, 10 * kS}});
  const EnergyResult result = energy_result({"rapl", "", ""}, summary, recording);
  EXPECT_NEAR(result.mean_watts.value(), 20, 1e-6);
  EXPECT_NEAR(result.mj_per_inference.value(), 20, 1e-3);  // 20 W over 1000/s
  EXPECT_NEAR(result.mj_per_inference_net.value(), 0, 1e-3);
  EXPECT_NEAR(result.joules_total.value(), 20 * result.seconds.value(), 1e-6);
  EXPECT_LT((*result.ci95)[0], *result.mj_per_inference);
  EXPECT_GT((*result.ci95)[1], *result.mj_per_inference);
  EXPECT_FALSE(result.covers.has_value());
}

TEST(JudgeEnergy, ReplacesWhatWasSaidOfItBefore) {
  Result result = make_result("measurements");
  judge_energy({}, result);
  EXPECT_EQ(result.validity->verdict, Verdict::kValid);
  result.validity->reasons = {"hot"};
  result.warnings = {"no meter", "other"};
  judge_energy({"no meter"}, result);
  EXPECT_EQ(result.validity->reasons, (std::vector<std::string>{"hot", "energy: no meter"}));
  judge_energy({"known to +-9 % only"}, result);
  EXPECT_EQ(result.validity->reasons,
            (std::vector<std::string>{"hot", "energy: known to +-9 % only"}));
  EXPECT_EQ(result.warnings, std::vector<std::string>{"other"});
  result.validity->reasons.erase(result.validity->reasons.begin());
  judge_energy({}, result);
  EXPECT_EQ(result.validity->verdict, Verdict::kValid);
}

// ---------------------------------------------------------------------------------------- timeline

TEST(Timeline, IsReadAsItWasWritten) {
  MeteredRun run = run_at_steady_100s();
  run.windows.idle_before = Window{102 * kS, 104 * kS};
  run.markers = {{{105 * kS, 106 * kS}, false}, {{106 * kS, 107 * kS}, true}};
  const MeteredRun read = run_from_timeline(timeline_json(run), 500, "r.json");
  // Its clock is the time of day.
  const auto near = [](std::int64_t a, std::int64_t b) { return std::abs(a - b) < 1000; };
  EXPECT_TRUE(near(read.windows.load.begin_ns, 1110 * kS));
  EXPECT_TRUE(near(read.windows.load.end_ns, 1130 * kS));
  ASSERT_TRUE(read.windows.idle_before.has_value());
  EXPECT_TRUE(near(read.windows.idle_before->end_ns, 1104 * kS));
  EXPECT_FALSE(read.windows.idle_after.has_value());
  ASSERT_EQ(read.markers.size(), 2U);
  EXPECT_FALSE(read.markers[0].busy);
  EXPECT_TRUE(read.markers[1].busy);
  EXPECT_NEAR(read.recording.progress.at(1120 * kS).value(), 250, 0.01);
}

TEST(Timeline, RefusesWhatMakesNoSense) {
  using nlohmann::json;
  for (const json& timeline :
       {json{3}, json::object(), json{{"load", "noon"}}, json{{"load", {1}}},
        json{{"load", {2, 1}}}, json{{"load", {-1, 1}}}, json{{"load", {1, 1e300}}},
        json{{"load", {1, 2}}, {"idle_after", {"a", "b"}}}, json{{"load", {1, 2}}, {"markers", 7}},
        json{{"load", {1, 2}}, {"markers", {{1, 2}}}}}) {
    try {
      (void)run_from_timeline(timeline, 1, "r.json");
      ADD_FAILURE() << timeline.dump();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kBadInput);
      EXPECT_EQ(std::string(error.what()).find("r.json: config.timeline: "), 0U) << error.what();
    }
  }
}

}  // namespace
}  // namespace hedge
