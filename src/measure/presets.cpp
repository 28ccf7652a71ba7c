// SPDX-License-Identifier: Apache-2.0
#include "measure/presets.h"

#include <fmt/format.h>

#include <array>
#include <utility>
#include <vector>

#include "base/named_values.h"
#include "hedge/error.h"

namespace hedge {
namespace {

constexpr std::int64_t kMillisecond = 1'000'000;
constexpr std::int64_t kSecond = 1000 * kMillisecond;

constexpr std::array<std::pair<Timing, std::string_view>, 3> kTimings{
    {{Timing::kLoop, "loop"}, {Timing::kEach, "each"}, {Timing::kBoth, "both"}}};

std::vector<MeasuringPlan> presets() {
  MeasuringPlan quick;
  quick.preset = "quick";
  quick.bound = {.iterations = 400, .duration_ns = kSecond / 2};

  MeasuringPlan trtexec;
  trtexec.preset = "trtexec";
  trtexec.warm_up = WarmUpRule::duration(200 * kMillisecond);
  trtexec.bound = {.iterations = 10, .duration_ns = 3 * kSecond};
  trtexec.timing = Timing::kEach;

  MeasuringPlan single_stream;
  single_stream.preset = "single-stream";
  single_stream.bound = {.iterations = 64, .duration_ns = 10 * kSecond};
  single_stream.timing = Timing::kEach;
  single_stream.percentile = 90;

  MeasuringPlan tiny;
  tiny.preset = "tiny";
  tiny.bound = {.iterations = 10, .duration_ns = 10 * kSecond};
  tiny.repetitions = 5;
  tiny.timing = Timing::kLoop;
  return {quick, trtexec, single_stream, tiny};
}

}  // namespace

MeasuringPlan preset_plan(std::string_view name) {
  std::vector<std::string> names;
  for (const MeasuringPlan& plan : presets()) {
    if (plan.preset == name) return plan;
    names.push_back(plan.preset);
  }
  throw no_such_name("preset", name, names);
}

std::string describe(const WarmUpRule& rule) {
  if (rule.until_steady) return "warm-up until steady";
  if (rule.least_ns > 0) return fmt::format("{} of warm-up", duration_text(rule.least_ns));
  return fmt::format("{} warm-up runs", rule.least_runs);
}

std::string describe(const MeasuringPlan& plan) {
  std::string text = describe(plan.warm_up) + "; ";
  if (plan.repetitions > 1) text += fmt::format("{} times ", plan.repetitions);
  if (plan.bound.duration_ns > 0) {
    text += fmt::format("{} and ", duration_text(plan.bound.duration_ns));
  }
  text += fmt::format("{} iterations{}; ", plan.bound.iterations,
                      plan.bound.duration_ns > 0 ? " at least" : "");
  switch (plan.timing) {
    case Timing::kLoop:
      return text + "the loop timed in stretches";
    case Timing::kEach:
      return text + "each timed";
    case Timing::kBoth:
      break;
  }
  return text + "the loop timed, then each";
}

std::string duration_text(std::int64_t ns) {
  if (ns < kSecond) return fmt::format("{:g} ms", static_cast<double>(ns) / kMillisecond);
  return fmt::format("{:g} s", static_cast<double>(ns) / kSecond);
}

std::string_view to_string(Timing timing) noexcept {
  return name_in(kTimings, timing);
}

Timing parse_timing(std::string_view text) {
  return value_named(kTimings, text, "timing");
}

}  // namespace hedge
