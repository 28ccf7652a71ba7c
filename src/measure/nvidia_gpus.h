// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace hedge {

/// What NVML tells of one of NVIDIA's discrete GPUs. Absent: not told.
struct NvidiaGpu {
  std::string name;  ///< "GPU 0: NVIDIA H100"
  std::optional<std::int64_t> sm_hz;
  std::optional<std::int64_t> max_sm_hz;
  std::optional<std::int64_t> memory_hz;
  std::optional<double> celsius;
  /// Why its clocks are lower than they could be, now; see kGpuSlowdowns. Empty while it idles.
  std::vector<std::string> slowed_by;
};

/// A reason for lower clocks (NVML API Reference Guide, NvmlClocksEventReasons).
struct GpuSlowdown {
  std::uint64_t bit;
  const char* name;
  bool throttles;  ///< By heat or a failing supply, rather than by the limit that was set.
};
inline constexpr std::uint64_t kPowerLimitBit = 0x04;
inline constexpr GpuSlowdown kGpuSlowdowns[] = {
    {kPowerLimitBit, "power limit", false},
    {0x08, "hardware slowdown", true},
    {0x20, "heat (driver)", true},
    {0x40, "heat (hardware)", true},
    {0x80, "power brake", true},
    {0x02, "application clocks", false},
    {0x10, "sync boost", false},
    {0x100, "display clocks", false},
};

struct NvidiaGpus {
  std::vector<NvidiaGpu> gpus;
  std::vector<std::string> missing;  ///< What they do not tell, and why.
};

inline constexpr const char* kNvidiaClocks = "clocks of NVIDIA's GPU";  ///< As `missing` has them.

/// The library is opened by the first call that finds it, and stays open. Of an H100 to start it
/// took 9 ms and a reading 2 ms. While it is open a GPU does not go to sleep. Nothing where there
/// is no such library. From any thread; never throws.
[[nodiscard]] NvidiaGpus read_nvidia_gpus(const std::string& library);

/// The library for a machine whose files lie below `root`: none for another than this one's, but
/// for $HEDGE_NVML_LIBRARY.
[[nodiscard]] std::string nvml_library_of(const std::filesystem::path& root);

/// Whether CUDA's driver library is loaded in this process: its GPU work, not only others', may be
/// what is measured.
[[nodiscard]] bool uses_cuda() noexcept;

}  // namespace hedge
