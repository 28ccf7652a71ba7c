// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "energy/integrate.h"
#include "energy/rail_trace.h"

namespace hedge {

/// How often a rail shows another value, ns: the sensor's refresh, or the time between readings
/// that differ where it is quicker than these. Nothing below two changes.
[[nodiscard]] std::optional<double> tick_ns(const RailTrace& trace);

/// How long a load has to be for figures of most of it, from tick to tick, seconds.
[[nodiscard]] double enough_seconds(double tick_ns);

/// A rail of watts that shows one value while others of its meter tick rests within a step of it,
/// as those that nothing draws from: gives such an energy its interval. Alone it might be stuck.
void bound_by_step(const RailTrace& trace, RailEnergy& energy);

/// Why a rail's energy in the load is no figure, with advice: its values in there, from tick to
/// tick, are fewer than kFewestSamples, or it has no interval. Empty where there is nothing to say.
/// `others_tick`: another rail of the meter has its samples, so that one of watts with a known step
/// may be steady.
[[nodiscard]] std::string shortfall_of_load(const RailTrace& trace, const RailEnergy& energy,
                                            const Window& load, bool others_tick);

/// The same of a baseline, in which a power may stay within a step of the sensor: it has to last
/// for kFewestSamples ticks.
[[nodiscard]] std::string shortfall_of_rest(const RailTrace& trace, const RailEnergy& energy,
                                            const Window& rest);

/// "2.1 ms", "1.5 s".
[[nodiscard]] std::string span_text(double seconds);

}  // namespace hedge
