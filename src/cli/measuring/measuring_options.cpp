// SPDX-License-Identifier: Apache-2.0
#include "cli/measuring/measuring_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <array>
#include <charconv>
#include <filesystem>
#include <limits>
#include <utility>

#include "base/file.h"
#include "base/naming.h"
#include "base/text.h"
#include "cli/program/flags.h"
#include "cli/program/program.h"
#include "cli/program/quantity.h"
#include "hedge/error.h"
#include "measure/google_benchmark.h"
#include "measure/samples_file.h"

namespace hedge::cli {
namespace {

constexpr std::int64_t kMostWarmUpRuns = 1'000'000'000;
constexpr std::int64_t kMostRepetitions = 1000;
constexpr std::int64_t kMostStreams = 256;

bool is_number(const std::string& text) {
  return text.find_first_not_of("0123456789-+") == std::string::npos;
}

std::int64_t duration_of(const std::string& text) {
  return parse_duration("--duration", text, 1000, kMonth_ns);
}

}  // namespace

void add_warm_up_option(CLI::App& app, MeasuringOptions& options) {
  app.add_option(
         "--warmup", options.warm_up,
         "Untimed inferences before: auto (100, then until steady, at most 10 s), a number, "
         "or a time as 200ms (default auto)")
      ->type_name("auto|N|TIME");
}

std::string warmer_advice(const Program& program) {
  if (program.app().get_option_no_throw("--warmup") == nullptr) return "run it once more";
  return "warm up longer (--warmup=30s)";
}

void add_evidence_options(CLI::App& app, MeasuringOptions& options) {
  app.add_option("--samples", options.samples, "Write every sample to FILE.csv or FILE.json")
      ->type_name("FILE");
  app.add_option("--benchmark_out", options.benchmark_out,
                 "Write the samples as Google Benchmark does, for its compare.py")
      ->type_name("FILE");
  add_strict_flag(app, options.strict);
}

void add_strict_flag(CLI::App& app, bool& strict) {
  app.add_flag("--strict", strict,
               fmt::format("Exit with status {} where the verdict is INVALID", kExitInvalid));
}

void add_plan_options(CLI::App& app, MeasuringOptions& options) {
  app.add_option("--preset", options.preset,
                 "quick, trtexec, single-stream or tiny (docs/measuring.md); other flags override "
                 "what it chooses")
      ->type_name("NAME");
  app.add_option("--iterations", options.iterations,
                 "Inferences (default 10000; 0 or all: as many as the dataset has images); with "
                 "--duration: at least")
      ->type_name("N");
  app.add_option("--duration", options.duration, "Measure for at least that long, as 3s or 500ms")
      ->type_name("TIME");
  app.add_option("--repetitions", options.repetitions,
                 "Measure so many times and report the median of the means")
      ->type_name("N");
  app.add_option("--timing", options.timing,
                 "loop (one timer around many), each (one around each) or both (default)")
      ->type_name("HOW");
}

void add_paced_options(CLI::App& app, MeasuringOptions& options) {
  app.add_option("--rate", options.rate,
                 "Let inferences come at a rate, as 10/s, and sleep in between: latency after idle")
      ->type_name("N/s");
  app.add_option("--arrivals", options.arrivals, "periodic (default) or poisson; with --rate")
      ->type_name("HOW");
  app.add_option("--seed", options.seed, "Of --arrivals=poisson (default 0)")->type_name("N");
}

void add_streams_option(CLI::App& app, MeasuringOptions& options) {
  app.add_option("--streams", options.streams,
                 "Run so many contexts side by side, a thread (and on a GPU a stream) each: the "
                 "throughput of all, and the latency of each image beside it")
      ->type_name("N");
}

std::optional<std::size_t> stream_count(const MeasuringOptions& options) {
  if (options.streams.empty()) return std::nullopt;
  const std::int64_t count = parse_count("--streams", options.streams, 1, kMostStreams);
  using Flag = std::pair<const char*, const std::string*>;
  for (const auto& [flag, text] :
       std::array<Flag, 6>{{{"--rate", &options.rate},
                            {"--preset", &options.preset},
                            {"--repetitions", &options.repetitions},
                            {"--timing", &options.timing},
                            {"--samples", &options.samples},
                            {"--benchmark_out", &options.benchmark_out}}}) {
    if (text->empty()) continue;
    throw bad_input(fmt::format("--streams and {} exclude each other: it is for one stream", flag));
  }
  return static_cast<std::size_t>(count);
}

WarmUpRule parse_warm_up(const std::string& text) {
  if (text.empty() || text == "auto") return WarmUpRule::automatic();
  if (is_number(text)) {
    return WarmUpRule::runs(parse_count("--warmup", text, 0, kMostWarmUpRuns));
  }
  if (text.find_first_of("0123456789") != 0) {
    throw bad_input(
        fmt::format("--warmup={}: give auto, a number of runs, or a time as 200ms", text));
  }
  return WarmUpRule::duration(parse_duration("--warmup", text, 0, kMonth_ns));
}

MeasuringPlan plan_of(const MeasuringOptions& options, std::int64_t images) {
  MeasuringPlan plan;
  if (!options.preset.empty()) {
    plan = naming("--preset", [&] { return preset_plan(options.preset); });
  }
  if (!options.warm_up.empty()) plan.warm_up = parse_warm_up(options.warm_up);
  if (!options.iterations.empty()) {
    plan.bound.iterations = parse_iterations(options.iterations, images);
  } else if (!options.duration.empty() && options.preset.empty()) {
    plan.bound.iterations = 10;
  }
  if (!options.duration.empty()) plan.bound.duration_ns = duration_of(options.duration);
  if (!options.repetitions.empty()) {
    plan.repetitions = parse_count("--repetitions", options.repetitions, 1, kMostRepetitions);
  }
  if (!options.timing.empty()) {
    plan.timing = naming("--timing", [&] { return parse_timing(options.timing); });
  }
  for (const auto& [flag, file] : {std::pair("--samples", &options.samples),
                                   std::pair("--benchmark_out", &options.benchmark_out)}) {
    if (plan.timing != Timing::kLoop || file->empty()) continue;
    throw bad_input(
        fmt::format("{}: a loop in stretches has no samples; give --timing=each or both", flag));
  }
  if (plan.timing == Timing::kLoop && plan.percentile) {
    throw bad_input("--timing=loop: a loop has no percentiles, which the preset is about");
  }
  return plan;
}

bool is_paced(const MeasuringOptions& options) {
  using Flag = std::pair<const char*, const std::string*>;
  if (options.rate.empty()) {
    for (const auto& [flag, text] :
         std::array<Flag, 2>{{{"--arrivals", &options.arrivals}, {"--seed", &options.seed}}}) {
      if (!text->empty()) throw bad_input(fmt::format("{}: needs --rate, as --rate=10/s", flag));
    }
    return false;
  }
  for (const auto& [flag, text] : std::array<Flag, 3>{{{"--preset", &options.preset},
                                                       {"--repetitions", &options.repetitions},
                                                       {"--timing", &options.timing}}}) {
    if (!text->empty()) {
      throw bad_input(
          fmt::format("--rate and {} exclude each other: it is for a loop that never "
                      "sleeps",
                      flag));
    }
  }
  return true;
}

PacedOptions paced_options_of(const MeasuringOptions& options, std::int64_t images) {
  PacedOptions paced;
  paced.rate_per_s = parse_rate(options.rate);
  if (options.arrivals == "poisson") {
    paced.arrivals = Arrivals::kPoisson;
  } else if (!options.arrivals.empty() && options.arrivals != "periodic") {
    throw bad_input(fmt::format("--arrivals={}: give periodic or poisson", options.arrivals));
  }
  if (!options.seed.empty()) {
    if (paced.arrivals == Arrivals::kPeriodic) {
      throw bad_input("--seed: periodic arrivals have none; give --arrivals=poisson");
    }
    paced.seed = static_cast<std::uint64_t>(
        parse_count("--seed", options.seed, 0, std::numeric_limits<std::int64_t>::max()));
  }
  const bool neither = options.iterations.empty() && options.duration.empty();
  paced.bound = neither ? RunBound{.iterations = 20, .duration_ns = 10 * kSecond_ns} : RunBound{};
  if (!options.iterations.empty()) {
    paced.bound.iterations = parse_iterations(options.iterations, images);
  }
  if (!options.duration.empty()) paced.bound.duration_ns = duration_of(options.duration);
  return paced;
}

double parse_rate(const std::string& text) {
  constexpr double kMost = 1e6;
  const auto refuse = [&] {
    throw bad_input(
        fmt::format("--rate={}: give requests a time, above 0 and at most {:.0f}/s, as 10/s, "
                    "600/min or 1/h",
                    printable(text, 40), kMost));
  };
  const std::size_t slash = text.find('/');
  const std::string unit = slash == std::string::npos ? "s" : text.substr(slash + 1);
  const double seconds = unit == "s" ? 1 : unit == "min" ? 60 : unit == "h" ? 3600 : 0;
  const std::string number = text.substr(0, slash);
  double requests = 0;
  const char* const last = number.data() + number.size();
  const auto [end, error] = std::from_chars(number.data(), last, requests);
  if (seconds == 0 || error != std::errc{} || end != last) refuse();
  if (!(requests > 0 && requests <= kMost * seconds)) refuse();
  return requests / seconds;
}

void write_evidence(const MeasuringOptions& options, std::span<const std::int64_t> samples_ns,
                    std::span<const std::int64_t> repetition_of, const Result& result,
                    LatencyResult& latency) {
  if (!options.samples.empty()) {
    write_samples(options.samples, samples_ns, repetition_of);
    latency.samples_file = options.samples;
  }
  if (!options.benchmark_out.empty()) {
    const std::filesystem::path model = result.model.file.value_or("model");
    const NamedSamples named[] = {{model.stem().string(), samples_ns}};
    write_file(options.benchmark_out, google_benchmark_json(named, result).dump(2) + "\n");
  }
}

int status_of(const Validity& validity, bool strict) {
  return strict && validity.verdict == Verdict::kInvalid ? kExitInvalid : kExitSuccess;
}

}  // namespace hedge::cli
