// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "energy/modes/power_mode.h"
#include "energy/modes/power_mode_state.h"

namespace hedge {

/// The settings of this machine while one process may change them: locked against others, mended
/// where a killed one left them. What was done and what did not take is logged. Ending signals
/// should be held back for as long as it lives.
class PowerSession {
 public:
  /// Mends first. Throws bad_input where another process changes settings now or the state file is
  /// broken, runtime_failure where what a killed one left cannot be restored.
  PowerSession(const std::filesystem::path& state_file, std::filesystem::path root);

  /// Changes settings for good, until restore_standing(). Where that fails in the middle, all is
  /// restored and the error passes through.
  void set(const PowerRequest& request);

  /// Changes settings, calls `body`, restores, also where `body` throws. An empty request changes
  /// nothing. False where not everything
  /// could be restored; the state file is kept then.
  [[nodiscard]] bool with(const PowerRequest& request, const std::function<void()>& body);

  /// Restores what was before `set`, and says so. False where not everything could be.
  [[nodiscard]] bool restore_standing();

  /// What `set` saved.
  [[nodiscard]] const std::optional<SavedSettings>& standing() const { return state_.set; }

 private:
  void mend();
  /// Saves, writes the state file, changes. Restores where it throws.
  void change(const PowerRequest& request, const char* clocks_suffix);
  [[nodiscard]] bool undo();
  void call(const std::function<void()>& body);

  std::filesystem::path root_;
  PowerStateFile file_;
  PowerState state_;
};

/// Throws bad_input where this user may not do what `request` asks, naming `command` as the one to
/// run as root; as plan_power where it cannot be had at all.
void require_rights(const PowerRequest& request, const std::filesystem::path& root,
                    const std::string& command);

/// For messages: "power mode 7W, CPU governor performance".
[[nodiscard]] std::string request_text(const PowerRequest& request);

}  // namespace hedge
