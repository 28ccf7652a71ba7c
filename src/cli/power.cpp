// SPDX-License-Identifier: Apache-2.0
// Power modes and clocks: shown, set, restored; a command run under them; free against locked.
#include <fmt/format.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/system_files.h"
#include "base/text.h"
#include "cli/energy/child_process.h"
#include "cli/energy/power_compare.h"
#include "cli/energy/power_show.h"
#include "cli/program/flags.h"
#include "cli/program/program.h"
#include "energy/modes/power_mode_session.h"
#include "energy/modes/power_mode_tool.h"
#include "hedge/error.h"

namespace hedge::cli {
namespace {

constexpr const char* kExamples =
    "Actions:\n"
    "  show     governors, clocks, power modes, and what `set` changed\n"
    "  set      changes them until restore\n"
    "  restore  brings back what was before set\n"
    "  run      changes them for one command, restores after it, whatever happens\n"
    "  compare  runs a command with free and with locked clocks and compares the results\n"
    "\n"
    "Examples:\n"
    "  hedge power show\n"
    "  sudo hedge power set --governor=performance --turbo=off\n"
    "  sudo hedge power restore\n"
    "  sudo hedge power run --mode=7W --lock-clocks -- ./measurements --model=net.engine\n"
    "  sudo hedge power compare -- ./measurements --model=net.engine --iterations=20000\n"
    "  sudo hedge power run --gpu-clocks=1410,1410 -- ./inference --model=net.engine\n"
    "\n"
    "What is set is read back, and what did not take is said. After Ctrl-C settings are restored;\n"
    "after kill -9 by the next call of any action. The exit status of run is that of the "
    "command.\n";

struct Options {
  std::string action;
  std::string mode;
  bool lock_clocks = false;
  std::string governor;
  std::string min_mhz;
  std::string max_mhz;
  std::string turbo;
  std::string gpu_clocks;
  std::string gpu = "all";
  std::string state;
  std::vector<std::string> command;  ///< Behind "--".
  std::string command_line;          ///< The whole of it, for "sudo ...".
};

std::optional<std::int64_t> khz_of(const std::string& flag, const std::string& text) {
  if (text.empty()) return std::nullopt;
  return std::llround(parse_number(flag, text, 1, 100'000) * 1000);
}

GpuClockRequest gpu_request(const Options& options) {
  const auto range = parse_counts("--gpu-clocks", options.gpu_clocks, 1, 100'000);
  if (range.size() > 2 || range.front() > range.back()) {
    throw bad_input(fmt::format("--gpu-clocks={}: give MIN,MAX in MHz, or one number for both",
                                options.gpu_clocks));
  }
  GpuClockRequest request{static_cast<int>(range.front()), static_cast<int>(range.back()), "all"};
  if (options.gpu != "all")
    request.gpu = std::to_string(parse_count("--gpu", options.gpu, 0, 1024));
  return request;
}

PowerRequest request_of(const Options& options) {
  PowerRequest request;
  request.mode = options.mode;
  request.lock_clocks = options.lock_clocks;
  request.cpu.governor = options.governor;
  request.cpu.min_khz = khz_of("--min-mhz", options.min_mhz);
  request.cpu.max_khz = khz_of("--max-mhz", options.max_mhz);
  if (!options.turbo.empty()) {
    if (options.turbo != "on" && options.turbo != "off")
      throw bad_input(fmt::format("--turbo={}: on or off", options.turbo));
    request.cpu.turbo = options.turbo == "on";
  }
  if (!options.gpu_clocks.empty()) {
    request.gpu = gpu_request(options);
  } else if (options.gpu != "all") {
    throw bad_input("--gpu: names the GPU of --gpu-clocks, which is missing");
  }
  return request;
}

PowerRequest needed_request(const Options& options) {
  PowerRequest request = request_of(options);
  if (request.empty()) {
    throw bad_input(fmt::format(
        "power {}: nothing to set; give --mode, --lock-clocks, --governor, --min-mhz, --max-mhz, "
        "--turbo or --gpu-clocks",
        options.action));
  }
  return request;
}

std::filesystem::path program_of(const Options& options) {
  if (options.command.empty()) {
    throw bad_input(
        fmt::format("power {0}: no command; `hedge power {0} ... -- COMMAND`", options.action));
  }
  const auto program = find_program(options.command.front());
  if (!program)
    throw bad_input(fmt::format("{}: no such program, or not executable", options.command.front()));
  return *program;
}

int set(const Program& program, const Options& options) {
  const PowerRequest request = needed_request(options);
  require_rights(request, system_root(), options.command_line);
  program.show_notes();
  const HeldSignals held;
  PowerSession(options.state, system_root()).set(request);
  return kExitSuccess;
}

/// What root has set is root's to restore; without rights the default is another file.
void require_own_state(const Options& options) {
  const std::filesystem::path system = system_root() / "run/hedge/power.json";
  std::error_code error;
  if (options.state.empty() && PowerStateFile({}, system_root()).path() != system &&
      std::filesystem::exists(system, error)) {
    throw bad_input(fmt::format("to restore what {} holds needs root: `sudo {}`", system.string(),
                                options.command_line));
  }
}

int restore(const Program& program, const Options& options) {
  if (!request_of(options).empty())
    throw bad_input("power restore: takes no settings, it brings back those before `set`");
  require_own_state(options);
  program.show_notes();
  const HeldSignals held;
  PowerSession session(options.state, system_root());
  return session.restore_standing() ? kExitSuccess : kExitFailure;
}

int run(const Program& program, const Options& options) {
  if (!program.json_file().empty())
    throw bad_input("power run: has no result of its own; give --json to the command, behind --");
  const std::filesystem::path command = program_of(options);
  const PowerRequest request = needed_request(options);
  require_rights(request, system_root(), options.command_line);
  program.show_notes();
  const HeldSignals held;
  PowerSession session(options.state, system_root());
  int status = kExitCancelled;
  const bool restored = session.with(request, [&] {
    const std::vector<std::string> arguments(options.command.begin() + 1, options.command.end());
    if (!held.ending()) status = run_child(command, arguments, held);
  });
  return status == kExitSuccess && !restored ? kExitFailure : status;
}

int compare(const Program& program, const Options& options) {
  CompareRequest request;
  request.program = program_of(options);
  request.arguments.assign(options.command.begin() + 1, options.command.end());
  request.both.mode = options.mode;
  request.locked = request_of(options);
  request.locked.mode.clear();
  if (request.locked.empty()) request.locked.lock_clocks = true;
  for (const PowerRequest* part : {&request.both, &request.locked})
    require_rights(*part, system_root(), options.command_line);
  program.show_notes();
  return compare_clocks(program, request, options.state);
}

int show(const Program& program, const Options& options) {
  if (!request_of(options).empty())
    throw bad_input("power show: takes no settings; `hedge power set` changes them");
  return show_power(program, options.state);
}

int run_action(const Program& program, const Options& options) {
  const std::map<std::string, int (*)(const Program&, const Options&)> actions{
      {"show", show}, {"set", set}, {"restore", restore}, {"run", run}, {"compare", compare}};
  const auto found = actions.find(options.action);
  if (found == actions.end()) {
    throw bad_input(fmt::format(
        "power: {}; there are show, set, restore, run and compare",
        options.action.empty() ? "what is to be done?" : "no '" + options.action + "'"));
  }
  const bool takes_command = options.action == "run" || options.action == "compare";
  if (!takes_command && !options.command.empty())
    throw bad_input(fmt::format("power {}: takes no command behind --", options.action));
  if (!program.json_file().empty() && (options.action == "set" || options.action == "restore"))
    throw bad_input(fmt::format("power {}: has no result to write with --json", options.action));
  return found->second(program, options);
}

/// Fit to be pasted into a shell.
std::string quoted(const std::string& word) {
  const bool plain = !word.empty() && word.find_first_not_of(
                                          "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                          "0123456789_-+=./,:@%") == std::string::npos;
  if (plain) return word;
  std::string text = "'";
  for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

/// This program's own path: sudo's PATH need not have it.
std::string command_line_of(const std::vector<std::string>& arguments) {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  std::string line = error ? "hedge-power" : quoted(self.string());
  for (const std::string& argument : arguments) line += " " + quoted(argument);
  return line;
}

void add_options(CLI::App& app, Options& options) {
  app.add_option("ACTION", options.action, "show, set, restore, run or compare");
  app.add_option("--mode", options.mode, "Power mode of nvpmodel, by name or id")
      ->type_name("NAME");
  app.add_flag("--lock-clocks", options.lock_clocks,
               "Hold clocks still: jetson_clocks, else CPUs at their highest without turbo");
  app.add_option("--governor", options.governor, "CPU governor: performance, schedutil, ...")
      ->type_name("NAME");
  app.add_option("--min-mhz", options.min_mhz, "Lowest CPU clock")->type_name("MHZ");
  app.add_option("--max-mhz", options.max_mhz, "Highest CPU clock")->type_name("MHZ");
  app.add_option("--turbo", options.turbo, "Turbo boost, on or off")->type_name("on|off");
  app.add_option("--gpu-clocks", options.gpu_clocks,
                 "Lock clocks of NVIDIA's discrete GPUs (nvidia-smi -lgc)")
      ->type_name("MIN,MAX");
  app.add_option("--gpu", options.gpu, "That GPU alone, by nvidia-smi's index (default all)")
      ->type_name("N");
  app.add_option("--state", options.state,
                 "Where the former settings are kept (default /run/hedge/power.json)")
      ->type_name("FILE");
}

}  // namespace
}  // namespace hedge::cli

int main(int argc, char** argv) {
  using namespace hedge::cli;
  Program program("power", "Show and change power modes and clocks, for good or for one command",
                  kExamples);
  Options options;
  add_options(program.app(), options);
  program.add_json_flag("schema hedge.power/1, of compare hedge.power-comparison/1");
  // What stands behind "--" is the command's.
  char** const end = argv + argc;
  char** const dashes = std::find(argv, end, std::string_view("--"));
  if (dashes != end) options.command.assign(dashes + 1, end);
  options.command_line = command_line_of({argv + 1, end});
  return program.run(static_cast<int>(dashes - argv), argv,
                     [&] { return run_action(program, options); });
}
