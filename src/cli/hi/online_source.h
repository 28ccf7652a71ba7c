// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/model/scored_images.h"
#include "hi/decide/decision.h"
#include "hi/online/online_streams.h"

namespace hedge::cli {

/// Fewer are refused.
inline constexpr std::size_t kFewestOnlineImages = 100;

/// Flags of `hedge online`, as text.
struct OnlineFlags {
  ScoredImagesOptions recorded;
  std::string labels, synthetic;
  std::string images = "20000";
  std::string levels = "0";
  std::string policies = "hedge,ucb";
  std::string confidence = "top1";
  std::string decision_file;
  std::string cost = "0.3";
  std::string server_error_cost = "1";
  std::string feedback = "server";
  std::string order = "shuffled";
  std::string repetitions = "20";
  std::string seed = "1";
  std::string horizon = "0";
  std::string memory = "0";
  std::string experts = "256";
  std::string bins = "16";
  std::string exploration, learning_rate;
  std::string csv, svg;
};

/// Images, with what is known of all of them.
struct OnlineSource {
  std::function<OnlineStream(std::size_t)> stream;  ///< Of a repetition.
  std::size_t images = 0;
  Decision decision;  ///< Its confidence, and the unit of its thresholds.
  double low = 0;     ///< Range of the confidence.
  double high = 1;
  bool server_known = false;  ///< Not simply always right.
  std::string text;           ///< Lines for people.
  nlohmann::ordered_json json;
};

struct OnlineSetting {
  OnlineCosts costs;  ///< As they are; a policy that is not told of the server's errors has fewer.
  OnlineFeedback feedback = OnlineFeedback::kServer;
  std::uint64_t seed = 1;
  std::size_t repetitions = 20;
};

/// Throws bad_input: a number out of range, no such feedback.
[[nodiscard]] OnlineSetting online_setting(const OnlineFlags& flags);

/// Recorded scores or synthetic images. Throws bad_input: files that do not fit together, too few
/// images, no confidence.
[[nodiscard]] OnlineSource online_source(const OnlineFlags& flags, const OnlineSetting& setting);

}  // namespace hedge::cli
