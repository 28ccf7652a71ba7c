// SPDX-License-Identifier: Apache-2.0
#include "hi/simulate/outcome.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "hedge/error.h"
#include "hi/simulate/per_sample_file.h"
#include "stats/intervals.h"
#include "stats/mcnemar.h"

namespace hedge {
namespace {

struct Images {
  std::vector<int> labels;
  std::vector<int> local;
  std::vector<int> server;
  std::vector<std::uint8_t> kept;
  void add(int label, int l, int s, bool keep) {
    labels.push_back(label);
    local.push_back(l);
    server.push_back(s);
    kept.push_back(keep ? 1 : 0);
  }
  [[nodiscard]] HiAnswers answers() const { return {labels, local, server, kept}; }
};

TEST(HiOutcome, EachKindOfImageInItsCell) {
  Images images;
  // So many of each: kept or not, local right or not, server right or not.
  const auto add = [&](int count, bool keep, bool local, bool server) {
    for (int i = 0; i < count; ++i) images.add(5, local ? 5 : 2, server ? 5 : 3, keep);
  };
  add(1, true, true, true);
  add(2, true, true, false);
  add(3, true, false, true);
  add(4, true, false, false);
  add(5, false, true, true);
  add(6, false, true, false);
  add(7, false, false, true);
  add(8, false, false, false);
  const HiResult hi = hi_outcome(images.answers());
  EXPECT_EQ(hi.images, 36);
  EXPECT_EQ(hi.offloads, 26);
  EXPECT_EQ(hi.correct, 1 + 2 + 5 + 7);
  EXPECT_DOUBLE_EQ(*hi.offload_fraction, 26.0 / 36);
  EXPECT_DOUBLE_EQ(*hi.accuracy, 15.0 / 36);
  EXPECT_DOUBLE_EQ(*hi.accuracy_local, 14.0 / 36);
  EXPECT_DOUBLE_EQ(*hi.accuracy_server, 16.0 / 36);
  EXPECT_EQ(hi.confusion, (ConfusionResult{3, 7, 11, 15, 12, 14, 7, 6}));
  EXPECT_EQ(hi.against_local->only_hi_right, 7);
  EXPECT_EQ(hi.against_local->only_other_right, 6);
  EXPECT_DOUBLE_EQ(*hi.against_local->difference, 1.0 / 36);
  EXPECT_EQ(*hi.against_local->p_value, mcnemar_p_value(7, 6));
  EXPECT_EQ(hi.against_server->only_hi_right, 2);
  EXPECT_EQ(hi.against_server->only_other_right, 3);
  EXPECT_DOUBLE_EQ(*hi.against_server->difference, -1.0 / 36);
  const Interval wilson = wilson_interval(15, 36);
  EXPECT_EQ(*hi.accuracy_ci95, (Range{wilson.lower, wilson.upper}));
  EXPECT_LT((*hi.offload_fraction_ci95)[0], *hi.offload_fraction);
}

TEST(HiOutcome, SumsHoldOnRandomImages) {
  std::mt19937 random(3);
  Images images;
  std::int64_t right = 0;
  for (int i = 0; i < 500; ++i) {
    const auto draw = [&] { return static_cast<int>(random() % 3); };
    images.add(draw(), draw(), draw(), random() % 2 == 0);
    right +=
        final_answer(images.answers(), images.labels.size() - 1) == images.labels.back() ? 1 : 0;
  }
  const HiResult hi = hi_outcome(images.answers());
  const ConfusionResult& c = hi.confusion;
  EXPECT_EQ(hi.correct, right);
  EXPECT_EQ(*c.kept_right + *c.offloaded_server_right, right);
  EXPECT_EQ(*c.kept_right + *c.kept_wrong + *c.offloaded_right + *c.offloaded_wrong, 500);
  EXPECT_EQ(*c.offloaded_right + *c.offloaded_wrong, *hi.offloads);
  EXPECT_EQ(*c.offloaded_server_right + *c.offloaded_server_wrong, *hi.offloads);
  EXPECT_NEAR(*hi.against_local->difference, *hi.accuracy - *hi.accuracy_local, 1e-12);
  EXPECT_NEAR(*hi.against_server->difference, *hi.accuracy - *hi.accuracy_server, 1e-12);
}

TEST(HiOutcome, BoundsAndEmpty) {
  Images images;
  images.add(1, 1, 2, true);
  images.add(1, 2, 1, true);
  images.add(1, 2, 2, true);
  EXPECT_EQ(*hi_outcome(images.answers()).accuracy, *hi_outcome(images.answers()).accuracy_local);
  images.kept.assign(3, 0);
  EXPECT_EQ(*hi_outcome(images.answers()).accuracy, *hi_outcome(images.answers()).accuracy_server);
  for (std::size_t i = 0; i < 3; ++i) {
    images.kept[i] = oracle_offloads(images.labels[i], images.local[i], images.server[i]) ? 0 : 1;
  }
  const HiResult oracle = hi_outcome(images.answers());
  EXPECT_EQ(oracle.correct, 2);
  EXPECT_EQ(oracle.offloads, 1);
  const HiResult none = hi_outcome({});
  EXPECT_EQ(none.images, 0);
  EXPECT_FALSE(none.accuracy || none.accuracy_ci95 || none.against_local);
  images.server.pop_back();
  EXPECT_THROW((void)hi_outcome(images.answers()), Error);
}

TEST(HiOutcome, NoClassIsNeverRight) {
  Images images;
  images.add(-1, -1, -1, true);
  images.add(-1, -1, -1, false);
  EXPECT_EQ(hi_outcome(images.answers()).correct, 0);
}

TEST(HiOutcome, DescribesDecisions) {
  HiResult hi;
  describe_decision(logistic_decision(-4, 5, -3), hi);
  EXPECT_EQ(hi.decision, "logistic regression on top1 and top2");
  EXPECT_EQ(hi.parameters, (std::vector<double>{-4, 5, -3}));
  EXPECT_EQ(hi.threshold, 0.5);
  EXPECT_FALSE(hi.temperature);
  describe_decision({.rule = Rule::kTop1, .threshold = 0.9, .temperature = 2}, hi);
  EXPECT_EQ(hi.decision, "top1");
  EXPECT_TRUE(hi.parameters.empty());
  EXPECT_EQ(hi.temperature, 2);
  HiResult random;
  describe_decision({.rule = Rule::kRandom, .share = 0.25}, random);
  EXPECT_EQ(random.parameters, std::vector<double>{0.25});
  EXPECT_FALSE(random.threshold);
}

TEST(PerSampleFile, Golden) {
  Images images;
  images.add(3, 3, 4, true);
  images.add(3, 2, 3, false);
  images.add(3, -1, 5, false);
  std::vector<ScoreFeatures> features(3);
  features[0].top1 = 0.75;
  features[0].top2 = 0.125;
  features[1].top1 = 0.5;
  features[1].top2 = 0.1;
  const Decision margin{.rule = Rule::kMargin, .threshold = 0.5};
  EXPECT_EQ(per_sample_text(images.answers(), features, margin),
            "image,label,local,top1,top2,confidence,decision,server,right\n"
            "0,3,3,0.75,0.125,0.625,kept,4,1\n"
            "1,3,2,0.5,0.1,0.4,offloaded,3,1\n"
            "2,3,,,,,offloaded,5,0\n");
}

}  // namespace
}  // namespace hedge
