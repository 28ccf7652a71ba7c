// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "builder/observe.h"
#include "builder/prepare.h"
#include "stats/mcnemar.h"

namespace hedge {

/// What 8 bits do to one layer with weights. Shares and ratios are those of fp32 activations on
/// the images that are rounded once: what this layer itself loses, not what others have lost
/// before.
struct LayerQuantization {
  std::string name;
  std::string op;
  std::string precision;                    ///< That the backend runs it in.
  std::string input;                        ///< The activation that it reads.
  std::optional<Quantization> held{};       ///< How that is held; nothing: in floating point.
  double saturated = 0;                     ///< Share of the input's values beyond its range.
  std::optional<double> input_sqnr_db{};    ///< Signal to quantisation noise; nothing: no noise.
  std::optional<double> weights_sqnr_db{};  ///< The same of the weights.
};

struct QuantizationReport {
  std::vector<LayerQuantization> layers;
  std::int64_t observed_images = 0;  ///< That the layers' figures come from.
  std::int64_t fp32_correct = 0;
  std::int64_t int8_correct = 0;
  PairedAnswers answers{};                 ///< A is fp32, B is int8.
  double p_value = 1;                      ///< McNemar's.
  std::optional<double> scores_sqnr_db{};  ///< Of the scores, int8 against fp32.
};

/// Of a model that make_int8 quantised, and the engine made of it. `run` is over test images.
/// Throws bad_input for a model that came quantised: there is nothing to compare with.
[[nodiscard]] QuantizationReport report_quantization(const PreparedModel& model,
                                                     const EngineContainer& engine,
                                                     const ImageJob& run);

/// Schema hedge.quantization/1.
void to_json(nlohmann::json& json, const QuantizationReport& report);

}  // namespace hedge
