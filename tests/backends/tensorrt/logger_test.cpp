// SPDX-License-Identifier: Apache-2.0
// Which of TensorRT's errors go with which failure.
#include "backends/tensorrt/logger.h"

#include "backends/tensorrt/tensorrt_test.h"

namespace hedge::tensorrt {
namespace {

using Severity = nvinfer1::ILogger::Severity;

class TensorRtLogger : public test::TensorRtTest {};

TEST_F(TensorRtLogger, AFailureHasTheErrorsOfItsCall) {
  logger().log(Severity::kERROR, "first");
  logger().log(Severity::kINTERNAL_ERROR, "second");
  EXPECT_EQ(error_of([] { require(false, "it is not made", "make it"); }),
            "TensorRT: it is not made: first; second; make it");
  EXPECT_EQ(error_of([] { require(false, "it is not made"); }), "TensorRT: it is not made");
}

TEST_F(TensorRtLogger, WhatASuccessfulCallLoggedIsForgotten) {
  int made = 0;
  logger().log(Severity::kERROR, "survived");
  EXPECT_EQ(required(&made, "one"), &made);
  logger().log(Severity::kERROR, "survived as well");
  require(true, "another");
  EXPECT_EQ(error_of([] { require(false, "a third"); }), "TensorRT: a third");
}

TEST_F(TensorRtLogger, APlanThatIsTakenLeavesNoErrors) {
  logger().log(Severity::kERROR, "of the plan");
  (void)engine(test::small_net(), "fp32")->create_context({});
  EXPECT_EQ(logger().take_errors(), "");
}

}  // namespace
}  // namespace hedge::tensorrt
