// SPDX-License-Identifier: Apache-2.0
#include "measure/validity.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/cancellation.h"

namespace hedge {
namespace {

using Reasons = std::vector<std::string>;

/// `counted` says of what there are `count`, `whose` of which of two means they are; `longer` is
/// the advice.
struct MeanWords {
  const char* counted;
  const char* whose;
  const std::string& longer;
};

void judge_mean(const MeanWords& words, std::size_t count, double autocorrelation_time, double mean,
                const std::optional<Interval>& interval, Reasons& reasons) {
  const double independent = static_cast<double>(count) / std::max(autocorrelation_time, 1.0);
  if (independent < kFewestIndependent) {
    reasons.push_back(
        fmt::format("too few {}: {} count as {:.0f} independent ones, {:.0f} are needed; {}",
                    words.counted, count, independent, kFewestIndependent, words.longer));
  } else if (interval && mean > 0) {
    const double half = (interval->upper - interval->lower) / 2;
    if (half > kMostMeanError * mean) {
      reasons.push_back(
          fmt::format("the mean {} is known to +-{:.1f} % only ({:.0f} % is allowed); {}",
                      words.whose, 100 * half / mean, 100 * kMostMeanError, words.longer));
    }
  }
}

void judge_samples(const Summary& summary, const std::string& longer, Reasons& reasons) {
  judge_mean({"samples", "of the samples, timed one by one,", longer}, summary.count,
             summary.autocorrelation_time, summary.mean_ns, summary.mean_ci95_ns, reasons);
  const double variation = summary.coefficient_of_variation.value_or(0);
  if (variation > kMostVariation) {
    reasons.push_back(
        fmt::format("samples vary by {:.0f} % (coefficient of variation, {:.0f} % is allowed): the "
                    "mean belongs to the outliers; stop other programs, pin the process to a CPU "
                    "(taskset), or report the median",
                    100 * variation, 100 * kMostVariation));
  }
}

void judge_loop(const LoopSummary& loop, const std::string& longer, Reasons& reasons) {
  judge_mean({"stretches of the loop, which take 0.2 ms at least", "of the loop", longer},
             loop.stretches, loop.autocorrelation_time, loop.mean_ns, loop.mean_ci95_ns, reasons);
}

std::string level_text(const Regimes& regimes, const char* unit) {
  constexpr std::size_t kMost = 4;
  const std::vector<Segment>& segments = regimes.segments;
  std::string text;
  for (std::size_t i = 0; i < std::min(segments.size(), kMost); ++i) {
    const double level = regimes.of_means ? segments[i].mean_ns : segments[i].median_ns;
    text += fmt::format("{}{}{}", i == 0 ? "" : ", ", time_text(level),
                        i == 0 ? "" : fmt::format(" from {} {}", unit, segments[i].first));
  }
  return text + (segments.size() > kMost ? ", ..." : "");
}

void judge_regimes(const Regimes& regimes, const char* unit, const RunEvidence& evidence,
                   Reasons& reasons) {
  const char* const advice =
      "lock the clocks (governor performance, turbo off, jetson_clocks), let the device cool, stop "
      "other programs";
  if (!regimes.judged) {
    reasons.push_back(fmt::format("below {} samples nobody can say whether the level held; {}",
                                  kFewestToJudge, evidence.longer));
  }
  if (regimes.segments.size() > 1) {
    const auto largest = std::max_element(
        regimes.segments.begin(), regimes.segments.end(),
        [](const Segment& a, const Segment& b) { return std::abs(a.step) < std::abs(b.step); });
    const std::size_t changes = regimes.segments.size() - 1;
    reasons.push_back(
        fmt::format("the {} {} (by up to {:+.1f} %): {}; {}",
                    regimes.of_means ? "mean, but not the median, changed" : "level changed",
                    changes == 1 ? "once" : fmt::format("{} times", changes), 100 * largest->step,
                    level_text(regimes, unit), advice));
  }
  if (regimes.drift) {
    reasons.push_back(fmt::format("the level drifted by {:+.1f} % from begin to end; {}, {}",
                                  100 * *regimes.drift, evidence.warmer, advice));
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
  if (evidence.loop && evidence.summary && evidence.loop->mean_ns > 0) {
    const double loop_ns = evidence.loop->mean_ns;
    const double one_by_one = evidence.summary->mean_ns - evidence.timer_ns;
    const double difference = one_by_one / loop_ns - 1;
    // A model of some nanoseconds differs by more, for the timer keeps the CPU from running ahead.
    const bool measurable = std::abs(one_by_one - loop_ns) > 2 * evidence.timer_ns;
    if (std::abs(difference) > kMostLoopDifference && measurable) {
      reasons.push_back(fmt::format(
          "timed one by one the inferences take {:.0f} % {} time than in the loop "
          "({:.0f} % is allowed): something changed between the two; run again, longer",
          100 * std::abs(difference), difference < 0 ? "less" : "more", 100 * kMostLoopDifference));
    }
  }
}

void judge_goal(const RunEvidence& evidence, Reasons& reasons) {
  if (evidence.goal && evidence.goal->independent < evidence.goal->needed) {
    reasons.push_back(fmt::format("{} needs {} independent samples, these count as {}; {}",
                                  percentile_name(evidence.goal->percent), evidence.goal->needed,
                                  evidence.goal->independent, evidence.longer));
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

RunEvidence evidence_of(std::span<const std::int64_t> samples_ns, const LoopRun& loop,
                        const WarmUp& warm_up, const TimerOverhead& overhead,
                        std::vector<std::string> serious_conditions) {
  RunEvidence evidence;
  if (loop.total.iterations > 0) {
    evidence.loop = summarize(loop);
    evidence.regimes = find_regimes(loop);
  }
  if (!samples_ns.empty()) {
    evidence.summary = summarize(samples_ns);
    evidence.regimes = find_regimes(samples_ns, overhead.resolution_ns);
    if (!evidence.loop) evidence.timer = overhead;
  }
  evidence.timer_ns = static_cast<double>(overhead.sample_ns);
  evidence.warm_up = warm_up;
  evidence.cut_short = cancellation_requested();
  evidence.serious_conditions = std::move(serious_conditions);
  return evidence;
}

Validity judge(const RunEvidence& evidence) {
  Validity validity;
  Reasons& reasons = validity.reasons;
  if (evidence.summary) judge_samples(*evidence.summary, evidence.longer, reasons);
  if (evidence.loop) judge_loop(*evidence.loop, evidence.longer, reasons);
  if (evidence.regimes) {
    judge_regimes(*evidence.regimes, evidence.loop && !evidence.summary ? "stretch" : "sample",
                  evidence, reasons);
  }
  if (evidence.warm_up && evidence.warm_up->settled == false) {
    reasons.push_back(fmt::format(
        "not steady after {} warm-up runs in {:.1f} s; {}, lock the clocks, stop other programs",
        evidence.warm_up->runs, static_cast<double>(evidence.warm_up->duration_ns) * 1e-9,
        evidence.warmer));
  }
  judge_timing(evidence, reasons);
  judge_goal(evidence, reasons);
  if (evidence.paced) judge_paced(*evidence.paced, reasons);
  reasons.insert(reasons.end(), evidence.serious_conditions.begin(),
                 evidence.serious_conditions.end());
  validity.verdict = reasons.empty() ? Verdict::kValid : Verdict::kInvalid;
  return validity;
}

std::string longer_advice(const RunBound& bound) {
  return bound.duration_ns > 0 ? "measure for longer (--duration)" : "raise --iterations";
}

std::string time_text(double ns) {
  return ns < 1000 ? fmt::format("{:.2f} ns", ns) : fmt::format("{:.2f} us", ns / 1000);
}

std::string us_text(double us) {
  constexpr double kEnough = 10;  // from there on two decimals are four digits
  if (us == 0 || !(std::abs(us) < kEnough)) return fmt::format("{:.2f}", us);
  const int before = static_cast<int>(std::floor(std::log10(std::abs(us)))) + 1;
  constexpr int kDigits = 4;
  constexpr int kMostDecimals = 7;
  return fmt::format("{:.{}f}", us, std::clamp(kDigits - before, 2, kMostDecimals));
}

std::string percentile_name(double percent) {
  return fmt::format("p{:g}", percent);
}

}  // namespace hedge
