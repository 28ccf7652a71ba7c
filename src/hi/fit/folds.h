// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "stats/calibration_metrics.h"

namespace hedge {

/// The fold, 0 to folds - 1, of each sample: the samples with and without the event are shuffled
/// apart and dealt out in turn, so that folds differ by at most one sample of either (stratified
/// k-fold cross-validation; Kohavi, IJCAI 1995). The same seed deals the same on every machine.
/// Throws bad_input for fewer than 2 folds, fewer samples than folds, or outcomes of which fewer
/// than 2 are of one kind: a fold without them would leave nothing to learn from.
[[nodiscard]] std::vector<int> stratified_folds(std::span<const Outcome> outcomes, int folds,
                                                std::uint64_t seed);

}  // namespace hedge
