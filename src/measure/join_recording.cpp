// SPDX-License-Identifier: Apache-2.0
#include "measure/join_recording.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <cstdlib>

#include "hedge/error.h"
#include "result/result.h"

namespace hedge {
namespace {

/// From the time of day to the steady clock, in the middle of the run.
std::int64_t wall_offset_ns(const MeteredRun& run) {
  const std::int64_t first = run.begin.steady_ns - run.begin.unix_ns;
  const std::int64_t last = run.end.steady_ns - run.end.unix_ns;
  return first + (last - first) / 2;
}

void note_stepped_clock(const MeteredRun& run, std::vector<std::string>& notes) {
  constexpr std::int64_t kMatters_ns = 20'000'000;
  const std::int64_t change =
      (run.end.steady_ns - run.end.unix_ns) - (run.begin.steady_ns - run.begin.unix_ns);
  if (std::abs(change) > kMatters_ns) {
    notes.push_back(fmt::format(
        "the time of day was moved by {:.3f} s during the run, and the join with the external "
        "meter is that much less certain",
        static_cast<double>(-change) * 1e-9));
  }
}

std::string day_time(std::int64_t steady_ns, std::int64_t offset_ns) {
  const auto unix_time = std::chrono::nanoseconds(steady_ns - offset_ns);
  return utc_time_text(std::chrono::system_clock::time_point(
      std::chrono::duration_cast<std::chrono::system_clock::duration>(unix_time)));
}

/// By how much later the log's times would have to be for it to cover the load, where that is a
/// difference of time zones: a multiple of 15 minutes up to 14 hours, the smallest.
std::string zone_hint(const Window& log, const Window& load) {
  constexpr std::int64_t kQuarter_ns = 900'000'000'000;
  constexpr std::int64_t kMostQuarters = 56;
  for (std::int64_t k = 1; k <= kMostQuarters; ++k) {
    for (const std::int64_t shift : {k * kQuarter_ns, -k * kQuarter_ns}) {
      if (log.begin_ns + shift > load.begin_ns || log.end_ns + shift < load.end_ns) continue;
      return fmt::format(
          "; it would cover the load if its times were {:g} h {}: are they local time that is "
          "called "
          "UTC, or of another zone?",
          static_cast<double>(k) / 4, shift > 0 ? "later" : "earlier");
    }
  }
  return {};
}

void require_overlap(const PowerRecording& recording, const MeteredRun& run, std::int64_t offset_ns,
                     const std::string& name) {
  const std::int64_t first = recording.samples.front().time_ns + offset_ns;
  const std::int64_t last = recording.samples.back().time_ns + offset_ns;
  const Window& load = run.windows.load;
  if (first <= load.begin_ns && last >= load.end_ns) return;
  const std::string hint = zone_hint({first, last}, load);
  throw bad_input(fmt::format(
      "{}: covers {} to {}, the load ran from {} to {}{}", name, day_time(first, offset_ns),
      day_time(last, offset_ns), day_time(load.begin_ns, offset_ns),
      day_time(load.end_ns, offset_ns),
      hint.empty()
          ? "; start the meter before and stop it after, and set both clocks (or draw a --marker)"
          : hint));
}

}  // namespace

JoinedRecording join_recording(const PowerRecording& recording, const MeteredRun& run,
                               const std::string& name) {
  std::vector<std::string> notes;
  const std::int64_t wall_offset = wall_offset_ns(run);
  if (run.markers.empty()) {
    if (!recording.absolute) {
      throw bad_input(
          fmt::format("{}: its times count from nobody knows when; run with --marker, which the "
                      "file is then searched for",
                      name));
    }
    note_stepped_clock(run, notes);
    require_overlap(recording, run, wall_offset, name);
    return {trace_of(recording, wall_offset), std::move(notes)};
  }
  const MarkerMatch match = find_marker(recording, run.markers, name);
  notes.push_back(fmt::format("the marker of the load was found in {} (correlation {:.2f})", name,
                              match.correlation));
  if (recording.absolute) {
    notes.push_back(fmt::format("the meter's clock is {:+.3f} s off this machine's, by the marker",
                                static_cast<double>(wall_offset - match.offset_ns) * 1e-9));
  }
  return {trace_of(recording, match.offset_ns), std::move(notes)};
}

}  // namespace hedge
