// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "cli/measuring/measuring_options.h"
#include "cli/model/image_input.h"
#include "cli/model/model_options.h"
#include "cli/program/program.h"
#include "measure/accuracy.h"
#include "measure/latency.h"
#include "measure/steady.h"
#include "measure/validity.h"

namespace CLI {
class App;
}

namespace hedge::cli {

/// What programs that go through a dataset do alike: image after image through a context, each
/// inference timed, between the conditions before and after; the verdict; the lines about it.
class ImageRun {
 public:
  /// Is shown the scores of images `first`, `first` + 1, ... (those of one batch), each image of
  /// the dataset once, outside the timed inference. What is a decision it times with `decide`.
  using Look = std::function<void(std::int64_t first, std::span<const float> scores,
                                  LatencyRecorder<>& decide)>;

  ImageRun(const Program& program, const ModelOptions& model, const MeasuringOptions& measuring,
           std::string iterations, const Engine& engine, const Dataset& dataset);

  /// Images that `look` will see, unless Ctrl-C comes before.
  [[nodiscard]] std::int64_t counted() const;
  [[nodiscard]] int classes() const { return classes_; }
  /// For `look`, of the images that it sees: those of another output, an early exit's. The outputs
  /// have as many scores as the first.
  [[nodiscard]] std::span<const float> scores_of(std::size_t output, std::size_t count) const {
    return running_->output(output).first(count);
  }
  /// Everything but accuracy. The samples of the decisions are kept until the next call.
  [[nodiscard]] Result measure(std::int64_t batch, const Look& look);
  [[nodiscard]] std::span<const std::int64_t> decide_ns() const { return decide_ns_; }
  [[nodiscard]] const TimerOverhead& overhead() const { return overhead_; }

  void print_warm_up_and_latency(const Result& result) const;
  /// What is left: memory, notes on the machine, verdict.
  void print_rest(const Result& result) const;

 private:
  struct Timers;
  struct Extent {
    std::int64_t iterations;
    std::int64_t counted;  ///< The images of the first round, which accuracy counts.
    std::int64_t batch;
  };
  void run_images(ExecutionContext& context, const ImageInput& input, const Extent& extent,
                  Timers& timers, const Look& look) const;

  const Program& program_;
  const ModelOptions& model_;
  const MeasuringOptions& measuring_;
  const Engine& engine_;
  const Dataset& dataset_;
  Preprocessing prepare_;
  int classes_;
  std::int64_t iterations_;
  TimerOverhead overhead_;
  const ExecutionContext* running_ = nullptr;  ///< During measure().
  std::vector<std::int64_t> decide_ns_;
};

/// Puts it into the result, and a warning, also logged, where images got no class.
void set_accuracy(const Accuracy& accuracy, Result& result);

/// --iterations and --warmup, of programs that use it.
void add_image_run_options(CLI::App& app, std::string& iterations, MeasuringOptions& measuring);

}  // namespace hedge::cli
