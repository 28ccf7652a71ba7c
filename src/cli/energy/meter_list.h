// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>

#include "cli/program/program.h"

namespace hedge::cli {

/// Prints the power meters of this machine: why one is not there, and the rails of those that are
/// with their power over a second, into `json["meters"]` too. With `watch` a line a second follows,
/// until Ctrl-C.
void list_meters(const Program& program, nlohmann::ordered_json& json, bool watch);

}  // namespace hedge::cli
