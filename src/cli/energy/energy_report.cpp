// SPDX-License-Identifier: Apache-2.0
#include "cli/energy/energy_report.h"

#include <fmt/format.h>

#include "base/log.h"
#include "cli/energy/energy_text.h"
#include "energy/energy_summary.h"
#include "measure/energy_result.h"

namespace hedge::cli {

MeterFacts facts_of_log(const std::string& file) {
  return {"csv", fmt::format("what {} was logged of", file), "that of the external meter"};
}

void tell_energy(const Program& program, const MeterFacts& meter, const MeteredRun& run,
                 const std::string& unit, const std::vector<std::string>& notes, Result& result) {
  const EnergySummary summary = summarize_energy(run.recording, run.windows);
  result.energy = energy_result(meter, summary, run.recording);
  program.print_text(energy_lines(*result.energy, unit));
  program.print_text(meter_lines(*result.energy));
  for (const std::string& note : notes) program.print("  join     {}\n", note);
  judge_energy(summary.doubts, result);
  for (const std::string& warning : summary.warnings) {
    log(LogLevel::kWarning, warning);
    result.warnings.push_back(warning);
  }
}

}  // namespace hedge::cli
