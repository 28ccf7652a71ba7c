// SPDX-License-Identifier: Apache-2.0
#include "measure/latency_result.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "hedge/error.h"
#include "measure/loop_summary.h"

namespace hedge {
namespace {

double us(std::int64_t ns) {
  return static_cast<double>(ns) / 1000;
}

std::optional<Range> us(const std::optional<Interval>& ns) {
  if (!ns) return std::nullopt;
  return Range{ns->lower / 1000, ns->upper / 1000};
}

double seconds(std::int64_t ns) {
  return static_cast<double>(ns) * 1e-9;
}

void set_evidence(const Summary& summary, LatencyResult& result) {
  PercentileCounts& has = result.independent_samples;
  PercentileCounts& needs = result.needed_samples;
  std::optional<std::int64_t>* const all[][2] = {{&has.p50, &needs.p50},
                                                 {&has.p90, &needs.p90},
                                                 {&has.p95, &needs.p95},
                                                 {&has.p99, &needs.p99},
                                                 {&has.p999, &needs.p999}};
  for (std::size_t i = 0; i < summary.evidence.size(); ++i) {
    const PercentileEvidence& evidence = summary.evidence[i];
    *all[i][0] = static_cast<std::int64_t>(evidence.independent);
    if (evidence.independent < evidence.needed) {
      *all[i][1] = static_cast<std::int64_t>(evidence.needed);
    }
  }
}

}  // namespace

LatencyResult latency_result(const Summary& summary, std::string scope,
                             const TimerOverhead& overhead) {
  LatencyResult result;
  result.count = static_cast<std::int64_t>(summary.count);
  result.mean = summary.mean_ns / 1000;
  result.mean_ci95 = us(summary.mean_ci95_ns);
  if (summary.stddev_ns) result.stddev = *summary.stddev_ns / 1000;
  result.min = us(summary.min_ns);
  result.max = us(summary.max_ns);
  result.p50 = us(summary.p50_ns);
  result.p90 = us(summary.p90_ns);
  result.p95 = us(summary.p95_ns);
  result.p99 = us(summary.p99_ns);
  result.p999 = us(summary.p999_ns);
  result.ci95 = {us(summary.p50_ci95_ns), us(summary.p90_ci95_ns), us(summary.p95_ci95_ns),
                 us(summary.p99_ci95_ns), us(summary.p999_ci95_ns)};
  result.cv = summary.coefficient_of_variation;
  result.autocorrelation_time = summary.autocorrelation_time;
  set_evidence(summary, result);
  result.scope = std::move(scope);
  result.timer_overhead = us(overhead.sample_ns);
  return result;
}

LatencyResult latency_result(const LoopRun& loop, const TimerOverhead& overhead) {
  const LoopSummary summary = summarize(loop);
  LatencyResult result;
  result.count = loop.total.iterations;
  result.mean = summary.mean_ns / 1000;
  result.mean_ci95 = us(summary.mean_ci95_ns);
  result.stretches = static_cast<std::int64_t>(summary.stretches);
  result.scope = kScopeLoop;
  result.timer_overhead = us(overhead.sample_ns) * static_cast<double>(loop.timers) /
                          static_cast<double>(loop.total.iterations);
  return result;
}

void set_latency(const RunEvidence& evidence, const LoopRun& loop, const TimerOverhead& overhead,
                 Result& result) {
  if (evidence.loop) result.latency_us = latency_result(loop, overhead);
  if (evidence.summary) {
    (evidence.loop ? result.per_iteration_us : result.latency_us) =
        latency_result(*evidence.summary, kScopeInfer, overhead);
  }
  if (evidence.regimes) result.regimes = regimes_result(*evidence.regimes);
  const double batch = static_cast<double>(result.config.batch.value_or(1));
  result.throughput_per_s = batch * 1e6 / *result.latency_us->mean;
}

void set_warm_up(const WarmUp& warm_up, Result& result) {
  WarmUpResult told;
  told.runs = warm_up.runs;
  told.seconds = seconds(warm_up.duration_ns);
  if (warm_up.level_ns) told.steady_us = *warm_up.level_ns / 1000;
  told.settled = warm_up.settled;
  result.warmup = told;
  if (warm_up.cold_ns) result.cold_us = us(*warm_up.cold_ns);
}

RegimesResult regimes_result(const Regimes& regimes) {
  RegimesResult result;
  for (const Segment& segment : regimes.segments) {
    result.segments.push_back(
        {.first = static_cast<std::int64_t>(segment.first),
         .count = static_cast<std::int64_t>(segment.count),
         .median_us = segment.median_ns / 1000,
         .mean_us = segment.mean_ns / 1000,
         .step = segment.first == 0 ? std::nullopt : std::optional(segment.step)});
  }
  result.drift = regimes.drift;
  if (regimes.of_means) result.of_means = true;
  return result;
}

UsageResult usage_result(const ProcessUsage& usage, std::int64_t inferences) {
  UsageResult result;
  result.wall_seconds = seconds(usage.wall_ns);
  result.cpu_seconds = seconds(usage.cpu_ns);
  result.user_seconds = seconds(usage.user_ns);
  result.system_seconds = seconds(usage.system_ns);
  if (inferences > 0) {
    result.cpu_us_per_inference = us(usage.cpu_ns) / static_cast<double>(inferences);
  }
  result.waits = usage.waits;
  result.preemptions = usage.preemptions;
  result.page_faults = usage.page_faults;
  return result;
}

PacedResult paced_result(const PacedRun& run, const PacedOptions& options,
                         const TimerOverhead& overhead) {
  std::vector<std::int64_t> response;
  std::vector<std::int64_t> after_idle;
  std::vector<std::int64_t> wake_up;
  response.reserve(run.samples.size());
  for (const PacedSample& sample : run.samples) {
    response.push_back(sample.response_ns());
    if (!sample.after_idle) continue;
    after_idle.push_back(sample.service_ns());
    wake_up.push_back(sample.begin_ns - sample.scheduled_ns);
  }
  PacedResult result;
  result.rate_per_s = options.rate_per_s;
  result.arrivals = options.arrivals == Arrivals::kPoisson ? "poisson" : "periodic";
  if (options.arrivals == Arrivals::kPoisson) {
    result.seed = static_cast<std::int64_t>(options.seed);
  }
  result.requests = static_cast<std::int64_t>(run.samples.size());
  result.missed = run.missed;
  result.seconds = seconds(run.end_ns - run.begin_ns);
  if (run.end_ns > run.begin_ns) {
    result.busy =
        static_cast<double>(run.busy_ns()) / static_cast<double>(run.end_ns - run.begin_ns);
  }
  result.response_us = latency_result(summarize(response), "arrival to end", overhead);
  if (!after_idle.empty()) {
    result.after_idle_us = latency_result(summarize(after_idle), kScopeInfer, overhead);
    std::sort(wake_up.begin(), wake_up.end());
    result.wake_up_us = us(percentile(wake_up, 50));
  }
  return result;
}

}  // namespace hedge
