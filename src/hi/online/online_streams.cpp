// SPDX-License-Identifier: Apache-2.0
#include "hi/online/online_streams.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "base/named_values.h"
#include "base/random.h"

namespace hedge {
namespace {

constexpr std::size_t kRecurringParts = 8;
constexpr std::size_t kGradualParts = 10;

constexpr std::array<std::pair<Drift, std::string_view>, 4> kDrifts{
    {{Drift::kStationary, "stationary"},
     {Drift::kSudden, "sudden"},
     {Drift::kGradual, "gradual"},
     {Drift::kRecurring, "recurring"}}};
constexpr std::array<std::pair<OnlineOrder, std::string_view>, 3> kOrders{
    {{OnlineOrder::kRecorded, "recorded"},
     {OnlineOrder::kShuffled, "shuffled"},
     {OnlineOrder::kByClass, "by-class"}}};

std::vector<std::size_t> equal_parts(std::size_t images, std::size_t parts) {
  std::vector<std::size_t> begins;
  for (std::size_t i = 0; i < parts; ++i) begins.push_back(images * i / parts);
  return begins;
}

/// Of all that is bad, at `image`: 0 to 1.
double drifted(Drift drift, std::size_t image, std::size_t images) {
  const double time = static_cast<double>(image) / static_cast<double>(images);
  switch (drift) {
    case Drift::kStationary:
      return 0;
    case Drift::kSudden:
      return image < images / 2 ? 0 : 1;
    case Drift::kGradual:
      return std::clamp(2 * time - 0.5, 0.0, 1.0);
    case Drift::kRecurring:
      return (image * kRecurringParts / images) % 2 == 0 ? 0 : 1;
  }
  return 0;
}

std::vector<std::size_t> segments_of(Drift drift, std::size_t images) {
  switch (drift) {
    case Drift::kStationary:
      return {};
    case Drift::kSudden:
      return equal_parts(images, 2);
    case Drift::kGradual:
      return equal_parts(images, kGradualParts);
    case Drift::kRecurring:
      return equal_parts(images, kRecurringParts);
  }
  return {};
}

}  // namespace

Drift drift_named(std::string_view name) {
  return value_named(kDrifts, name, "synthetic stream");
}
OnlineOrder order_named(std::string_view name) {
  return value_named(kOrders, name, "order");
}

OnlineStream synthetic_stream(const SyntheticOptions& options, std::uint64_t seed) {
  SplitMix64 random(seed);
  OnlineStream stream{std::vector<OnlineRound>(options.images),
                      segments_of(options.drift, options.images)};
  for (std::size_t i = 0; i < options.images; ++i) {
    OnlineRound& round = stream.rounds[i];
    round.confidence = random.uniform();
    if (options.levels > 0) {
      const auto levels = static_cast<double>(options.levels);
      round.confidence = (std::floor(round.confidence * levels) + 0.5) / levels;
    }
    const double bad = options.badness * drifted(options.drift, i, options.images);
    round.keep_loss = 1 - round.confidence * (1 - bad);
    round.offload_loss = options.offload_cost;
    round.local_right = round.agree = random.uniform() >= round.keep_loss;
  }
  return stream;
}

OnlineStream ordered_stream(std::span<const OnlineRound> rounds, std::span<const int> classes,
                            OnlineOrder order, std::uint64_t seed) {
  std::vector<std::size_t> indices(rounds.size());
  std::iota(indices.begin(), indices.end(), std::size_t{0});
  SplitMix64 random(seed);
  if (order != OnlineOrder::kRecorded) shuffle(std::span(indices), random);
  OnlineStream stream;
  if (order == OnlineOrder::kByClass) {
    std::vector<int> turn(
        static_cast<std::size_t>(*std::max_element(classes.begin(), classes.end())) + 1);
    std::iota(turn.begin(), turn.end(), 0);
    shuffle(std::span(turn), random);
    const auto turn_of = [&](std::size_t image) {
      return turn[static_cast<std::size_t>(classes[image])];
    };
    std::stable_sort(indices.begin(), indices.end(),
                     [&](std::size_t a, std::size_t b) { return turn_of(a) < turn_of(b); });
    for (std::size_t i = 0; i < indices.size(); ++i) {
      if (i == 0 || classes[indices[i]] != classes[indices[i - 1]]) stream.segments.push_back(i);
    }
  }
  stream.rounds.reserve(rounds.size());
  for (const std::size_t index : indices) stream.rounds.push_back(rounds[index]);
  return stream;
}

}  // namespace hedge
