// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "onnx/conformance/execution.h"
#include "onnx/conformance/node_test.h"

namespace hedge::conformance {

/// Counts of one operator's tests.
struct Tally {
  int passed = 0;
  int passed_on_cpu = 0;
  int passed_by_kernels = 0;  ///< On the cpu backend, no step of it by a reference implementation.
  std::map<std::string, int> skipped;         ///< By reason.
  std::map<std::string, int> skipped_on_cpu;  ///< By reason, of those that passed otherwise.
};

/// Everything that one run of all tests found out.
struct Report {
  std::map<std::string, Tally> operators;  ///< Those that Hedge has.
  std::map<std::string, int> not_claimed;  ///< Tests of each operator that it has not.
  int passed_as_functions = 0;             ///< Expanded tests of operators that it has not.
  std::vector<std::string> failures;       ///< A line each.

  void add(const NodeTest& test, const Outcomes& outcomes);
  void add_not_claimed(const NodeTest& test);
  /// "conformance: 512 passed (301 on the cpu backend too), ...".
  [[nodiscard]] std::string summary() const;
};

/// Runs every test whose operators Hedge has.
[[nodiscard]] Report run_all(const std::vector<NodeTest>& tests);

}  // namespace hedge::conformance
