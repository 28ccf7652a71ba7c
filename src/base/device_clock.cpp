// SPDX-License-Identifier: Apache-2.0
#include "base/device_clock.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/system_files.h"

namespace hedge {
namespace {

namespace fs = std::filesystem;

bool is_gpu(const fs::path& device) {
  constexpr std::array<std::string_view, 7> kNames{"gpu",   "ga10b", "gv11b", "gp10b",
                                                   "gm20b", "gb10b", "mali"};
  const std::string name =
      device.filename().string() + " " + read_system_line(device / "device/of_node/name");
  return std::any_of(kNames.begin(), kNames.end(),
                     [&](std::string_view part) { return name.find(part) != std::string::npos; });
}

}  // namespace

std::vector<DeviceClock> read_gpu_clocks(const fs::path& root) {
  std::vector<DeviceClock> clocks;
  for (const fs::path& device : list_system_entries(root / "sys/class/devfreq")) {
    if (!is_gpu(device)) continue;
    clocks.push_back(
        {printable(device.filename().string(), 60), device, read_system_line(device / "governor"),
         read_system_integer(device / "cur_freq"), read_system_integer(device / "min_freq"),
         read_system_integer(device / "max_freq")});
  }
  return clocks;
}

}  // namespace hedge
