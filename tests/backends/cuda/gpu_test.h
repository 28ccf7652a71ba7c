// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include "backends/cuda/cuda_net.h"
#include "backends/gpu/device.h"

namespace hedge::test {

/// Skipped where there is no GPU that the cuda backend can use.
class GpuTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const auto reason = gpu::unavailable_reason()) GTEST_SKIP() << *reason;
  }
};

}  // namespace hedge::test
