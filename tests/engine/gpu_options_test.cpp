// SPDX-License-Identifier: Apache-2.0
#include "engine/gpu_options.h"

#include <gtest/gtest.h>

#include "hedge/error.h"

namespace hedge {
namespace {

class SomeBackend final : public Backend {
 public:
  explicit SomeBackend(bool is_gpu) : is_gpu_(is_gpu) {}
  [[nodiscard]] std::string_view name() const override { return "abacus"; }
  [[nodiscard]] std::optional<std::string> unavailable_reason() const override { return {}; }
  [[nodiscard]] std::string description() const override { return {}; }
  [[nodiscard]] int priority() const override { return 0; }
  [[nodiscard]] std::string_view default_precision() const override { return "fp32"; }
  [[nodiscard]] BackendTraits traits() const override { return {.gpu = is_gpu_}; }
  [[nodiscard]] BackendEngine build(const Graph& /*graph*/,
                                    const BuildOptions& /*options*/) const override {
    return {};
  }
  [[nodiscard]] std::shared_ptr<const CompiledModel> load(
      std::span<const Section> /*sections*/, const EngineInfo& /*info*/,
      const ContextOptions& /*options*/) const override {
    return nullptr;
  }

 private:
  bool is_gpu_;
};

std::string refusal_of(const GpuOptions& options) {
  try {
    require_gpu(SomeBackend(false), options);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kBadInput);
    return error.what();
  }
  return {};
}

TEST(GpuOptions, NamesAreReadAsTheyAreWritten) {
  for (const WaitMode mode : {WaitMode::kSpin, WaitMode::kYield, WaitMode::kBlock}) {
    EXPECT_EQ(parse_wait_mode(to_string(mode)), mode);
  }
  for (const MemoryMode mode :
       {MemoryMode::kAuto, MemoryMode::kMapped, MemoryMode::kManaged, MemoryMode::kManagedOriginal,
        MemoryMode::kPinned, MemoryMode::kDevice}) {
    EXPECT_EQ(parse_memory_mode(to_string(mode)), mode);
  }
  EXPECT_EQ(parse_memory_mode("Managed-Original"), MemoryMode::kManagedOriginal);
}

TEST(GpuOptions, OtherNamesAreRefusedWithThoseThereAre) {
  try {
    (void)parse_memory_mode("shared");
    FAIL();
  } catch (const Error& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("--memory=shared"), std::string::npos) << text;
    EXPECT_NE(text.find("managed-original"), std::string::npos) << text;
  }
  EXPECT_THROW((void)parse_wait_mode(""), Error);
  EXPECT_THROW((void)parse_wait_mode("spin "), Error);
}

TEST(GpuOptions, ABackendWithoutAGpuTakesNone) {
  EXPECT_EQ(refusal_of({}), "");
  EXPECT_NE(refusal_of({.wait = WaitMode::kSpin}).find("--wait: only for backends on a GPU"),
            std::string::npos);
  const std::string all =
      refusal_of({.wait = WaitMode::kBlock, .memory = MemoryMode::kAuto, .cuda_graph = false});
  EXPECT_NE(all.find("--wait, --memory and --no-cuda-graph"), std::string::npos) << all;
  EXPECT_NE(all.find("abacus"), std::string::npos) << all;
  EXPECT_NO_THROW(require_gpu(SomeBackend(true), {.wait = WaitMode::kBlock}));
}

}  // namespace
}  // namespace hedge
