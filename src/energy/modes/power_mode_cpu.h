// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/cpu_frequency.h"
#include "energy/modes/power_mode_state.h"

namespace hedge {

// Governors, range of the clock and turbo boost, by cpufreq's files.

/// Nothing is set where a member is absent.
struct CpuRequest {
  std::string governor;
  std::optional<std::int64_t> min_khz;
  std::optional<std::int64_t> max_khz;
  std::optional<bool> turbo;
  /// Governor performance, turbo off where there is a switch, and every CPU at the highest clock
  /// that is then left.
  bool lock = false;

  [[nodiscard]] bool clocks() const {
    return lock || !governor.empty() || min_khz.has_value() || max_khz.has_value();
  }
  [[nodiscard]] bool empty() const { return !clocks() && !turbo; }
};

/// Throws bad_input where it cannot be had here: no cpufreq, a governor or a clock that the CPUs do
/// not have (the message names those they have), no switch of turbo.
void check_cpu_request(const CpuRequest& request, const std::filesystem::path& root);

/// Files that the request writes; for the question whether this user may.
[[nodiscard]] std::vector<std::filesystem::path> files_of(const CpuRequest& request,
                                                          const std::filesystem::path& root);

/// What to save. The range that the system tells may be one that heat holds down now: saved and
/// restored without need, it would stay so.
struct CpuParts {
  bool governor = false;
  bool range = false;
  bool turbo = false;
};
[[nodiscard]] CpuParts changed_by(const CpuRequest& request);

/// Adds the present settings.
void save_cpu_settings(SavedSettings& saved, CpuParts parts, const std::filesystem::path& root);

/// Sets it and reads it back. Returns a line for each thing that did not take. Throws
/// runtime_failure where a file cannot be written.
[[nodiscard]] std::vector<std::string> apply_cpu_request(const CpuRequest& request,
                                                         const std::filesystem::path& root);

/// Brings the saved settings back, as far as it goes; a line for each that did not take. CPUs that
/// are offline now are passed over.
[[nodiscard]] std::vector<std::string> restore_cpu_settings(const SavedSettings& saved,
                                                            const std::filesystem::path& root);

}  // namespace hedge
