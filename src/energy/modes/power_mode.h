// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/nvpmodel.h"
#include "energy/modes/power_mode_cpu.h"
#include "energy/modes/power_mode_gpu.h"
#include "energy/modes/power_mode_state.h"

namespace hedge {

/// What is asked for; what is empty or absent stays as it is.
struct PowerRequest {
  std::string mode;          ///< Of nvpmodel, by name or id.
  bool lock_clocks = false;  ///< jetson_clocks where there is one, else CpuRequest::lock.
  CpuRequest cpu;
  std::optional<GpuClockRequest> gpu;

  [[nodiscard]] bool empty() const {
    return mode.empty() && !lock_clocks && cpu.empty() && !gpu.has_value();
  }
};

/// A request that can be had on this machine.
struct PowerPlan {
  std::filesystem::path root;
  std::optional<NvpModelConf> conf;
  std::optional<NvpMode> mode;  ///< To be set; absent also where the board is in it already.
  std::optional<int> mode_before;
  bool jetson_lock = false;
  CpuRequest cpu;
  std::optional<GpuClockRequest> gpu;
};

/// Checks everything that can be known before. Nothing is changed. Throws bad_input.
[[nodiscard]] PowerPlan plan_power(const PowerRequest& request, const std::filesystem::path& root);

/// What of the plan this user may not do: "nvpmodel", "the CPU's clocks". Empty: all of it.
[[nodiscard]] std::vector<std::string> lacking_rights(const PowerPlan& plan);

/// The present settings that the plan changes. `clocks_file` is where the clocks before a lock are
/// to be stored; `standing` is what an earlier `set` saved, if one stands.
[[nodiscard]] SavedSettings save_settings(const PowerPlan& plan,
                                          const std::filesystem::path& clocks_file,
                                          const std::optional<SavedSettings>& standing);

/// Sets everything and reads it back; a line for each thing that did not take. `saved` must be in
/// the state file before. Throws runtime_failure in the middle: restore then.
[[nodiscard]] std::vector<std::string> apply_power(const PowerPlan& plan,
                                                   const SavedSettings& saved);

/// Brings back what was saved, in the opposite order, as far as it goes. A line for each thing that
/// could not be; empty where all is as it was.
[[nodiscard]] std::vector<std::string> restore_settings(const SavedSettings& saved,
                                                        const std::filesystem::path& root);

/// For messages: "power mode 15W, CPU governor schedutil, clocks".
[[nodiscard]] std::string saved_text(const SavedSettings& saved);

/// `later`, saved over a change that `earlier` precedes, as one: what was before both.
[[nodiscard]] SavedSettings merged(const SavedSettings& earlier, const SavedSettings& later);

}  // namespace hedge
