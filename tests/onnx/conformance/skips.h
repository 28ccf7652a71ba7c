// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "onnx/conformance/node_test.h"

namespace hedge::conformance {

/// The operator that keeps the test from being tried, because Hedge has none of that name; empty
/// where all are there.
[[nodiscard]] std::string missing_operator(const NodeTest& test);

/// Why a test whose operators are there cannot be passed: an element type that Hedge lacks, or what
/// the list of known limits says. Empty: it must pass.
[[nodiscard]] std::string reason_to_skip(const NodeTest& test);

/// Entries of the list of known limits that no test's name matches, which would hide nothing.
[[nodiscard]] std::vector<std::string> stale_limits(const std::vector<NodeTest>& tests);

}  // namespace hedge::conformance
