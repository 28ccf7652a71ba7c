// SPDX-License-Identifier: Apache-2.0
#include "measure/paired_comparison.h"

#include <algorithm>

namespace hedge {

ComparisonVerdict verdict_of(const RatioEstimate& ratio) noexcept {
  if (!ratio.interval) return ComparisonVerdict::kNoDifference;
  if (ratio.interval->upper < 1) return ComparisonVerdict::kAFaster;
  if (ratio.interval->lower > 1) return ComparisonVerdict::kBFaster;
  return ComparisonVerdict::kNoDifference;
}

std::string_view to_string(ComparisonVerdict verdict) noexcept {
  switch (verdict) {
    case ComparisonVerdict::kAFaster:
      return "A is faster";
    case ComparisonVerdict::kBFaster:
      return "B is faster";
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
  result.verdict = verdict_of(result.ratio);
  return result;
}

}  // namespace hedge
