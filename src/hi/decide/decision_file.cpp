// SPDX-License-Identifier: Apache-2.0
#include "hi/decide/decision_file.h"

#include <fmt/format.h>

#include <cmath>
#include <cstddef>

#include "base/file.h"
#include "base/json.h"
#include "base/naming.h"
#include "hedge/error.h"

namespace hedge {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

const json& member(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end()) throw bad_input(fmt::format("'{}' is missing", key));
  return *found;
}

double number(const json& value, const char* key) {
  const double read = value.is_number() ? value.get<double>() : std::nan("");
  if (!std::isfinite(read)) throw bad_input(fmt::format("'{}' is no number", key));
  return read;
}

double number_or(const json& object, const char* key, double otherwise) {
  const auto found = object.find(key);
  return found == object.end() ? otherwise : number(*found, key);
}

std::string text(const json& value, const char* key) {
  if (!value.is_string()) throw bad_input(fmt::format("'{}' is no text", key));
  return value.get<std::string>();
}

std::string text_or_empty(const json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() ? std::string() : text(*found, key);
}

const json& list(const json& object, const char* key) {
  const json& value = member(object, key);
  if (!value.is_array()) throw bad_input(fmt::format("'{}' is no list", key));
  return value;
}

void read_regression(const json& object, Decision& decision) {
  decision.intercept = number(member(object, "intercept"), "intercept");
  for (const json& feature : list(object, "features")) {
    decision.features.push_back(feature_named(text(feature, "features")));
  }
  for (const json& weight : list(object, "weights")) {
    decision.weights.push_back(number(weight, "weights"));
  }
}

Decision decision_from_json(const json& object) {
  Decision decision;
  decision.rule = rule_named(text(member(object, "rule"), "rule"));
  decision.temperature = number_or(object, "temperature", 1);
  switch (decision.rule) {
    case Rule::kLogistic:
      read_regression(object, decision);
      [[fallthrough]];
    case Rule::kTop1:
    case Rule::kMargin:
    case Rule::kEntropy:
    case Rule::kEnergy:
      decision.threshold = number(member(object, "threshold"), "threshold");
      break;
    case Rule::kRandom:
      decision.share = number(member(object, "share"), "share");
      if (const auto seed = object.find("seed"); seed != object.end()) {
        decision.seed = naming("seed", [&] { return json_integer<std::uint64_t>(*seed); });
      }
      break;
    default:
      break;
  }
  require_sensible(decision);
  return decision;
}

}  // namespace

DecisionFile decision_from_text(std::string_view text_of_file, const std::string& name) {
  return naming(name, [&] {
    json object;
    try {
      object = json::parse(text_of_file);
    } catch (const json::exception& error) {
      throw bad_input(fmt::format("no decision file: {}", json_reason(error)));
    }
    if (!object.is_object() || object.value("schema", json()) != kDecisionSchema) {
      throw bad_input(fmt::format(
          "no decision file: its 'schema' is not {}; `hedge fit` writes one", kDecisionSchema));
    }
    DecisionFile file;
    file.decision = decision_from_json(object);
    if (const auto classes = object.find("classes"); classes != object.end()) {
      file.classes = naming("classes", [&] { return json_integer<int>(*classes); });
      if (file.classes < 2) throw bad_input("'classes' is below 2");
    }
    file.model = text_or_empty(object, "model");
    file.origin = text_or_empty(object, "origin");
    if (const auto fit = object.find("fit"); fit != object.end()) file.fit = *fit;
    return file;
  });
}

DecisionFile read_decision(const std::filesystem::path& path) {
  return decision_from_text(read_text_file(path), path.string());
}

std::string decision_to_text(const DecisionFile& file) {
  const Decision& decision = file.decision;
  ordered_json object{{"schema", kDecisionSchema}, {"rule", name_of(decision.rule)}};
  if (has_threshold(decision.rule)) {
    object["threshold"] = decision.threshold;
    object["temperature"] = decision.temperature;
  }
  if (decision.rule == Rule::kLogistic) {
    object["intercept"] = decision.intercept;
    ordered_json features = ordered_json::array();
    for (const Feature feature : decision.features) features.push_back(name_of(feature));
    object["features"] = std::move(features);
    object["weights"] = decision.weights;
  }
  if (decision.rule == Rule::kRandom) {
    object["share"] = decision.share;
    object["seed"] = decision.seed;
  }
  if (file.classes > 0) object["classes"] = file.classes;
  if (!file.model.empty()) object["model"] = file.model;
  if (!file.origin.empty()) object["origin"] = file.origin;
  if (!file.fit.is_null()) object["fit"] = file.fit;
  return object.dump(2) + "\n";
}

void write_decision(const std::filesystem::path& path, const DecisionFile& file) {
  write_file(path, decision_to_text(file));
}

}  // namespace hedge
