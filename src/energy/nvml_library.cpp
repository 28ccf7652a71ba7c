// SPDX-License-Identifier: Apache-2.0
#include "energy/nvml_library.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <array>
#include <cstdlib>

#include "base/text.h"

namespace hedge {
namespace {

constexpr std::size_t kNameBytes = 96;  // NVML_DEVICE_NAME_V2_BUFFER_SIZE

}  // namespace

std::string nvml_library_name() {
  const char* library = std::getenv("HEDGE_NVML_LIBRARY");  // NOLINT(concurrency-mt-unsafe)
  return library != nullptr && *library != '\0' ? library : kNvmlLibrary;
}

template <class Function>
void NvmlLibrary::find(Function*& function, const char* symbol) {
  function = reinterpret_cast<Function*>(::dlsym(handle_, symbol));
}

NvmlLibrary::NvmlLibrary(const std::string& name)
    : handle_(::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL)) {
  if (handle_ == nullptr) return;
  find(init, "nvmlInit_v2");
  find(shutdown, "nvmlShutdown");
  find(error_string, "nvmlErrorString");
  find(device_count, "nvmlDeviceGetCount_v2");
  find(device, "nvmlDeviceGetHandleByIndex_v2");
  find(device_name, "nvmlDeviceGetName");
  find(total_energy, "nvmlDeviceGetTotalEnergyConsumption");
  find(power, "nvmlDeviceGetPowerUsage");
  find(clock, "nvmlDeviceGetClockInfo");
  find(max_clock, "nvmlDeviceGetMaxClockInfo");
  find(temperature, "nvmlDeviceGetTemperature");
  find(clock_event_reasons, "nvmlDeviceGetCurrentClocksEventReasons");
  if (clock_event_reasons == nullptr) {  // Its name until driver 535.
    find(clock_event_reasons, "nvmlDeviceGetCurrentClocksThrottleReasons");
  }
}

NvmlLibrary::~NvmlLibrary() {
  if (initialised_) (void)shutdown();
  if (handle_ != nullptr) ::dlclose(handle_);
}

std::string NvmlLibrary::initialise() {
  if (handle_ == nullptr) return "libnvidia-ml.so.1 is not there (no NVIDIA driver)";
  if (init == nullptr || shutdown == nullptr || device_count == nullptr || device == nullptr) {
    return "libnvidia-ml.so.1 lacks functions that Hedge needs; a newer driver has them";
  }
  const Result result = init();
  if (result == kSuccess) {
    initialised_ = true;
    return {};
  }
  std::string reason = fmt::format("NVML does not start: {}", text(result));
  if (result == kNoPermission) {
    reason +=
        "; 'ls -l /dev/nvidiactl' shows the group that may use it, 'sudo usermod -aG GROUP "
        "$USER' joins it";
  }
  return reason;
}

std::vector<NvmlLibrary::Gpu> NvmlLibrary::gpus(std::string& reason) const {
  std::vector<Gpu> found;
  unsigned count = 0;
  if (const Result result = device_count(&count); result != kSuccess) {
    reason = fmt::format("NVML does not list its GPUs: {}", text(result));
    return found;
  }
  reason = "NVML knows no GPU";
  for (unsigned i = 0; i < count; ++i) {
    Gpu gpu;
    if (const Result result = device(i, &gpu.device); result != kSuccess) {
      reason = fmt::format("GPU {} cannot be opened: {}", i, text(result));
      continue;
    }
    std::array<char, kNameBytes> name{};
    const bool named =
        device_name != nullptr && device_name(gpu.device, name.data(), name.size() - 1) == kSuccess;
    gpu.name = fmt::format("GPU {}{}", i, named ? ": " + printable(name.data()) : "");
    found.push_back(std::move(gpu));
  }
  return found;
}

std::string NvmlLibrary::text(Result result) const {
  const char* known = error_string != nullptr ? error_string(result) : nullptr;
  return known != nullptr ? printable(known) : fmt::format("error {}", result);
}

}  // namespace hedge
