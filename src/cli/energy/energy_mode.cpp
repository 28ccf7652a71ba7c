// SPDX-License-Identifier: Apache-2.0
#include "cli/energy/energy_mode.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
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
#include "base/naming.h"
#include "base/text.h"
#include "cli/energy/energy_report.h"
#include "cli/measuring/measurement_text.h"
#include "cli/measuring/measuring_options.h"
#include "cli/model/model_options.h"
#include "cli/model/model_result.h"
#include "cli/program/flags.h"
#include "cli/program/quantity.h"
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
constexpr std::array kFlags{"--meter", "--idle", "--marker", "--sample-rate"};

bool is_there(const std::string& file) {
  std::error_code error;
  return fs::exists(file, error);
}

/// What is wrong with a log is said before the load runs, as far as it is written by then. Some
/// loggers write late: it may come while the load runs, and its folder must be there.
void require_sound_log(const std::string& file, bool marked) {
  if (file.empty()) throw bad_input("--meter=csv: name the file, csv:FILE");
  std::error_code error;
  const fs::path folder = fs::absolute(file, error).parent_path();
  if (!fs::is_directory(folder, error)) {
    throw bad_input(fmt::format("--meter=csv:{}: there is no folder {}", file, folder.string()));
  }
  if (!is_there(file)) return;
  const std::optional<bool> absolute = check_power_csv(read_text_file(file), file);
  if (absolute && !*absolute && !marked) {
    throw bad_input(fmt::format(
        "{}: its times count from nobody knows when; add --marker=auto, which it is searched for",
        file));
  }
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
  app.add_option("--marker", options.marker,
                 "Draw a marker of work and rest before and after, by which an external meter's "
                 "CSV is joined; the length of its chips (500ms where 'auto')")
      ->type_name("TIME");
  app.add_option("--sample-rate", options.sample_rate,
                 "Readings of the meter a second (default 100)")
      ->type_name("HZ");
}

void refuse_energy_flags(const CLI::App& app, const char* how) {
  for (const char* flag : kFlags) {
    if (app.count(flag) > 0) {
      throw bad_input(fmt::format("{}: is for energy; {}", flag, how));
    }
  }
}

std::int64_t parse_energy_duration(const std::string& text) {
  return text.empty() ? 0 : parse_duration("--duration", text, 1'000'000, kMonth_ns);
}

EnergySettings energy_settings_of(const EnergyOptions& options) {
  EnergySettings settings;
  settings.meter = options.meter;
  settings.idle_ns = parse_duration("--idle", options.idle, 0, 3600 * kSecond_ns);
  if (!options.marker.empty()) {
    const std::string chip = options.marker == "auto" ? "500ms" : options.marker;
    settings.marker_ns = parse_duration("--marker", chip, kSecond_ns / 100, 60 * kSecond_ns);
  }
  if (settings.meter.starts_with(kCsv)) {
    require_sound_log(settings.meter.substr(kCsv.size()), settings.marker_ns > 0);
  } else if (settings.meter != "auto" && settings.meter != "none") {
    naming("--meter=" + printable(settings.meter, 40), [&] { require_meter_name(settings.meter); });
  }
  const double rate = parse_number("--sample-rate", options.sample_rate, 0.1, 10'000);
  settings.period_ns = std::llround(1e9 / rate);
  return settings;
}

EnergyMode::EnergyMode(const Program& program, const EnergySettings& settings,
                       const EnergyWorkload& workload)
    : program_(program), settings_(settings), workload_(workload) {
  open_meter_named(settings.meter);
}

void EnergyMode::open_meter_named(const std::string& name) {
  if (name == "none") return;
  if (name.starts_with(kCsv)) {
    csv_file_ = name.substr(kCsv.size());
    if (!is_there(csv_file_)) {
      log(LogLevel::kWarning,
          fmt::format("{} is not there yet; it is read when the load has ended", csv_file_));
    }
    return;
  }
  MeterChoice choice = open_meter(name, {.gpu_load = workload_.gpu});
  meter_ = std::move(choice.meter);
  if (meter_) {
    if (choice.reason.empty()) return;
    passed_over_ = fmt::format("the meter is {}, for {}", meter_->facts().name, choice.reason);
    log(LogLevel::kWarning, passed_over_);
    return;
  }
  no_meter_ = fmt::format("no meter, so energy stays unknown: {} ('hedge info --meters' says more)",
                          choice.reason);
  log(LogLevel::kWarning, no_meter_);
  settings_.idle_ns = 0;  // A baseline of what is not measured.
}

void EnergyMode::say_start() const {
  program_.show_notes();
  if (program_.quiet() || !workload_.endless) return;
  fmt::print(stderr,
             "runs until Ctrl-C, which prints the result (--duration or --iterations bound it)\n");
}

bool EnergyMode::wants_to_the_end() const {
  if (!workload_.endless || !cancellation_requested()) return false;
  if (settings_.idle_ns > 0 && !program_.quiet()) {
    fmt::print(stderr, "idle baseline, {:.3g} s more\n",
               static_cast<double>(settings_.idle_ns) * 1.25e-9);
  }
  return true;
}

void EnergyMode::add_settings(RunConfig& config) const {
  const auto seconds = [](std::int64_t ns) { return static_cast<double>(ns) * 1e-9; };
  config.flags["meter"] = meter_ ? meter_->facts().name : !csv_file_.empty() ? "csv" : "none";
  config.flags["idle_seconds"] = seconds(settings_.idle_ns);
  config.flags["sample_period_seconds"] = seconds(settings_.period_ns);
  if (workload_.duration_ns > 0) config.flags["duration_seconds"] = seconds(workload_.duration_ns);
  if (settings_.marker_ns > 0) config.flags["marker_seconds"] = seconds(settings_.marker_ns);
}

void EnergyMode::report_energy(MeteredRun& run, Result& result) const {
  if (meter_) {
    tell_energy(program_, meter_->facts(), run, workload_.unit, {}, result);
    return;
  }
  JoinedRecording joined = while_growing(csv_file_, [&] {
    return join_recording(parse_power_csv(read_text_file(csv_file_), csv_file_), run, csv_file_);
  });
  run.recording.rails = {std::move(joined.trace)};
  tell_energy(program_, facts_of_log(csv_file_), run, workload_.unit, joined.notes, result);
}

void EnergyMode::warn_of_late_readings(const MeteredRun& run, Result& result) const {
  constexpr double kMatters = 0.02;
  const std::int64_t readings = (run.end.steady_ns - run.begin.steady_ns) / settings_.period_ns;
  const auto late = static_cast<double>(run.recording.late_readings);
  if (!meter_ || late <= kMatters * static_cast<double>(readings)) return;
  result.warnings.push_back(fmt::format(
      "{} of {} readings of the meter came late: it answers slowly, or all CPUs are busy",
      run.recording.late_readings, readings));
  log(LogLevel::kWarning, result.warnings.back());
}

void EnergyMode::require_work(const MeteredRun& run) const {
  if (run.loop.total.iterations > 0) return;
  throw runtime_failure(fmt::format("cancelled before the first {}", workload_.unit));
}

std::string EnergyMode::longer_advice() const {
  if (workload_.endless) return "let it run for longer";
  if (workload_.duration_ns == 0) return "raise --iterations";
  return workload_.iterations > 0 ? "measure for longer (--duration and --iterations)"
                                  : "measure for longer (--duration)";
}

void EnergyMode::set_loop(const MeteredRun& run, const WarmUp& warm_up,
                          std::vector<std::string> serious, Result& result) const {
  const TimerOverhead overhead = timer_overhead();
  RunEvidence evidence = evidence_of({}, run.loop, warm_up, overhead, std::move(serious));
  evidence.longer = longer_advice();
  evidence.warmer = warmer_advice(program_);
  if (workload_.endless) evidence.cut_short = false;  // Ctrl-C is how it ends well.
  set_warm_up(warm_up, result);
  set_latency(evidence, run.loop, overhead, result);
  result.validity = judge(evidence);
  program_.print_text(warm_up_line(result, workload_.unit));
  program_.print_text(loop_latency_line(*result.latency_us, workload_.unit));
  program_.print("           {:.1f} {}s a second\n", 1e6 / *result.latency_us->mean,
                 workload_.unit);
  program_.print_text(regimes_lines(result));
}

int EnergyMode::report(MeteredRun run, Result result) const {
  result.config.iterations = run.loop.total.iterations;
  add_settings(result.config);
  result.config.flags["timeline"] = timeline_json(run);
  warn_of_late_readings(run, result);
  if (!passed_over_.empty()) result.warnings.push_back(passed_over_);
  std::string failure;
  if (meter_ || !csv_file_.empty()) {
    try {
      report_energy(run, result);
    } catch (const Error& error) {  // The latency that was measured is not lost for it.
      failure = error.what();
      result.warnings.push_back(failure);
      judge_energy({failure}, result);
    }
  } else {
    program_.print("energy     unknown: no meter\n");
    if (!no_meter_.empty()) {
      result.warnings.push_back(no_meter_);
      judge_energy({"no meter"}, result);
    }
  }
  program_.print_text(machine_notes(result.machine));
  program_.print_text(verdict_lines(*result.validity));
  program_.write_json_text(result_to_text(result));
  if (!failure.empty()) throw bad_input(failure);
  if (cancellation_requested() && !workload_.endless) return kExitCancelled;
  return status_of(*result.validity, workload_.strict);
}

}  // namespace hedge::cli
