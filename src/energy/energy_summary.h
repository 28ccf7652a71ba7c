// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "energy/integrate.h"
#include "energy/sampler.h"

namespace hedge {

/// When a run did what.
struct RunWindows {
  Window load;
  std::optional<Window> idle_before;
  std::optional<Window> idle_after;
  /// Inferences of a load that works in beats, of which ticks would cut some: its figures are of
  /// the whole load.
  std::optional<std::int64_t> beats{};
};

/// Mean watts while the load rests, and the half width of its 95 % interval.
struct IdlePower {
  double watts = 0;
  double half_width = 0;
};

/// What the load cost. Gross is all that the rails drew; net is what they drew above idle.
struct EnergySummary {
  Window window;                  ///< Part of the load that the figures are of, from tick to tick.
  double inferences = 0;          ///< Within it.
  std::vector<RailEnergy> rails;  ///< In the order of the recording.
  TotalEnergy gross;
  std::optional<IdlePower> idle;
  TotalEnergy net;
  std::vector<std::string> warnings;
  std::vector<std::string> doubts;  ///< Why the energy cannot be relied on, each with advice.
};

/// Works out the energy of a load from what was recorded. The window is the longest one from tick
/// to tick of the slowest rail that counts; where the load is too short for that, or the sensor
/// stuck, the energy is not known, for its samples would be of what surrounds the load. The idle
/// power is the mean of the windows before and after; half of their difference is part of its
/// doubt. Gaps, resets and an idle power that changed or is not known are told as warnings; energy
/// with a wide interval, of a part of the load, negative, or none, is a doubt.
[[nodiscard]] EnergySummary summarize_energy(const Recording& recording, const RunWindows& windows);

}  // namespace hedge
