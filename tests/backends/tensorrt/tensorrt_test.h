// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backends/cuda/emulation/control.h"
#include "backends/gpu/device.h"
#include "backends/tensorrt/compat.h"
#include "base/log.h"
#include "builder/export_model.h"
#include "double/executor.h"
#include "double/plan_file.h"
#include "engine/backend.h"
#include "engine/container.h"
#include "engine/sections.h"
#include "hedge/error.h"
#include "support/engines.h"
#include "support/nets.h"
#include "support/quantized.h"

namespace hedge::test {

/// The CUDA runtime is CUDA's own: its calls are not noted and do not fail on demand.
#ifdef HEDGE_DOUBLE_ON_GPU
inline constexpr bool kOnGpu = true;
#else
inline constexpr bool kOnGpu = false;
#endif

/// On the doubles of TensorRT, and of CUDA where there is no GPU, which must have nothing to
/// complain of.
class TensorRtTest : public testing::Test {
 protected:
  TensorRtTest() {
#ifndef HEDGE_DOUBLE_ON_GPU
    setenv("HEDGE_MODULE_PATH", HEDGE_DOUBLE_MODULES, 1);
#endif
    hedge_double::reset();
    set_log_sink([this](LogLevel level, std::string_view text) {
      if (level != LogLevel::kDebug) log_.emplace_back(text);
    });
  }
  ~TensorRtTest() override {
    set_log_sink({});
    EXPECT_EQ(hedge_double::all_alive(), 0);
    for (const std::string& complaint : hedge_double::complaints()) ADD_FAILURE() << complaint;
  }

  void SetUp() override {
    if (const auto reason = gpu::unavailable_reason()) GTEST_SKIP() << *reason;
  }

  static const Backend& backend() {
    return require_backend("tensorrt");
  }
  static BuildOptions options(const std::string& precision) {
    return {.precision = precision, .timing_cache = {}, .write_onnx = onnx_of};
  }

  static EngineContainer container(const Graph& graph, const BuildOptions& options) {
    BackendEngine built = backend().build(graph, options);
    EngineContainer container;
    container.info.backend = "tensorrt";
    container.info.precision = options.precision;
    container.info.batch = graph.input_type(0).shape.at(0);
    container.info.inputs = {{"input", graph.input_type(0).shape}};
    for (const ValueId id : graph.outputs) {
      container.info.outputs.push_back({graph.value(id).name, graph.value(id).type.shape});
    }
    container.sections = std::move(built.sections);
    return container;
  }
  static std::shared_ptr<const Engine> engine(const Graph& graph, const std::string& precision) {
    return make_engine(container(graph, options(precision)));
  }

  /// Of float32, which the tensor cores of a GPU compute from three products.
  static double fp32_tolerance() {
    return hedge_double::computes_by_cuda() ? 1e-4 : 1e-5;
  }
  /// Of int8 with float32 between: on a GPU, sums in another order end in a neighbour of some
  /// integers.
  static double int8_tolerance() {
    return kOnGpu ? 0.03 : 1e-5;
  }
  static std::string this_gpu() {
    return gpu::description_of(gpu::device());
  }

  static hedge_double::PlanFile plan_of(const EngineContainer& container) {
    const auto bytes = find_section(container.sections, kPlanSection).bytes;
    std::string reason;
    auto plan = hedge_double::read_plan(bytes.data(), bytes.size(), reason);
    EXPECT_TRUE(plan) << reason;
    return plan.value_or(hedge_double::PlanFile{});
  }

  /// For tests that count calls: on integrated GPUs the automatic choice tries two contexts.
  inline static const ContextOptions kMapped{.gpu = {.memory = MemoryMode::kMapped}};

  /// What it throws: one line.
  template <class Function>
  static std::string error_of(Function function) {
    try {
      function();
    } catch (const Error& error) {
      const std::string text = error.what();
      EXPECT_EQ(text.find('\n'), std::string::npos) << text;
      return text;
    }
    return "nothing was thrown";
  }
  [[nodiscard]] bool logged(const std::string& part) const {
    for (const std::string& line : log_) {
      if (line.find(part) != std::string::npos) return true;
    }
    return false;
  }
  static testing::AssertionResult contains(const std::string& text, const std::string& part) {
    if (text.find(part) != std::string::npos) return testing::AssertionSuccess();
    return testing::AssertionFailure() << "'" << part << "' is not in: " << text;
  }

  std::vector<std::string> log_;
};

/// As long as it lives, engines of the double are computed by the cuda backend.
class ByCuda {
 public:
  ByCuda() {
    if (const char* text = std::getenv(kVariable)) before_ = text;
    setenv(kVariable, "cuda", 1);
  }
  ByCuda(const ByCuda&) = delete;
  ByCuda& operator=(const ByCuda&) = delete;
  ~ByCuda() { before_.empty() ? unsetenv(kVariable) : setenv(kVariable, before_.c_str(), 1); }

 private:
  static constexpr const char* kVariable = "HEDGE_DOUBLE_EXECUTOR";
  std::string before_;
};

inline Graph small_net() {
  return optimized(small_nets().front().second());
}

}  // namespace hedge::test
