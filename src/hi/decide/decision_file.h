// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "hi/decide/decision.h"

namespace hedge {

inline constexpr const char* kDecisionSchema = "hedge.decision/1";

/// A decision and where it comes from: the file that `fit` and `sweep` write and `simulation` and
/// the live client read. JSON: {schema, rule, threshold, temperature, intercept, features[],
/// weights[], share, seed (what the rule has), classes, model, origin}.
struct DecisionFile {
  Decision decision;
  int classes = 0;       ///< Scores of the model that it is for; 0: of any.
  std::string model{};   ///< Of what it was fitted on; empty: unknown.
  std::string origin{};  ///< In words: "fitted on 10000 images ...".
  nlohmann::json fit{};  ///< What the fit reported of itself; null: nothing.
};

/// Throws bad_input with `name` in front: no JSON, another schema, a field that is missing, no
/// number, out of range; what require_sensible refuses.
[[nodiscard]] DecisionFile decision_from_text(std::string_view text, const std::string& name);
[[nodiscard]] DecisionFile read_decision(const std::filesystem::path& path);
[[nodiscard]] std::string decision_to_text(const DecisionFile& file);
/// Written aside, then renamed.
void write_decision(const std::filesystem::path& path, const DecisionFile& file);

}  // namespace hedge
