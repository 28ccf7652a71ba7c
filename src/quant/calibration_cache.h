// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quant/threshold.h"

namespace hedge {

/// Of the magnitude in int8, symmetric: -128 is not used.
inline constexpr float kInt8Levels = 127;

/// TensorRT's calibration cache: a header line, then a line a tensor with its scale, which is
/// threshold / kInt8Levels, as the eight hexadecimal digits of a big-endian float32:
///
///     TRT-8602-EntropyCalibration2
///     conv1_out: 3c010a14
struct CalibrationCache {
  struct Entry {
    std::string tensor;
    float scale = 0;
  };
  std::string header;
  std::vector<Entry> entries;

  /// Null where the tensor is not in it.
  [[nodiscard]] const Entry* find(std::string_view tensor) const;
};

/// The first line that TensorRT of `version` ("8.6.2", "10.3", "10.16.1") writes and wants to read.
/// A version counts as major*1000 + minor*100 + patch below 10, as major*10000 + minor*100 + patch
/// from then on (NV_TENSORRT_VERSION in NvInferVersion.h). Percentile and MSE, which TensorRT has
/// not, go by the entropy calibrator's name, so that it takes their scales. Throws bad_input: no
/// version.
[[nodiscard]] std::string calibration_cache_header(std::string_view version,
                                                   CalibrationMethod method);

/// Names may contain colons and spaces: the last colon of a line divides. Line ends of Windows are
/// taken. Throws bad_input naming the line: no header, no colon, not eight hexadecimal digits, a
/// tensor that comes twice, nothing after the header; and naming all tensors whose scale is not a
/// positive finite number.
[[nodiscard]] CalibrationCache parse_calibration_cache(std::string_view text);
/// Throws bad_input for a name with a line end.
[[nodiscard]] std::string to_text(const CalibrationCache& cache);

/// The same with files; errors begin with the file's name.
[[nodiscard]] CalibrationCache read_calibration_cache(const std::filesystem::path& file);
void write_calibration_cache(const std::filesystem::path& file, const CalibrationCache& cache);

/// Throws bad_input that names every one of `tensors` that the cache lacks: it is of another model,
/// or of other fusions.
void require_tensors(const CalibrationCache& cache, std::span<const std::string> tensors);

}  // namespace hedge
