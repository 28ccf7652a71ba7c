// SPDX-License-Identifier: Apache-2.0
// Recorded scores, as CSV and as NumPy's arrays: what is accepted is a matrix, and any row of it
// can be judged.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "data/scores_file.h"
#include "hi/decide/score_features.h"
#include "require.h"

namespace {

void judge(const hedge::RecordedScores& scores, std::size_t bytes) {
  require(scores.columns > 0 && scores.rows() > 0);
  require(scores.values.size() == scores.rows() * scores.columns);
  require(scores.values.size() <= bytes);
  for (std::size_t i = 0; i < scores.rows(); ++i) {
    for (const auto kind : {hedge::ScoreKind::kLogits, hedge::ScoreKind::kSoftmax}) {
      const hedge::ScoreFeatures features = hedge::score_features(scores.row(i), kind, 1.5);
      require(features.predicted < static_cast<int>(scores.columns));
      require(std::isnan(features.top1) || features.top1 >= features.top2);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  accept_bad_input([&] { judge(hedge::scores_from_csv(text, "s.csv"), size); });
  accept_bad_input([&] { judge(hedge::scores_from_npy(bytes, "s.npy"), size); });
  return 0;
}
