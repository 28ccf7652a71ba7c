// SPDX-License-Identifier: Apache-2.0
#include "hi/sweep/cost_model.h"

#include <fmt/format.h>

#include <algorithm>

#include "hedge/error.h"

namespace hedge {
namespace {

constexpr double kBits = 8;  // Of a byte.

std::string description(const Result& result) {
  std::string what = result.model.name.value_or("a model");
  if (result.model.precision) what += " " + *result.model.precision;
  if (result.latency_us && result.latency_us->count) {
    what += fmt::format(", mean of {} inferences", *result.latency_us->count);
  }
  if (result.latency_us && result.latency_us->scope) {
    what += fmt::format(" ({})", *result.latency_us->scope);
  }
  return what;
}

}  // namespace

OffloadTimes offload_times(const CostModel& model) {
  if (!model.server_seconds) throw bad_input("the latency of the server is not known");
  return {.send = kBits * model.upload_bytes / model.link.up_bits_per_second,
          .round_trip = model.link.round_trip_seconds,
          .server = *model.server_seconds,
          .receive = kBits * model.answer_bytes / model.link.down_bits_per_second};
}

LinearCost latency_of(const CostModel& model) {
  if (!model.local_seconds) throw bad_input("the latency of the local model is not known");
  return {.local = *model.local_seconds,
          .decision = model.decision_seconds,
          .offload = offload_times(model).total()};
}

std::optional<LinearCost> energy_of(const CostModel& model) {
  if (!model.local_joules) return std::nullopt;
  const OffloadTimes times = offload_times(model);
  const double radio = model.link.send_watts * times.send +
                       model.link.receive_watts * times.receive +
                       model.link.wait_watts * (times.round_trip + times.server);
  const double idle = model.idle_watts.value_or(0) * times.total();
  return LinearCost{.local = *model.local_joules,
                    .decision = model.decision_joules,
                    .offload = radio + idle + model.link.tail_joules + model.server_joules};
}

MeasuredCost measured_cost(std::span<const Result> results, const std::string& source,
                           bool above_idle) {
  const auto single = std::find_if(results.begin(), results.end(), [](const Result& result) {
    return result.config.batch.value_or(1) == 1;
  });
  if (single == results.end()) {
    throw bad_input(
        fmt::format("{}: no result with batch 1; hierarchical inference asks image by image, so "
                    "measure such (`measurements --batch=1`)",
                    source));
  }
  MeasuredCost cost{.what = description(*single)};
  if (single->latency_us && single->latency_us->mean) {
    cost.seconds = *single->latency_us->mean * 1e-6;
  }
  if (single->validity && single->validity->verdict == Verdict::kInvalid) {
    const auto& reasons = single->validity->reasons;
    cost.doubt = reasons.empty() ? "no reason given" : reasons.front();
  }
  if (single->energy) {
    const auto& energy = *single->energy;
    const auto& mj = above_idle ? energy.mj_per_inference_net : energy.mj_per_inference;
    if (mj) cost.joules = *mj * 1e-3;
    if (!above_idle) cost.idle_watts = energy.idle_watts;
  }
  if (!cost.seconds && !cost.joules) {
    throw bad_input(
        fmt::format("{}: neither latency nor energy of an inference in it; `measurements --json` "
                    "and `inference --json` write them",
                    source));
  }
  return cost;
}

}  // namespace hedge
