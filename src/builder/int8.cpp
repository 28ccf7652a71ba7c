// SPDX-License-Identifier: Apache-2.0
#include "builder/int8.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <span>
#include <thread>
#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "base/naming.h"
#include "base/sha256.h"
#include "base/text.h"
#include "builder/calibration.h"
#include "builder/calibration_images.h"
#include "builder/float8.h"
#include "builder/prepare.h"
#include "data/dataset_names.h"
#include "hedge/error.h"
#include "quant/quantize.h"

namespace hedge {
namespace {

namespace fs = std::filesystem;

/// Below it the largest values of an activation have hardly been seen.
constexpr std::int64_t kFewImages = 100;

std::string method_text(const Int8Options& options) {
  std::string text(to_string(*options.method));
  if (options.method == CalibrationMethod::kPercentile) {
    text += fmt::format(" {}", options.percentile);
  }
  return text;
}

std::string file_hash(const fs::path& file) {
  return sha256_hex(MappedFile::open(file)->bytes());
}

/// "EntropyCalibration2" of "TRT-8602-EntropyCalibration2".
std::string_view calibrator_of(std::string_view header) {
  return header.substr(header.rfind('-') + 1);
}

Ranges read_ranges(const Graph& graph, const fs::path& file, const Int8Options& options) {
  const CalibrationCache cache = read_calibration_cache(file);
  const std::string wanted = calibration_cache_header(options.tensorrt_version, *options.method);
  if (calibrator_of(wanted) == calibrator_of(cache.header) && wanted != cache.header) {
    log(LogLevel::kInfo, fmt::format("the calibration cache keeps its header, {}; TensorRT reads "
                                     "caches of its own version only",
                                     printable(cache.header)));
  }
  if (calibrator_of(wanted) != calibrator_of(cache.header)) {
    log(LogLevel::kWarning,
        fmt::format("the calibration cache {} is by {}, not by the method {}: its ranges are "
                    "taken; delete it to calibrate anew",
                    file.string(), printable(calibrator_of(cache.header)), method_text(options)));
  }
  log(LogLevel::kInfo, fmt::format("ranges from the calibration cache {} ({}): no image is read; "
                                   "delete it to calibrate anew",
                                   file.string(), printable(cache.header)));
  Ranges ranges;
  ranges.thresholds = naming(file.string(), [&] { return thresholds_of(cache, graph); });
  ranges.info = {.method = "cache " + printable(cache.header),
                 .cache = file.string(),
                 .cache_sha256 = file_hash(file)};
  return ranges;
}

std::string images_text(std::int64_t count) {
  return count == 1 ? "1 image" : fmt::format("{} images", count);
}

/// No pixel of 0 to 255 becomes a negative number.
bool never_negative(const PreprocessingRecipe& recipe) {
  return recipe.scale >= 0 &&
         std::ranges::all_of(recipe.mean, [](double mean) { return mean <= 0; }) &&
         std::ranges::all_of(recipe.std, [](double std) { return std > 0; });
}

void warn_of_test_images(const CalibrationImages& images) {
  if (!images.test_images) return;
  log(LogLevel::kWarning,
      fmt::format("calibrating on test images ({}): accuracy measured on them flatters the "
                  "engine; name others with --calib_input",
                  images.source));
}

Ranges calibrate_on_images(const PreparedModel& model, const fs::path& file,
                           const Int8Options& options) {
  const std::string header = calibration_cache_header(options.tensorrt_version, *options.method);
  if (options.write_cache) require_writable(file);
  const PreprocessingRecipe& recipe =
      options.preprocessing ? *options.preprocessing : *model.info.preprocessing;
  const CalibrationImages images =
      open_calibration_images(model.info.dataset, options.data, options.input, recipe);
  warn_of_test_images(images);
  require_different_images(images, options.images);
  const int cpus = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  Ranges ranges;
  ranges.thresholds = calibrate(model.graph, *model.backend, *images.dataset, Preprocessing(recipe),
                                {.method = *options.method,
                                 .percentile = options.percentile,
                                 .images = options.images,
                                 .batch = options.batch,
                                 .threads = options.threads > 0 ? options.threads : cpus,
                                 .progress = options.progress});
  ranges.info = {
      .method = method_text(options),
      .images = std::min(options.images, static_cast<std::int64_t>(images.dataset->size())),
      .source = images.source,
      .test_images = images.test_images};
  if (ranges.info.images < kFewImages) {
    log(LogLevel::kWarning,
        fmt::format(
            "calibrated on {}: the ranges cut off what others reach; some hundreds are usual",
            images_text(ranges.info.images)));
  }
  if (options.write_cache) {
    write_calibration_cache(file, cache_of(ranges.thresholds, model.graph, header));
    ranges.info.cache = file.string();
    ranges.info.cache_sha256 = file_hash(file);
  } else {
    log(LogLevel::kInfo,
        fmt::format("ranges by {} on {} ({}), not kept; build_engine --int8 keeps them",
                    ranges.info.method, images_text(ranges.info.images), ranges.info.source));
  }
  return ranges;
}

/// Images for the vendor's calibrator, in batches of the engine's.
struct NativeImages {
  CalibrationImages images;
  Preprocessing prepare;
  std::int64_t total = 0, batch = 1, done = 0;
  std::function<void(std::int64_t done, std::int64_t total)> progress;

  bool next(std::span<float> tensor) {
    if (total - done < batch) return false;
    const std::size_t size = tensor.size() / static_cast<std::size_t>(batch);
    for (std::int64_t i = 0; i < batch; ++i, ++done) {
      prepare(images.dataset->image(static_cast<std::size_t>(done)),
              tensor.subspan(static_cast<std::size_t>(i) * size, size));
    }
    if (progress) progress(done, total);
    return true;
  }
};

void calibrate_natively(PreparedModel& model, const FloatLayers& kept, const Int8Options& options) {
  if (!model.backend->traits().native_calibrator) {
    throw bad_input(fmt::format(
        "--calibrator=native: backend {} ({}) has no calibrator; leave the flag out, and Hedge "
        "calibrates",
        model.backend->name(), model.backend->description()));
  }
  for (const auto& [layer, precision] : kept) model.build.layers[layer] = precision;
  NativeCalibration native{.cache = calibration_cache_path(model.info, options)};
  model.info.calibration = CalibrationInfo{.method = "native", .cache = native.cache.string()};
  std::error_code error;
  if (fs::exists(native.cache, error)) {
    native.next = [file = native.cache.string()](std::span<float>) -> bool {
      throw bad_input(
          fmt::format("{}: TensorRT does not take this calibration cache; delete it to "
                      "calibrate anew",
                      file));
    };
    log(LogLevel::kInfo, fmt::format("ranges from TensorRT's calibration cache {}: no image is "
                                     "read; delete it to calibrate anew",
                                     native.cache.string()));
  } else {
    require_writable(native.cache);
    const PreprocessingRecipe& recipe =
        options.preprocessing ? *options.preprocessing : *model.info.preprocessing;
    auto images = std::make_shared<NativeImages>(NativeImages{
        .images = open_calibration_images(model.info.dataset, options.data, options.input, recipe),
        .prepare = Preprocessing(recipe),
        .batch = model.info.batch,
        .progress = options.progress});
    warn_of_test_images(images->images);
    require_different_images(images->images, options.images);
    images->total =
        std::min(options.images, static_cast<std::int64_t>(images->images.dataset->size()));
    if (images->total < images->batch) {
      throw bad_input(
          fmt::format("{} calibration images for batches of {}", images->total, images->batch));
    }
    model.info.calibration->images = images->total / images->batch * images->batch;
    model.info.calibration->source = images->images.source;
    model.info.calibration->test_images = images->images.test_images;
    native.next = [images](std::span<float> tensor) { return images->next(tensor); };
  }
  model.build.native_calibration = std::move(native);
}

}  // namespace

fs::path calibration_cache_path(const EngineInfo& info, const Int8Options& options) {
  if (!options.cache.empty()) return options.cache;
  const bool named = !info.dataset.empty() && !is_own_dataset(info.dataset);
  const bool native = options.native && info.precision != "fp8";
  return fmt::format("{}{}{}.cache", info.model, named ? "_" + info.dataset : "",
                     native                    ? ".native"
                     : info.precision == "fp8" ? ".fp8"
                                               : "");
}

Ranges find_ranges(const PreparedModel& model, const Int8Options& stated) {
  Int8Options options = stated;
  // Integers lose steps to what hardly occurs, floats do not: there the largest value counts.
  const bool float8 = model.build.precision == "fp8";
  if (!options.method) {
    options.method = float8 ? CalibrationMethod::kMinMax : CalibrationMethod::kEntropy;
  }
  const fs::path file = calibration_cache_path(model.info, options);
  std::error_code error;
  Ranges ranges = fs::exists(file, error) ? read_ranges(model.graph, file, options)
                                          : calibrate_on_images(model, file, options);
  for (const auto& [name, precision] : options.keep) {
    ranges.info.keep.push_back(fmt::format("{}:{}", name, precision));
  }
  return ranges;
}

FloatLayers kept_layers(const Graph& graph, const Int8Options& options) {
  FloatLayers kept;
  for (const auto& [name, precision] : options.keep) {
    const auto [entry, fresh] = kept.emplace(resolve_layer(graph, name), precision);
    if (!fresh && entry->second != precision) {
      throw bad_input(fmt::format("--keep says both {} and {} of layer {}", entry->second,
                                  precision, entry->first));
    }
  }
  return kept;
}

void quantize_model(PreparedModel& model, const Ranges& ranges, const FloatLayers& floating,
                    std::optional<bool> signed_only) {
  QuantizeOptions options{
      .unsigned_input = never_negative(*model.info.preprocessing),
      .signed_only = signed_only.value_or(model.backend->traits().signed_int8_only)};
  for (const auto& [name, precision] : floating) {
    options.keep.insert(name);
    model.build.layers[name] = precision;
  }
  model.float_graph = model.graph;
  quantize(model.graph, ranges.thresholds, options);
  model.info.calibration = ranges.info;
}

void make_int8(PreparedModel& model, const Int8Options& options) {
  if (model.build.precision == "fp8") return make_float8(model, options);
  const bool chooses = model.build.precision == "best" && options.native;  // The compiler does.
  if ((model.build.precision != "int8" && !chooses) || model.came_quantized) return;
  const FloatLayers kept = kept_layers(model.graph, options);
  if (options.native) return calibrate_natively(model, kept, options);
  quantize_model(model, find_ranges(model, options), kept, options.signed_only);
}

std::pair<std::string, std::string> parse_keep(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == text.size()) {
    throw bad_input(fmt::format(
        "--keep={}: write LAYER:PRECISION, as first:fp32, last:bf16 or NAME:fp32", text));
  }
  const std::string precision = text.substr(colon + 1);
  if (precision != "fp32" && precision != "bf16" && precision != "fp16") {
    throw bad_input(fmt::format(
        "--keep={}: no precision '{}' to keep a layer in; there are fp32, bf16 and fp16", text,
        precision));
  }
  return {text.substr(0, colon), precision};
}

}  // namespace hedge
