// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace hedge {

/// Clocks of NVIDIA's discrete GPUs, locked by `nvidia-smi -lgc` and set free by `-rgc`. Nothing
/// else of the GPU is touched. nvidia-smi does not tell of a lock that stood before: it is lost.
struct GpuClockRequest {
  int min_mhz = 0;
  int max_mhz = 0;
  std::string gpu = "all";  ///< Or an index as nvidia-smi counts.
};

/// Throws bad_input where nvidia-smi is not on PATH.
void check_gpu_request();

/// Returns a line for each GPU whose clock lies outside when read back. Throws runtime_failure with
/// nvidia-smi's own reason.
[[nodiscard]] std::vector<std::string> lock_gpu_clocks(const GpuClockRequest& request);

/// Throws runtime_failure.
void unlock_gpu_clocks(const std::string& gpu);

/// What `nvidia-smi` tells of each GPU: index, name, and clocks in MHz.
struct GpuClocks {
  std::string index;
  std::string name;
  double mhz = 0;
  double max_mhz = 0;
};
/// Empty where there is no nvidia-smi or no GPU.
[[nodiscard]] std::vector<GpuClocks> read_nvidia_clocks();
/// Lines "0, NVIDIA H100, 345, 1980" of its CSV; others, "[N/A]" among them, are passed over.
[[nodiscard]] std::vector<GpuClocks> parse_nvidia_clocks(const std::string& csv);

}  // namespace hedge
