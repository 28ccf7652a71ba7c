// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "energy/rail_trace.h"

namespace hedge {

/// A span of time on the clock of the trace.
struct Window {
  std::int64_t begin_ns = 0;
  std::int64_t end_ns = 0;
  [[nodiscard]] double seconds() const noexcept {
    return static_cast<double>(end_ns - begin_ns) * 1e-9;
  }
};

/// Energy of one rail in a window. What is not known is absent, never zero.
struct RailEnergy {
  std::optional<double> joules;
  /// Of the 95 % interval, joules. Holds what sampling, the sensor's steps and the edges of the
  /// window leave open, not the gain error of the sensor. Absent below two distinct samples, unless
  /// the sensor's step is known and it moves at other times.
  std::optional<double> half_width;
  double seconds = 0;
  std::int64_t distinct_samples = 0;  ///< Of the sensor, in the window.
  /// Of the sensor; absent where it is about as quick as the readings (Refresh::resolved).
  std::optional<double> refresh_seconds;
  double gap_seconds = 0;      ///< Without readings, filled in from what surrounds it.
  std::string unknown_reason;  ///< Where joules are absent.
};

/// Watts by the trapezoidal rule over the distinct samples; a counter by differences, straight
/// lines between its ticks. The window may begin and end anywhere; between ticks that is part of
/// the doubt. More than a fifth of it without readings, and the energy is not known; of watts also
/// where readings failed for more than a fifth of it, one here and one there.
///
/// The half width adds in squares: of watts the interval of their mean after the trend is taken out
/// (mean_of_series, which respects autocorrelation); half a step of the sensor, which noise that
/// crosses several steps averages away (B. Widrow, I. Kollar, Quantization Noise, 2008, 5: by
/// exp(-2 pi^2 sigma^2 / step^2)); that values may be averages over a refresh period, so that the
/// trace lags by half of it; of a counter its step and when exactly it ticked.
[[nodiscard]] RailEnergy integrate(const RailTrace& trace, const Window& window);

/// Of the sensor, in a window that energy is told of.
inline constexpr std::size_t kFewestSamples = 5;

/// The longest part of the window from tick to tick of the sensor, without its first, whose value
/// may be an average that reaches back before the window. Nothing where that holds fewer than
/// kFewestSamples of the sensor's values.
[[nodiscard]] std::optional<Window> aligned_window(const RailTrace& trace, const Window& window);

}  // namespace hedge
