// SPDX-License-Identifier: Apache-2.0
#include "backends/cuda/emulation/control.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <utility>

namespace hedge_double {
namespace {

/// So many calls are noted without an allocation, which those would count who count theirs.
constexpr std::size_t kRoom = 1U << 14U;

struct State {
  State() { calls.reserve(kRoom); }
  std::mutex mutex;
  std::vector<std::string> calls;
  std::vector<std::string> complaints;
  std::map<std::string, int> to_fail;  ///< By call: how many from now on.
  int any_to_fail = 0;                 ///< How many calls from now on; 0: none.
  std::map<std::string, int> alive;
};

/// HEDGE_DOUBLE_FAIL=CALL[:N]
void read_environment(State& state) {
  const char* text = std::getenv("HEDGE_DOUBLE_FAIL");
  if (text == nullptr) return;
  const std::string stated = text;
  const std::size_t colon = stated.find(':');
  state.to_fail[stated.substr(0, colon)] =
      colon == std::string::npos ? 1 : std::atoi(stated.c_str() + colon + 1);
}

State& state() {
  static State& state = *[] {  // Never destroyed: threads of others may still come.
    auto* made = new State;
    read_environment(*made);
    return made;
  }();
  return state;
}

}  // namespace

bool fails(const std::string& call) {
  State& s = state();
  const std::lock_guard lock(s.mutex);
  s.calls.push_back(call);
  if (s.any_to_fail > 0 && --s.any_to_fail == 0) return true;
  const auto found = s.to_fail.find(call);
  if (found == s.to_fail.end() || --found->second != 0) return false;
  s.to_fail.erase(found);
  return true;
}

void fail(const std::string& call, int nth) {
  State& s = state();
  const std::lock_guard lock(s.mutex);
  s.to_fail[call] = nth;
}

void fail_any(int nth) {
  State& s = state();
  const std::lock_guard lock(s.mutex);
  s.any_to_fail = nth;
}

std::vector<std::string> calls() {
  State& s = state();
  const std::lock_guard lock(s.mutex);
  return s.calls;
}

int count(const std::string& call) {
  const auto all = calls();
  return static_cast<int>(std::count(all.begin(), all.end(), call));
}

void complain(const std::string& what) {
  State& s = state();
  const std::lock_guard lock(s.mutex);
  s.complaints.push_back(what);
}

std::vector<std::string> complaints() {
  State& s = state();
  const std::lock_guard lock(s.mutex);
  return s.complaints;
}

void reset() {
  State& s = state();
  const std::lock_guard lock(s.mutex);
  s.calls.clear();
  s.complaints.clear();
  s.to_fail.clear();
  s.any_to_fail = 0;
}

void count_alive(const std::string& kind, int change) {
  State& s = state();
  const std::lock_guard lock(s.mutex);
  s.alive[kind] += change;
}

int alive(const std::string& kind) {
  State& s = state();
  const std::lock_guard lock(s.mutex);
  return s.alive[kind];
}

int all_alive() {
  State& s = state();
  const std::lock_guard lock(s.mutex);
  int sum = 0;
  for (const auto& [kind, number] : s.alive) sum += number;
  return sum;
}

void unexpected(const char* function) noexcept {
  std::fprintf(stderr, "the double of TensorRT has no %s\n", function);
  std::abort();
}

}  // namespace hedge_double
