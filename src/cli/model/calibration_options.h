// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "builder/int8.h"
#include "cli/program/program.h"
#include "hedge/engine.h"

namespace CLI {
class App;
}

namespace hedge::cli {

/// The flags of all programs that calibrate: the original's, and ours.
struct CalibrationFlags {
  std::string data;
  std::string input;
  std::string cache;
  std::string images = "25000";
  std::string batch = "512";
  std::string preprocessor;
  std::string method;
  std::string percentile = "99.99";
  std::string tensorrt = "8.6.2";
  std::string threads;
  std::vector<std::string> keep;
};

void add_calibration_options(CLI::App& app, CalibrationFlags& flags);
/// --calib_... and --data without --keep.
void add_range_options(CLI::App& app, CalibrationFlags& flags);

/// The flags as Int8Options. Throws bad_input naming a flag.
[[nodiscard]] Int8Options int8_options(const CalibrationFlags& flags);

/// The same, with a progress bar. `program` outlives the result.
[[nodiscard]] Int8Options with_progress(const Program& program, const CalibrationFlags& flags);

/// Progress of `label` on the terminal, from the first report to the last.
[[nodiscard]] std::function<void(std::int64_t done, std::int64_t total)> progress_of(
    const Program& program, std::string label);

/// For people: "entropy on 10000 images (data_batch_1.bin), cache resnet8_cifar.cache".
[[nodiscard]] std::string calibration_text(const CalibrationInfo& info);

}  // namespace hedge::cli
