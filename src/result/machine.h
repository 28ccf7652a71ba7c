// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/system_files.h"
#include "result/result.h"

namespace hedge {

/// What the system files below `root` (/proc, /sys, /etc) tell of the machine, and of this build:
/// hostname, cpu, cores, os, governor, power mode and notes. GPU and driver are for whoever knows
/// the vendor's library. Never throws: what cannot be read is absent.
[[nodiscard]] MachineFacts collect_machine_facts(const std::filesystem::path& root = system_root());

/// Name of the CPU from the text of /proc/cpuinfo. x86: "model name". arm64 has none, so the cores'
/// part numbers are named, big.LITTLE with counts: "4x Cortex-A76 + 4x Cortex-A55". `board` (of
/// the device tree) follows in brackets when not empty. Empty when nothing is known.
[[nodiscard]] std::string cpu_name(const std::string& cpuinfo, const std::string& board);

/// What this build of the library does to timings: unoptimised, assertions, sanitizers. Empty for a
/// Release build.
[[nodiscard]] std::vector<std::string> build_notes();

/// Highest resident memory of this process so far (VmHWM of /proc/self/status) in bytes, for
/// memory.peak_rss_bytes. Nothing where the system does not say.
[[nodiscard]] std::optional<std::int64_t> peak_rss_bytes(const std::filesystem::path& root = "/");

}  // namespace hedge
