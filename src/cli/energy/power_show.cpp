// SPDX-License-Identifier: Apache-2.0
#include "cli/energy/power_show.h"

#include <fmt/format.h>
#include <unistd.h>

#include <optional>
#include <system_error>
#include <vector>

#include "base/log.h"
#include "base/nvpmodel.h"
#include "base/system_files.h"
#include "base/text.h"
#include "cli/energy/child_process.h"
#include "energy/modes/power_mode_gpu.h"
#include "energy/modes/power_mode_jetson.h"
#include "energy/modes/power_mode_session.h"
#include "hedge/error.h"
#include "measure/condition_warnings.h"
#include "measure/conditions_json.h"

namespace hedge::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

struct Shown {
  Conditions conditions;
  std::optional<NvpModelConf> modes;
  std::optional<int> mode;
  std::vector<GpuClocks> gpus;
  std::optional<SavedSettings> standing;
  bool run_under_way = false;
};

/// A killed run's settings are mended by whoever may; others are told.
void look_at_state(Shown& shown, const fs::path& path, const fs::path& root) {
  const PowerStateFile file(path, root);
  std::error_code error;
  if (!fs::exists(file.path(), error)) return;
  const PowerState state = file.read();
  shown.standing = state.set;
  if (!state.run) return;
  shown.run_under_way = file.locked_by_other();
  if (shown.run_under_way) return;
  if (::access(file.path().c_str(), W_OK) != 0) {
    log(LogLevel::kWarning,
        fmt::format("a previous run was killed and its settings still stand: `sudo hedge power "
                    "restore` brings back {}",
                    saved_text(*state.run)));
    return;
  }
  const HeldSignals held;
  const PowerSession mended(path, root);
}

Shown look(const std::string& state_file) {
  Shown shown;
  const fs::path root = system_root();
  look_at_state(shown, state_file, root);
  // Without rights of root the default is another file than root's.
  const fs::path system = root / "run/hedge/power.json";
  if (state_file.empty() && PowerStateFile({}, root).path() != system)
    look_at_state(shown, system, root);
  shown.conditions = snapshot_conditions(root);
  std::error_code error;
  if (fs::exists(root / "etc/nvpmodel.conf", error)) {
    shown.modes = read_nvpmodel_conf(root);
    shown.mode = current_mode_id(root);
  }
  shown.gpus = read_nvidia_clocks();
  return shown;
}

std::string mhz(const json& clocks, const char* key) {
  return clocks.contains(key) ? fmt::format("{:g}", clocks[key].get<double>()) : "?";
}

/// "729.6" or "729.6 to 1510.4" of the clocks in the list.
std::string present_clocks(const json& list) {
  std::optional<double> low;
  double high = 0;
  for (const json& clock : list) {
    if (!clock.is_number()) continue;
    low = std::min(low.value_or(clock.get<double>()), clock.get<double>());
    high = std::max(high, clock.get<double>());
  }
  if (!low) return "?";
  return *low == high ? fmt::format("{:g}", high) : fmt::format("{:g} to {:g}", *low, high);
}

void print_clocks(const Program& program, const json& conditions) {
  for (const json& group : conditions.value("cpu_clocks", json::array())) {
    program.print("CPU {:<7}{}, {} to {} MHz, now {}\n", group["cpus"].get<std::string>(),
                  group.value("governor", "governor unknown"), mhz(group, "min_mhz"),
                  mhz(group, "max_mhz"), present_clocks(group["mhz"]));
  }
  if (conditions.contains("turbo"))
    program.print("turbo      {}\n", conditions["turbo"].get<bool>() ? "on" : "off");
  for (const json& gpu : conditions.value("gpu_clocks", json::array())) {
    program.print("GPU        {}: {} to {} MHz, now {}\n", gpu["name"].get<std::string>(),
                  mhz(gpu, "min_mhz"), mhz(gpu, "max_mhz"), mhz(gpu, "mhz"));
  }
}

void print_rest(const Program& program, const Shown& shown) {
  for (const GpuClocks& gpu : shown.gpus)
    program.print("GPU {:<7}{}, at most {:g} MHz, now {:g}\n", gpu.index, gpu.name, gpu.max_mhz,
                  gpu.mhz);
  if (shown.modes) {
    program.print("mode       {}; there are {}\n", name_of(*shown.modes, shown.mode),
                  mode_list(*shown.modes));
  }
  if (shown.run_under_way)
    program.print("state      a `hedge power run` is under way and will restore what it changed\n");
  if (shown.standing) {
    program.print("state      changed by `hedge power set`; `hedge power restore` brings back {}\n",
                  saved_text(*shown.standing));
  }
}

/// What others have and this machine (a container, a virtual machine) does not.
std::vector<std::string> absent_here(const Shown& shown) {
  std::vector<std::string> absent;
  if (shown.conditions.cpus.empty())
    absent.emplace_back("CPU clocks and governors (no cpufreq in /sys/devices/system/cpu)");
  if (shown.conditions.gpus.empty() && shown.gpus.empty())
    absent.emplace_back("GPU clocks (neither devfreq nor nvidia-smi)");
  if (!shown.modes) absent.emplace_back("power modes (no nvpmodel)");
  return absent;
}

nlohmann::ordered_json to_json(const Shown& shown, const json& conditions) {
  nlohmann::ordered_json object{{"schema", "hedge.power/1"}};
  for (const char* key : {"cpu_clocks", "turbo", "gpu_clocks", "temperatures_c"}) {
    if (conditions.contains(key)) object[key] = conditions[key];
  }
  for (const GpuClocks& gpu : shown.gpus) {
    object["nvidia_gpus"].push_back(
        {{"index", gpu.index}, {"name", gpu.name}, {"mhz", gpu.mhz}, {"max_mhz", gpu.max_mhz}});
  }
  if (shown.modes) {
    if (shown.mode) object["power_mode"] = name_of(*shown.modes, shown.mode);
    for (const NvpMode& mode : shown.modes->modes)
      object["power_modes"].push_back({{"id", mode.id}, {"name", mode.name}});
  }
  object["changed_by_set"] = shown.standing.has_value();
  object["run_under_way"] = shown.run_under_way;
  return object;
}

}  // namespace

int show_power(const Program& program, const std::string& state_file) {
  program.show_notes();  // What a killed run left is told before anything is refused.
  const Shown shown = look(state_file);
  const Conditions& conditions = shown.conditions;
  const json clocks = conditions_to_json(conditions);
  const std::vector<std::string> absent = absent_here(shown);
  print_clocks(program, clocks);
  print_rest(program, shown);
  if (!absent.empty()) program.print("absent     {}\n", join_words(absent));
  log(LogLevel::kDebug, missing_line(conditions));
  nlohmann::ordered_json object = to_json(shown, clocks);
  if (!absent.empty()) object["absent"] = absent;
  program.write_json(object);
  return kExitSuccess;
}

}  // namespace hedge::cli
