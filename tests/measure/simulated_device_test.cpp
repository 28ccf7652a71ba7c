// SPDX-License-Identifier: Apache-2.0
// A device whose truth is known, driven by the code that drives the real one: cold start, clocks
// that rise, noise that hangs together, spikes, and what disturbs it afterwards.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "fakes.h"
#include "measure/latency.h"
#include "measure/validity.h"
#include "support/series.h"

namespace hedge {
namespace {

constexpr double kLevel = 500'000;  // Nanoseconds.

class SimulatedDevice {
 public:
  /// `level` of the number of the inference, as a factor.
  SimulatedDevice(const FakeClock& clock, std::function<double(int)> level, std::uint64_t seed)
      : clock_(clock), level_(std::move(level)), noise_(seed) {}

  void infer() {
    constexpr double kRho = 0.5;
    noise_now_ = kRho * noise_now_ + std::sqrt(1 - kRho * kRho) * noise_();
    const double seconds = static_cast<double>(clock_.now_ns() - begin_ns_) * 1e-9;
    double factor = 1 + 0.02 * noise_now_;
    factor *= 1 + 0.4 * std::exp(-seconds / 0.2);  // Clocks rise.
    if (runs_ == 0) factor *= 8;                   // Cold caches, lazily made buffers.
    if (runs_ % 97 == 96) factor *= 3;             // Somebody else's interrupt.
    clock_.advance(std::llround(kLevel * factor * level_(runs_)));
    ++runs_;
  }

 private:
  FakeClock clock_;
  std::int64_t begin_ns_ = clock_.now_ns();
  std::function<double(int)> level_;
  NormalNoise noise_;
  double noise_now_ = 0;
  int runs_ = 0;
};

struct SimulatedRun {
  WarmUp warm_up;
  RunEvidence evidence;
};

SimulatedRun measure(const std::function<double(int)>& level, std::uint64_t seed) {
  const FakeClock clock;
  SimulatedDevice device(clock, level, seed);
  const auto infer = [&] { device.infer(); };
  SimulatedRun run;
  run.warm_up = warm_up_calls(infer, WarmUpRule::automatic(), clock);
  LatencyRecorder<FakeClock> recorder(4000, clock);
  (void)record_calls(infer, {.iterations = 4000}, recorder, clock);
  run.evidence.summary = summarize(recorder.samples_ns());
  run.evidence.regimes = find_regimes(recorder.samples_ns());
  run.evidence.warm_up = run.warm_up;
  return run;
}

TEST(SimulatedDevice, IsWarmedUpAndMeasuredAsItIs) {
  const CancellationGuard guard;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const SimulatedRun run = measure([](int) { return 1.0; }, seed);
    const Validity validity = judge(run.evidence);
    EXPECT_EQ(validity.verdict, Verdict::kValid) << validity.reasons.front();
    EXPECT_GT(static_cast<double>(*run.warm_up.cold_ns), 7 * kLevel);
    EXPECT_EQ(run.warm_up.settled, true);
    EXPECT_GT(run.warm_up.duration_ns, 500'000'000);  // 8 % of the ramp are left then.
    EXPECT_LT(run.warm_up.duration_ns, 3'000'000'000);
    EXPECT_NEAR(static_cast<double>(run.evidence.summary->p50_ns), kLevel, 0.02 * kLevel);
  }
}

TEST(SimulatedDevice, ThatThrottlesIsCaught) {
  const CancellationGuard guard;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const SimulatedRun run = measure([](int n) { return n < 4000 ? 1.0 : 1.12; }, seed);
    EXPECT_TRUE(run.warm_up.settled.value());
    EXPECT_EQ(judge(run.evidence).verdict, Verdict::kInvalid);
    ASSERT_GE(run.evidence.regimes->segments.size(), 2U);
    EXPECT_NEAR(run.evidence.regimes->segments.back().step, 0.12, 0.03);
  }
}

TEST(SimulatedDevice, ThatNeverSettlesIsSaidToBeSo) {
  const CancellationGuard guard;
  const SimulatedRun run = measure([](int n) { return 1 + 0.005 * n; }, 1);
  EXPECT_FALSE(run.warm_up.settled.value());
  EXPECT_GE(run.warm_up.duration_ns, 10'000'000'000);
}

}  // namespace
}  // namespace hedge
