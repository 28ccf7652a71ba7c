// SPDX-License-Identifier: Apache-2.0
#include "energy/modes/power_mode_jetson.h"

#include <fmt/format.h>

#include <chrono>
#include <system_error>
#include <thread>

#include "base/cpu_frequency.h"
#include "base/device_clock.h"
#include "base/naming.h"
#include "base/system_files.h"
#include "base/text.h"
#include "energy/modes/power_mode_tool.h"
#include "hedge/error.h"

namespace hedge {
namespace {

namespace fs = std::filesystem;

ToolAnswer run_named(const char* name, const std::vector<std::string>& arguments) {
  const auto program = find_program(name);
  if (!program) throw bad_input(fmt::format("the program {} is not on PATH", name));
  return run_tool(*program, arguments);
}

ToolAnswer run_or_throw(const char* name, const std::vector<std::string>& arguments) {
  ToolAnswer answer = run_named(name, arguments);
  if (answer.status == 0) return answer;
  std::string line = name;
  for (const std::string& argument : arguments) line += " " + argument;
  throw runtime_failure(
      fmt::format("`{}` failed (status {}): {}", line, answer.status, answer.last_line()));
}

fs::path below(const fs::path& root, const std::string& absolute) {
  return root / fs::path(absolute).relative_path();
}

bool asks_for_reboot(const ToolAnswer& answer) {
  return to_lower(answer.output).find("reboot") != std::string::npos;
}

/// The clock that runs now, of a file that caps it: beside scaling_max_freq or max_freq.
std::optional<std::int64_t> clock_beside(const fs::path& cap) {
  const std::string name = cap.filename().string();
  if (name == "scaling_max_freq")
    return read_system_integer(cap.parent_path() / "scaling_cur_freq");
  if (name == "max_freq") return read_system_integer(cap.parent_path() / "cur_freq");
  return std::nullopt;
}

/// cpufreq's files are in kHz, devfreq's in Hz.
std::string mhz_text(std::int64_t value, const fs::path& file) {
  const bool khz = file.filename() == "scaling_max_freq";
  return fmt::format("{:g} MHz", static_cast<double>(value) / (khz ? 1e3 : 1e6));
}

std::optional<std::string> cap_mismatch(const NvpSetting& setting, const fs::path& file) {
  const auto cap = read_system_integer(file);
  if (cap && *cap > *setting.number) {
    return fmt::format("{} may still run at {} where the mode has at most {} ({})",
                       setting.parameter, mhz_text(*cap, file), mhz_text(*setting.number, file),
                       file.string());
  }
  const auto clock = clock_beside(file);
  if (clock && *clock > *setting.number) {
    return fmt::format("{} still sits at {} where the mode has at most {} ({})", setting.parameter,
                       mhz_text(*clock, file), mhz_text(*setting.number, file), file.string());
  }
  return std::nullopt;
}

std::optional<std::string> online_mismatch(const NvpSetting& setting, const fs::path& file) {
  const auto online = read_system_integer(file);
  if (!online || *online == *setting.number) return std::nullopt;
  return fmt::format("{} is {} where the mode has it {}", setting.argument,
                     *online != 0 ? "on" : "off", *setting.number != 0 ? "on" : "off");
}

/// What `check` complains of once it complains of nothing more or half a second has gone: clocks
/// take a moment to follow.
template <class Check>
std::vector<std::string> settled(Check check) {
  std::vector<std::string> lines = check();
  for (int i = 0; i < 10 && !lines.empty(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    lines = check();
  }
  return lines;
}

std::vector<std::string> loose_clocks(const fs::path& root) {
  std::vector<std::string> lines;
  for (const CpuFrequency& cpu : read_cpu_frequencies(root)) {
    if (!cpu.min_khz || !cpu.max_khz || *cpu.min_khz == *cpu.max_khz) continue;
    lines.push_back(fmt::format("CPU {} is not locked, it runs from {:g} to {:g} MHz", cpu.cpu,
                                static_cast<double>(*cpu.min_khz) / 1000,
                                static_cast<double>(*cpu.max_khz) / 1000));
  }
  for (const DeviceClock& gpu : read_gpu_clocks(root)) {
    if (gpu.min_hz && gpu.max_hz && *gpu.min_hz != *gpu.max_hz) {
      lines.push_back(fmt::format("{} is not locked, it runs from {:g} to {:g} MHz", gpu.name,
                                  static_cast<double>(*gpu.min_hz) / 1e6,
                                  static_cast<double>(*gpu.max_hz) / 1e6));
    } else if (gpu.current_hz && gpu.max_hz && *gpu.current_hz != *gpu.max_hz) {
      lines.push_back(fmt::format("{} is locked to {:g} MHz and still sits at {:g}", gpu.name,
                                  static_cast<double>(*gpu.max_hz) / 1e6,
                                  static_cast<double>(*gpu.current_hz) / 1e6));
    }
  }
  return lines;
}

}  // namespace

NvpModelConf read_nvpmodel_conf(const fs::path& root) {
  const fs::path file = root / "etc/nvpmodel.conf";
  const SystemText read = try_read_system_file(file);
  if (read.error != 0) {
    throw bad_input(fmt::format("no power modes here, {}: {} (boards of NVIDIA's Jetson have them)",
                                file.string(), std::generic_category().message(read.error)));
  }
  NvpModelConf conf = naming(file.string(), [&] { return parse_nvpmodel_conf(read.text); });
  if (conf.modes.empty()) throw bad_input(fmt::format("{}: holds no power model", file.string()));
  return conf;
}

std::string name_of(const NvpModelConf& conf, std::optional<int> id) {
  if (!id) return "an unknown mode";
  const NvpMode* mode = conf.find(*id);
  return mode != nullptr ? mode->name : fmt::format("mode {}", *id);
}

std::string mode_list(const NvpModelConf& conf) {
  std::vector<std::string> names;
  for (const NvpMode& mode : conf.modes)
    names.push_back(fmt::format("{} ({})", mode.name, mode.id));
  return join_words(names);
}

const NvpMode& find_mode(const NvpModelConf& conf, const std::string& text) {
  const NvpMode* mode = conf.find(text);
  if (mode == nullptr) {
    if (const auto id = parse_integer<int>(text)) mode = conf.find(*id);
  }
  if (mode == nullptr) {
    throw bad_input(
        fmt::format("no power mode '{}' on this board; there are {}", text, mode_list(conf)));
  }
  return *mode;
}

std::optional<int> current_mode_id(const fs::path& root) {
  const auto id = parse_nvpmodel_status(read_system_file(root / "var/lib/nvpmodel/status"));
  if (id) return id;
  const auto program = find_program("nvpmodel");
  if (!program) return std::nullopt;
  return parse_nvpmodel_answer(run_tool(*program, {"-q"}).output).id;
}

std::vector<std::string> mode_mismatches(const NvpModelConf& conf, const NvpMode& mode,
                                         const fs::path& root) {
  std::vector<std::string> lines;
  for (const NvpSetting& setting : mode.settings) {
    const NvpParameter* parameter = conf.parameter_of(setting);
    if (parameter == nullptr || !setting.number || *setting.number < 0) continue;
    const fs::path file = below(root, parameter->path);
    std::optional<std::string> line;
    if (setting.argument == "MAX_FREQ" && *setting.number > 0) {
      line = cap_mismatch(setting, file);
    } else if (file.filename() == "online") {
      line = online_mismatch(setting, file);
    }
    if (line) lines.push_back(std::move(*line));
  }
  return lines;
}

std::vector<std::string> set_power_mode(const NvpModelConf& conf, int id, const fs::path& root) {
  const NvpMode* mode = conf.find(id);
  const std::string name = name_of(conf, id);
  const ToolAnswer answer = run_named("nvpmodel", {"-m", std::to_string(id)});
  NvpAnswer now = parse_nvpmodel_answer(run_named("nvpmodel", {"-q"}).output);
  if (!now.id) now = {name_of(conf, current_mode_id(root)), current_mode_id(root)};
  const bool reboot = asks_for_reboot(answer);
  if (reboot && now.id != id) {
    throw runtime_failure(fmt::format(
        "power mode {} needs a reboot: `sudo nvpmodel -m {}` and answer yes to its question", name,
        id));
  }
  if (answer.status != 0) {
    throw runtime_failure(fmt::format("`nvpmodel -m {}` ({}) failed (status {}): {}", id, name,
                                      answer.status, answer.last_line()));
  }
  if (now.id != id) {
    throw runtime_failure(
        fmt::format("`nvpmodel -m {}` ({}) was done, but the board is in {}", id, name, now.name));
  }
  std::vector<std::string> lines;
  if (mode != nullptr) lines = settled([&] { return mode_mismatches(conf, *mode, root); });
  if (reboot)
    lines.push_back(fmt::format("nvpmodel asks for a reboot before {} holds whole", name));
  return lines;
}

bool has_jetson_clocks() {
  return find_program("jetson_clocks").has_value();
}

void lock_jetson_clocks(const fs::path& file) {
  std::error_code ignored;
  fs::remove(file, ignored);  // It would ask whether it may overwrite it.
  run_or_throw("jetson_clocks", {"--store", file.string()});
  if (!fs::exists(file, ignored)) {
    throw runtime_failure(fmt::format(
        "`jetson_clocks --store {}` wrote no file, so clocks are not locked", file.string()));
  }
  run_or_throw("jetson_clocks", {});
}

void unlock_jetson_clocks(const fs::path& file) {
  std::error_code ignored;
  if (!fs::exists(file, ignored)) return;
  run_or_throw("jetson_clocks", {"--restore", file.string()});
  fs::remove(file, ignored);
}

std::vector<std::string> unlocked_clocks(const fs::path& root) {
  return settled([&] { return loose_clocks(root); });
}

}  // namespace hedge
