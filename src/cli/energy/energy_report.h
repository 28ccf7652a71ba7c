// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cli/program/program.h"
#include "energy/power_meter.h"
#include "measure/metered_run.h"
#include "result/result.h"

namespace hedge::cli {

/// Of an external meter, as far as its log tells.
[[nodiscard]] MeterFacts facts_of_log(const std::string& file);

/// Works out the energy of a run from its recording, prints it and puts it into the result, with
/// its warnings and what it is for the verdict. `notes` say how a log was joined.
void tell_energy(const Program& program, const MeterFacts& meter, const MeteredRun& run,
                 const std::string& unit, const std::vector<std::string>& notes, Result& result);

}  // namespace hedge::cli
