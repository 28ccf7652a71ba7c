// SPDX-License-Identifier: Apache-2.0
// The INA3221 of Jetson boards: three channels a chip, a shunt each, read over I2C.
//
// JetPack 5 and later have it as hwmon: inN_label, inN_input (mV), currN_input (mA). JetPack 4 has
// NVIDIA's own driver in the iio layout: rail_name_N, in_powerN_input (mW).

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/system_files.h"
#include "energy/probes.h"
#include "energy/sensor_file.h"

namespace hedge {
namespace {

namespace fs = std::filesystem;

constexpr int kChannels = 3;  // hwmon's channels 4 to 7 are shunt voltages and their sum
constexpr double kShuntStep_V = 40e-6;
constexpr double kUsualShunt_Ohm = 5e-3;
constexpr double kUsualBus_V = 5;

/// TI SBOS576B, DC accuracy at 25 degrees C: gain 0.25 % of the shunt's and of the bus's voltage,
/// offset 80 uV of the shunt's, which is two steps. NVIDIA DG-09840-001, figure 5-14: 0.005 Ohm, 1
/// %.
constexpr const char* kGainError =
    "the chip up to 0.5 % and two steps of offset (TI SBOS576); the shunts 1 % on AGX Xavier "
    "(NVIDIA DG-09840), of other boards not published";

struct Channel {
  Rail rail;
  SensorFile power;  ///< mW, or:
  SensorFile millivolts;
  SensorFile milliamperes;

  [[nodiscard]] double watts() const noexcept {
    if (power.is_open()) {
      const auto milliwatts = power.read();
      return milliwatts ? static_cast<double>(*milliwatts) * 1e-3 : kNoReading;
    }
    const auto voltage = millivolts.read();
    const auto current = milliamperes.read();
    if (!voltage || !current) return kNoReading;
    return static_cast<double>(*voltage) * static_cast<double>(*current) * 1e-6;
  }
};

class Ina3221 final : public PowerMeter {
 public:
  Ina3221(std::vector<Channel> channels, MeterFacts facts)
      : channels_(std::move(channels)), facts_(std::move(facts)) {
    for (const Channel& channel : channels_) rails_.push_back(channel.rail);
  }
  [[nodiscard]] const MeterFacts& facts() const noexcept override { return facts_; }
  [[nodiscard]] std::span<const Rail> rails() const noexcept override { return rails_; }
  void read(std::span<RailReading> readings) noexcept override {
    for (std::size_t i = 0; i < channels_.size(); ++i) {
      // Over I2C a channel takes a fraction of a millisecond: its time is the middle of that.
      const std::int64_t begin = SteadyClock::now_ns();
      readings[i].value = channels_[i].watts();
      readings[i].time_ns = begin + (SteadyClock::now_ns() - begin) / 2;
    }
  }

 private:
  std::vector<Channel> channels_;
  MeterFacts facts_;
  std::vector<Rail> rails_;
};

/// "NC" is a channel that nothing is connected to.
bool connected(std::string_view label) {
  return !label.empty() && label != "NC";
}

double shunt_resolution(const fs::path& hwmon, int channel) {
  const auto micro_ohm = read_system_integer(hwmon / fmt::format("shunt{}_resistor", channel));
  const double ohm =
      micro_ohm && *micro_ohm > 0 ? static_cast<double>(*micro_ohm) * 1e-6 : kUsualShunt_Ohm;
  const auto bus = read_system_integer(hwmon / fmt::format("in{}_input", channel));
  const double volts = bus && *bus > 0 ? static_cast<double>(*bus) * 1e-3 : kUsualBus_V;
  return kShuntStep_V / ohm * volts;
}

/// Channels that can be read, and the first that is there and cannot.
struct Found {
  std::vector<Channel> channels;
  std::string unreadable;

  void refuse(const std::string& label, const fs::path& file) {
    if (!unreadable.empty()) return;
    const int error = SensorFile(file).error();
    unreadable = fmt::format("the rail {} cannot be read: {}: {}", label, file.string(),
                             std::generic_category().message(error));
    if (error == EACCES || error == EPERM) {
      unreadable += fmt::format("; 'sudo chmod a+r {}/*_input'", file.parent_path().string());
    }
  }
};

void add_hwmon(const fs::path& hwmon, Found& found) {
  if (read_system_line(hwmon / "name") != "ina3221") return;
  for (int i = 1; i <= kChannels; ++i) {
    std::string label = read_system_line(hwmon / fmt::format("in{}_label", i));
    if (!connected(label)) continue;
    Channel channel;
    const fs::path volts = hwmon / fmt::format("in{}_input", i);
    const fs::path amperes = hwmon / fmt::format("curr{}_input", i);
    channel.millivolts = SensorFile(volts);
    channel.milliamperes = SensorFile(amperes);
    if (!channel.millivolts.is_open() || !channel.milliamperes.is_open()) {
      found.refuse(label, channel.millivolts.is_open() ? amperes : volts);
      continue;
    }
    channel.rail = {.name = std::move(label),
                    .kind = RailKind::kPower,
                    .in_total = true,
                    .resolution = shunt_resolution(hwmon, i),
                    .wraps_at = {}};
    found.channels.push_back(std::move(channel));
  }
}

void add_iio(const fs::path& device, Found& found) {
  for (int i = 0; i < kChannels; ++i) {
    std::string label = read_system_line(device / fmt::format("rail_name_{}", i));
    if (!connected(label)) continue;
    Channel channel;
    const fs::path file = device / fmt::format("in_power{}_input", i);
    channel.power = SensorFile(file);
    if (!channel.power.is_open()) {
      found.refuse(label, file);
      continue;
    }
    channel.rail = {.name = std::move(label),
                    .kind = RailKind::kPower,
                    .in_total = true,
                    .resolution = kShuntStep_V / kUsualShunt_Ohm * kUsualBus_V,
                    .wraps_at = {}};
    found.channels.push_back(std::move(channel));
  }
}

/// The rail that feeds the whole module: Orin Nano, Orin NX, Xavier NX and TX2; Nano.
bool feeds_module(const std::string& name) {
  return name == "VDD_IN" || name == "POM_5V_IN" || name == "5V_IN";
}

/// AGX Orin: the memory's rail shows the 5 V of the system's, and is commonly taken as a part of
/// it; NVIDIA publishes no tree of the module's supplies that says so.
constexpr std::string_view kMemoryRail = "VDDQ_VDD2_1V8AO";
constexpr std::string_view kSystemRail = "VIN_SYS_5V0";

/// The module's rail contains the others: only it counts. Says what the total is.
std::string choose_total(std::vector<Channel>& channels) {
  const auto any = [&](const auto& is) {
    return std::any_of(channels.begin(), channels.end(),
                       [&](const Channel& channel) { return is(channel.rail.name); });
  };
  if (!any(feeds_module)) {
    const bool memory_is_part = any([](const auto& name) { return name == kSystemRail; });
    for (Channel& channel : channels) {
      channel.rail.in_total = !(memory_is_part && channel.rail.name == kMemoryRail);
    }
    return fmt::format(
        "the measured rails added{}, for this board has no rail of the whole module; neither what "
        "else is on it nor the carrier board",
        memory_is_part && any([](const auto& name) { return name == kMemoryRail; })
            ? fmt::format(" (but {}, taken as a part of {})", kMemoryRail, kSystemRail)
            : "");
  }
  for (Channel& channel : channels) channel.rail.in_total = feeds_module(channel.rail.name);
  return "the whole module; not the carrier board";
}

/// Both ways in to a chip lead to the same folder.
std::vector<fs::path> hwmon_folders(const fs::path& root) {
  std::vector<fs::path> candidates = list_system_entries(root / "sys/class/hwmon", "hwmon");
  for (const auto& chip : list_system_entries(root / "sys/bus/i2c/drivers/ina3221")) {
    for (const auto& hwmon : list_system_entries(chip / "hwmon", "hwmon")) {
      candidates.push_back(hwmon);
    }
  }
  std::vector<fs::path> folders;
  std::set<fs::path> seen;
  for (const fs::path& candidate : candidates) {
    std::error_code error;
    if (seen.insert(fs::canonical(candidate, error)).second) folders.push_back(candidate);
  }
  return folders;
}

}  // namespace

MeterProbe probe_ina3221(const fs::path& root) {
  Found found;
  std::vector<Channel>& channels = found.channels;
  for (const fs::path& hwmon : hwmon_folders(root)) add_hwmon(hwmon, found);
  if (channels.empty()) {
    for (const auto& chip : list_system_entries(root / "sys/bus/i2c/drivers/ina3221x")) {
      for (const auto& device : list_system_entries(chip, "iio:device")) add_iio(device, found);
    }
  }
  if (channels.empty() && !found.unreadable.empty()) return {nullptr, found.unreadable, true};
  if (channels.empty()) return {nullptr, "no INA3221 with named rails (a Jetson's power monitor)"};
  std::string covers = choose_total(channels);
  return {std::make_unique<Ina3221>(std::move(channels),
                                    MeterFacts{"ina3221", std::move(covers), kGainError}),
          ""};
}

}  // namespace hedge
