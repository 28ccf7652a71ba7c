// SPDX-License-Identifier: Apache-2.0
// Batteries: power_now (uW), or current_now (uA) times voltage_now (uV)
// (Linux, Documentation/ABI/testing/sysfs-class-power). Worth something only while discharging: on
// mains they tell of the charging.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/system_files.h"
#include "energy/probes.h"
#include "energy/sensor_file.h"

namespace hedge {
namespace {

namespace fs = std::filesystem;

struct BatteryFiles {
  SensorFile status;
  SensorFile power;  ///< uW, or:
  SensorFile microamperes;
  SensorFile microvolts;

  [[nodiscard]] bool is(std::string_view state) const noexcept {
    std::array<char, 32> buffer{};
    return status.read_text(buffer) == state;
  }
  /// Some drivers give a discharging current a sign.
  [[nodiscard]] double watts() const noexcept {
    if (power.is_open()) {
      const auto microwatts = power.read();
      return microwatts ? std::fabs(static_cast<double>(*microwatts)) * 1e-6 : kNoReading;
    }
    const auto current = microamperes.read();
    const auto voltage = microvolts.read();
    if (!current || !voltage) return kNoReading;
    return std::fabs(static_cast<double>(*current) * static_cast<double>(*voltage)) * 1e-12;
  }
};

class Battery final : public PowerMeter {
 public:
  Battery(std::vector<Rail> rails, std::vector<BatteryFiles> batteries)
      : rails_(std::move(rails)), batteries_(std::move(batteries)) {}
  [[nodiscard]] const MeterFacts& facts() const noexcept override { return facts_; }
  [[nodiscard]] std::span<const Rail> rails() const noexcept override { return rails_; }
  void read(std::span<RailReading> readings) noexcept override {
    const bool on_battery =
        std::any_of(batteries_.begin(), batteries_.end(),
                    [](const BatteryFiles& battery) { return battery.is("Discharging"); });
    for (std::size_t i = 0; i < batteries_.size(); ++i) {
      // Of two batteries one is drawn from at a time, and the other truly gives 0.
      const bool counts = on_battery && !batteries_[i].is("Charging");
      readings[i].value = counts ? batteries_[i].watts() : kNoReading;
      readings[i].time_ns = SteadyClock::now_ns();
    }
  }

 private:
  std::vector<Rail> rails_;
  std::vector<BatteryFiles> batteries_;
  MeterFacts facts_{"battery", "the whole machine, display and disks included, while it discharges",
                    "none is stated; it is that of the battery's gauge"};
};

}  // namespace

MeterProbe probe_battery(const fs::path& root) {
  std::vector<Rail> rails;
  std::vector<BatteryFiles> batteries;
  bool discharging = false;
  for (const auto& supply : list_system_entries(root / "sys/class/power_supply")) {
    if (read_system_line(supply / "type") != "Battery") continue;
    if (read_system_line(supply / "scope") == "Device") continue;  // of a mouse
    BatteryFiles battery;
    battery.status = SensorFile(supply / "status");
    battery.power = SensorFile(supply / "power_now");
    battery.microamperes = SensorFile(supply / "current_now");
    battery.microvolts = SensorFile(supply / "voltage_now");
    const bool has_current = battery.microamperes.is_open() && battery.microvolts.is_open();
    if (!battery.power.is_open() && !has_current) continue;
    discharging = discharging || battery.is("Discharging");
    rails.push_back({.name = supply.filename().string(),
                     .kind = RailKind::kPower,
                     .in_total = true,
                     .resolution = 0,
                     .wraps_at = {}});
    batteries.push_back(std::move(battery));
  }
  if (batteries.empty()) return {nullptr, "no battery that tells its power"};
  if (!discharging) {
    return {nullptr, "the battery is not discharging; unplug the power supply to measure by it",
            true};
  }
  return {std::make_unique<Battery>(std::move(rails), std::move(batteries)), ""};
}

}  // namespace hedge
