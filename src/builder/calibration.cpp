// SPDX-License-Identifier: Apache-2.0
#include "builder/calibration.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/cancellation.h"
#include "engine/backend.h"
#include "hedge/error.h"
#include "quant/quantize.h"

namespace hedge {
namespace {

constexpr double kInt8Levels = 127;
/// Images of one inference while calibrating: enough to keep the kernels busy, little memory.
constexpr std::int64_t kInferenceBatch = 8;

/// The graph with the activations as its outputs.
Graph observed(const Graph& graph, const std::vector<ValueId>& activations) {
  Graph copy = graph;
  copy.outputs = activations;
  set_batch(copy, kInferenceBatch);
  return copy;
}

std::vector<Binding> bindings(const Graph& graph, const std::vector<ValueId>& values) {
  std::vector<Binding> all;
  for (const ValueId id : values) all.push_back({graph.value(id).name, graph.value(id).type.shape});
  return all;
}

std::shared_ptr<const CompiledModel> compile(const Graph& graph, const Backend& backend) {
  const BackendEngine engine = backend.build(
      graph, {.precision = "fp32", .optimization_level = 0, .threads = 1, .timing_cache = {}});
  EngineInfo info;
  info.precision = "fp32";
  info.backend = backend.name();
  info.batch = kInferenceBatch;
  info.inputs = {{graph.value(graph.inputs.at(0).value).name, graph.input_type(0).shape}};
  info.outputs = bindings(graph, graph.outputs);
  return backend.load(engine.sections, info, {.threads = 1, .batch = kInferenceBatch});
}

/// What the threads share: which images are next, and the counts so far.
class Calibrator {
 public:
  Calibrator(const Graph& graph, const Backend& backend, const Dataset& dataset,
             const Preprocessing& prepare, const CalibrationOptions& options)
      : graph_(graph),
        dataset_(dataset),
        prepare_(prepare),
        options_(options),
        activations_(quantizable_activations(graph)),
        // The input needs no net to be seen.
        model_(compile(observed(graph, activations_), backend)),
        total_(std::min(options.images, static_cast<std::int64_t>(dataset.size()))),
        seen_(activations_.size()) {}

  std::map<std::string, double> run() {
    std::vector<std::thread> threads;
    for (int i = 1; i < options_.threads; ++i) threads.emplace_back([this] { work_guarded(); });
    work_guarded();
    for (std::thread& thread : threads) thread.join();
    if (failure_) std::rethrow_exception(failure_);
    if (cancellation_requested()) throw runtime_failure("calibration was cancelled");
    return thresholds();
  }

 private:
  void work_guarded() noexcept {
    try {
      work();
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!failure_) failure_ = std::current_exception();
      next_ = total_;  // Nobody goes on.
    }
  }

  void work() {
    const auto context = model_->create_context();
    std::vector<MagnitudeCounter> seen(activations_.size());
    while (!cancellation_requested()) {
      const std::int64_t first = next_.fetch_add(kInferenceBatch);
      if (first >= total_) break;
      observe(*context, first, std::min(kInferenceBatch, total_ - first), seen);
    }
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < seen.size(); ++i) seen_[i].merge(seen[i]);
  }

  void observe(ExecutionContext& context, std::int64_t first, std::int64_t images,
               std::vector<MagnitudeCounter>& seen) {
    const std::size_t size = context.input().size() / kInferenceBatch;
    for (std::int64_t i = 0; i < images; ++i) {
      prepare_(dataset_.image(static_cast<std::size_t>(first + i)),
               context.input().subspan(static_cast<std::size_t>(i) * size, size));
    }
    context.infer();
    for (std::size_t i = 0; i < activations_.size(); ++i) {
      const auto values = context.output(i);
      seen[i].add(values.first(values.size() / kInferenceBatch * static_cast<std::size_t>(images)));
    }
    report(images);
  }

  void report(std::int64_t images) {
    if (!options_.progress) return;
    const std::lock_guard lock(mutex_);
    done_ += images;
    if (done_ - reported_ < options_.batch && done_ != total_) return;
    reported_ = done_;
    options_.progress(done_, total_);
  }

  [[nodiscard]] std::map<std::string, double> thresholds() const {
    std::map<std::string, double> found;
    std::string problems;
    for (std::size_t i = 0; i < activations_.size(); ++i) {
      const std::string& name = graph_.value(activations_[i]).name;
      try {
        found[name] = calibrate_threshold(seen_[i], options_.method, options_.percentile);
      } catch (const Error& error) {
        problems += fmt::format("{}{}: {}", problems.empty() ? "" : "; ", name, error.what());
      }
    }
    if (!problems.empty()) {
      throw bad_input(fmt::format(
          "no range can be had from the calibration images ({}); are they all alike?", problems));
    }
    return found;
  }

  const Graph& graph_;
  const Dataset& dataset_;
  const Preprocessing& prepare_;
  const CalibrationOptions& options_;
  std::vector<ValueId> activations_;
  std::shared_ptr<const CompiledModel> model_;
  std::int64_t total_;
  std::atomic<std::int64_t> next_{0};
  std::mutex mutex_;
  std::vector<MagnitudeCounter> seen_;
  std::int64_t done_ = 0;
  std::int64_t reported_ = 0;
  std::exception_ptr failure_;
};

}  // namespace

std::map<std::string, double> calibrate(const Graph& graph, const Backend& backend,
                                        const Dataset& dataset, const Preprocessing& prepare,
                                        const CalibrationOptions& options) {
  if (options.images < 1) throw bad_input("calibration on no images");
  return Calibrator(graph, backend, dataset, prepare, options).run();
}

CalibrationCache cache_of(const std::map<std::string, double>& thresholds, const Graph& graph,
                          const std::string& header) {
  CalibrationCache cache{.header = header, .entries = {}};
  for (const ValueId id : quantizable_activations(graph)) {
    const std::string& name = graph.value(id).name;
    cache.entries.push_back({name, static_cast<float>(thresholds.at(name) / kInt8Levels)});
  }
  return cache;
}

std::map<std::string, double> thresholds_of(const CalibrationCache& cache, const Graph& graph) {
  std::vector<std::string> names;
  for (const ValueId id : quantizable_activations(graph)) names.push_back(graph.value(id).name);
  require_tensors(cache, names);
  std::map<std::string, double> thresholds;
  for (const std::string& name : names) thresholds[name] = cache.find(name)->scale * kInt8Levels;
  return thresholds;
}

}  // namespace hedge
