// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "builder/int8.h"
#include "builder/prepare.h"

namespace hedge {

struct BestOptions {
  double most_lost = 0.5;      ///< Points of top-1 against fp32, on the calibration images.
  std::int64_t images = 1000;  ///< Of them.
  /// Of the ranking of layers, where one is needed.
  std::function<void(std::int64_t done, std::int64_t total)> progress{};
};

struct BestLayer {
  std::string name;
  std::string precision{};                  ///< That was chosen.
  std::map<std::string, double> time_us{};  ///< Of the layer alone, by precision.
};

struct BestReport {
  std::vector<BestLayer> layers{};
  std::map<std::string, double> time_us{};  ///< Of whole nets: all in one precision, and "mixed".
  std::string chosen{};                     ///< Which of them was taken.
  std::int64_t images = 0;
  std::int64_t fp32_correct = 0;
  std::int64_t correct = 0;  ///< Of the engine that was chosen.
};

/// Gives each layer with weights of a model that is to be "best" the precision among int8, fp16,
/// bf16 and fp32 that is fastest in its place, as measured. Where that costs more top-1 than
/// allowed, layers leave int8, the most sensitive first, and as few as are needed. The mix is held
/// against nets of one precision, and the fastest of those that keep the bound is taken. On a
/// backend that does not tell layers apart (BackendTraits::times_layers) the mix has all in int8
/// but for the layers that the bound takes out. Throws as find_ranges and analyse_sensitivity do,
/// and bad_input: a model that came quantised, a backend that cannot tell the time of layers.
BestReport make_best(PreparedModel& model, const Int8Options& int8, const BestOptions& options);

/// Schema hedge.best/1.
void to_json(nlohmann::json& json, const BestReport& report);

}  // namespace hedge
