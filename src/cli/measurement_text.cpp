// SPDX-License-Identifier: Apache-2.0
#include "cli/measurement_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "cli/energy_text.h"
#include "measure/validity.h"

namespace hedge::cli {
namespace {

constexpr const char* kIndent = "           ";

const char* plural(std::int64_t count) {
  return count == 1 ? "" : "s";
}

/// The numbers of the result: independent samples of the mean, by its autocorrelation time, and of
/// the median.
std::string dependence_text(const LatencyResult& latency) {
  const double count = static_cast<double>(latency.count.value_or(0));
  const double of_mean = count / std::max(latency.autocorrelation_time.value_or(1), 1.0);
  const double of_median = static_cast<double>(latency.independent_samples.p50.value_or(0));
  constexpr double kNearlyAll = 0.8;
  if (std::min(of_mean, of_median) >= kNearlyAll * count) return "samples are independent";
  return fmt::format("{:.0f} samples count as {:.0f} independent ones for the mean, {:.0f} for p50",
                     count, of_mean, of_median);
}

}  // namespace

std::string us_interval_text(const std::optional<Range>& range) {
  if (!range) return {};
  return fmt::format(" (95 %: {} to {})", us_text((*range)[0]), us_text((*range)[1]));
}

std::string plan_line(const MeasuringPlan& plan) {
  if (plan.preset.empty()) return {};
  return fmt::format("preset     {}: {}\n", plan.preset, describe(plan));
}

std::string warm_up_line(const Result& result, const std::string& unit) {
  if (!result.warmup) return {};
  const WarmUpResult& warm_up = *result.warmup;
  std::string text = fmt::format("warm-up    {} {}{} in {:.2f} s", warm_up.runs.value_or(0), unit,
                                 plural(warm_up.runs.value_or(0)), warm_up.seconds.value_or(0));
  if (warm_up.settled) text += *warm_up.settled ? ", then steady" : ", NOT steady";
  if (warm_up.steady_us) text += " at " + time_text(1000 * *warm_up.steady_us);
  if (result.cold_us) {
    text += fmt::format("; the first one after loading (cold) took {:.1f} us", *result.cold_us);
  }
  return text + "\n";
}

std::string loop_latency_line(const LatencyResult& loop, const std::string& unit) {
  std::string text =
      fmt::format("latency    {} {}", time_text(1000 * loop.mean.value_or(0)), one_of(unit));
  if (loop.mean_ci95) {
    const Range& range = *loop.mean_ci95;
    text +=
        fmt::format(" (95 %: {} to {})", time_text(1000 * range[0]), time_text(1000 * range[1]));
  }
  return text + fmt::format(", amortised: {} {}s in {} stretch{}\n", loop.count.value_or(0), unit,
                            loop.stretches.value_or(0), loop.stretches == 1 ? "" : "es");
}

std::string evidence_lines(const LatencyResult& latency) {
  std::string text;
  if (latency.cv && latency.autocorrelation_time) {
    text = fmt::format("{}coefficient of variation {:.1f} %, {}\n", kIndent, 100 * *latency.cv,
                       dependence_text(latency));
  }
  struct Percentile {
    const char* name;
    std::optional<std::int64_t> has;
    std::optional<std::int64_t> needs;
  };
  const PercentileCounts& has = latency.independent_samples;
  const PercentileCounts& needs = latency.needed_samples;
  std::string missing;
  for (const Percentile& p : {Percentile{"p50", has.p50, needs.p50},
                              {"p90", has.p90, needs.p90},
                              {"p95", has.p95, needs.p95},
                              {"p99", has.p99, needs.p99},
                              {"p99.9", has.p999, needs.p999}}) {
    if (!p.needs) continue;
    missing +=
        missing.empty()
            ? fmt::format("{}too few: {} needs {} independent samples, these count as {}", kIndent,
                          p.name, *p.needs, p.has.value_or(0))
            : fmt::format("; {} needs {}, these are {}", p.name, *p.needs, p.has.value_or(0));
  }
  if (!missing.empty()) text += missing + "\n";
  return text;
}

std::string short_latency_line(const std::string& title, const LatencyResult& latency) {
  std::string text = fmt::format("{:<10} mean {} us{}", title, us_text(latency.mean.value_or(0)),
                                 us_interval_text(latency.mean_ci95));
  if (latency.p50) {
    text += fmt::format(", p50 {}, p90 {}, p99 {}, max {} us", us_text(*latency.p50),
                        us_text(latency.p90.value_or(0)), us_text(latency.p99.value_or(0)),
                        us_text(latency.max.value_or(0)));
  }
  return text + "\n";
}

std::string headline_line(const Result& result) {
  if (!result.headline || !result.headline->us) return {};
  const HeadlineResult& headline = *result.headline;
  std::string text =
      fmt::format("reported   {} {} us", headline.statistic.value_or("?"), us_text(*headline.us));
  if (headline.upper99_us) {
    text += fmt::format(", and below {} us at 99 % confidence", us_text(*headline.upper99_us));
  }
  return text + "\n";
}

std::string repetitions_line(const Result& result) {
  if (result.repetitions_us.size() < 2) return {};
  std::string text = fmt::format("repeated   {} times, means of", result.repetitions_us.size());
  for (const double us : result.repetitions_us) text += " " + us_text(us);
  return text + " us\n";
}

std::string regimes_lines(const Result& result) {
  if (!result.regimes) return {};
  std::string text;
  const auto& segments = result.regimes->segments;
  if (segments.size() > 1) {
    const char* const unit =
        result.per_iteration_us || (result.latency_us && result.latency_us->p50) ? "sample"
                                                                                 : "stretch";
    for (std::size_t i = 0; i < segments.size(); ++i) {
      text += fmt::format("{} from {} {} on, {} of them: median {}",
                          i == 0 ? "segments  " : "          ", unit, segments[i].first,
                          segments[i].count, time_text(1000 * segments[i].median_us));
      if (segments[i].mean_us) text += ", mean " + time_text(1000 * *segments[i].mean_us);
      text += "\n";
    }
  }
  if (result.regimes->drift) {
    text += fmt::format("drift      {:+.1f} % from begin to end\n", 100 * *result.regimes->drift);
  }
  return text;
}

std::string paced_lines(const Result& result) {
  if (!result.paced) return {};
  const PacedResult& paced = *result.paced;
  const std::int64_t requests = paced.requests.value_or(0);
  std::string text = fmt::format(
      "paced      {} request{} at {:g}/s, {}{}, in {:.2f} s: busy {:.3f} % of the time\n", requests,
      plural(requests), paced.rate_per_s.value_or(0), paced.arrivals.value_or("?"),
      paced.seed ? fmt::format(" (seed {})", *paced.seed) : "", paced.seconds.value_or(0),
      100 * paced.busy.value_or(0));
  if (paced.after_idle_us) {
    text += short_latency_line("after idle", *paced.after_idle_us);
    if (result.warmup && result.warmup->steady_us && paced.after_idle_us->p50) {
      text += fmt::format("{}p50 {:+.1f} % from the steady {} us without pauses\n", kIndent,
                          100 * (*paced.after_idle_us->p50 / *result.warmup->steady_us - 1),
                          us_text(*result.warmup->steady_us));
    }
  }
  if (paced.response_us) text += short_latency_line("response", *paced.response_us);
  text += fmt::format("{}from arrival to end", kIndent);
  if (paced.wake_up_us) text += fmt::format("; waking up takes {:.1f} us (p50)", *paced.wake_up_us);
  return text + fmt::format(
                    "\nmissed     {} of {} requests began late because the one before was "
                    "still running\n",
                    paced.missed.value_or(0), requests);
}

std::string split_line(const SplitResult& split) {
  std::string text;
  const auto add = [&](const char* name, const std::optional<double>& us) {
    if (us) text += fmt::format("{}{} {}", text.empty() ? "split      " : ", ", name, us_text(*us));
  };
  add("preprocess", split.preprocess);
  add("copy in", split.copy_in);
  add("compute", split.compute);
  add("copy out", split.copy_out);
  add("decide", split.decide);
  add("enqueue", split.enqueue);
  return text.empty() ? text : text + " us (medians, timed apart)\n";
}

namespace {

/// What the parts of the split do not tell of input and output.
std::string_view uncopied_text(const Result& result) {
  if (result.split_us->copy_in || result.split_us->copy_out) return "";
  const std::string memory = result.config.memory_mode.value_or("");
  if (memory == "device") return " (copies are left out)";
  if (memory.starts_with("managed")) return " (managed memory, nothing is copied)";
  return " (kernels use the host's memory, nothing is copied)";
}

}  // namespace

std::string gpu_split_lines(const Result& result, const std::vector<std::string>& advice) {
  if (!result.split_us || !result.split_us->wall) return {};
  const SplitResult& split = *result.split_us;
  std::string gpu;
  const auto add = [&](const char* name, const std::optional<double>& us) {
    if (us) gpu += fmt::format("{}{} {}", gpu.empty() ? "" : ", ", name, us_text(*us));
  };
  add("copy in", split.copy_in);
  add("preprocess", split.preprocess);
  add("compute", split.compute);
  add("copy out", split.copy_out);
  std::string text = fmt::format(
      "split      on the GPU {} us{}; on the host enqueue {} of {} us (medians of inferences of "
      "their own)\n",
      gpu, uncopied_text(result), us_text(split.enqueue.value_or(0)), us_text(*split.wall));
  for (const std::string& line : advice) text += fmt::format("{}{}\n", kIndent, line);
  return text;
}

std::string usage_line(const Result& result, const std::string& unit) {
  if (!result.usage || result.usage->wall_seconds.value_or(0) <= 0) return {};
  const UsageResult& usage = *result.usage;
  const double cpu = usage.cpu_seconds.value_or(0);
  return fmt::format(
      "cpu        {:.3f} s of CPU time in {:.3f} s ({:.0f} %), {} {}; preempted {} time{}, waited "
      "{}\n",
      cpu, *usage.wall_seconds, 100 * cpu / *usage.wall_seconds,
      time_text(1000 * usage.cpu_us_per_inference.value_or(0)), one_of(unit),
      usage.preemptions.value_or(0), plural(usage.preemptions.value_or(0)),
      usage.waits.value_or(0));
}

std::string verdict_lines(const Validity& validity) {
  if (validity.verdict == Verdict::kValid) return "verdict    VALID\n";
  std::string text = "verdict    INVALID\n";
  for (const std::string& reason : validity.reasons) {
    text += fmt::format("{}- {}\n", kIndent, reason);
  }
  return text;
}

}  // namespace hedge::cli
