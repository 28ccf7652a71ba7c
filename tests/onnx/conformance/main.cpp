// SPDX-License-Identifier: Apache-2.0
// Runs ONNX's own node tests: test-conformance FOLDER [NAME]. FOLDER is onnx/backend/test/data/node of
// the wheel onnx 1.16.2; NAME is part of the tests' names.
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "hedge/error.h"
#include "onnx/conformance/report.h"
#include "onnx/conformance/skips.h"

namespace hedge::conformance {
namespace {

constexpr int kSkipped = 77;  // CTest's SKIP_RETURN_CODE (tests/CMakeLists.txt).

int run_program(const std::filesystem::path& folder, const std::string& name) {
  if (!std::filesystem::is_directory(folder)) {
    fmt::print("conformance: not run: ONNX's node tests are not in '{}' (run-tests fetches them)\n",
               folder.string());
    return kSkipped;
  }
  std::vector<NodeTest> tests = read_node_tests(folder);
  const auto stale = stale_limits(tests);
  std::erase_if(tests, [&](const NodeTest& test) {
    return test.name.find(name) == std::string::npos;
  });
  const Report report = run_all(tests);
  for (const auto& [op, tally] : report.operators) {
    for (const auto& [reason, count] : tally.skipped) {
      fmt::print("skipped: {} of {}: {}\n", count, op, reason);
    }
    for (const auto& [reason, count] : tally.skipped_on_cpu) {
      fmt::print("not on cpu: {} of {}: {}\n", count, op, reason);
    }
  }
  for (const std::string& limit : stale) fmt::print("FAILED: no test is called {}...\n", limit);
  for (const std::string& failure : report.failures) fmt::print("FAILED: {}\n", failure);
  fmt::print("{}\n", report.summary());
  return report.failures.empty() && stale.empty() ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace
}  // namespace hedge::conformance

int main(int argc, char** argv) {
  try {
    return hedge::conformance::run_program(argc > 1 ? argv[1] : "", argc > 2 ? argv[2] : "");
  } catch (const std::exception& error) {
    fmt::print(stderr, "conformance: {}\n", error.what());
    return EXIT_FAILURE;
  }
}
