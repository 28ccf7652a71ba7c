// SPDX-License-Identifier: Apache-2.0
#include "engine/engine_info_json.h"

#include "base/json.h"
#include "base/tensor.h"
#include "data/recipes.h"

namespace hedge {

void to_json(nlohmann::json& json, const Binding& binding) {
  json = {{"name", binding.name}, {"shape", binding.shape}};
}

void from_json(const nlohmann::json& json, Binding& binding) {
  json.at("name").get_to(binding.name);
  binding.shape = json_integers<std::int64_t>(json.at("shape"));
  (void)element_count(binding.shape);
}

void to_json(nlohmann::json& json, const CalibrationInfo& info) {
  json = {{"method", info.method}, {"images", info.images},
          {"source", info.source}, {"test_images", info.test_images},
          {"cache", info.cache},   {"cache_sha256", info.cache_sha256},
          {"keep", info.keep}};
}

void from_json(const nlohmann::json& json, CalibrationInfo& info) {
  json.at("method").get_to(info.method);
  info.images = json_integer<std::int64_t>(json.at("images"));
  json.at("source").get_to(info.source);
  json.at("test_images").get_to(info.test_images);
  json.at("cache").get_to(info.cache);
  json.at("cache_sha256").get_to(info.cache_sha256);
  json.at("keep").get_to(info.keep);
}

void to_json(nlohmann::json& json, const BatchRange& range) {
  json = {{"least", range.least}, {"tuned", range.tuned}, {"most", range.most}};
}

void from_json(const nlohmann::json& json, BatchRange& range) {
  range.least = json_integer<std::int64_t>(json.at("least"));
  range.tuned = json_integer<std::int64_t>(json.at("tuned"));
  range.most = json_integer<std::int64_t>(json.at("most"));
}

void to_json(nlohmann::json& json, const ExitInfo& info) {
  json = {{"output", info.output},
          {"ends_in_softmax", info.ends_in_softmax},
          {"multiply_accumulates", info.multiply_accumulates},
          {"cut", info.cut}};
}

void from_json(const nlohmann::json& json, ExitInfo& info) {
  info.output = json_integer<std::size_t>(json.at("output"));
  json.at("ends_in_softmax").get_to(info.ends_in_softmax);
  info.multiply_accumulates = json_integer<std::int64_t>(json.at("multiply_accumulates"));
  json.at("cut").get_to(info.cut);
}

void to_json(nlohmann::json& json, const EngineInfo& info) {
  json = {{"model", info.model},
          {"dataset", info.dataset},
          {"precision", info.precision},
          {"backend", info.backend},
          {"source_file", info.source_file},
          {"source_sha256", info.source_sha256},
          {"target", info.target},
          {"builder_version", info.builder_version},
          {"inputs", info.inputs},
          {"outputs", info.outputs},
          {"parameters", info.parameters},
          {"multiply_accumulates", info.multiply_accumulates},
          {"batch", info.batch},
          {"ends_in_softmax", info.ends_in_softmax}};
  if (!info.trained_on.empty() && info.trained_on != info.dataset)
    json["trained_on"] = info.trained_on;
  if (info.tf32) json["tf32"] = true;
  if (info.preprocessing) json["preprocessing"] = *info.preprocessing;
  if (info.calibration) json["calibration"] = *info.calibration;
  if (info.exit) json["exit"] = *info.exit;
  if (info.batches) json["batches"] = *info.batches;
}

void from_json(const nlohmann::json& json, EngineInfo& info) {
  json.at("model").get_to(info.model);
  json.at("dataset").get_to(info.dataset);
  info.trained_on = json.value("trained_on", info.dataset);
  json.at("precision").get_to(info.precision);
  info.tf32 = json.value("tf32", false);
  json.at("backend").get_to(info.backend);
  json.at("source_file").get_to(info.source_file);
  json.at("source_sha256").get_to(info.source_sha256);
  json.at("target").get_to(info.target);
  json.at("builder_version").get_to(info.builder_version);
  json.at("inputs").get_to(info.inputs);
  json.at("outputs").get_to(info.outputs);
  info.parameters = json_integer<std::int64_t>(json.at("parameters"));
  info.multiply_accumulates = json_integer<std::int64_t>(json.at("multiply_accumulates"));
  info.batch = json_integer<std::int64_t>(json.at("batch"));
  json.at("ends_in_softmax").get_to(info.ends_in_softmax);
  if (json.contains("preprocessing")) {
    info.preprocessing = json.at("preprocessing").get<PreprocessingRecipe>();
  }
  if (json.contains("calibration")) {
    info.calibration = json.at("calibration").get<CalibrationInfo>();
  }
  if (json.contains("exit")) info.exit = json.at("exit").get<ExitInfo>();
  if (json.contains("batches")) info.batches = json.at("batches").get<BatchRange>();
  if (info.inputs.size() != 1 || info.outputs.empty() || info.batch < 1) {
    throw bad_input("the metadata does not describe a classifier with one input");
  }
  if (info.batches && (info.batches->least != info.batch || info.batches->tuned < info.batch ||
                       info.batches->most < info.batches->tuned)) {
    throw bad_input("the metadata's range of batches is none");
  }
  if (info.exit && (info.exit->output == 0 || info.exit->output >= info.outputs.size() ||
                    element_count(info.outputs[info.exit->output].shape) !=
                        element_count(info.outputs[0].shape))) {
    throw bad_input("the metadata's early exit is none of the outputs, or has other classes");
  }
}

}  // namespace hedge
