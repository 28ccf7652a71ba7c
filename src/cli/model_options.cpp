// SPDX-License-Identifier: Apache-2.0
#include "cli/model_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <thread>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/text.h"
#include "cli/flags.h"
#include "cli/measurement_text.h"
#include "data/dataset_names.h"
#include "data/decode_ahead.h"
#include "data/fit.h"
#include "data/recipes.h"
#include "engine/backend.h"
#include "engine/engine_name.h"
#include "engine/gpu_options.h"
#include "hedge/error.h"
#include "measure/validity.h"
#include "result/machine.h"

namespace hedge::cli {
namespace {

std::string known_precision(const std::string& text) {
  const std::string precision = to_lower(text);
  const auto known = known_precisions();
  if (std::find(known.begin(), known.end(), precision) != known.end()) return precision;
  throw CLI::ValidationError(
      fmt::format("--precision={}: there are {}", text,
                  join_words(std::vector<std::string>(known.begin(), known.end()))));
}

/// trtexec's --fp16 --int8 means int8, with the other where that is not to be had.
void state_precision(std::string& precision, std::string_view stated) {
  const bool fallback =
      (precision == "fp16" && stated == "int8") || (precision == "int8" && stated == "fp16");
  if (!precision.empty() && precision != stated && !fallback) {
    throw CLI::ValidationError(
        fmt::format("precision {} and precision {}: give one of them", precision, stated));
  }
  precision = fallback ? "int8" : stated;
}

std::string interval(const std::optional<Range>& range, double scale, int digits) {
  if (!range) return {};
  return fmt::format(" (95 %: {:.{}f} to {:.{}f})", (*range)[0] * scale, digits,
                     (*range)[1] * scale, digits);
}

}  // namespace

bool allow_tf32(const std::string& precision, bool no_tf32) {
  if (no_tf32 && precision == "tf32") {
    throw bad_input("--noTF32 with --precision=tf32: give one of them");
  }
  return !no_tf32;
}

void add_precision_options(CLI::App& app, std::string& precision, bool& no_tf32) {
  app.add_option_function<std::string>(
         "-p,--precision",
         [&precision](const std::string& text) {
           state_precision(precision, known_precision(text));
         },
         "fp32, bf16, fp16, int8, ... (default: the backend's own, which is said)")
      ->type_name("NAME");
  for (const std::string_view name : known_precisions()) {
    app.add_flag_callback(
        fmt::format("--{}", name), [&precision, name] { state_precision(precision, name); },
        fmt::format("Short for --precision={}", name));
  }
  app.add_flag("--noTF32", no_tf32,
               "Products of fp32 in full, not in TF32, on a GPU (CPUs have no TF32)");
}

void add_shape_option(CLI::App& app, std::string& shape) {
  app.add_option("--shape,--shapes", shape,
                 "Extents of the input where the ONNX file leaves them open: 1x3x224x224 or "
                 "NAME:1x3x224x224")
      ->type_name("SHAPE");
}

void add_model_options(CLI::App& app, ModelOptions& options) {
  app.add_option("-m,--model", options.model,
                 "Engine file, or ONNX file to build in memory and run")
      ->type_name("FILE");
  app.add_option("--backend", options.backend, "Backend of an ONNX file (hedge info lists them)")
      ->type_name("NAME");
  add_precision_options(app, options.precision, options.no_tf32);
  app.add_option(
         "--dataset", options.dataset,
         "cifar, shapes, imagenet, folder:DIR, npy:X.npy,Y.npy (default: as the model says)")
      ->type_name("NAME");
  app.add_option("--labels", options.labels,
                 "Classes of the images of folder:, npy: or imagenet (docs/datasets.md)")
      ->type_name("FILE");
  app.add_option(
         "--preprocess", options.preprocess,
         "Recipe, as scale=1/255,mean=0.5,std=0.5, or a file of it (default: as the model says)")
      ->type_name("RECIPE");
  app.add_option("--data", options.data,
                 "Folder of the datasets (default: $HEDGE_DATA, else data, else ../data)")
      ->type_name("DIR");
  add_shape_option(app, options.shape);
  app.add_option("--threads", options.threads, "Threads of one inference (default 1)")
      ->type_name("N");
}

void add_gpu_options(CLI::App& app, GpuFlags& flags) {
  app.add_option("--wait", flags.wait,
                 "How the host waits for a GPU: spin (default), yield, block (the CPU sleeps)")
      ->type_name("NAME");
  app.add_option(
         "--memory", flags.memory,
         "Where a GPU's input and output lie: auto (default), mapped, pinned (copied by the "
         "graph), managed, managed-original, device (copies not timed); docs/cuda.md")
      ->type_name("NAME");
  app.add_flag("--no-cuda-graph", flags.no_cuda_graph,
               "Launch a GPU's layers one by one, to see what the graph saves");
}

void add_preprocess_place(CLI::App& app, ModelOptions& options) {
  app.add_option("--preprocess-on", options.preprocess_on,
                 "Who makes the tensor of an image: cpu (default; not timed) or gpu (a part of "
                 "infer(), and timed); --preprocess=gpu says the same")
      ->type_name("cpu|gpu");
}

namespace {

/// A file of that name is a recipe, as any other.
bool is_place(const std::string& text) {
  std::error_code error;
  return (text == "cpu" || text == "gpu") && !std::filesystem::exists(text, error);
}

}  // namespace

void settle_preprocess_place(ModelOptions& options) {
  if (is_place(options.preprocess)) {
    const std::string place = std::exchange(options.preprocess, {});
    if (!options.preprocess_on.empty() && options.preprocess_on != place) {
      throw bad_input(fmt::format("--preprocess={} and --preprocess-on={}: give one of them", place,
                                  options.preprocess_on));
    }
    options.preprocess_on = place;
  }
  const std::string& place = options.preprocess_on;
  if (!place.empty() && place != "cpu" && place != "gpu") {
    throw bad_input(fmt::format("--preprocess-on={}: give cpu or gpu", place));
  }
}

std::optional<PreprocessingRecipe> stated_recipe(const std::string& preprocess) {
  if (preprocess.empty()) return std::nullopt;
  if (is_place(preprocess)) {
    throw bad_input(fmt::format(
        "--preprocess={}: says where, which only measurements and inference can choose (on the "
        "cuda backend); here it takes a recipe, as scale=1/255,mean=0.5,std=0.5",
        preprocess));
  }
  return parse_recipe(preprocess);
}

ContextOptions context_options(const ModelOptions& options, std::int64_t batch,
                               PixelLayout images) {
  ContextOptions context = context_options(options, batch);
  if (preprocesses_on_gpu(options)) context.pixels = images;
  return context;
}

void warn_of_overridden_keys(const std::string& preprocess, const PreprocessingRecipe& used) {
  if (preprocess.empty()) return;
  // Keys that were not stated have the values of `used`.
  const PreprocessingRecipe stated = parse_recipe(preprocess, used);
  const bool layout = stated.layout != used.layout;
  if (!layout && stated.height == used.height && stated.width == used.width) return;
  log(LogLevel::kWarning,
      fmt::format("--preprocess states {}, but the model takes {}, {}x{}: that is what it gets",
                  layout ? fmt::format("layout={}", layout_text(stated))
                         : fmt::format("size={}x{}", stated.height, stated.width),
                  layout_text(used), used.height, used.width));
}

int thread_count(const std::string& text) {
  const auto threads = static_cast<int>(parse_count("--threads", text, 1, kMostThreads));
  const auto cpus = static_cast<int>(std::thread::hardware_concurrency());
  if (cpus > 0 && threads > cpus) {
    log(LogLevel::kWarning,
        fmt::format("--threads={}: there are only {} logical CPUs", threads, cpus));
  }
  return threads;
}

GpuOptions gpu_options(const GpuFlags& flags) {
  GpuOptions options;
  if (!flags.wait.empty()) options.wait = parse_wait_mode(flags.wait);
  if (!flags.memory.empty()) options.memory = parse_memory_mode(flags.memory);
  if (flags.no_cuda_graph) options.cuda_graph = false;
  return options;
}

ContextOptions context_options(const ModelOptions& options, std::int64_t batch) {
  return {
      .threads = thread_count(options.threads), .batch = batch, .gpu = gpu_options(options.gpu)};
}

namespace {

/// Of an ONNX file before it is built, which may take minutes.
void require_gpu_of(const ModelOptions& options) {
  const GpuOptions gpu = gpu_options(options.gpu);
  const std::string extension = to_lower(std::filesystem::path(options.model).extension().string());
  const bool pixels = preprocesses_on_gpu(options);
  if (extension != ".onnx" || (gpu == GpuOptions{} && !pixels)) return;
  const Backend& backend =
      options.backend.empty() ? default_backend() : require_backend(options.backend);
  require_gpu(backend, gpu);
  if (pixels) require_pixels(backend);
}

}  // namespace

std::shared_ptr<const Engine> open_engine(const ModelOptions& options) {
  if (options.model.empty()) {
    throw bad_input("no model given; state one with --model=FILE.engine or --model=FILE.onnx");
  }
  require_gpu_of(options);
  auto engine =
      open_model(options.model, {.backend = options.backend,
                                 .precision = options.precision,
                                 .dataset = options.dataset,
                                 .preprocessing = stated_recipe(options.preprocess),
                                 .preprocessing_flag = options.preprocess_flag,
                                 .shapes = parse_shapes(options.shape),
                                 .allow_tf32 = allow_tf32(options.precision, options.no_tf32),
                                 .threads = thread_count(options.threads),
                                 .timing_cache = {},
                                 // A run is not where a user looks for new files.
                                 .int8 = {.data = options.data, .write_cache = false}});
  require_gpu(require_backend(engine->info().backend), gpu_options(options.gpu));
  if (engine->info().preprocessing) {
    warn_of_overridden_keys(options.preprocess, *engine->info().preprocessing);
  }
  return engine;
}

std::unique_ptr<Dataset> open_dataset(const Engine& engine, const ModelOptions& options) {
  if (engine.info().dataset.empty()) {
    throw bad_input(
        fmt::format("{}: states no dataset; name one with --dataset=NAME", options.model));
  }
  auto dataset = fit_dataset(Dataset::open(engine.info().dataset, options.data, options.labels),
                             preprocessing_of(engine).recipe());
  (void)dataset->image(0);  // A recipe that does not fit is found before anything is measured.
  return dataset;
}

void require_same_classes(const Engine& engine, const Dataset& dataset,
                          const ModelOptions& options) {
  const int scores = class_count(engine);
  const std::string& name = engine.info().dataset;
  const bool folder = name.starts_with(kFolderPrefix) && options.labels.empty();
  if (folder && scores != dataset.classes()) {
    throw bad_input(fmt::format(
        "{}: gives {} scores, but {} has {} sub-folders; make one for each of the model's classes, "
        "or state the images' classes, as the model counts them, with --labels=FILE",
        options.model, scores, name, dataset.classes()));
  }
  if (scores < dataset.classes()) {
    throw bad_input(fmt::format("{}: gives {} scores, but dataset {} has {} classes", options.model,
                                scores, name, dataset.classes()));
  }
  // Labels that are numbers are taken at their word: the highest that occurs says nothing.
  const bool numbered = !options.labels.empty() || name.starts_with(kNpyPrefix);
  if (scores > dataset.classes() && !numbered) {
    log(LogLevel::kWarning,
        fmt::format("{}: gives {} scores, dataset {} has {} classes; the first {} "
                    "are taken to be them",
                    options.model, scores, name, dataset.classes(), dataset.classes()));
  }
}

void add_decode_options(CLI::App& app, ModelOptions& options) {
  app.add_option("--decode-threads", options.decode_threads,
                 "Threads that decode image files (default: one for each CPU)")
      ->type_name("N");
  app.add_flag("--decode-overlap", options.decode_overlap,
               "Decode during inference too: sooner done, but latencies suffer");
}

namespace {

/// All CPUs while nothing is timed; beside an inference its own are left to it.
int decode_thread_count(const ModelOptions& options) {
  if (!options.decode_threads.empty()) {
    return static_cast<int>(
        parse_count("--decode-threads", options.decode_threads, 1, kMostThreads));
  }
  const auto cpus = static_cast<int>(std::thread::hardware_concurrency());
  return std::max(1, options.decode_overlap ? cpus - thread_count(options.threads) : cpus);
}

}  // namespace

std::unique_ptr<Dataset> decoded_ahead(std::unique_ptr<Dataset> dataset,
                                       const ModelOptions& options, std::int64_t images) {
  return decode_ahead(std::move(dataset), {.threads = decode_thread_count(options),
                                           .images = static_cast<std::size_t>(images),
                                           .overlap = options.decode_overlap});
}

std::string decoding(const Dataset& dataset, const ModelOptions& options) {
  if (!dataset.decodes()) return {};
  const int threads = decode_thread_count(options);
  return fmt::format("{} thread{}, {}", threads, threads == 1 ? "" : "s",
                     options.decode_overlap ? "during inference: latencies suffer"
                                            : "idle while inference is timed");
}

Preprocessing preprocessing_of(const Engine& engine) {
  if (!engine.info().preprocessing) {
    throw bad_input(
        "the engine states no preprocessing; give --preprocess=scale=...,mean=...,std=...");
  }
  return Preprocessing(*engine.info().preprocessing);
}

std::int64_t batch_of(const Engine& engine, const std::string& text) {
  return text.empty() ? engine.info().batch : parse_count("--batch", text, 1, kMostImages);
}

int class_count(const Engine& engine) {
  const auto& shape = engine.info().outputs.at(0).shape;
  std::int64_t count = 1;
  for (std::size_t axis = 1; axis < shape.size(); ++axis) count *= shape[axis];
  return static_cast<int>(count);
}

std::string batch_text(const EngineInfo& info) {
  if (!info.batches) return std::to_string(info.batch);
  return fmt::format("{} (to {}, tuned for {})", info.batch, info.batches->most,
                     info.batches->tuned);
}

std::string precision_text(const EngineInfo& info) {
  return info.tf32 ? info.precision + " (products in TF32)" : info.precision;
}

Result describe_run(const std::string& program, const Engine& engine,
                    const ExecutionContext& context, const ModelOptions& options,
                    std::int64_t batch) {
  const EngineInfo& info = engine.info();
  Result result = make_result(program);
  const auto text = [](const std::string& value) {
    return value.empty() ? std::nullopt : std::optional(value);
  };
  result.model = {.file = options.model,
                  .sha256 = text(info.source_sha256),
                  .name = text(info.model),
                  .dataset = text(info.dataset),
                  .precision = text(info.precision),
                  .backend = text(info.backend)};
  result.warnings = context.warnings();
  result.machine = collect_machine_facts();
  result.config.threads = thread_count(options.threads);
  result.config.batch = batch;
  if (const auto* gpu = dynamic_cast<const GpuContext*>(&context)) {
    const GpuContext::Execution execution = gpu->execution();
    result.config.cuda_graph = execution.cuda_graph;
    result.config.memory_mode = execution.memory_mode;
    result.config.wait = execution.wait;
  }
  if (options.stem) result.config.flags["part"] = "stem";
  if (info.preprocessing) result.config.flags["preprocess"] = to_string(*info.preprocessing);
  if (preprocesses_on_gpu(options)) result.config.flags["preprocess_on"] = "gpu";
  return result;
}

void set_scope(const ModelOptions& options, Result& result) {
  if (!preprocesses_on_gpu(options)) return;
  for (auto* latency : {&result.latency_us, &result.per_iteration_us}) {
    if (*latency && (*latency)->scope == kScopeInfer) (*latency)->scope = kScopePreprocessAndInfer;
  }
}

std::string timed_call(const ModelOptions& options) {
  return preprocesses_on_gpu(options) ? "infer(), preprocessing on the GPU included" : "infer()";
}

MemoryResult memory_result(const ExecutionContext& context) {
  const MemoryUse use = context.memory();
  return {.engine_bytes = static_cast<std::int64_t>(use.engine_bytes),
          .arena_bytes = static_cast<std::int64_t>(use.arena_bytes),
          .peak_rss_bytes = peak_rss_bytes(),
          .gpu_bytes = std::nullopt};
}

std::string model_line(const Result& result) {
  const RunConfig& config = result.config;
  std::string text =
      fmt::format("model      {} on {}, {}, backend {}, batch {}, {} thread{}\n",
                  result.model.name.value_or("?"), result.model.dataset.value_or("no dataset"),
                  result.model.precision.value_or("?"), result.model.backend.value_or("?"),
                  *config.batch, *config.threads, *config.threads == 1 ? "" : "s");
  if (config.cuda_graph && config.memory_mode && config.wait) {
    text += fmt::format("gpu        {}, memory {}, wait {}\n",
                        *config.cuda_graph ? "CUDA graph" : "no CUDA graph", *config.memory_mode,
                        *config.wait);
  }
  return text;
}

std::string exit_line(const EngineInfo& info) {
  std::vector<std::string> cut;
  for (const Binding& binding : info.exit->cut) {
    cut.push_back(fmt::format("{} {}", printable(binding.name), to_string(binding.shape)));
  }
  return fmt::format("early exit {} after {} multiply-accumulates ({:.1f} %); the rest reads {}\n",
                     printable(info.outputs.at(info.exit->output).name),
                     info.exit->multiply_accumulates,
                     100.0 * static_cast<double>(info.exit->multiply_accumulates) /
                         static_cast<double>(info.multiply_accumulates),
                     join_words(cut));
}

std::string accuracy_line(const AccuracyResult& accuracy) {
  if (!accuracy.top1) return "accuracy   no image was measured\n";
  std::string text = fmt::format("accuracy   {:.2f} % top-1{}, {} of {} images\n",
                                 *accuracy.top1 * 100, interval(accuracy.top1_ci95, 100, 2),
                                 accuracy.correct.value_or(0), accuracy.total.value_or(0));
  if (accuracy.top5) text += fmt::format("           {:.2f} % top-5\n", *accuracy.top5 * 100);
  return text;
}

std::string latency_lines(const LatencyResult& latency) {
  std::string text = fmt::format("latency    mean {} us{}", us_text(latency.mean.value_or(0)),
                                 us_interval_text(latency.mean_ci95));
  if (latency.p50) {
    text += fmt::format(
        "\n           p50 {}   p90 {}   p95 {}   p99 {}   min {}   max {} us, {} inferences",
        us_text(*latency.p50), us_text(latency.p90.value_or(0)), us_text(latency.p95.value_or(0)),
        us_text(latency.p99.value_or(0)), us_text(latency.min.value_or(0)),
        us_text(latency.max.value_or(0)), latency.count.value_or(0));
  }
  return text + "\n";
}

std::string timer_line(const TimerOverhead& overhead) {
  return fmt::format(
      "timer      adds {} ns to each sample (its two clock reads cost {:.0f} ns; resolution {} "
      "ns)\n",
      overhead.sample_ns, overhead.pair_ns, overhead.resolution_ns);
}

std::string memory_line(const MemoryResult& memory) {
  constexpr double kMegabyte = 1e6;
  return fmt::format(
      "memory     weights {:.2f} MB, arena {:.2f} MB, peak of the process {:.1f} MB\n",
      static_cast<double>(memory.engine_bytes.value_or(0)) / kMegabyte,
      static_cast<double>(memory.arena_bytes.value_or(0)) / kMegabyte,
      static_cast<double>(memory.peak_rss_bytes.value_or(0)) / kMegabyte);
}

std::string machine_notes(const MachineFacts& machine) {
  std::string text;
  for (const std::string& note : machine.notes) text += fmt::format("note       {}\n", note);
  return text;
}

}  // namespace hedge::cli
