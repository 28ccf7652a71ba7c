// SPDX-License-Identifier: Apache-2.0
#include "hi/fit/logistic_fit.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "base/file.h"
#include "hedge/error.h"

namespace hedge {
namespace {

struct Data {
  std::vector<double> values;
  std::vector<Outcome> outcomes;
  std::vector<std::string> names;
  [[nodiscard]] Samples samples() const { return {values, outcomes, names}; }
};

std::string refusal(const Data& data, double l2) {
  try {
    (void)fit_logistic(data.samples(), {.l2 = l2});
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kBadInput);
    return error.what();
  }
  return "";
}

/// Two features that hang together, as top1 and top2 do.
Data random_data(std::uint64_t seed, int count) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> uniform(0, 1);
  Data data{.values = {}, .outcomes = {}, .names = {"top1", "top2"}};
  for (int i = 0; i < count; ++i) {
    const double top1 = 0.3 + 0.7 * uniform(random);
    const double top2 = (1 - top1) * uniform(random);
    data.values.insert(data.values.end(), {top1, top2});
    const double p = 1 / (1 + std::exp(-(-2 + 5 * top1 - 3 * top2)));
    data.outcomes.push_back(uniform(random) < p ? 1 : 0);
  }
  return data;
}

TEST(LogisticFitGoldens, AgreeWithScikitLearn) {
  const auto goldens = nlohmann::json::parse(
      read_text_file(HEDGE_SOURCE_DIR "/tests/hi/fit_goldens.json"))["regressions"];
  ASSERT_EQ(goldens.size(), 4U);
  for (const auto& golden : goldens) {
    Data data{golden["values"].get<std::vector<double>>(),
              golden["outcomes"].get<std::vector<Outcome>>(),
              {}};
    for (int i = 0; i < golden["features"]; ++i) data.names.push_back("x" + std::to_string(i));
    for (const auto& expected : golden["fits"]) {
      const std::string what = golden["name"].dump() + ", l2 " + expected["l2"].dump();
      const LogisticFit fit = fit_logistic(data.samples(), {.l2 = expected["l2"]});
      // To 1e-6, of large coefficients relative.
      const auto near = [&](double value, const nlohmann::json& other) {
        const double golden_value = other;
        EXPECT_NEAR(value, golden_value, 1e-6 * std::max(1.0, std::abs(golden_value))) << what;
      };
      near(fit.intercept, expected["intercept"]);
      ASSERT_EQ(fit.weights.size(), data.names.size());
      for (std::size_t i = 0; i < fit.weights.size(); ++i)
        near(fit.weights[i], expected["weights"][i]);
      EXPECT_TRUE(fit.warnings.empty()) << what;
      EXPECT_LT(fit.iterations, 15) << what;
      if (!expected.contains("intercept_error")) continue;
      near(fit.intercept_error, expected["intercept_error"]);
      for (std::size_t i = 0; i < fit.weights.size(); ++i) {
        near(fit.weight_errors[i], expected["weight_errors"][i]);
      }
    }
  }
}

/// The gradient of the objective as it is written, in long doubles, at what is said to be the
/// minimum.
TEST(LogisticFit, GradientIsZero) {
  for (const double l2 : {0.0, 0.5, 20.0}) {
    const Data data = random_data(4, 3000);
    const LogisticFit fit = fit_logistic(data.samples(), {.l2 = l2});
    long double intercept = 0;
    long double first = static_cast<long double>(l2) * fit.weights[0];
    long double second = static_cast<long double>(l2) * fit.weights[1];
    for (std::size_t i = 0; i < data.outcomes.size(); ++i) {
      const long double x0 = data.values[2 * i];
      const long double x1 = data.values[2 * i + 1];
      const long double logit = fit.intercept + fit.weights[0] * x0 + fit.weights[1] * x1;
      const long double residual = 1 / (1 + std::exp(-logit)) - data.outcomes[i];
      intercept += residual;
      first += residual * x0;
      second += residual * x1;
    }
    EXPECT_NEAR(static_cast<double>(intercept), 0, 1e-9);
    EXPECT_NEAR(static_cast<double>(first), 0, 1e-9);
    EXPECT_NEAR(static_cast<double>(second), 0, 1e-9);
  }
}

/// Intervals of 95 % hold the true coefficients in about 95 % of the sets.
TEST(LogisticFit, StandardErrorsCover) {
  constexpr int kSets = 400;
  int covered = 0;
  for (int set = 0; set < kSets; ++set) {
    const Data data = random_data(1000 + static_cast<std::uint64_t>(set), 600);
    const LogisticFit fit = fit_logistic(data.samples(), {.l2 = 0});
    covered += std::abs(fit.weights[0] - 5) < 1.959964 * fit.weight_errors[0] ? 1 : 0;
  }
  EXPECT_GT(covered, 0.92 * kSets);
  EXPECT_LT(covered, 0.98 * kSets);
}

TEST(LogisticFit, FeaturesFarFromZeroAreNoTrouble) {
  Data data = random_data(9, 500);
  const LogisticFit plain = fit_logistic(data.samples(), {.l2 = 1});
  for (double& value : data.values) value += 1e5;  // The penalty does not see it.
  const LogisticFit far = fit_logistic(data.samples(), {.l2 = 1});
  EXPECT_NEAR(far.weights[0], plain.weights[0], 1e-7);
  EXPECT_NEAR(far.weights[1], plain.weights[1], 1e-7);
  EXPECT_NEAR(far.intercept + 1e5 * (far.weights[0] + far.weights[1]), plain.intercept, 1e-4);
}

TEST(LogisticFit, PerfectSeparationIsExplained) {
  const Data apart{{0.1, 0.2, 0.3, 0.7, 0.8, 0.9}, {0, 0, 0, 1, 1, 1}, {"top1"}};
  EXPECT_NE(refusal(apart, 0).find("separate"), std::string::npos);
  const LogisticFit fit = fit_logistic(apart.samples(), {.l2 = 1});
  ASSERT_EQ(fit.warnings.size(), 1U);
  EXPECT_NE(fit.warnings[0].find("separate"), std::string::npos);
  EXPECT_TRUE(std::isfinite(fit.weights[0]));
  // But for a tie: Albert and Anderson's quasi-complete separation.
  const Data tie{{0.1, 0.2, 0.5, 0.5, 0.8, 0.9}, {0, 0, 0, 1, 1, 1}, {"top1"}};
  EXPECT_NE(refusal(tie, 0).find("separate"), std::string::npos);
}

TEST(LogisticFit, SeparationBySomeOfTheSamplesIsFoundToo) {
  // Where x is 1 all are right, where it is 0 both occur; y is a feature that says little.
  std::mt19937_64 random(3);
  Data data{{}, {}, {"x", "y"}};
  for (int i = 0; i < 200; ++i) {
    const bool x = i % 2 == 0;
    data.values.insert(data.values.end(),
                       {x ? 1.0 : 0.0, static_cast<double>(random() % 1000) / 1000});
    data.outcomes.push_back(x || i % 3 == 0 ? 1 : 0);
  }
  EXPECT_NE(refusal(data, 0).find("separate"), std::string::npos);
  EXPECT_TRUE(std::isfinite(fit_logistic(data.samples(), {.l2 = 1}).weights[0]));
}

TEST(LogisticFit, SeparationByANarrowGapIsSaidUnderAPenalty) {
  std::mt19937_64 random(5);
  Data data{{}, {}, {"top1", "other"}};
  for (int i = 0; i < 300; ++i) {
    const double top1 = static_cast<double>(random() % 10'000) / 10'000;
    data.values.insert(data.values.end(), {top1, static_cast<double>(random() % 100) / 100});
    data.outcomes.push_back(top1 > 0.5 ? 1 : 0);
  }
  for (const double l2 : {1.0, 1e-2, 1e-6}) {
    const LogisticFit fit = fit_logistic(data.samples(), {.l2 = l2});
    ASSERT_EQ(fit.warnings.size(), 1U) << l2;
    EXPECT_NE(fit.warnings[0].find("separate"), std::string::npos);
  }
  data.outcomes[0] = 1 - data.outcomes[0];
  data.outcomes[1] = 1 - data.outcomes[1];
  EXPECT_TRUE(fit_logistic(data.samples(), {.l2 = 1}).warnings.empty());
}

TEST(LogisticFit, OneClassAloneIsRefusedPenaltyOrNot) {
  for (const Outcome outcome : {Outcome{0}, Outcome{1}}) {
    const Data data{{0.1, 0.2, 0.3}, std::vector<Outcome>(3, outcome), {"top1"}};
    for (const double l2 : {0.0, 1.0}) {
      EXPECT_NE(refusal(data, l2).find("nothing to tell apart"), std::string::npos);
    }
  }
  EXPECT_NE(refusal({{}, {}, {"top1"}}, 1).find("no samples"), std::string::npos);
}

TEST(LogisticFit, DependentFeaturesAreNamed) {
  Data data = random_data(5, 300);
  Data with_margin{{}, data.outcomes, {"top1", "top2", "margin"}};
  for (std::size_t i = 0; i < data.outcomes.size(); ++i) {
    const double top1 = data.values[2 * i];
    const double top2 = data.values[2 * i + 1];
    with_margin.values.insert(with_margin.values.end(), {top1, top2, top1 - top2});
  }
  EXPECT_NE(refusal(with_margin, 0).find("top1, top2 and margin hang together"), std::string::npos);
  const LogisticFit fit = fit_logistic(with_margin.samples(), {.l2 = 1});
  ASSERT_EQ(fit.warnings.size(), 1U);
  EXPECT_NE(fit.warnings[0].find("top1, top2 and margin"), std::string::npos);
  // The penalty leaves nothing along top1 - top2 - margin, which is 0 in each sample.
  EXPECT_NEAR(fit.weights[0] - fit.weights[1] - fit.weights[2], 0, 1e-9);

  Data constant{{}, data.outcomes, {"top1", "energy"}};
  for (std::size_t i = 0; i < data.outcomes.size(); ++i) {
    constant.values.insert(constant.values.end(), {data.values[2 * i], 0.1});
  }
  EXPECT_NE(refusal(constant, 0).find("energy is the same"), std::string::npos);
  EXPECT_NEAR(fit_logistic(constant.samples(), {.l2 = 1}).weights[1], 0, 1e-12);
}

TEST(LogisticFit, BadInputIsRefused) {
  const Data data = random_data(6, 50);
  EXPECT_NE(refusal(data, -1).find("L2"), std::string::npos);
  EXPECT_NE(refusal(data, std::numeric_limits<double>::infinity()).find("L2"), std::string::npos);
  Data bad = data;
  bad.values[7] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_NE(refusal(bad, 1).find("feature top2 of sample 3"), std::string::npos);
  bad = data;
  bad.values.pop_back();
  EXPECT_NE(refusal(bad, 1).find("values"), std::string::npos);
}

TEST(LogisticFit, WithoutFeaturesItIsTheBaseRate) {
  const Data data{{}, {1, 1, 1, 0}, {}};
  const LogisticFit fit = fit_logistic(data.samples(), {});
  EXPECT_NEAR(fit.intercept, std::log(3), 1e-12);
  EXPECT_NEAR(fit.intercept_error, 1 / std::sqrt(4 * 0.75 * 0.25), 1e-12);
}

}  // namespace
}  // namespace hedge
