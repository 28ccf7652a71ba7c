// SPDX-License-Identifier: Apache-2.0
#include "energy/refresh.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "stats/summary.h"

namespace hedge {
namespace {

/// Below so many readings a refresh, one change cannot be told from two.
constexpr double kFewestReadings = 1.8;

struct Changes {
  std::vector<double> apart;  ///< Time between two that follow each other, ns.
  double reading = 0;         ///< Mean time between the two readings around one, ns.
};

Changes changes_of(std::span<const TracePoint> points) {
  Changes changes;
  changes.apart.reserve(points.size());
  double unseen = 0;
  std::optional<double> last;
  for (std::size_t i = 1; i < points.size(); ++i) {
    if (points[i].after_gap) {
      last.reset();
      continue;
    }
    const auto before = static_cast<double>(points[i - 1].until_ns);
    const auto after = static_cast<double>(points[i].time_ns);
    const double middle = (before + after) / 2;
    if (last) {
      changes.apart.push_back(middle - *last);
      unseen += after - before;
    }
    last = middle;
  }
  if (!changes.apart.empty()) changes.reading = unseen / static_cast<double>(changes.apart.size());
  return changes;
}

double percentile_of(std::vector<double>& values, double percent) {
  const auto at = static_cast<std::ptrdiff_t>(nearest_rank(values.size(), percent) - 1);
  std::nth_element(values.begin(), values.begin() + at, values.end());
  return values[static_cast<std::size_t>(at)];
}

/// The mean of the times that are no more than a few usual ones.
double usual_mean(std::vector<double>& apart) {
  constexpr double kMostUsual = 3;
  const double most = kMostUsual * percentile_of(apart, 50);
  double sum = 0;
  double count = 0;
  for (const double time : apart) {
    if (time > most) continue;
    sum += time;
    ++count;
  }
  return sum / count;
}

/// Starts at the 20th percentile, which is that of single refreshes even where four values in five
/// repeat the one before. That is a short one of them where readings are few, so multiples are
/// rounded down a little more than up, lest the estimate stays there. Long times say little of one
/// refresh, for their multiple is uncertain.
double common_divisor(std::vector<double>& apart) {
  constexpr int kMostRounds = 50;
  constexpr double kMostMultiple = 5;
  constexpr double kRoundDown = 0.15;
  double refresh = percentile_of(apart, 20);
  for (int round = 0; round < kMostRounds && refresh > 0; ++round) {
    double sum = 0;
    double multiples = 0;
    for (const double time : apart) {
      const double multiple = std::max(std::round(time / refresh - kRoundDown), 1.0);
      if (multiple > kMostMultiple) continue;
      sum += time;
      multiples += multiple;
    }
    const double next = sum / multiples;
    if (next == refresh) break;
    refresh = next;
  }
  return refresh;
}

std::optional<Refresh> of_stamped(std::span<const TracePoint> points) {
  std::vector<double> apart;
  for (std::size_t i = 1; i < points.size(); ++i) {
    if (points[i].after_gap) continue;
    apart.push_back(static_cast<double>(points[i].time_ns - points[i - 1].time_ns));
  }
  if (apart.size() < 2) return std::nullopt;
  return Refresh{percentile_of(apart, 50), true};
}

}  // namespace

std::optional<Refresh> refresh_of(std::span<const TracePoint> points, bool stamped) {
  if (stamped) return of_stamped(points);
  Changes changes = changes_of(points);
  if (changes.apart.empty()) return std::nullopt;
  const double divisor = common_divisor(changes.apart);
  if (divisor >= kFewestReadings * changes.reading) return Refresh{divisor, true};
  return Refresh{usual_mean(changes.apart), false};
}

std::optional<Refresh> refresh_of(const RailTrace& trace) {
  return refresh_of(trace.points(), trace.rail().stamped);
}

}  // namespace hedge
