// SPDX-License-Identifier: Apache-2.0
// ONNX file to engine file.
#include <fmt/format.h>

#include <filesystem>

#include "base/cancellation.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "builder/builder.h"
#include "cli/flags.h"
#include "cli/model_options.h"
#include "cli/program.h"
#include "data/recipes.h"
#include "engine/engine_info_json.h"
#include "engine/engine_name.h"
#include "hedge/error.h"

namespace hedge::cli {
namespace {

constexpr const char* kExamples =
    "Examples:\n"
    "  build_engine --onnx=resnet8_cifar.onnx                     writes "
    "resnet8_cifar_fp32.engine\n"
    "  build_engine --onnx=net.onnx --dataset=cifar --preprocess=scale=1/255,mean=0.5,std=0.25\n"
    "\n"
    "The name of the ONNX file, model_dataset.onnx, gives dataset and preprocessing unless flags "
    "do.\n"
    "--saveEngine, --fp16, --int8, --best, --skipInference and --builderOptimizationLevel are "
    "those\n"
    "of trtexec.\n";

struct Options {
  std::string onnx;
  std::string engine;
  std::string precision;
  std::string backend;
  std::string dataset;
  std::string preprocess;
  std::string data;
  std::string threads = "1";
  std::string batch = "1";
  std::string shape;
  std::string level = "3";
  std::string timing_cache = "./timing.cache";
  std::string calib_input;
  std::string calib_cache;
  std::string calib_num_images = "25000";
  std::string calib_batch_size = "512";
  std::string calib_preprocessor;
};

std::filesystem::path engine_path(const Options& options, const EngineInfo& info) {
  if (!options.engine.empty()) return options.engine;
  std::filesystem::path path = options.onnx;
  return path.replace_filename(path.stem().string() + "_" + info.precision + ".engine");
}

int build(const Program& program, const Options& options) {
  if (options.onnx.empty()) throw bad_input("no model given; state one with --onnx=FILE");
  if (options.precision == "int8") {
    throw bad_input("--precision=int8: INT8 with calibration is not there yet; fp32 and bf16 are");
  }
  (void)parse_count("--calib_num_images", options.calib_num_images, 1, 1'000'000'000);
  (void)parse_count("--calib_batch_size", options.calib_batch_size, 1, 1'000'000);
  require_distinct({{"--onnx", options.onnx},
                    {"--engine", options.engine},
                    {"--timing_cache", options.timing_cache},
                    {"--json", program.json_file()}});
  if (!options.engine.empty()) require_writable(options.engine);
  const std::int64_t begin = SteadyClock::now_ns();
  const EngineContainer container = build_engine(
      options.onnx, {.backend = options.backend,
                     .precision = options.precision,
                     .dataset = options.dataset,
                     .preprocessing = stated_recipe(options.preprocess),
                     .batch = parse_count("--engine_batch_size", options.batch, 1, kMostImages),
                     .shapes = parse_shapes(options.shape),
                     .optimization_level = static_cast<int>(
                         parse_count("--builderOptimizationLevel", options.level, 0, 1000)),
                     .threads = thread_count(options.threads),
                     .timing_cache = options.timing_cache});
  warn_of_overridden_keys(options.preprocess, *container.info.preprocessing);
  if (cancellation_requested()) throw runtime_failure("cancelled; no engine was written");
  const std::filesystem::path path = engine_path(options, container.info);
  save_container(container, path);
  const EngineInfo& info = container.info;
  program.print("wrote      {}\n", path.string());
  program.print("model      {} on {}, {}, backend {} ({})\n", info.model,
                info.dataset.empty() ? "no dataset" : info.dataset, info.precision, info.backend,
                info.target);
  program.print("holds      {} parameters, {} multiply-accumulates an image, batch {}\n",
                info.parameters, info.multiply_accumulates, info.batch);
  program.print("recipe     {}\n", to_string(*info.preprocessing));
  program.print("took       {:.2f} s\n", static_cast<double>(SteadyClock::now_ns() - begin) * 1e-9);
  nlohmann::ordered_json json;
  json["schema"] = "hedge.engine/1";
  json["file"] = path.string();
  json["engine"] = nlohmann::ordered_json(nlohmann::json(info));
  json["layers"] = nlohmann::ordered_json(container.layer_choices);
  program.write_json(json);
  return kExitSuccess;
}

void add_calibration_flags(CLI::App& app, Options& options) {
  const char* group = "Calibration (used once INT8 comes)";
  app.add_option("--calib_input", options.calib_input, "Images to calibrate on")
      ->group(group)
      ->type_name("FILE");
  app.add_option("--calib_cache", options.calib_cache, "Cache of ranges")
      ->group(group)
      ->type_name("FILE");
  app.add_option("--calib_num_images", options.calib_num_images, "Images (default 25000)")
      ->group(group)
      ->type_name("N");
  app.add_option("--calib_batch_size", options.calib_batch_size, "Images a step (default 512)")
      ->group(group)
      ->type_name("N");
  app.add_option("--calib_preprocessor", options.calib_preprocessor, "Recipe of the images")
      ->group(group)
      ->type_name("RECIPE");
}

}  // namespace
}  // namespace hedge::cli

int main(int argc, char** argv) {
  using namespace hedge::cli;
  Program program("build_engine", "Build an engine from an ONNX model", kExamples);
  Options options;
  CLI::App& app = program.app();
  app.add_option("-o,--onnx", options.onnx, "The model")->type_name("FILE");
  app.add_option("-e,--engine,--saveEngine", options.engine,
                 "The engine (default: the model's name with _PRECISION.engine)")
      ->type_name("FILE");
  add_precision_options(app, options.precision);
  app.add_option("--backend", options.backend, "cpu, null (hedge info lists them)")
      ->type_name("NAME");
  app.add_option("--dataset", options.dataset,
                 "cifar, shapes, imagenet, folder:DIR, npy:X.npy,Y.npy (default: as the name says)")
      ->type_name("NAME");
  app.add_option("--preprocess", options.preprocess, "Recipe (default: that of the name)")
      ->type_name("RECIPE");
  app.add_option("--data", options.data, "Folder of the datasets, for calibration")
      ->type_name("DIR");
  app.add_option("--threads", options.threads, "Threads of one inference (default 1)")
      ->type_name("N");
  app.add_option("--engine_batch_size", options.batch, "Images of one inference (default 1)")
      ->type_name("N");
  add_shape_option(app, options.shape);
  app.add_option("--builderOptimizationLevel", options.level,
                 "0: nothing is timed, to 5: much is (default 3; above 5 means 5)")
      ->type_name("N");
  app.add_option("--timing_cache", options.timing_cache,
                 "What was timed before (default ./timing.cache)")
      ->type_name("FILE");
  app.add_flag_callback(
      "--skipInference", [] {}, "Accepted; building never infers");
  add_calibration_flags(app, options);
  program.add_json_flag("schema hedge.engine/1");
  return program.run(argc, argv, [&] { return build(program, options); });
}
