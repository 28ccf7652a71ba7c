// SPDX-License-Identifier: Apache-2.0
#include "measure/latency_result.h"

#include <utility>

#include "hedge/error.h"

namespace hedge {
namespace {

double us(std::int64_t ns) {
  return static_cast<double>(ns) / 1000;
}

std::optional<Range> us(const std::optional<Interval>& ns) {
  if (!ns) return std::nullopt;
  return Range{ns->lower / 1000, ns->upper / 1000};
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
  result.scope = std::move(scope);
  result.timer_overhead = us(overhead.sample_ns);
  return result;
}

LatencyResult latency_result(const LoopTiming& loop, const TimerOverhead& overhead) {
  if (loop.iterations <= 0) throw bad_input("no iteration was done, so there is no latency");
  LatencyResult result;
  result.count = loop.iterations;
  result.mean = loop.ns_per_iteration() / 1000;
  result.scope = kScopeLoop;
  result.timer_overhead = us(overhead.sample_ns) / static_cast<double>(loop.iterations);
  return result;
}

}  // namespace hedge
