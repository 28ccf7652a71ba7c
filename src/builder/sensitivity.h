// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "builder/int8.h"
#include "builder/observe.h"
#include "builder/prepare.h"

namespace hedge {

/// The model with one layer in int8 and the others in fp32.
struct LayerSensitivity {
  std::string layer;
  std::optional<double> scores_sqnr_db{};  ///< Scores against those of fp32; nothing: no noise.
  std::int64_t correct = 0;
  std::int64_t changed = 0;  ///< Images that get another class than in fp32.
};

struct SensitivityReport {
  std::int64_t images = 0;
  std::int64_t fp32_correct = 0;
  std::vector<LayerSensitivity> layers{};  ///< The one that suffers most first: least ratio.
};

/// `ranges` are those of the model (find_ranges), which is in floating point; `progress` counts
/// layers. Throws as quantize and for_each_batch do.
[[nodiscard]] SensitivityReport analyse_sensitivity(
    const PreparedModel& model, const Ranges& ranges, const ImageJob& run,
    const std::function<void(std::int64_t done, std::int64_t total)>& progress);

/// Schema hedge.sensitivity/1.
void to_json(nlohmann::json& json, const SensitivityReport& report);

}  // namespace hedge
