// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "backends/tensorrt/libraries.h"
#include "engine/backend.h"

namespace hedge::tensorrt {

/// The first bytes of a plan, as far as they are known (trtexec --getPlanVersionOnly reads them).
[[nodiscard]] bool is_plan(std::span<const std::byte> bytes);
/// "8.6.1"; nothing where the plan's format does not tell.
[[nodiscard]] std::optional<std::string> plan_version(std::span<const std::byte> bytes);

/// What an engine file says of the plan inside it. Empty where it is a bare plan.
struct PlanOrigin {
  std::string version;  ///< Of TensorRT: "10.3.0".
  std::string gpu;      ///< "Orin (sm_87)".
  std::optional<int> dla_core{};
};

/// Input and outputs of an engine, in the order of the caller's.
struct PlanBindings {
  std::string input;
  std::vector<std::string> outputs;
};

/// A plan that TensorRT has taken, shared by its contexts.
class LoadedPlan {
 public:
  /// Throws bad_input, with TensorRT's words and what is known of the plan's origin: of another
  /// version or GPU, truncated, in need of a plugin.
  LoadedPlan(std::span<const std::byte> bytes, const PlanOrigin& origin);

  [[nodiscard]] const nvinfer1::ICudaEngine& engine() const { return *engine_; }
  /// All inputs and outputs must be float32 in row-major order. Throws bad_input that names those
  /// that are not, and where there is not one input.
  [[nodiscard]] PlanBindings bindings() const;
  /// As the plan has them; an extent that varies is -1.
  [[nodiscard]] std::vector<std::int64_t> shape(const std::string& tensor) const;
  /// With `batch` in front, and other extents that vary as the plan is tuned for; nothing where the
  /// plan cannot have that batch.
  [[nodiscard]] std::optional<nvinfer1::Dims> input_shape(const std::string& input,
                                                          std::int64_t batch) const;
  /// With the batch that it is tuned for; all the same where nothing varies.
  [[nodiscard]] BatchRange range(const std::string& input) const;
  /// That the plan can have, first and last; the same where nothing varies.
  [[nodiscard]] std::pair<std::int64_t, std::int64_t> batches(const std::string& input) const;
  [[nodiscard]] std::unique_ptr<nvinfer1::IExecutionContext> new_context() const;
  /// TensorRT's account of the layers, in its JSON, as far as it was told to keep it (kDETAILED).
  /// Empty where there is none.
  [[nodiscard]] std::string layer_information() const;
  [[nodiscard]] std::size_t plan_bytes() const { return plan_bytes_; }

 private:
  [[nodiscard]] std::vector<std::int64_t> profile_shape(const std::string& input,
                                                        nvinfer1::OptProfileSelector which) const;

  std::unique_ptr<nvinfer1::IRuntime> runtime_;
  std::unique_ptr<nvinfer1::ICudaEngine> engine_;
  std::size_t plan_bytes_ = 0;
  mutable std::mutex mutex_;  ///< Contexts are made one after the other.
};

}  // namespace hedge::tensorrt
