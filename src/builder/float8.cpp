// SPDX-License-Identifier: Apache-2.0
#include "builder/float8.h"

#include <fmt/format.h>

#include <functional>
#include <numeric>

#include "base/log.h"
#include "base/text.h"
#include "graph/query.h"
#include "hedge/error.h"
#include "quant/calibration_cache.h"
#include "quant/quantize.h"

namespace hedge {
namespace {

/// TensorRT's release notes (10.x, limitations): convolutions with larger windows and grouped ones
/// have no kernels in FP8, or slow ones.
constexpr std::int64_t kLargestWindow = 32;

bool has_no_kernel(const Graph& graph, const Node& node) {
  if (!is_op(node, "Conv")) return false;
  const Shape& weights = graph.value(node.inputs[1]).type.shape;
  const std::int64_t window =
      std::accumulate(weights.begin() + 2, weights.end(), std::int64_t{1}, std::multiplies<>());
  return node.attributes.get_int("group", 1) > 1 || window > kLargestWindow;
}

/// What computes in int8 by the rules of quantize(), in 8-bit floats.
Float8Form form_of(Graph graph, const Ranges& ranges, const FloatLayers& kept) {
  QuantizeOptions options{.signed_only = true};
  for (const auto& [name, precision] : kept) options.keep.insert(name);
  quantize(graph, ranges.thresholds, options);
  Float8Form form;
  for (const Value& value : graph.values) {
    if (value.constant || !value.quantization) continue;
    form.activations[value.name] = double{value.quantization->scales.front()} * kInt8Levels;
  }
  for (const Node& node : graph.nodes) {
    if (is_int8(graph, node)) form.layers.insert(node.name);
  }
  return form;
}

}  // namespace

void make_float8(PreparedModel& model, const Int8Options& options) {
  if (options.native) throw bad_input("--calibrator=native: goes with --precision=int8 or --best");
  if (!model.backend->traits().float8) return;
  FloatLayers kept = kept_layers(model.graph, options);
  std::vector<std::string> slow;
  for (const Node& node : model.graph.nodes) {
    if (!has_no_kernel(model.graph, node) || kept.contains(node.name)) continue;
    slow.push_back(node.name);
    kept[node.name] = model.build.fallback;
  }
  if (!slow.empty()) {
    log(LogLevel::kInfo,
        fmt::format("{} layers stay in {}, as TensorRT has no fast fp8 for grouped "
                    "convolutions and for windows above {} places: {}",
                    slow.size(), model.build.fallback, kLargestWindow, join_words(slow)));
  }
  const Ranges ranges = find_ranges(model, options);
  Float8Form form = form_of(model.graph, ranges, kept);
  if (form.layers.empty()) {
    throw bad_input(
        "precision fp8: none of the model's layers would compute in it; use "
        "--precision=fp16");
  }
  for (const auto& [name, precision] : kept) {
    if (precision != model.build.fallback) model.build.layers[name] = precision;
  }
  model.info.calibration = ranges.info;
  model.build.float8 = std::move(form);
}

}  // namespace hedge
