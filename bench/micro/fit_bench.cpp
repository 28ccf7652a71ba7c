// SPDX-License-Identifier: Apache-2.0
// What fitting a decision costs: one logistic regression, and its neighbours, on as many samples as
// ImageNet's validation set has.

#include <benchmark/benchmark.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "hi/fit/logistic_fit.h"
#include "stats/calibration_metrics.h"
#include "stats/isotonic.h"

namespace hedge {
namespace {

constexpr std::size_t kSamples = 50'000;

struct Data {
  std::vector<double> values;  ///< top1, top2, and others of the same kind.
  std::vector<double> scores;
  std::vector<Outcome> outcomes;
};

Data make_data(std::size_t features) {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> uniform(0, 1);
  Data data;
  for (std::size_t i = 0; i < kSamples; ++i) {
    const double top1 = 0.1 + 0.9 * uniform(random);
    const double top2 = (1 - top1) * uniform(random);
    data.values.push_back(top1);
    if (features > 1) data.values.push_back(top2);
    for (std::size_t j = 2; j < features; ++j) data.values.push_back(uniform(random));
    data.scores.push_back(1 / (1 + std::exp(-(-3 + 5 * top1 - top2))));
    data.outcomes.push_back(uniform(random) < data.scores.back() ? 1 : 0);
  }
  return data;
}

void fit_logistic_of(benchmark::State& state) {
  const auto features = static_cast<std::size_t>(state.range(0));
  const Data data = make_data(features);
  Samples samples{.values = data.values, .outcomes = data.outcomes, .names = {}};
  for (std::size_t j = 0; j < features; ++j) samples.names.push_back("x" + std::to_string(j));
  for (auto _ : state) benchmark::DoNotOptimize(fit_logistic(samples, {.l2 = 1}).weights[0]);
}
BENCHMARK(fit_logistic_of)->Arg(2)->Arg(5)->Unit(benchmark::kMillisecond);

void fit_isotonic_of(benchmark::State& state) {
  const Data data = make_data(2);
  for (auto _ : state) {
    benchmark::DoNotOptimize(fit_isotonic({data.scores, data.outcomes}).scores.size());
  }
}
BENCHMARK(fit_isotonic_of)->Unit(benchmark::kMillisecond);

void roc_auc_of(benchmark::State& state) {
  const Data data = make_data(2);
  for (auto _ : state) benchmark::DoNotOptimize(roc_auc({data.scores, data.outcomes}));
}
BENCHMARK(roc_auc_of)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace hedge
