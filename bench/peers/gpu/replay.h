// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

/// Replays Hedge's engine and the CUDA graphs of peers by turns, in one loop with one clock, and
/// tells how long each takes. For ctypes.
///
/// `request`: {"engine": file, "input": address of the floats of one image, "iterations": a round,
/// "rounds": N, "peers": [{"name": ..., "graph": cudaGraphExec_t, "stream": cudaStream_t}]}, the
/// addresses and handles as integers of this process. `answer` takes JSON: {"scores": [...],
/// "timer_ns": ..., "contenders": [{"name", "wall_us": {p50, p90, p99, mean}, "gpu_us": {p50, p90},
/// "wall_ratio": {"ratio", "interval98": [low, high]}, "gpu_ratio": ...}]}, where ratios are the
/// contender's time over Hedge's and the first contender is Hedge. Returns 0, or 1 with the reason
/// in `answer`.
extern "C" int hedge_replay(const char* request, char* answer, std::size_t capacity);
