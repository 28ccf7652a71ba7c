// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "measure/paced_load.h"

namespace hedge {

/// Throws bad_input unless the name ends in .csv or .json.
void require_samples_extension(const std::string& path);

/// Every sample of a closed loop, in the order in which they were taken; `repetition_of` holds the
/// repetition (from 0) of each, and is empty where there is but one.
///   .csv   a line "repetition,index,latency_ns", then one a sample
///   .json  {"schema": "hedge.samples/1", "latency_ns": [...], "repetition": [...]}
/// Throws bad_input (extension, folder) and runtime_failure (disk full).
void write_samples(const std::string& path, std::span<const std::int64_t> latency_ns,
                   std::span<const std::int64_t> repetition_of);

/// Every request of a paced load, times in nanoseconds from the begin of its window.
///   .csv   "index,scheduled_ns,begin_ns,end_ns,after_idle", then one a request
///   .json  {"schema": "hedge.samples/1", "latency_ns": [...] (service), "scheduled_ns": [...],
///          "begin_ns": [...], "after_idle": [true, ...]}
void write_samples(const std::string& path, const PacedRun& run);

}  // namespace hedge
