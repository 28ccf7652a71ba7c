// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace hedge {

// The structs of the result schema `hedge.result/1`: fields as in the JSON, in its order. What is
// absent (std::nullopt, an empty list) was not measured or does not apply; it is left out of the
// JSON and never written as zero. Texts, numbers and units mean the same in both.

inline constexpr const char* kResultSchema = "hedge.result/1";

using Range = std::array<double, 2>;  ///< Lower and upper end, both included.

struct ModelFacts {
  std::optional<std::string> file;    ///< As the user named it.
  std::optional<std::string> sha256;  ///< Of the ONNX file that it was built from, hexadecimal.
  std::optional<std::string> name;
  std::optional<std::string> dataset;
  std::optional<std::string> precision;
  std::optional<std::string> backend;
  bool operator==(const ModelFacts&) const = default;
};

struct MachineFacts {
  std::optional<std::string> hostname;
  std::optional<std::string> cpu;
  std::optional<std::int64_t> cores;  ///< Logical CPUs that are online.
  std::optional<std::string> gpu;
  std::optional<std::string> driver;
  std::optional<std::string> os;
  std::optional<std::string> governor;    ///< Of CPU frequency, "performance"; each once if mixed.
  std::optional<std::string> power_mode;  ///< Of boards that have them (nvpmodel).
  std::vector<std::string> notes;         ///< What makes numbers of this machine or build doubtful.
  bool operator==(const MachineFacts&) const = default;
};

struct RunConfig {
  std::optional<std::int64_t> iterations;
  std::optional<std::int64_t> warmup_iterations;
  std::optional<std::int64_t> repetitions;
  std::optional<std::int64_t> threads;
  std::optional<std::int64_t> batch;
  std::optional<std::int64_t> streams;  ///< Contexts that ran side by side.
  std::optional<bool> cuda_graph;
  std::optional<std::string> memory_mode;
  std::optional<std::string> wait;
  /// Further settings of the program, written beside the ones above under their own names, which
  /// must differ from those.
  std::map<std::string, nlohmann::json> flags;
  bool operator==(const RunConfig&) const = default;
};

/// Fractions of 1.
struct AccuracyResult {
  std::optional<double> top1;
  std::optional<Range> top1_ci95;  ///< Wilson.
  std::optional<double> top5;      ///< From 1000 classes on.
  std::optional<std::int64_t> correct;
  std::optional<std::int64_t> total;
  bool operator==(const AccuracyResult&) const = default;
};

struct PercentileIntervals {
  std::optional<Range> p50;
  std::optional<Range> p90;
  std::optional<Range> p95;
  std::optional<Range> p99;
  std::optional<Range> p999;
  bool operator==(const PercentileIntervals&) const = default;
};

/// Numbers of samples, by percentile.
struct PercentileCounts {
  std::optional<std::int64_t> p50;
  std::optional<std::int64_t> p90;
  std::optional<std::int64_t> p95;
  std::optional<std::int64_t> p99;
  std::optional<std::int64_t> p999;
  bool operator==(const PercentileCounts&) const = default;
};

/// Microseconds of one inference (of the whole batch). `measure/latency_result.h` fills it.
struct LatencyResult {
  std::optional<std::int64_t> count;
  std::optional<double> mean;
  std::optional<Range> mean_ci95;
  std::optional<double> stddev;
  std::optional<double> min;
  std::optional<double> max;
  std::optional<double> p50;
  std::optional<double> p90;
  std::optional<double> p95;
  std::optional<double> p99;
  std::optional<double> p999;
  PercentileIntervals ci95;
  std::optional<double> cv;  ///< Coefficient of variation: stddev / mean.
  /// In samples: so many say as much about the mean as one that is independent.
  std::optional<double> autocorrelation_time;
  std::optional<std::int64_t> stretches;  ///< Of a loop: whose means the interval comes from.
  PercentileCounts independent_samples;   ///< That the samples count as, for each percentile.
  PercentileCounts needed_samples;        ///< Of percentiles without interval: what it takes.
  std::optional<std::string> scope;       ///< One of kScope...
  std::optional<double> timer_overhead;   ///< What the timer itself adds to each sample.
  std::optional<std::string> samples_file;
  bool operator==(const LatencyResult&) const = default;
};
inline constexpr const char* kScopeInfer = "infer";
inline constexpr const char* kScopePreprocessAndInfer = "preprocess+infer";
inline constexpr const char* kScopeDecide = "decide";
inline constexpr const char* kScopeEarlyExit = "stem+decide+tail";
inline constexpr const char* kScopeLoop = "loop";  ///< Amortised: one timer around all iterations.

/// The untimed inferences before.
struct WarmUpResult {
  std::optional<std::int64_t> runs;
  std::optional<double> seconds;
  std::optional<double> steady_us;  ///< Median of its last window.
  std::optional<bool> settled;      ///< Absent where nobody asked for it.
  bool operator==(const WarmUpResult&) const = default;
};

/// What stands for the run: the statistic of its preset.
struct HeadlineResult {
  std::optional<std::string> statistic;  ///< "mean", "p90", "median of repetitions".
  std::optional<double> us;
  std::optional<double> upper99_us;  ///< Above it at 1 % error: p90 of `single-stream`.
  bool operator==(const HeadlineResult&) const = default;
};

/// Consecutive samples between two changes of the level.
struct SegmentResult {
  std::int64_t first = 0;  ///< Index of its first sample (of a loop: stretch).
  std::int64_t count = 0;
  double median_us = 0;
  std::optional<double> mean_us{};
  std::optional<double> step;  ///< From the level before, a fraction; absent of the first one.
  bool operator==(const SegmentResult&) const = default;
};

/// What became of the level.
struct RegimesResult {
  std::vector<SegmentResult> segments;
  std::optional<double> drift;   ///< From begin to end, a fraction; where there is no step.
  std::optional<bool> of_means;  ///< True where the means changed and the medians held.
  bool operator==(const RegimesResult&) const = default;
};

/// Requests at a rate of their own.
struct PacedResult {
  std::optional<double> rate_per_s;
  std::optional<std::string> arrivals;  ///< "periodic", "poisson".
  std::optional<std::int64_t> seed;     ///< Of poisson.
  std::optional<std::int64_t> requests;
  std::optional<std::int64_t> missed;  ///< Began late because the one before was still running.
  std::optional<double> seconds;       ///< Of the window, idle time included.
  std::optional<double> busy;          ///< Share of the window in which a request was served.
  std::optional<double> wake_up_us;    ///< Median from arrival to begin, of those after idle.
  std::optional<LatencyResult> response_us;    ///< From arrival to end.
  std::optional<LatencyResult> after_idle_us;  ///< Service of the requests that ended an idle time.
  bool operator==(const PacedResult&) const = default;
};

/// What the process used while it measured, all its threads together.
struct UsageResult {
  std::optional<double> wall_seconds;
  std::optional<double> cpu_seconds;
  std::optional<double> user_seconds;
  std::optional<double> system_seconds;
  std::optional<double> cpu_us_per_inference;
  std::optional<std::int64_t> waits;        ///< Voluntary context switches.
  std::optional<std::int64_t> preemptions;  ///< Involuntary ones.
  std::optional<std::int64_t> page_faults;
  bool operator==(const UsageResult&) const = default;
};

/// Medians, microseconds; parts that run on a GPU are timed by its clock (measure/time_split.h).
struct SplitResult {
  std::optional<double> preprocess;
  std::optional<double> copy_in;
  std::optional<double> compute;
  std::optional<double> copy_out;
  std::optional<double> decide;
  std::optional<double> enqueue;  ///< Host: until all was handed to the GPU.
  std::optional<double> wall;     ///< Host: the whole inference of which `enqueue` is a part.
  bool operator==(const SplitResult&) const = default;
};

struct MemoryResult {
  std::optional<std::int64_t> engine_bytes;
  std::optional<std::int64_t> arena_bytes;
  std::optional<std::int64_t> peak_rss_bytes;
  std::optional<std::int64_t> gpu_bytes;
  bool operator==(const MemoryResult&) const = default;
};

/// Gross is all that the rails drew while the load ran; net is above idle. The 95 % intervals hold
/// what sampling leaves open, not the gain error of the sensor (`gain_error`, in words).
struct EnergyResult {
  std::optional<std::string> meter;
  std::vector<std::string> rails;                ///< Those that count.
  std::optional<double> seconds;                 ///< Of the load, from tick to tick of the meter.
  std::optional<std::int64_t> distinct_samples;  ///< Of the slowest rail, in these.
  std::optional<double> joules_total;            ///< Gross, in these.
  std::optional<double> idle_watts;
  std::optional<double> mean_watts;            ///< Gross.
  std::optional<double> mj_per_inference;      ///< Gross.
  std::optional<double> mj_per_inference_net;  ///< Above idle.
  std::optional<Range> ci95;                   ///< Of mj_per_inference.
  std::optional<Range> joules_total_ci95{};
  std::optional<Range> idle_watts_ci95{};
  std::optional<Range> mean_watts_ci95{};
  std::optional<Range> net_ci95{};          ///< Of mj_per_inference_net.
  std::optional<double> inferences{};       ///< In the same seconds.
  std::optional<double> refresh_seconds{};  ///< Of the slowest rail that counts.
  std::optional<std::string> covers{};      ///< What the meter sees, and what it does not.
  std::optional<std::string> gain_error{};
  /// By the name of each rail, also of those that do not count, an object: counts, joules,
  /// mean_watts, mean_watts_ci95, distinct_samples, refresh_seconds, gap_seconds, failed_readings.
  std::optional<nlohmann::json> rail_details{};
  bool operator==(const EnergyResult&) const = default;
};

/// Images by what the decision did with them.
struct ConfusionResult {
  std::optional<std::int64_t> kept_right;
  std::optional<std::int64_t> kept_wrong;       ///< Kept though the local answer was wrong.
  std::optional<std::int64_t> offloaded_right;  ///< Offloaded though it was right.
  std::optional<std::int64_t> offloaded_wrong;
  std::optional<std::int64_t> offloaded_server_right;
  std::optional<std::int64_t> offloaded_server_wrong;
  std::optional<std::int64_t> gained{};  ///< Local wrong, offloaded, server right.
  std::optional<std::int64_t> lost{};    ///< Local right, offloaded, server wrong.
  bool operator==(const ConfusionResult&) const = default;
};

/// HI against answering all images one way, on the same images.
struct PairedResult {
  std::optional<double> difference;  ///< Of accuracies, that of HI less the other's.
  std::optional<std::int64_t> only_hi_right;
  std::optional<std::int64_t> only_other_right;
  std::optional<double> p_value;  ///< McNemar's test, exact.
  bool operator==(const PairedResult&) const = default;
};

/// Fractions of 1, of the images of the run; intervals are Wilson's.
struct HiResult {
  std::optional<std::string> decision;
  std::vector<double> parameters;
  std::optional<std::int64_t> offloads;
  std::optional<double> offload_fraction;
  std::optional<double> accuracy_local;
  std::optional<double> accuracy_server;
  std::optional<double> accuracy;
  std::optional<double> threshold{};    ///< In the decision's own unit.
  std::optional<double> temperature{};  ///< Of softmax; absent where it is 1.
  std::optional<std::string> origin{};  ///< Of the parameters: a file, published coefficients.
  std::optional<std::string> server{};  ///< Who answers: a file of classes, an engine.
  std::optional<std::int64_t> images{};
  std::optional<std::int64_t> correct{};  ///< Of the whole, as `accuracy`.
  std::optional<Range> offload_fraction_ci95{};
  std::optional<Range> accuracy_local_ci95{};
  std::optional<Range> accuracy_server_ci95{};
  std::optional<Range> accuracy_ci95{};
  ConfusionResult confusion{};
  std::optional<PairedResult> against_local{};
  std::optional<PairedResult> against_server{};
  std::optional<LatencyResult> decision_us{};  ///< Of one decision, scores to answer.
  bool operator==(const HiResult&) const = default;
};

/// A net with an early exit, image by image by a decision. `accuracy` and `latency_us` beside it
/// are what came of that.
struct EarlyExitResult {
  std::optional<std::string> decision;    ///< Its rule.
  std::optional<double> threshold;        ///< In the rule's unit.
  std::optional<double> stem_fraction{};  ///< Of the whole net's multiply-accumulates.
  std::optional<std::int64_t> exits{};
  std::optional<double> exit_fraction{};
  std::optional<AccuracyResult> accuracy_exited{};  ///< Of the images that left.
  std::optional<AccuracyResult> accuracy_exit{};    ///< The exit's, had all images left.
  std::optional<AccuracyResult> accuracy_net{};     ///< The whole net's, had none.
  std::optional<std::int64_t> offloads{};
  std::optional<AccuracyResult> accuracy_server{};
  std::optional<std::int64_t> lost{};  ///< Right by the whole net, wrong as it was answered.
  std::optional<std::int64_t> won{};   ///< The other way round.
  std::optional<LatencyResult> exited_us{};
  std::optional<LatencyResult> continued_us{};
  std::optional<LatencyResult> offloaded_us{};  ///< Of images offloaded at the exit, here.
  std::optional<LatencyResult> whole_us{};      ///< The whole net, each image.
  std::optional<double> saved{};                ///< Of its mean latency, a fraction of 1.
  std::optional<Range> saved_ci98{};
  bool operator==(const EarlyExitResult&) const = default;
};

/// Clocks, temperatures, load, throttling: one JSON object each, keys as the meter names them.
struct ConditionsResult {
  std::optional<nlohmann::json> before;
  std::optional<nlohmann::json> during;
  std::optional<nlohmann::json> after;
  bool operator==(const ConditionsResult&) const = default;
};

enum class Verdict : std::uint8_t { kValid, kInvalid };

struct Validity {
  Verdict verdict = Verdict::kValid;
  std::vector<std::string> reasons;  ///< Why it is INVALID, each with advice.
  bool operator==(const Validity&) const = default;
};

/// One measurement of one model: a whole result file, or an element of a sweep's.
struct Result {
  std::string program;
  std::string time_utc;  ///< utc_time_text() of when it was made, after measuring.
  std::string hedge_version;
  ModelFacts model;
  MachineFacts machine;
  RunConfig config;
  std::optional<AccuracyResult> accuracy;
  std::optional<LatencyResult> latency_us;
  std::optional<HeadlineResult> headline;
  std::optional<LatencyResult> per_iteration_us;  ///< Beside a loop: the same, one by one.
  std::vector<double> repetitions_us;             ///< Mean of each, where there are several.
  std::optional<double> cold_us;  ///< First inference after loading, in no other figure.
  std::optional<WarmUpResult> warmup;
  std::optional<RegimesResult> regimes;
  std::optional<PacedResult> paced;
  std::optional<UsageResult> usage;
  std::optional<SplitResult> split_us;
  std::optional<double> throughput_per_s;  ///< Images (not batches) a second.
  std::optional<MemoryResult> memory;
  std::optional<EnergyResult> energy;
  std::optional<HiResult> hi;
  std::optional<EarlyExitResult> early_exit;
  std::optional<ConditionsResult> conditions;
  std::optional<Validity> validity;
  std::vector<std::string> warnings;
  bool operator==(const Result&) const = default;
};

/// A result with program, time and version set, and nothing measured.
[[nodiscard]] Result make_result(std::string program, std::chrono::system_clock::time_point now =
                                                          std::chrono::system_clock::now());

/// ISO 8601 to the second, in UTC: "2026-01-31T23:59:59Z".
[[nodiscard]] std::string utc_time_text(std::chrono::system_clock::time_point time);

}  // namespace hedge
