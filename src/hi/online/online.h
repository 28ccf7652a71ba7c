// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <utility>
#include <variant>

#include "hi/online/online_hedge.h"
#include "hi/online/online_tally.h"
#include "hi/online/online_ucb.h"

namespace hedge {

/// Keeps where the confidence reaches a threshold, and learns nothing. +infinity: offloads all,
/// -infinity: keeps all. NaN is offloaded.
class FixedThresholdPolicy {
 public:
  FixedThresholdPolicy(double threshold, OnlineCosts costs) noexcept
      : threshold_(threshold), costs_(costs) {}
  bool offload(double confidence) noexcept {
    return tally_.count(!(confidence >= threshold_), costs_);
  }
  void feedback(bool /*local_was_right*/, bool server_was_right = true) noexcept {
    tally_.add_server_answer(server_was_right, costs_);
  }
  [[nodiscard]] double threshold() const noexcept { return threshold_; }
  [[nodiscard]] const OnlineTally& tally() const noexcept { return tally_; }

 private:
  double threshold_;
  OnlineCosts costs_;
  OnlineTally tally_;
};

/// A policy that decides image by image and learns its threshold from the answers of the server,
/// which come for offloaded images only. A value; one thread at a time; neither allocates nor
/// throws after it is made. docs/online.md has the algorithms and their guarantees.
class OnlinePolicy {
 public:
  using Policy = std::variant<HedgePolicy, UpperConfidencePolicy, FixedThresholdPolicy>;
  template <class Kind>
  requires(!std::same_as<Kind, OnlinePolicy> && std::constructible_from<Policy, Kind>)
      // NOLINTNEXTLINE(google-explicit-constructor)
      OnlinePolicy(Kind policy)
      : policy_(std::move(policy)) {}

  /// Whether the image is sent to the server. `confidence` is Decision::confidence(): more is
  /// surer. NaN is always sent, and nothing is learnt from it.
  bool offload(double confidence) noexcept {
    return std::visit([&](auto& policy) { return policy.offload(confidence); }, policy_);
  }
  /// The answer to the image that offload() just sent; no call for images that were kept. Where no
  /// answer comes (a server that fails) leave it out: the image is forgotten. `local_was_right`: a
  /// client that knows no better takes the server's class for the truth.
  void feedback(bool local_was_right, bool server_was_right = true) noexcept {
    std::visit([&](auto& policy) { policy.feedback(local_was_right, server_was_right); }, policy_);
  }
  /// The least confidence that it would keep now; +infinity: none.
  [[nodiscard]] double threshold() const noexcept {
    return std::visit([](const auto& policy) { return policy.threshold(); }, policy_);
  }
  /// What it did and cost so far.
  [[nodiscard]] const OnlineTally& tally() const noexcept {
    return std::visit([](const auto& policy) -> const OnlineTally& { return policy.tally(); },
                      policy_);
  }

 private:
  Policy policy_;
};

}  // namespace hedge
