// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cli/measuring/measuring_options.h"
#include "cli/model/model_options.h"
#include "cli/program/program.h"
#include "hedge/engine.h"
#include "measure/paced_load.h"
#include "measure/presets.h"
#include "measure/steady.h"
#include "measure/timer.h"
#include "result/result.h"

namespace hedge::cli {

/// What `measurements` runs: a context whose input is filled, again and again.
struct MeasuredModel {
  const Engine& engine;
  ExecutionContext& context;
  const ModelOptions& options;
  std::int64_t batch = 1;
};

/// Inferences one after the other; prints, writes --json and --samples, returns the exit status.
/// Throws runtime_failure when cancelled before anything was measured.
[[nodiscard]] int measure_latency(const Program& program, const MeasuredModel& model,
                                  const MeasuringPlan& plan, const MeasuringOptions& options);

/// The model's context and `others` of the same options side by side, a thread each; likewise.
[[nodiscard]] int measure_streams(const Program& program, const MeasuredModel& model,
                                  std::span<const std::unique_ptr<ExecutionContext>> others,
                                  const MeasuringPlan& plan, const MeasuringOptions& options);

/// Inferences at a rate, the device asleep in between; likewise.
[[nodiscard]] int measure_paced(const Program& program, const MeasuredModel& model,
                                const WarmUpRule& warm_up, const PacedOptions& paced,
                                const MeasuringOptions& options);

/// Latency, responses and verdict of requests at a rate; `serious` as RunEvidence has it. The run
/// has samples.
void set_paced(const PacedRun& run, const PacedOptions& paced, const WarmUp& warm_up,
               const TimerOverhead& overhead, std::vector<std::string> serious, Result& result);

}  // namespace hedge::cli
