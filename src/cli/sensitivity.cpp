// SPDX-License-Identifier: Apache-2.0
// Which layers suffer most from 8 bits.
#include "builder/sensitivity.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <utility>

#include "base/naming.h"
#include "base/text.h"
#include "builder/calibration_images.h"
#include "cli/model/calibration_options.h"
#include "cli/model/model_options.h"
#include "cli/program/flags.h"
#include "cli/program/program.h"
#include "hedge/error.h"

namespace hedge::cli {
namespace {

constexpr const char* kExamples =
    "Examples:\n"
    "  hedge sensitivity --onnx=resnet8_cifar.onnx --iterations=1000\n"
    "  build_engine --onnx=resnet8_cifar.onnx --int8 --keep=LAYER:fp32   for the layers on top\n"
    "\n"
    "Each layer alone in int8, the others in fp32: the scores' signal to quantisation noise and\n"
    "what becomes of top-1 on the dataset's test images. The layer that suffers most comes "
    "first.\n";

struct Options {
  std::string onnx;
  std::string backend;
  std::string dataset;
  std::string preprocess;
  std::string shape;
  std::string iterations = "1000";
  CalibrationFlags calibration;
};

void print_layers(const Program& program, const SensitivityReport& report) {
  const auto share = [&](std::int64_t count) {
    return 100 * static_cast<double>(count) / static_cast<double>(report.images);
  };
  program.print("fp32       {:.2f} % top-1 on {} images\n", share(report.fp32_correct),
                report.images);
  program.print("{:>9}  {:>12}  {:>13}  {}\n", "scores dB", "top-1 change", "other class", "layer");
  for (const LayerSensitivity& layer : report.layers) {
    program.print("{:>9}  {:>+10.2f} %  {:>11.2f} %  {}\n",
                  layer.scores_sqnr_db ? fmt::format("{:.1f}", *layer.scores_sqnr_db) : "-",
                  share(layer.correct - report.fp32_correct), share(layer.changed),
                  printable(layer.layer));
  }
}

int analyse(const Program& program, const Options& options) {
  if (options.onnx.empty()) throw bad_input("no model given; state one with --onnx=FILE");
  const auto check_files = [&](const std::filesystem::path& calibration) {
    program.check_files({.written = {}, .kept = {{"--calib_cache", calibration.string()}}});
  };
  check_files(options.calibration.cache);
  Int8Options int8 = with_progress(program, options.calibration);
  const PreparedModel model =
      prepare_model(options.onnx, {.backend = options.backend,
                                   .precision = "int8",
                                   .dataset = options.dataset,
                                   .preprocessing = stated_recipe(options.preprocess),
                                   .shapes = parse_shapes(options.shape),
                                   .timing_cache = {}});
  if (model.came_quantized) {
    throw bad_input(fmt::format(
        "{}: is quantised already, by its Q/DQ nodes; give the model in fp32", options.onnx));
  }
  check_files(calibration_cache_path(model.info, int8));
  const auto dataset = open_test_images(model.info, options.calibration.data);
  const auto size = static_cast<std::int64_t>(dataset->size());
  const Preprocessing prepare(*model.info.preprocessing);
  const SensitivityReport report = naming(options.onnx, [&] {
    const Ranges ranges = find_ranges(model, int8);
    return analyse_sensitivity(model, ranges,
                               {.dataset = *dataset,
                                .prepare = prepare,
                                .images = parse_iterations(options.iterations, size),
                                .threads = int8.threads},
                               progress_of(program, "layers"));
  });
  print_layers(program, report);
  program.write_json(nlohmann::ordered_json(nlohmann::json(report)));
  return kExitSuccess;
}

}  // namespace
}  // namespace hedge::cli

int main(int argc, char** argv) {
  using namespace hedge::cli;
  Program program("sensitivity", "Rank the layers of a model by what int8 does to them", kExamples);
  Options options;
  CLI::App& app = program.app();
  app.add_option("-o,--onnx", options.onnx, "The model")->type_name("FILE");
  app.add_option("--backend", options.backend, "Backend (hedge info lists them)")
      ->type_name("NAME");
  app.add_option("--dataset", options.dataset, "As for build_engine")->type_name("NAME");
  app.add_option("--preprocess", options.preprocess, "Recipe (default: that of the name)")
      ->type_name("RECIPE");
  app.add_option("--iterations", options.iterations,
                 "Test images for each layer; 0 or all: the whole set (default 1000)")
      ->type_name("N");
  add_shape_option(app, options.shape);
  add_range_options(app, options.calibration);
  program.add_json_flag("schema hedge.sensitivity/1");
  return program.run(argc, argv, [&] { return analyse(program, options); });
}
