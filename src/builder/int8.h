// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "graph/graph.h"
#include "hedge/engine.h"
#include "hedge/preprocessing.h"
#include "quant/threshold.h"

namespace hedge {

struct PreparedModel;

/// How an INT8 engine gets its ranges, and which layers are left out.
struct Int8Options {
  std::filesystem::path data{};  ///< Folder of the datasets; empty as for Dataset::open.
  std::string input{};           ///< As open_calibration_images.
  /// Empty: MODEL_DATASET.cache in the current folder, MODEL_DATASET.fp8.cache for fp8.
  std::filesystem::path cache{};
  bool write_cache = true;
  std::int64_t images = 25'000;                        ///< At most.
  std::int64_t batch = 512;                            ///< Images between two reports of progress.
  std::optional<PreprocessingRecipe> preprocessing{};  ///< Of the images; empty: the model's.
  std::optional<CalibrationMethod> method{};           ///< Empty: entropy; for fp8 min-max.
  double percentile = kDefaultPercentile;
  std::string tensorrt_version = "8.6.2";  ///< Whose cache is written.
  /// Layers that are to stay in floating point and their precisions ("fp32", "bf16", "fp16");
  /// "first" and "last" are names too.
  std::vector<std::pair<std::string, std::string>> keep{};
  /// No uint8, as TensorRT demands; empty: as the backend wants it.
  std::optional<bool> signed_only{};
  int threads = 0;  ///< 0: every CPU.
  /// The backend's own calibrator takes the images, and its cache the ranges (MODEL_DATASET.native
  /// .cache where none is named).
  bool native = false;
  /// Called from one thread at a time. May be empty.
  std::function<void(std::int64_t done, std::int64_t total)> progress{};
};

/// Thresholds by the names of activations, and where they come from.
struct Ranges {
  std::map<std::string, double> thresholds;
  CalibrationInfo info;
};

/// The calibration cache of the model: that of the options, else one named after it.
[[nodiscard]] std::filesystem::path calibration_cache_path(const EngineInfo& info,
                                                           const Int8Options& options);

/// From the cache where that exists (no image is read then), else by calibration on images, which
/// writes the cache. The graph is optimised and in floating point. Throws bad_input: as
/// thresholds_of, open_calibration_images, require_different_images and calibrate do;
/// runtime_failure when cancelled, and nothing is written then.
[[nodiscard]] Ranges find_ranges(const PreparedModel& model, const Int8Options& options);

/// Precisions of layers with weights that do not run in int8, by the names of their nodes.
using FloatLayers = std::map<std::string, std::string>;

/// `keep` with the layers' own names. Throws bad_input: no such layer, two precisions for one.
[[nodiscard]] FloatLayers kept_layers(const Graph& graph, const Int8Options& options);

/// Gives the graph of a model its quantisation, but for the layers of `floating`.
void quantize_model(PreparedModel& model, const Ranges& ranges, const FloatLayers& floating,
                    std::optional<bool> signed_only = {});

/// quantize_model by the options' ranges for a model that is to be int8, make_float8 for one that
/// is to be fp8; another, or one that came with it, stays as it is. With `native` the graph stays
/// in floating point, and the backend gets the images, of a model that is to be "best" as well: its
/// compiler chooses the precisions then. Throws as kept_layers, find_ranges and quantize do;
/// bad_input where the backend has no calibrator.
void make_int8(PreparedModel& model, const Int8Options& options);

/// `--keep=LAYER:PRECISION`, fp32, bf16 or fp16, as name and precision. Names may hold colons.
/// Throws bad_input: no colon, another precision.
[[nodiscard]] std::pair<std::string, std::string> parse_keep(const std::string& text);

}  // namespace hedge
