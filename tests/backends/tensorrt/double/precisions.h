// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/cuda/plan.h"
#include "double/plan_file.h"

namespace hedge_double {

/// How the cuda backend computes what the plan says: the types of a strongly typed network follow
/// from Casts, weights and scales; a weakly typed one has flags, and layers that are obliged.
[[nodiscard]] hedge::cuda::PlanOptions plan_options(const PlanFile& plan);

}  // namespace hedge_double
