// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "quant/histogram.h"

namespace hedge {

/// How the range of an activation is chosen: values beyond the threshold saturate.
enum class CalibrationMethod : std::uint8_t { kEntropy, kMinMax, kPercentile, kMse };

/// "entropy", "minmax", "percentile", "mse". Throws bad_input, naming those there are.
[[nodiscard]] CalibrationMethod calibration_method_from_string(std::string_view name);
[[nodiscard]] std::string_view to_string(CalibrationMethod method) noexcept;

inline constexpr std::size_t kCalibrationBins = 2048;
inline constexpr double kDefaultPercentile = 99.99;

// The definitions below are those of NVIDIA's published pytorch-quantization (calib/histogram.py),
// for 8 bits with a sign; TensorRT's own calibrator is closed. The histogram has counts.

/// Entropy: the number of bins, from 128 on, whose distribution loses least when it is merged into
/// 128 levels (Kullback-Leibler divergence of the merged from the clipped one; the largest of
/// equals). Outliers count as the last bin's; the first bin, full of zeros after ReLU, counts as
/// much as the second. S. Migacz, 8-bit Inference with TensorRT, GTC 2017. Returns the upper edge
/// of the last bin.
[[nodiscard]] double entropy_threshold(const Histogram& histogram);

/// The lower edge of the bin in which the share `percentile` (of 100) of all magnitudes is reached.
[[nodiscard]] double percentile_threshold(const Histogram& histogram, double percentile);

/// The bin centre, from bin 128 on, that makes the mean squared error of 8-bit values least.
[[nodiscard]] double mse_threshold(const Histogram& histogram);

/// By `method`, with its default settings; min-max is the maximum. Throws bad_input where nothing
/// but zeros was seen: no scale can be had from that.
[[nodiscard]] double calibrate_threshold(const MagnitudeCounter& seen, CalibrationMethod method,
                                         double percentile = kDefaultPercentile);

}  // namespace hedge
