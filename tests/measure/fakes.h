// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <utility>

#include "base/cancellation.h"
#include "hedge/engine.h"

namespace hedge {

/// A clock that moves only as the test says: by `step_ns` at every read, and by advance().
class FakeClock {
 public:
  explicit FakeClock(std::int64_t step_ns = 0) : state_(std::make_shared<State>()) {
    state_->step_ns = step_ns;
  }
  [[nodiscard]] std::int64_t now_ns() const {
    ++state_->reads;
    const std::int64_t now = state_->now_ns;
    state_->now_ns += state_->step_ns;
    return now;
  }
  void advance(std::int64_t ns) const { state_->now_ns += ns; }
  [[nodiscard]] std::int64_t reads() const { return state_->reads; }

 private:
  struct State {
    std::int64_t now_ns = 1'000'000;
    std::int64_t step_ns = 0;
    std::int64_t reads = 0;
  };
  std::shared_ptr<State> state_;
};

/// Calls `on_infer(run)` with the number of the run, from 1.
class FakeContext final : public ExecutionContext {
 public:
  explicit FakeContext(std::function<void(int)> on_infer = [](int) {})
      : on_infer_(std::move(on_infer)) {}
  std::span<float> input() override { return {}; }
  [[nodiscard]] std::size_t output_count() const override { return 0; }
  [[nodiscard]] std::span<const float> output(std::size_t) const override { return {}; }
  void infer() override { on_infer_(++runs_); }
  [[nodiscard]] MemoryUse memory() const override { return {}; }
  [[nodiscard]] int runs() const { return runs_; }

 private:
  std::function<void(int)> on_infer_;
  int runs_ = 0;
};

/// Leaves the process's cancellation flag as every other test expects it.
class CancellationGuard {
 public:
  CancellationGuard() { cancellation_flag = false; }
  CancellationGuard(const CancellationGuard&) = delete;
  CancellationGuard& operator=(const CancellationGuard&) = delete;
  ~CancellationGuard() { cancellation_flag = false; }
};

}  // namespace hedge
