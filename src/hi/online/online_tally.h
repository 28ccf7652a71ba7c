// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace hedge {

/// What an image costs, measured in wrong answers: a kept answer that is wrong costs 1.
struct OnlineCosts {
  double offload = 0.3;     ///< Of sending an image, in [0, 1).
  double server_error = 0;  ///< Of a server's answer that is known to be wrong, 0 to 1.
};

/// Throws bad_input for costs out of range.
void require_valid(const OnlineCosts& costs);

/// What a policy did and cost so far, as far as it can know.
struct OnlineTally {
  std::int64_t images = 0;
  std::int64_t offloads = 0;
  double offload_cost = 0;  ///< Known: of offloads, and of the server's errors that were told.
  double kept_errors = 0;   ///< Estimated: wrong among the answers kept, whose truth never came.
  [[nodiscard]] double cost() const noexcept { return offload_cost + kept_errors; }

  /// Returns `offload`.
  bool count(bool offload, const OnlineCosts& costs) noexcept {
    ++images;
    if (offload) {
      ++offloads;
      offload_cost += costs.offload;
    }
    return offload;
  }
  void add_server_answer(bool right, const OnlineCosts& costs) noexcept {
    if (!right) offload_cost += costs.server_error;
  }
};

}  // namespace hedge
