// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/random.h"
#include "hi/online/online_tally.h"

namespace hedge {

struct HedgeOptions {
  OnlineCosts costs{};
  /// Range of the confidence; what lies outside is taken for its end.
  double low = 0;
  double high = 1;
  std::size_t experts = 256;  ///< At most so many intervals of thresholds, 2 to 65536.
  /// Images to come, which sets exploration and learning rate; 0: unknown, both decay as images
  /// come.
  std::int64_t horizon = 0;
  /// Images after which the world may have changed: weights are shared (Herbster and Warmuth 1998)
  /// at the rate 1 / memory, and horizon is taken to be this. 0: what was learnt is kept.
  std::int64_t memory = 0;
  std::optional<double> exploration{};    ///< In [0, 1], in place of the theory's.
  std::optional<double> learning_rate{};  ///< Above 0, in place of the theory's.
  std::uint64_t seed = 1;
};

/// Exponentially weighted thresholds: the Hedge algorithm (Y. Freund and R. Schapire, JCSS 55,
/// 1997) over all thresholds at once, whose weights stay equal between two confidences that came,
/// so that an interval is split where one comes (Moothedath, Champati and Gross, arXiv:2304.00891).
/// What keeping costs is seen of offloaded images only; they count by the inverse of the
/// probability with which they were offloaded (as in Exp3: Auer, Cesa-Bianchi, Freund and Schapire,
/// SIAM J. Comput. 32, 2002), which exploration keeps above 0. With ln = ln(experts) and cost b of
/// offloading
///   exploration (ln / (2 b T))^(1/3), rate 2 exploration^2            for a known horizon T,
///   exploration (ln / (3 b t))^(1/3), rate 2 exploration^2            at image t, unknown horizon;
/// docs/online.md derives them and the bound on the regret, 3 (ln / 2)^(1/3) (b T)^(2/3) and 4.5
/// (ln / 3)^(1/3) (b T)^(2/3) to leading order. O(experts) a step, no allocation after
/// construction.
class HedgePolicy {
 public:
  /// Throws bad_input: an option out of range.
  explicit HedgePolicy(const HedgeOptions& options);

  /// See OnlinePolicy.
  bool offload(double confidence) noexcept;
  void feedback(bool local_was_right, bool server_was_right = true) noexcept;
  /// Median of the weighted thresholds.
  [[nodiscard]] double threshold() const noexcept;
  [[nodiscard]] const OnlineTally& tally() const noexcept { return tally_; }

  /// Of the image that comes next.
  [[nodiscard]] double exploration() const noexcept;
  [[nodiscard]] double learning_rate() const noexcept { return rate_; }
  /// The probability with which the last image was offloaded.
  [[nodiscard]] double probability() const noexcept { return probability_; }
  [[nodiscard]] std::size_t intervals() const noexcept { return count_; }

 private:
  [[nodiscard]] std::span<double> weights() noexcept { return {weight_.data(), count_}; }
  [[nodiscard]] std::span<const double> weights() const noexcept {
    return {weight_.data(), count_};
  }
  void find(double confidence) noexcept;
  void update(double keep_loss, double offload_loss) noexcept;
  void set_rate() noexcept;
  [[nodiscard]] double budget() const noexcept;
  [[nodiscard]] double best_rate() const noexcept;

  HedgeOptions options_;
  double log_experts_;
  double begin_;  ///< Thresholds lie in (begin_, upper_[count_ - 1]].
  // Interval i holds the thresholds in (upper_[i - 1], upper_[i]]. As long as experts from the
  // start, since a copy of a vector keeps its size but not its capacity.
  std::size_t count_ = 1;
  std::vector<double> upper_;
  std::vector<double> mass_;    ///< Before anything was learnt: the share of its length.
  std::vector<double> weight_;  ///< Sum 1, up to rounding.
  double rate_ = 0;
  std::int64_t step_ = 0;       ///< Images with a confidence.
  std::int64_t next_rate_ = 1;  ///< The step at which the rate is set anew.
  SplitMix64 random_;
  OnlineTally tally_;
  // Of the last image: the interval that its confidence lies in, and the share of it that keeps.
  std::size_t at_ = 0;
  double keeping_ = 0;
  double probability_ = 1;
  bool waiting_ = false;  ///< For feedback.
};

}  // namespace hedge
