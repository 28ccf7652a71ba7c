// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "result/result.h"
#include "stats/ratio.h"

namespace hedge {

/// Durations that somebody wrote down before.
struct RecordedTimes {
  std::string what;                      ///< "trtexec's latency", "BM_infer of Google Benchmark".
  std::vector<std::int64_t> samples_ns;  ///< In order; empty where only the mean is known.
  MeanEstimate mean_ns;                  ///< Of as many independent batches as its count says.
  std::optional<Result> result;          ///< Of a result of Hedge: what was measured, and on what.
  std::string scope{};                   ///< Of a result: what was timed.
};

/// What to take of files that hold more than one set.
struct RecordedChoice {
  std::string benchmark;                 ///< Name in Google Benchmark's files; empty: the only one.
  std::string trtexec_time = "latency";  ///< "latency" (with copies), "compute".
};

/// Reads, by what the file says it is: a result of Hedge (JSON; its samples_file where that is
/// found), samples of Hedge (CSV or JSON), Google Benchmark's JSON (each repetition a value; means
/// and deviations where only aggregates were kept), the times that trtexec exports. Throws
/// bad_input naming the file: another format, no times, a time that is no positive number, several
/// sets and no choice.
[[nodiscard]] RecordedTimes read_recorded_times(const std::string& file,
                                                const RecordedChoice& choice = {});

/// The same of the file's text; samples_file is not followed.
[[nodiscard]] RecordedTimes recorded_times_from_text(std::string_view text,
                                                     const std::string& source,
                                                     const RecordedChoice& choice = {});

/// The same of two files to be compared, of the same timed region: where one is of a loop and the
/// other of inferences one by one, the one that holds both gives way. Throws bad_input where
/// neither does: the loop's time is without the timer's.
[[nodiscard]] std::pair<RecordedTimes, RecordedTimes> read_comparable_times(
    const std::string& a_file, const std::string& b_file, const RecordedChoice& choice = {});

/// The latency whose interval is known: a loop of which there is but the mean gives way to the
/// inferences that were timed one by one beside it. The result has a latency.
[[nodiscard]] const LatencyResult& telling_latency(const Result& result);

/// Mean and standard error behind a 95 % interval, nanoseconds; a count of 0 where there is none.
/// Nothing where there is no mean.
[[nodiscard]] std::optional<MeanEstimate> mean_estimate(const LatencyResult& latency);

/// Energy of A over that of B, an inference: gross, or net. An inference's energy is power times
/// time, W * s, so each side's relative standard error is that of power (behind the energy's own
/// interval, which is the meter's; degrees of freedom are its distinct samples less 1) and that of
/// the mean latency (mean_estimate of telling_latency) together: product_of_means. Of a paced load
/// the second is an upper bound, since idle time does not follow latency. No interval where either
/// is not known; nothing where an energy is not known or not above 0.
[[nodiscard]] std::optional<RatioEstimate> energy_ratio(const Result& a, const Result& b, bool net);

/// In what the runs behind two results differ beside the model: machine, governor, power mode,
/// threads, batch, what was timed; one text each, "threads: 1 and 2".
[[nodiscard]] std::vector<std::string> different_conditions(const Result& a, const Result& b);

}  // namespace hedge
