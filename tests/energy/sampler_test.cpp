// SPDX-License-Identifier: Apache-2.0
#include "energy/sampler.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <set>
#include <thread>
#include <vector>

#include "base/clock.h"

namespace hedge {
namespace {

constexpr std::int64_t kMs = 1'000'000;

/// 10 W since the clock began, as a counter; a second rail never answers.
class RunningMeter final : public PowerMeter {
 public:
  [[nodiscard]] const MeterFacts& facts() const noexcept override { return facts_; }
  [[nodiscard]] std::span<const Rail> rails() const noexcept override { return rails_; }
  void read(std::span<RailReading> readings) noexcept override {
    const std::int64_t now = SteadyClock::now_ns();
    readings[0] = {now, static_cast<double>(now - begin_ns_) * 1e-8};
    readings[1] = {now, kNoReading};
  }

 private:
  std::int64_t begin_ns_ = SteadyClock::now_ns();
  MeterFacts facts_{"running", "", ""};
  std::vector<Rail> rails_{{.name = "counter",
                            .kind = RailKind::kEnergy,
                            .in_total = true,
                            .resolution = 0,
                            .wraps_at = {}},
                           {.name = "silent",
                            .kind = RailKind::kPower,
                            .in_total = false,
                            .resolution = 0,
                            .wraps_at = {}}};
};

TEST(Sampler, ReadsAtItsRateBesideTheLoad) {
  RunningMeter meter;
  std::atomic<std::int64_t> done{0};
  Sampler sampler(&meter, done, {.period_ns = 2 * kMs});
  for (int i = 0; i < 20; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    done.store(i + 1, std::memory_order_relaxed);
  }
  EXPECT_NEAR(sampler.recent_watts(100 * kMs).value_or(0), 10, 0.5);
  EXPECT_FALSE(sampler.recent_rail_watts(100 * kMs)[1].has_value());
  const Recording recording = sampler.stop();
  const auto points = recording.rails[0].points();
  EXPECT_GT(points.size(), 40U);  // 100 on an idle machine
  const Window whole{points.front().time_ns, points.back().time_ns};
  EXPECT_NEAR(integrate(recording.rails[0], whole).joules.value(), 10 * whole.seconds(), 1e-6);
  EXPECT_EQ(recording.rails[1].points().size(), 0U);
  EXPECT_GT(recording.rails[1].failed_readings(), 40);
  EXPECT_NEAR(recording.progress.at(whole.end_ns).value(), 20, 1);
}

/// A reading that takes longer than the period leaves the thread time to rest and to stop.
class SlowMeter final : public PowerMeter {
 public:
  [[nodiscard]] const MeterFacts& facts() const noexcept override { return meter_.facts(); }
  [[nodiscard]] std::span<const Rail> rails() const noexcept override { return meter_.rails(); }
  void read(std::span<RailReading> readings) noexcept override {
    const std::int64_t end = SteadyClock::now_ns() + 3 * kMs;
    while (SteadyClock::now_ns() < end) {
    }
    meter_.read(readings);
    ++readings_;
  }
  int readings_ = 0;

 private:
  RunningMeter meter_;
};

TEST(Sampler, EndsWhileItsMeterIsTooSlow) {
  SlowMeter meter;
  const std::atomic<std::int64_t> done{0};
  Sampler sampler(&meter, done, {.period_ns = kMs / 4});
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
  (void)sampler.recent_watts(10 * kMs);
  const std::int64_t begin = SteadyClock::now_ns();
  const Recording recording = sampler.stop();
  EXPECT_LT(SteadyClock::now_ns() - begin, 1000 * kMs);
  EXPECT_GE(recording.late_readings, meter.readings_ - 2);
  EXPECT_GT(meter.readings_, 1);
}

TEST(Sampler, WithoutAMeterRecordsProgress) {
  const std::atomic<std::int64_t> done{7};
  Sampler sampler(nullptr, done, {.period_ns = kMs});
  EXPECT_FALSE(sampler.recent_watts(kMs).has_value());
  const Recording recording = sampler.stop();
  EXPECT_TRUE(recording.rails.empty());
  EXPECT_EQ(recording.progress.at(SteadyClock::now_ns()), 7);
}

// One that waited out its period would run into ctest's timeout.
TEST(Sampler, EndsWhenItIsDropped) {
  RunningMeter meter;
  const std::atomic<std::int64_t> done{0};
  const Sampler sampler(&meter, done, {.period_ns = 3'600'000 * kMs});
}

TEST(Deadlines, AreAbsoluteAndOutOfStepWithAnyRhythm) {
  constexpr std::int64_t kPeriod = 10 * kMs;
  double cosine = 0;
  double sine = 0;
  for (std::int64_t k = 0; k < 1000; ++k) {
    const std::int64_t deadline = reading_deadline_ns(5, k, kPeriod);
    EXPECT_GE(deadline, 5 + k * kPeriod);
    EXPECT_LT(deadline, 5 + k * kPeriod + kPeriod / 2);
    // A ripple twice as fast as the readings, so that equal steps would meet one phase.
    const double phase = 2 * M_PI * static_cast<double>(deadline) / (kPeriod / 2.0);
    cosine += std::cos(phase) / 1000;
    sine += std::sin(phase) / 1000;
  }
  EXPECT_LT(std::hypot(cosine, sine), 0.01);
}

TEST(Progress, IsInterpolated) {
  ProgressLog log;
  EXPECT_FALSE(log.at(0).has_value());
  log.add(10, 0);
  log.add(20, 0);
  log.add(30, 0);
  log.add(40, 100);
  EXPECT_EQ(log.at(5), 0);
  EXPECT_EQ(log.at(25), 0);
  EXPECT_EQ(log.at(35), 50);
  EXPECT_EQ(log.at(99), 100);
}

TEST(Progress, StaysWithinBounds) {
  ProgressLog log;
  constexpr std::int64_t kEntries = 2'500'000;
  for (std::int64_t i = 0; i < kEntries; ++i) log.add(i, 3 * i);
  EXPECT_NEAR(log.at(1000).value(), 3000, 10);
  EXPECT_NEAR(log.at(kEntries / 2).value(), 1.5 * kEntries, 10);
}

}  // namespace
}  // namespace hedge
