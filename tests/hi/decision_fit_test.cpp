// SPDX-License-Identifier: Apache-2.0
// From recorded scores to a decision, folds and figures among it.
#include "hi/fit/decision_fit.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "hedge/error.h"
#include "hi/decide/decision_file.h"
#include "hi/fit/cross_fit.h"
#include "hi/fit/fit_report.h"
#include "hi/fit/folds.h"

namespace hedge {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

struct Recorded {
  RecordedScores scores{};
  std::vector<int> labels{};
  [[nodiscard]] LabelledScores data() const { return {scores, ScoreKind::kLogits, labels}; }
};

/// Logits whose class is right the more often, the larger it is.
Recorded record(std::uint64_t seed, int images, std::size_t classes = 4) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal(0, 1);
  Recorded recorded{.scores = {.values = {}, .columns = classes}, .labels = {}};
  for (int image = 0; image < images; ++image) {
    std::vector<double> weights;
    for (std::size_t i = 0; i < classes; ++i) {
      const float logit = normal(random) * 2;
      recorded.scores.values.push_back(logit * 1.7F);
      weights.push_back(std::exp(static_cast<double>(logit)));
    }
    recorded.labels.push_back(
        std::discrete_distribution<int>(weights.begin(), weights.end())(random));
  }
  return recorded;
}

std::string refusal(const LabelledScores& data, const DecisionFitOptions& options, int folds = 5) {
  try {
    (void)make_fit_report(data, options, {.folds = folds, .seed = 1}, {});
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kBadInput);
    return error.what();
  }
  return "";
}

TEST(StratifiedFolds, DealBothOutcomesEvenly) {
  std::vector<Outcome> outcomes(103, 1);
  for (std::size_t i = 0; i < 23; ++i) outcomes[i * 4] = 0;
  const std::vector<int> folds = stratified_folds(outcomes, 5, 7);
  std::vector<int> all(5);
  std::vector<int> without(5);
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    ++all.at(static_cast<std::size_t>(folds[i]));
    if (outcomes[i] == 0) ++without.at(static_cast<std::size_t>(folds[i]));
  }
  for (std::size_t fold = 0; fold < 5; ++fold) {
    EXPECT_TRUE(all[fold] == 20 || all[fold] == 21) << all[fold];
    EXPECT_TRUE(without[fold] == 4 || without[fold] == 5) << without[fold];
  }
  EXPECT_EQ(folds, stratified_folds(outcomes, 5, 7));
  EXPECT_NE(folds, stratified_folds(outcomes, 5, 8));
}

TEST(StratifiedFolds, RefuseWhatCannotBeDealt) {
  const std::vector<Outcome> few{0, 1, 0, 1};
  EXPECT_THROW((void)stratified_folds(few, 5, 1), Error);
  EXPECT_THROW((void)stratified_folds(few, 1, 1), Error);
  EXPECT_NO_THROW((void)stratified_folds(few, 4, 1));
  const std::vector<Outcome> lonely{0, 1, 1, 1, 1, 1};
  EXPECT_THROW((void)stratified_folds(lonely, 2, 1), Error);
}

TEST(DecisionFit, KeepsExactlyWhereTheProbabilityReachesTheThreshold) {
  const Recorded recorded = record(1, 2000);
  const LabelledScores data = recorded.data();
  for (const Calibration calibration :
       {Calibration::kNone, Calibration::kTemperature, Calibration::kIsotonic}) {
    for (const Rule rule : score_rules()) {
      const bool probability = rule == Rule::kLogistic || rule == Rule::kTop1;
      if (!probability && calibration != Calibration::kIsotonic) continue;
      const DecisionFitOptions options{.rule = rule, .threshold = 0.6, .calibration = calibration};
      const DecisionFit fit = fit_decision(data, data.usable(), options);
      EXPECT_EQ(fit.decision.rule, rule);
      int kept = 0;
      for (const std::size_t image : data.usable()) {
        const ScoreFeatures features = data.features(image, fit.decision.temperature);
        const double p = fit.probability(features);
        ASSERT_EQ(fit.decision.keep(features), p >= 0.6)
            << name_of(rule) << ", " << name_of(calibration) << ": " << p;
        kept += p >= 0.6 ? 1 : 0;
      }
      EXPECT_GT(kept, 200) << name_of(rule);
      EXPECT_LT(kept, 1800) << name_of(rule);
    }
  }
}

TEST(DecisionFit, WhatTheFileHoldsDecidesAlike) {
  const Recorded recorded = record(2, 1000);
  const LabelledScores data = recorded.data();
  const FitReport report =
      make_fit_report(data,
                      {.features = {Feature::kTop1, Feature::kEntropy, Feature::kEnergy},
                       .calibration = Calibration::kTemperature},
                      {}, {});
  const DecisionFile file{.decision = report.fit.decision,
                          .classes = 4,
                          .model = "net",
                          .origin = "test",
                          .fit = fit_summary_json(report)};
  const DecisionFile back = decision_from_text(decision_to_text(file), "decision.json");
  EXPECT_EQ(back.decision, report.fit.decision);
  EXPECT_GT(back.decision.temperature, 1.3);  // The logits were multiplied by 1.7.
  EXPECT_EQ(back.fit["coefficients"].size(), 4U);
  EXPECT_EQ(back.fit["temperature"]["value"], back.decision.temperature);
}

TEST(DecisionFit, IsotonicMapThatNeverReachesTheThresholdOffloadsAll) {
  // The surer, the wronger: no rising function is better than the share of right answers, 4 of 10.
  Recorded recorded{.scores = {.values = {}, .columns = 2}, .labels = {}};
  for (int image = 0; image < 10; ++image) {
    recorded.scores.values.insert(recorded.scores.values.end(), {static_cast<float>(image) + 1, 0});
    recorded.labels.push_back(image < 4 ? 0 : 1);
  }
  const LabelledScores data = recorded.data();
  DecisionFitOptions options{.rule = Rule::kMargin, .calibration = Calibration::kIsotonic};
  EXPECT_EQ(fit_decision(data, data.usable(), options).decision.rule, Rule::kAlways);
  options.threshold = 0.3;
  const DecisionFit fit = fit_decision(data, data.usable(), options);
  EXPECT_EQ(fit.decision.rule, Rule::kNever);
  EXPECT_DOUBLE_EQ(fit.probability(data.features(0, 1)), 0.4);
  const FitReport report = make_fit_report(data, options, {.folds = 2}, {});
  ASSERT_EQ(report.warnings.size(), 1U);
  EXPECT_NE(report.warnings[0].find("`never`"), std::string::npos);
}

TEST(CrossFit, NoImageIsJudgedByAFitThatSawIt) {
  const Recorded recorded = record(5, 60);
  const LabelledScores data = recorded.data();
  const DecisionFitOptions options;
  const CrossValidation validation{.folds = 6, .seed = 3};
  const Verdicts verdicts = cross_fit(data, options, validation);
  const std::vector<int> folds = stratified_folds(data.outcomes(), 6, 3);
  for (std::size_t image = 0; image < data.size(); ++image) {
    std::vector<std::size_t> others;
    for (std::size_t i = 0; i < data.size(); ++i) {
      if (folds[i] != folds[image]) others.push_back(i);
    }
    const DecisionFit fit = fit_decision(data, others, options);
    EXPECT_EQ(verdicts.probabilities[image], fit.probability(data.features(image, 1)));
  }
}

/// On scores that say nothing, only figures in sample look better than chance.
TEST(CrossFit, OutOfFoldFiguresDoNotFlatter) {
  Recorded recorded = record(6, 200);
  std::mt19937_64 random(2);
  for (int& label : recorded.labels) label = static_cast<int>(random() % 4);
  const LabelledScores data = recorded.data();
  const FitReport report =
      make_fit_report(data, {.rule = Rule::kMargin, .calibration = Calibration::kIsotonic}, {}, {});
  EXPECT_GT(report.in_sample.auc.value(), 0.52);
  EXPECT_LT(report.out_of_fold.auc.value(), report.in_sample.auc.value());
  EXPECT_LT(report.in_sample.brier, report.out_of_fold.brier);
  EXPECT_LT(report.in_sample.ece, 1e-12);
  EXPECT_GT(report.out_of_fold.ece, 0.01);
}

TEST(QualityOf, CountsByHand) {
  Recorded recorded;
  recorded.scores.values = std::vector<float>{3, 0, 3, 0, 0, 3, 0, 3, kNan, 1};
  recorded.scores.columns = 2;
  recorded.labels = {0, 1, 1, 0, 1};
  const LabelledScores data = recorded.data();
  EXPECT_EQ(data.usable().size(), 4U);
  EXPECT_EQ(data.right(), 3);  // The class of the last is all that is left of it.
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Verdicts verdicts{.probabilities = {0.9, 0.8, 0.4, 0.3, nan},
                          .kept = {true, true, false, false, false}};
  const std::vector<int> server{1, 1, 1, 1, 0};
  const DecisionQuality quality = quality_of(data, verdicts, server);
  EXPECT_EQ(quality.kept_right, 1);
  EXPECT_EQ(quality.kept_wrong, 1);
  EXPECT_EQ(quality.offloaded_right, 2);
  EXPECT_EQ(quality.offloaded_wrong, 1);
  EXPECT_DOUBLE_EQ(quality.accuracy(), 0.4);
  EXPECT_DOUBLE_EQ(quality.offload_share(), 0.6);
  EXPECT_EQ(quality.server_right, 2);
  EXPECT_EQ(quality.hi_right, 2);  // Kept and right, and the server on the third.
  EXPECT_DOUBLE_EQ(quality.auc.value(), 0.75);
  EXPECT_DOUBLE_EQ(quality.brier, (0.01 + 0.64 + 0.36 + 0.09) / 4);
  const std::vector<int> too_few{1};
  EXPECT_THROW((void)quality_of(data, verdicts, too_few), Error);
}

TEST(FitReport, ImagesWithoutScoresAreLeftOutAndOffloaded) {
  Recorded recorded = record(7, 300);
  const LabelledScores data = recorded.data();
  const FitReport clean = make_fit_report(data, {}, {}, {});
  recorded.scores.values.insert(
      recorded.scores.values.end(),
      {kNan, kNan, kNan, 1, 1, 2, 3, std::numeric_limits<float>::infinity()});
  recorded.labels.insert(recorded.labels.end(), {0, 0});
  const LabelledScores with = recorded.data();
  const FitReport report = make_fit_report(with, {}, {}, {});
  EXPECT_EQ(report.left_out, 2U);
  ASSERT_EQ(report.warnings.size(), 1U);
  EXPECT_EQ(report.fit.decision, clean.fit.decision);
  EXPECT_EQ(report.out_of_fold.auc, clean.out_of_fold.auc);
  EXPECT_EQ(report.out_of_fold.offloaded_wrong, clean.out_of_fold.offloaded_wrong + 2);
}

TEST(FitReport, WithoutCalibrationIsTheSameFitUncalibrated) {
  const Recorded recorded = record(8, 600);
  const LabelledScores data = recorded.data();
  const FitReport plain = make_fit_report(data, {}, {}, {});
  EXPECT_FALSE(plain.uncalibrated);
  const FitReport isotonic = make_fit_report(data, {.calibration = Calibration::kIsotonic}, {}, {});
  ASSERT_TRUE(isotonic.uncalibrated);
  EXPECT_EQ(isotonic.uncalibrated->brier, plain.out_of_fold.brier);
  // The order of the images within a fold stays, ties aside.
  EXPECT_NEAR(isotonic.out_of_fold.auc.value(), plain.out_of_fold.auc.value(), 0.03);
  EXPECT_FALSE(
      make_fit_report(data, {.rule = Rule::kMargin, .calibration = Calibration::kIsotonic}, {}, {})
          .uncalibrated);
}

TEST(FitReport, WhatCannotBeFittedIsExplained) {
  const Recorded recorded = record(9, 100);
  const LabelledScores data = recorded.data();
  const auto says = [](const std::string& message, const char* words) {
    return message.find(words) != std::string::npos;
  };
  EXPECT_TRUE(says(refusal(data, {}, 101), "--folds=100"));
  EXPECT_TRUE(says(refusal(data, {.rule = Rule::kEntropy}), "--calibration=isotonic"));
  EXPECT_TRUE(says(refusal(data, {.rule = Rule::kOracle}), "nothing to fit"));
  EXPECT_TRUE(says(refusal(data, {.threshold = 0}), "--threshold"));
  EXPECT_TRUE(says(refusal(data, {.features = {}}), "--features"));
  EXPECT_TRUE(says(refusal(data, {.features = {Feature::kTop1, Feature::kTop1}}), "twice"));

  Recorded other = recorded;
  for (std::size_t i = 0; i < other.labels.size(); ++i) {
    other.labels[i] = data.features(i, 1).predicted;
  }
  EXPECT_TRUE(says(refusal(other.data(), {}), "all 100 local answers are right"));
  other.labels[4] = (other.labels[4] + 1) % 4;
  EXPECT_TRUE(says(refusal(other.data(), {}), "at least 2 of each"));
  for (int& label : other.labels) label = (label + 1) % 4;
  other.labels[4] = (data.features(4, 1).predicted + 1) % 4;
  EXPECT_TRUE(says(refusal(other.data(), {}), "are wrong"));

  const RecordedScores softmax{.values = {0.5F, 0.5F, 0.25F, 0.75F}, .columns = 2};
  const LabelledScores probabilities(softmax, ScoreKind::kSoftmax, {0, 0});
  EXPECT_TRUE(says(refusal(probabilities, {.features = {Feature::kEnergy}}), "energy: needs"));
  EXPECT_THROW(LabelledScores(softmax, ScoreKind::kSoftmax, {0}), Error);
  EXPECT_THROW(LabelledScores(softmax, ScoreKind::kSoftmax, {0, 2}), Error);
  EXPECT_THROW((void)calibration_named("platt"), Error);
  const RecordedScores empty{.values = {kNan, kNan}, .columns = 2};
  EXPECT_TRUE(says(refusal(LabelledScores(empty, ScoreKind::kLogits, {0}), {}), "none of the 1"));
}

}  // namespace
}  // namespace hedge
