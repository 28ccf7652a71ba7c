// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "cli/model/model_options.h"
#include "hedge/engine.h"
#include "result/result.h"

namespace hedge::cli {

/// "1", or "1 (to 8, tuned for 4)" of engines that are built for a range.
[[nodiscard]] std::string batch_text(const EngineInfo& info);
/// "fp32 (products in TF32)"
[[nodiscard]] std::string precision_text(const EngineInfo& info);

/// A result with everything set that is known before anything is measured: the context's warnings,
/// too.
[[nodiscard]] Result describe_run(const std::string& program, const Engine& engine,
                                  const ExecutionContext& context, const ModelOptions& options,
                                  std::int64_t batch);
[[nodiscard]] MemoryResult memory_result(const ExecutionContext& context);

/// Where infer() preprocesses: the scope of its latencies says so.
void set_scope(const ModelOptions& options, Result& result);
/// "infer()", and what is in it that a reader would not expect.
[[nodiscard]] std::string timed_call(const ModelOptions& options);

// Lines for people, ending in a line end.
/// On a GPU with a second line: how it runs.
[[nodiscard]] std::string model_line(const Result& result);
/// Of an engine with an early exit: where it is, what it costs and what lies at the cut.
[[nodiscard]] std::string exit_line(const EngineInfo& info);
[[nodiscard]] std::string accuracy_line(const AccuracyResult& accuracy);
[[nodiscard]] std::string latency_lines(const LatencyResult& latency);
[[nodiscard]] std::string timer_line(const TimerOverhead& overhead);
[[nodiscard]] std::string memory_line(const MemoryResult& memory);
[[nodiscard]] std::string machine_notes(const MachineFacts& machine);

}  // namespace hedge::cli
