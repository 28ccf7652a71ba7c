// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cli/program/program.h"

namespace hedge::cli {

/// `hedge power show`: mends what a killed run left where this user may, then prints what there is
/// to set and how it is set. Returns kExitBadInput where there is nothing.
int show_power(const Program& program, const std::string& state_file);

}  // namespace hedge::cli
