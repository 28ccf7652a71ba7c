// SPDX-License-Identifier: Apache-2.0
// TensorRT's own calibrator, fed from our images; of 8.6 and 10.
#include <gtest/gtest.h>

#include "backends/tensorrt/tensorrt_test.h"
#include "base/file.h"
#include "support/temporary_folder.h"

namespace hedge {
namespace {

class TensorRtCalibrator : public test::TensorRtTest {
 protected:
  void SetUp() override {
    TensorRtTest::SetUp();
    if (!tensorrt::kHasCalibrator) GTEST_SKIP() << "this version has none";
  }
  /// `images` batches of ones.
  BuildOptions native(int images) {
    BuildOptions build = options("int8");
    build.native_calibration = NativeCalibration{.next =
                                                     [this, images](std::span<float> tensor) {
                                                       if (fed_ == images) return false;
                                                       std::fill(tensor.begin(), tensor.end(), 1.F);
                                                       size_ = tensor.size();
                                                       ++fed_;
                                                       return true;
                                                     },
                                                 .cache = folder_.path() / "native.cache"};
    return build;
  }
  [[nodiscard]] std::string cache() const {
    return read_text_file(folder_.path() / "native.cache");
  }

  test::TemporaryFolder folder_;
  int fed_ = 0;
  std::size_t size_ = 0;
};

TEST_F(TensorRtCalibrator, GetsEveryBatchAndItsCacheIsKeptAndReadAgain) {
  const Graph graph = test::small_net();
  const auto summary = plan_of(container(graph, native(3))).summary;
  EXPECT_EQ(summary["calibration_batches"], 3);
  EXPECT_EQ(summary["int8"], true);
  EXPECT_EQ(summary["fp16"], true);
  EXPECT_EQ(size_, static_cast<std::size_t>(element_count(graph.input_type(0).shape)));
  EXPECT_TRUE(contains(cache(), "-EntropyCalibration2"));
  EXPECT_EQ(plan_of(container(graph, native(9))).summary["calibration_batches"], 0);
  EXPECT_EQ(fed_, 3);
}

TEST_F(TensorRtCalibrator, ACacheOfAnotherVersionIsCalibratedAnew) {
  write_file(folder_.path() / "native.cache", "TRT-7000-EntropyCalibration2\n");
  EXPECT_EQ(plan_of(container(test::small_net(), native(2))).summary["calibration_batches"], 2);
}

TEST_F(TensorRtCalibrator, WhatTheImagesThrowEndsTheBuildAndNothingIsKept) {
  BuildOptions build = native(2);
  const auto images = build.native_calibration->next;
  build.native_calibration->next = [&, images](std::span<float> tensor) {
    if (fed_ == 1) throw bad_input("image 2 cannot be read");
    return images(tensor);
  };
  EXPECT_TRUE(contains(error_of([&] { (void)container(test::small_net(), build); }),
                       "image 2 cannot be read"));
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "native.cache"));
}

TEST_F(TensorRtCalibrator, NoImagesAreTensorRtsError) {
  EXPECT_TRUE(contains(error_of([&] { (void)container(test::small_net(), native(0)); }),
                       "no scaling factors"));
}

class TensorRtWithoutCalibrator : public test::TensorRtTest {};

TEST_F(TensorRtWithoutCalibrator, IsToldWhatToLeaveOut) {
  if (tensorrt::kHasCalibrator) GTEST_SKIP() << "this version has one";
  EXPECT_FALSE(backend().traits().native_calibrator);
  BuildOptions build = options("int8");
  build.native_calibration.emplace();
  EXPECT_THROW((void)backend().build(test::small_net(), build), Error);
}

}  // namespace
}  // namespace hedge
