// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "result/result.h"
#include "stats/ratio.h"

// The JSON of Google Benchmark (github.com/google/benchmark, docs/tools.md), {context, benchmarks},
// which its compare.py and the tools of others read.

namespace hedge {

struct GoogleBenchmark {
  std::string name;
  MeanEstimate mean_ns;  ///< Of real_time over the repetitions.
};

/// The benchmarks of such a file, in its order; runs of one name are repetitions. Aggregates count
/// only where the runs behind them are missing. Throws bad_input naming `source` and the entry.
[[nodiscard]] std::vector<GoogleBenchmark> google_benchmarks(const nlohmann::json& file,
                                                             const std::string& source);

/// Samples to be written under a name: of one thread's closed loop, in order.
struct NamedSamples {
  std::string name;
  std::span<const std::int64_t> ns;
};

/// Such a file. The samples of a name go in as 20 repetitions (fewer where there are fewer
/// samples), each the mean of consecutive ones, so that compare.py can test them. CPU time is not
/// measured for each; it is written as the real time, and `context` says so.
[[nodiscard]] nlohmann::ordered_json google_benchmark_json(std::span<const NamedSamples> all,
                                                           const Result& about);

}  // namespace hedge
