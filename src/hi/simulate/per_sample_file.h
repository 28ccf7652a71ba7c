// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <span>
#include <string>

#include "hi/decide/score_features.h"
#include "hi/simulate/outcome.h"

namespace hedge {

/// CSV, one image a line: image (from 0), label, local (class), top1, top2, confidence (as the
/// decision has it; more is surer), decision (kept or offloaded), server (class), right (0 or 1).
/// What is no number, and a class that there is not, is an empty cell. `features` has an entry for
/// each image.
[[nodiscard]] std::string per_sample_text(const HiAnswers& answers,
                                          std::span<const ScoreFeatures> features,
                                          const Decision& decision);

/// Written aside, then renamed.
void write_per_sample(const std::filesystem::path& path, const HiAnswers& answers,
                      std::span<const ScoreFeatures> features, const Decision& decision);

}  // namespace hedge
