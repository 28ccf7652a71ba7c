// SPDX-License-Identifier: Apache-2.0
#include "energy/refresh.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "energy/simulated_meter.h"

namespace hedge {
namespace {

using test::SimulatedLoad;
using test::SimulatedMeter;
using test::SimulatedSensor;

constexpr std::int64_t kMs = 1'000'000;

struct Case {
  double readings_hz;
  double refresh_ms;
  double step;  ///< Watts; the noise is 0.1 W.
};
void PrintTo(const Case& c, std::ostream* out) {
  *out << c.refresh_ms << " ms, read at " << c.readings_hz << " Hz, step " << c.step << " W";
}

std::optional<Refresh> found(const Case& c) {
  const double reading_s = 1 / c.readings_hz;
  const double refresh_s = c.refresh_ms * 1e-3;
  const SimulatedLoad load;
  SimulatedMeter meter(load,
                       {.kind = SimulatedSensor::Kind::kInstant,
                        .refresh_s = refresh_s,
                        .phase_s = 0.3 * refresh_s,
                        .noise = 0.1,
                        .step = c.step},
                       7);
  const auto period = static_cast<std::int64_t>(reading_s * 1e9);
  return refresh_of(record(meter, 1 + 300 * std::max(refresh_s, reading_s), period).rails.front());
}

/// Steps of 0.04 W repeat a value now and then, those of 0.4 W nearly always.
class RefreshOfSensor : public testing::TestWithParam<Case> {};

TEST_P(RefreshOfSensor, IsFound) {
  const auto refresh = found(GetParam());
  ASSERT_TRUE(refresh.has_value());
  EXPECT_TRUE(refresh->resolved);
  EXPECT_NEAR(refresh->ns * 1e-6, GetParam().refresh_ms, 0.02 * GetParam().refresh_ms);
}

INSTANTIATE_TEST_SUITE_P(Sensors, RefreshOfSensor,
                         testing::Values(Case{100, 20, 0}, Case{100, 20, 0.04}, Case{100, 20, 0.4},
                                         Case{100, 22, 0.04}, Case{100, 25, 0.4},
                                         Case{100, 33.3, 0.04}, Case{100, 100, 0.4},
                                         Case{100, 1000, 0.04}, Case{1000, 2, 0.04},
                                         Case{1000, 20, 0.4}, Case{200, 12.5, 0.04},
                                         Case{10, 200, 0.04}, Case{10, 1000, 0.4}));

TEST(Refresh, OfASensorAsQuickAsTheReadingsIsNotKnown) {
  for (const double refresh_ms : {0.1, 1.0, 5.0, 10.0, 12.0, 15.0}) {
    const auto refresh = found({100, refresh_ms, 0});
    ASSERT_TRUE(refresh.has_value());
    EXPECT_FALSE(refresh->resolved) << refresh_ms;
    // New values come as often as they are asked for, or nearly.
    EXPECT_GT(refresh->ns, 9.9 * kMs);
    EXPECT_LT(refresh->ns, 17 * kMs);
  }
}

TEST(Refresh, OfSamplesWithTimeStampsIsTheirDistance) {
  RailTrace trace({.name = "external", .wraps_at = {}, .stamped = true}, 500 * kMs);
  for (std::int64_t i = 0; i < 100; ++i) trace.add({i * 20 * kMs + i % 3 * kMs, 5});
  ASSERT_EQ(trace.points().size(), 100U);
  const auto refresh = refresh_of(trace);
  ASSERT_TRUE(refresh.has_value());
  EXPECT_TRUE(refresh->resolved);
  EXPECT_NEAR(refresh->ns, 20.0 * kMs, 1.5 * kMs);
}

TEST(Refresh, NeedsTwoChanges) {
  EXPECT_FALSE(refresh_of({}, false).has_value());
  RailTrace trace({.name = "rail", .wraps_at = {}}, 500 * kMs);
  trace.add({0, 5});
  trace.add({100 * kMs, 6});
  EXPECT_FALSE(refresh_of(trace).has_value());
  trace.add({200 * kMs, 7});
  EXPECT_TRUE(refresh_of(trace).has_value());
}

}  // namespace
}  // namespace hedge
