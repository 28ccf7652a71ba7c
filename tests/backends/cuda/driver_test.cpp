// SPDX-License-Identifier: Apache-2.0
// Why the backend cannot run, by drivers of the tests' own: needs no GPU.

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "backends/cuda/cuda_net.h"
#include "backends/gpu/device.h"
#include "hedge/error.h"

namespace hedge::cuda {
namespace {

class CudaDriver : public testing::Test {
 protected:
  void SetUp() override {
    const auto driver = std::filesystem::path(HEDGE_FAKE_CUDA);
    if (!std::filesystem::exists(driver)) GTEST_SKIP() << "the fake driver was not carried along";
    // The process of the death test begins anew, and finds it before the machine's.
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    setenv("LD_LIBRARY_PATH", driver.parent_path().c_str(), 1);
  }
  void TearDown() override { unsetenv("LD_LIBRARY_PATH"); }

  static void make_driver(const char* version, const char* error) {
    setenv("FAKE_CUDA_VERSION", version, 1);
    setenv("FAKE_CUDA_ERROR", error, 1);
  }
  static void expect_reason(const char* version, const char* error, const std::string& reason) {
    make_driver(version, error);
    EXPECT_EXIT(
        {
          std::cerr << gpu::unavailable_reason().value_or("available") << '\n';
          std::_Exit(0);
        },
        testing::ExitedWithCode(0), reason);
  }
};

TEST_F(CudaDriver, NoDriver) {
  expect_reason("0", "100", "no NVIDIA driver");
}

TEST_F(CudaDriver, ADriverThatIsTooOld) {
  expect_reason("11040", "100", "too old: it supports CUDA 11.4, these programs are built with");
}

TEST_F(CudaDriver, NoGpu) {
  expect_reason("99000", "100", "there is no NVIDIA GPU, or CUDA_VISIBLE_DEVICES hides it");
}

/// CUDA_ERROR_SYSTEM_NOT_READY: the fabric manager of a board with NVSwitch does not run.
TEST_F(CudaDriver, ADriverThatDoesNotWork) {
  expect_reason("99000", "802", "not yet initialized.*nvidia-smi");
}

/// CUDA_ERROR_OUT_OF_MEMORY of every call: another program has left too little for a context.
TEST_F(CudaDriver, NoMemoryForItself) {
  make_driver("99000", "2");
  EXPECT_EXIT(
      {
        try {
          (void)gpu::device_memory(1000);
        } catch (const Error& error) {
          std::cerr << error.what() << '\n';
        }
        std::_Exit(0);
      },
      testing::ExitedWithCode(0),
      "out of memory: less of the GPU's memory is free than the driver");
}

}  // namespace
}  // namespace hedge::cuda
