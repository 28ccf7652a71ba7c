// SPDX-License-Identifier: Apache-2.0
#include "hi/simulate/local_classifier.h"

#include <fmt/format.h>

#include <utility>

#include "base/clock.h"
#include "hedge/error.h"
#include "stats/arg_max.h"

namespace hedge {
namespace {

Preprocessing recipe_of(const Engine& engine, const std::string& name) {
  if (!engine.info().preprocessing) {
    throw bad_input(fmt::format("{}: states no preprocessing", name));
  }
  return Preprocessing(*engine.info().preprocessing);
}

}  // namespace

LocalClassifier::LocalClassifier(std::shared_ptr<const Engine> engine,
                                 std::shared_ptr<const Dataset> dataset, std::string name,
                                 int threads)
    : engine_(std::move(engine)),
      dataset_(std::move(dataset)),
      name_(std::move(name)),
      prepare_(recipe_of(*engine_, name_)),
      context_(engine_->create_context({.threads = threads, .batch = 1})) {}

Classification LocalClassifier::classify(std::size_t index) {
  const Image image = dataset_->image(index);
  const std::int64_t begin = SteadyClock::now_ns();
  prepare_(image, context_->input());
  const std::int64_t prepared = SteadyClock::now_ns();
  context_->infer();
  const std::int64_t end = SteadyClock::now_ns();
  const auto scores = context_->output(0);
  return {.label = arg_max(scores),
          .scores = scores,
          .preprocess_ns = prepared - begin,
          .infer_ns = end - prepared};
}

std::string LocalClassifier::description() const {
  const EngineInfo& info = engine_->info();
  return fmt::format("{} ({}, backend {}, run here)", name_, info.precision, info.backend);
}

}  // namespace hedge
