// SPDX-License-Identifier: Apache-2.0
// What a sweep found, as CSV and JSON.
#include <fmt/format.h>

#include <array>
#include <cmath>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string_view>

#include "cli/hi/sweep_report.h"
#include "hi/decide/decision_file.h"
#include "result/result_json.h"

namespace hedge::cli {
namespace {

using nlohmann::ordered_json;

/// Shortest digits that give the same double; nothing for what is unknown.
std::string cell(double value) {
  return std::isnan(value) ? std::string() : fmt::format("{}", value);
}

/// A name is that of a user's file: quoted where it would break the line (RFC 4180).
std::string csv_text(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    quoted += c;
    if (c == '"') quoted += c;
  }
  return quoted + "\"";
}

std::vector<bool> membership(const std::vector<std::size_t>& front, std::size_t points) {
  std::vector<bool> on(points);
  for (const std::size_t index : front) on[index] = true;
  return on;
}

ordered_json point_json(const SweepReport& report, const OperatingPoint& point) {
  ordered_json json{{"decision", name_of_point(report, point)}};
  if (point.decision >= 0) json["threshold"] = point.point.threshold;
  json["offloads"] = point.point.offloads;
  json["offload_fraction"] = point.share;
  json["correct"] = point.point.correct;
  json["accuracy"] = point.accuracy;
  if (!std::isnan(point.seconds)) json["latency_us"] = point.seconds * 1e6;
  if (!std::isnan(point.joules)) json["energy_mj"] = point.joules * 1e3;
  return json;
}

ordered_json front_json(const SweepReport& report, const std::vector<std::size_t>& front) {
  ordered_json list = ordered_json::array();
  for (const std::size_t index : front) list.push_back(point_json(report, report.points[index]));
  return list;
}

ordered_json linear_json(const LinearCost& cost, double unit) {
  return {{"local", cost.local * unit},
          {"decision", cost.decision * unit},
          {"offload", cost.offload * unit}};
}

ordered_json costs_json(const StatedCosts& costs) {
  ordered_json figures = ordered_json::array();
  for (const CostFigure& figure : costs.figures) {
    figures.push_back({{"name", figure.name},
                       {"value", figure.value},
                       {"source", figure.source},
                       {"assumed", figure.assumed}});
  }
  ordered_json json{{"figures", std::move(figures)}};
  if (costs.costs.seconds) json["latency_us"] = linear_json(*costs.costs.seconds, 1e6);
  if (costs.costs.joules) json["energy_mj"] = linear_json(*costs.costs.joules, 1e3);
  return json;
}

ordered_json wishes_json(const Wishes& wishes) {
  constexpr std::array kObjectives{"accuracy", "latency", "energy", "offload"};
  ordered_json json{{"optimize", kObjectives[static_cast<std::size_t>(wishes.objective)]}};
  if (wishes.max_seconds) json["max_latency_us"] = *wishes.max_seconds * 1e6;
  if (wishes.max_joules) json["max_energy_mj"] = *wishes.max_joules * 1e3;
  if (wishes.max_share) json["max_offload"] = *wishes.max_share;
  if (wishes.min_accuracy) json["min_accuracy"] = *wishes.min_accuracy;
  return json;
}

ordered_json held_out_json(const HeldOut& held) {
  ordered_json json{
      {"folds", held.folds},
      {"total", held.total},
      {"correct", held.correct},
      {"accuracy", static_cast<double>(held.correct) / static_cast<double>(held.total)},
      {"accuracy_ci95", {held.accuracy_ci95.lower, held.accuracy_ci95.upper}},
      {"offloads", held.offloads},
      {"offload_fraction", static_cast<double>(held.offloads) / static_cast<double>(held.total)},
      {"infeasible_folds", held.infeasible}};
  if (!std::isnan(held.seconds)) json["latency_us"] = held.seconds * 1e6;
  if (!std::isnan(held.joules)) json["energy_mj"] = held.joules * 1e3;
  return json;
}

ordered_json decisions_json(const SweepReport& report) {
  const double random = random_area(report.data.outcomes);
  const double oracle = oracle_area(report.data.outcomes);
  ordered_json list = ordered_json::array();
  for (std::size_t i = 0; i < report.data.names.size(); ++i) {
    const DecisionFile file{.decision = report.data.rankings[i].decision};
    ordered_json json{{"name", report.data.names[i]},
                      {"decision", ordered_json::parse(decision_to_text(file))},
                      {"thresholds", report.points_of(static_cast<int>(i)).size()},
                      {"area", report.areas[i]}};
    if (oracle > random) json["gain_of_oracle"] = (report.areas[i] - random) / (oracle - random);
    list.push_back(std::move(json));
  }
  return list;
}

}  // namespace

std::string sweep_csv(const SweepReport& report) {
  const auto share = membership(report.share_front, report.points.size());
  const auto seconds = membership(report.seconds_front, report.points.size());
  const auto joules = membership(report.joules_front, report.points.size());
  std::string text =
      "decision,threshold,offloads,offload_fraction,correct,accuracy,latency_us,energy_mj,"
      "on_share_front,on_latency_front,on_energy_front\n";
  for (std::size_t i = 0; i < report.points.size(); ++i) {
    const OperatingPoint& point = report.points[i];
    fmt::format_to(std::back_inserter(text), "{},{},{},{},{},{},{},{},{:d},{:d},{:d}\n",
                   csv_text(name_of_point(report, point)),
                   point.decision >= 0 ? cell(point.point.threshold) : std::string(),
                   point.point.offloads, cell(point.share), point.point.correct,
                   cell(point.accuracy), cell(point.seconds * 1e6), cell(point.joules * 1e3),
                   bool{share[i]}, bool{seconds[i]}, bool{joules[i]});
  }
  return text;
}

ordered_json sweep_json(const SweepReport& report) {
  const SweepData& data = report.data;
  ordered_json json{{"schema", "hedge.sweep/1"},
                    {"scores",
                     {{"source", data.source},
                      {"images", data.images},
                      {"classes", data.classes},
                      {"scores_kind", name_of(data.kind)}}},
                    {"all_local", point_json(report, report.points[0])},
                    {"all_server", point_json(report, report.points[1])},
                    {"server_alone_right", data.outcomes.gains},
                    {"local_alone_right", data.outcomes.losses},
                    {"random_area", random_area(data.outcomes)},
                    {"oracle_area", oracle_area(data.outcomes)},
                    {"decisions", decisions_json(report)}};
  if (!data.left_out.empty()) json["left_out"] = data.left_out;
  if (data.run.result) json["run"] = result_to_json(*data.run.result);
  if (!report.costs.figures.empty()) json["costs"] = costs_json(report.costs);
  json["fronts"] = {{"share", front_json(report, report.share_front)}};
  if (!report.seconds_front.empty()) {
    json["fronts"]["latency"] = front_json(report, report.seconds_front);
  }
  if (!report.joules_front.empty()) {
    json["fronts"]["energy"] = front_json(report, report.joules_front);
  }
  json["asked"] = wishes_json(report.wishes);
  json[report.best ? "best" : "nearest"] = point_json(report, report.chosen());
  if (report.held_out) json["held_out"] = held_out_json(*report.held_out);
  return json;
}

}  // namespace hedge::cli
