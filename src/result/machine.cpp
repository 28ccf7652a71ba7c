// SPDX-License-Identifier: Apache-2.0
#include "result/machine.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "base/cpu_frequency.h"
#include "base/nvpmodel.h"
#include "base/system_files.h"
#include "base/text.h"

namespace hedge {
namespace {

namespace fs = std::filesystem;

unsigned parse_hex(std::string_view text) {
  if (text.starts_with("0x")) text.remove_prefix(2);
  return parse_integer<unsigned>(text, 16).value_or(0);
}

struct ArmPart {
  unsigned implementer;
  unsigned part;
  std::string_view name;
};
// MIDR_EL1 numbers, as in Linux, arch/arm64/include/asm/cputype.h.
constexpr std::array<ArmPart, 30> kArmParts{{
    {0x41, 0xc07, "Cortex-A7"},        {0x41, 0xd03, "Cortex-A53"},
    {0x41, 0xd04, "Cortex-A35"},       {0x41, 0xd05, "Cortex-A55"},
    {0x41, 0xd07, "Cortex-A57"},       {0x41, 0xd08, "Cortex-A72"},
    {0x41, 0xd09, "Cortex-A73"},       {0x41, 0xd0a, "Cortex-A75"},
    {0x41, 0xd0b, "Cortex-A76"},       {0x41, 0xd0c, "Neoverse N1"},
    {0x41, 0xd0d, "Cortex-A77"},       {0x41, 0xd0e, "Cortex-A76AE"},
    {0x41, 0xd40, "Neoverse V1"},      {0x41, 0xd41, "Cortex-A78"},
    {0x41, 0xd42, "Cortex-A78AE"},     {0x41, 0xd44, "Cortex-X1"},
    {0x41, 0xd46, "Cortex-A510"},      {0x41, 0xd47, "Cortex-A710"},
    {0x41, 0xd48, "Cortex-X2"},        {0x41, 0xd49, "Neoverse N2"},
    {0x41, 0xd4b, "Cortex-A78C"},      {0x41, 0xd4d, "Cortex-A715"},
    {0x41, 0xd4e, "Cortex-X3"},        {0x41, 0xd4f, "Neoverse V2"},
    {0x41, 0xd80, "Cortex-A520"},      {0x41, 0xd81, "Cortex-A720"},
    {0x4e, 0x003, "NVIDIA Denver 2"},  {0x4e, 0x004, "NVIDIA Carmel"},
    {0x48, 0xd01, "HiSilicon TSV110"}, {0xc0, 0xac3, "Ampere-1"},
}};

std::string arm_part_name(unsigned implementer, unsigned part) {
  for (const ArmPart& known : kArmParts) {
    if (known.implementer == implementer && known.part == part) return std::string(known.name);
  }
  return fmt::format("Arm implementer {:#04x} part {:#05x}", implementer, part);
}

/// "Cortex-A76", or with counts where there are several kinds.
std::string arm_cores(std::string_view cpuinfo) {
  std::vector<std::pair<std::string, int>> kinds;  // in the order of the file
  unsigned implementer = 0;
  for_each_pair(cpuinfo, ':', [&](std::string_view key, std::string_view value) {
    if (key == "CPU implementer") implementer = parse_hex(value);
    if (key != "CPU part") return;
    std::string name = arm_part_name(implementer, parse_hex(value));
    const auto found = std::find_if(kinds.begin(), kinds.end(),
                                    [&](const auto& kind) { return kind.first == name; });
    if (found == kinds.end()) {
      kinds.emplace_back(std::move(name), 1);
    } else {
      ++found->second;
    }
  });
  if (kinds.size() == 1) return kinds.front().first;
  std::string text;
  for (const auto& [name, count] : kinds) {
    text += fmt::format("{}{}x {}", text.empty() ? "" : " + ", count, name);
  }
  return text;
}

std::string board_name(const fs::path& root) {
  for (const char* file : {"proc/device-tree/model", "sys/firmware/devicetree/base/model"}) {
    if (std::string name = read_system_line(root / file); !name.empty()) return name;
  }
  return {};
}

std::int64_t count_cores(std::string_view cpuinfo) {
  std::int64_t cores = 0;
  for_each_pair(cpuinfo, ':', [&](std::string_view key, std::string_view) {
    if (key == "processor") ++cores;
  });
  return cores;
}

std::string os_name(const fs::path& root) {
  std::string text = read_system_file(root / "etc/os-release");
  if (text.empty()) text = read_system_file(root / "usr/lib/os-release");
  std::string name = value_of(text, '=', "PRETTY_NAME");
  if (name.empty()) name = value_of(text, '=', "NAME");
  const bool quoted = name.size() >= 2 && (name.front() == '"' || name.front() == '\'') &&
                      name.back() == name.front();
  return quoted ? name.substr(1, name.size() - 2) : name;
}

bool virtual_machine(std::string_view cpuinfo) {
  const std::string flags = " " + value_of(cpuinfo, ':', "flags") + " ";
  return flags.find(" hypervisor ") != std::string::npos;
}

std::optional<std::string> unless_empty(std::string text) {
  if (text.empty()) return std::nullopt;
  return text;
}

}  // namespace

std::string cpu_name(const std::string& cpuinfo, const std::string& board) {
  // 32-bit kernels give arm a "model name" too, that of the architecture; the part says more.
  std::string name = arm_cores(cpuinfo);
  if (name.empty()) name = value_of(cpuinfo, ':', "model name");
  if (name.empty() || board.empty()) return name.empty() ? board : name;
  return fmt::format("{} ({})", name, board);
}

std::vector<std::string> build_notes() {
  std::vector<std::string> notes;
#ifndef __OPTIMIZE__
  notes.emplace_back(
      "built without optimisation: timings mean nothing, build type Release is needed");
#endif
#ifndef NDEBUG
  notes.emplace_back("built with assertions (no NDEBUG): slower than a Release build");
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HEDGE_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HEDGE_SANITIZED
#endif
#endif
#ifdef HEDGE_SANITIZED
  notes.emplace_back("built with a sanitizer: timings mean nothing");
#endif
  return notes;
}

MachineFacts collect_machine_facts(const std::filesystem::path& root) {
  const std::string cpuinfo = read_system_file(root / "proc/cpuinfo");
  MachineFacts machine;
  machine.hostname = unless_empty(read_system_line(root / "proc/sys/kernel/hostname"));
  machine.cpu = unless_empty(cpu_name(cpuinfo, board_name(root)));
  if (const std::int64_t cores = count_cores(cpuinfo); cores > 0) machine.cores = cores;
  machine.os = unless_empty(os_name(root));
  machine.governor = unless_empty(governor_text(read_cpu_frequencies(root)));
  machine.power_mode = unless_empty(current_power_mode(root));

  if (machine.governor && *machine.governor != "performance") {
    machine.notes.push_back(
        fmt::format("CPU frequency governor is {}, not performance: latencies vary with the load",
                    *machine.governor));
  }
  if (const auto turbo = read_turbo(root); turbo && turbo->on)
    machine.notes.emplace_back("turbo boost is on: clocks vary with temperature");
  if (virtual_machine(cpuinfo))
    machine.notes.emplace_back("virtual machine: neighbours can disturb");
  for (std::string& note : build_notes()) machine.notes.push_back(std::move(note));
  return machine;
}

std::optional<std::int64_t> peak_rss_bytes(const std::filesystem::path& root) {
  const std::string status = read_system_file(root / "proc/self/status");
  const std::string text = value_of(status, ':', "VmHWM");  // "12345 kB"
  if (!text.ends_with(" kB")) return std::nullopt;
  const auto kibibytes =
      parse_integer<std::int64_t>(std::string_view(text).substr(0, text.size() - 3));
  if (!kibibytes) return std::nullopt;
  return *kibibytes * 1024;
}

}  // namespace hedge
