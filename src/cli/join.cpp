// SPDX-License-Identifier: Apache-2.0
// Energy of a run from the log of an external meter, which came from another machine afterwards.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "cli/energy/energy_report.h"
#include "cli/measuring/measurement_text.h"
#include "cli/measuring/measuring_options.h"
#include "cli/program/program.h"
#include "energy/power_csv.h"
#include "hedge/error.h"
#include "measure/energy_result.h"
#include "measure/join_recording.h"
#include "result/result_json.h"

namespace hedge::cli {
namespace {

constexpr const char* kExamples =
    "Examples:\n"
    "  ./measurements --energy --meter=none --marker=auto --duration=30s --json=run.json "
    "--model=...\n"
    "  hedge join run.json power.csv --json=joined.json\n"
    "\n"
    "The log has a header with units: time_s,power_W or timestamp,voltage_V,current_mA and the "
    "like "
    "\n"
    "(docs/energy.md). It is joined by the marker where the run drew one, else by the time of "
    "day.\n"
    "The verdict is that of the run, with what is to be thought of the energy in it.\n";

struct Options {
  std::string result;
  std::string log;
  bool strict = false;
};

Result one_result(const std::string& file) {
  std::vector<Result> results = results_from_text(read_text_file(file), file);
  if (results.size() != 1) {
    throw bad_input(fmt::format("{}: holds {} results; one is needed", file, results.size()));
  }
  return std::move(results.front());
}

int join(const Program& program, const Options& options) {
  Result result = one_result(options.result);
  const auto timeline = result.config.flags.find("timeline");
  if (timeline == result.config.flags.end() || !result.config.iterations) {
    throw bad_input(
        fmt::format("{}: does not tell when the load ran; write it by measurements --energy "
                    "--meter=none",
                    options.result));
  }
  MeteredRun run = run_from_timeline(timeline->second, *result.config.iterations, options.result);
  const PowerRecording recording = parse_power_csv(read_text_file(options.log), options.log);
  JoinedRecording joined = join_recording(recording, run, options.log);
  run.recording.rails = {std::move(joined.trace)};
  if (result.paced) run.windows.beats = *result.config.iterations;
  result.config.flags["meter"] = "csv";
  tell_energy(program, facts_of_log(options.log), run,
              result.program == "logistic_regression" ? "decision" : "inference", joined.notes,
              result);
  program.print_text(verdict_lines(*result.validity));
  program.write_json_text(result_to_text(result));
  return status_of(*result.validity, options.strict);
}

}  // namespace
}  // namespace hedge::cli

int main(int argc, char** argv) {
  using namespace hedge::cli;
  Program program("join", "Join a run with the log of an external power meter", kExamples);
  Options options;
  CLI::App& app = program.app();
  app.add_option("RESULT", options.result, "JSON of measurements --energy")->required();
  app.add_option("LOG", options.log, "CSV of the meter")->required();
  add_strict_flag(app, options.strict);
  program.add_json_flag("schema hedge.result/1");
  return program.run(argc, argv, [&] { return join(program, options); });
}
