// SPDX-License-Identifier: Apache-2.0
#include "cli/energy/meter_list.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/cancellation.h"
#include "cli/program/quantity.h"
#include "energy/meters.h"
#include "energy/sampler.h"

namespace hedge::cli {
namespace {

std::string watts_text(const std::optional<double>& watts) {
  return watts ? fmt::format("{:.3f} W", *watts) : "power unknown";
}

/// Sleeps in small pieces, so that Ctrl-C is heard.
void sleep_a_second() {
  for (int i = 0; i < 50 && !cancellation_requested(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

/// A meter that is there, read all the time.
struct Watched {
  const MeterStatus* status;
  std::unique_ptr<Sampler> sampler;
};

nlohmann::ordered_json rails_json(const Watched& watched, const Program& program) {
  nlohmann::ordered_json rails = nlohmann::ordered_json::array();
  const auto watts = watched.sampler->recent_rail_watts(kSecond_ns);
  const auto described = watched.status->meter->rails();
  for (std::size_t i = 0; i < described.size(); ++i) {
    const Rail& rail = described[i];
    const bool counter = rail.kind == RailKind::kEnergy;
    program.print("  rail     {}: {}, {}{}\n", rail.name, watts_text(watts[i]),
                  counter ? "by its energy counter" : "by its power",
                  rail.in_total ? "" : " (not added)");
    nlohmann::ordered_json entry{
        {"name", rail.name}, {"counts", rail.in_total}, {"kind", counter ? "energy" : "power"}};
    if (watts[i]) entry["watts"] = *watts[i];
    rails.push_back(std::move(entry));
  }
  return rails;
}

void print_line(const Program& program, const std::vector<Watched>& meters, int second) {
  std::string line = fmt::format("{:>5} s", second);
  for (const Watched& watched : meters) {
    const auto watts = watched.sampler->recent_rail_watts(kSecond_ns);
    const auto rails = watched.status->meter->rails();
    for (std::size_t i = 0; i < rails.size(); ++i) {
      line += fmt::format("  {} {}", rails[i].name, watts_text(watts[i]));
    }
  }
  program.print("{}\n", line);
  std::fflush(stdout);
}

}  // namespace

void list_meters(const Program& program, nlohmann::ordered_json& json, bool watch) {
  const std::vector<MeterStatus> found = find_meters();
  const std::atomic<std::int64_t> nothing_done{0};
  std::vector<Watched> meters;
  for (const MeterStatus& status : found) {
    if (!status.meter) continue;
    meters.push_back(
        {&status, std::make_unique<Sampler>(status.meter.get(), nothing_done, Sampler::Options{})});
  }
  if (!meters.empty()) sleep_a_second();
  auto next = meters.begin();
  for (const MeterStatus& status : found) {
    nlohmann::ordered_json entry{{"name", status.name}, {"available", status.meter != nullptr}};
    if (!status.meter) {
      program.print("meter      {}: {}: {}\n", status.name,
                    status.present ? "there, but cannot be read" : "not there",
                    status.unavailable_reason);
      entry["present"] = status.present;
      entry["reason"] = status.unavailable_reason;
    } else {
      const MeterFacts& facts = status.meter->facts();
      program.print("meter      {}: {}\n", facts.name, facts.covers);
      entry["covers"] = facts.covers;
      entry["gain_error"] = facts.gain_error;
      entry["rails"] = rails_json(*next++, program);
    }
    json["meters"].push_back(std::move(entry));
  }
  if (meters.empty()) return;
  for (int second = 1; watch && !cancellation_requested(); ++second) {
    print_line(program, meters, second);
    sleep_a_second();
  }
}

}  // namespace hedge::cli
