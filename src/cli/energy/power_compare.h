// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cli/program/program.h"
#include "energy/modes/power_mode.h"

namespace hedge::cli {

struct CompareRequest {
  std::filesystem::path program;
  std::vector<std::string> arguments;
  PowerRequest both;    ///< The power mode, for both runs; may be empty.
  PowerRequest locked;  ///< For the second run alone.
};

/// `hedge power compare`: runs the command with free clocks, then with locked ones, each with a
/// --json of its own, and prints both results and the ratio of locked to free. A command that fails
/// ends it with that command's status.
int compare_clocks(const Program& program, const CompareRequest& request,
                   const std::string& state_file);

}  // namespace hedge::cli
