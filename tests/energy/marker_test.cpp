// SPDX-License-Identifier: Apache-2.0
#include "energy/marker.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "hedge/error.h"

namespace hedge {
namespace {

constexpr std::int64_t kMs = 1'000'000;
constexpr std::int64_t kS = 1000 * kMs;

/// A marker from `begin_ns` on, a chip of rest on either side.
void draw(std::vector<LoadSegment>& segments, std::int64_t begin_ns, std::int64_t chip_ns) {
  std::int64_t t = begin_ns;
  const auto chip = [&](bool busy) {
    segments.push_back({{t, t + chip_ns}, busy});
    t += chip_ns;
  };
  chip(false);
  for (const bool busy : kMarkerChips) chip(busy);
  chip(false);
}

struct SceneOptions {
  std::int64_t chip_ns = 500 * kMs;
  std::int64_t interval_ns = 100 * kMs;
  double noise = 0.3;
  std::int64_t offset_ns = -123'456'789'012;  ///< From the recording's clock to the load's.
  std::uint64_t seed = 1;
};

/// Markers at 20 s and 60 s of the load's clock, the load in between; recorded from 5 s to 90 s.
struct Scene {
  std::vector<LoadSegment> segments;
  PowerRecording recording;
};
Scene make(const SceneOptions& options) {
  Scene scene;
  draw(scene.segments, 20 * kS, options.chip_ns);
  const std::int64_t begin = scene.segments.back().window.end_ns;
  draw(scene.segments, begin + 30 * kS, options.chip_ns);
  const std::int64_t end = scene.segments.back().window.begin_ns - 14 * options.chip_ns;
  std::mt19937_64 random(options.seed);
  std::normal_distribution<double> noise(0, options.noise);
  for (std::int64_t t = 5 * kS; t < 90 * kS; t += options.interval_ns) {
    bool busy = t >= begin && t < end;
    for (const LoadSegment& segment : scene.segments) {
      if (t >= segment.window.begin_ns && t < segment.window.end_ns) busy = segment.busy;
    }
    scene.recording.samples.push_back({t - options.offset_ns, (busy ? 8.0 : 5.0) + noise(random)});
  }
  return scene;
}

TEST(Marker, IsFoundInNoise) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    for (const double noise : {0.05, 0.3, 1.0}) {
      const SceneOptions options{.noise = noise, .seed = seed};
      const Scene scene = make(options);
      const MarkerMatch match = find_marker(scene.recording, scene.segments, "p.csv");
      EXPECT_NEAR(static_cast<double>(match.offset_ns - options.offset_ns) * 1e-9, 0, 0.1)
          << "seed " << seed << " noise " << noise;
      EXPECT_GT(match.correlation, 0.7);
    }
  }
}

TEST(Marker, WorksForASlowMeter) {
  const SceneOptions options{.chip_ns = 2500 * kMs, .interval_ns = kS, .noise = 0.2};
  // Longer than the recording's 85 s otherwise.
  Scene scene = make(options);
  scene.segments.resize(scene.segments.size() / 2);
  const MarkerMatch match = find_marker(scene.recording, scene.segments, "p.csv");
  EXPECT_NEAR(static_cast<double>(match.offset_ns - options.offset_ns) * 1e-9, 0, 0.6);
}

std::string refusal(const PowerRecording& recording, const std::vector<LoadSegment>& segments) {
  try {
    (void)find_marker(recording, segments, "p.csv");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kBadInput);
    return error.what();
  }
  return "taken";
}

TEST(Marker, NoiseHoldsNone) {
  Scene scene = make({});
  std::mt19937_64 random(3);
  std::normal_distribution<double> noise(5, 1);
  for (PowerSample& sample : scene.recording.samples) sample.watts = noise(random);
  EXPECT_NE(refusal(scene.recording, scene.segments).find("is not in it"), std::string::npos);
  for (PowerSample& sample : scene.recording.samples) sample.watts = 5;
  EXPECT_NE(refusal(scene.recording, scene.segments).find("is not in it"), std::string::npos);
}

TEST(Marker, TwoRunsInAFileAreAmbiguous) {
  Scene scene = make({.noise = 0.1});
  const auto samples = scene.recording.samples;
  for (const PowerSample& sample : samples) {
    scene.recording.samples.push_back({sample.time_ns + 100 * kS, sample.watts});
  }
  EXPECT_NE(refusal(scene.recording, scene.segments).find("two places"), std::string::npos);
}

TEST(Marker, SlowSamplesAndShortRecordingsAreRefused) {
  const Scene slow = make({.interval_ns = 400 * kMs});
  EXPECT_NE(refusal(slow.recording, slow.segments).find("--marker=1s"), std::string::npos);
  Scene cut = make({});
  cut.recording.samples.resize(300);
  EXPECT_NE(refusal(cut.recording, cut.segments).find("start the meter before"), std::string::npos);
  EXPECT_NE(refusal(cut.recording, {}).find("--marker"), std::string::npos);
}

}  // namespace
}  // namespace hedge
