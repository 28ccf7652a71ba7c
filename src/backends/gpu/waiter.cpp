// SPDX-License-Identifier: Apache-2.0
#include "backends/gpu/waiter.h"

#include <fmt/format.h>
#include <sched.h>

#include <atomic>
#include <bit>

#include "base/clock.h"
#include "hedge/error.h"

namespace hedge::gpu {
namespace {

/// Looks at the word for each question to the driver: some 0.1 ms.
constexpr int kLooksPerQuestion = 4096;
/// Questions to the driver for each look at the clock.
constexpr int kQuestionsPerClock = 64;

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield" ::: "memory");
#endif
}

}  // namespace

Waiter::Waiter(WaitMode mode, bool by_word, std::chrono::nanoseconds limit)
    : mode_(mode), limit_ns_(limit.count()) {
  if (mode == WaitMode::kBlock) {
    cudaEvent_t event = nullptr;
    check(cudaEventCreateWithFlags(&event, cudaEventBlockingSync | cudaEventDisableTiming),
          "an event");
    done_.reset(event);
  } else if (by_word) {
    counter_ = device_memory(sizeof(std::uint32_t));
    word_ = pinned_memory(sizeof(std::uint32_t));
    completion_ = {reinterpret_cast<std::uint32_t*>(counter_.get()),
                   reinterpret_cast<std::uint32_t*>(word_.get())};
  }
}

void Waiter::take_scores(std::span<float> output) {
  if (completion_.word == nullptr) return;
  scores_ = pinned_memory(output.size() * sizeof(std::uint64_t));
  completion_.scores = reinterpret_cast<std::uint64_t*>(scores_.get());
  output_ = output;
}

bool Waiter::told_scores() const {
  for (std::size_t i = 0; i < output_.size(); ++i) {
    const std::uint64_t score =
        std::atomic_ref(completion_.scores[i]).load(std::memory_order_acquire);
    if (number_of(score) != inferences_) return false;
    output_[i] = std::bit_cast<float>(static_cast<std::uint32_t>(score));
  }
  return true;
}

bool Waiter::told() const {
  if (completion_.scores != nullptr) return told_scores();
  return std::atomic_ref(*completion_.word).load(std::memory_order_acquire) == inferences_;
}

void Waiter::pause() const {
  if (mode_ == WaitMode::kYield) {
    sched_yield();
  } else {
    relax();
  }
}

bool Waiter::asked(cudaStream_t stream) {
  const cudaError_t status = cudaStreamQuery(stream);
  if (status == cudaSuccess) return true;
  if (status != cudaErrorNotReady) check(status, "an inference");
  return false;
}

void Waiter::require_time_left() {
  const std::int64_t now = SteadyClock::now_ns();
  if (begin_ns_ == 0) begin_ns_ = now;
  if (now - begin_ns_ < limit_ns_) return;
  gave_up_ = true;
  throw runtime_failure(fmt::format(
      "CUDA: an inference has not ended within {} s: the GPU hangs, or others keep it busy (see "
      "nvidia-smi, and the kernel's log for Xid)",
      static_cast<double>(limit_ns_) / 1e9));
}

void Waiter::block(cudaStream_t stream) {
  check(cudaEventRecord(done_.get(), stream), "an inference");
  check(cudaEventSynchronize(done_.get()), "an inference");
}

void Waiter::wait_for_inference(cudaStream_t stream) {
  if (completion_.word == nullptr) return wait_for_stream(stream);
  ++inferences_;
  begin_ns_ = 0;
  for (int looks = 1; !told(); ++looks) {
    pause();
    if (looks < kLooksPerQuestion) continue;
    looks = 0;
    if (asked(stream)) {
      if (told()) return;
      throw runtime_failure("CUDA: an inference ended without saying so");
    }
    require_time_left();
  }
}

void Waiter::wait_for_stream(cudaStream_t stream) {
  if (mode_ == WaitMode::kBlock) return block(stream);
  begin_ns_ = 0;
  for (int questions = 1; !asked(stream); ++questions) {
    if (mode_ == WaitMode::kYield) sched_yield();
    if (questions < kQuestionsPerClock) continue;
    questions = 0;
    require_time_left();
  }
}

}  // namespace hedge::gpu
