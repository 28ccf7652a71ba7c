// SPDX-License-Identifier: Apache-2.0
#include "engine/engine_name.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <ostream>
#include <string>

namespace hedge {
namespace {

struct Case {
  const char* path;
  const char* model;
  const char* dataset;
  const char* precision;
  int branch = -1;  ///< -1: none.
};
void PrintTo(const Case& c, std::ostream* out) {
  *out << '"' << c.path << '"';
}

class EngineNameTable : public testing::TestWithParam<Case> {};

TEST_P(EngineNameTable, Parses) {
  const Case& expected = GetParam();
  const EngineName name = parse_engine_name(expected.path);
  EXPECT_EQ(name.model, expected.model);
  EXPECT_EQ(name.dataset, expected.dataset);
  EXPECT_EQ(name.precision, expected.precision);
  EXPECT_EQ(name.branch.value_or(-1), expected.branch);
}

INSTANTIATE_TEST_SUITE_P(
    Usual, EngineNameTable,
    testing::Values(Case{"mobilenet_v2_imagenet_fp32.engine", "mobilenet_v2", "imagenet", "fp32"},
                    Case{"squeezenet1_1_imagenet.onnx", "squeezenet1_1", "imagenet", ""},
                    Case{"EE_resnet8_1_cifar_int8.engine", "EE_resnet8", "cifar", "int8", 1},
                    Case{"EE_resnet8_0_cifar_fp16.engine", "EE_resnet8", "cifar", "fp16", 0},
                    Case{"EE_resnet56_2.onnx", "EE_resnet56", "", "", 2},
                    Case{"EE_resnet8.onnx", "EE_resnet8", "", ""},
                    Case{"EE_resnet8_cifar.onnx", "EE_resnet8", "cifar", ""},
                    Case{"resnet8_cifar_fp32.engine", "resnet8", "cifar", "fp32"},
                    Case{"resnet8_cifar10_fp16.engine", "resnet8", "cifar", "fp16"},
                    Case{"resnet8_cifar-10_fp16.engine", "resnet8", "cifar", "fp16"},
                    Case{"resnet8_cifar_10_fp16.engine", "resnet8", "cifar", "fp16"},
                    Case{"resnet8_CIFAR_FP16.ENGINE", "resnet8", "cifar", "fp16"},
                    Case{"resnet50_ImageNet_1k_best.plan", "resnet50", "imagenet", "best"},
                    Case{"demo_shapes_bf16.engine", "demo", "shapes", "bf16"},
                    Case{"resnet8_cifar_tf32.trt", "resnet8", "cifar", "tf32"},
                    Case{"resnet8_cifar_fp8.engine", "resnet8", "cifar", "fp8"},
                    Case{"resnet56", "resnet56", "", ""},
                    Case{"resnet56_int8", "resnet56", "", "int8"},
                    Case{"../models/resnet8_cifar_fp32.engine", "resnet8", "cifar", "fp32"},
                    Case{"/a/b_cifar_fp16/resnet8.onnx", "resnet8", "", ""},
                    Case{"mobilenet_v2_1.0_224_imagenet_int8.engine", "mobilenet_v2_1.0_224",
                         "imagenet", "int8"},
                    Case{"resnet8.v2_cifar_fp32", "resnet8.v2", "cifar", "fp32"}));

// Only the right end is read, each part once, in one order; what does not fit belongs to the model.
INSTANTIATE_TEST_SUITE_P(
    BelongsToTheModel, EngineNameTable,
    testing::Values(Case{"resnet8_1_cifar_fp32.engine", "resnet8_1", "cifar",
                         "fp32"},  // Branch: EE_ only.
                    Case{"ee_resnet8_1.onnx", "ee_resnet8_1", "", ""},
                    Case{"EE_resnet8_3_cifar.onnx", "EE_resnet8_3", "cifar", ""},
                    Case{"EE_resnet8_10_cifar.onnx", "EE_resnet8_10", "cifar", ""},
                    Case{"EE_resnet8_1_1.onnx", "EE_resnet8_1", "", "", 1},
                    Case{"resnet8_fp32_cifar.onnx", "resnet8_fp32", "cifar", ""},
                    Case{"resnet8_cifar_v2_fp32.engine", "resnet8_cifar_v2", "", "fp32"},
                    Case{"resnet8_cifar100_fp32.engine", "resnet8_cifar100", "", "fp32"},
                    Case{"resnet8_cifar_imagenet.onnx", "resnet8_cifar", "imagenet", ""},
                    Case{"resnet8_cifar_fp16_fp32.engine", "resnet8_cifar_fp16", "", "fp32"},
                    Case{"resnet8cifar_int4.engine", "resnet8cifar_int4", "", ""}));

// The model is never empty where there is a name at all: the first part is the model even where it
// reads like a precision, a dataset, a branch or an extension.
INSTANTIATE_TEST_SUITE_P(NeverEmpty, EngineNameTable,
                         testing::Values(Case{"", "", "", ""},         //
                                         Case{"models/", "", "", ""},  // A folder has no name.
                                         Case{"fp32.engine", "fp32", "", ""},                   //
                                         Case{"cifar.onnx", "cifar", "", ""},                   //
                                         Case{"cifar_fp32.engine", "cifar", "", "fp32"},        //
                                         Case{"cifar_10_fp32.engine", "cifar_10", "", "fp32"},  //
                                         Case{"cifar_cifar.onnx", "cifar", "cifar", ""},        //
                                         Case{"_", "_", "", ""},                                //
                                         Case{"_fp32", "_fp32", "", ""},                        //
                                         Case{"__fp32", "_", "", "fp32"},                       //
                                         Case{"_cifar_fp32", "_cifar", "", "fp32"},             //
                                         Case{"EE_", "EE_", "", ""},                            //
                                         Case{"EE_1", "EE_1", "", ""},                          //
                                         Case{"EE__1", "EE__1", "", ""},                        //
                                         Case{"EE_cifar.onnx", "EE", "cifar", ""},              //
                                         Case{".engine", ".engine", "", ""},                    //
                                         Case{"resnet8_", "resnet8_", "", ""},                  //
                                         Case{"resnet8__cifar", "resnet8_", "cifar", ""}));

TEST(EngineName, EarlyExitIsTheModelsPrefix) {
  EXPECT_TRUE(parse_engine_name("EE_resnet8_cifar_fp32.engine").early_exit());
  EXPECT_FALSE(parse_engine_name("resnet8_EE_cifar.engine").early_exit());
  EXPECT_FALSE(parse_engine_name("EE.onnx").early_exit());
}

TEST(EngineName, EveryKnownPrecisionIsRead) {
  EXPECT_EQ(known_precisions().size(), 7U);
  for (const auto precision : known_precisions()) {
    const EngineName name = parse_engine_name("net_cifar_" + std::string(precision) + ".engine");
    EXPECT_EQ(name.precision, precision);
    EXPECT_EQ(name.dataset, "cifar");
    EXPECT_EQ(name.model, "net");
  }
}

}  // namespace
}  // namespace hedge
