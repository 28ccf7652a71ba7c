// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace hedge {

/// Keeps vendors' libraries from the heap during inference.
///
/// oneDNN makes about ten small allocations in each primitive that it executes (the map of its
/// arguments), all of them gone when the call returns, and its interface offers no way around.
/// While a Scope lives, `operator new` on this thread is served from a few kilobytes that belong to
/// the context, provided that the program links Hedge's replacement of `operator new`
/// (`cli/program/operator_new.cpp`; CMake target hedge_operator_new): all of Hedge's programs do.
/// Without it nothing changes but that those allocations go to malloc.
///
/// Blocks may be freed in any order, on any thread and after the scope; the space is used again
/// once all are free. When it is full, malloc serves.
class TransientHeap {
 public:
  TransientHeap() noexcept;
  TransientHeap(const TransientHeap&) = delete;
  TransientHeap& operator=(const TransientHeap&) = delete;
  ~TransientHeap();

  class Scope {
   public:
    explicit Scope(TransientHeap& heap) noexcept;
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    ~Scope();

   private:
    int outer_;
  };

  /// For `operator new`: null where no scope is open on this thread, or no space is left.
  static void* allocate(std::size_t bytes) noexcept;
  /// For `operator delete`: false where the block is not one of ours.
  static bool release(void* block) noexcept;

 private:
  int slot_;  ///< -1: all slots are taken, and malloc serves.
};

}  // namespace hedge
