// SPDX-License-Identifier: Apache-2.0
// A model with explicit quantisation, for TensorRT and others.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <utility>

#include "base/naming.h"
#include "builder/export_model.h"
#include "builder/prepare.h"
#include "cli/model/calibration_options.h"
#include "cli/model/model_options.h"
#include "cli/program/flags.h"
#include "cli/program/program.h"
#include "engine/engine_info_json.h"
#include "hedge/error.h"

namespace hedge::cli {
namespace {

constexpr const char* kExamples =
    "Examples:\n"
    "  hedge export-qdq --onnx=resnet8_cifar.onnx               writes resnet8_cifar_qdq.onnx\n"
    "  hedge export-qdq --onnx=net_imagenet.onnx --calib_cache=net.cache --keep=last:fp32\n"
    "\n"
    "Q/DQ pairs stand where TensorRT fuses them: on the inputs and weights of convolutions and on\n"
    "the residual input of each addition. Activations are int8 with zero point 0 (TensorRT takes\n"
    "nothing else); --unsigned holds those that are never negative in uint8, twice as fine, for\n"
    "ONNX Runtime and Hedge.\n";

struct Options {
  std::string onnx;
  std::string out;
  std::string dataset;
  std::string preprocess;
  std::string shape;
  std::string batch = "1";
  bool use_unsigned = false;
  CalibrationFlags calibration;
};

std::filesystem::path output_path(const Options& options) {
  if (!options.out.empty()) return options.out;
  std::filesystem::path path = options.onnx;
  return path.replace_filename(path.stem().string() + "_qdq.onnx");
}

int export_qdq(Program& program, const Options& options) {
  const CLI::App& app = program.app();
  if (options.onnx.empty()) throw bad_input("no model given; state one with --onnx=FILE");
  const std::filesystem::path out = output_path(options);
  const auto check_files = [&](const std::filesystem::path& calibration) {
    program.check_files(
        {.written = {{"--out", out.string()}}, .kept = {{"--calib_cache", calibration.string()}}});
  };
  check_files(options.calibration.cache);
  Int8Options int8 = with_progress(program, options.calibration);
  int8.signed_only = !options.use_unsigned;
  PreparedModel model = prepare_model(
      options.onnx, {.backend = {},
                     .precision = "int8",
                     .dataset = options.dataset,
                     .preprocessing = stated_recipe(options.preprocess),
                     .batch = parse_count("--engine_batch_size", options.batch, 1, kMostImages),
                     .shapes = parse_shapes(options.shape),
                     .timing_cache = {}});
  naming(options.onnx, [&] {
    if (model.came_quantized) {
      for (const char* idle : {"--calib_", "--keep", "--unsigned"}) {
        warn_of_idle_flags(app, idle, "models in floating point");
      }
    }
    if (!model.came_quantized) check_files(calibration_cache_path(model.info, int8));
    make_int8(model, int8);
    export_model(model.graph, out);
  });
  program.print("wrote      {}\n", out.string());
  program.print("ranges     {}\n", calibration_text(*model.info.calibration));
  program.write_json(
      {{"schema", "hedge.export/1"},
       {"file", out.string()},
       {"calibration", nlohmann::ordered_json(nlohmann::json(*model.info.calibration))}});
  return kExitSuccess;
}

}  // namespace
}  // namespace hedge::cli

int main(int argc, char** argv) {
  using namespace hedge::cli;
  Program program("export-qdq", "Write a quantised ONNX model with explicit Q/DQ nodes", kExamples);
  Options options;
  CLI::App& app = program.app();
  app.add_option("-o,--onnx", options.onnx, "The model")->type_name("FILE");
  app.add_option("--out", options.out, "The new model (default: the model's name with _qdq.onnx)")
      ->type_name("FILE");
  app.add_option("--dataset", options.dataset, "As for build_engine")->type_name("NAME");
  app.add_option("--preprocess", options.preprocess, "Recipe (default: that of the name)")
      ->type_name("RECIPE");
  app.add_option("--engine_batch_size", options.batch, "Images of one inference (default 1)")
      ->type_name("N");
  app.add_flag("--unsigned", options.use_unsigned, "uint8 for activations that are never negative");
  add_shape_option(app, options.shape);
  add_calibration_options(app, options.calibration);
  program.add_json_flag("schema hedge.export/1");
  return program.run(argc, argv, [&] { return export_qdq(program, options); });
}
