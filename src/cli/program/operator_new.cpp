// SPDX-License-Identifier: Apache-2.0
// The program's replacement of the global allocation functions ([new.delete] of the C++ standard
// lets a program do so): malloc, but for the transient blocks of inference. See
// base/transient_heap.h.

#include <cstdlib>
#include <new>

#include "base/transient_heap.h"

void* operator new(std::size_t bytes) {
  if (void* block = hedge::TransientHeap::allocate(bytes)) return block;
  if (void* block = std::malloc(bytes == 0 ? 1 : bytes)) return block;
  throw std::bad_alloc();
}

void operator delete(void* block) noexcept {
  if (!hedge::TransientHeap::release(block)) std::free(block);
}

void operator delete(void* block, std::size_t /*bytes*/) noexcept {
  operator delete(block);
}
