// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "engine/engine_name.h"
#include "hi/decide/decision_file.h"

namespace hedge {

/// Which coefficients a precision takes: those of int8, or the "full" ones of every other.
[[nodiscard]] constexpr bool is_int8(std::string_view precision) noexcept {
  return precision == "int8";
}

/// The logistic regression that the original published for a model: by its name, dataset and
/// precision (docs/hierarchical-inference.md has the table). For ImageNet at full precision it has
/// none of its own and runs with those of CIFAR-10 instead: of the same model, for resnet18 and
/// resnet50 those that stand in their place of its table, resnet8's and resnet56's. These are given
/// only with `as_original`. Throws bad_input where there are none, saying which flags help.
[[nodiscard]] DecisionFile published_decision(const EngineName& name, bool as_original = false);

}  // namespace hedge
