// SPDX-License-Identifier: Apache-2.0
#include "measure/paired_comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "measure/validity.h"

namespace hedge {

ComparisonVerdict verdict_of(const RatioEstimate& ratio) noexcept {
  if (!ratio.interval) return ComparisonVerdict::kUnknown;
  if (ratio.interval->upper < 1) return ComparisonVerdict::kAFaster;
  if (ratio.interval->lower > 1) return ComparisonVerdict::kBFaster;
  return ComparisonVerdict::kNoDifference;
}

ComparisonVerdict verdict_apart(const RatioEstimate& ratio) noexcept {
  const ComparisonVerdict verdict = verdict_of(ratio);
  const bool within =
      (verdict == ComparisonVerdict::kAFaster && ratio.interval->upper * (1 + kApartMargin) >= 1) ||
      (verdict == ComparisonVerdict::kBFaster && ratio.interval->lower <= 1 + kApartMargin);
  return within ? ComparisonVerdict::kWithinMargin : verdict;
}

std::string_view to_string(ComparisonVerdict verdict) noexcept {
  switch (verdict) {
    case ComparisonVerdict::kAFaster:
      return "A is faster";
    case ComparisonVerdict::kBFaster:
      return "B is faster";
    case ComparisonVerdict::kUnknown:
      return "no verdict: the spread is not known of both";
    case ComparisonVerdict::kTooFewRounds:
      return "no verdict from so few rounds";
    case ComparisonVerdict::kWithinMargin:
      return "no verdict: runs of equals may differ by 2 %";
    case ComparisonVerdict::kNoDifference:
      break;
  }
  return "no difference that this data shows";
}

ComparisonResult compare_samples(std::span<const std::int64_t> a_ns,
                                 std::span<const std::int64_t> b_ns) {
  return compare_samples(a_ns, b_ns, {});
}

ComparisonResult compare_samples(std::span<const std::int64_t> a_ns,
                                 std::span<const std::int64_t> b_ns,
                                 std::span<const std::size_t> begins) {
  ComparisonResult result;
  result.pairs = a_ns.size();
  result.rounds = std::max<std::size_t>(begins.size(), 1);
  result.ratio = ratio_over_rounds(a_ns, b_ns, begins);
  result.a = summarize(a_ns);
  result.b = summarize(b_ns);
  const bool few = !begins.empty() && begins.size() < kFewestRounds;
  result.verdict = few ? ComparisonVerdict::kTooFewRounds : verdict_of(result.ratio);
  return result;
}

Validity judge_comparison(const ComparisonResult& result, const TimerOverhead& overhead,
                          bool cut_short, std::vector<std::string> serious_conditions) {
  std::vector<std::string> reasons;
  if (result.verdict == ComparisonVerdict::kTooFewRounds) {
    reasons.push_back(
        fmt::format("{}: where memory lies decides; give --rounds=20",
                    result.rounds == 1 ? "one round" : fmt::format("{} rounds", result.rounds)));
  }
  const auto fastest = static_cast<double>(std::min(result.a.p50_ns, result.b.p50_ns));
  const double timer = static_cast<double>(overhead.sample_ns);
  if (timer > kMostTimerShare * fastest) {
    reasons.push_back(fmt::format(
        "the timer adds {} ns to samples of {} ns, which draws the ratio to 1; compare results of "
        "measurements --timing=loop, or give a larger --batch",
        overhead.sample_ns, fastest));
  }
  RunEvidence evidence;
  evidence.cut_short = cut_short;
  evidence.serious_conditions = std::move(serious_conditions);
  Validity validity = judge(evidence);
  validity.reasons.insert(validity.reasons.begin(), reasons.begin(), reasons.end());
  if (!validity.reasons.empty()) validity.verdict = Verdict::kInvalid;
  return validity;
}

}  // namespace hedge
