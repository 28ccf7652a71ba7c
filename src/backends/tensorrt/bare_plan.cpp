// SPDX-License-Identifier: Apache-2.0
#include "backends/tensorrt/bare_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "backends/gpu/context.h"
#include "backends/gpu/device.h"
#include "backends/tensorrt/loaded_plan.h"
#include "backends/tensorrt/tensorrt_net.h"
#include "base/log.h"

namespace hedge::tensorrt {
namespace {

/// That the sum of an image's probabilities may differ from 1, in half precision.
constexpr double kSumTolerance = 0.01;

Binding binding(const LoadedPlan& plan, const std::string& tensor, std::int64_t batch) {
  Binding result{.name = tensor, .shape = plan.shape(tensor)};
  if (!result.shape.empty() && result.shape.front() < 0) result.shape.front() = batch;
  return result;
}

bool are_probabilities(std::span<const float> scores) {
  const bool inside = std::ranges::all_of(scores, [](float x) { return x >= 0 && x <= 1.01F; });
  const double sum = std::accumulate(scores.begin(), scores.end(), 0.0);
  return inside && std::fabs(sum - 1) < kSumTolerance;
}

/// Of one scale that images have raw and of one that they have normalised.
bool gives_probabilities(ExecutionContext& context, std::int64_t batch) {
  std::mt19937 random(1);
  for (const float scale : {1.F, 255.F}) {
    std::uniform_real_distribution<float> noise(0, scale);
    std::ranges::generate(context.input(), [&] { return noise(random); });
    context.infer();
    const auto scores = context.output(0);
    const std::size_t classes = scores.size() / static_cast<std::size_t>(batch);
    for (std::size_t first = 0; first < scores.size(); first += classes) {
      if (!are_probabilities(scores.subspan(first, classes))) return false;
    }
  }
  return true;
}

}  // namespace

EngineInfo describe_bare_plan(std::span<const std::byte> bytes) {
  const auto plan = std::make_shared<const LoadedPlan>(bytes, PlanOrigin{});
  const PlanBindings bindings = plan->bindings();
  EngineInfo info;
  info.batch = plan->batches(bindings.input).first;
  if (const auto range = plan->range(bindings.input); range.least < range.most) {
    info.batches = range;
  }
  const auto shape = plan->input_shape(bindings.input, info.batch);
  if (!shape || info.batch < 1) {
    throw bad_input(fmt::format("the plan's input '{}' has no batch in front", bindings.input));
  }
  info.inputs = {{bindings.input, {shape->d, shape->d + shape->nbDims}}};
  for (const std::string& output : bindings.outputs) {
    info.outputs.push_back(binding(*plan, output, info.batch));
  }
  info.target = gpu::description_of(gpu::device());
  info.builder_version = fmt::format("TensorRT {}", plan_version(bytes).value_or("unknown"));
  gpu::Context context(std::make_unique<TensorRtNet>(plan, bindings, info.batch), {}, {});
  info.ends_in_softmax = gives_probabilities(context, info.batch);
  log(LogLevel::kInfo,
      fmt::format("a bare plan: dataset, recipe and precision are those of its name; its scores "
                  "are taken as {}, as they came on noise",
                  info.ends_in_softmax ? "probabilities" : "logits"));
  return info;
}

}  // namespace hedge::tensorrt
