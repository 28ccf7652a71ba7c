// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "backends/tensorrt/compat.h"

namespace hedge::tensorrt {

/// How far the builder is, out of its phases within phases: each step of a phase is as long as
/// every other, and what goes on inside a step counts within it. Ctrl-C ends the build at its next
/// step.
class Progress final : public ProgressMonitor {
 public:
  /// `report` gets thousandths and 1000, from one thread at a time. May be empty.
  explicit Progress(std::function<void(std::int64_t done, std::int64_t total)> report)
      : report_(std::move(report)) {}

  void phaseStart(char const* phase, char const* parent, std::int32_t steps) noexcept override;
  bool stepComplete(char const* phase, std::int32_t step) noexcept override;
  void phaseFinish(char const* phase) noexcept override;

 private:
  struct Phase {
    std::string name;
    std::string parent;
    std::int32_t steps = 1;
    std::int32_t done = 0;
  };
  /// Of 1.
  [[nodiscard]] double done(const Phase& phase) const;
  void report();

  std::function<void(std::int64_t, std::int64_t)> report_;
  std::mutex mutex_;
  std::vector<Phase> phases_;
  std::int64_t reported_ = 0;
};

}  // namespace hedge::tensorrt
