// SPDX-License-Identifier: Apache-2.0
#include "hi/decide/published.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "hedge/error.h"

namespace hedge {
namespace {

std::vector<double> coefficients(const std::string& file, bool as_original = false) {
  const DecisionFile found = published_decision(parse_engine_name(file), as_original);
  const Decision& decision = found.decision;
  EXPECT_EQ(decision,
            logistic_decision(decision.intercept, decision.weights[0], decision.weights[1]));
  EXPECT_EQ(decision.threshold, 0.5);
  return {decision.intercept, decision.weights[0], decision.weights[1]};
}

std::string refusal(const std::string& file, bool as_original = false) {
  try {
    (void)published_decision(parse_engine_name(file), as_original);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kBadInput);
    return error.what();
  }
  return "accepted";
}

using Values = std::vector<double>;

TEST(Published, OfEveryModelByDatasetAndPrecision) {
  EXPECT_EQ(coefficients("resnet8_cifar_fp32.engine"),
            (Values{-4.531622904031753, 5.82555453, -3.59687685}));
  EXPECT_EQ(coefficients("resnet8_cifar_int8.engine"),
            (Values{-4.63391351, 5.93658349, -3.04197074}));
  EXPECT_EQ(coefficients("resnet56_cifar_fp32.engine"),
            (Values{-5.09909203324702, 5.60475641, -4.37203237}));
  EXPECT_EQ(coefficients("resnet56_cifar_int8.engine"),
            (Values{-4.695974, 5.21640018, -3.70736749}));
  EXPECT_EQ(coefficients("alexnet_cifar10_fp16.engine"),
            (Values{-3.7969481741850837, 4.84755215, -1.79537036}));
  EXPECT_EQ(coefficients("alexnet_cifar_int8.engine"),
            (Values{-4.33089237, 5.39107836, -1.03445988}));
  EXPECT_EQ(coefficients("resnet18_imagenet_int8.engine"),
            (Values{-3.02860354, 4.95192416, -1.7800178}));
  EXPECT_EQ(coefficients("resnet50_imagenet_int8.engine"),
            (Values{-3.45594814, 5.11103057, -2.07690727}));
  EXPECT_EQ(coefficients("alexnet_imagenet_int8.engine"),
            (Values{-2.61127983, 5.00778702, -1.23894854}));
}

TEST(Published, EveryPrecisionButInt8IsFull) {
  for (const char* precision : {"fp32", "tf32", "fp16", "bf16", "fp8", "best"}) {
    EXPECT_EQ(coefficients(std::string("resnet8_cifar_") + precision + ".engine"),
              coefficients("resnet8_cifar_fp32.engine"));
  }
  EXPECT_EQ(coefficients("resnet8_cifar.onnx"), coefficients("resnet8_cifar_fp32.engine"));
}

TEST(Published, SaysWhatItIsFor) {
  const DecisionFile file = published_decision(parse_engine_name("resnet8_cifar_int8.engine"));
  EXPECT_EQ(file.classes, 10);
  EXPECT_EQ(file.model, "resnet8");
  EXPECT_EQ(file.origin, "published coefficients of resnet8 on cifar, int8");
  EXPECT_EQ(published_decision(parse_engine_name("alexnet_imagenet_int8.engine")).classes, 1000);
}

TEST(Published, ImagenetAtFullPrecisionOnlyAsTheOriginal) {
  for (const auto& [model, other] :
       std::vector<std::pair<std::string, std::string>>{{"resnet18", "resnet8"},
                                                        {"resnet50", "resnet56"},
                                                        {"alexnet", "alexnet"},
                                                        {"resnet56", "resnet56"}}) {
    const std::string message = refusal(model + "_imagenet_fp16.engine");
    for (const char* word : {"--decision-file", "--original-coefficients", "full precision"}) {
      EXPECT_NE(message.find(word), std::string::npos) << message;
    }
    EXPECT_EQ(coefficients(model + "_imagenet_fp16.engine", true),
              coefficients(other + "_cifar_fp16.engine"));
  }
  const DecisionFile file =
      published_decision(parse_engine_name("resnet18_imagenet_fp32.engine"), true);
  EXPECT_EQ(file.classes, 1000);
  EXPECT_NE(file.origin.find("resnet8 on cifar"), std::string::npos) << file.origin;
  // What has its own is not touched.
  EXPECT_EQ(coefficients("resnet18_imagenet_int8.engine", true),
            coefficients("resnet18_imagenet_int8.engine"));
  EXPECT_EQ(coefficients("resnet8_cifar_fp32.engine", true),
            coefficients("resnet8_cifar_fp32.engine"));
}

TEST(Published, RefusesOthers) {
  for (const bool as_original : {false, true}) {
    for (const char* name : {"mobilenet_v2_imagenet_fp32.engine", "resnet8_shapes.onnx",
                             "EE_resnet8_cifar_int8.engine", "resnet8.onnx", "x"}) {
      const std::string message = refusal(name, as_original);
      EXPECT_NE(message.find("--decision-file"), std::string::npos) << message;
      EXPECT_EQ(message.find("--original-coefficients"), std::string::npos) << message;
    }
  }
}

}  // namespace
}  // namespace hedge
