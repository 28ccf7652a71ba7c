// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <span>

#include "backends/gpu/device.h"
#include "backends/gpu/kernels/launch.h"
#include "hedge/engine.h"

namespace hedge::gpu {

/// Waits for what has been sent to a stream. While it spins or yields, it reads a word that the
/// inference's last kernel writes, which is known sooner, and costs less to look at, than the
/// driver's answer; that is asked for only now and then, so that an error ends the wait. Throws
/// runtime_failure where the GPU has failed, or has not ended within the limit (kBlock, which the
/// driver keeps, has none).
class Waiter {
 public:
  /// `by_word`: see completion(); without effect with kBlock.
  Waiter(WaitMode mode, bool by_word, std::chrono::nanoseconds limit);

  /// The last kernel writes all that there is of outputs, and stores them with the number of the
  /// inference in place of the word; the waiter puts them here. Before the first inference; nothing
  /// where it is no word that is looked at.
  void take_scores(std::span<float> output);

  /// What an inference's last kernel must tell; empty where nothing is to be told.
  [[nodiscard]] const Completion& completion() const { return completion_; }
  /// After each inference whose last kernel tells.
  void wait_for_inference(cudaStream_t stream);
  /// By asking the driver, which also makes managed memory the host's again.
  void wait_for_stream(cudaStream_t stream);
  /// The limit has passed: who frees memory or the stream now waits for the GPU for ever.
  [[nodiscard]] bool gave_up() const { return gave_up_; }

 private:
  [[nodiscard]] bool told() const;
  [[nodiscard]] bool told_scores() const;
  /// Between two looks.
  void pause() const;
  /// Whether the driver says that the stream is done.
  [[nodiscard]] bool asked(cudaStream_t stream);
  void block(cudaStream_t stream);
  void require_time_left();

  WaitMode mode_;
  std::int64_t limit_ns_;
  std::int64_t begin_ns_ = 0;  ///< Of this wait; 0: nobody has looked at the clock yet.
  Memory counter_, word_, scores_;
  std::span<float> output_;
  Completion completion_{};
  std::uint32_t inferences_ = 0;
  Event done_;  ///< Of kBlock.
  bool gave_up_ = false;
};

}  // namespace hedge::gpu
