// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace hedge {

inline constexpr const char* kNvmlLibrary = "libnvidia-ml.so.1";

/// $HEDGE_NVML_LIBRARY, else kNvmlLibrary. The variable is there for tests.
[[nodiscard]] std::string nvml_library_name();

/// NVIDIA's management library, opened at run time: no header of it, no link to it. What is
/// declared here is its C interface (NVML API Reference Guide): handles are pointers, results an
/// int. Its functions may be called from any thread.
class NvmlLibrary {
 public:
  using Device = void*;
  using Result = int;
  static constexpr Result kSuccess = 0;
  static constexpr Result kNotSupported = 3;
  static constexpr Result kNoPermission = 4;

  /// `name` as dlopen takes it.
  explicit NvmlLibrary(const std::string& name);
  NvmlLibrary(const NvmlLibrary&) = delete;
  NvmlLibrary& operator=(const NvmlLibrary&) = delete;
  ~NvmlLibrary();

  /// What keeps it from being used; empty where nothing does. Once, before all that follows.
  [[nodiscard]] std::string initialise();
  /// The driver's library is there.
  [[nodiscard]] bool is_open() const noexcept { return handle_ != nullptr; }

  struct Gpu {
    Device device = nullptr;
    std::string name;  ///< "GPU 0: NVIDIA H100"
  };
  /// `reason` tells why where there is none, or why one is left out.
  [[nodiscard]] std::vector<Gpu> gpus(std::string& reason) const;

  /// The library's own words for a result.
  [[nodiscard]] std::string text(Result result) const;

  // Members, for they are called as functions of the library. Null where it lacks one.
  Result (*init)() = nullptr;
  Result (*shutdown)() = nullptr;
  const char* (*error_string)(Result) = nullptr;
  Result (*device_count)(unsigned* count) = nullptr;
  Result (*device)(unsigned index, Device* device) = nullptr;
  Result (*device_name)(Device, char* name, unsigned bytes) = nullptr;
  Result (*total_energy)(Device, unsigned long long* millijoules) = nullptr;
  Result (*power)(Device, unsigned* milliwatts) = nullptr;
  Result (*clock)(Device, int clock, unsigned* megahertz) = nullptr;
  Result (*max_clock)(Device, int clock, unsigned* megahertz) = nullptr;
  Result (*temperature)(Device, int sensor, unsigned* celsius) = nullptr;
  Result (*clock_event_reasons)(Device, unsigned long long* bits) = nullptr;

 private:
  template <class Function>
  void find(Function*& function, const char* symbol);

  void* handle_;
  bool initialised_ = false;
};

}  // namespace hedge
