// SPDX-License-Identifier: Apache-2.0
// Calibration caches: what they hold, how two differ, whether one fits a model.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "base/naming.h"
#include "base/text.h"
#include "builder/builder.h"
#include "builder/calibration.h"
#include "cli/model/model_options.h"
#include "cli/program/flags.h"
#include "cli/program/program.h"
#include "graph/passes/passes.h"
#include "hedge/error.h"
#include "quant/calibration_cache.h"

namespace hedge::cli {
namespace {

constexpr const char* kExamples =
    "Examples:\n"
    "  hedge cache show resnet8_cifar.cache                       scales and ranges\n"
    "  hedge cache diff entropy.cache minmax.cache                status 1 where they differ\n"
    "  hedge cache check resnet8_cifar.cache --onnx=resnet8_cifar.onnx\n"
    "\n"
    "The format is TensorRT's: a header, then a line a tensor with the eight hexadecimal digits "
    "of\n"
    "its scale, range / 127. check fails (status 2) where a tensor of the model is missing.\n";

struct Options {
  std::string action;
  std::vector<std::string> files;
  std::string onnx;
  std::string shape;
};

std::size_t name_width(const std::vector<CalibrationCache::Entry>& entries) {
  std::size_t width = 6;
  for (const auto& entry : entries) width = std::max(width, entry.tensor.size());
  return std::min<std::size_t>(width, 60);
}

int show(const Program& program, const Options& options) {
  const CalibrationCache cache = read_calibration_cache(options.files.at(0));
  const std::size_t width = name_width(cache.entries);
  program.print("{}: {}, {} tensors\n", options.files[0], printable(cache.header),
                cache.entries.size());
  program.print("{:<{}}  {:>14}  {:>14}\n", "tensor", width, "scale", "range");
  nlohmann::ordered_json json{{"schema", "hedge.cache/1"}, {"header", cache.header}};
  for (const auto& [tensor, scale] : cache.entries) {
    program.print("{:<{}}  {:>14.8g}  {:>14.6g}\n", printable(tensor), width, scale,
                  scale * kInt8Levels);
    json["tensors"].push_back({{"name", tensor}, {"scale", scale}});
  }
  program.write_json(json);
  return kExitSuccess;
}

int diff(const Program& program, const Options& options) {
  const CalibrationCache a = read_calibration_cache(options.files.at(0));
  const CalibrationCache b = read_calibration_cache(options.files.at(1));
  const std::size_t width = std::max(name_width(a.entries), name_width(b.entries));
  std::size_t differences = 0;
  nlohmann::ordered_json json{{"schema", "hedge.cache-diff/1"},
                              {"tensors", nlohmann::ordered_json::array()}};
  if (a.header != b.header) {
    ++differences;
    program.print("header: {} against {}\n", printable(a.header), printable(b.header));
  }
  const auto line = [&](const std::string& tensor, const std::string& text) {
    ++differences;
    program.print("{:<{}}  {}\n", printable(tensor), width, text);
  };
  for (const auto& [tensor, scale] : a.entries) {
    const auto* other = b.find(tensor);
    if (other == nullptr) {
      line(tensor, "in the first alone");
      json["tensors"].push_back({{"name", tensor}, {"a", scale}});
    } else if (other->scale != scale) {
      line(tensor, fmt::format("{:.8g} against {:.8g}, {:+.2f} %", scale, other->scale,
                               100 * (other->scale / scale - 1)));
      json["tensors"].push_back({{"name", tensor}, {"a", scale}, {"b", other->scale}});
    }
  }
  for (const auto& [tensor, scale] : b.entries) {
    if (a.find(tensor) != nullptr) continue;
    line(tensor, "in the second alone");
    json["tensors"].push_back({{"name", tensor}, {"b", scale}});
  }
  if (differences == 0) program.print("the same, {} tensors\n", a.entries.size());
  program.write_json(json);
  return differences == 0 ? kExitSuccess : kExitFailure;
}

int check(const Program& program, const Options& options) {
  if (options.onnx.empty()) throw bad_input("cache check: state the model with --onnx=FILE");
  const std::string& file = options.files.at(0);
  const CalibrationCache cache = read_calibration_cache(file);
  Graph graph = import_model(options.onnx, 1, parse_shapes(options.shape));
  optimize(graph);
  const auto needed = naming(file, [&] { return thresholds_of(cache, graph); });
  program.print("{}: fits {}, {} tensors\n", file, options.onnx, needed.size());
  std::vector<std::string> further;
  for (const auto& entry : cache.entries) {
    if (!needed.contains(entry.tensor)) further.push_back(printable(entry.tensor));
  }
  if (!further.empty()) program.print("not needed: {}\n", join_words(further));
  program.write_json({{"schema", "hedge.cache-check/1"},
                      {"fits", true},
                      {"tensors", needed.size()},
                      {"not_needed", further}});
  return kExitSuccess;
}

int run_action(const Program& program, const Options& options) {
  const std::map<std::string, std::pair<int (*)(const Program&, const Options&), std::size_t>>
      actions{{"show", {show, 1}}, {"diff", {diff, 2}}, {"check", {check, 1}}};
  const auto found = actions.find(options.action);
  if (found == actions.end()) {
    throw bad_input(fmt::format(
        "cache: {}; there are show, diff and check",
        options.action.empty() ? "what is to be done?" : "no '" + options.action + "'"));
  }
  const auto& [function, count] = found->second;
  if (options.files.size() != count) {
    throw bad_input(fmt::format("cache {} takes {} file{}, not {}", options.action, count,
                                count == 1 ? "" : "s", options.files.size()));
  }
  return function(program, options);
}

}  // namespace
}  // namespace hedge::cli

int main(int argc, char** argv) {
  using namespace hedge::cli;
  Program program("cache", "Show, compare and check calibration caches", kExamples);
  Options options;
  program.app().add_option("ACTION", options.action, "show, diff or check");
  program.app().add_option("FILE", options.files, "The cache; two for diff");
  program.app().add_option("-o,--onnx", options.onnx, "The model, for check")->type_name("FILE");
  add_shape_option(program.app(), options.shape);
  program.add_json_flag("schemas hedge.cache/1, hedge.cache-diff/1, hedge.cache-check/1");
  return program.run(argc, argv, [&] { return run_action(program, options); });
}
