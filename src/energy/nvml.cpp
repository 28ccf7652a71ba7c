// SPDX-License-Identifier: Apache-2.0
// The boards of NVIDIA's GPUs, by the driver's own library.

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "base/clock.h"
#include "energy/nvml_library.h"
#include "energy/probes.h"

namespace hedge {
namespace {

/// mJ or mW in J or W; kNoReading where the device does not say.
double read_energy(const NvmlLibrary& nvml, NvmlLibrary::Device device) noexcept {
  unsigned long long millijoules = 0;
  const bool told = nvml.total_energy(device, &millijoules) == NvmlLibrary::kSuccess;
  return told ? static_cast<double>(millijoules) * 1e-3 : kNoReading;
}
double read_power(const NvmlLibrary& nvml, NvmlLibrary::Device device) noexcept {
  unsigned milliwatts = 0;
  const bool told = nvml.power(device, &milliwatts) == NvmlLibrary::kSuccess;
  return told ? static_cast<double>(milliwatts) * 1e-3 : kNoReading;
}

class Nvml final : public PowerMeter {
 public:
  Nvml(std::unique_ptr<NvmlLibrary> nvml, std::vector<Rail> rails,
       std::vector<NvmlLibrary::Device> devices)
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
  std::vector<NvmlLibrary::Device> devices_;
  // NVML API Reference Guide, nvmlDeviceGetPowerUsage: "On Fermi and Kepler GPUs the reading is
  // accurate to within +/- 5% of current power draw"; of later ones it says nothing. How much of
  // the time is sampled: arXiv 2312.02741.
  MeterFacts facts_{"nvml", "the boards of the GPUs; not the processor, nor the machine",
                    "NVIDIA states 5 % for Fermi and Kepler, none for later GPUs; of A100 and H100 "
                    "the sensor sees a quarter of the time"};
};

/// The counter, which misses nothing between two samples; else the power; else nothing, and
/// `reason` says why.
std::optional<Rail> probe_device(const NvmlLibrary& nvml, const NvmlLibrary::Gpu& gpu,
                                 std::string& reason) {
  Rail rail{.name = gpu.name,
            .kind = RailKind::kEnergy,
            .in_total = true,
            .resolution = 1e-3,  // mJ and mW alike
            .wraps_at = {}};
  unsigned long long millijoules = 0;
  if (nvml.total_energy != nullptr &&
      nvml.total_energy(gpu.device, &millijoules) == NvmlLibrary::kSuccess) {
    return rail;
  }
  rail.kind = RailKind::kPower;
  unsigned milliwatts = 0;
  const NvmlLibrary::Result result =
      nvml.power != nullptr ? nvml.power(gpu.device, &milliwatts) : NvmlLibrary::kNotSupported;
  if (result == NvmlLibrary::kSuccess) return rail;
  // So on Jetson, where NVML starts and knows no power.
  reason = fmt::format("{} tells neither energy nor power: {}", gpu.name, nvml.text(result));
  return std::nullopt;
}

}  // namespace

MeterProbe probe_nvml(const std::string& library) {
  auto nvml = std::make_unique<NvmlLibrary>(library);
  const bool present = nvml->is_open();
  if (std::string reason = nvml->initialise(); !reason.empty()) return {nullptr, reason, present};
  std::string reason;
  std::vector<Rail> rails;
  std::vector<NvmlLibrary::Device> devices;
  for (const NvmlLibrary::Gpu& gpu : nvml->gpus(reason)) {
    if (auto rail = probe_device(*nvml, gpu, reason)) {
      rails.push_back(std::move(*rail));
      devices.push_back(gpu.device);
    }
  }
  if (rails.empty()) return {nullptr, reason, present};
  return {std::make_unique<Nvml>(std::move(nvml), std::move(rails), std::move(devices)), ""};
}

}  // namespace hedge
