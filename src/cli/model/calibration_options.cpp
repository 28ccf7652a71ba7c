// SPDX-License-Identifier: Apache-2.0
#include "cli/model/calibration_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <utility>

#include "base/text.h"
#include "cli/model/model_options.h"
#include "cli/program/flags.h"
#include "hedge/error.h"
#include "quant/calibration_cache.h"

namespace hedge::cli {
namespace {

constexpr const char* kGroup = "Calibration of --precision=int8 and fp8";

}  // namespace

void add_range_options(CLI::App& app, CalibrationFlags& flags) {
  const TextFlags add(app, kGroup);
  add("--data", flags.data,
      "Folder of the datasets (default: $HEDGE_DATA, else data, else ../data)", "DIR");
  add("--calib_input", flags.input,
      "Images: records of CIFAR-10, a folder, folder:DIR or npy:X.npy,Y.npy (default: the "
      "dataset's training images, else its test images)",
      "FILE");
  add("--calib_cache", flags.cache,
      "Ranges, in TensorRT's format: read where it exists, else written (default "
      "MODEL_DATASET.cache)",
      "FILE");
  add("--calib_num_images", flags.images, "Images (default 25000, at most those there are)", "N");
  add("--calib_batch_size", flags.batch, "Images between two reports (default 512)", "N");
  add("--calib_preprocessor", flags.preprocessor, "Recipe of the images (default: the model's)",
      "RECIPE");
  add("--calib_method", flags.method, "entropy (default; for fp8 minmax), minmax, percentile, mse",
      "NAME");
  add("--calib_percentile", flags.percentile, "Of the method percentile (default 99.99)", "P");
  add("--calib_tensorrt", flags.tensorrt,
      "TensorRT version in the first line of the cache (default 8.6.2)", "VERSION");
  add("--calib_threads", flags.threads, "Threads that calibrate (default: one for each CPU)", "N");
}

void add_calibration_options(CLI::App& app, CalibrationFlags& flags) {
  add_range_options(app, flags);
  app.add_option("--keep", flags.keep,
                 "LAYER:fp32, LAYER:bf16 or LAYER:fp16 leaves a layer in that; first and last are "
                 "names too (repeatable)")
      ->group(kGroup)
      ->type_name("LAYER:PRECISION");
}

Int8Options int8_options(const CalibrationFlags& flags) {
  Int8Options options{.data = flags.data,
                      .input = flags.input,
                      .cache = flags.cache,
                      .images = parse_count("--calib_num_images", flags.images, 1, 1'000'000'000),
                      .batch = parse_count("--calib_batch_size", flags.batch, 1, 1'000'000),
                      .preprocessing = stated_recipe(flags.preprocessor),
                      .method = flags.method.empty()
                                    ? std::nullopt
                                    : std::optional(calibration_method_from_string(flags.method)),
                      .percentile = parse_number("--calib_percentile", flags.percentile, 1, 100),
                      .tensorrt_version = flags.tensorrt};
  (void)calibration_cache_header(options.tensorrt_version,
                                 options.method.value_or(CalibrationMethod::kEntropy));
  if (!flags.threads.empty()) {
    options.threads =
        static_cast<int>(parse_count("--calib_threads", flags.threads, 1, kMostThreads));
  }
  for (const std::string& text : flags.keep) options.keep.push_back(parse_keep(text));
  return options;
}

Int8Options with_progress(const Program& program, const CalibrationFlags& flags) {
  Int8Options options = int8_options(flags);
  options.progress = progress_of(program, "calibrating");
  return options;
}

std::function<void(std::int64_t, std::int64_t)> progress_of(const Program& program,
                                                            std::string label) {
  return [&program, label = std::move(label), bar = std::shared_ptr<ProgressBar>()](
             std::int64_t done, std::int64_t total) mutable {
    if (!bar) bar = std::make_shared<ProgressBar>(program, label, total);
    bar->update(done);
    if (done == total) bar.reset();
  };
}

std::string calibration_text(const CalibrationInfo& info) {
  std::string text = info.method;
  if (info.images > 0) {
    text +=
        fmt::format(" on {} image{} ({})", info.images, info.images == 1 ? "" : "s", info.source);
  }
  if (info.test_images) text += ", calibrated on test images";
  if (!info.cache.empty()) {
    text += fmt::format(", cache {} (SHA-256 {})", info.cache, info.cache_sha256.substr(0, 12));
  }
  if (!info.keep.empty()) text += fmt::format(", kept: {}", join_words(info.keep));
  return text;
}

}  // namespace hedge::cli
