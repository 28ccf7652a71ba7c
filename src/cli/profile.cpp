// SPDX-License-Identifier: Apache-2.0
// Time of each layer, and their sum against the whole.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

#include "base/cancellation.h"
#include "cli/model/model_options.h"
#include "cli/model/model_result.h"
#include "cli/program/flags.h"
#include "cli/program/program.h"
#include "hedge/error.h"
#include "measure/latency.h"
#include "measure/steady.h"
#include "stats/summary.h"

namespace hedge::cli {
namespace {

constexpr const char* kExamples =
    "Examples:\n"
    "  hedge profile --model=resnet8_shapes_fp32.engine\n"
    "\n"
    "Runs with and without a timer at each layer take turns; the sum of the layers is held "
    "against\n"
    "the whole, and what is left over is the cost of looking.\n";

constexpr std::int64_t kWarmUpRuns = 100;

struct Options {
  ModelOptions model;
  std::string iterations = "1000";
  std::string batch = "1";
};

struct Profile {
  std::vector<std::int64_t> layer_ns;  ///< Of all runs together.
  std::vector<std::int64_t> whole_ns;  ///< A sample for each run without timers at the layers.
};

Profile measure(const Program& program, ExecutionContext& context, LayerProfiler& profiler,
                std::int64_t runs) {
  Profile measured;
  measured.layer_ns.resize(profiler.layers().size());
  std::vector<std::int64_t> ignored(measured.layer_ns.size(), 0);
  (void)warm_up_calls([&] { context.infer(); }, WarmUpRule::runs(kWarmUpRuns));
  profiler.infer_profiled(ignored);
  LatencyRecorder<> whole(static_cast<std::size_t>(runs));
  ProgressBar progress(program, "profiling", runs);
  for (std::int64_t done = 0; done < runs && !cancellation_requested();) {
    whole.time([&] { context.infer(); });
    profiler.infer_profiled(measured.layer_ns);
    progress.update(++done);
  }
  const auto samples = whole.samples_ns();
  measured.whole_ns.assign(samples.begin(), samples.end());
  if (measured.whole_ns.empty()) throw runtime_failure("cancelled before the first run");
  return measured;
}

nlohmann::ordered_json print_layers(const Program& program,
                                    const std::vector<LayerProfiler::Layer>& layers,
                                    const Profile& measured) {
  const auto runs = static_cast<double>(measured.whole_ns.size());
  std::int64_t total = 0;
  std::size_t width = 5;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    total += measured.layer_ns[i];
    width = std::max(width, std::min<std::size_t>(layers[i].name.size(), 40));
  }
  program.print("{:<{}}  {:>9}  {:>6}  {:>8}  kernel\n", "layer", width, "mean us", "share",
                "GFLOP/s");
  nlohmann::ordered_json json;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const auto layer_ns = static_cast<double>(measured.layer_ns[i]);
    const double mean_ns = layer_ns / runs;
    const double gflops =
        mean_ns > 0 ? 2 * static_cast<double>(layers[i].multiply_accumulates) / mean_ns : 0;
    program.print("{:<{}}  {:>9.2f}  {:>5.1f}%  {:>8.1f}  {}\n", layers[i].name.substr(0, 40),
                  width, mean_ns / 1000,
                  100.0 * layer_ns / static_cast<double>(std::max<std::int64_t>(total, 1)), gflops,
                  layers[i].kernel);
    json.push_back({{"name", layers[i].name},
                    {"kernel", layers[i].kernel},
                    {"mean_us", mean_ns / 1000},
                    {"multiply_accumulates", layers[i].multiply_accumulates}});
  }
  return json;
}

int profile(const Program& program, const Options& options) {
  const std::int64_t batch = parse_count("--batch", options.batch, 1, kMostImages);
  const std::int64_t runs = parse_count("--iterations", options.iterations, 1, 100'000'000);
  const auto engine = open_engine(options.model);
  const auto context = engine->create_context(context_options(options.model, batch));
  auto* profiler = dynamic_cast<LayerProfiler*>(context.get());
  if (profiler == nullptr) {
    throw bad_input(
        fmt::format("backend {} cannot tell the time of layers", engine->info().backend));
  }
  const Profile measured = measure(program, *context, *profiler, runs);
  const Result result = describe_run("profile", *engine, *context, options.model, batch);
  program.print_text(model_line(result));
  const auto done = static_cast<std::int64_t>(measured.whole_ns.size());
  nlohmann::ordered_json json;
  json["schema"] = "hedge.profile/1";
  json["model"] = options.model.model;
  json["iterations"] = done;
  json["layers"] = print_layers(program, profiler->layers(), measured);
  const std::int64_t total =
      std::accumulate(measured.layer_ns.begin(), measured.layer_ns.end(), std::int64_t{0});
  const double sum_us = static_cast<double>(total) / static_cast<double>(done) / 1000;
  const double whole_us = summarize(measured.whole_ns).mean_ns / 1000;
  program.print(
      "sum {:.2f} us, the whole without timers at the layers {:.2f} us ({:+.1f} %), {} runs each\n",
      sum_us, whole_us, 100 * (sum_us - whole_us) / whole_us, done);
  json["sum_us"] = sum_us;
  json["whole_us"] = whole_us;
  json["warnings"] = result.warnings;
  program.write_json(json);
  return cancellation_requested() ? kExitCancelled : kExitSuccess;
}

}  // namespace
}  // namespace hedge::cli

int main(int argc, char** argv) {
  using namespace hedge::cli;
  Program program("profile", "Time each layer of a model", kExamples);
  Options options;
  CLI::App& app = program.app();
  add_model_options(app, options.model);
  add_gpu_options(app, options.model.gpu);
  app.add_option("--iterations", options.iterations, "Runs (default 1000)")->type_name("N");
  app.add_option("--batch", options.batch, "Images of one inference (default 1)")->type_name("N");
  program.add_json_flag("schema hedge.profile/1");
  return program.run(argc, argv, [&] { return profile(program, options); });
}
