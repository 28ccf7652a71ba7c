// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "graph/graph.h"
#include "hedge/dataset.h"
#include "hedge/preprocessing.h"
#include "quant/calibration_cache.h"
#include "quant/threshold.h"

namespace hedge {

class Backend;

/// How the ranges of activations are found.
struct CalibrationOptions {
  CalibrationMethod method = CalibrationMethod::kEntropy;
  double percentile = kDefaultPercentile;
  std::int64_t images = 25'000;  ///< At most; the first of the set.
  std::int64_t batch = 512;      ///< Images between two reports of progress.
  int threads = 1;               ///< Each runs a net of its own.
  /// Called from one thread at a time. May be empty.
  std::function<void(std::int64_t done, std::int64_t total)> progress;
};

/// Runs the optimised graph in fp32 on the first images of `dataset` and returns the threshold of
/// each activation (quantizable_activations) by its name. The result does not depend on batch and
/// threads. Memory does not grow with the number of images. Throws bad_input naming: activations
/// that are zero or not finite on all images; runtime_failure when cancelled.
[[nodiscard]] std::map<std::string, double> calibrate(const Graph& graph, const Backend& backend,
                                                      const Dataset& dataset,
                                                      const Preprocessing& prepare,
                                                      const CalibrationOptions& options);

/// Thresholds as a cache holds them: threshold / 127.
[[nodiscard]] CalibrationCache cache_of(const std::map<std::string, double>& thresholds,
                                        const Graph& graph, const std::string& header);
/// Throws bad_input naming the activations of the graph that the cache lacks.
[[nodiscard]] std::map<std::string, double> thresholds_of(const CalibrationCache& cache,
                                                          const Graph& graph);

}  // namespace hedge
