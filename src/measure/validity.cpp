// SPDX-License-Identifier: Apache-2.0
#include "measure/validity.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace hedge {
namespace {

using Reasons = std::vector<std::string>;

void judge_samples(const Summary& summary, Reasons& reasons) {
  const double independent =
      static_cast<double>(summary.count) / std::max(summary.autocorrelation_time, 1.0);
  if (independent < kFewestIndependent) {
    reasons.push_back(fmt::format(
        "too few samples: {} count as {:.0f} independent ones, {:.0f} are needed; raise "
        "--iterations",
        summary.count, independent, kFewestIndependent));
  } else if (summary.mean_ci95_ns && summary.mean_ns > 0) {
    const double half = (summary.mean_ci95_ns->upper - summary.mean_ci95_ns->lower) / 2;
    if (half > kMostMeanError * summary.mean_ns) {
      reasons.push_back(
          fmt::format("the mean is known to +-{:.1f} % only ({:.0f} % is allowed); raise "
                      "--iterations",
                      100 * half / summary.mean_ns, 100 * kMostMeanError));
    }
  }
  const double variation = summary.coefficient_of_variation.value_or(0);
  if (variation > kMostVariation) {
    reasons.push_back(
        fmt::format("samples vary by {:.0f} % (coefficient of variation, {:.0f} % is allowed): the "
                    "mean belongs to the outliers; stop other programs, pin the process to a CPU "
                    "(taskset), or report the median",
                    100 * variation, 100 * kMostVariation));
  }
}

double us(double ns) {
  return ns / 1000;
}

std::string level_text(const std::vector<Segment>& segments) {
  constexpr std::size_t kMost = 4;
  std::string text;
  for (std::size_t i = 0; i < std::min(segments.size(), kMost); ++i) {
    text += fmt::format("{}{:.2f} us{}", i == 0 ? "" : ", ", us(segments[i].median_ns),
                        i == 0 ? "" : fmt::format(" from sample {}", segments[i].first));
  }
  return text + (segments.size() > kMost ? ", ..." : "");
}

void judge_regimes(const Regimes& regimes, Reasons& reasons) {
  const char* const advice =
      "lock the clocks (governor performance, turbo off, jetson_clocks), let the device cool, stop "
      "other programs";
  if (!regimes.judged) {
    reasons.push_back(
        fmt::format("below {} samples nobody can say whether the level held; raise --iterations",
                    kFewestToJudge));
  }
  if (regimes.segments.size() > 1) {
    const auto largest = std::max_element(
        regimes.segments.begin(), regimes.segments.end(),
        [](const Segment& a, const Segment& b) { return std::abs(a.step) < std::abs(b.step); });
    const std::size_t changes = regimes.segments.size() - 1;
    reasons.push_back(fmt::format("the level changed {} (by up to {:+.1f} %): {}; {}",
                                  changes == 1 ? "once" : fmt::format("{} times", changes),
                                  100 * largest->step, level_text(regimes.segments), advice));
  }
  if (regimes.drift) {
    reasons.push_back(
        fmt::format("the level drifted by {:+.1f} % from begin to end; warm up longer "
                    "(--warmup=30s), {}",
                    100 * *regimes.drift, advice));
  }
}

void judge_timing(const RunEvidence& evidence, Reasons& reasons) {
  if (evidence.timer && evidence.summary && evidence.summary->p50_ns > 0) {
    const double share = static_cast<double>(evidence.timer->sample_ns) /
                         static_cast<double>(evidence.summary->p50_ns);
    if (share > kMostTimerShare) {
      reasons.push_back(fmt::format(
          "the timer adds {} ns to samples of {} ns, {:.0f} % ({:.0f} % is allowed); time the loop "
          "(measurements --timing=loop)",
          evidence.timer->sample_ns, evidence.summary->p50_ns, 100 * share, 100 * kMostTimerShare));
    }
  }
  if (evidence.loop_ns && evidence.summary && *evidence.loop_ns > 0) {
    const double one_by_one = evidence.summary->mean_ns - evidence.timer_ns;
    const double difference = one_by_one / *evidence.loop_ns - 1;
    // A model of some nanoseconds differs by more, for the timer keeps the CPU from running ahead.
    const bool measurable = std::abs(one_by_one - *evidence.loop_ns) > 2 * evidence.timer_ns;
    if (std::abs(difference) > kMostLoopDifference && measurable) {
      reasons.push_back(
          fmt::format("timed one by one the inferences take {:+.0f} % of the loop's time "
                      "({:.0f} % is allowed): something changed between the two; run again, longer",
                      100 * difference, 100 * kMostLoopDifference));
    }
  }
}

void judge_goal(const RunEvidence& evidence, Reasons& reasons) {
  if (evidence.goal && evidence.goal->independent < evidence.goal->needed) {
    reasons.push_back(
        fmt::format("{} needs {} independent samples, these count as {}; raise --iterations",
                    percentile_name(evidence.goal->percent), evidence.goal->needed,
                    evidence.goal->independent));
  }
  if (evidence.cut_short) {
    reasons.emplace_back(
        "cut short by Ctrl-C: fewer samples than asked for; let it run to the end");
  }
}

void judge_paced(const PacedEvidence& paced, Reasons& reasons) {
  if (paced.busy > kMostBusy) {
    reasons.push_back(
        fmt::format("the load cannot be kept up with: busy {:.0f} % of the time; lower --rate",
                    100 * paced.busy));
  } else if (paced.periodic && static_cast<double>(paced.missed) >
                                   kMostMissed * static_cast<double>(paced.requests)) {
    reasons.push_back(
        fmt::format("{} of {} requests began late because the one before was still running; lower "
                    "--rate",
                    paced.missed, paced.requests));
  }
}

}  // namespace

Validity judge(const RunEvidence& evidence) {
  Validity validity;
  Reasons& reasons = validity.reasons;
  if (evidence.summary) judge_samples(*evidence.summary, reasons);
  if (evidence.regimes) judge_regimes(*evidence.regimes, reasons);
  if (evidence.warm_up && evidence.warm_up->settled == false) {
    reasons.push_back(fmt::format(
        "not steady after {} warm-up runs in {:.1f} s; warm up longer (--warmup=30s), "
        "lock the clocks, stop other programs",
        evidence.warm_up->runs, static_cast<double>(evidence.warm_up->duration_ns) * 1e-9));
  }
  judge_timing(evidence, reasons);
  judge_goal(evidence, reasons);
  if (evidence.paced) judge_paced(*evidence.paced, reasons);
  reasons.insert(reasons.end(), evidence.serious_conditions.begin(),
                 evidence.serious_conditions.end());
  validity.verdict = reasons.empty() ? Verdict::kValid : Verdict::kInvalid;
  return validity;
}

std::string percentile_name(double percent) {
  return fmt::format("p{:g}", percent);
}

}  // namespace hedge
