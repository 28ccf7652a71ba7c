// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace hedge {

/// A clock of devfreq, in Hz: the GPU of a Jetson. Absent: not told.
struct DeviceClock {
  std::string name;  ///< "17000000.ga10b"
  std::filesystem::path folder;
  std::string governor;
  std::optional<std::int64_t> current_hz;
  std::optional<std::int64_t> min_hz;
  std::optional<std::int64_t> max_hz;
};

/// Those of GPUs in /sys/class/devfreq, known by their name or that of their node in the device
/// tree.
[[nodiscard]] std::vector<DeviceClock> read_gpu_clocks(const std::filesystem::path& root);

}  // namespace hedge
