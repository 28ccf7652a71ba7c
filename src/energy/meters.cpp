// SPDX-License-Identifier: Apache-2.0
#include "energy/meters.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/named_values.h"
#include "base/text.h"
#include "energy/probes.h"
#include "hedge/error.h"

namespace hedge {
namespace {

constexpr std::array<const char*, 4> kNames{"ina3221", "nvml", "rapl", "battery"};

MeterProbe probe(const std::string& name, const MeterOptions& options) {
  if (name == "ina3221") return probe_ina3221(options.root);
  if (name == "nvml") return probe_nvml(options.nvml_library);
  if (name == "rapl") return probe_rapl(options.root);
  return probe_battery(options.root);
}

/// Several meters of different parts, read one after the other.
class CombinedMeter final : public PowerMeter {
 public:
  explicit CombinedMeter(std::vector<std::unique_ptr<PowerMeter>> meters)
      : meters_(std::move(meters)) {
    for (const auto& meter : meters_) {
      const MeterFacts& part = meter->facts();
      facts_.name += (facts_.name.empty() ? "" : "+") + part.name;
      facts_.covers +=
          fmt::format("{}{}: {}", facts_.covers.empty() ? "" : "; ", part.name, part.covers);
      facts_.gain_error += fmt::format("{}{}: {}", facts_.gain_error.empty() ? "" : "; ", part.name,
                                       part.gain_error);
      rails_.insert(rails_.end(), meter->rails().begin(), meter->rails().end());
    }
  }
  [[nodiscard]] const MeterFacts& facts() const noexcept override { return facts_; }
  [[nodiscard]] std::span<const Rail> rails() const noexcept override { return rails_; }
  void read(std::span<RailReading> readings) noexcept override {
    for (const auto& meter : meters_) {
      meter->read(readings.first(meter->rails().size()));
      readings = readings.subspan(meter->rails().size());
    }
  }

 private:
  std::vector<std::unique_ptr<PowerMeter>> meters_;
  MeterFacts facts_;
  std::vector<Rail> rails_;
};

/// Of a meter that the machine has it says what would help; of the others that they are not there,
/// which `hedge info --meters` tells at length.
MeterChoice open_best(const MeterOptions& options) {
  std::string reasons;
  for (MeterStatus& status : find_meters(options)) {
    if (status.meter) return {std::move(status.meter), reasons};
    if (!status.present) continue;
    reasons += fmt::format("{}{}: {}", reasons.empty() ? "" : "; ", status.name,
                           status.unavailable_reason);
  }
  if (reasons.empty()) reasons = "neither INA3221, RAPL, NVIDIA's NVML nor a battery is here";
  return {nullptr, reasons};
}

void require_known(const std::string& name) {
  const std::vector<std::string> names = meter_names();
  if (std::find(names.begin(), names.end(), name) != names.end()) return;
  throw bad_input(fmt::format("no meter '{}'{}; there are {}, rapl+nvml, csv:FILE and none", name,
                              did_you_mean(name, names), fmt::join(names, ", ")));
}

/// Only these see parts of a machine that the other does not.
void require_joinable(const std::string& part, const std::string& name) {
  if (part == "rapl" || part == "nvml") return;
  if (part == "ina3221" || part == "battery") {
    throw bad_input(
        fmt::format("meter {} in '{}' sees what the others see too; name it alone", part, name));
  }
  throw bad_input(fmt::format("'{}' cannot be joined with others; rapl+nvml can", part));
}

/// Which of them are missing, and which is not.
std::string missing_parts(const std::vector<MeterProbe>& probes,
                          const std::vector<std::string>& names) {
  if (names.size() == 1) return fmt::format("{}: {}", names[0], probes[0].reason);
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    text += fmt::format("{}{}: {}", i == 0 ? "" : "; ", names[i],
                        probes[i].meter     ? "is there, alone"
                        : probes[i].present ? probes[i].reason
                                            : "not there");
  }
  return text;
}

}  // namespace

std::vector<std::string> meter_names() {
  return {kNames.begin(), kNames.end()};
}

std::vector<MeterStatus> find_meters(const MeterOptions& options) {
  std::vector<std::string> order{"ina3221", "rapl", "nvml", "battery"};
  if (options.gpu_load) std::swap(order[1], order[2]);
  std::vector<MeterStatus> found;
  for (const std::string& name : order) {
    MeterProbe result = probe(name, options);
    found.push_back({name, std::move(result.meter), std::move(result.reason), result.present});
  }
  return found;
}

void require_meter_name(const std::string& name) {
  if (name == "auto") return;
  const std::vector<std::string> parts = split(name, '+');
  for (auto part = parts.begin(); part != parts.end(); ++part) {
    if (parts.size() > 1) require_joinable(*part, name);
    require_known(*part);
    if (std::find(parts.begin(), part, *part) != part) {
      throw bad_input(fmt::format("meter {} is named twice in '{}'", *part, name));
    }
  }
}

MeterChoice open_meter(const std::string& name, const MeterOptions& options) {
  require_meter_name(name);
  if (name == "auto") return open_best(options);
  const std::vector<std::string> parts = split(name, '+');
  std::vector<MeterProbe> probes;
  for (const std::string& part : parts) probes.push_back(probe(part, options));
  const auto there = [](const MeterProbe& each) { return each.meter != nullptr; };
  if (!std::all_of(probes.begin(), probes.end(), there)) {
    return {nullptr, missing_parts(probes, parts)};
  }
  std::vector<std::unique_ptr<PowerMeter>> meters;
  for (MeterProbe& each : probes) meters.push_back(std::move(each.meter));
  if (meters.size() == 1) return {std::move(meters.front()), ""};
  return {std::make_unique<CombinedMeter>(std::move(meters)), ""};
}

}  // namespace hedge
