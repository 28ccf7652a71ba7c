// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace hedge::emulation {

/// Of a stack.
struct Unmap {
  std::size_t bytes = 0;
  void operator()(std::byte* stack) const;
};

/// A stack of its own, and where on it the work goes on. One thread of the machine runs all fibers.
class Fiber {
 public:
  /// The thread of the machine itself, which has its stack.
  Fiber() = default;
  explicit Fiber(std::size_t stack_bytes);

  /// `entry` is called at the next switch to this fiber, and must not return.
  void begin(void (*entry)());
  /// From the running fiber, this one, to another. `for_good`: this one has ended.
  void switch_to(Fiber& next, bool for_good = false);

 private:
  /// Tells the address sanitizer that the switch to this fiber is over.
  static void arrive();

  std::unique_ptr<std::byte, Unmap> stack_;
  void (*entry_)() = nullptr;
  void* fake_stack_ = nullptr;  ///< Of the address sanitizer.
#if defined(__x86_64__)
  friend void enter_fiber();
  void* top_ = nullptr;  ///< Of the stack, while another fiber runs.
#else
  friend void enter_fiber();
  ucontext_t context_{};
#endif
};

}  // namespace hedge::emulation
