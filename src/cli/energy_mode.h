// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>

#include "cli/energy_watch.h"
#include "cli/program.h"
#include "energy/meters.h"
#include "measure/metered_run.h"
#include "result/result.h"

namespace hedge::cli {

/// The flags of programs that measure energy, as given.
struct EnergyOptions {
  std::string meter = "auto";
  std::string idle = "2s";
  std::string duration;
  std::string marker;
  std::string sample_rate = "100";
};
void add_energy_flags(CLI::App& app, EnergyOptions& options);
/// For runs that measure no energy: throws bad_input where one of these flags was given.
void refuse_energy_flags(const CLI::App& app);

/// What is run, and how far.
struct EnergyWorkload {
  std::string unit = "inference";
  std::int64_t iterations = 0;  ///< 0: until --duration or Ctrl-C.
  std::int64_t stride = 1;      ///< Calls between two looks at the clock's flags.
  int threads = 1;
  bool gpu = false;  ///< Runs on an NVIDIA GPU.
};

/// A run beside a power meter: a baseline at rest, the load with a live line, a baseline again.
class EnergyMode {
 public:
  /// Reads the flags and opens the meter. Throws bad_input; a meter that is not there is a warning.
  EnergyMode(const Program& program, const EnergyOptions& options, const EnergyWorkload& workload);

  /// Measures `callable()`; `warm_up()` runs before it, untimed.
  template <class Callable, class WarmUp>
  [[nodiscard]] MeteredRun run(Callable&& callable, WarmUp&& warm_up) const {
    MeteredLoad load(meter_.get(), {.period_ns = period_ns_, .load_threads = workload_.threads});
    say_start();
    load.rest(idle_ns_);
    warm_up();
    if (marker_ns_ > 0) load.mark(callable, marker_ns_, false);
    {
      const EnergyWatch watch(program_, load, workload_.unit, duration_ns_);
      load.work(callable, endless_or(workload_.iterations), workload_.stride);
    }
    const bool to_the_end = load.done() > 0 && wants_to_the_end();
    if (marker_ns_ > 0 && (to_the_end || !cancellation_requested())) {
      load.mark(callable, marker_ns_, to_the_end);
    }
    load.rest(idle_ns_, to_the_end);
    return load.finish();
  }

  /// Prints what was measured, puts it into the result and writes that; the exit status. An
  /// external meter's file is read here: throws bad_input after all else was told.
  int report(MeteredRun run, Result result) const;

 private:
  static std::int64_t endless_or(std::int64_t iterations) {
    return iterations > 0 ? iterations : std::numeric_limits<std::int64_t>::max();
  }
  [[nodiscard]] bool endless() const { return workload_.iterations == 0 && duration_ns_ == 0; }
  void open_meter_named(const std::string& name);
  void say_start() const;
  /// Ctrl-C is how an endless run ends well: what belongs to it still follows.
  [[nodiscard]] bool wants_to_the_end() const;
  void add_settings(RunConfig& config) const;
  void warn_of_late_readings(const MeteredRun& run, Result& result) const;
  void report_energy(MeteredRun& run, Result& result) const;

  const Program& program_;
  EnergyWorkload workload_;
  std::int64_t idle_ns_ = 0;
  std::int64_t duration_ns_ = 0;
  std::int64_t marker_ns_ = 0;
  std::int64_t period_ns_ = 0;
  std::unique_ptr<PowerMeter> meter_;
  std::string csv_file_;
  std::string no_meter_;  ///< Why, where one was wanted.
};

}  // namespace hedge::cli
