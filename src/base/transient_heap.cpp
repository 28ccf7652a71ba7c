// SPDX-License-Identifier: Apache-2.0
#include "base/transient_heap.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <utility>

namespace hedge {
namespace {

constexpr std::size_t kSlotBytes = 16384;
constexpr std::size_t kSlots = 256;
constexpr std::size_t kAlignment = alignof(std::max_align_t);

// A cache line each: contexts of several threads must not share one.
struct alignas(64) Slot {
  std::atomic<bool> taken{false};
  std::atomic<std::uint32_t> live{0};
  std::size_t top = 0;  ///< Only the thread whose scope is open moves it.
};

// One static region, so that a block is told from malloc's by its address alone. Zero pages: it
// takes memory only where it is used.
alignas(64) std::array<std::byte, kSlotBytes * kSlots> region;
std::array<Slot, kSlots> slots;
thread_local int open_slot = -1;

}  // namespace

TransientHeap::TransientHeap() noexcept : slot_(-1) {
  for (std::size_t i = 0; i < kSlots; ++i) {
    if (!slots[i].taken.exchange(true)) {
      // Blocks of the last owner that are still in use keep the slot out of service.
      if (slots[i].live.load() == 0) {
        slots[i].top = 0;
        slot_ = static_cast<int>(i);
        return;
      }
      slots[i].taken.store(false);
    }
  }
}

TransientHeap::~TransientHeap() {
  if (slot_ >= 0) slots[static_cast<std::size_t>(slot_)].taken.store(false);
}

TransientHeap::Scope::Scope(TransientHeap& heap) noexcept
    : outer_(std::exchange(open_slot, heap.slot_)) {}

TransientHeap::Scope::~Scope() {
  open_slot = outer_;
}

void* TransientHeap::allocate(std::size_t bytes) noexcept {
  if (open_slot < 0) return nullptr;
  if (bytes == 0) bytes = 1;  // Two blocks never have the same address.
  const auto index = static_cast<std::size_t>(open_slot);
  Slot& slot = slots[index];
  if (slot.live.load(std::memory_order_acquire) == 0) slot.top = 0;
  if (bytes > kSlotBytes - slot.top) return nullptr;
  std::byte* block = region.data() + index * kSlotBytes + slot.top;
  slot.top += (bytes + kAlignment - 1) / kAlignment * kAlignment;
  if (slot.top > kSlotBytes) slot.top = kSlotBytes;
  slot.live.fetch_add(1, std::memory_order_relaxed);
  return block;
}

bool TransientHeap::release(void* block) noexcept {
  const auto offset =
      reinterpret_cast<std::uintptr_t>(block) - reinterpret_cast<std::uintptr_t>(region.data());
  if (offset >= region.size()) return false;
  slots[offset / kSlotBytes].live.fetch_sub(1, std::memory_order_release);
  return true;
}

}  // namespace hedge
