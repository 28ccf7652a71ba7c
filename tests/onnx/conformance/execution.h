// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "onnx/conformance/node_test.h"

namespace hedge::conformance {

struct Outcome {
  enum class Status { kPassed, kSkipped, kFailed };
  Status status = Status::kSkipped;
  std::string reason;  ///< Why skipped or failed.
};

/// Both ways of running a test. The cpu backend runs what has an image-like input of floats.
struct Outcomes {
  Outcome reference;
  Outcome cpu;
  bool by_kernels = false;  ///< The cpu backend needed no operator's reference implementation.
};

/// Runs the test by the reference executor and, where that passes, by the cpu backend. Inputs that
/// Hedge must know when a model is built (shapes, axes) are given as initializers; whatever can be,
/// stays an input.
[[nodiscard]] Outcomes run(const NodeTest& test);

}  // namespace hedge::conformance
