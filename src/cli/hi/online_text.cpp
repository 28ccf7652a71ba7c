// SPDX-License-Identifier: Apache-2.0
#include "cli/hi/online_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

namespace hedge::cli {
namespace {

bool is_negated(const Decision& decision) {
  return decision.rule == Rule::kEntropy || decision.rule == Rule::kEnergy;
}

/// Without the minus of what rounds to 0.
std::string number_text(double value, int digits) {
  return fmt::format("{:.{}f}", std::abs(value) < 0.5 * std::pow(10, -digits) ? 0.0 : value,
                     digits);
}

std::string with_interval(const OnlineMean& mean, int digits) {
  std::string text = number_text(mean.mean, digits);
  if (mean.ci95) {
    text += fmt::format(" ({} to {})", number_text(mean.ci95->lower, digits),
                        number_text(mean.ci95->upper, digits));
  }
  return text;
}

/// Columns as wide as their widest cell.
std::string aligned(const std::vector<std::vector<std::string>>& rows) {
  std::string text;
  for (const std::vector<std::string>& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      std::size_t width = 0;
      for (const std::vector<std::string>& other : rows) width = std::max(width, other[i].size());
      text += i + 1 < row.size() ? fmt::format("{:<{}}  ", row[i], width) : row[i];
    }
    text += '\n';
  }
  return text;
}

const OnlineRow* row_named(const std::vector<OnlineRow>& rows, const std::string& name) {
  const auto found = std::find_if(rows.begin(), rows.end(),
                                  [&](const OnlineRow& row) { return row.name == name; });
  return found == rows.end() ? nullptr : &*found;
}

const OnlineRow* best_learner(const std::vector<OnlineRow>& rows) {
  const OnlineRow* best = nullptr;
  for (const OnlineRow& row : rows) {
    if (!row.learns) continue;
    if (best == nullptr || row.summary.cost.mean < best->summary.cost.mean) best = &row;
  }
  return best;
}

/// "3.1 % less than".
std::string compared(double cost, double other) {
  if (other <= 0 || std::abs(cost - other) < 0.0005 * other) return "as much as";
  const double percent = 100 * (cost / other - 1);
  return fmt::format("{:.1f} % {} than", std::abs(percent), percent < 0 ? "less" : "more");
}

nlohmann::ordered_json json_of(const OnlineMean& mean) {
  nlohmann::ordered_json json{{"mean", mean.mean}};
  if (mean.ci95) json["ci95"] = {mean.ci95->lower, mean.ci95->upper};
  return json;
}

}  // namespace

std::string threshold_text(const Decision& decision, double threshold) {
  if (std::isinf(threshold)) return threshold > 0 ? "offload all" : "keep all";
  return fmt::format("{:.4f}", is_negated(decision) ? -threshold : threshold);
}

std::string online_table(const std::vector<OnlineRow>& rows, const Decision& decision) {
  const bool tracks = !rows.empty() && rows.front().summary.tracking;
  std::vector<std::vector<std::string>> cells{
      {"policy", "cost an image (95 %)", "accuracy", "offloaded", "threshold", "regret (95 %)"}};
  if (tracks) cells[0].emplace_back("against the best of each part");
  for (const OnlineRow& row : rows) {
    const OnlineSummary& summary = row.summary;
    cells.push_back({row.name, with_interval(summary.cost, 4),
                     fmt::format("{:.2f} %", 100 * summary.accuracy.mean),
                     fmt::format("{:.2f} %", 100 * summary.offload_share.mean),
                     threshold_text(decision, summary.threshold),
                     with_interval(summary.regret, 1)});
    if (tracks) cells.back().push_back(with_interval(*summary.tracking, 1));
  }
  std::string text = aligned(cells);
  for (const OnlineRow& row : rows) {
    if (!row.learns || !row.summary.growth || tracks) continue;
    fmt::format_to(std::back_inserter(text),
                   "growth         regret of {} as images^{:.2f} over the last factor of 16\n",
                   row.name, *row.summary.growth);
  }
  if (const OnlineRow* const server = row_named(rows, kServersBest);
      server != nullptr && server->summary.regret.mean > 0) {
    fmt::format_to(
        std::back_inserter(text),
        "note           who takes the server for right in all aims at a regret of {:.1f}: what "
        "its errors cost\n",
        server->summary.regret.mean);
  }
  return text;
}

std::string online_sentence(const std::vector<OnlineRow>& rows) {
  const OnlineRow* const learner = best_learner(rows);
  if (learner == nullptr) return "";
  const double cost = learner->summary.cost.mean;
  std::string text = fmt::format(
      "Learning while it ran, {} offloaded {:.1f} % and was {:.1f} % right", learner->name,
      100 * learner->summary.offload_share.mean, 100 * learner->summary.accuracy.mean);
  std::string joint = "; it cost ";
  for (const auto& [name, what] :
       {std::pair(kBestFixed, "the best fixed threshold, known beforehand"),
        std::pair("always", "offloading everything"), std::pair("never", "offloading nothing")}) {
    const OnlineRow* const row = row_named(rows, name);
    if (row == nullptr) continue;
    text += joint + compared(cost, row->summary.cost.mean) + " " + what;
    joint = ", ";
  }
  return text + ".\n";
}

nlohmann::ordered_json online_rows_json(const std::vector<OnlineRow>& rows,
                                        const Decision& decision) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const OnlineRow& row : rows) {
    const OnlineSummary& summary = row.summary;
    nlohmann::ordered_json json{{"name", row.name},
                                {"learns", row.learns},
                                {"repetitions", summary.repetitions},
                                {"cost_per_image", json_of(summary.cost)},
                                {"accuracy", json_of(summary.accuracy)},
                                {"offload_fraction", json_of(summary.offload_share)},
                                {"regret", json_of(summary.regret)},
                                {"cost_above_always", json_of(summary.against_always)},
                                {"cost_above_never", json_of(summary.against_never)}};
    if (summary.tracking) json["tracking_regret"] = json_of(*summary.tracking);
    if (std::isinf(summary.threshold)) {
      json["threshold"] = threshold_text(decision, summary.threshold);
    } else {
      json["threshold"] = is_negated(decision) ? -summary.threshold : summary.threshold;
    }
    if (summary.growth) json["growth_exponent"] = *summary.growth;
    for (std::size_t i = 0; i < summary.curve.size(); ++i) {
      nlohmann::ordered_json point{{"images", summary.checkpoints[i]}};
      point.update(json_of(summary.curve[i]));
      json["regret_curve"].push_back(point);
    }
    list.push_back(json);
  }
  return list;
}

std::string regret_csv(const std::vector<OnlineRow>& rows) {
  std::string text = "policy,images,regret,ci95_lower,ci95_upper\n";
  for (const OnlineRow& row : rows) {
    for (std::size_t i = 0; i < row.summary.curve.size(); ++i) {
      const OnlineMean& point = row.summary.curve[i];
      fmt::format_to(std::back_inserter(text), "{},{},{}", row.name, row.summary.checkpoints[i],
                     point.mean);
      text += point.ci95 ? fmt::format(",{},{}\n", point.ci95->lower, point.ci95->upper) : ",,\n";
    }
  }
  return text;
}

}  // namespace hedge::cli
