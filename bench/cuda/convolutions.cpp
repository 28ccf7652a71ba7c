// SPDX-License-Identifier: Apache-2.0
// Each kind of convolution that nets have, by every tactic of the cuda backend's kernel: time, and
// what that is of arithmetic and of memory traffic. With --plan, the kernels of each net instead,
// for which no GPU is needed.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "backends/cuda/cuda_net.h"
#include "backends/cuda/plan.h"
#include "backends/cuda/tuner.h"
#include "backends/gpu/device.h"
#include "base/file.h"
#include "builder/builder.h"
#include "graph/passes/passes.h"
#include "hedge/error.h"

namespace hedge::cuda {
namespace {

struct Options {
  std::vector<std::string> models;
  std::string precision = "fp16";
  int replays = 30;
  std::size_t shown = 3;
  std::string json;
  bool plan = false;
};

const std::map<std::string, ElementKind> kPrecisions{{"fp16", ElementKind::kHalf},
                                                     {"bf16", ElementKind::kBfloat16},
                                                     {"tf32", ElementKind::kTf32},
                                                     {"fp32", ElementKind::kFloat32}};

/// Of one run: operands read once and the result written once, as if nothing were read twice.
std::int64_t bytes_moved(const ConvolutionKind& kind) {
  const Convolution& c = kind.shape;
  const auto size = static_cast<std::int64_t>(byte_size(type_of(kind.kind)));
  const std::int64_t in = std::int64_t{c.batch} * c.in_h * c.in_w * c.in_c;
  const std::int64_t out =
      std::int64_t{c.pixels()} * (c.out_c * (kind.adds_tensor ? 2 : 1) + kind.sibling_c);
  const std::int64_t weights =
      (std::int64_t{c.out_c} * c.kernel_h * c.kernel_w + kind.sibling_c) * c.in_c;
  return size * (in + out + weights);
}
std::int64_t operations(const ConvolutionKind& kind) {
  const Convolution& c = kind.shape;
  return 2 * std::int64_t{c.pixels()} * c.in_c *
         (std::int64_t{c.out_c} * c.kernel_h * c.kernel_w + kind.sibling_c);
}

struct Timed {
  double ns = 0;
  ConvolutionTactic tactic;
};

std::vector<Timed> times_of(const ConvolutionKind& kind, int replays) {
  const auto tactics = convolution_tactics(kind.shape, kind.kind);
  const auto ns = tactic_times(kind, tactics, replays);
  std::vector<Timed> times;
  for (std::size_t i = 0; i < ns.size(); ++i) times.push_back({ns[i], tactics[i]});
  std::stable_sort(times.begin(), times.end(),
                   [](const Timed& a, const Timed& b) { return a.ns < b.ns; });
  return times;
}

void print_plan(const std::string& model, const Plan& plan) {
  fmt::print("{}: {} steps, {} bytes of weights, {} of arena\n", model, plan.steps.size(),
             plan.weights.size(), plan.arena_bytes);
  for (const Step& step : plan.steps) fmt::print("  {:<60} {}\n", step.name, step.kernel);
}

nlohmann::ordered_json time_kind(const std::string& text, const ConvolutionKind& kind,
                                 const Options& options) {
  const auto times = times_of(kind, options.replays);
  const auto bytes = static_cast<double>(bytes_moved(kind));
  const auto flop = static_cast<double>(operations(kind));
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const Timed& t : times) {
    rows.push_back({{"tactic", tactic_text(t.tactic)}, {"us", t.ns / 1000}});
  }
  for (std::size_t i = 0; i < std::min(options.shown, times.size()); ++i) {
    const Timed& t = times[i];
    fmt::print("{:<72} {:<26} {:>8.2f} {:>9.1f} {:>8.2f}\n", i == 0 ? text : "",
               tactic_text(t.tactic), t.ns / 1000, bytes / t.ns, flop / t.ns / 1000);
  }
  return {{"convolution", text}, {"bytes", bytes}, {"flop", flop}, {"tactics", rows}};
}

int run(const Options& options) {
  const ElementKind element = kPrecisions.at(options.precision);
  std::map<std::string, ConvolutionKind> kinds;
  for (const std::string& model : options.models) {
    Graph graph = import_model(model);
    optimize(graph);
    const auto plan = compile(graph, {.kind = element, .tactics = {}});
    if (options.plan) print_plan(model, *plan);
    kinds.insert(plan->convolutions.begin(), plan->convolutions.end());
  }
  if (options.plan) return 0;
  if (const auto reason = gpu::unavailable_reason()) throw bad_input(*reason);
  const std::string device = gpu::description_of(gpu::device());
  fmt::print("{}, {}; one of ten in a graph, the fastest of {} replays\n", device,
             options.precision, options.replays);
  fmt::print("{:<72} {:<26} {:>8} {:>9} {:>8}\n", "convolution", "tactic", "us", "GB/s", "TFLOP/s");
  nlohmann::ordered_json result{{"device", device}, {"precision", options.precision}};
  for (const auto& [text, kind] : kinds) {
    result["convolutions"].push_back(time_kind(text, kind, options));
    std::fflush(stdout);
  }
  if (!options.json.empty()) write_file(options.json, result.dump(1));
  return 0;
}

}  // namespace
}  // namespace hedge::cuda

int main(int argc, char** argv) {
  hedge::cuda::Options options;
  CLI::App app(
      "Times every tactic of the cuda backend for each kind of convolution in ONNX models.\n"
      "GB/s counts operands and result once each; the machine's limits are memory's and the "
      "tensor cores'.");
  app.add_option("--onnx", options.models, "ONNX model; repeatable")->required();
  app.add_option("--precision", options.precision)
      ->check(CLI::IsMember({"fp16", "bf16", "tf32", "fp32"}));
  app.add_option("--replays", options.replays, "of each tactic's graph")
      ->check(CLI::Range(1, 10000));
  app.add_option("--shown", options.shown, "tactics a convolution, the fastest first");
  app.add_option("--json", options.json, "file for the times of all tactics");
  app.add_flag("--plan", options.plan, "print the kernels of each net, and time nothing");
  CLI11_PARSE(app, argc, argv);
  try {
    return hedge::cuda::run(options);
  } catch (const hedge::Error& error) {
    fmt::print(stderr, "bench-cuda-convolutions: {}\n", error.what());
    return error.kind() == hedge::ErrorKind::kBadInput ? 2 : 1;
  }
}
