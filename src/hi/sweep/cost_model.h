// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "hi/sweep/network_preset.h"
#include "result/result.h"

namespace hedge {

/// What one image costs on the device's side of hierarchical inference: means, in seconds and
/// joules. Absent is unknown, never free. Queues and tails (p99) are not modelled: an image meets
/// neither another one nor a lost packet.
struct CostModel {
  // The local model, run on every image except where everything goes to the server.
  std::optional<double> local_seconds;
  std::optional<double> local_joules;
  double decision_seconds = 0;
  double decision_joules = 0;
  // What an offloaded image adds.
  double upload_bytes = 0;
  double answer_bytes = 2;
  Link link;
  std::optional<double> server_seconds;
  /// Of the device while it sends and waits; what its radio draws comes on top. Absent: only the
  /// radio is counted.
  std::optional<double> idle_watts;
  double server_joules = 0;  ///< For those who pay for the server, too.
};

/// A mean that is linear in the share of images that are offloaded.
struct LinearCost {
  double local = 0;     ///< The local model.
  double decision = 0;  ///< Beside it, wherever there is a choice.
  double offload = 0;   ///< Of an offloaded image.
  /// Of hierarchical inference: the local model first, then the server where it is asked.
  [[nodiscard]] double at(double share) const noexcept {
    return local + decision + share * offload;
  }
  [[nodiscard]] double all_local() const noexcept { return local; }
  /// Without the local model.
  [[nodiscard]] double all_server() const noexcept { return offload; }
};

/// The parts of an offload's latency, in seconds.
struct OffloadTimes {
  double send = 0;
  double round_trip = 0;
  double server = 0;
  double receive = 0;
  [[nodiscard]] double total() const noexcept { return send + round_trip + server + receive; }
};
[[nodiscard]] OffloadTimes offload_times(const CostModel& model);

/// Seconds. Offload: 8 upload / up + round trip + server + 8 answer / down. Throws bad_input where
/// the latency of the local model or of the server is absent.
[[nodiscard]] LinearCost latency_of(const CostModel& model);

/// Joules of the device. Offload: (idle + sending) * time to send + (idle + receiving) * time to
/// receive + (idle + waiting) * (round trip + server) + the radio's tail + the server's energy.
/// Nothing where the energy of the local model is absent. Throws bad_input as latency_of.
[[nodiscard]] std::optional<LinearCost> energy_of(const CostModel& model);

/// What a measured result says of one inference.
struct MeasuredCost {
  std::optional<double> seconds{};     ///< Mean of latency_us.
  std::optional<double> joules{};      ///< Gross, or above idle.
  std::optional<double> idle_watts{};  ///< Absent with energy above idle.
  std::string doubt{};                 ///< First reason of a verdict INVALID; empty: none.
  std::string what{};                  ///< "resnet8 fp32, mean of 10000 (infer)".
};

/// Of the result with batch 1 among `results`, for hierarchical inference asks image by image.
/// Throws bad_input with `source` in front: none with batch 1, neither latency nor energy in it.
[[nodiscard]] MeasuredCost measured_cost(std::span<const Result> results, const std::string& source,
                                         bool above_idle);

}  // namespace hedge
