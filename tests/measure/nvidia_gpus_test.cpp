// SPDX-License-Identifier: Apache-2.0
// GPU clocks of the library in tests/energy/fake_nvml.cpp, as conditions of a measurement.
#include "measure/nvidia_gpus.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>

#include "measure/condition_warnings.h"
#include "measure/conditions_json.h"
#include "support/fake_machines.h"

namespace hedge {
namespace {

using test::FakeRoot;

/// The fake library is the machine's, and like this.
class FakeLibrary {
 public:
  explicit FakeLibrary(const char* kind) {
    ::setenv("HEDGE_NVML_LIBRARY", HEDGE_FAKE_NVML, 1);  // NOLINT(concurrency-mt-unsafe)
    become(kind);
  }
  FakeLibrary(const FakeLibrary&) = delete;
  FakeLibrary& operator=(const FakeLibrary&) = delete;
  ~FakeLibrary() { ::unsetenv("HEDGE_NVML_LIBRARY"); }  // NOLINT(concurrency-mt-unsafe)
  static void become(const char* kind) {
    ::setenv("FAKE_NVML", kind, 1);  // NOLINT(concurrency-mt-unsafe)
  }
};

bool any(const std::vector<std::string>& lines, std::string_view part) {
  return std::any_of(lines.begin(), lines.end(),
                     [&](const std::string& line) { return line.find(part) != line.npos; });
}

TEST(NvidiaGpus, ClocksAndHeatAreConditions) {
  const FakeLibrary library("counter");
  const FakeRoot root;
  const Conditions conditions = snapshot_conditions(root.path());
  ASSERT_EQ(conditions.nvidia.size(), 1U);
  const NvidiaGpu& gpu = conditions.nvidia.front();
  EXPECT_EQ(gpu.name, "GPU 0: Fake H200");
  EXPECT_EQ(gpu.sm_hz, 1'980'000'000);
  EXPECT_EQ(gpu.max_sm_hz, 1'980'000'000);
  EXPECT_EQ(gpu.memory_hz, 2'619'000'000);
  EXPECT_TRUE(gpu.slowed_by.empty());  // It idles.
  EXPECT_EQ(conditions.celsius.at("GPU 0: Fake H200"), 45);
  EXPECT_FALSE(any(conditions.missing, "GPU")) << conditions.missing.back();
  const auto clocks = conditions_to_json(conditions)["gpu_clocks"];
  ASSERT_EQ(clocks.size(), 1U);
  EXPECT_EQ(clocks[0], (nlohmann::json{{"name", "GPU 0: Fake H200"},
                                       {"mhz", 1980.0},
                                       {"max_mhz", 1980.0},
                                       {"memory_mhz", 2619.0}}));
}

TEST(NvidiaGpus, WhatOneDoesNotTellIsNamed) {
  const NvidiaGpus first = [] {
    const FakeLibrary library("counter");
    return read_nvidia_gpus(nvml_library_of("/nowhere"));
  }();
  ASSERT_EQ(first.gpus.size(), 1U);
  EXPECT_TRUE(first.missing.empty());
  const FakeLibrary library("jetson");
  const NvidiaGpus silent = read_nvidia_gpus(nvml_library_of("/nowhere"));
  EXPECT_TRUE(any(silent.missing, "SM clock of GPU 0: Fake H200 (Not Supported)"));
  EXPECT_TRUE(any(silent.missing, "temperature of GPU 0: Fake H200 (Not Supported)"));
  EXPECT_TRUE(any(silent.missing, "throttling of GPU 0: Fake H200 (Not Supported)"));
  // A Jetson's GPU is in devfreq, and nothing is missing.
  const FakeRoot root;
  test::fake_jetpack6(root);
  const Conditions conditions = snapshot_conditions(root.path());
  EXPECT_TRUE(conditions.nvidia.empty());
  EXPECT_EQ(conditions.gpus.size(), 1U);
  EXPECT_FALSE(any(conditions.missing, "GPU 0")) << conditions.missing.back();
}

TEST(NvidiaGpus, WithoutTheLibraryThereIsNothing) {
  ::unsetenv("HEDGE_NVML_LIBRARY");  // NOLINT(concurrency-mt-unsafe)
  EXPECT_EQ(nvml_library_of("/nowhere"), "");
  EXPECT_EQ(nvml_library_of("/"), "libnvidia-ml.so.1");
  const NvidiaGpus none = read_nvidia_gpus("/nonexistent/libnvidia-ml.so.1");
  EXPECT_TRUE(none.gpus.empty());
  EXPECT_TRUE(none.missing.empty());
  // Another library under its name.
  EXPECT_TRUE(any(read_nvidia_gpus("libm.so.6").missing, "clocks of NVIDIA's GPU (libnvidia-ml"));
}

TEST(NvidiaGpus, ThrottlingDuringARunIsToldByWhoComputesOnIt) {
  const FakeLibrary library("counter");
  const FakeRoot root;
  Conditions before = snapshot_conditions(root.path());
  ConditionsRange during;
  during.add(before);
  FakeLibrary::become("hot");
  for (int i = 0; i < 5; ++i) during.add(sample_conditions(before, root.path()));
  const Conditions after = snapshot_conditions(root.path());
  during.add(after);
  const auto& reasons = during.gpu_slowed_by.at("GPU 0: Fake H200");
  EXPECT_EQ(reasons.at("heat (hardware)"), 6);
  EXPECT_EQ(reasons.at("power limit"), 6);
  EXPECT_EQ(during.gpu_hz.at("GPU 0: Fake H200").min, 1'200'000'000);
  EXPECT_EQ(during.gpu_hz.at("GPU 0: Fake H200").max, 1'980'000'000);
  EXPECT_EQ(during.gpu_hz.at("GPU 0: Fake H200 memory").min, 2'619'000'000);
  EXPECT_EQ(conditions_to_json(during)["gpu_slowed_by"]["GPU 0: Fake H200"]["power limit"], 6);

  const auto severity_of = [&](const Conditions& last, std::string_view part) {
    for (const ConditionWarning& warning : condition_warnings(before, during, last)) {
      if (warning.text.find(part) != std::string::npos) return warning.severity;
    }
    ADD_FAILURE() << part;
    return Severity::kNote;
  };
  EXPECT_EQ(severity_of(after, "throttled: GPU 0"), Severity::kNote);
  Conditions computing = after;
  computing.uses_cuda = true;
  EXPECT_EQ(severity_of(computing, "throttled: GPU 0: Fake H200 by heat (hardware) (6 of 7"),
            Severity::kSerious);
  EXPECT_EQ(severity_of(computing, "held down by its power limit"), Severity::kWarning);
  EXPECT_EQ(
      severity_of(computing, "moved between 1200 and 1980 MHz: `sudo hedge power run --gpu-c"),
      Severity::kWarning);
}

}  // namespace
}  // namespace hedge
