// SPDX-License-Identifier: Apache-2.0
// Which kernels the nets of the main job run by: never a reference kernel, ours or the vendor's.
// ctest runs this program again with the vendor's library capped to other instruction sets.

#include <gtest/gtest.h>

#include <filesystem>

#include "backends/kernel_text.h"
#include "builder/builder.h"
#include "support/engines.h"
#include "support/shared_folder.h"

namespace hedge {
namespace {

void expect_fast(const std::filesystem::path& model) {
  Graph graph = import_model(model);
  optimize(graph);
  const auto context = test::engine_of(graph, "fp32")->create_context({});
  const auto kernels = test::kernels_of(*context);
  EXPECT_FALSE(kernels.empty());
  for (const std::string& kernel : kernels) {
    EXPECT_TRUE(test::is_fast(kernel)) << kernel;
  }
}

TEST(Kernels, OfTheBundledModelsAreFast) {
  int models = 0;
  for (const auto& entry : std::filesystem::directory_iterator(HEDGE_SOURCE_DIR "/models")) {
    if (entry.path().extension() != ".onnx") continue;
    SCOPED_TRACE(entry.path());
    expect_fast(entry.path());
    ++models;
  }
  EXPECT_GE(models, 2);
}

TEST(Kernels, OfTheSharedModelsAreFast) {
  const std::filesystem::path folder = test::shared_folder() / "models";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << folder << " is not there (HEDGE_SHARED)";
  for (const char* name :
       {"resnet8_cifar", "resnet56_cifar", "EE_resnet8", "mobilenet_v2", "squeezenet1_1"}) {
    SCOPED_TRACE(name);
    expect_fast(folder / (std::string(name) + ".onnx"));
  }
}

}  // namespace
}  // namespace hedge
