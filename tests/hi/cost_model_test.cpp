// SPDX-License-Identifier: Apache-2.0
#include "hi/sweep/cost_model.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "hedge/error.h"

namespace hedge {
namespace {

CostModel by_hand() {
  CostModel model;
  model.local_seconds = 2e-3;
  model.local_joules = 5e-3;
  model.decision_seconds = 1e-4;
  model.decision_joules = 1e-4;
  model.upload_bytes = 1000;
  model.answer_bytes = 10;
  model.link = {.up_bits_per_second = 1e6,     // 8 ms
                .down_bits_per_second = 80e3,  // 1 ms
                .round_trip_seconds = 20e-3,
                .send_watts = 2,
                .receive_watts = 1,
                .wait_watts = 0.25,
                .tail_joules = 1e-3};
  model.server_seconds = 4e-3;
  model.idle_watts = 0.5;
  return model;
}

TEST(CostModel, LatencyByHand) {
  const LinearCost latency = latency_of(by_hand());
  EXPECT_DOUBLE_EQ(latency.offload, 8e-3 + 20e-3 + 4e-3 + 1e-3);
  EXPECT_DOUBLE_EQ(latency.at(0), 2.1e-3);
  EXPECT_DOUBLE_EQ(latency.at(0.25), 2.1e-3 + 33e-3 / 4);
  EXPECT_DOUBLE_EQ(latency.at(1), 2.1e-3 + 33e-3);  // The local model ran in vain.
  EXPECT_DOUBLE_EQ(latency.all_local(), 2e-3);
  EXPECT_DOUBLE_EQ(latency.all_server(), 33e-3);
}

TEST(CostModel, EnergyByHand) {
  const auto energy = energy_of(by_hand());
  ASSERT_TRUE(energy);
  const double offload = 8e-3 * (0.5 + 2) + 1e-3 * (0.5 + 1) + 24e-3 * (0.5 + 0.25) + 1e-3;
  EXPECT_DOUBLE_EQ(energy->offload, offload);
  EXPECT_DOUBLE_EQ(energy->at(0.5), 5.1e-3 + offload / 2);
  EXPECT_DOUBLE_EQ(energy->all_local(), 5e-3);
  EXPECT_DOUBLE_EQ(energy->all_server(), offload);
}

TEST(CostModel, EachPartCounts) {
  const CostModel model = by_hand();
  const double seconds = latency_of(model).at(0.5);
  const double joules = energy_of(model)->at(0.5);
  const auto changed = [&](auto&& change) {
    CostModel other = by_hand();
    change(other);
    return std::pair(latency_of(other).at(0.5) > seconds, energy_of(other)->at(0.5) > joules);
  };
  using Both = std::pair<bool, bool>;
  EXPECT_EQ(changed([](CostModel& m) { m.local_seconds = 3e-3; }), Both(true, false));
  EXPECT_EQ(changed([](CostModel& m) { m.local_joules = 6e-3; }), Both(false, true));
  EXPECT_EQ(changed([](CostModel& m) { m.decision_seconds *= 2; }), Both(true, false));
  EXPECT_EQ(changed([](CostModel& m) { m.decision_joules *= 2; }), Both(false, true));
  EXPECT_EQ(changed([](CostModel& m) { m.upload_bytes *= 2; }), Both(true, true));
  EXPECT_EQ(changed([](CostModel& m) { m.answer_bytes *= 2; }), Both(true, true));
  EXPECT_EQ(changed([](CostModel& m) { m.link.up_bits_per_second /= 2; }), Both(true, true));
  EXPECT_EQ(changed([](CostModel& m) { m.link.down_bits_per_second /= 2; }), Both(true, true));
  EXPECT_EQ(changed([](CostModel& m) { m.link.round_trip_seconds *= 2; }), Both(true, true));
  EXPECT_EQ(changed([](CostModel& m) { m.link.send_watts *= 2; }), Both(false, true));
  EXPECT_EQ(changed([](CostModel& m) { m.link.receive_watts *= 2; }), Both(false, true));
  EXPECT_EQ(changed([](CostModel& m) { m.link.wait_watts *= 2; }), Both(false, true));
  EXPECT_EQ(changed([](CostModel& m) { m.link.tail_joules *= 2; }), Both(false, true));
  EXPECT_EQ(changed([](CostModel& m) { m.server_seconds = 5e-3; }), Both(true, true));
  EXPECT_EQ(changed([](CostModel& m) { m.idle_watts = 1; }), Both(false, true));
  EXPECT_EQ(changed([](CostModel& m) { m.server_joules = 1; }), Both(false, true));
}

TEST(CostModel, UnknownIsNotFree) {
  CostModel model = by_hand();
  model.local_joules.reset();
  EXPECT_FALSE(energy_of(model));
  model.local_seconds.reset();
  EXPECT_THROW((void)latency_of(model), Error);
  model = by_hand();
  model.server_seconds.reset();
  EXPECT_THROW((void)latency_of(model), Error);
  EXPECT_THROW((void)energy_of(model), Error);
}

Result measured(std::int64_t batch) {
  Result result = make_result("measurements");
  result.model.name = "resnet8";
  result.model.precision = "fp32";
  result.config.batch = batch;
  LatencyResult latency;
  latency.count = 1000;
  latency.mean = 141.5;
  latency.scope = kScopeInfer;
  result.latency_us = latency;
  EnergyResult energy;
  energy.idle_watts = 2.5;
  energy.mj_per_inference = 0.9;
  energy.mj_per_inference_net = 0.5;
  result.energy = energy;
  return result;
}

TEST(MeasuredCost, TakesMeansOfASingleImage) {
  const std::vector<Result> results{measured(8), measured(1)};
  const MeasuredCost cost = measured_cost(results, "r.json", false);
  EXPECT_DOUBLE_EQ(cost.seconds.value(), 141.5e-6);
  EXPECT_DOUBLE_EQ(cost.joules.value(), 0.9e-3);
  EXPECT_DOUBLE_EQ(cost.idle_watts.value(), 2.5);
  EXPECT_EQ(cost.what, "resnet8 fp32, mean of 1000 inferences (infer)");
}

TEST(MeasuredCost, AboveIdleCountsNoIdlePower) {
  const MeasuredCost cost = measured_cost(std::vector{measured(1)}, "r.json", true);
  EXPECT_DOUBLE_EQ(cost.joules.value(), 0.5e-3);
  EXPECT_FALSE(cost.idle_watts);
}

TEST(MeasuredCost, PassesOnWhyItIsDoubtful) {
  Result result = measured(1);
  EXPECT_EQ(measured_cost(std::vector{result}, "r.json", false).doubt, "");
  result.validity = Validity{.verdict = Verdict::kInvalid, .reasons = {"drifted", "short"}};
  EXPECT_EQ(measured_cost(std::vector{result}, "r.json", false).doubt, "drifted");
  result.validity->verdict = Verdict::kValid;
  EXPECT_EQ(measured_cost(std::vector{result}, "r.json", false).doubt, "");
}

TEST(MeasuredCost, RefusesWhatSaysNothingOfOneImage) {
  EXPECT_THROW((void)measured_cost(std::vector{measured(8)}, "r.json", false), Error);
  Result empty = measured(1);
  empty.latency_us.reset();
  empty.energy.reset();
  EXPECT_THROW((void)measured_cost(std::vector{empty}, "r.json", false), Error);
  Result energy_only = measured(1);
  energy_only.latency_us.reset();
  EXPECT_FALSE(measured_cost(std::vector{energy_only}, "r.json", false).seconds);
}

TEST(NetworkPreset, EachFigureHasItsSource) {
  for (const NetworkPreset& preset : network_presets()) {
    EXPECT_EQ(preset.figures.size(), 7U) << preset.name;  // As many as Link has.
    for (const SourcedFigure& figure : preset.figures) {
      EXPECT_FALSE(figure.source.empty());
      // Figures are overridden one by one, so each source has to stand alone.
      EXPECT_EQ(figure.source.find("the same"), std::string_view::npos);
    }
    EXPECT_GT(preset.link.up_bits_per_second, 0);
    EXPECT_GT(preset.link.down_bits_per_second, 0);
    EXPECT_GT(preset.link.round_trip_seconds, 0);
    EXPECT_EQ(&network_preset(preset.name), &preset);
  }
  try {
    (void)network_preset("wlan");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()),
              "no network 'wlan'; there are wifi, lte, 5g, ble and ethernet");
  }
}

}  // namespace
}  // namespace hedge
