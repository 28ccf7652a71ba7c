// SPDX-License-Identifier: Apache-2.0
// NVIDIA's management library, opened at run time: no header of it, no link to it. What is declared
// here is its C interface (NVML API Reference Guide): handles are pointers, results an int.

#include <dlfcn.h>
#include <fmt/format.h>

#include <array>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/text.h"
#include "energy/probes.h"

namespace hedge {
namespace {

using NvmlDevice = void*;
using NvmlResult = int;
constexpr NvmlResult kNvmlSuccess = 0;
constexpr NvmlResult kNvmlNotSupported = 3;
constexpr std::size_t kNvmlNameBytes = 96;  // NVML_DEVICE_NAME_V2_BUFFER_SIZE

class NvmlLibrary {
 public:
  explicit NvmlLibrary(const std::string& name)
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
  }
  NvmlLibrary(const NvmlLibrary&) = delete;
  NvmlLibrary& operator=(const NvmlLibrary&) = delete;
  ~NvmlLibrary() {
    if (initialised_) (void)shutdown();
    if (handle_ != nullptr) ::dlclose(handle_);
  }

  /// What keeps it from being used; empty where nothing does.
  [[nodiscard]] std::string initialise() {
    if (handle_ == nullptr) return "libnvidia-ml.so.1 is not there (no NVIDIA driver)";
    if (init == nullptr || shutdown == nullptr || device_count == nullptr || device == nullptr) {
      return "libnvidia-ml.so.1 lacks functions that Hedge needs; a newer driver has them";
    }
    if (const NvmlResult result = init(); result != kNvmlSuccess) {
      return fmt::format("NVML does not start: {}", text(result));
    }
    initialised_ = true;
    return {};
  }

  [[nodiscard]] std::string text(NvmlResult result) const {
    const char* known = error_string != nullptr ? error_string(result) : nullptr;
    return known != nullptr ? printable(known) : fmt::format("error {}", result);
  }

  // Members, for they are called as functions of the library.
  NvmlResult (*init)() = nullptr;
  NvmlResult (*shutdown)() = nullptr;
  const char* (*error_string)(NvmlResult) = nullptr;
  NvmlResult (*device_count)(unsigned* count) = nullptr;
  NvmlResult (*device)(unsigned index, NvmlDevice* device) = nullptr;
  NvmlResult (*device_name)(NvmlDevice, char* name, unsigned bytes) = nullptr;
  NvmlResult (*total_energy)(NvmlDevice, unsigned long long* millijoules) = nullptr;
  NvmlResult (*power)(NvmlDevice, unsigned* milliwatts) = nullptr;

 private:
  template <class Function>
  void find(Function*& function, const char* symbol) {
    function = reinterpret_cast<Function*>(::dlsym(handle_, symbol));
  }

  void* handle_;
  bool initialised_ = false;
};

/// mJ or mW in J or W; kNoReading where the device does not say.
double read_energy(const NvmlLibrary& nvml, NvmlDevice device) noexcept {
  unsigned long long millijoules = 0;
  const bool told = nvml.total_energy(device, &millijoules) == kNvmlSuccess;
  return told ? static_cast<double>(millijoules) * 1e-3 : kNoReading;
}
double read_power(const NvmlLibrary& nvml, NvmlDevice device) noexcept {
  unsigned milliwatts = 0;
  const bool told = nvml.power(device, &milliwatts) == kNvmlSuccess;
  return told ? static_cast<double>(milliwatts) * 1e-3 : kNoReading;
}

class Nvml final : public PowerMeter {
 public:
  Nvml(std::unique_ptr<NvmlLibrary> nvml, std::vector<Rail> rails, std::vector<NvmlDevice> devices)
      : nvml_(std::move(nvml)), rails_(std::move(rails)), devices_(std::move(devices)) {}
  [[nodiscard]] const MeterFacts& facts() const noexcept override { return facts_; }
  [[nodiscard]] std::span<const Rail> rails() const noexcept override { return rails_; }
  void read(std::span<RailReading> readings) noexcept override {
    for (std::size_t i = 0; i < devices_.size(); ++i) {
      const std::int64_t begin = SteadyClock::now_ns();
      readings[i].value = rails_[i].kind == RailKind::kEnergy ? read_energy(*nvml_, devices_[i])
                                                              : read_power(*nvml_, devices_[i]);
      readings[i].time_ns = begin + (SteadyClock::now_ns() - begin) / 2;
    }
  }

 private:
  std::unique_ptr<NvmlLibrary> nvml_;
  std::vector<Rail> rails_;
  std::vector<NvmlDevice> devices_;
  MeterFacts facts_{"nvml", "the boards of the GPUs; not the processor, nor the machine",
                    "NVIDIA states about 5 %"};
};

std::string name_of(const NvmlLibrary& nvml, NvmlDevice device, unsigned index) {
  std::array<char, kNvmlNameBytes> name{};
  const bool named = nvml.device_name != nullptr &&
                     nvml.device_name(device, name.data(), name.size() - 1) == kNvmlSuccess;
  return fmt::format("GPU {}{}", index, named ? ": " + printable(name.data()) : "");
}

/// The counter, which misses nothing between two samples; else the power; else nothing, and
/// `reason` says why.
std::optional<Rail> probe_device(const NvmlLibrary& nvml, NvmlDevice device, unsigned index,
                                 std::string& reason) {
  Rail rail{.name = name_of(nvml, device, index),
            .kind = RailKind::kEnergy,
            .in_total = true,
            .resolution = 1e-3,  // mJ and mW alike
            .wraps_at = {}};
  unsigned long long millijoules = 0;
  if (nvml.total_energy != nullptr && nvml.total_energy(device, &millijoules) == kNvmlSuccess) {
    return rail;
  }
  rail.kind = RailKind::kPower;
  unsigned milliwatts = 0;
  const NvmlResult result =
      nvml.power != nullptr ? nvml.power(device, &milliwatts) : kNvmlNotSupported;
  if (result == kNvmlSuccess) return rail;
  // So on Jetson, where NVML starts and knows no power.
  reason = fmt::format("{} tells neither energy nor power: {}", rail.name, nvml.text(result));
  return std::nullopt;
}

}  // namespace

MeterProbe probe_nvml(const std::string& library) {
  auto nvml = std::make_unique<NvmlLibrary>(library);
  if (std::string reason = nvml->initialise(); !reason.empty()) return {nullptr, reason};
  unsigned count = 0;
  if (const NvmlResult result = nvml->device_count(&count); result != kNvmlSuccess) {
    return {nullptr, fmt::format("NVML does not list its GPUs: {}", nvml->text(result))};
  }
  std::string reason = "NVML knows no GPU";
  std::vector<Rail> rails;
  std::vector<NvmlDevice> devices;
  for (unsigned i = 0; i < count; ++i) {
    NvmlDevice device = nullptr;
    if (const NvmlResult result = nvml->device(i, &device); result != kNvmlSuccess) {
      reason = fmt::format("GPU {} cannot be opened: {}", i, nvml->text(result));
      continue;
    }
    if (auto rail = probe_device(*nvml, device, i, reason)) {
      rails.push_back(std::move(*rail));
      devices.push_back(device);
    }
  }
  if (rails.empty()) return {nullptr, reason};
  return {std::make_unique<Nvml>(std::move(nvml), std::move(rails), std::move(devices)), ""};
}

}  // namespace hedge
