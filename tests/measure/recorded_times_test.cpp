// SPDX-License-Identifier: Apache-2.0
#include "measure/recorded_times.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <string>

#include "hedge/error.h"
#include "measure/google_benchmark.h"
#include "measure/samples_file.h"
#include "result/result_json.h"
#include "support/temporary_folder.h"

namespace hedge {
namespace {

constexpr const char* kGoogle = R"({
  "context": {"library_build_type": "release"},
  "benchmarks": [
    {"name": "BM_a", "run_name": "BM_a", "run_type": "iteration", "real_time": 10, "time_unit": "us"},
    {"name": "BM_a", "run_name": "BM_a", "run_type": "iteration", "real_time": 14, "time_unit": "us"},
    {"name": "BM_a_mean", "run_name": "BM_a", "run_type": "aggregate", "aggregate_name": "mean",
     "real_time": 99, "time_unit": "us"},
    {"name": "BM_b_mean", "run_name": "BM_b", "run_type": "aggregate", "aggregate_name": "mean",
     "repetitions": 25, "real_time": 2, "time_unit": "ms"},
    {"name": "BM_b_stddev", "run_name": "BM_b", "run_type": "aggregate",
     "aggregate_name": "stddev", "repetitions": 25, "real_time": 0.5, "time_unit": "ms"},
    {"name": "BM_broken", "error_occurred": true, "error_message": "x"}]})";

std::string refusal(const std::string& text, const RecordedChoice& choice = {}) {
  try {
    (void)recorded_times_from_text(text, "file", choice);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kBadInput);
    return error.what();
  }
  return "nothing was refused";
}

void expect_refused(const std::string& text, const std::string& words,
                    const RecordedChoice& choice = {}) {
  const std::string message = refusal(text, choice);
  EXPECT_NE(message.find(words), std::string::npos) << message;
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
}

TEST(RecordedTimes, OfTrtexec) {
  const std::string text =
      R"([{"startEnqMs": 0, "endEnqMs": 0.1, "computeMs": 0.5, "latencyMs": 0.75},
          {"startEnqMs": 1, "endEnqMs": 1.1, "computeMs": 0.25, "latencyMs": 0.5}])";
  const RecordedTimes latency = recorded_times_from_text(text, "times.json");
  EXPECT_EQ(latency.samples_ns, (std::vector<std::int64_t>{750'000, 500'000}));
  EXPECT_EQ(latency.mean_ns.mean, 625'000);
  const RecordedTimes compute =
      recorded_times_from_text(text, "times.json", {.benchmark = {}, .trtexec_time = "compute"});
  EXPECT_EQ(compute.samples_ns, (std::vector<std::int64_t>{500'000, 250'000}));
  expect_refused(text, "latency and compute", {.benchmark = {}, .trtexec_time = "enqueue"});
  expect_refused(R"([{"latencyMs": "1"}])", "latencyMs");
  expect_refused(R"([{"latencyMs": -1}])", "no duration");
  expect_refused(R"([{"latencyMs": 1e300}])", "no duration");
  expect_refused("[7]", "no result");
}

TEST(RecordedTimes, OfGoogleBenchmark) {
  const RecordedTimes a = recorded_times_from_text(kGoogle, "g", {.benchmark = "BM_a"});
  EXPECT_DOUBLE_EQ(a.mean_ns.mean, 12'000);
  EXPECT_DOUBLE_EQ(a.mean_ns.standard_error, 2'000);
  EXPECT_EQ(a.mean_ns.count, 2U);
  const RecordedTimes b = recorded_times_from_text(kGoogle, "g", {.benchmark = "BM_b"});
  EXPECT_DOUBLE_EQ(b.mean_ns.mean, 2e6);
  EXPECT_DOUBLE_EQ(b.mean_ns.standard_error, 1e5);
  EXPECT_EQ(b.mean_ns.count, 25U);
  expect_refused(kGoogle, "--benchmark: BM_a, BM_b");
  expect_refused(kGoogle, "BM_a, BM_b", {.benchmark = "BM_c"});
  expect_refused(R"({"benchmarks": [{"name": "x", "real_time": 1, "time_unit": "h"}]})",
                 "time_unit");
  expect_refused(R"({"benchmarks": [{"name": "x"}]})", "real_time");
  expect_refused(R"({"benchmarks": []})", "no benchmarks");
  expect_refused(R"({"benchmarks": 5})", "Google Benchmark");
}

TEST(RecordedTimes, WrittenForGoogleBenchmarkComeBack) {
  std::vector<std::int64_t> ns;
  for (int i = 0; i < 205; ++i) ns.push_back(1000 + i % 3);
  const NamedSamples named[] = {{"A/net", ns}};
  Result about = make_result("compare");
  about.machine.hostname = "board";
  const auto json = google_benchmark_json(named, about);
  ASSERT_EQ(json.at("benchmarks").size(), 20U);
  std::size_t iterations = 0;
  for (const auto& run : json.at("benchmarks"))
    iterations += run.at("iterations").get<std::size_t>();
  EXPECT_EQ(iterations, 205U);
  EXPECT_EQ(json.at("context").at("host_name"), "board");
  const RecordedTimes back = recorded_times_from_text(json.dump(), "g");
  EXPECT_NEAR(back.mean_ns.mean, 1001, 0.1);
  EXPECT_EQ(back.mean_ns.count, 20U);
}

TEST(RecordedTimes, OfSamplesInBothForms) {
  const test::TemporaryFolder folder;
  std::vector<std::int64_t> ns{5000, 7000, 6000};
  for (const char* name : {"s.csv", "s.json"}) {
    const std::string file = (folder.path() / name).string();
    write_samples(file, ns, {});
    EXPECT_EQ(read_recorded_times(file).samples_ns, ns) << name;
  }
  const std::string paced = "index,scheduled_ns,begin_ns,end_ns,after_idle\n0,0,10,35,1\r\n\n";
  EXPECT_EQ(recorded_times_from_text(paced, "p").samples_ns, (std::vector<std::int64_t>{25}));
  expect_refused("repetition,index,latency_ns\n0,0,x\n", "line 2");
  expect_refused("repetition,index,latency_ns\n0,0\n", "line 2");
  expect_refused("repetition,index,latency_ns\n0,0,-5\n", "line 2");
  expect_refused("repetition,index,latency_ns\n", "no times");
  expect_refused("index,scheduled_ns,begin_ns,end_ns,after_idle\n0,0,35,10,1\n", "no duration");
  expect_refused("a,b\n1,2\n", "neither JSON");
  expect_refused("", "no times");
  expect_refused(R"({"schema": "hedge.samples/1", "latency_ns": [1, 2.5]})", "whole number");
}

TEST(RecordedTimes, OfResultsWithAndWithoutTheirSamples) {
  const test::TemporaryFolder folder;
  Result result = make_result("measurements");
  result.model.file = "net.engine";
  result.latency_us = LatencyResult{};
  result.latency_us->count = 10'000;
  result.latency_us->mean = 50;
  const std::string file = (folder.path() / "r.json").string();
  const auto write = [&] { std::ofstream(file) << result_to_text(result); };
  write();
  EXPECT_EQ(read_recorded_times(file).mean_ns.count, 0U);  // A mean, and nothing about its spread.
  result.latency_us->mean_ci95 = {49, 51};
  write();
  const RecordedTimes alone = read_recorded_times(file);
  EXPECT_DOUBLE_EQ(alone.mean_ns.mean, 50'000);
  EXPECT_NEAR(alone.mean_ns.standard_error, 1000 / 1.972, 0.5);  // t of 199 degrees of freedom.
  EXPECT_TRUE(alone.samples_ns.empty());
  result.latency_us->samples_file = "s.csv";
  write();
  EXPECT_TRUE(read_recorded_times(file).samples_ns.empty());  // It is gone: the mean stands.
  write_samples((folder.path() / "s.csv").string(), std::vector<std::int64_t>{40'000, 42'000}, {});
  EXPECT_EQ(read_recorded_times(file).samples_ns.size(), 2U);
  expect_refused("[" + result_to_text(result) + "," + result_to_text(result) + "]", "2 results");
  result.latency_us.reset();
  expect_refused(result_to_text(result), "no latency");
  expect_refused("{", "no JSON");
  expect_refused(R"({"schema": "hedge.comparison/1"})", "hedge.comparison/1");
}

TEST(RecordedTimes, LoopsAndSingleInferencesAreNoPair) {
  const test::TemporaryFolder folder;
  const auto write = [&](const char* name, const Result& result) {
    const std::string file = (folder.path() / name).string();
    std::ofstream(file) << result_to_text(result);
    return file;
  };
  LatencyResult loop;
  loop.count = 1000;
  loop.mean = 50;
  loop.mean_ci95 = {49, 51};
  loop.stretches = 250;
  loop.scope = kScopeLoop;
  LatencyResult each = loop;
  each.mean = 60;
  each.mean_ci95 = {59, 61};
  each.scope = kScopeInfer;
  Result both = make_result("measurements");
  both.latency_us = loop;
  both.per_iteration_us = each;
  Result single = make_result("measurements");
  single.latency_us = each;
  Result looped = make_result("measurements");
  looped.latency_us = loop;
  const std::string b = write("both.json", both);
  const std::string s = write("single.json", single);
  const std::string l = write("looped.json", looped);
  const auto pair = read_comparable_times(b, s);
  EXPECT_EQ(pair.first.mean_ns.mean, 60'000);
  EXPECT_EQ(pair.second.mean_ns.mean, 60'000);
  EXPECT_EQ(read_comparable_times(l, b).second.mean_ns.mean, 50'000);
  EXPECT_EQ(read_comparable_times(b, b).first.mean_ns.mean, 50'000);
  EXPECT_EQ(read_recorded_times(l).mean_ns.count, 25U);  // As of 250 stretches.
  try {
    (void)read_comparable_times(l, s);
    ADD_FAILURE() << "taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kBadInput);
    EXPECT_NE(std::string(error.what()).find("'loop'"), std::string::npos) << error.what();
  }
  // Samples, where both hold them, say more than means.
  both.per_iteration_us->samples_file = "s.csv";
  write_samples((folder.path() / "s.csv").string(), std::vector<std::int64_t>{60'000, 62'000}, {});
  EXPECT_EQ(read_recorded_times(write("both.json", both)).samples_ns.size(), 2U);
  EXPECT_EQ(read_comparable_times(b, l).first.mean_ns.mean, 50'000);
}

TEST(EnergyRatio, ComesFromBothIntervals) {
  Result a = make_result("measurements");
  Result b = a;
  EXPECT_FALSE(energy_ratio(a, b, false));
  a.energy = EnergyResult{};
  a.energy->mj_per_inference = 10;
  a.energy->ci95 = {9.9, 10.1};
  a.energy->distinct_samples = 1000;
  a.latency_us = LatencyResult{};
  a.latency_us->count = 2'000'000;
  a.latency_us->mean = 50;
  a.latency_us->mean_ci95 = {50, 50};
  b.latency_us = a.latency_us;
  EXPECT_FALSE(energy_ratio(a, b, false));
  b.energy = a.energy;
  b.energy->mj_per_inference = 8;
  b.energy->ci95 = {7.92, 8.08};
  const auto gross = energy_ratio(a, b, false);
  ASSERT_TRUE(gross && gross->interval);
  EXPECT_DOUBLE_EQ(gross->ratio, 1.25);
  // 1 % each at 95 %, so 1 % * sqrt(2) * 2.326 / 1.960 at 98 %.
  EXPECT_NEAR(gross->interval->lower, 1.25 * (1 - 0.01678), 0.0005);
  EXPECT_NEAR(gross->interval->upper, 1.25 * (1 + 0.01678), 0.0005);
  EXPECT_FALSE(energy_ratio(a, b, true));  // Net is known of neither.
  // The loop's speed belongs to it: 1 % more on either side widens it by sqrt(2).
  a.latency_us->mean_ci95 = {49.5, 50.5};
  b.latency_us->mean_ci95 = {49.5, 50.5};
  const auto wider = energy_ratio(a, b, false);
  ASSERT_TRUE(wider && wider->interval);
  EXPECT_NEAR(wider->interval->upper, 1.25 * (1 + 0.01678 * std::sqrt(2)), 0.001);
  b.latency_us->mean_ci95.reset();
  EXPECT_FALSE(energy_ratio(a, b, false)->interval);
  b.latency_us = a.latency_us;
  b.energy->ci95.reset();
  ASSERT_TRUE(energy_ratio(a, b, false));
  EXPECT_FALSE(energy_ratio(a, b, false)->interval);
  a.energy->mj_per_inference_net = 1;
  b.energy->mj_per_inference_net = -1;
  EXPECT_FALSE(energy_ratio(a, b, true));
}

TEST(RecordedTimes, DifferentConditionsAreNamed) {
  Result a = make_result("measurements");
  Result b = a;
  EXPECT_TRUE(different_conditions(a, b).empty());
  a.machine.governor = "performance";
  b.machine.governor = "powersave";
  a.config.threads = 1;
  b.config.threads = 2;
  a.config.batch = 4;  // Not known of b.
  EXPECT_EQ(different_conditions(a, b),
            (std::vector<std::string>{"governor: performance and powersave", "threads: 1 and 2"}));
  b = a;
  a.paced = PacedResult{};
  a.paced->rate_per_s = 10;
  a.energy = EnergyResult{};
  a.energy->meter = "rapl";
  b.energy = EnergyResult{};
  b.energy->meter = "nvml";
  EXPECT_EQ(different_conditions(a, b),
            (std::vector<std::string>{"meter: rapl and nvml",
                                      "load: 10 requests a second and one after the other"}));
}

}  // namespace
}  // namespace hedge
