// SPDX-License-Identifier: Apache-2.0
#include "energy/modes/power_mode_cpu.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <string_view>
#include <system_error>

#include "base/named_values.h"
#include "base/system_files.h"
#include "base/text.h"
#include "hedge/error.h"

namespace hedge {
namespace {

namespace fs = std::filesystem;

/// A file of /sys: never made, never replaced. Returns errno, 0 for none.
int write_system_file(const fs::path& file, std::string_view text) {
  const int descriptor = ::open(file.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC);
  if (descriptor < 0) return errno;
  const ssize_t written = ::write(descriptor, text.data(), text.size());
  const int error = written == static_cast<ssize_t>(text.size()) ? 0 : written < 0 ? errno : EIO;
  ::close(descriptor);
  return error;
}

[[nodiscard]] std::string failure(const fs::path& file, std::string_view text, int error) {
  return fmt::format("{}: cannot be set to {}: {}", file.string(), text,
                     std::generic_category().message(error));
}

void set_or_throw(const fs::path& file, const std::string& text) {
  if (const int error = write_system_file(file, text); error != 0)
    throw runtime_failure(failure(file, text, error));
}

std::vector<std::string> words_in(const fs::path& file) {
  std::vector<std::string> words = split(read_system_line(file), ' ');
  std::erase(words, "");
  return words;
}

void check_governor(const CpuFrequency& cpu, const std::string& governor) {
  const auto known = words_in(cpu.folder / "scaling_available_governors");
  if (known.empty() || std::find(known.begin(), known.end(), governor) != known.end()) return;
  throw bad_input(fmt::format("CPU {} has no governor '{}'{}; there are {}", cpu.cpu, governor,
                              did_you_mean(governor, known), join_words(known)));
}

void check_clock(const CpuFrequency& cpu, const char* flag, std::int64_t khz) {
  const std::int64_t low = cpu.hardware_min_khz.value_or(khz);
  const std::int64_t high = cpu.hardware_max_khz.value_or(khz);
  if (khz >= low && khz <= high) return;
  throw bad_input(fmt::format("{}={:g}: CPU {} runs from {:g} to {:g} MHz", flag,
                              static_cast<double>(khz) / 1000, cpu.cpu,
                              static_cast<double>(low) / 1000, static_cast<double>(high) / 1000));
}

/// The greater end first where the range moves up, so that min stays below max all the way.
std::vector<std::pair<const char*, std::int64_t>> range_writes(
    const CpuFrequency& now, const std::optional<std::int64_t>& min_khz,
    const std::optional<std::int64_t>& max_khz) {
  std::vector<std::pair<const char*, std::int64_t>> writes;
  if (min_khz) writes.emplace_back("scaling_min_freq", *min_khz);
  if (max_khz) writes.emplace_back("scaling_max_freq", *max_khz);
  const bool up = min_khz && max_khz && now.max_khz && *min_khz > *now.max_khz;
  if (up) std::reverse(writes.begin(), writes.end());
  return writes;
}

void compare(std::vector<std::string>& lines, const CpuFrequency& cpu, const char* what,
             const std::optional<std::int64_t>& wanted, const std::optional<std::int64_t>& found) {
  if (!wanted || !found || *wanted == *found) return;
  lines.push_back(fmt::format("CPU {}: asked for {} {:g} MHz, it has {:g}", cpu.cpu, what,
                              static_cast<double>(*wanted) / 1000,
                              static_cast<double>(*found) / 1000));
}

/// What one CPU is to have.
SavedSettings::Cpu wanted_of(const CpuRequest& request, const CpuFrequency& cpu) {
  SavedSettings::Cpu wanted{cpu.cpu, request.governor, request.min_khz, request.max_khz};
  if (!request.lock) return wanted;
  if (wanted.governor.empty()) wanted.governor = "performance";
  if (!wanted.max_khz) wanted.max_khz = cpu.hardware_max_khz;
  // A power mode may hold the clock below what the hardware can.
  if (wanted.max_khz && cpu.max_khz && !request.max_khz)
    wanted.max_khz = std::min(*wanted.max_khz, *cpu.max_khz);
  if (!wanted.min_khz) wanted.min_khz = wanted.max_khz;
  return wanted;
}

/// Sets all that `wanted` says of the CPU. The first failure, or nothing.
std::optional<std::string> write_cpu(const CpuFrequency& cpu, const SavedSettings::Cpu& wanted) {
  if (!wanted.governor.empty() && wanted.governor != cpu.governor) {
    const fs::path file = cpu.folder / "scaling_governor";
    if (const int error = write_system_file(file, wanted.governor); error != 0)
      return failure(file, wanted.governor, error);
  }
  for (const auto& [name, khz] : range_writes(cpu, wanted.min_khz, wanted.max_khz)) {
    const std::string text = std::to_string(khz);
    if (const int error = write_system_file(cpu.folder / name, text); error != 0)
      return failure(cpu.folder / name, text, error);
  }
  return std::nullopt;
}

std::vector<std::string> read_back(const std::vector<SavedSettings::Cpu>& wanted,
                                   const fs::path& root) {
  std::vector<std::string> lines;
  const auto now = read_cpu_frequencies(root);
  for (const SavedSettings::Cpu& want : wanted) {
    const auto cpu = std::find_if(now.begin(), now.end(), [&](const CpuFrequency& candidate) {
      return candidate.cpu == want.cpu;
    });
    if (cpu == now.end()) continue;
    if (!want.governor.empty() && cpu->governor != want.governor) {
      lines.push_back(fmt::format("CPU {}: asked for governor {}, it has {}", want.cpu,
                                  want.governor, cpu->governor));
    }
    compare(lines, *cpu, "at least", want.min_khz, cpu->min_khz);
    compare(lines, *cpu, "at most", want.max_khz, cpu->max_khz);
  }
  return lines;
}

std::optional<bool> wanted_turbo(const CpuRequest& request, const fs::path& root) {
  if (request.turbo) return request.turbo;
  if (request.lock && read_turbo(root)) return false;
  return std::nullopt;
}

std::string turbo_text(const TurboSwitch& turbo, bool on) {
  return on == turbo.on_is_one ? "1" : "0";
}

void check_turbo(const std::optional<bool>& wanted, const fs::path& root,
                 std::vector<std::string>& lines) {
  if (!wanted) return;
  const auto now = read_turbo(root);
  if (now && now->on == *wanted) return;
  lines.push_back(
      fmt::format("asked for turbo {}, it is {}", *wanted ? "on" : "off", *wanted ? "off" : "on"));
}

}  // namespace

void check_cpu_request(const CpuRequest& request, const fs::path& root) {
  if (request.turbo && !read_turbo(root)) {
    throw bad_input(
        "no switch of turbo boost here (neither intel_pstate/no_turbo nor cpufreq/boost in "
        "/sys/devices/system/cpu)");
  }
  if (!request.clocks()) return;
  const auto cpus = read_cpu_frequencies(root);
  if (cpus.empty()) {
    throw bad_input(
        "no CPU clock to set here: /sys/devices/system/cpu has no cpufreq (a container or a "
        "virtual machine; set it on the host)");
  }
  if (request.min_khz && request.max_khz && *request.min_khz > *request.max_khz)
    throw bad_input("--min-mhz is above --max-mhz");
  for (const CpuFrequency& cpu : cpus) {
    if (!request.governor.empty()) check_governor(cpu, request.governor);
    if (request.min_khz) check_clock(cpu, "--min-mhz", *request.min_khz);
    if (request.max_khz) check_clock(cpu, "--max-mhz", *request.max_khz);
  }
}

std::vector<fs::path> files_of(const CpuRequest& request, const fs::path& root) {
  std::vector<fs::path> files;
  if (const auto turbo = read_turbo(root); turbo && wanted_turbo(request, root))
    files.push_back(turbo->file);
  if (!request.clocks()) return files;
  for (const CpuFrequency& cpu : read_cpu_frequencies(root)) {
    if (request.lock || !request.governor.empty()) files.push_back(cpu.folder / "scaling_governor");
    if (request.lock || request.min_khz) files.push_back(cpu.folder / "scaling_min_freq");
    if (request.lock || request.max_khz) files.push_back(cpu.folder / "scaling_max_freq");
  }
  return files;
}

CpuParts changed_by(const CpuRequest& request) {
  return {request.lock || !request.governor.empty(),
          request.lock || request.min_khz.has_value() || request.max_khz.has_value(),
          request.lock || request.turbo.has_value()};
}

void save_cpu_settings(SavedSettings& saved, CpuParts parts, const fs::path& root) {
  if (const auto turbo = read_turbo(root); turbo && parts.turbo) saved.turbo = turbo->on;
  if (!parts.governor && !parts.range) return;
  for (const CpuFrequency& cpu : read_cpu_frequencies(root)) {
    SavedSettings::Cpu& old = saved.cpus.emplace_back();
    old.cpu = cpu.cpu;
    if (parts.governor) old.governor = cpu.governor;
    if (!parts.range) continue;
    old.min_khz = cpu.min_khz;
    old.max_khz = cpu.max_khz;
  }
}

std::vector<std::string> apply_cpu_request(const CpuRequest& request, const fs::path& root) {
  // Turbo first: without it the highest clock is another.
  const auto turbo = wanted_turbo(request, root);
  if (const auto now = read_turbo(root); now && turbo && now->on != *turbo)
    set_or_throw(now->file, turbo_text(*now, *turbo));
  std::vector<SavedSettings::Cpu> wanted;
  if (request.clocks()) {
    for (const CpuFrequency& cpu : read_cpu_frequencies(root)) {
      wanted.push_back(wanted_of(request, cpu));
      if (const auto error = write_cpu(cpu, wanted.back())) throw runtime_failure(*error);
    }
  }
  std::vector<std::string> lines = read_back(wanted, root);
  check_turbo(turbo, root, lines);
  return lines;
}

std::vector<std::string> restore_cpu_settings(const SavedSettings& saved, const fs::path& root) {
  std::vector<std::string> lines;
  const auto now = read_turbo(root);
  if (saved.turbo && now && now->on != *saved.turbo) {
    const std::string text = turbo_text(*now, *saved.turbo);
    if (const int error = write_system_file(now->file, text); error != 0)
      lines.push_back(failure(now->file, text, error));
  }
  for (const CpuFrequency& cpu : read_cpu_frequencies(root)) {
    const auto old =
        std::find_if(saved.cpus.begin(), saved.cpus.end(),
                     [&](const SavedSettings::Cpu& one) { return one.cpu == cpu.cpu; });
    if (old == saved.cpus.end()) continue;
    if (auto error = write_cpu(cpu, *old)) lines.push_back(std::move(*error));
  }
  if (!lines.empty()) return lines;
  lines = read_back(saved.cpus, root);
  check_turbo(now ? saved.turbo : std::nullopt, root, lines);
  return lines;
}

}  // namespace hedge
