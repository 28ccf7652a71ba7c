// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "energy/integrate.h"
#include "energy/power_meter.h"
#include "energy/rail_trace.h"

namespace hedge {

/// How far the load was when: (time, inferences done).
class ProgressLog {
 public:
  void add(std::int64_t time_ns, std::int64_t done);
  /// Puts what is known of another moment in its place.
  void insert(std::int64_t time_ns, std::int64_t done);
  /// In between by straight lines, outside the nearest. Nothing where nothing was logged.
  [[nodiscard]] std::optional<double> at(std::int64_t time_ns) const;

 private:
  struct Entry {
    std::int64_t time_ns;
    std::int64_t done;
  };
  std::vector<Entry> entries_;
};

/// All that was seen of a run: a trace for each rail, and the progress of the load.
struct Recording {
  std::vector<RailTrace> rails;
  ProgressLog progress;
  std::int64_t late_readings = 0;  ///< That had not ended before the next deadline.
};

/// Deadline of the k-th reading: absolute, so that late ones do not push the others, and shifted by
/// up to half a period in golden-ratio steps, so that no rhythm of the load (mains ripple at 100
/// Hz) meets all readings in the same phase.
[[nodiscard]] std::int64_t reading_deadline_ns(std::int64_t start_ns, std::int64_t k,
                                               std::int64_t period_ns);

/// Readings further apart than this have a gap between them.
[[nodiscard]] std::int64_t gap_for_period(std::int64_t period_ns);

/// One reading of all rails after the other into a recording: what the sampler's thread does, and
/// simulated meters in tests.
class MeterReader {
 public:
  /// `meter` may be none: then only progress is recorded.
  MeterReader(PowerMeter* meter, std::int64_t period_ns);
  void read(std::int64_t now_ns, std::int64_t done);
  [[nodiscard]] Recording& recording() noexcept { return recording_; }
  [[nodiscard]] const Recording& recording() const noexcept { return recording_; }

 private:
  PowerMeter* meter_;
  std::vector<RailReading> readings_;
  Recording recording_;
};

/// Reads a meter at a steady rate in a thread of its own, which shares with the thread of the load
/// only the counter `done`, an atomic that the load stores into.
class Sampler {
 public:
  struct Options {
    std::int64_t period_ns = 10'000'000;
    /// The sampler is kept to one CPU, the last that this process may use, where it has more than
    /// `load_threads` of them.
    int load_threads = 1;
  };
  /// Starts. `meter` (may be none) and `done` outlive the sampler.
  Sampler(PowerMeter* meter, const std::atomic<std::int64_t>& done, const Options& options);
  Sampler(const Sampler&) = delete;
  Sampler& operator=(const Sampler&) = delete;
  ~Sampler();

  /// Ends the thread. The recording is then the caller's.
  [[nodiscard]] Recording stop();
  /// Mean watts of the rails that count, over the last `span_ns`, while it runs. Nothing where a
  /// rail does not tell.
  [[nodiscard]] std::optional<double> recent_watts(std::int64_t span_ns) const;
  /// The same of each rail, also of those that do not count.
  [[nodiscard]] std::vector<std::optional<double>> recent_rail_watts(std::int64_t span_ns) const;

 private:
  void run(const std::atomic<std::int64_t>& done);
  void keep_to_last_cpu() const;

  Options options_;
  std::vector<bool> counts_;
  std::mutex wake_mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
  mutable std::mutex
      mutex_;  ///< Of the recording; between the sampler and who watches it, never the load.
  std::int64_t late_readings_ = 0;  ///< The sampler's own.
  MeterReader reader_;
  std::thread thread_;
};

/// Joules of all rails that count; nothing, and why in `reason`, where one of them is not known.
struct TotalEnergy {
  std::optional<double> joules;
  std::optional<double> half_width;
  std::string unknown_reason;
};
[[nodiscard]] TotalEnergy total_energy(std::span<const RailTrace> rails,
                                       std::span<const RailEnergy> energies);

}  // namespace hedge
