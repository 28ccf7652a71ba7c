// SPDX-License-Identifier: Apache-2.0
#include "builder/quantization_report.h"

#include <algorithm>
#include <cmath>
#include <list>
#include <map>
#include <set>
#include <utility>

#include "builder/score_images.h"
#include "graph/quantization.h"
#include "graph/query.h"
#include "hedge/error.h"
#include "quant/quantize.h"

namespace hedge {
namespace {

/// More images change the layers' figures by nothing that matters.
constexpr std::int64_t kObservedImages = 512;

/// What rounding to 8 bits does to the values that were seen.
struct Rounding {
  SignalNoise noise;
  std::int64_t total = 0;
  std::int64_t saturated = 0;

  void add(std::span<const float> values, const Quantization& q) {
    const auto [lowest, highest] = stored_range(q.type);
    const double scale = q.scales.front();
    for (const float value : values) {
      const double exact = std::nearbyint(value / scale) + q.zero_point;
      const double stored = std::clamp<double>(exact, lowest, highest);
      saturated += stored != exact ? 1 : 0;
      noise.add(value, (stored - q.zero_point) * scale);
    }
    total += static_cast<std::int64_t>(values.size());
  }
  void add(const Rounding& other) {
    noise.signal += other.noise.signal;
    noise.noise += other.noise.noise;
    total += other.total;
    saturated += other.saturated;
  }
};

/// Nodes of the float graph whose weights quantize() has replaced, by their names.
std::vector<const Node*> layers_of(const Graph& graph) {
  const std::vector<std::string> listed = quantizable_layers(graph);
  const std::set<std::string> names(listed.begin(), listed.end());
  std::vector<const Node*> layers;
  for (const Node& node : graph.nodes) {
    if (names.contains(node.name)) layers.push_back(&node);
  }
  return layers;
}

std::map<ValueId, Rounding> round_activations(const PreparedModel& model, const ImageJob& run) {
  std::vector<ValueId> held;
  for (const Node* layer : layers_of(model.graph)) {
    const ValueId id = layer->inputs[0];
    if (model.graph.value(id).quantization && std::ranges::find(held, id) == held.end()) {
      held.push_back(id);
    }
  }
  std::list<std::vector<Rounding>> seen;  // One a thread; addresses last.
  ImageJob few = run;
  few.images = std::min(run.total(), kObservedImages);
  few.progress = {};
  if (!held.empty()) {
    // quantize() changes no activation's number, so the ids are those of the float graph.
    observe(*model.float_graph, *model.backend, held, few, "the report", [&]() -> Visitor {
      std::vector<Rounding>& own = seen.emplace_back(held.size());
      return [&](const ExecutionContext& context, std::int64_t, std::int64_t count) {
        for (std::size_t i = 0; i < held.size(); ++i) {
          own[i].add(values_of(context, i, count), *model.graph.value(held[i]).quantization);
        }
      };
    });
  }
  std::map<ValueId, Rounding> all;
  for (const auto& own : seen) {
    for (std::size_t i = 0; i < held.size(); ++i) all[held[i]].add(own[i]);
  }
  return all;
}

std::optional<double> weights_sqnr(const Graph& exact, const Graph& rounded, std::size_t node) {
  SignalNoise noise;
  noise.add(exact.value(exact.nodes[node].inputs[1]).constant->values<float>(),
            rounded.value(rounded.nodes[node].inputs[1]).constant->values<float>());
  return noise.decibels();
}

/// What the backend says that it runs a layer in; else what the graph asks for.
std::string precision_of(const PreparedModel& model, const Node& node,
                         const nlohmann::json& choices) {
  for (const auto& choice : choices) {
    if (choice.is_object() && choice.value("name", "") == node.name &&
        choice.contains("precision")) {
      return choice.at("precision").get<std::string>();
    }
  }
  const auto stated = model.build.layers.find(node.name);
  if (stated != model.build.layers.end()) return stated->second;
  return is_int8(model.graph, node) ? "int8" : model.build.fallback;
}

std::vector<LayerQuantization> report_layers(const PreparedModel& model,
                                             const nlohmann::json& choices, const ImageJob& run) {
  const std::map<ValueId, Rounding> roundings = round_activations(model, run);
  std::vector<LayerQuantization> layers;
  for (const Node* node : layers_of(model.graph)) {
    const Value& input = model.graph.value(node->inputs[0]);
    LayerQuantization layer{.name = node->name,
                            .op = std::string(node->op->name),
                            .precision = precision_of(model, *node, choices),
                            .input = input.name,
                            .held = input.quantization};
    if (const auto found = roundings.find(node->inputs[0]); found != roundings.end()) {
      const Rounding& rounding = found->second;
      layer.saturated =
          static_cast<double>(rounding.saturated) / static_cast<double>(rounding.total);
      layer.input_sqnr_db = rounding.noise.decibels();
    }
    if (is_int8(model.graph, *node)) {
      layer.weights_sqnr_db =
          weights_sqnr(*model.float_graph, model.graph,
                       static_cast<std::size_t>(node - model.graph.nodes.data()));
    }
    layers.push_back(std::move(layer));
  }
  return layers;
}

nlohmann::json number_or_null(const std::optional<double>& number) {
  return number ? nlohmann::json(*number) : nlohmann::json();
}

}  // namespace

QuantizationReport report_quantization(const PreparedModel& model, const EngineContainer& engine,
                                       const ImageJob& run) {
  if (!model.float_graph) {
    throw bad_input(
        "no report on quantisation: the model was not quantised here, so that there is no fp32 "
        "model to compare with");
  }
  QuantizationReport report;
  report.layers = report_layers(model, engine.layer_choices, run);
  report.observed_images = std::min(run.total(), kObservedImages);
  const ImageScores before = score_images(*make_engine(compile_float(model)), run);
  const ImageScores after = score_images(*make_engine(engine), run);
  const std::vector<int> labels = labels_of(run.dataset, run.total());
  report.answers = pair_answers(labels, before.answers, after.answers);
  report.fp32_correct = report.answers.both_right + report.answers.only_a_right;
  report.int8_correct = report.answers.both_right + report.answers.only_b_right;
  report.p_value = mcnemar_p_value(report.answers.only_a_right, report.answers.only_b_right);
  SignalNoise noise;
  noise.add(before.scores, after.scores);
  report.scores_sqnr_db = noise.decibels();
  return report;
}

void to_json(nlohmann::json& json, const QuantizationReport& report) {
  json = {{"schema", "hedge.quantization/1"},
          {"observed_images", report.observed_images},
          {"images", report.answers.total},
          {"fp32_correct", report.fp32_correct},
          {"int8_correct", report.int8_correct},
          {"agree", report.answers.agree},
          {"only_fp32_right", report.answers.only_a_right},
          {"only_int8_right", report.answers.only_b_right},
          {"mcnemar_p", report.p_value},
          {"scores_sqnr_db", number_or_null(report.scores_sqnr_db)}};
  json["layers"] = nlohmann::json::array();
  for (const LayerQuantization& layer : report.layers) {
    nlohmann::json entry{{"name", layer.name},
                         {"op", layer.op},
                         {"precision", layer.precision},
                         {"input", layer.input}};
    if (layer.held) {
      entry["input_type"] = to_string(layer.held->type);
      entry["input_scale"] = layer.held->scales.front();
      entry["input_saturated"] = layer.saturated;
      entry["input_sqnr_db"] = number_or_null(layer.input_sqnr_db);
      entry["weights_sqnr_db"] = number_or_null(layer.weights_sqnr_db);
    }
    json["layers"].push_back(std::move(entry));
  }
}

}  // namespace hedge
