// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <signal.h>

#include <filesystem>
#include <string>
#include <vector>

namespace hedge::cli {

/// Keeps the signals that end a program back, so that what has been changed is restored first.
/// Programs that run_tool() starts inherit that and are not cut short either.
class HeldSignals {
 public:
  HeldSignals();
  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;
  ~HeldSignals();  ///< What came in the meantime is delivered then.

  /// Whether one has come and was not taken by run_child.
  [[nodiscard]] bool ending() const;

 private:
  friend int run_child(const std::filesystem::path& program,
                       const std::vector<std::string>& arguments, const HeldSignals& held);
  sigset_t held_{};
  sigset_t before_{};
};

/// Runs a program to its end with this one's terminal and returns its exit status, 128 + N where
/// signal N ended it. A signal for this process is passed on, but for those of the terminal
/// (Ctrl-C), which both get. Should this process be killed, the child gets SIGTERM. Throws
/// runtime_failure where it cannot be started.
int run_child(const std::filesystem::path& program, const std::vector<std::string>& arguments,
              const HeldSignals& held);

}  // namespace hedge::cli
