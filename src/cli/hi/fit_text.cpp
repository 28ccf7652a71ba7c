// SPDX-License-Identifier: Apache-2.0
#include "cli/hi/fit_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>
#include <vector>

namespace hedge::cli {
namespace {

double percent(std::int64_t part, std::size_t whole) {
  return 100 * static_cast<double>(part) / static_cast<double>(whole);
}

std::string rule_text(const FitReport& report) {
  const Decision& decision = report.fit.decision;
  switch (decision.rule) {
    case Rule::kAlways:
      return "offload every image";
    case Rule::kNever:
      return "keep every answer";
    case Rule::kLogistic:
      return fmt::format("keep where sigmoid(intercept + sum of weight * feature) >= {:.6g}",
                         decision.threshold);
    case Rule::kEntropy:
    case Rule::kEnergy:
      return fmt::format("keep where {} <= {:.6g}", name_of(decision.rule), decision.threshold);
    default:
      return fmt::format("keep where {} >= {:.6g}", name_of(decision.rule), decision.threshold);
  }
}

/// A line of the table of qualities.
struct Row {
  const char* name;
  std::function<std::string(const DecisionQuality&)> text;
};

std::vector<Row> quality_rows(const FitReport& report) {
  const auto share = [](double value) { return fmt::format("{:.2f} %", 100 * value); };
  std::vector<Row> rows{
      {"AUC", [](const DecisionQuality& q) { return q.auc ? fmt::format("{:.4f}", *q.auc) : "-"; }},
      {"Brier score", [](const DecisionQuality& q) { return fmt::format("{:.4f}", q.brier); }},
      {"log loss", [](const DecisionQuality& q) { return fmt::format("{:.4f}", q.log_loss); }},
      {"ECE, 15 bins of equal width",
       [](const DecisionQuality& q) { return fmt::format("{:.4f}", q.ece); }},
      {"ECE, 15 between quantiles",
       [](const DecisionQuality& q) { return fmt::format("{:.4f}", q.ece_quantiles); }},
      {"decisions that are right",
       [share](const DecisionQuality& q) { return share(q.accuracy()); }},
      {"images offloaded", [share](const DecisionQuality& q) { return share(q.offload_share()); }}};
  static_assert(kReliabilityBins == 15);
  if (report.out_of_fold.hi_right) {
    rows.push_back({"accuracy with the server", [share](const DecisionQuality& q) {
                      return share(static_cast<double>(*q.hi_right) /
                                   static_cast<double>(q.images()));
                    }});
  }
  return rows;
}

}  // namespace

std::string fit_lines(const FitReport& report) {
  std::string text = fmt::format("images     {}, {} local answers right ({:.2f} %)\n",
                                 report.images, report.right, percent(report.right, report.images));
  if (report.left_out > 0) text += fmt::format("left out   {}, without scores\n", report.left_out);
  text += fmt::format("decision   {}\n", rule_text(report));
  if (report.fit.temperature) {
    const TemperatureFit& fit = *report.fit.temperature;
    text += fmt::format(
        "calibrated temperature {:.6g}: negative log likelihood of the true class {:.4f}, at 1 "
        "{:.4f}\n",
        fit.temperature, fit.nll, fit.nll_before);
  }
  if (report.fit.isotonic) {
    text += fmt::format("calibrated isotonic, {} corners: p >= {:.6g} is what is kept\n",
                        report.fit.isotonic->scores.size(), report.options.threshold);
  }
  return text + coefficient_lines(report);
}

std::string coefficient_lines(const FitReport& report) {
  if (!report.fit.logistic) return {};
  std::string text =
      fmt::format("  {:<12}{:>12}  {:>10}  {}\n", "", "coefficient", "std. error", "95 % interval");
  for (const Coefficient& coefficient : coefficients_of(report)) {
    text +=
        fmt::format("  {:<12}{:>12.6f}  {:>10.6f}  {:.4f} to {:.4f}\n", coefficient.name,
                    coefficient.value, coefficient.error, coefficient.lower(), coefficient.upper());
  }
  text += report.options.l2 > 0
              ? fmt::format(
                    "  L2 penalty {:g} on the weights (scikit-learn's C = {:g}), {} "
                    "iterations\n",
                    report.options.l2, 1 / report.options.l2, report.fit.logistic->iterations)
              : fmt::format("  no penalty, {} iterations\n", report.fit.logistic->iterations);
  return text;
}

std::string quality_lines(const FitReport& report) {
  std::vector<std::pair<const char*, const DecisionQuality*>> columns{
      {"out of fold", &report.out_of_fold}};
  if (report.uncalibrated) columns.emplace_back("uncalibrated", &*report.uncalibrated);
  columns.emplace_back("in sample", &report.in_sample);
  std::string text = fmt::format("  {:<28}", fmt::format("{} folds", report.validation.folds));
  for (const auto& column : columns) text += fmt::format("{:>14}", column.first);
  for (const Row& row : quality_rows(report)) {
    text += fmt::format("\n  {:<28}", row.name);
    for (const auto& column : columns) text += fmt::format("{:>14}", row.text(*column.second));
  }
  const DecisionQuality& quality = report.out_of_fold;
  text += fmt::format(
      "\nout of fold: kept {} right and {} wrong, offloaded {} though right and {} wrong\n",
      quality.kept_right, quality.kept_wrong, quality.offloaded_right, quality.offloaded_wrong);
  if (quality.hi_right) {
    text += fmt::format(
        "with the server {:.2f} % right at {:.2f} % offloaded; all local {:.2f} %, all server "
        "{:.2f} %\n",
        percent(*quality.hi_right, report.images), 100 * quality.offload_share(),
        percent(report.right, report.images), percent(*quality.server_right, report.images));
  }
  return text;
}

std::string reliability_lines(const DecisionQuality& quality) {
  constexpr std::size_t kWidth = 40;
  const auto place = [](double share) {
    return static_cast<std::size_t>(std::lround(share * static_cast<double>(kWidth)));
  };
  std::string text =
      "reliability, out of fold (= share right, | mean p; calibrated where they end together)\n"
      "       p          images  mean p   right\n";
  for (const ReliabilityBin& bin : quality.bins) {
    if (bin.count == 0) continue;
    std::string bar(kWidth + 1, ' ');
    std::fill_n(bar.begin(), place(bin.frequency), '=');
    bar[place(bin.mean_probability)] = '|';
    bar.resize(bar.find_last_not_of(' ') + 1);
    text += fmt::format("  {:.3f}-{:.3f}  {:>8}  {:.4f}  {:.4f}  {}\n", bin.lower, bin.upper,
                        bin.count, bin.mean_probability, bin.frequency, bar);
  }
  return text;
}

}  // namespace hedge::cli
