// SPDX-License-Identifier: Apache-2.0
#include "measure/streams.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include "hedge/error.h"

namespace hedge {
namespace {

class FakeContext final : public ExecutionContext {
 public:
  /// Fails at that call; 0: never.
  explicit FakeContext(std::int64_t fails_at = 0) : fails_at_(fails_at) {}
  [[nodiscard]] std::span<float> input() override { return {}; }
  [[nodiscard]] std::size_t output_count() const override { return 0; }
  [[nodiscard]] std::span<const float> output(std::size_t /*index*/) const override { return {}; }
  void infer() override {
    if (++calls == fails_at_) throw std::runtime_error("lost");
  }
  [[nodiscard]] MemoryUse memory() const override { return {}; }

  std::int64_t calls = 0;

 private:
  std::int64_t fails_at_;
};

/// Back to back from `begin` on.
StreamRun back_to_back(std::int64_t begin, std::int64_t each, int count) {
  StreamRun run;
  for (int i = 0; i < count; ++i) {
    run.samples.push_back({begin + i * each, begin + (i + 1) * each});
  }
  return run;
}

TEST(Streams, OnlyTheTimeInWhichAllAreBusyCounts) {
  // From 100 (the second begins) to 1,000 (the first ends).
  const std::vector<StreamRun> runs{back_to_back(0, 50, 20), back_to_back(100, 100, 30)};
  const StreamsSummary summary = summarize(runs);
  EXPECT_EQ(summary.window_ns, 900);
  EXPECT_EQ(summary.counts, (std::vector<std::int64_t>{18, 9}));
  EXPECT_EQ(summary.samples_ns.size(), 27U);
  EXPECT_DOUBLE_EQ(summary.per_second(), 27e9 / 900);
  // In the order in which they ended: 150, 200 and 200, 250, ...
  EXPECT_EQ(std::vector<std::int64_t>(summary.samples_ns.begin(), summary.samples_ns.begin() + 5),
            (std::vector<std::int64_t>{50, 50, 100, 50, 50}));
}

TEST(Streams, OneStreamIsItsLoop) {
  const std::vector<StreamRun> runs{back_to_back(7, 10, 100)};
  const StreamsSummary summary = summarize(runs);
  EXPECT_EQ(summary.window_ns, 1000);
  EXPECT_DOUBLE_EQ(summary.per_second(), 1e8);
}

TEST(Streams, WithoutATimeTogetherThereIsNoFigure) {
  EXPECT_THROW((void)summarize(std::vector<StreamRun>{}), Error);
  EXPECT_THROW((void)summarize(std::vector<StreamRun>{back_to_back(0, 1, 9), {}}), Error);
  EXPECT_THROW(
      (void)summarize(std::vector<StreamRun>{back_to_back(0, 1, 9), back_to_back(9, 1, 9)}), Error);
}

TEST(Streams, EachMeetsTheBoundAndNoneIsIdleBefore) {
  std::vector<FakeContext> contexts(3);
  const std::vector<ExecutionContext*> all{&contexts[0], &contexts[1], &contexts[2]};
  const auto runs = run_streams<SteadyClock>(
      all,
      {.warm_up = WarmUpRule::runs(5), .bound = {.iterations = 200, .duration_ns = 2'000'000}});
  ASSERT_EQ(runs.size(), 3U);
  for (std::size_t i = 0; i < runs.size(); ++i) {
    EXPECT_EQ(runs[i].warm_up.runs, 5);
    ASSERT_GE(runs[i].samples.size(), 200U);
    EXPECT_GE(runs[i].samples.back().end_ns - runs[i].samples.front().begin_ns, 1'900'000);
    EXPECT_GE(contexts[i].calls, 5 + static_cast<std::int64_t>(runs[i].samples.size()));
    for (std::size_t s = 1; s < runs[i].samples.size(); ++s) {
      ASSERT_GE(runs[i].samples[s].begin_ns, runs[i].samples[s - 1].end_ns);
    }
  }
}

TEST(Streams, AFailureEndsAllOfThem) {
  for (const std::int64_t when : {3, 50}) {  // Warming up; taking samples.
    FakeContext good;
    FakeContext bad(when);
    const std::vector<ExecutionContext*> all{&good, &bad};
    EXPECT_THROW((void)run_streams<SteadyClock>(
                     all, {.warm_up = WarmUpRule::runs(10),
                           .bound = {.iterations = 10, .duration_ns = 3'600'000'000'000}}),
                 std::runtime_error);
  }
}

TEST(Streams, CancelledBeforeTheyBegan) {
  FakeContext context;
  const std::vector<ExecutionContext*> all{&context};
  request_cancellation();
  const auto runs =
      run_streams<SteadyClock>(all, {.warm_up = WarmUpRule::runs(10), .bound = {.iterations = 10}});
  cancellation_flag = false;
  EXPECT_TRUE(runs.at(0).samples.empty());
  EXPECT_EQ(context.calls, 0);
}

}  // namespace
}  // namespace hedge
