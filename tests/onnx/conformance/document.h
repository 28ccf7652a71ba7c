// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "onnx/conformance/report.h"

namespace hedge::conformance {

/// docs/operators.md: every operator that Hedge has, and what the node tests found out.
[[nodiscard]] std::string document(const Report& report);

/// The first line in which the document in a file differs from the report's, or empty. What the cpu
/// backend passes is left out: it depends on the machine and on oneDNN's version.
[[nodiscard]] std::string stale_line(const std::string& file, const std::string& generated);

}  // namespace hedge::conformance
