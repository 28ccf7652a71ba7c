// SPDX-License-Identifier: Apache-2.0
#include "energy/modes/power_mode.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <set>
#include <utility>

#include "base/system_files.h"
#include "base/text.h"
#include "energy/modes/power_mode_jetson.h"
#include "energy/modes/power_mode_tool.h"
#include "hedge/error.h"

namespace hedge {
namespace {

namespace fs = std::filesystem;

void append(std::vector<std::string>& lines, std::vector<std::string> more) {
  for (std::string& line : more) lines.push_back(std::move(line));
}

/// Calls `action`; what it throws becomes a line, so that the rest is restored all the same.
template <class Action>
void attempt(std::vector<std::string>& lines, Action action) {
  try {
    action();
  } catch (const std::exception& error) {
    lines.emplace_back(error.what());
  }
}

void plan_mode(PowerPlan& plan, const std::string& mode) {
  plan.conf = read_nvpmodel_conf(plan.root);
  const NvpMode& wanted = find_mode(*plan.conf, mode);
  if (!find_program("nvpmodel"))
    throw bad_input("the program nvpmodel, which sets power modes, is not on PATH");
  plan.mode_before = current_mode_id(plan.root);
  if (!plan.mode_before) {
    throw bad_input(
        "the present power mode is not known (neither /var/lib/nvpmodel/status nor `nvpmodel -q` "
        "tells it), so it could not be restored");
  }
  if (*plan.mode_before != wanted.id) plan.mode = wanted;
}

void restore_mode(const SavedSettings& saved, const fs::path& root,
                  std::vector<std::string>& lines) {
  attempt(lines, [&] {
    // A killed run may have come to nothing yet; to set the mode that it is in costs nothing but
    // resets what was set by hand.
    if (current_mode_id(root) == saved.mode_id) return;
    append(lines, set_power_mode(read_nvpmodel_conf(root), *saved.mode_id, root));
  });
}

}  // namespace

PowerPlan plan_power(const PowerRequest& request, const fs::path& root) {
  PowerPlan plan;
  plan.root = root;
  plan.cpu = request.cpu;
  plan.gpu = request.gpu;
  if (!request.mode.empty()) plan_mode(plan, request.mode);
  if (request.lock_clocks) {
    plan.jetson_lock = has_jetson_clocks();
    plan.cpu.lock = !plan.jetson_lock;
  }
  check_cpu_request(plan.cpu, root);
  if (plan.gpu) check_gpu_request();
  return plan;
}

std::vector<std::string> lacking_rights(const PowerPlan& plan) {
  std::vector<std::string> lacking;
  // Below another root the programs are a test's.
  const bool may_run = ::geteuid() == 0 || plan.root != "/";
  if (plan.mode && !may_run) lacking.emplace_back("nvpmodel");
  if (plan.jetson_lock && !may_run) lacking.emplace_back("jetson_clocks");
  for (const fs::path& file : files_of(plan.cpu, plan.root)) {
    if (::access(file.c_str(), W_OK) == 0) continue;
    if (errno == EROFS) {
      throw bad_input(fmt::format("{}: is mounted read-only (a container?); set clocks on the host",
                                  file.string()));
    }
    if (errno != EACCES && errno != EPERM) continue;  // To write it will tell.
    lacking.emplace_back("the CPU's governor and clocks");
    break;
  }
  if (plan.gpu && !may_run) lacking.emplace_back("nvidia-smi -lgc");
  return lacking;
}

SavedSettings save_settings(const PowerPlan& plan, const fs::path& clocks_file,
                            const std::optional<SavedSettings>& standing) {
  SavedSettings saved;
  CpuParts parts = changed_by(plan.cpu);
  // A mode sets the range of the CPU's clock, and setting it back would forget one set by hand.
  parts.range = parts.range || plan.mode || plan.jetson_lock;
  save_cpu_settings(saved, parts, plan.root);
  if (plan.mode) {
    saved.mode_id = plan.mode_before;
    saved.mode_name = name_of(*plan.conf, plan.mode_before);
  }
  if (plan.jetson_lock) saved.clocks_file = clocks_file.string();
  const bool locked = standing && !standing->clocks_file.empty();
  if (locked && (plan.mode || plan.jetson_lock)) {
    // Unlocked for the change and locked again after it.
    saved.locked_before_file = standing->clocks_file;
    saved.clocks_file = clocks_file.string();
  }
  if (plan.gpu) saved.gpu = plan.gpu->gpu;
  return saved;
}

std::vector<std::string> apply_power(const PowerPlan& plan, const SavedSettings& saved) {
  std::vector<std::string> lines;
  if (!saved.locked_before_file.empty()) unlock_jetson_clocks(saved.locked_before_file);
  if (plan.mode) append(lines, set_power_mode(*plan.conf, plan.mode->id, plan.root));
  append(lines, apply_cpu_request(plan.cpu, plan.root));
  if (!saved.clocks_file.empty()) {
    lock_jetson_clocks(saved.clocks_file);
    append(lines, unlocked_clocks(plan.root));
  }
  if (plan.gpu) append(lines, lock_gpu_clocks(*plan.gpu));
  return lines;
}

std::vector<std::string> restore_settings(const SavedSettings& saved, const fs::path& root) {
  std::vector<std::string> lines;
  if (!saved.gpu.empty()) attempt(lines, [&] { unlock_gpu_clocks(saved.gpu); });
  // An earlier lock too: a kill may have come before or while it was taken off.
  for (const std::string& file : {saved.clocks_file, saved.locked_before_file}) {
    if (!file.empty()) attempt(lines, [&] { unlock_jetson_clocks(file); });
  }
  if (saved.mode_id) restore_mode(saved, root, lines);
  // Before the CPU's settings, which are those of the lock then: what it stores must not be.
  if (!saved.locked_before_file.empty())
    attempt(lines, [&] { lock_jetson_clocks(saved.locked_before_file); });
  append(lines, restore_cpu_settings(saved, root));
  return lines;
}

std::string saved_text(const SavedSettings& saved) {
  std::vector<std::string> parts;
  if (saved.mode_id) parts.push_back("power mode " + saved.mode_name);
  std::set<std::string> governors;
  for (const auto& cpu : saved.cpus) governors.insert(cpu.governor);
  governors.erase("");
  const std::vector<std::string> names(governors.begin(), governors.end());
  if (!names.empty()) parts.push_back(fmt::format("CPU governor {}", join_words(names)));
  const bool range = std::any_of(saved.cpus.begin(), saved.cpus.end(),
                                 [](const auto& cpu) { return cpu.min_khz || cpu.max_khz; });
  if (range) parts.emplace_back("the range of the CPU's clock");
  if (saved.turbo) parts.push_back(fmt::format("turbo {}", *saved.turbo ? "on" : "off"));
  if (!saved.clocks_file.empty()) parts.emplace_back("unlocked clocks");
  if (!saved.gpu.empty()) parts.emplace_back("unlocked GPU clocks");
  return join_words(parts);
}

SavedSettings merged(const SavedSettings& earlier, const SavedSettings& later) {
  SavedSettings both = earlier;
  for (const SavedSettings::Cpu& cpu : later.cpus) {
    const auto known = std::find_if(both.cpus.begin(), both.cpus.end(),
                                    [&](const auto& one) { return one.cpu == cpu.cpu; });
    if (known == both.cpus.end()) {
      both.cpus.push_back(cpu);
      continue;
    }
    if (known->governor.empty()) known->governor = cpu.governor;
    if (!known->min_khz) known->min_khz = cpu.min_khz;
    if (!known->max_khz) known->max_khz = cpu.max_khz;
  }
  if (!both.turbo) both.turbo = later.turbo;
  if (!both.mode_id) {
    both.mode_id = later.mode_id;
    both.mode_name = later.mode_name;
  }
  if (!later.clocks_file.empty()) both.clocks_file = later.clocks_file;
  if (!later.gpu.empty() && both.gpu != later.gpu) both.gpu = both.gpu.empty() ? later.gpu : "all";
  return both;
}

}  // namespace hedge
