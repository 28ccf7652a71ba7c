// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>

#include "hedge/engine.h"

namespace hedge {

// The metadata of an engine file. Reading throws nlohmann's exceptions or bad_input.
void to_json(nlohmann::json& json, const Binding& binding);
void from_json(const nlohmann::json& json, Binding& binding);
void to_json(nlohmann::json& json, const CalibrationInfo& info);
void from_json(const nlohmann::json& json, CalibrationInfo& info);
void to_json(nlohmann::json& json, const ExitInfo& info);
void from_json(const nlohmann::json& json, ExitInfo& info);
void to_json(nlohmann::json& json, const EngineInfo& info);
void from_json(const nlohmann::json& json, EngineInfo& info);

}  // namespace hedge
