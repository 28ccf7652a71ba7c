// SPDX-License-Identifier: Apache-2.0
// RAPL: the energy counters of x86 processors, as powercap shows them
// (Linux, Documentation/power/powercap/powercap.rst).

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/system_files.h"
#include "energy/probes.h"
#include "energy/sensor_file.h"

namespace hedge {
namespace {

namespace fs = std::filesystem;

constexpr double kMicro = 1e-6;

class Rapl final : public PowerMeter {
 public:
  Rapl(std::vector<Rail> rails, std::vector<SensorFile> counters, MeterFacts facts)
      : rails_(std::move(rails)), counters_(std::move(counters)), facts_(std::move(facts)) {}
  [[nodiscard]] const MeterFacts& facts() const noexcept override { return facts_; }
  [[nodiscard]] std::span<const Rail> rails() const noexcept override { return rails_; }
  void read(std::span<RailReading> readings) noexcept override {
    for (std::size_t i = 0; i < counters_.size(); ++i) {
      const auto microjoules = counters_[i].read();
      readings[i].value = microjoules ? static_cast<double>(*microjoules) * kMicro : kNoReading;
      readings[i].time_ns = SteadyClock::now_ns();
    }
  }

 private:
  std::vector<Rail> rails_;
  std::vector<SensorFile> counters_;
  MeterFacts facts_;
};

/// A domain: intel-rapl:0 is a package or psys, intel-rapl:0:1 a part of it.
struct Domain {
  fs::path folder;
  std::string name;  ///< "package-0", "psys", "core".
  std::string full_name;
  bool top = false;
};

void add_domains(const fs::path& folder, const std::string& parent, std::vector<Domain>& domains) {
  Domain domain{.folder = folder, .name = read_system_line(folder / "name"), .full_name = {}};
  if (domain.name.empty()) return;
  domain.top = parent.empty();
  domain.full_name = domain.top ? domain.name : parent + "/" + domain.name;
  domains.push_back(domain);
  for (const auto& part : list_system_entries(folder, folder.filename().string() + ":")) {
    add_domains(part, domain.full_name, domains);
  }
}

/// /sys/class/powercap shows all domains side by side, as links: those of the first level have one
/// colon. (intel-rapl-mmio shows the package a second time.)
std::vector<Domain> find_domains(const fs::path& root) {
  std::vector<Domain> domains;
  for (const auto& entry : list_system_entries(root / "sys/class/powercap", "intel-rapl:")) {
    const std::string name = entry.filename().string();
    if (std::count(name.begin(), name.end(), ':') == 1) add_domains(entry, "", domains);
  }
  return domains;
}

constexpr const char* kNoPermission =
    "RAPL's counters are for root only: run as root, or until the next boot "
    "'sudo chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj'";

}  // namespace

MeterProbe probe_rapl(const fs::path& root) {
  const std::vector<Domain> domains = find_domains(root);
  if (domains.empty()) {
    return {nullptr,
            "no RAPL domain in /sys/class/powercap (not x86, a virtual machine, or the module "
            "intel_rapl_common is not loaded: 'sudo modprobe intel_rapl_msr')"};
  }
  const bool has_package = std::any_of(domains.begin(), domains.end(), [](const Domain& domain) {
    return domain.top && domain.name.starts_with("package");
  });
  std::vector<Rail> rails;
  std::vector<SensorFile> counters;
  int error = 0;
  for (const Domain& domain : domains) {
    SensorFile counter(domain.folder / "energy_uj");
    if (!counter.is_open()) {
      error = counter.error();
      continue;
    }
    const auto range = read_system_integer(domain.folder / "max_energy_range_uj");
    Rail rail{.name = domain.full_name,
              .kind = RailKind::kEnergy,
              // psys contains the packages, and not every board maker calibrates it.
              .in_total = domain.top && (!has_package || domain.name.starts_with("package")),
              .resolution = kMicro,
              .wraps_at = {}};
    if (range && *range > 0) rail.wraps_at = static_cast<double>(*range) * kMicro;
    rails.push_back(std::move(rail));
    counters.push_back(std::move(counter));
  }
  const bool counts =
      std::any_of(rails.begin(), rails.end(), [](const Rail& rail) { return rail.in_total; });
  if (!counts) {
    const bool denied = error == EACCES || error == EPERM;
    return {nullptr, denied ? kNoPermission : "RAPL's package counters cannot be read", true};
  }
  return {
      std::make_unique<Rapl>(
          std::move(rails), std::move(counters),
          MeterFacts{"rapl",
                     has_package ? "the processor packages; not memory, GPU, disks, power supply"
                                 : "the platform as RAPL's psys counts it; not the power supply",
                     // K. N. Khan et al., RAPL in Action, ACM TOMPECS 3(2), 2018, abstract.
                     "none is stated; on servers it was found to follow the power at the plug "
                     "closely (doi 10.1145/3177754)"}),
      ""};
}

}  // namespace hedge
