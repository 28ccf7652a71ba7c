// SPDX-License-Identifier: Apache-2.0
#include "builder/calibration.h"

#include <fmt/format.h>

#include <list>
#include <utility>
#include <vector>

#include "builder/observe.h"
#include "engine/backend.h"
#include "hedge/error.h"
#include "quant/quantize.h"

namespace hedge {
namespace {

/// Thresholds by name; all activations without one are named together.
std::map<std::string, double> thresholds(const Graph& graph,
                                         const std::vector<ValueId>& activations,
                                         const std::vector<MagnitudeCounter>& seen,
                                         const CalibrationOptions& options) {
  std::map<std::string, double> found;
  std::string problems;
  for (std::size_t i = 0; i < activations.size(); ++i) {
    const std::string& name = graph.value(activations[i]).name;
    try {
      found[name] = calibrate_threshold(seen[i], options.method, options.percentile);
    } catch (const Error& error) {
      problems += fmt::format("{}{}: {}", problems.empty() ? "" : "; ", name, error.what());
    }
  }
  if (!problems.empty()) {
    throw bad_input(fmt::format(
        "no range can be had from the calibration images ({}); are they all alike?", problems));
  }
  return found;
}

}  // namespace

std::map<std::string, double> calibrate(const Graph& graph, const Backend& backend,
                                        const Dataset& dataset, const Preprocessing& prepare,
                                        const CalibrationOptions& options) {
  if (options.images < 1) throw bad_input("calibration on no images");
  const std::vector<ValueId> activations = quantizable_activations(graph);
  if (activations.empty()) {
    throw bad_input("no layer can run in int8: there is no Conv or Gemm with constant weights");
  }
  std::list<std::vector<MagnitudeCounter>> seen;  // One a thread; addresses last.
  observe(graph, backend, activations,
          {.dataset = dataset,
           .prepare = prepare,
           .images = options.images,
           .batch = options.batch,
           .threads = options.threads,
           .progress = options.progress},
          "calibration", [&]() -> Visitor {
            std::vector<MagnitudeCounter>& own = seen.emplace_back(activations.size());
            return [&own](const ExecutionContext& context, std::int64_t, std::int64_t count) {
              for (std::size_t i = 0; i < own.size(); ++i) {
                own[i].add(values_of(context, i, count));
              }
            };
          });
  std::vector<MagnitudeCounter> all(activations.size());
  for (const auto& own : seen) {
    for (std::size_t i = 0; i < all.size(); ++i) all[i].merge(own[i]);
  }
  return thresholds(graph, activations, all, options);
}

CalibrationCache cache_of(const std::map<std::string, double>& thresholds, const Graph& graph,
                          const std::string& header) {
  CalibrationCache cache{.header = header, .entries = {}};
  for (const ValueId id : quantizable_activations(graph)) {
    const std::string& name = graph.value(id).name;
    cache.entries.push_back({name, static_cast<float>(thresholds.at(name) / kInt8Levels)});
  }
  return cache;
}

std::map<std::string, double> thresholds_of(const CalibrationCache& cache, const Graph& graph) {
  std::vector<std::string> names;
  for (const ValueId id : quantizable_activations(graph)) names.push_back(graph.value(id).name);
  require_tensors(cache, names);
  std::map<std::string, double> thresholds;
  for (const std::string& name : names) {
    thresholds[name] = static_cast<double>(cache.find(name)->scale) * kInt8Levels;
  }
  return thresholds;
}

}  // namespace hedge
