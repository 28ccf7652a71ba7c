// SPDX-License-Identifier: Apache-2.0
// What NumPy and SciPy make of the same, where they have the same definition
// (tools/make_statistics_goldens.py).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/file.h"
#include "stats/intervals.h"
#include "stats/summary.h"

namespace hedge {
namespace {

constexpr double kTolerance = 1e-9;  // Relative.

const nlohmann::json& goldens() {
  static const nlohmann::json json =
      nlohmann::json::parse(read_text_file(HEDGE_SOURCE_DIR "/tests/stats/goldens.json"));
  return json;
}

void expect_near(double value, double golden, const std::string& what) {
  EXPECT_NEAR(value, golden, kTolerance * std::abs(golden)) << what;
}

TEST(StatisticsGoldens, Samples) {
  ASSERT_EQ(goldens()["samples"].size(), 4U);
  for (const auto& golden : goldens()["samples"]) {
    const auto ns = golden["ns"].get<std::vector<std::int64_t>>();
    const std::string what = std::to_string(ns.size()) + " samples";
    const Summary summary = summarize(ns);
    expect_near(summary.mean_ns, golden["mean"], what);
    expect_near(summary.stddev_ns.value(), golden["stddev"], what);
    expect_near(summary.coefficient_of_variation.value(), golden["variation"], what);
    auto sorted = ns;
    std::sort(sorted.begin(), sorted.end());
    for (const auto& [percent, value] : golden["percentiles"].items()) {
      EXPECT_EQ(percentile(sorted, std::stod(percent)), value.get<std::int64_t>())
          << percent << " % of " << what;
    }
    for (const auto& [confidence, ends] : golden["student"].items()) {
      const auto interval =
          mean_interval(summary.mean_ns, *summary.stddev_ns, ns.size(), std::stod(confidence));
      ASSERT_TRUE(interval);
      expect_near(interval->lower, ends[0], what);
      expect_near(interval->upper, ends[1], what);
    }
  }
}

TEST(StatisticsGoldens, Quantiles) {
  ASSERT_EQ(goldens()["quantiles"].size(), 10U);
  for (const auto& golden : goldens()["quantiles"]) {
    const double quantile = golden["quantile"];
    const double confidence = golden["confidence"];
    EXPECT_EQ(fewest_samples(quantile, confidence), golden["fewest"].get<std::size_t>())
        << quantile << " at " << confidence;
    EXPECT_EQ(fewest_samples_for_upper(quantile, confidence),
              golden["fewest_upper"].get<std::size_t>())
        << quantile << " at " << confidence;
    for (const auto& entry : golden["ranks"]) {
      const auto ranks = quantile_ranks(entry[0], quantile, confidence);
      ASSERT_EQ(ranks.has_value(), !entry[1].is_null()) << quantile << " of " << entry[0];
      if (!ranks) continue;
      EXPECT_EQ(ranks->lower, entry[1][0].get<std::size_t>()) << quantile << " of " << entry[0];
      EXPECT_EQ(ranks->upper, entry[1][1].get<std::size_t>()) << quantile << " of " << entry[0];
    }
    for (const auto& entry : golden["upper_ranks"]) {
      const auto rank = quantile_upper_rank(entry[0], quantile, confidence);
      ASSERT_EQ(rank.has_value(), !entry[1].is_null()) << quantile << " of " << entry[0];
      if (!rank) continue;
      EXPECT_EQ(*rank, entry[1].get<std::size_t>()) << quantile << " of " << entry[0];
    }
  }
}

}  // namespace
}  // namespace hedge
