// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/cancellation.h"
#include "cli/energy/energy_watch.h"
#include "cli/program/program.h"
#include "energy/meters.h"
#include "measure/metered_run.h"
#include "measure/steady.h"
#include "result/result.h"

namespace CLI {
class App;
}

namespace hedge::cli {

/// The flags of programs that measure energy, as given.
struct EnergyOptions {
  std::string meter = "auto";
  std::string idle = "2s";
  std::string marker;
  std::string sample_rate = "100";
};
void add_energy_flags(CLI::App& app, EnergyOptions& options);
/// For runs that measure no energy: throws bad_input where one of these flags was given; `how` says
/// how the program is told to.
void refuse_energy_flags(const CLI::App& app, const char* how);

/// --duration; 0 where it was not given.
[[nodiscard]] std::int64_t parse_energy_duration(const std::string& text);

/// The same, read.
struct EnergySettings {
  std::string meter;
  std::int64_t idle_ns = 0;
  std::int64_t marker_ns = 0;  ///< Of a chip; 0: none.
  std::int64_t period_ns = 0;  ///< Between two readings.
};
/// Throws bad_input naming the flag.
[[nodiscard]] EnergySettings energy_settings_of(const EnergyOptions& options);

/// What is run, and how far.
struct EnergyWorkload {
  std::string unit = "inference";
  std::int64_t iterations = 0;   ///< 0: until duration_ns or Ctrl-C.
  std::int64_t duration_ns = 0;  ///< 0: without end.
  bool endless = false;          ///< Ctrl-C is how it ends well.
  std::int64_t stride = 1;       ///< Calls between two looks at the flags that end it.
  int threads = 1;
  bool gpu = false;     ///< Runs on an NVIDIA GPU.
  bool strict = false;  ///< Exit status kExitInvalid where the verdict is INVALID.
};

/// A run beside a power meter: a baseline at rest, the load with a live line, a baseline again.
class EnergyMode {
 public:
  /// Opens the meter; one that is not there is a warning.
  EnergyMode(const Program& program, const EnergySettings& settings,
             const EnergyWorkload& workload);

  /// Measures `callable()` in a closed loop; `warm_up()` runs before it, untimed, and returns a
  /// WarmUp of such calls.
  template <class Callable, class DoWarmUp>
  [[nodiscard]] MeteredRun run(Callable&& callable, DoWarmUp&& warm_up) const {
    double expected_ns = 0;
    const auto warm = [&] { expected_ns = warm_up().expected_ns(); };
    return run_body(callable, warm, [&](MeteredLoad& load) {
      const EnergyWatch watch(program_, load, workload_.unit, workload_.duration_ns);
      load.work(callable, endless_or(workload_.iterations), workload_.stride, expected_ns);
    });
  }

  /// `body(load)` does the work; `callable()` is what markers are drawn with. Throws
  /// runtime_failure where a cancellation came before any was done.
  template <class Callable, class DoWarmUp, class Body>
  [[nodiscard]] MeteredRun run_body(Callable&& callable, DoWarmUp&& warm_up, Body&& body) const {
    MeteredLoad load(meter_.get(),
                     {.period_ns = settings_.period_ns, .load_threads = workload_.threads});
    say_start();
    load.rest(settings_.idle_ns);
    warm_up();
    if (settings_.marker_ns > 0) load.mark(callable, settings_.marker_ns, false);
    body(load);
    const bool to_the_end = load.done() > 0 && wants_to_the_end();
    if (settings_.marker_ns > 0 && (to_the_end || !cancellation_requested())) {
      load.mark(callable, settings_.marker_ns, to_the_end);
    }
    load.rest(settings_.idle_ns, to_the_end);
    MeteredRun run = load.finish();
    require_work(run);
    return run;
  }

  /// Puts the loop's latency and what is to be thought of it into the result and prints it;
  /// `serious` as RunEvidence has it.
  void set_loop(const MeteredRun& run, const WarmUp& warm_up, std::vector<std::string> serious,
                Result& result) const;
  /// Prints the energy, puts it into the result, which has latency and verdict, and writes that;
  /// the exit status. An external meter's file is read here: throws bad_input after all else was
  /// told.
  int report(MeteredRun run, Result result) const;

 private:
  static std::int64_t endless_or(std::int64_t iterations) {
    return iterations > 0 ? iterations : std::numeric_limits<std::int64_t>::max();
  }
  void open_meter_named(const std::string& name);
  void say_start() const;
  /// Ctrl-C is how an endless run ends well: what belongs to it still follows.
  [[nodiscard]] bool wants_to_the_end() const;
  void add_settings(RunConfig& config) const;
  /// RunEvidence::longer; the first bound that is met ends the loop.
  [[nodiscard]] std::string longer_advice() const;
  void warn_of_late_readings(const MeteredRun& run, Result& result) const;
  void require_work(const MeteredRun& run) const;
  void report_energy(MeteredRun& run, Result& result) const;

  const Program& program_;
  EnergySettings settings_;
  EnergyWorkload workload_;
  std::unique_ptr<PowerMeter> meter_;
  std::string csv_file_;
  std::string no_meter_;     ///< Why, where one was wanted.
  std::string passed_over_;  ///< A better one that cannot be read, and why.
};

}  // namespace hedge::cli
