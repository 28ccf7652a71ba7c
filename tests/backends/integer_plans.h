// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "backends/cpu/cpu_context.h"
#include "backends/cpu/plan.h"

namespace hedge::cpu {

/// The outputs of a second run, which sees what the first left.
inline std::vector<std::vector<float>> run(const std::shared_ptr<const Plan>& plan,
                                           const Tensor& input) {
  CpuContext context(plan);
  std::vector<std::vector<float>> results;
  for (int repetition = 0; repetition < 2; ++repetition) {
    results.clear();
    std::ranges::copy(input.values<float>(), context.input().begin());
    context.infer();
    for (std::size_t i = 0; i < context.output_count(); ++i) {
      results.emplace_back(context.output(i).begin(), context.output(i).end());
    }
  }
  return results;
}

/// Layers with weights that run in integers.
inline int integer_layers(const Plan& plan) {
  return static_cast<int>(std::ranges::count_if(plan.steps, [](const Step& step) {
    return step.precision == "int8" && step.multiply_accumulates > 0;
  }));
}

}  // namespace hedge::cpu
