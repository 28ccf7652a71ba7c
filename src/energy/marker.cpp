// SPDX-License-Identifier: Apache-2.0
#include "energy/marker.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "hedge/error.h"

namespace hedge {
namespace {

constexpr double kLeastCorrelation = 0.6;
constexpr double kMostOfRunnerUp = 0.85;
constexpr std::size_t kMostGridPoints = 1U << 24U;

/// Integrals of the power and of its square since the recording began, on a grid: sums over any
/// span then cost two look-ups.
class Integrals {
 public:
  Integrals(std::span<const PowerSample> samples, double step_s) : step_s_(step_s) {
    const std::int64_t begin = samples.front().time_ns;
    const double length = seconds(begin, samples.back().time_ns);
    const auto count = static_cast<std::size_t>(length / step_s) + 1;
    power_.reserve(count + 1);
    square_.reserve(count + 1);
    power_.push_back(0);
    square_.push_back(0);
    std::size_t next = 1;
    for (std::size_t i = 0; i < count; ++i) {
      const double t = (static_cast<double>(i) + 0.5) * step_s;
      while (next + 1 < samples.size() && seconds(begin, samples[next].time_ns) < t) ++next;
      const PowerSample& a = samples[next - 1];
      const PowerSample& b = samples[next];
      const double part = (t - seconds(begin, a.time_ns)) / seconds(a.time_ns, b.time_ns);
      const double watts = a.watts + std::clamp(part, 0.0, 1.0) * (b.watts - a.watts);
      power_.push_back(power_.back() + watts * step_s);
      square_.push_back(square_.back() + watts * watts * step_s);
    }
  }
  static double seconds(std::int64_t from, std::int64_t to) {
    return static_cast<double>(to - from) * 1e-9;
  }
  [[nodiscard]] double length_s() const { return static_cast<double>(power_.size() - 1) * step_s_; }
  [[nodiscard]] double power(double from, double to) const {
    return at(power_, to) - at(power_, from);
  }
  [[nodiscard]] double square(double from, double to) const {
    return at(square_, to) - at(square_, from);
  }

 private:
  [[nodiscard]] double at(const std::vector<double>& sums, double t) const {
    const double place = std::clamp(t / step_s_, 0.0, static_cast<double>(sums.size() - 1));
    const auto below = std::min(static_cast<std::size_t>(place), sums.size() - 2);
    return sums[below] + (place - static_cast<double>(below)) * (sums[below + 1] - sums[below]);
  }

  double step_s_;
  std::vector<double> power_;
  std::vector<double> square_;
};

/// The segments in seconds since the first began.
struct Pattern {
  struct Part {
    double from;
    double to;
    bool busy;
  };
  std::vector<Part> parts;
  double length = 0;     ///< From the first to the last.
  double marked = 0;     ///< Sum of the parts.
  double busy_part = 0;  ///< Of that.
  double chip = 0;       ///< The shortest part.
};

Pattern pattern_of(std::span<const LoadSegment> segments) {
  Pattern pattern;
  const std::int64_t origin = segments.front().window.begin_ns;
  for (const LoadSegment& segment : segments) {
    const double from = Integrals::seconds(origin, segment.window.begin_ns);
    const double to = Integrals::seconds(origin, segment.window.end_ns);
    pattern.parts.push_back({from, to, segment.busy});
    pattern.length = std::max(pattern.length, to);
    pattern.marked += to - from;
    if (segment.busy) pattern.busy_part += to - from;
    pattern.chip = pattern.chip == 0 ? to - from : std::min(pattern.chip, to - from);
  }
  pattern.busy_part /= pattern.marked;
  return pattern;
}

/// Pearson's, of the power and of busy (1) or not (0), with the pattern at `start`.
double correlation_at(const Integrals& integrals, const Pattern& pattern, double start) {
  double all = 0;
  double squares = 0;
  double busy = 0;
  for (const auto& part : pattern.parts) {
    const double joules = integrals.power(start + part.from, start + part.to);
    all += joules;
    squares += integrals.square(start + part.from, start + part.to);
    if (part.busy) busy += joules;
  }
  const double mean = all / pattern.marked;
  const double variance = squares / pattern.marked - mean * mean;
  const double busy_variance = pattern.busy_part * (1 - pattern.busy_part);
  if (!(variance > 1e-12 * mean * mean) || !(busy_variance > 0)) return 0;
  const double covariance = busy / pattern.marked - pattern.busy_part * mean;
  return covariance / std::sqrt(variance * busy_variance);
}

double usual_interval(std::span<const PowerSample> samples) {
  std::vector<std::int64_t> intervals;
  for (std::size_t i = 1; i < samples.size(); ++i) {
    intervals.push_back(samples[i].time_ns - samples[i - 1].time_ns);
  }
  const auto middle = intervals.begin() + static_cast<std::ptrdiff_t>(intervals.size() / 2);
  std::nth_element(intervals.begin(), middle, intervals.end());
  return static_cast<double>(*middle) * 1e-9;
}

/// The best place between `from` and `to`, in steps.
struct Place {
  double start = 0;
  double correlation = -1;
};
Place best_place(const Integrals& integrals, const Pattern& pattern, double from, double to,
                 double step) {
  Place best;
  for (double start = from; start <= to; start += step) {
    const double correlation = correlation_at(integrals, pattern, start);
    if (correlation > best.correlation) best = {start, correlation};
  }
  return best;
}

}  // namespace

MarkerMatch find_marker(const PowerRecording& recording, std::span<const LoadSegment> segments,
                        const std::string& name) {
  if (segments.empty()) throw bad_input("the load drew no marker; measure with `--marker=auto`");
  const std::span<const PowerSample> samples = recording.samples;
  const Pattern pattern = pattern_of(segments);
  const double interval = usual_interval(samples);
  const double length = Integrals::seconds(samples.front().time_ns, samples.back().time_ns);
  if (interval > pattern.chip / 2) {
    throw bad_input(fmt::format(
        "{}: samples {:.3g} s apart do not show chips of {:.3g} s; measure with `--marker={:.3g}s`",
        name, interval, pattern.chip, 2.5 * interval));
  }
  if (length < pattern.length) {
    throw bad_input(
        fmt::format("{}: covers {:.1f} s, and the load with its markers took {:.1f} s; start the "
                    "meter before and stop it after",
                    name, length, pattern.length));
  }
  const double step = std::max(std::min(interval / 2, pattern.chip / 8),
                               length / static_cast<double>(kMostGridPoints));
  const Integrals integrals(samples, step);
  const double last = length - pattern.length;
  Place best = best_place(integrals, pattern, 0, last, step);
  const auto beside = [&](double from, double to) {
    return to > from ? best_place(integrals, pattern, from, to, step).correlation : -1;
  };
  const double runner_up =
      std::max(beside(0, best.start - pattern.chip), beside(best.start + pattern.chip, last));
  const double centre = best.start;
  const Place finer = best_place(integrals, pattern, std::max(centre - step, 0.0),
                                 std::min(centre + step, last), step / 16);
  if (finer.correlation > best.correlation) best = finer;
  if (best.correlation < kLeastCorrelation) {
    throw bad_input(fmt::format(
        "{}: the marker of the load is not in it (best correlation {:.2f}); was the "
        "meter on this machine and running? a longer one (`measurements --marker`) helps",
        name, best.correlation));
  }
  if (runner_up > kMostOfRunnerUp * best.correlation) {
    throw bad_input(fmt::format(
        "{}: the marker could lie in two places (correlations {:.2f} and {:.2f}); cut the file to "
        "this run",
        name, best.correlation, runner_up));
  }
  const std::int64_t start = samples.front().time_ns + static_cast<std::int64_t>(best.start * 1e9);
  return {segments.front().window.begin_ns - start, best.correlation};
}

}  // namespace hedge
