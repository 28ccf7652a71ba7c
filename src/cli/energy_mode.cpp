// SPDX-License-Identifier: Apache-2.0
#include "cli/energy_mode.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <thread>
#include <utility>

#include "base/cancellation.h"
#include "base/file.h"
#include "base/log.h"
#include "cli/duration.h"
#include "cli/energy_text.h"
#include "cli/flags.h"
#include "cli/model_options.h"
#include "energy/power_csv.h"
#include "hedge/error.h"
#include "measure/energy_result.h"
#include "measure/join_recording.h"
#include "measure/latency_result.h"
#include "result/result_json.h"

namespace hedge::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kCsv = "csv:";
constexpr std::int64_t kHour_ns = 3'600'000'000'000;
constexpr std::array kFlags{"--meter", "--idle", "--duration", "--marker", "--sample-rate"};

std::string time_text(double ns) {
  return ns < 1000 ? fmt::format("{:.2f} ns", ns) : fmt::format("{:.3f} us", ns / 1000);
}

/// Loggers write late: the file is read again as long as it grows.
template <class Use>
auto while_growing(const std::string& file, const Use& use) {
  constexpr auto kPatience = std::chrono::seconds(1);
  std::error_code error;
  auto size = fs::file_size(file, error);
  while (true) {
    try {
      return use();
    } catch (const Error&) {
      std::this_thread::sleep_for(kPatience);
      const auto now = fs::file_size(file, error);
      if (error || now == size) throw;
      size = now;
    }
  }
}

}  // namespace

void add_energy_flags(CLI::App& app, EnergyOptions& options) {
  app.add_option("--meter", options.meter,
                 "Power meter: ina3221, nvml, rapl, battery, rapl+nvml, csv:FILE of an external "
                 "one, none (default: the best that is there; 'hedge info --meters' lists them)")
      ->type_name("NAME");
  app.add_option("--idle", options.idle,
                 "Length of the idle baseline before and after (default 2s; 0 for none)")
      ->type_name("TIME");
  app.add_option("--duration", options.duration, "End after that time (30s, 5min)")
      ->type_name("TIME");
  app.add_option("--marker", options.marker,
                 "Draw a marker of work and rest before and after, by which an external meter's "
                 "CSV is joined; the length of its chips (500ms where 'auto')")
      ->type_name("TIME");
  app.add_option("--sample-rate", options.sample_rate,
                 "Readings of the meter a second (default 100)")
      ->type_name("HZ");
}

void refuse_energy_flags(const CLI::App& app) {
  for (const char* flag : kFlags) {
    if (app.count(flag) > 0) {
      throw bad_input(fmt::format("{}: is for energy; give --energy too", flag));
    }
  }
}

EnergyMode::EnergyMode(const Program& program, const EnergyOptions& options,
                       const EnergyWorkload& workload)
    : program_(program), workload_(workload) {
  constexpr std::int64_t kSecond_ns = 1'000'000'000;
  idle_ns_ = parse_duration("--idle", options.idle, 0, kHour_ns);
  if (!options.duration.empty()) {
    duration_ns_ =
        parse_duration("--duration", options.duration, kSecond_ns / 1000, 1000 * kHour_ns);
  }
  if (!options.marker.empty()) {
    const std::string chip = options.marker == "auto" ? "500ms" : options.marker;
    marker_ns_ = parse_duration("--marker", chip, kSecond_ns / 100, 60 * kSecond_ns);
  }
  const double rate = parse_number("--sample-rate", options.sample_rate, 0.1, 10'000);
  period_ns_ = std::llround(1e9 / rate);
  open_meter_named(options.meter);
}

void EnergyMode::open_meter_named(const std::string& name) {
  if (name == "none") return;
  if (name.starts_with(kCsv)) {
    csv_file_ = name.substr(kCsv.size());
    if (csv_file_.empty()) throw bad_input("--meter=csv: name the file, csv:FILE");
    std::error_code error;
    const fs::path folder = fs::absolute(csv_file_, error).parent_path();
    if (!fs::is_directory(folder, error)) {
      throw bad_input(fmt::format("--meter={}: there is no folder {}", name, folder.string()));
    }
    return;
  }
  MeterChoice choice = open_meter(name, {.gpu_load = workload_.gpu});
  meter_ = std::move(choice.meter);
  if (meter_) return;
  no_meter_ = fmt::format("no meter, so energy stays unknown ({})", choice.reason);
  log(LogLevel::kWarning, no_meter_);
  idle_ns_ = 0;  // A baseline of what is not measured.
}

void EnergyMode::say_start() const {
  program_.show_notes();
  if (program_.quiet() || !endless()) return;
  fmt::print(stderr,
             "runs until Ctrl-C, which prints the result (--duration or --iterations bound it)\n");
}

bool EnergyMode::wants_to_the_end() const {
  if (!endless() || !cancellation_requested()) return false;
  if (idle_ns_ > 0 && !program_.quiet()) {
    fmt::print(stderr, "idle baseline, {:.3g} s more\n", static_cast<double>(idle_ns_) * 1.25e-9);
  }
  return true;
}

void EnergyMode::add_settings(RunConfig& config) const {
  const auto seconds = [](std::int64_t ns) { return static_cast<double>(ns) * 1e-9; };
  config.flags["meter"] = meter_ ? meter_->facts().name : !csv_file_.empty() ? "csv" : "none";
  config.flags["idle_seconds"] = seconds(idle_ns_);
  config.flags["sample_period_seconds"] = seconds(period_ns_);
  if (duration_ns_ > 0) config.flags["duration_seconds"] = seconds(duration_ns_);
  if (marker_ns_ > 0) config.flags["marker_seconds"] = seconds(marker_ns_);
}

void EnergyMode::report_energy(MeteredRun& run, Result& result) const {
  MeterFacts facts;
  std::vector<std::string> notes;
  if (meter_) {
    facts = meter_->facts();
  } else {
    facts = {"csv", fmt::format("what {} was logged of", csv_file_), "that of the external meter"};
    JoinedRecording joined = while_growing(csv_file_, [&] {
      return join_recording(parse_power_csv(read_text_file(csv_file_), csv_file_), run, csv_file_);
    });
    run.recording.rails = {std::move(joined.trace)};
    notes = std::move(joined.notes);
  }
  const EnergySummary summary = summarize_energy(run.recording, run.windows);
  result.energy = energy_result(facts, summary, run.recording);
  program_.print_text(energy_lines(*result.energy, workload_.unit));
  program_.print_text(meter_lines(*result.energy));
  for (const std::string& note : notes) program_.print("  join     {}\n", note);
  for (const std::string& warning : summary.warnings) {
    log(LogLevel::kWarning, warning);
    result.warnings.push_back(warning);
  }
}

void EnergyMode::warn_of_late_readings(const MeteredRun& run, Result& result) const {
  constexpr double kMatters = 0.02;
  const std::int64_t readings = (run.end.steady_ns - run.begin.steady_ns) / period_ns_;
  const auto late = static_cast<double>(run.recording.late_readings);
  if (!meter_ || late <= kMatters * static_cast<double>(readings)) return;
  result.warnings.push_back(
      fmt::format("{} of {} readings of the meter came late; all CPUs are busy",
                  run.recording.late_readings, readings));
  log(LogLevel::kWarning, result.warnings.back());
}

int EnergyMode::report(MeteredRun run, Result result) const {
  if (run.loop.iterations == 0) {
    throw runtime_failure(fmt::format("cancelled before the first {}", workload_.unit));
  }
  result.config.iterations = run.loop.iterations;
  add_settings(result.config);
  result.config.flags["timeline"] = timeline_json(run);
  result.latency_us = latency_result(run.loop, timer_overhead());
  const double batch = static_cast<double>(result.config.batch.value_or(1));
  result.throughput_per_s = batch * 1e9 / run.loop.ns_per_iteration();
  program_.print("latency    {} {}, amortised: {} under one timer, {:.1f}/s\n",
                 time_text(run.loop.ns_per_iteration()), one_of(workload_.unit),
                 run.loop.iterations, 1e9 / run.loop.ns_per_iteration());
  warn_of_late_readings(run, result);
  if (!no_meter_.empty()) result.warnings.push_back(no_meter_);
  std::string failure;
  if (meter_ || !csv_file_.empty()) {
    try {
      report_energy(run, result);
    } catch (const Error& error) {  // The latency that was measured is not lost for it.
      failure = error.what();
      result.warnings.push_back(failure);
    }
  } else {
    program_.print("energy     unknown: no meter\n");
  }
  program_.print_text(machine_notes(result.machine));
  program_.write_json_text(result_to_text(result));
  if (!failure.empty()) throw bad_input(failure);
  return cancellation_requested() && !endless() ? kExitCancelled : kExitSuccess;
}

}  // namespace hedge::cli
