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
#include "base/tensor.h"
#include "base/text.h"

namespace hedge::tensorrt {
namespace {

/// That the sum of an image's probabilities may differ from 1, in half precision.
constexpr double kSumTolerance = 0.01;

Binding binding(const LoadedPlan& plan, const std::string& tensor, std::int64_t batch) {
  Binding result{.name = tensor, .shape = plan.shape(tensor)};
  if (!result.shape.empty() && result.shape.front() < 0) result.shape.front() = batch;
  return result;
}

/// As the builder demands of an ONNX file: floats with four axes in, the batch first; scores out,
/// batch x classes.
void require_classifier(const LoadedPlan& plan, const EngineInfo& info) {
  const Binding& input = info.inputs.at(0);
  const bool nothing = std::ranges::any_of(input.shape, [](auto extent) { return extent < 1; });
  if (input.shape.size() != 4 || nothing) {
    throw bad_input(fmt::format(
        "the plan's input is '{}' ({}); an image classifier takes four axes, batch first",
        printable(input.name), to_string(input.shape)));
  }
  for (const Binding& output : info.outputs) {
    // What other outputs are, such as those of early exits, is not looked at.
    const bool scores = &output == &info.outputs.front();
    const Shape& shape = output.shape;
    const bool open = std::ranges::any_of(shape, [](auto extent) { return extent < 1; });
    const bool same_batch =
        !shape.empty() && plan.shape(output.name).front() == plan.shape(input.name).front();
    const bool flat =
        shape.size() >= 2 && std::all_of(shape.begin() + 2, shape.end(),
                                         [](std::int64_t extent) { return extent == 1; });
    if (open || (scores && (!same_batch || !flat))) {
      throw bad_input(fmt::format(
          "the plan's output is '{}' ({}); an image classifier gives batch x classes (here "
          "{}xCLASSES)",
          printable(output.name), to_string(shape), info.batch));
    }
  }
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
  require_classifier(*plan, info);
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
