// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <span>

#include "hi/decide/decision.h"
#include "hi/decide/score_features.h"
#include "hi/decide/score_kernels.h"

namespace hedge {

/// A Decision made ready for the scores of one model and for the hot path. Answers exactly as
/// Decision::keep() on score_features() does, but computes no feature that the rule does not need:
/// the two largest softmax scores suffice for most, and one pass of softmax in floats for logits.
/// What those floats leave open, near the threshold, is decided by the slow path; it also serves
/// the entropy of softmax scores and softmax scores at another temperature. Immutable.
class FastDecision {
 public:
  /// Throws bad_input as require_decidable.
  FastDecision(Decision decision, ScoreKind kind);

  /// Whether the local answer is kept. No allocation, lock or virtual call. `image` is its number,
  /// for Rule::kRandom.
  [[nodiscard]] bool keep(std::span<const float> scores, std::uint64_t image = 0) const noexcept {
    if (plan_ != Plan::kTopTwo) return keep_otherwise(scores, image);
    const TopTwo top = fast_top_two(scores);
    if (is_unfit(top)) return false;
    return reaches(linear({static_cast<double>(top.first), static_cast<double>(top.second),
                           static_cast<double>(top.first) - static_cast<double>(top.second)}));
  }

  [[nodiscard]] const Decision& decision() const noexcept { return decision_; }
  [[nodiscard]] ScoreKind kind() const noexcept { return kind_; }

 private:
  static constexpr std::size_t kMost = 8;  ///< Weights; a longer list takes the slow path.
  using Values = std::array<double, 5>;    ///< By Feature.

  enum class Plan : std::uint8_t {
    kConstant,  ///< Whatever the scores are.
    kRandom,
    kTopTwo,   ///< The two largest as they are, exact.
    kSoftmax,  ///< Softmax in floats, the slow path near the threshold.
    kSlow,
  };

  /// As score_features(): such an image is never trusted.
  static bool is_unfit(const TopTwo& top) noexcept {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    return top.second == -kInfinity || top.first == kInfinity;
  }
  [[nodiscard]] double linear(const Values& values) const noexcept {
    double sum = intercept_;
    for (std::size_t i = 0; i < count_; ++i) sum += weights_[i] * values[features_[i]];
    return sum;
  }
  /// Whether sigmoid(x) >= threshold, of other rules x >= threshold: by x alone, but where rounding
  /// could matter.
  [[nodiscard]] bool reaches(double x) const noexcept {
    if (std::abs(x - cut_) > doubt_) return x > cut_;
    return reaches_exactly(x);
  }
  [[nodiscard]] bool reaches_exactly(double x) const noexcept;
  [[nodiscard]] bool keep_otherwise(std::span<const float> scores,
                                    std::uint64_t image) const noexcept;
  [[nodiscard]] bool keep_by_softmax(std::span<const float> scores) const noexcept;
  void prepare_linear();

  Plan plan_ = Plan::kSlow;
  ScoreKind kind_;
  bool constant_ = false;
  bool weighs_entropy_ = false;
  bool weighs_energy_ = false;
  bool logistic_ = false;
  std::uint8_t count_ = 0;
  std::array<std::uint8_t, kMost> features_{};
  std::array<double, kMost> weights_{};
  double intercept_ = 0;
  double cut_ = 0;
  double doubt_ = 0;
  double sensitivity_ = 0;          ///< Of x to the error of the largest scores.
  double entropy_sensitivity_ = 0;  ///< And to that of the entropy.
  Decision decision_;
};

}  // namespace hedge
