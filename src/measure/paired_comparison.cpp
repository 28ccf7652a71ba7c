// SPDX-License-Identifier: Apache-2.0
#include "measure/paired_comparison.h"

namespace hedge {
namespace {

ComparisonVerdict judge(const RatioEstimate& estimate) {
  if (!estimate.ratio_ci95) return ComparisonVerdict::kNoDifference;
  if (estimate.ratio_ci95->upper < 1) return ComparisonVerdict::kAFaster;
  if (estimate.ratio_ci95->lower > 1) return ComparisonVerdict::kBFaster;
  return ComparisonVerdict::kNoDifference;
}

}  // namespace

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
  ComparisonResult result;
  result.ratio = paired_ratio(a_ns, b_ns);
  result.a = summarize(a_ns);
  result.b = summarize(b_ns);
  result.verdict = judge(result.ratio);
  return result;
}

}  // namespace hedge
