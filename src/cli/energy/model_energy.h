// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "cli/energy/energy_mode.h"
#include "cli/measuring/latency_mode.h"
#include "cli/measuring/measuring_options.h"
#include "cli/program/program.h"

namespace hedge::cli {

/// Throws bad_input where a flag of either is wrong, or is for latency alone.
void require_sound_energy_flags(const EnergyOptions& energy, const MeasuringOptions& measuring);

/// `measurements --energy`: inferences one after the other, or at a --rate with sleep in between,
/// beside a power meter; prints, writes --json, returns the exit status. `images` is what
/// --iterations=all means.
[[nodiscard]] int measure_energy(const Program& program, const MeasuredModel& model,
                                 const EnergyOptions& energy, const MeasuringOptions& measuring,
                                 std::int64_t images);

}  // namespace hedge::cli
