// SPDX-License-Identifier: Apache-2.0
// The tests of the cuda backend, run without a GPU: this is what they run on.

#include <gtest/gtest.h>

#include <cstdlib>

#include "backends/gpu/device.h"

namespace hedge::cuda {
namespace {

/// Before anything opens a module: the backend's is the emulated one.
const int module_path_is_set = setenv("HEDGE_MODULE_PATH", HEDGE_EMULATED_MODULES, 1);

TEST(EmulatedGpu, IsTheOneThatIsUsed) {
  ASSERT_EQ(module_path_is_set, 0);
  EXPECT_EQ(gpu::unavailable_reason(), std::nullopt);
  EXPECT_EQ(gpu::description_of(gpu::device()), "CUDA 13.0, emulated GPU (sm_90)");
}

}  // namespace
}  // namespace hedge::cuda
