// SPDX-License-Identifier: Apache-2.0
#include "hi/fit/folds.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <random>

#include "base/random.h"
#include "hedge/error.h"

namespace hedge {

std::vector<int> stratified_folds(std::span<const Outcome> outcomes, int folds,
                                  std::uint64_t seed) {
  const std::size_t n = outcomes.size();
  if (folds < 2) throw bad_input(fmt::format("{} folds; 2 at least", folds));
  if (n < static_cast<std::size_t>(folds)) {
    throw bad_input(
        fmt::format("{} images are fewer than the {} folds of cross-validation; --folds={} at "
                    "most, or more images",
                    n, folds, n));
  }
  std::vector<std::size_t> with;
  std::vector<std::size_t> without;
  for (std::size_t i = 0; i < n; ++i) (outcomes[i] != 0 ? with : without).push_back(i);
  if (std::min(with.size(), without.size()) < 2) {
    throw bad_input(
        fmt::format("{} right and {} wrong answers: cross-validation needs at least 2 of each; use "
                    "more images",
                    with.size(), without.size()));
  }
  std::mt19937_64 random(seed);  // Its numbers are the standard's.
  std::vector<int> fold(n);
  int next = 0;
  for (std::vector<std::size_t>* group : {&with, &without}) {
    shuffle_by(std::span(*group), [&](std::size_t count) { return random() % count; });
    for (const std::size_t sample : *group) {
      fold[sample] = next;
      next = (next + 1) % folds;
    }
  }
  return fold;
}

}  // namespace hedge
