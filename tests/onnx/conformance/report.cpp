// SPDX-License-Identifier: Apache-2.0
#include "onnx/conformance/report.h"

#include <fmt/format.h>

#include <numeric>

#include "graph/operators/operator.h"
#include "onnx/conformance/skips.h"

namespace hedge::conformance {
namespace {

int sum(const std::map<std::string, int>& counts) {
  return std::accumulate(counts.begin(), counts.end(), 0,
                         [](int total, const auto& entry) { return total + entry.second; });
}

}  // namespace

void Report::add(const NodeTest& test, const Outcomes& outcomes) {
  using Status = Outcome::Status;
  for (const auto& [way, outcome] :
       {std::pair{"reference", &outcomes.reference}, std::pair{"cpu backend", &outcomes.cpu}}) {
    if (outcome->status != Status::kFailed) continue;
    failures.push_back(fmt::format("{} ({}): {}", test.name, way, outcome->reason));
  }
  if (find_operator(test.about) == nullptr) {
    passed_as_functions += outcomes.reference.status == Status::kPassed ? 1 : 0;
    return;
  }
  Tally& tally = operators[test.about];
  if (outcomes.reference.status == Status::kSkipped) ++tally.skipped[outcomes.reference.reason];
  if (outcomes.reference.status != Status::kPassed) return;
  ++tally.passed;
  if (outcomes.cpu.status == Status::kPassed) {
    ++tally.passed_on_cpu;
    tally.passed_by_kernels += outcomes.by_kernels ? 1 : 0;
  }
  if (outcomes.cpu.status == Status::kSkipped) ++tally.skipped_on_cpu[outcomes.cpu.reason];
}

void Report::add_not_claimed(const NodeTest& test) {
  if (find_operator(test.about) == nullptr) {
    ++not_claimed[test.about];
  } else {
    ++operators[test.about].skipped["its expanded form needs " + missing_operator(test)];
  }
}

std::string Report::summary() const {
  int passed = passed_as_functions;
  int on_cpu = 0;
  int skipped = 0;
  for (const auto& [name, tally] : operators) {
    passed += tally.passed;
    on_cpu += tally.passed_on_cpu;
    skipped += sum(tally.skipped);
  }
  return fmt::format(
      "conformance: {} passed ({} on the cpu backend too), {} skipped, {} of operators that Hedge "
      "has not, {} failed",
      passed, on_cpu, skipped, sum(not_claimed), failures.size());
}

Report run_all(const std::vector<NodeTest>& tests) {
  Report report;
  for (const NodeTest& test : tests) {
    if (!missing_operator(test).empty()) {
      report.add_not_claimed(test);
      continue;
    }
    const std::string reason = reason_to_skip(test);
    report.add(test, reason.empty() ? run(test)
                                    : Outcomes{.reference = {Outcome::Status::kSkipped, reason},
                                               .cpu = {Outcome::Status::kSkipped, reason}});
  }
  return report;
}

}  // namespace hedge::conformance
