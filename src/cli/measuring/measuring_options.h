// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "measure/paced_load.h"
#include "measure/presets.h"
#include "result/result.h"

namespace CLI {
class App;
}

namespace hedge::cli {

class Program;

/// The flags of programs that measure latency, as texts; empty: not given.
struct MeasuringOptions {
  std::string warm_up;
  std::string preset;
  std::string iterations;
  std::string duration;
  std::string repetitions;
  std::string timing;
  std::string rate;
  std::string arrivals;
  std::string seed;
  std::string samples;
  std::string benchmark_out;
  std::string streams;
  bool strict = false;
};

/// --warmup.
void add_warm_up_option(CLI::App& app, MeasuringOptions& options);
/// RunEvidence::warmer, for the flags that the program has.
[[nodiscard]] std::string warmer_advice(const Program& program);
/// --samples, --benchmark_out and --strict.
void add_evidence_options(CLI::App& app, MeasuringOptions& options);
void add_strict_flag(CLI::App& app, bool& strict);
/// --preset, --iterations, --duration, --repetitions, --timing.
void add_plan_options(CLI::App& app, MeasuringOptions& options);
/// --rate, --arrivals, --seed.
void add_paced_options(CLI::App& app, MeasuringOptions& options);

/// --streams.
void add_streams_option(CLI::App& app, MeasuringOptions& options);
/// Its value; nothing where it was not given. Throws bad_input where flags do not go with it.
[[nodiscard]] std::optional<std::size_t> stream_count(const MeasuringOptions& options);

/// "auto", a number of runs, or a duration; empty: automatic.
[[nodiscard]] WarmUpRule parse_warm_up(const std::string& text);

/// The preset with what the other flags override; `images` is what --iterations=all means. Throws
/// bad_input naming the flag.
[[nodiscard]] MeasuringPlan plan_of(const MeasuringOptions& options, std::int64_t images);

/// Whether --rate was given; throws bad_input where only what belongs to it was, or what cannot go
/// with it.
[[nodiscard]] bool is_paced(const MeasuringOptions& options);
/// 10 s and 20 requests at least, unless told.
[[nodiscard]] PacedOptions paced_options_of(const MeasuringOptions& options, std::int64_t images);

/// Requests a second of "10/s", "600/min", "1/h" or "10" (a second).
[[nodiscard]] double parse_rate(const std::string& text);

/// Writes the samples of one closed loop where flags ask for them, and notes the file in the result
/// (`latency` is a part of it). `repetition_of` as for write_samples.
void write_evidence(const MeasuringOptions& options, std::span<const std::int64_t> samples_ns,
                    std::span<const std::int64_t> repetition_of, const Result& result,
                    LatencyResult& latency);

/// Exit status of a run that was not cut short: kExitInvalid only with --strict.
[[nodiscard]] int status_of(const Validity& validity, bool strict);

}  // namespace hedge::cli
