// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include "backends/cuda/device.h"

namespace hedge::test {

/// Skipped where there is no GPU that the cuda backend can use.
class GpuTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const auto reason = cuda::unavailable_reason()) GTEST_SKIP() << *reason;
  }
};

}  // namespace hedge::test
