// SPDX-License-Identifier: Apache-2.0
// Runs ONNX's own node tests, those of the folder onnx/backend/test/data/node of the wheel onnx
// 1.16.2; NAME is part of the names of those to run.
//   test-conformance FOLDER [NAME]
//   test-conformance FOLDER --write=docs/operators.md
//   test-conformance FOLDER --check=docs/operators.md
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string_view>

#include "base/file.h"
#include "hedge/error.h"
#include "onnx/conformance/document.h"
#include "onnx/conformance/report.h"
#include "onnx/conformance/skips.h"

namespace hedge::conformance {
namespace {

constexpr int kSkipped = 77;  // CTest's SKIP_RETURN_CODE (tests/CMakeLists.txt).
constexpr std::string_view kWrite = "--write=";
constexpr std::string_view kCheck = "--check=";

void print_details(const Report& report) {
  for (const auto& [op, tally] : report.operators) {
    for (const auto& [reason, count] : tally.skipped) {
      fmt::print("skipped: {} of {}: {}\n", count, op, reason);
    }
    for (const auto& [reason, count] : tally.skipped_on_cpu) {
      fmt::print("not on cpu: {} of {}: {}\n", count, op, reason);
    }
  }
}

int run_program(const std::filesystem::path& folder, const std::string& argument) {
  if (!std::filesystem::is_directory(folder)) {
    fmt::print("conformance: not run: ONNX's node tests are not in '{}' (run-tests fetches them)\n",
               folder.string());
    return kSkipped;
  }
  std::vector<NodeTest> tests = read_node_tests(folder);
  std::vector<std::string> complaints;
  for (const std::string& limit : stale_limits(tests)) {
    complaints.push_back("no test is called " + limit + "...");
  }
  if (!argument.starts_with("--")) {
    std::erase_if(
        tests, [&](const NodeTest& test) { return test.name.find(argument) == std::string::npos; });
  }
  const Report report = run_all(tests);
  complaints.insert(complaints.end(), report.failures.begin(), report.failures.end());
  print_details(report);
  if (argument.starts_with(kWrite)) {
    const std::string text = document(report);
    write_file(argument.substr(kWrite.size()), text);
  } else if (argument.starts_with(kCheck)) {
    const std::string path = argument.substr(kCheck.size());
    const std::string stale = stale_line(read_text_file(path), document(report));
    if (!stale.empty()) {
      complaints.push_back(fmt::format("{}: {}; write it anew (--write)", path, stale));
    }
  }
  for (const std::string& complaint : complaints) fmt::print("FAILED: {}\n", complaint);
  fmt::print("{}\n", report.summary());
  return complaints.empty() ? EXIT_SUCCESS : EXIT_FAILURE;
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
