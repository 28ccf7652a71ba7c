// SPDX-License-Identifier: Apache-2.0
#include "measure/accuracy.h"

#include <fmt/format.h>

#include <cmath>

#include "hedge/error.h"
#include "stats/arg_max.h"
#include "stats/intervals.h"

namespace hedge {
namespace {

constexpr int kTopK = 5;

}  // namespace

Accuracy::Accuracy(int classes, const Options& options)
    : classes_(classes), keep_predictions_(options.keep_predictions) {
  if (classes < 1) throw bad_input(fmt::format("a classifier cannot have {} classes", classes));
  if (keep_predictions_) predictions_.reserve(options.expected_images);
}

int Accuracy::add(int label, std::span<const float> scores) {
  if (scores.size() != static_cast<std::size_t>(classes_)) {
    throw bad_input(fmt::format("{} scores for an image where the model has {} classes",
                                scores.size(), classes_));
  }
  const int predicted = arg_max(scores);
  without_class_ += predicted == kNoClass ? 1 : 0;
  ++total_;
  // A label below 0 must not agree with kNoClass.
  if (predicted == label && predicted != kNoClass) ++correct_;
  if (classes_ >= kTop5Classes && among_top(scores, label, kTopK)) ++correct_top5_;
  if (keep_predictions_) predictions_.push_back(predicted);
  return predicted;
}

std::optional<std::int64_t> Accuracy::correct_top5() const noexcept {
  if (classes_ < kTop5Classes) return std::nullopt;
  return correct_top5_;
}

AccuracyResult Accuracy::result() const {
  AccuracyResult result;
  result.correct = correct_;
  result.total = total_;
  if (total_ == 0) return result;
  const auto fraction = [this](std::int64_t count) {
    return static_cast<double>(count) / static_cast<double>(total_);
  };
  result.top1 = fraction(correct_);
  const Interval interval = wilson_interval(correct_, total_);
  result.top1_ci95 = Range{interval.lower, interval.upper};
  if (const auto top5 = correct_top5()) result.top5 = fraction(*top5);
  return result;
}

bool among_top(std::span<const float> scores, int label, int k) noexcept {
  if (label < 0 || static_cast<std::size_t>(label) >= scores.size()) return false;
  const auto position = static_cast<std::size_t>(label);
  const float own = scores[position];
  if (std::isnan(own)) return false;
  int before = 0;
  for (std::size_t i = 0; i < position; ++i) before += scores[i] >= own ? 1 : 0;
  for (std::size_t i = position + 1; i < scores.size(); ++i) before += scores[i] > own ? 1 : 0;
  return before < k;
}

}  // namespace hedge
