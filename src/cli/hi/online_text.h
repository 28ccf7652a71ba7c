// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "hi/decide/decision.h"
#include "hi/online/online_simulation.h"

namespace hedge::cli {

inline constexpr const char* kBestFixed = "best fixed";
inline constexpr const char* kServersBest = "server's best";  ///< Best if the server were right.

/// One policy or one bound that it is held against.
struct OnlineRow {
  std::string name;
  OnlineSummary summary;
  bool learns = false;
};

/// A threshold on the confidence as people state it: in the rule's unit; "keep all", "offload all".
[[nodiscard]] std::string threshold_text(const Decision& decision, double threshold);

/// The table of all rows, how the regret of those that learn grew, and what it costs to take the
/// server for right.
[[nodiscard]] std::string online_table(const std::vector<OnlineRow>& rows,
                                       const Decision& decision);

/// What a person wants to know, of the best row that learns; empty where none does. Rows named
/// kBestFixed, "always" and "never" are looked for.
[[nodiscard]] std::string online_sentence(const std::vector<OnlineRow>& rows);

[[nodiscard]] nlohmann::ordered_json online_rows_json(const std::vector<OnlineRow>& rows,
                                                      const Decision& decision);

/// policy,images,regret,ci95_lower,ci95_upper: the curves of those that learn, and of fixed ones.
[[nodiscard]] std::string regret_csv(const std::vector<OnlineRow>& rows);

}  // namespace hedge::cli
