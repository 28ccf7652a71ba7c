// SPDX-License-Identifier: Apache-2.0
#include "measure/time_split.h"

#include <fmt/format.h>

#include "hedge/error.h"
#include "measure/validity.h"
#include "stats/summary.h"

namespace hedge {
namespace {

/// Of the splits that have the part.
template <class Part>
std::optional<double> median_us(const SplitRun& run, Part part) {
  std::vector<std::int64_t> ns;
  for (const TimeSplitter::Split& split : run.splits) {
    if (const std::optional<std::int64_t> value = part(split)) ns.push_back(*value);
  }
  if (ns.empty()) return std::nullopt;
  std::sort(ns.begin(), ns.end());
  return static_cast<double>(percentile(ns, 50)) / 1000;
}

}  // namespace

SplitResult split_result(const SplitRun& run) {
  if (run.splits.empty()) throw bad_input("a split without an inference");
  using Split = TimeSplitter::Split;
  const auto some = [](std::int64_t ns) { return std::optional(ns); };
  SplitResult result;
  result.preprocess = median_us(run, [](const Split& s) { return s.preprocess_ns; });
  result.copy_in = median_us(run, [](const Split& s) { return s.copy_in_ns; });
  result.compute = median_us(run, [&](const Split& s) { return some(s.compute_ns); });
  result.copy_out = median_us(run, [](const Split& s) { return s.copy_out_ns; });
  result.enqueue = median_us(run, [&](const Split& s) { return some(s.enqueue_ns); });
  result.wall = median_us(run, [&](const Split& s) { return some(s.wall_ns); });
  return result;
}

double gpu_us(const SplitResult& split) {
  return split.copy_in.value_or(0) + split.preprocess.value_or(0) + split.compute.value_or(0) +
         split.copy_out.value_or(0);
}

std::vector<std::string> launch_bound_advice(const SplitResult& split, bool at_once) {
  const double enqueue = split.enqueue.value_or(0);
  const double gpu = gpu_us(split);
  if (gpu <= 0 || enqueue < kLaunchBoundShare * gpu) return {};
  std::vector<std::string> advice{fmt::format(
      "bound by launches: the host takes {} us to hand an inference over (enqueue), the GPU {} us "
      "to "
      "run it; with many layers of short kernels the host's launches set the pace, not the GPU",
      us_text(enqueue), us_text(gpu))};
  if (at_once) {
    advice.emplace_back(
        "it is one launch of a CUDA graph already: what is left is the driver's cost of a launch, "
        "which falls with a higher, fixed clock of the CPU (hedge power)");
  } else {
    advice.emplace_back(
        "replay a captured CUDA graph, one launch for all kernels: it is the default, so leave "
        "--no-cuda-graph out, or see the warning that says why there is none");
  }
  advice.emplace_back(
      "a larger --batch, or --streams, raises the throughput; an image that comes alone is not "
      "answered sooner by either");
  return advice;
}

}  // namespace hedge
