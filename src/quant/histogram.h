// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace hedge {

/// Counts of magnitudes, in bins of one width from 0 on: bin i holds i*width <= |x| < (i+1)*width.
struct Histogram {
  std::vector<std::uint64_t> counts;
  double width = 0;
};

/// A histogram of |x| that grows with what it sees, in one pass and bounded memory (128 KB).
///
/// The width is a power of two and doubles, by merging neighbours, when a value falls outside. So
/// the result depends only on the values, not on their order or on how they were shared between
/// threads.
class MagnitudeCounter {
 public:
  /// Values that are no numbers or infinite are counted apart and change nothing else.
  void add(std::span<const float> values);
  void merge(const MagnitudeCounter& other);

  /// At most `bins` bins, the last of which holds the maximum; as many counters as needed are
  /// merged. No counts at all where every value was zero or nothing was added.
  [[nodiscard]] Histogram histogram(std::size_t bins) const;
  [[nodiscard]] float maximum() const noexcept { return maximum_; }  ///< Of |x|.
  [[nodiscard]] bool has_negative() const noexcept { return has_negative_; }
  [[nodiscard]] std::uint64_t total() const noexcept { return total_; }
  [[nodiscard]] std::uint64_t not_finite() const noexcept { return not_finite_; }

 private:
  void make_room_for(float magnitude);

  std::vector<std::uint64_t> counts_;  ///< Empty until a value other than zero comes.
  std::uint64_t zeros_ = 0;            ///< While counts_ is empty.
  int exponent_ = 0;                   ///< The width is 2^exponent_.
  float maximum_ = 0;
  bool has_negative_ = false;
  std::uint64_t total_ = 0;
  std::uint64_t not_finite_ = 0;
};

}  // namespace hedge
