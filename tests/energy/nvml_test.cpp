// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <vector>

#include "energy/probes.h"

namespace hedge {
namespace {

/// The fake library, told what to be like (fake_nvml.cpp).
MeterProbe probe_fake(const char* kind) {
  ::setenv("FAKE_NVML", kind, 1);  // NOLINT(concurrency-mt-unsafe)
  return probe_nvml(HEDGE_FAKE_NVML);
}

std::vector<RailReading> read(PowerMeter& meter) {
  std::vector<RailReading> readings(meter.rails().size());
  meter.read(readings);
  return readings;
}

TEST(Nvml, PrefersTheCounter) {
  const MeterProbe probe = probe_fake("counter");
  ASSERT_TRUE(probe.meter) << probe.reason;
  ASSERT_EQ(probe.meter->rails().size(), 1U);
  EXPECT_EQ(probe.meter->rails()[0].name, "GPU 0: Fake H200");
  EXPECT_EQ(probe.meter->rails()[0].kind, RailKind::kEnergy);
  const double first = read(*probe.meter)[0].value;
  EXPECT_GT(first, 5000);
  EXPECT_DOUBLE_EQ(read(*probe.meter)[0].value, first + 1);  // mJ became J.
}

TEST(Nvml, TakesThePowerWhereThereIsNoCounter) {
  const MeterProbe probe = probe_fake("power");
  ASSERT_TRUE(probe.meter) << probe.reason;
  EXPECT_EQ(probe.meter->rails()[0].kind, RailKind::kPower);
  const double first = read(*probe.meter)[0].value;
  EXPECT_GE(first, 70);
  EXPECT_DOUBLE_EQ(read(*probe.meter)[0].value, first + 1);
}

TEST(Nvml, SeveralDevicesAreRails) {
  const MeterProbe probe = probe_fake("two");
  ASSERT_TRUE(probe.meter) << probe.reason;
  ASSERT_EQ(probe.meter->rails().size(), 2U);
  EXPECT_EQ(probe.meter->rails()[0].kind, RailKind::kEnergy);
  EXPECT_EQ(probe.meter->rails()[1].kind, RailKind::kPower);
  EXPECT_EQ(probe.meter->rails()[1].name, "GPU 1: Fake H100");
  EXPECT_TRUE(probe.meter->rails()[1].in_total);
}

TEST(Nvml, OnJetsonThereIsNoMeter) {
  const MeterProbe probe = probe_fake("jetson");
  EXPECT_FALSE(probe.meter);
  EXPECT_NE(probe.reason.find("Not Supported"), std::string::npos) << probe.reason;
}

TEST(Nvml, SaysWhyItDoesNotStart) {
  EXPECT_NE(probe_fake("nodriver").reason.find("Driver Not Loaded"), std::string::npos);
  EXPECT_NE(probe_fake("locked out").reason.find("Insufficient Permissions; 'ls -l"),
            std::string::npos);
  EXPECT_TRUE(probe_fake("nodriver").present);
  EXPECT_FALSE(probe_nvml("/nonexistent/libnvidia-ml.so.1").present);
  EXPECT_NE(probe_nvml("/nonexistent/libnvidia-ml.so.1").reason.find("not there"),
            std::string::npos);
  // Another library under its name.
  EXPECT_NE(probe_nvml("libm.so.6").reason.find("lacks functions"), std::string::npos);
}

TEST(Nvml, AnswersThatEndAreNoReadings) {
  const MeterProbe probe = probe_fake("counter");
  ASSERT_TRUE(probe.meter);
  ::setenv("FAKE_NVML", "jetson", 1);  // NOLINT(concurrency-mt-unsafe)
  EXPECT_TRUE(std::isnan(read(*probe.meter)[0].value));
}

}  // namespace
}  // namespace hedge
