// SPDX-License-Identifier: Apache-2.0
#include "builder/score_images.h"

#include <algorithm>
#include <cmath>

#include "stats/arg_max.h"

namespace hedge {

ImageScores score_images(const Engine& engine, const ImageJob& run) {
  const std::int64_t batch = engine.info().batch;
  ImageScores result;
  const auto& shape = engine.info().outputs.at(0).shape;
  result.classes = 1;
  for (std::size_t axis = 1; axis < shape.size(); ++axis) {
    result.classes *= static_cast<std::size_t>(shape[axis]);
  }
  const auto images = static_cast<std::size_t>(run.total());
  result.scores.resize(images * result.classes);
  result.answers.resize(images);
  // Each thread writes the places of its own images.
  const auto visit = [&result](const ExecutionContext& context, std::int64_t first,
                               std::int64_t count) {
    const auto scores = context.output(0);
    for (std::int64_t i = 0; i < count; ++i) {
      const auto own = scores.subspan(static_cast<std::size_t>(i) * result.classes, result.classes);
      const auto image = static_cast<std::size_t>(first + i);
      std::ranges::copy(
          own, result.scores.begin() + static_cast<std::ptrdiff_t>(image * result.classes));
      result.answers[image] = arg_max(own);
    }
  };
  for_each_batch(
      run, batch, "inference on the images",
      [&] { return engine.create_context({.threads = 1, .batch = batch}); },
      [&] { return Visitor(visit); });
  return result;
}

std::vector<int> labels_of(const Dataset& dataset, std::int64_t images) {
  std::vector<int> labels;
  for (std::int64_t i = 0; i < images; ++i) {
    labels.push_back(dataset.label(static_cast<std::size_t>(i)));
  }
  return labels;
}

void SignalNoise::add(std::span<const float> exact, std::span<const float> rounded) {
  for (std::size_t i = 0; i < exact.size(); ++i) add(exact[i], rounded[i]);
}

std::optional<double> SignalNoise::decibels() const {
  if (!(signal > 0) || !(noise > 0)) return std::nullopt;
  return 10 * std::log10(signal / noise);
}

}  // namespace hedge
