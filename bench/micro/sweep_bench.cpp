// SPDX-License-Identifier: Apache-2.0
// What `hedge sweep` computes beyond reading the file: 50,000 images, 1,000 classes, five
// decisions, every distinct threshold.

#include <benchmark/benchmark.h>

#include <cstddef>
#include <random>
#include <vector>

#include "hi/sweep/operating_point.h"
#include "hi/sweep/sweep.h"

namespace hedge {
namespace {

struct Recorded {
  std::size_t classes = 0;
  std::vector<float> logits;
  std::vector<int> labels;
  std::vector<int> server_labels;
};

Recorded record(std::size_t images, std::size_t classes) {
  Recorded recorded{.classes = classes,
                    .logits = std::vector<float>(images * classes),
                    .labels = {},
                    .server_labels = {}};
  std::mt19937 random(1);
  std::normal_distribution<float> noise(0, 2);
  for (float& logit : recorded.logits) logit = noise(random);
  for (std::size_t i = 0; i < images; ++i) {
    const std::size_t label = random() % classes;
    recorded.logits[i * classes + label] += 8;
    recorded.labels.push_back(static_cast<int>(label));
    recorded.server_labels.push_back(random() % 10 < 8 ? static_cast<int>(label) : 0);
  }
  return recorded;
}

const Recorded& imagenet() {
  static const Recorded recorded = record(50'000, 1'000);
  return recorded;
}

std::vector<ScoreFeatures> features_of(const Recorded& recorded) {
  std::vector<ScoreFeatures> features;
  features.reserve(recorded.labels.size());
  for (std::size_t i = 0; i < recorded.labels.size(); ++i) {
    features.push_back(
        score_features(std::span(recorded.logits).subspan(i * recorded.classes, recorded.classes),
                       ScoreKind::kLogits));
  }
  return features;
}

std::vector<Ranking> rankings_of(const std::vector<ScoreFeatures>& features) {
  std::vector<Ranking> rankings;
  for (const Rule rule : score_rules()) {
    Decision decision = logistic_decision(-4.5, 5.8, -3.6);
    decision.rule = rule;
    rankings.push_back(rank_images(decision, features));
  }
  return rankings;
}

void sweep_features(benchmark::State& state) {
  const Recorded& recorded = imagenet();
  for (auto _ : state) benchmark::DoNotOptimize(features_of(recorded));
}
BENCHMARK(sweep_features)->Unit(benchmark::kMillisecond);

void sweep_rank(benchmark::State& state) {
  const auto features = features_of(imagenet());
  for (auto _ : state) benchmark::DoNotOptimize(rankings_of(features));
}
BENCHMARK(sweep_rank)->Unit(benchmark::kMillisecond);

/// Beside the points their fronts and the best point, with costs.
void sweep_points(benchmark::State& state) {
  const auto features = features_of(imagenet());
  const auto rankings = rankings_of(features);
  const auto outcomes = judge_outcomes(features, imagenet().labels, imagenet().server_labels);
  const Costs costs{.seconds = LinearCost{1, 0, 10}, .joules = LinearCost{1, 0, 2}};
  for (auto _ : state) {
    const auto points = operating_points(rankings, outcomes, costs);
    benchmark::DoNotOptimize(pareto_front(points, Axis::kSeconds));
    benchmark::DoNotOptimize(pareto_front(points, Axis::kJoules));
    benchmark::DoNotOptimize(best_point(points, {.max_seconds = 5}));
  }
}
BENCHMARK(sweep_points)->Unit(benchmark::kMillisecond);

void sweep_five_folds(benchmark::State& state) {
  const auto features = features_of(imagenet());
  const auto rankings = rankings_of(features);
  const auto outcomes = judge_outcomes(features, imagenet().labels, imagenet().server_labels);
  const Costs costs{.seconds = LinearCost{1, 0, 10}, .joules = LinearCost{1, 0, 2}};
  for (auto _ : state) {
    benchmark::DoNotOptimize(cross_validate(rankings, outcomes, costs, {.max_seconds = 5}, 5));
  }
}
BENCHMARK(sweep_five_folds)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace hedge
