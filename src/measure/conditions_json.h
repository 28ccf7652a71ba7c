// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include <nlohmann/json.hpp>

#include "measure/conditions.h"
#include "measure/conditions_watch.h"
#include "result/result.h"

namespace hedge {

/// One snapshot: `cpu_clocks` (CPUs of the same settings in one element), `turbo`, `gpu_clocks`,
/// `load_average`, `temperatures_c`, `cooling`, `throttle_events`, `power_mode`, `power_profile`,
/// `on_battery`, `missing`. docs/conditions.md has the units.
[[nodiscard]] nlohmann::json conditions_to_json(const Conditions& conditions);

[[nodiscard]] nlohmann::json conditions_to_json(const ConditionsRange& range);

/// The three objects of the schema. `before` also holds `build` (type, compiler), `kernel` and
/// `libraries`, the shared libraries that are loaded now: call it after the engine is.
[[nodiscard]] ConditionsResult conditions_result(const Conditions& before,
                                                 const std::optional<ConditionsRange>& during,
                                                 const Conditions& after,
                                                 const std::filesystem::path& root = system_root());

}  // namespace hedge
