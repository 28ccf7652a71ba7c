// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "measure/conditions.h"

namespace hedge {

/// Least and greatest of what was seen.
template <class T>
struct Extremes {
  T min{};
  T max{};
  bool operator==(const Extremes&) const = default;
};

/// What was seen during a run, of all samples.
struct ConditionsRange {
  std::int64_t samples = 0;
  double seconds = 0;                             ///< From the first to the last.
  std::optional<Extremes<std::int64_t>> cpu_khz;  ///< Of any CPU.
  /// Of the fastest CPU of each sample, which is the one that works; without the first and the last
  /// sample, for the run has not begun or is over then, and clocks are those of an idle machine.
  std::optional<Extremes<std::int64_t>> busiest_cpu_khz;
  std::map<std::string, Extremes<std::int64_t>> gpu_hz;  ///< Likewise; memory's by "NAME memory".
  /// By GPU and reason (kGpuSlowdowns), the samples in which it was slowed.
  std::map<std::string, std::map<std::string, std::int64_t>> gpu_slowed_by;
  std::map<std::string, Extremes<double>> celsius;
  std::map<std::string, std::int64_t> most_cooling;     ///< Highest state.
  std::map<std::string, std::int64_t> throttle_events;  ///< Rise within the run; 0 where none.
  std::optional<double> others;       ///< CPU used by other processes over the run, in CPUs.
  std::optional<double> most_others;  ///< In its worst second or so.

  /// Takes one more snapshot in; in the order of time.
  void add(const Conditions& sample);

 private:
  void add_working_clocks();

  std::optional<Conditions> first_;
  std::optional<Conditions> latest_;  ///< Its clocks count once another follows.
  std::optional<Conditions> mark_;    ///< Where the present second of `most_others` began.
};

/// Takes snapshots at a low rate in a thread of its own, on absolute deadlines, one at once and one
/// at the end. The thread that measures takes no lock and is told nothing; what the samples cost is
/// CPU time on another CPU, about 1 ms each (on a machine with one CPU it is the measured one's).
class ConditionsWatch {
 public:
  static constexpr std::chrono::milliseconds kDefaultPeriod{250};

  explicit ConditionsWatch(std::filesystem::path root = system_root(),
                           std::chrono::nanoseconds period = kDefaultPeriod);
  ConditionsWatch(const ConditionsWatch&) = delete;
  ConditionsWatch& operator=(const ConditionsWatch&) = delete;
  ~ConditionsWatch();

  /// Ends the thread and tells what was seen. Once.
  [[nodiscard]] ConditionsRange stop();

 private:
  void run();
  void end_thread();

  std::filesystem::path root_;
  std::chrono::nanoseconds period_;
  ConditionsRange range_;  ///< Of the thread while it runs.
  std::mutex mutex_;
  std::condition_variable wake_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace hedge
