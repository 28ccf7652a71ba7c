// SPDX-License-Identifier: Apache-2.0
// What the decision of hierarchical inference costs. Asked for are 15 ns on 10 and 150 ns on 1,000
// scores of softmax (logistic regression on the two largest, AVX2 or better).
#include <benchmark/benchmark.h>

#include <cmath>
#include <cstddef>
#include <random>
#include <span>
#include <vector>

#include "hi/decide/fast_decision.h"
#include "hi/decide/published.h"

namespace hedge {
namespace {

/// Several images, so that no branch predictor learns the one answer.
constexpr std::size_t kRows = 64;

std::vector<float> random_rows(std::size_t classes, ScoreKind kind) {
  std::mt19937_64 random(1);
  std::normal_distribution<float> logit(0, 3);
  std::vector<float> scores(kRows * classes);
  for (std::size_t row = 0; row < kRows; ++row) {
    const auto values = std::span(scores).subspan(row * classes, classes);
    float sum = 0;
    for (float& value : values) {
      value = logit(random);
      sum += std::exp(value);
    }
    if (kind == ScoreKind::kLogits) continue;
    for (float& value : values) value = std::exp(value) / sum;
  }
  return scores;
}

/// `decide(scores)` on the rows in turn.
template <class Decide>
void decide_rows(benchmark::State& state, ScoreKind kind, Decide decide) {
  const auto classes = static_cast<std::size_t>(state.range(0));
  const std::vector<float> scores = random_rows(classes, kind);
  std::size_t at = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(decide(std::span(scores).subspan(at, classes)));
    at = at + classes < scores.size() ? at + classes : 0;
  }
}

void fast(benchmark::State& state, const Decision& decision, ScoreKind kind) {
  const FastDecision ready(decision, kind);
  decide_rows(state, kind, [&](std::span<const float> scores) { return ready.keep(scores); });
}

void slow(benchmark::State& state, const Decision& decision, ScoreKind kind) {
  decide_rows(state, kind, [&](std::span<const float> scores) {
    return decision.keep(score_features(scores, kind, decision.temperature));
  });
}

const Decision kOriginal =
    published_decision({.model = "resnet8", .dataset = "cifar", .precision = "fp32", .branch = {}})
        .decision;
const Decision kEntropy{.rule = Rule::kEntropy, .threshold = 0.5};

#define HEDGE_DECISION_BENCHMARK(function, name, ...) \
  BENCHMARK_CAPTURE(function, name, __VA_ARGS__)->Arg(10)->Arg(1000)
HEDGE_DECISION_BENCHMARK(fast, logistic_softmax_done, kOriginal, ScoreKind::kSoftmax);
HEDGE_DECISION_BENCHMARK(fast, logistic_with_softmax, kOriginal, ScoreKind::kLogits);
HEDGE_DECISION_BENCHMARK(fast, entropy_with_softmax, kEntropy, ScoreKind::kLogits);
HEDGE_DECISION_BENCHMARK(slow, logistic_softmax_done, kOriginal, ScoreKind::kSoftmax);
HEDGE_DECISION_BENCHMARK(slow, logistic_with_softmax, kOriginal, ScoreKind::kLogits);
#undef HEDGE_DECISION_BENCHMARK

}  // namespace
}  // namespace hedge
