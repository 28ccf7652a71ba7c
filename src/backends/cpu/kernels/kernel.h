// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>

namespace hedge::cpu {

/// A kernel that is not oneDNN's. `buffers` are the addresses of the step's arguments, in their
/// order; `parameters` is everything else, made once when the plan is compiled. run() neither
/// allocates nor locks, and any number of threads may be in it with buffers of their own.
struct Kernel {
  void (*run)(const void* parameters, std::byte* const* buffers) = nullptr;
  std::shared_ptr<const void> parameters;
};

}  // namespace hedge::cpu
