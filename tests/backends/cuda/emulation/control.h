// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

// What the emulated CUDA runtime and the doubles of TensorRT share: which calls came, which of them
// are to fail, and what was done wrong.

namespace hedge_double {

/// Notes the call. Whether it is to fail: by fail(), or by HEDGE_DOUBLE_FAIL=CALL[:N] in the
/// environment, N counting its calls from 1 (default 1).
[[nodiscard]] bool fails(const std::string& call);
/// The Nth call from now on fails, and only that.
void fail(const std::string& call, int nth = 1);
/// The Nth call of any kind from now on fails, and only that.
void fail_any(int nth);
/// Calls in order since reset().
[[nodiscard]] std::vector<std::string> calls();
[[nodiscard]] int count(const std::string& call);

/// The caller broke a rule of TensorRT's or CUDA's documentation.
void complain(const std::string& what);
[[nodiscard]] std::vector<std::string> complaints();
/// Forgets calls, complaints and failures that were to come.
void reset();

/// Objects of a kind that are alive: +1 and -1.
void count_alive(const std::string& kind, int change);
[[nodiscard]] int alive(const std::string& kind);
[[nodiscard]] int all_alive();

/// Ends the program: a function that the double does not have.
[[noreturn]] void unexpected(const char* function) noexcept;

/// As long as it lives, an object of the kind does.
class Alive {
 public:
  explicit Alive(std::string kind) : kind_(std::move(kind)) { count_alive(kind_, 1); }
  Alive(const Alive&) = delete;
  Alive& operator=(const Alive&) = delete;
  ~Alive() { count_alive(kind_, -1); }

 private:
  std::string kind_;
};

}  // namespace hedge_double
