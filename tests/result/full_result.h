// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "result/result.h"

namespace hedge::test {

/// With every field set; full_result.json is its text.
[[nodiscard]] inline Result full_result() {
  using nlohmann::json;
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

}  // namespace hedge::test
