// SPDX-License-Identifier: Apache-2.0
#include "builder/sensitivity.h"

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

#include "builder/score_images.h"
#include "quant/quantize.h"
#include "stats/mcnemar.h"

namespace hedge {
namespace {

/// The model with nothing but `layer` in int8.
PreparedModel with_one_layer(const PreparedModel& model, const Ranges& ranges,
                             const std::vector<std::string>& layers, const std::string& layer) {
  PreparedModel one = model;
  one.build.precision = "int8";
  one.build.optimization_level = 0;  // Which kernel is fastest does not matter here.
  FloatLayers others;
  for (const std::string& name : layers) {
    if (name != layer) others[name] = "fp32";
  }
  quantize_model(one, ranges, others);
  return one;
}

}  // namespace

SensitivityReport analyse_sensitivity(
    const PreparedModel& model, const Ranges& ranges, const ImageJob& run,
    const std::function<void(std::int64_t done, std::int64_t total)>& progress) {
  const std::vector<std::string> listed = quantizable_layers(model.graph);
  const auto total = static_cast<std::int64_t>(listed.size()) + 1;
  const std::vector<int> labels = labels_of(run.dataset, run.total());
  const ImageScores exact = score_images(*make_engine(compile_float(model)), run);
  SensitivityReport report{.images = run.total()};
  report.fp32_correct = pair_answers(labels, labels, exact.answers).both_right;
  for (const std::string& layer : listed) {
    if (progress) progress(static_cast<std::int64_t>(report.layers.size()) + 1, total);
    const PreparedModel one = with_one_layer(model, ranges, listed, layer);
    const ImageScores scores = score_images(*make_engine(compile(one)), run);
    SignalNoise noise;
    noise.add(exact.scores, scores.scores);
    report.layers.push_back(
        {.layer = layer,
         .scores_sqnr_db = noise.decibels(),
         .correct = pair_answers(labels, labels, scores.answers).both_right,
         .changed = report.images - pair_answers(labels, exact.answers, scores.answers).agree});
  }
  const auto ratio = [](const LayerSensitivity& layer) {
    return layer.scores_sqnr_db.value_or(std::numeric_limits<double>::infinity());
  };
  std::ranges::stable_sort(report.layers, {}, ratio);
  return report;
}

void to_json(nlohmann::json& json, const SensitivityReport& report) {
  json = {{"schema", "hedge.sensitivity/1"},
          {"images", report.images},
          {"fp32_correct", report.fp32_correct}};
  json["layers"] = nlohmann::json::array();
  for (const LayerSensitivity& layer : report.layers) {
    json["layers"].push_back(
        {{"layer", layer.layer},
         {"scores_sqnr_db",
          layer.scores_sqnr_db ? nlohmann::json(*layer.scores_sqnr_db) : nlohmann::json()},
         {"correct", layer.correct},
         {"changed", layer.changed}});
  }
}

}  // namespace hedge
