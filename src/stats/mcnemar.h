// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

namespace hedge {

/// Two classifiers on the same images.
struct PairedAnswers {
  std::int64_t total = 0;
  std::int64_t agree = 0;  ///< Gave the same class.
  std::int64_t both_right = 0;
  std::int64_t only_a_right = 0;  ///< Discordant, as only_b_right is.
  std::int64_t only_b_right = 0;
};

/// Compares the classes that A and B gave with the labels. Throws bad_input where the lengths
/// differ. A class below 0 (no answer) is never right.
[[nodiscard]] PairedAnswers pair_answers(std::span<const int> labels, std::span<const int> a,
                                         std::span<const int> b);

/// Two-sided p-value of McNemar's test (Psychometrika 12, 1947, p. 153) that A and B are right
/// equally often, from the images of which only one got it right. Exact for any number: under the
/// hypothesis these are Binomial(n, 1/2). 1 where there are none. Throws bad_input for negative
/// counts.
[[nodiscard]] double mcnemar_p_value(std::int64_t only_a_right, std::int64_t only_b_right);

}  // namespace hedge
