// SPDX-License-Identifier: Apache-2.0
// ONNX file to engine file.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <optional>
#include <utility>
#include <vector>

#include "base/cancellation.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/naming.h"
#include "base/text.h"
#include "builder/best.h"
#include "builder/calibration_images.h"
#include "builder/prepare.h"
#include "builder/quantization_report.h"
#include "cli/model/calibration_options.h"
#include "cli/model/compiler_options.h"
#include "cli/model/model_options.h"
#include "cli/model/model_result.h"
#include "cli/model/quantization_text.h"
#include "cli/program/flags.h"
#include "cli/program/program.h"
#include "data/recipes.h"
#include "engine/engine_info_json.h"
#include "engine/engine_name.h"
#include "engine/sections.h"
#include "hedge/error.h"

namespace hedge::cli {
namespace {

constexpr const char* kExamples =
    "Examples:\n"
    "  build_engine --onnx=resnet8_cifar.onnx                     "
    "writes resnet8_cifar_fp16.engine for a GPU, without one resnet8_cifar_fp32.engine\n"
    "  build_engine --onnx=net.onnx --dataset=cifar --preprocess=scale=1/255,mean=0.5,std=0.25\n"
    "  build_engine --onnx=resnet8_cifar.onnx --precision=int8    "
    "calibrates on CIFAR-10's training images\n"
    "  build_engine --onnx=resnet8_cifar.onnx --best              "
    "int8, fp16, bf16 or fp32 for each layer, as measured\n"
    "  build_engine --onnx=resnet8_cifar.onnx --int8 --calib_method=minmax --keep=last:fp32 "
    "--report\n"
    "\n"
    "The name of the ONNX file, model_dataset.onnx, gives dataset and preprocessing unless flags "
    "do.\n"
    "--saveEngine, --fp16, --int8, --best, --skipInference and --builderOptimizationLevel are "
    "those of trtexec.\n";

struct Options {
  std::string onnx;
  std::string engine;
  std::string precision;
  bool no_tf32 = false;
  std::string backend;
  std::string dataset;
  std::string preprocess;
  std::string threads = "1";
  std::string batch = "1";
  std::string shape;
  std::string exit;
  std::string level = "3";
  std::string timing_cache = "./timing.cache";
  CalibrationFlags calibration;
  CompilerFlags compiler;
  std::string calibrator = "hedge";
  bool raw_plan = false;
  bool report = false;
  std::string report_images = "all";
  std::string best_lost = "0.5";
  std::string best_images = "1000";
};

std::filesystem::path engine_path(const Options& options, const EngineInfo& info) {
  if (!options.engine.empty()) return options.engine;
  std::filesystem::path path = options.onnx;
  return path.replace_filename(path.stem().string() + "_" + info.precision + ".engine");
}

/// For what the flags say, and again for what follows from the model.
void check_files(const Program& program, const Options& options,
                 const std::filesystem::path& engine, const std::filesystem::path& calibration) {
  program.check_files({.written = {{"--engine", engine.string()}},
                       .kept = {{"--timing_cache", options.timing_cache},
                                {"--calib_cache", calibration.string()}}});
}

void check(const Program& program, const Options& options) {
  if (options.onnx.empty()) throw bad_input("no model given; state one with --onnx=FILE");
  if (options.report && options.calibrator == "native") {
    throw bad_input(
        "--report with --calibrator=native: what the backend's own calibrator does to each layer, "
        "nobody tells; leave out one of them");
  }
  check_files(program, options, options.engine, options.calibration.cache);
}

Int8Options int8_options(const Program& program, const Options& options) {
  Int8Options int8 = with_progress(program, options.calibration);
  if (options.calibrator != "hedge" && options.calibrator != "native") {
    throw bad_input(fmt::format("--calibrator={}: there are hedge and native",
                                printable(options.calibrator, 40)));
  }
  int8.native = options.calibrator == "native";
  return int8;
}

EngineBuildOptions build_options(const Program& program, const Options& options) {
  const BatchRange batches = parse_batches("--engine_batch_size", options.batch);
  return {.backend = options.backend,
          .precision = options.precision,
          .dataset = options.dataset,
          .preprocessing = stated_recipe(options.preprocess),
          .batch = batches.least,
          .batches = batches.least < batches.most ? std::optional(batches) : std::nullopt,
          .shapes = parse_shapes(options.shape),
          .optimization_level =
              static_cast<int>(parse_count("--builderOptimizationLevel", options.level, 0, 1000)),
          .allow_tf32 = allow_tf32(options.precision, options.no_tf32),
          .threads = thread_count(options.threads),
          .timing_cache = options.timing_cache,
          .exit = options.exit,
          .int8 = int8_options(program, options),
          .compiler = compiler_options(options.compiler),
          .progress = progress_of(program, "building")};
}

BestOptions best_options(const Program& program, const Options& options) {
  return {.most_lost = parse_number("--best_lost", options.best_lost, 0, 100),
          .images = parse_count("--best_images", options.best_images, 1, 1'000'000'000),
          .progress = progress_of(program, "ranking layers")};
}

/// 0 for all.
std::int64_t images_or_all(const char* flag, const std::string& text) {
  return text == "all" ? 0 : parse_count(flag, text, 1, 1'000'000'000);
}

/// Before and after on the same test images.
QuantizationReport report(const Program& program, const Dataset& dataset, std::int64_t images,
                          const PreparedModel& model, const EngineContainer& container) {
  const Preprocessing prepare(*model.info.preprocessing);
  return report_quantization(
      model, container,
      {.dataset = dataset,
       .prepare = prepare,
       .images = images > 0 ? images : static_cast<std::int64_t>(dataset.size()),
       .progress = progress_of(program, "report")});
}

void print_engine(const Program& program, const std::filesystem::path& path,
                  const EngineInfo& info) {
  program.print("wrote      {}\n", path.string());
  program.print("model      {} on {}, {}, backend {} ({})\n", info.model,
                info.dataset.empty() ? "no dataset" : info.dataset, precision_text(info),
                info.backend, info.target);
  program.print("holds      {} parameters, {} multiply-accumulates an image, batch {}\n",
                info.parameters, info.multiply_accumulates, batch_text(info));
  if (info.exit) program.print_text(exit_line(info));
  program.print("recipe     {}\n", to_string(*info.preprocessing));
  if (info.calibration) program.print("ranges     {}\n", calibration_text(*info.calibration));
}

void print_choice(const Program& program, const BestReport& best) {
  std::vector<const char*> precisions{"fp32", "bf16", "int8"};
  if (best.time_us.contains("fp16")) precisions.insert(precisions.begin() + 2, "fp16");
  for (const char* precision : precisions) program.print("{:>6} us  ", precision);
  program.print("chosen  layer\n");
  for (const BestLayer& layer : best.layers) {
    for (const char* precision : precisions) {
      const auto time = layer.time_us.find(precision);
      program.print("{:>9}  ",
                    time == layer.time_us.end() ? "-" : fmt::format("{:.2f}", time->second));
    }
    program.print("{:<6}  {}\n", layer.precision, printable(layer.name));
  }
  program.print("whole net ");
  for (const auto& [name, time] : best.time_us) program.print(" {} {:.1f} us,", name, time);
  program.print(" taken: {}\n", best.chosen);
  program.print("top-1      {} of {} calibration images right, in fp32 {}\n", best.correct,
                best.images, best.fp32_correct);
}

void require_plan(const Backend& backend) {
  if (backend.traits().makes_plan) return;
  throw bad_input(fmt::format(
      "--raw-plan: backend {} makes no plan that others could read; use --backend=tensorrt",
      backend.name()));
}

/// `calibrated`: here, for int8 or fp8.
void warn_of_idle_calibration(const CLI::App& app, const Int8Options& int8, bool calibrated) {
  if (!calibrated) {
    warn_of_idle_flags(app, "--calib_", "int8 or fp8, calibrated here");
    warn_of_idle_flags(app, "--calibrator", "int8, calibrated here");
  } else if (int8.native) {
    for (const char* flag : {"--calib_method", "--calib_percentile", "--calib_tensorrt",
                             "--calib_batch_size", "--calib_threads"}) {
      warn_of_idle_flags(app, flag, "--calibrator=hedge");
    }
  }
}

int build(Program& program, const Options& options) {
  check(program, options);
  const EngineBuildOptions stated = build_options(program, options);
  const BestOptions stated_best = best_options(program, options);
  const std::int64_t report_images = images_or_all("--report_images", options.report_images);
  const std::int64_t begin = SteadyClock::now_ns();
  PreparedModel model = prepare_model(options.onnx, stated);
  if (options.raw_plan) require_plan(*model.backend);
  const bool chosen = model.build.precision == "best";
  const bool integers = (chosen || model.build.precision == "int8") && !model.came_quantized;
  const bool calibrated = integers || model.build.precision == "fp8";
  if (options.report && !integers) {
    throw bad_input("--report goes with --precision=int8 or --best, and a model in floating point");
  }
  if (!options.calibration.keep.empty() && !calibrated) {
    throw bad_input(
        "--keep goes with --precision=int8, --precision=fp8 or --best, and a model in floating "
        "point");
  }
  warn_of_idle_calibration(program.app(), stated.int8, calibrated);
  if (!chosen || stated.int8.native) {
    warn_of_idle_flags(program.app(), "--best_", "--best with Hedge's calibration");
  }
  if (!options.report) warn_of_idle_flags(program.app(), "--report_", "--report");
  const std::filesystem::path path = engine_path(options, model.info);
  check_files(program, options, path,
              calibrated ? calibration_cache_path(model.info, stated.int8)
                         : std::filesystem::path(options.calibration.cache));
  // Before the engine is written, which may be meant to go where they are.
  const auto test_images =
      options.report ? open_test_images(model.info, options.calibration.data) : nullptr;
  std::optional<BestReport> best;
  const EngineContainer container = naming(options.onnx, [&] {
    make_int8(model, stated.int8);
    if (chosen && !stated.int8.native) {
      best = make_best(model, stated.int8, stated_best);
    }
    return compile(model);
  });
  warn_of_overridden_keys(options.preprocess, *container.info.preprocessing);
  if (cancellation_requested()) throw runtime_failure("cancelled; no engine was written");
  if (options.raw_plan) {
    const auto plan = find_section(container.sections, kPlanSection).bytes;
    write_file(path, {reinterpret_cast<const char*>(plan.data()), plan.size()});
  } else {
    save_container(container, path);
  }
  print_engine(program, path, container.info);
  program.print("took       {:.2f} s\n", static_cast<double>(SteadyClock::now_ns() - begin) * 1e-9);
  nlohmann::ordered_json json;
  json["schema"] = "hedge.engine/1";
  json["file"] = path.string();
  json["engine"] = nlohmann::ordered_json(nlohmann::json(container.info));
  json["layers"] = nlohmann::ordered_json(container.layer_choices);
  if (best) {
    print_choice(program, *best);
    json["best"] = nlohmann::ordered_json(nlohmann::json(*best));
  }
  if (options.report) {
    const QuantizationReport changes =
        report(program, *test_images, report_images, model, container);
    program.print_text(quantization_text(changes));
    json["quantization"] = nlohmann::ordered_json(nlohmann::json(changes));
  }
  program.write_json(json);
  return kExitSuccess;
}

void add_options(CLI::App& app, Options& options) {
  app.add_option("-o,--onnx", options.onnx, "The model")->type_name("FILE");
  app.add_option("-e,--engine,--saveEngine", options.engine,
                 "The engine (default: the model's name with _PRECISION.engine)")
      ->type_name("FILE");
  add_precision_options(app, options.precision, options.no_tf32);
  app.add_option("--backend", options.backend,
                 "One of those that `hedge info` lists (default: the fastest)")
      ->type_name("NAME");
  app.add_option("--dataset", options.dataset,
                 "cifar, shapes, imagenet, folder:DIR, npy:X.npy,Y.npy (default: as the name says)")
      ->type_name("NAME");
  app.add_option("--preprocess", options.preprocess, "Recipe (default: that of the name)")
      ->type_name("RECIPE");
  app.add_option("--threads", options.threads, "Threads of one inference (default 1)")
      ->type_name("N");
  app.add_option("--engine_batch_size", options.batch,
                 "Images of one inference (default 1); with TensorRT also least, tuned and most "
                 "images (1:4:8), in which --batch chooses when it runs")
      ->type_name("N|MIN:OPT:MAX");
  add_shape_option(app, options.shape);
  app.add_option(
         "--exit", options.exit,
         "Scores of an early exit, an output or a tensor inside (default: of EE_ models with "
         "two outputs the earlier one)")
      ->type_name("TENSOR");
  app.add_option("--builderOptimizationLevel", options.level,
                 "0: nothing is timed, to 5: much is (default 3; above 5 means 5)")
      ->type_name("N");
  app.add_option("--timing_cache", options.timing_cache,
                 "What was timed before (default ./timing.cache)")
      ->type_name("FILE");
  app.add_flag(
      "--raw-plan", options.raw_plan,
      "Write TensorRT's plan alone, as trtexec does, without what Hedge knows of the model");
  add_compiler_options(app, options.compiler);
  app.add_flag_callback(
      "--skipInference", [] {}, "Accepted; building never infers");
  add_calibration_options(app, options.calibration);
  app.add_option("--calibrator", options.calibrator,
                 "hedge (default), or native: TensorRT's own, of 8.6 and 10; with --best TensorRT "
                 "chooses the precisions as well, by time alone")
      ->group("Calibration of --precision=int8 and fp8")
      ->type_name("WHOSE");
  app.add_option("--best_lost", options.best_lost,
                 "Points of top-1 on calibration images that --best may cost (default 0.5)")
      ->type_name("POINTS");
  app.add_option("--best_images", options.best_images, "Of these images (default 1000)")
      ->type_name("N");
  app.add_flag("--report", options.report,
               "What int8 does to each layer and to top-1 on the test images; --json has it too");
  app.add_option("--report_images", options.report_images, "Test images (default: all)")
      ->type_name("N");
}

}  // namespace
}  // namespace hedge::cli

int main(int argc, char** argv) {
  using namespace hedge::cli;
  Program program("build_engine", "Build an engine from an ONNX model", kExamples);
  Options options;
  add_options(program.app(), options);
  program.add_json_flag("schema hedge.engine/1");
  return program.run(argc, argv, [&] { return build(program, options); });
}
