// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "hi/online/online_tally.h"

namespace hedge {

/// How sure a bin's error rate is bounded from above.
enum class ConfidenceBound : std::uint8_t {
  kKl,         ///< Relative entropy: n kl(mean, q) <= width ln t (KL-UCB).
  kHoeffding,  ///< 2 n (q - mean)^2 <= width ln t (UCB1).
};

struct UcbOptions {
  OnlineCosts costs{};
  /// Bins of confidence, 1 to 4096. Their borders are quantiles of the first 4 * bins images, all
  /// of which are offloaded.
  std::size_t bins = 16;
  /// Counts are discounted by 1 - 1 / memory an image; 0: what was learnt is kept.
  std::int64_t memory = 0;
  /// A surer bin is taken to err no more than a less sure one, so that a bin may borrow what was
  /// seen of those next below it.
  bool monotone = true;
  ConfidenceBound bound = ConfidenceBound::kKl;
  double width = 1;  ///< Of ln t; more explores more.
};

/// Keeps an answer once the upper confidence bound of the error rate of images of its confidence is
/// below the cost of offloading: optimism for offloading, which alone brings feedback. With
/// `monotone` off it is HI-LCB-lite, with it akin to HI-LCB (S. Chattopadhyay, V. Sutar, J.
/// Champati and S. Moharir, arXiv:2508.08985: regret O(log T) where the confidences are finitely
/// many), which uses monotonicity too; here the least bound counts of the bin pooled with any
/// number of those next below it. The bound by relative entropy is that of KL-UCB (A. Garivier and
/// O. Cappe, COLT 2011), discounting that of D-UCB (A. Garivier and E. Moulines, ALT 2011). O(bins)
/// a step, no allocation after construction.
class UpperConfidencePolicy {
 public:
  /// Throws bad_input: an option out of range.
  explicit UpperConfidencePolicy(const UcbOptions& options);

  /// See OnlinePolicy.
  bool offload(double confidence) noexcept;
  void feedback(bool local_was_right, bool server_was_right = true) noexcept;
  /// The lower border of the first bin that is kept.
  [[nodiscard]] double threshold() const noexcept;
  [[nodiscard]] const OnlineTally& tally() const noexcept { return tally_; }
  /// 0 while the borders are not known yet.
  [[nodiscard]] std::size_t bins() const noexcept { return bin_count_; }

 private:
  struct Bin {
    double lower = 0;   ///< Border.
    double count = 0;   ///< Of answers seen; discounted.
    double excess = 0;  ///< Sum of what keeping cost above the server's error, scaled to [0, 1].
    double errors = 0;  ///< Of the local model.
  };
  struct Seen {
    double confidence = 0;
    double excess = 0;
    double error = 0;
  };

  void make_bins() noexcept;
  void add(Bin& bin, const Seen& seen) noexcept;
  [[nodiscard]] std::size_t bin_of(double confidence) const noexcept;
  /// Whether the bound lets `bin` be kept: the error rate that lets it, else NaN.
  [[nodiscard]] double kept_error_rate(std::size_t bin) const noexcept;
  [[nodiscard]] double limit() const noexcept;

  UcbOptions options_;
  double target_;  ///< The offloading cost on the scale of `excess`.
  // As long as they may get from the start, since a copy of a vector keeps no capacity.
  std::vector<Bin> bins_;  ///< Ascending.
  std::size_t bin_count_ = 0;
  std::vector<Seen> first_;  ///< Until the borders are known.
  std::size_t first_count_ = 0;
  std::int64_t step_ = 0;  ///< Images with a confidence.
  double confidence_ = 0;  ///< Of the last image.
  bool waiting_ = false;   ///< For feedback.
  OnlineTally tally_;
};

}  // namespace hedge
