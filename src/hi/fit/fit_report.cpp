// SPDX-License-Identifier: Apache-2.0
#include "hi/fit/fit_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "hedge/error.h"

namespace hedge {
namespace {

using nlohmann::ordered_json;

void require_both_outcomes(const LabelledScores& data) {
  const auto usable = data.usable();
  if (usable.empty()) {
    throw bad_input(
        fmt::format("none of the {} images has two scores that are numbers; there is nothing to "
                    "fit",
                    data.size()));
  }
  const auto right =
      std::ranges::count_if(usable, [&](std::size_t image) { return data.outcomes()[image] != 0; });
  const auto all = static_cast<std::ptrdiff_t>(usable.size());
  if (right == all) {
    throw bad_input(
        fmt::format("all {} local answers are right: there is nothing to tell apart; keep them all "
                    "(decision never), or fit on images that are harder",
                    all));
  }
  if (right == 0) {
    throw bad_input(
        fmt::format("all {} local answers are wrong: there is nothing to tell apart (do the labels "
                    "go with the scores?)",
                    all));
  }
}

void add_warnings(FitReport& report) {
  const DecisionFit& fit = report.fit;
  if (report.left_out > 0) {
    report.warnings.push_back(
        fmt::format("{} of {} images are left out: fewer than two of their scores are numbers, or "
                    "the largest is infinite; any decision offloads them",
                    report.left_out, report.images));
  }
  if (fit.logistic) {
    report.warnings.insert(report.warnings.end(), fit.logistic->warnings.begin(),
                           fit.logistic->warnings.end());
  }
  if (fit.temperature && fit.temperature->left_out > 0) {
    report.warnings.push_back(
        fmt::format("temperature: {} images are left out, whose true class has no finite score",
                    fit.temperature->left_out));
  }
  if (fit.decision.rule == Rule::kAlways || fit.decision.rule == Rule::kNever) {
    report.warnings.push_back(fmt::format("p {} {} whatever the scores: the decision is `{}`",
                                          fit.decision.rule == Rule::kNever ? ">=" : "<",
                                          report.options.threshold, name_of(fit.decision.rule)));
  }
}

ordered_json quality_json(const DecisionQuality& quality) {
  ordered_json json{{"auc", nullptr},
                    {"brier", quality.brier},
                    {"log_loss", quality.log_loss},
                    {"ece", quality.ece},
                    {"ece_quantiles", quality.ece_quantiles},
                    {"decision_accuracy", quality.accuracy()},
                    {"offload_fraction", quality.offload_share()},
                    {"kept_right", quality.kept_right},
                    {"kept_wrong", quality.kept_wrong},
                    {"offloaded_right", quality.offloaded_right},
                    {"offloaded_wrong", quality.offloaded_wrong}};
  if (quality.auc) {
    json["auc"] = *quality.auc;
  } else {
    json.erase("auc");
  }
  if (quality.hi_right) {
    const auto images = static_cast<double>(quality.images());
    json["accuracy"] = static_cast<double>(*quality.hi_right) / images;
    json["accuracy_server"] = static_cast<double>(*quality.server_right) / images;
  }
  return json;
}

ordered_json bins_json(std::span<const ReliabilityBin> bins) {
  ordered_json json = ordered_json::array();
  for (const ReliabilityBin& bin : bins) {
    ordered_json entry{{"lower", bin.lower}, {"upper", bin.upper}, {"images", bin.count}};
    if (bin.count > 0) {
      entry["mean_probability"] = bin.mean_probability;
      entry["right"] = bin.frequency;
    }
    json.push_back(std::move(entry));
  }
  return json;
}

ordered_json summary(const FitReport& report) {
  const DecisionFit& fit = report.fit;
  ordered_json json{{"images", report.images},
                    {"left_out", report.left_out},
                    {"right", report.right},
                    {"scores_kind", name_of(report.kind)},
                    {"calibration", name_of(report.options.calibration)},
                    {"folds", report.validation.folds},
                    {"seed", report.validation.seed},
                    {"least_probability", report.options.threshold}};
  if (fit.logistic) {
    json["l2"] = report.options.l2;
    json["iterations"] = fit.logistic->iterations;
    ordered_json coefficients = ordered_json::array();
    for (const Coefficient& coefficient : coefficients_of(report)) {
      coefficients.push_back({{"name", coefficient.name},
                              {"value", coefficient.value},
                              {"standard_error", coefficient.error},
                              {"ci95", {coefficient.lower(), coefficient.upper()}}});
    }
    json["coefficients"] = std::move(coefficients);
  }
  if (fit.temperature) {
    json["temperature"] = {{"value", fit.temperature->temperature},
                           {"class_nll_before", fit.temperature->nll_before},
                           {"class_nll", fit.temperature->nll}};
  }
  if (fit.isotonic) {
    json["isotonic"] = {{"confidence", fit.isotonic->scores},
                        {"probability", fit.isotonic->probabilities}};
  }
  json["out_of_fold"] = quality_json(report.out_of_fold);
  return json;
}

}  // namespace

FitReport make_fit_report(const LabelledScores& data, const DecisionFitOptions& options,
                          const CrossValidation& validation, std::span<const int> server) {
  require_fittable(options, data.kind());
  require_both_outcomes(data);
  FitReport report{.images = data.size(),
                   .left_out = data.size() - data.usable().size(),
                   .right = data.right(),
                   .classes = data.scores().columns,
                   .kind = data.kind(),
                   .options = options,
                   .validation = validation,
                   .fit = fit_decision(data, data.usable(), options)};
  report.in_sample = quality_of(data, judge_all(data, report.fit), server);
  report.out_of_fold = quality_of(data, cross_fit(data, options, validation), server);
  const bool gives_probability = options.rule == Rule::kLogistic || options.rule == Rule::kTop1;
  if (options.calibration != Calibration::kNone && gives_probability) {
    DecisionFitOptions plain = options;
    plain.calibration = Calibration::kNone;
    report.uncalibrated = quality_of(data, cross_fit(data, plain, validation), server);
  }
  add_warnings(report);
  return report;
}

std::vector<Coefficient> coefficients_of(const FitReport& report) {
  if (!report.fit.logistic) return {};
  const LogisticFit& fit = *report.fit.logistic;
  std::vector<Coefficient> coefficients{
      {.name = "intercept", .value = fit.intercept, .error = fit.intercept_error}};
  for (std::size_t i = 0; i < fit.weights.size(); ++i) {
    coefficients.push_back({.name = std::string(name_of(report.options.features[i])),
                            .value = fit.weights[i],
                            .error = fit.weight_errors[i]});
  }
  return coefficients;
}

ordered_json fit_json(const FitReport& report) {
  ordered_json json = summary(report);
  json["in_sample"] = quality_json(report.in_sample);
  if (report.uncalibrated) json["uncalibrated"] = quality_json(*report.uncalibrated);
  json["reliability"] = bins_json(report.out_of_fold.bins);
  json["warnings"] = report.warnings;
  return json;
}

nlohmann::json fit_summary_json(const FitReport& report) {
  return nlohmann::json(summary(report));
}

}  // namespace hedge
