// SPDX-License-Identifier: Apache-2.0
#include "result/result_json.h"

#include <gtest/gtest.h>

#include <limits>

#include "hedge/error.h"

namespace hedge {
namespace {

using nlohmann::json;

Result full_result() {
  Result result;
  result.program = "inference";
  result.time_utc = "2026-01-31T23:59:59Z";
  result.hedge_version = "0.1.0";
  result.model = {"resnet8_cifar_fp32.engine", "ab12", "resnet8", "cifar", "fp32", "cpu"};
  result.machine = {"edge", "Cortex-A76",         4, "none", "550.1", "Debian 12", "performance",
                    "MAXN", {"turbo boost is on"}};
  result.config = {10000, 100,   1,         2,      1,
                   3,     false, "managed", "spin", {{"layout", "nchw"}, {"pin", 3}}};
  result.accuracy = {0.7548, Range{0.7463, 0.7631}, 0.99, 7548, 10000};
  LatencyResult latency;
  latency.count = 10000;
  latency.mean = 123.456;
  latency.mean_ci95 = Range{123, 124};
  latency.stddev = 1.5;
  latency.min = 120;
  latency.max = 200.25;
  latency.p50 = 123;
  latency.p90 = 124;
  latency.p95 = 125;
  latency.p99 = 126;
  latency.p999 = 127;
  latency.ci95 = {Range{122.5, 123.5}, Range{1, 2}, Range{3, 4}, Range{5, 6}, Range{7, 8}};
  latency.cv = 0.0125;
  latency.autocorrelation_time = 1.5;
  latency.stretches = 250;
  latency.independent_samples = {6600, 6500, 6400, 6300, 3000};
  latency.needed_samples.p999 = 3688;
  latency.scope = kScopeInfer;
  latency.timer_overhead = 0.025;
  latency.samples_file = "samples.npy";
  result.latency_us = latency;
  result.headline = {"p90", 124.0, 124.5};
  LatencyResult each;
  each.count = 10;
  result.per_iteration_us = each;
  result.repetitions_us = {123, 124.5};
  result.cold_us = 900.5;
  result.warmup = {500, 0.25, 123.5, true};
  result.regimes = {
      {{0, 6000, 123, 124.5, std::nullopt}, {6000, 4000, 130, 131.5, 0.0625}}, 0.05, true};
  result.paced = {10.0, "poisson", 7, 100, 2, 10.5, 0.25, 55.5, each, each};
  result.usage = {1.5, 1.25, 1.0, 0.25, 125.0, 1, 2, 3};
  result.split_us = {1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5};
  result.throughput_per_s = 8100.5;
  result.memory = {1000, 2000, 3000, 4000};
  result.energy = {"ina3221", {"VDD_IN", "VDD_CPU"}, 10.5, 100, 52.5, 3.5, 5.0, 0.61,
                   0.18,      Range{0.6, 0.62}};
  result.energy->joules_total_ci95 = Range{52.0, 53.0};
  result.energy->idle_watts_ci95 = Range{3.25, 3.75};
  result.energy->mean_watts_ci95 = Range{4.5, 5.5};
  result.energy->net_ci95 = Range{0.125, 0.25};
  result.energy->inferences = 86065.5;
  result.energy->refresh_seconds = 0.125;
  result.energy->covers = "the whole module";
  result.energy->gain_error = "1 %";
  result.energy->rail_details = json{{"VDD_IN", {{"counts", true}}}};
  result.hi = {"logistic", {-4.5, 5.8, -3.6}, 2500, 0.25, 0.75, 0.97, 0.9};
  result.hi->threshold = 0.5;
  result.hi->temperature = 1.5;
  result.hi->origin = "published coefficients";
  result.hi->server = "cifar_predictions.txt";
  result.hi->images = 10000;
  result.hi->correct = 9000;
  result.hi->offload_fraction_ci95 = Range{0.24, 0.26};
  result.hi->accuracy_local_ci95 = Range{0.74, 0.76};
  result.hi->accuracy_server_ci95 = Range{0.965, 0.975};
  result.hi->accuracy_ci95 = Range{0.89, 0.91};
  result.hi->confusion = {6700, 800, 800, 1700, 2300, 200, 1540, 40};
  result.hi->against_local = {0.15, 1540, 40, 0.001};
  result.hi->against_server = {-0.07, 100, 800, 0.002};
  result.hi->decision_us.emplace().p50 = 0.025;
  result.early_exit = {"top1", 0.9, 0.39, 7290, 0.729};
  result.early_exit->accuracy_exited.emplace();
  result.early_exit->accuracy_exited->correct = 7250;
  result.early_exit->accuracy_exit.emplace();
  result.early_exit->accuracy_exit->top1 = 0.91;
  result.early_exit->accuracy_net.emplace();
  result.early_exit->accuracy_net->top1 = 0.97;
  result.early_exit->offloads = 120;
  result.early_exit->accuracy_server.emplace();
  result.early_exit->accuracy_server->top1 = 0.98;
  result.early_exit->lost = 15;
  result.early_exit->won = 2;
  result.early_exit->exited_us.emplace();
  result.early_exit->exited_us->mean = 250.0;
  result.early_exit->continued_us.emplace();
  result.early_exit->continued_us->mean = 640.0;
  result.early_exit->offloaded_us.emplace();
  result.early_exit->offloaded_us->mean = 251.0;
  result.early_exit->whole_us.emplace();
  result.early_exit->whole_us->mean = 630.0;
  result.early_exit->saved = 0.43;
  result.early_exit->saved_ci98 = Range{0.42, 0.44};
  result.conditions = {json{{"clock_mhz", 1500}}, json{{"load", 0.5}}, json{{"clock_mhz", 1400}}};
  result.validity = {Verdict::kInvalid, {"the clock fell by 7 %: cool the board"}};
  result.warnings = {"calibrated on test images"};
  return result;
}

// Word for word what other programs parse. A change here is a change of the schema.
constexpr const char* kGolden = R"({
  "schema": "hedge.result/1",
  "program": "inference",
  "time_utc": "2026-01-31T23:59:59Z",
  "hedge_version": "0.1.0",
  "model": {
    "file": "resnet8_cifar_fp32.engine",
    "sha256": "ab12",
    "name": "resnet8",
    "dataset": "cifar",
    "precision": "fp32",
    "backend": "cpu"
  },
  "machine": {
    "hostname": "edge",
    "cpu": "Cortex-A76",
    "cores": 4,
    "gpu": "none",
    "driver": "550.1",
    "os": "Debian 12",
    "governor": "performance",
    "power_mode": "MAXN",
    "notes": [
      "turbo boost is on"
    ]
  },
  "config": {
    "iterations": 10000,
    "warmup_iterations": 100,
    "repetitions": 1,
    "threads": 2,
    "batch": 1,
    "streams": 3,
    "cuda_graph": false,
    "memory_mode": "managed",
    "wait": "spin",
    "layout": "nchw",
    "pin": 3
  },
  "accuracy": {
    "top1": 0.7548,
    "top1_ci95": [
      0.7463,
      0.7631
    ],
    "top5": 0.99,
    "correct": 7548,
    "total": 10000
  },
  "latency_us": {
    "count": 10000,
    "mean": 123.456,
    "mean_ci95": [
      123.0,
      124.0
    ],
    "stddev": 1.5,
    "min": 120.0,
    "max": 200.25,
    "p50": 123.0,
    "p90": 124.0,
    "p95": 125.0,
    "p99": 126.0,
    "p999": 127.0,
    "ci95": {
      "p50": [
        122.5,
        123.5
      ],
      "p90": [
        1.0,
        2.0
      ],
      "p95": [
        3.0,
        4.0
      ],
      "p99": [
        5.0,
        6.0
      ],
      "p999": [
        7.0,
        8.0
      ]
    },
    "cv": 0.0125,
    "autocorrelation_time": 1.5,
    "stretches": 250,
    "independent_samples": {
      "p50": 6600,
      "p90": 6500,
      "p95": 6400,
      "p99": 6300,
      "p999": 3000
    },
    "needed_samples": {
      "p999": 3688
    },
    "scope": "infer",
    "timer_overhead": 0.025,
    "samples_file": "samples.npy"
  },
  "headline": {
    "statistic": "p90",
    "us": 124.0,
    "upper99_us": 124.5
  },
  "per_iteration_us": {
    "count": 10
  },
  "repetitions_us": [
    123.0,
    124.5
  ],
  "cold_us": 900.5,
  "warmup": {
    "runs": 500,
    "seconds": 0.25,
    "steady_us": 123.5,
    "settled": true
  },
  "regimes": {
    "segments": [
      {
        "first": 0,
        "count": 6000,
        "median_us": 123.0,
        "mean_us": 124.5
      },
      {
        "first": 6000,
        "count": 4000,
        "median_us": 130.0,
        "mean_us": 131.5,
        "step": 0.0625
      }
    ],
    "drift": 0.05,
    "of_means": true
  },
  "paced": {
    "rate_per_s": 10.0,
    "arrivals": "poisson",
    "seed": 7,
    "requests": 100,
    "missed": 2,
    "seconds": 10.5,
    "busy": 0.25,
    "wake_up_us": 55.5,
    "response_us": {
      "count": 10
    },
    "after_idle_us": {
      "count": 10
    }
  },
  "usage": {
    "wall_seconds": 1.5,
    "cpu_seconds": 1.25,
    "user_seconds": 1.0,
    "system_seconds": 0.25,
    "cpu_us_per_inference": 125.0,
    "waits": 1,
    "preemptions": 2,
    "page_faults": 3
  },
  "split_us": {
    "preprocess": 1.5,
    "copy_in": 2.5,
    "compute": 3.5,
    "copy_out": 4.5,
    "decide": 5.5,
    "enqueue": 6.5,
    "wall": 7.5
  },
  "throughput_per_s": 8100.5,
  "memory": {
    "engine_bytes": 1000,
    "arena_bytes": 2000,
    "peak_rss_bytes": 3000,
    "gpu_bytes": 4000
  },
  "energy": {
    "meter": "ina3221",
    "rails": [
      "VDD_IN",
      "VDD_CPU"
    ],
    "seconds": 10.5,
    "distinct_samples": 100,
    "joules_total": 52.5,
    "idle_watts": 3.5,
    "mean_watts": 5.0,
    "mj_per_inference": 0.61,
    "mj_per_inference_net": 0.18,
    "ci95": [
      0.6,
      0.62
    ],
    "joules_total_ci95": [
      52.0,
      53.0
    ],
    "idle_watts_ci95": [
      3.25,
      3.75
    ],
    "mean_watts_ci95": [
      4.5,
      5.5
    ],
    "net_ci95": [
      0.125,
      0.25
    ],
    "inferences": 86065.5,
    "refresh_seconds": 0.125,
    "covers": "the whole module",
    "gain_error": "1 %",
    "rail_details": {
      "VDD_IN": {
        "counts": true
      }
    }
  },
  "hi": {
    "decision": "logistic",
    "parameters": [
      -4.5,
      5.8,
      -3.6
    ],
    "offloads": 2500,
    "offload_fraction": 0.25,
    "accuracy_local": 0.75,
    "accuracy_server": 0.97,
    "accuracy": 0.9,
    "threshold": 0.5,
    "temperature": 1.5,
    "origin": "published coefficients",
    "server": "cifar_predictions.txt",
    "images": 10000,
    "correct": 9000,
    "offload_fraction_ci95": [
      0.24,
      0.26
    ],
    "accuracy_local_ci95": [
      0.74,
      0.76
    ],
    "accuracy_server_ci95": [
      0.965,
      0.975
    ],
    "accuracy_ci95": [
      0.89,
      0.91
    ],
    "confusion": {
      "kept_right": 6700,
      "kept_wrong": 800,
      "offloaded_right": 800,
      "offloaded_wrong": 1700,
      "offloaded_server_right": 2300,
      "offloaded_server_wrong": 200,
      "gained": 1540,
      "lost": 40
    },
    "against_local": {
      "difference": 0.15,
      "only_hi_right": 1540,
      "only_other_right": 40,
      "p_value": 0.001
    },
    "against_server": {
      "difference": -0.07,
      "only_hi_right": 100,
      "only_other_right": 800,
      "p_value": 0.002
    },
    "decision_us": {
      "p50": 0.025
    }
  },
  "early_exit": {
    "decision": "top1",
    "threshold": 0.9,
    "stem_fraction": 0.39,
    "exits": 7290,
    "exit_fraction": 0.729,
    "accuracy_exited": {
      "correct": 7250
    },
    "accuracy_exit": {
      "top1": 0.91
    },
    "accuracy_net": {
      "top1": 0.97
    },
    "offloads": 120,
    "accuracy_server": {
      "top1": 0.98
    },
    "lost": 15,
    "won": 2,
    "exited_us": {
      "mean": 250.0
    },
    "continued_us": {
      "mean": 640.0
    },
    "offloaded_us": {
      "mean": 251.0
    },
    "whole_us": {
      "mean": 630.0
    },
    "saved": 0.43,
    "saved_ci98": [
      0.42,
      0.44
    ]
  },
  "conditions": {
    "before": {
      "clock_mhz": 1500
    },
    "during": {
      "load": 0.5
    },
    "after": {
      "clock_mhz": 1400
    }
  },
  "validity": {
    "verdict": "INVALID",
    "reasons": [
      "the clock fell by 7 %: cool the board"
    ]
  },
  "warnings": [
    "calibrated on test images"
  ]
}
)";

Result minimal_result() {
  Result result;
  result.program = "info";
  result.time_utc = "2026-01-31T23:59:59Z";
  result.hedge_version = "0.1.0";
  return result;
}

/// The message of the error that reading `value` gives; empty when it reads.
std::string read_error(const json& value) {
  try {
    (void)result_from_json(value, "r.json");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kBadInput);
    return error.what();
  }
  return {};
}

json minimal_json() {
  return json::parse(result_to_text(minimal_result()));
}

TEST(ResultJson, GoldenText) {
  EXPECT_EQ(result_to_text(full_result()), kGolden);
}

TEST(ResultJson, FullRoundTrip) {
  const auto results = results_from_text(kGolden, "golden");
  ASSERT_EQ(results.size(), 1U);
  EXPECT_EQ(results.front(), full_result());
}

TEST(ResultJson, WhatWasNotMeasuredIsAbsent) {
  EXPECT_EQ(result_to_text(minimal_result()), R"({
  "schema": "hedge.result/1",
  "program": "info",
  "time_utc": "2026-01-31T23:59:59Z",
  "hedge_version": "0.1.0"
}
)");
  EXPECT_EQ(result_from_json(minimal_json(), ""), minimal_result());
}

TEST(ResultJson, ZeroIsAMeasurement) {
  Result result = minimal_result();
  result.accuracy.emplace();
  result.accuracy->top1 = 0.0;
  result.accuracy->correct = 0;
  const auto value = result_to_json(result);
  EXPECT_EQ(value["accuracy"].dump(), R"({"top1":0.0,"correct":0})");
  EXPECT_EQ(results_from_text(result_to_text(result), "").front(), result);
}

TEST(ResultJson, NumbersThatAreNotFiniteAreLeftOut) {
  Result result = minimal_result();
  result.throughput_per_s = std::numeric_limits<double>::infinity();
  result.accuracy.emplace();
  result.accuracy->top1_ci95 = Range{0, std::numeric_limits<double>::quiet_NaN()};
  result.hi.emplace();
  result.hi->parameters = {1, std::numeric_limits<double>::quiet_NaN()};
  result.hi->offloads = 1;
  const auto value = result_to_json(result);
  EXPECT_FALSE(value.contains("throughput_per_s"));
  EXPECT_EQ(value["accuracy"].dump(), "{}");
  EXPECT_EQ(value["hi"].dump(), R"({"offloads":1})");
}

TEST(ResultJson, NamesThatAreNoUtf8AreWritten) {
  Result result = minimal_result();
  result.model.file = "r\xff.onnx";
  EXPECT_NE(result_to_text(result).find("r\xEF\xBF\xBD.onnx"), std::string::npos);
}

TEST(ResultJson, AFlagMustNotHideAField) {
  Result result = minimal_result();
  result.config.threads = 2;
  result.config.flags["threads"] = 8;
  EXPECT_THROW((void)result_to_json(result), Error);
}

TEST(ResultJson, UnknownKeysOfNewerFilesAreSkipped) {
  json value = minimal_json();
  value["carbon"] = {{"g", 1}};
  value["latency_us"] = {{"p50", 5}, {"p9999", 9}, {"ci95", {{"p9999", {1, 2}}}}};
  const Result result = result_from_json(value, "");
  EXPECT_EQ(result.latency_us.value().p50, 5.0);
}

TEST(ResultJson, SweepsAreArrays) {
  Result second = minimal_result();
  second.config.batch = 4;
  const std::vector<Result> sweep{minimal_result(), second};
  const std::string text = results_to_text(sweep);
  EXPECT_EQ(text.front(), '[');
  EXPECT_EQ(results_from_text(text, ""), sweep);
  EXPECT_EQ(results_to_text(std::span(sweep).first(1)), result_to_text(sweep[0]));
  EXPECT_TRUE(results_from_text(results_to_text({}), "").empty());
}

TEST(ResultJson, RefusesWrongTypesWithTheirPath) {
  struct Case {
    const char* patch;  // merged into a minimal result
    const char* message;
  };
  for (const Case& c : {
           Case{R"({"program": 5})", "r.json: program: a text is needed, found number"},
           Case{R"({"latency_us": {"p50": "5"}})",
                "r.json: latency_us.p50: a number is needed, found string"},
           Case{R"({"latency_us": {"ci95": {"p50": [1]}}})",
                "r.json: latency_us.ci95.p50: a list of two numbers is needed, found array"},
           Case{R"({"latency_us": {"ci95": {"p50": [1, true]}}})",
                "r.json: latency_us.ci95.p50[1]: a number is needed, found boolean"},
           Case{R"({"latency_us": {"ci95": {"p50": [2, 1]}}})",
                "r.json: latency_us.ci95.p50: the lower end, 2, is above the upper end, 1"},
           Case{R"({"latency_us": []})", "r.json: latency_us: an object is needed, found array"},
           Case{R"({"config": {"batch": 1.5}})",
                "r.json: config.batch: a whole number is needed, found number"},
           Case{R"({"config": {"batch": 9223372036854775808}})",
                "r.json: config.batch: the number is too large"},
           Case{R"({"config": {"cuda_graph": 1}})",
                "r.json: config.cuda_graph: true or false is needed, found number"},
           Case{R"({"warnings": ["a", 2]})", "r.json: warnings[1]: a text is needed, found number"},
           Case{R"({"warnings": "a"})", "r.json: warnings: a list is needed, found string"},
           Case{R"({"conditions": {"before": 3}})",
                "r.json: conditions.before: an object is needed, found number"},
           Case{R"({"validity": {"verdict": "MAYBE"}})",
                "r.json: validity.verdict: VALID or INVALID is needed, found 'MAYBE'"},
           Case{R"({"validity": {"reasons": []}})", "r.json: validity.verdict: is missing"},
       }) {
    json value = minimal_json();
    value.update(json::parse(c.patch));
    EXPECT_EQ(read_error(value), c.message);
  }
  json null_value = minimal_json();
  null_value["throughput_per_s"] = nullptr;
  EXPECT_EQ(read_error(null_value), "r.json: throughput_per_s: a number is needed, found null");
}

TEST(ResultJson, RefusesWhatIsNoResult) {
  json missing = minimal_json();
  missing.erase("time_utc");
  EXPECT_EQ(read_error(missing), "r.json: time_utc: is missing");
  json newer = minimal_json();
  newer["schema"] = "hedge.result/2";
  EXPECT_EQ(read_error(newer),
            "r.json: schema: this version reads hedge.result/1, not 'hedge.result/2'");
  for (const char* text : {"{}", "5", "null", "\"x\"", R"({"schema": 1})"}) {
    EXPECT_NE(read_error(json::parse(text)).find("is no result"), std::string::npos) << text;
  }
}

TEST(ResultJson, RefusesWhatIsNoJsonInOneLine) {
  for (const char* text : {"", "{", "[1,", "{\"a\": 1e999}", "\n\n{\n]", "\xff\xfe"}) {
    try {
      (void)results_from_text(text, "r.json");
      ADD_FAILURE() << "read: " << text;
    } catch (const Error& error) {
      const std::string message = error.what();
      EXPECT_EQ(message.rfind("r.json: is no JSON: ", 0), 0U) << message;
      EXPECT_EQ(message.find("exception"), std::string::npos) << message;
      EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    }
  }
}

TEST(Result, IsStampedWithProgramTimeAndVersion) {
  const Result result = make_result("info", std::chrono::system_clock::time_point{});
  EXPECT_EQ(result.program, "info");
  EXPECT_EQ(result.time_utc, "1970-01-01T00:00:00Z");
  EXPECT_FALSE(result.hedge_version.empty());
}

TEST(Result, TimeIsUtcRoundedDown) {
  using std::chrono::milliseconds;
  using std::chrono::system_clock;
  const auto at = [](std::int64_t ms) {
    return utc_time_text(system_clock::time_point(
        std::chrono::duration_cast<system_clock::duration>(milliseconds(ms))));
  };
  EXPECT_EQ(at(1709210096999), "2024-02-29T12:34:56Z");
  EXPECT_EQ(at(-1), "1969-12-31T23:59:59Z");
}

}  // namespace
}  // namespace hedge
