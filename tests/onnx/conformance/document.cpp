// SPDX-License-Identifier: Apache-2.0
#include "onnx/conformance/document.h"

#include <fmt/format.h>

#include "base/text.h"
#include "graph/operators/operator.h"
#include "onnx/model_file.h"

namespace hedge::conformance {
namespace {

constexpr const char* kIntroduction =
    R"(# Operators

Written by `build-release/test-conformance .venv/lib/python3*/site-packages/onnx/backend/test/data/node --write=docs/operators.md`
(`./run-tests release` makes both folders); a test fails where it is not what the code says.

Hedge reads opset {} to {}, newer ones with a warning, and of ONNX Runtime's domain QuantizeLinear, DequantizeLinear and
Gelu. float16, bfloat16 and double become float32. Extents must be known when an engine is built, and so must shapes, axes and the like.

A NaN stays one in Min, Max and ReduceMax, as in ONNX Runtime. On the cpu backend it may become a number in Relu, Clip, Min or Max
with one number, which is a Clip, and MaxPool: those are done as other layers' post-ops or by the vendor's kernels.

## What there is

The node tests are those inside `onnx` 1.16.2, expanded ones (an operator written as the nodes that define it) included.
Passed: by the reference executor, to 1e-3 of each element, integers exactly. The cpu backend runs those of them that have
an input of floats and outputs of floats; in brackets, how many without the reference implementation of any operator.

| operator | passed | skipped | on the cpu backend |
|---|---|---|---|
)";

int sum(const std::map<std::string, int>& counts) {
  int total = 0;
  for (const auto& [reason, count] : counts) total += count;
  return total;
}

std::string operator_rows(const Report& report) {
  std::string text;
  for (const Operator* op : all_operators()) {
    const auto found = report.operators.find(std::string(op->name));
    const Tally tally = found == report.operators.end() ? Tally{} : found->second;
    text += fmt::format("| {} | {} | {} | {} ({}) |\n", op->name, tally.passed, sum(tally.skipped),
                        tally.passed_on_cpu, tally.passed_by_kernels);
  }
  return text;
}

/// "| reason | operators: Cast 6, CastLike 2 |"
std::string reason_rows(const Report& report) {
  std::map<std::string, std::vector<std::string>> by_reason;
  for (const auto& [op, tally] : report.operators) {
    for (const auto& [reason, count] : tally.skipped) {
      by_reason[reason].push_back(fmt::format("{} {}", op, count));
    }
  }
  std::string text = "\n## Skipped\n\n| reason | tests |\n|---|---|\n";
  for (const auto& [reason, operators] : by_reason) {
    text += fmt::format("| {} | {} |\n", reason, fmt::join(operators, ", "));
  }
  return text;
}

std::string missing_operators(const Report& report) {
  std::vector<std::string> operators;
  for (const auto& [op, count] : report.not_claimed) {
    operators.push_back(fmt::format("{} {}", op, count));
  }
  std::string text = "\n## What there is not\n\nOperators with tests of their own, and how many";
  if (report.passed_as_functions > 0) {
    text += fmt::format(" ({} more, written as the nodes that define the operator, pass)",
                        report.passed_as_functions);
  }
  return text + fmt::format(":\n{}.\n", fmt::join(operators, ", "));
}

/// A row of the operators less its last column.
std::string without_cpu_column(const std::string& line) {
  const std::size_t end = line.rfind(" | ");
  return line.ends_with(") |") && end != std::string::npos ? line.substr(0, end) : line;
}

}  // namespace

std::string document(const Report& report) {
  return fmt::format(kIntroduction, kOldestOpset, kNewestOpset) + operator_rows(report) +
         reason_rows(report) + missing_operators(report);
}

std::string stale_line(const std::string& file, const std::string& generated) {
  const std::vector<std::string> there = split(file, '\n');
  const std::vector<std::string> wanted = split(generated, '\n');
  for (std::size_t i = 0; i < std::max(there.size(), wanted.size()); ++i) {
    const std::string is = i < there.size() ? there[i] : "";
    const std::string should = i < wanted.size() ? wanted[i] : "";
    if (without_cpu_column(is) != without_cpu_column(should)) {
      return fmt::format("line {} is '{}' instead of '{}'", i + 1, is, should);
    }
  }
  return {};
}

}  // namespace hedge::conformance
