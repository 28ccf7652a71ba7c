// SPDX-License-Identifier: Apache-2.0
// Decision files: what is read is written and read again as the same, and decides the same in the
// hot path as in the slow one.

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "hi/decide/decision_file.h"
#include "hi/decide/fast_decision.h"
#include "require.h"

namespace {

const std::array<std::vector<float>, 5>& images() {
  static const std::array<std::vector<float>, 5> scores{
      {{0.7F, 0.2F, 0.1F},
       {-3.5F, 12.25F, 4},
       std::vector<float>(70, 0.5F),
       {std::numeric_limits<float>::quiet_NaN(), 1, 0.5F},
       {}}};
  return scores;
}

void decide(const hedge::Decision& decision, hedge::ScoreKind kind) {
  const hedge::FastDecision fast(decision, kind);
  for (std::uint64_t i = 0; i < images().size(); ++i) {
    const auto features = hedge::score_features(images()[i], kind, decision.temperature);
    require(fast.keep(images()[i], i) == decision.keep(features, i));
  }
}

void read(const std::string& text) {
  const hedge::DecisionFile file = hedge::decision_from_text(text, "d.json");
  require(file.decision.temperature > 0 && std::isfinite(file.decision.threshold));
  require(file.classes == 0 || file.classes >= 2);
  const hedge::DecisionFile again =
      hedge::decision_from_text(hedge::decision_to_text(file), "d.json");
  // What a rule does not have is not kept.
  hedge::Decision decision = file.decision;
  if (!hedge::has_threshold(decision.rule)) decision.temperature = 1;
  require(again.decision == decision);
  require(again.classes == file.classes && again.model == file.model &&
          again.origin == file.origin && again.fit == file.fit);
  for (const auto kind : {hedge::ScoreKind::kLogits, hedge::ScoreKind::kSoftmax}) {
    accept_bad_input([&] { decide(file.decision, kind); });
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  accept_bad_input([&] { read(text); });
  return 0;
}
