// SPDX-License-Identifier: Apache-2.0
#include "backends/cuda/emulation/fiber.h"

#include <sys/mman.h>

#include <cstdint>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#define HEDGE_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HEDGE_ADDRESS_SANITIZER 1
#endif
#endif
#if defined(HEDGE_ADDRESS_SANITIZER)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#if defined(__x86_64__)
// What a function must keep goes to the stack; the stack pointers change places. (System V ABI for
// x86-64, "Register usage".) void hedge_switch_stacks(void** from, void* to)
asm(R"(
.text
.globl hedge_switch_stacks
.hidden hedge_switch_stacks
.type hedge_switch_stacks, @function
hedge_switch_stacks:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size hedge_switch_stacks, . - hedge_switch_stacks
)");
extern "C" void hedge_switch_stacks(void** from, void* to);
#endif

namespace hedge::emulation {
namespace {

Fiber* running = nullptr;
#if defined(HEDGE_ADDRESS_SANITIZER)
/// The machine's thread's, learnt where a switch away from it arrives.
const void* machine_stack = nullptr;
std::size_t machine_stack_bytes = 0;
#endif

}  // namespace

void Unmap::operator()(std::byte* stack) const {
  munmap(stack, bytes);
}

Fiber::Fiber(std::size_t stack_bytes) {
  void* stack = mmap(nullptr, stack_bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (stack == MAP_FAILED) throw std::bad_alloc();
  stack_ = {static_cast<std::byte*>(stack), Unmap{stack_bytes}};
}

void Fiber::arrive() {
#if defined(HEDGE_ADDRESS_SANITIZER)
  const void* bottom = nullptr;
  std::size_t bytes = 0;
  __sanitizer_finish_switch_fiber(running->fake_stack_, &bottom, &bytes);
  if (machine_stack == nullptr) {  // The switch was from it.
    machine_stack = bottom;
    machine_stack_bytes = bytes;
  }
#endif
}

void enter_fiber() {
  Fiber::arrive();
  running->entry_();
}

void Fiber::begin(void (*entry)()) {
  entry_ = entry;
  fake_stack_ = nullptr;
  const std::size_t bytes = stack_.get_deleter().bytes;
#if defined(HEDGE_ADDRESS_SANITIZER)
  __asan_unpoison_memory_region(stack_.get(), bytes);
#endif
#if defined(__x86_64__)
  auto** top = reinterpret_cast<void**>(stack_.get() + bytes);
  *--top = nullptr;  // Where enter_fiber would return to; and its frame is aligned so.
  *--top = reinterpret_cast<void*>(enter_fiber);
  for (int i = 0; i < 6; ++i) *--top = nullptr;
  top_ = top;
#else
  getcontext(&context_);
  context_.uc_stack.ss_sp = stack_.get();
  context_.uc_stack.ss_size = bytes;
  context_.uc_link = nullptr;
  makecontext(&context_, enter_fiber, 0);
#endif
}

void Fiber::switch_to(Fiber& next, bool for_good) {
  running = &next;
  (void)for_good;
#if defined(HEDGE_ADDRESS_SANITIZER)
  const bool owned = next.stack_ != nullptr;
  if (stack_ == nullptr) machine_stack = nullptr;
  __sanitizer_start_switch_fiber(for_good ? nullptr : &fake_stack_,
                                 owned ? next.stack_.get() : machine_stack,
                                 owned ? next.stack_.get_deleter().bytes : machine_stack_bytes);
#endif
#if defined(__x86_64__)
  hedge_switch_stacks(&top_, next.top_);
#else
  swapcontext(&context_, &next.context_);
#endif
  arrive();
}

}  // namespace hedge::emulation
