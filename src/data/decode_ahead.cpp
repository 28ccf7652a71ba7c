// SPDX-License-Identifier: Apache-2.0
#include "data/decode_ahead.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/cancellation.h"
#include "data/dataset_wrapper.h"

namespace hedge {
namespace {

class DecodeAhead final : public DatasetWrapper {
 public:
  DecodeAhead(std::unique_ptr<Dataset> dataset, const DecodeAheadOptions& options)
      : DatasetWrapper(std::move(dataset)), options_(options) {
    const std::size_t bytes = std::max<std::size_t>(1, wrapped().image(0).pixels.size());
    slots_.resize(std::clamp<std::size_t>(options.memory_bytes / bytes, 2, kMostSlots));
    threads_.reserve(static_cast<std::size_t>(std::max(1, options.threads)));
    for (int i = 0; i < std::max(1, options.threads); ++i) {
      try {
        threads_.emplace_back([this] { work(); });
      } catch (const std::system_error&) {
        if (threads_.empty()) throw;
        break;  // The machine gives no more: fewer do.
      }
    }
  }
  DecodeAhead(const DecodeAhead&) = delete;
  DecodeAhead& operator=(const DecodeAhead&) = delete;
  ~DecodeAhead() override {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    work_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  [[nodiscard]] Image image(std::size_t index) const override {
    std::unique_lock lock(mutex_);
    move_to(index);
    const Slot& slot = slots_[index % slots_.size()];
    // A signal wakes no condition variable, so the flag is looked at now and then.
    while (!ready(index)) {
      done_.wait_for(lock, std::chrono::milliseconds(50));
      if (cancellation_requested()) end_ = std::min(end_, std::max(claimed_, index + 1));
    }
    if (slot.error) std::rethrow_exception(slot.error);
    return slot.image;
  }

 private:
  static constexpr std::size_t kMostSlots = 4096;

  struct Slot {
    Image image;
    std::exception_ptr error;
    bool done = false;
  };

  /// The image is there, and without `overlap` no thread is at work any more.
  [[nodiscard]] bool ready(std::size_t index) const {
    if (!slots_[index % slots_.size()].done) return false;
    return options_.overlap || (claimed_ == end_ && busy_ == 0);
  }

  /// Makes `index` part of the window [begin_, end_). Images behind it are given up only where
  /// their slots are needed.
  void move_to(std::size_t index) const {
    const bool inside = index >= begin_ && index < end_;
    if (inside && !options_.overlap) return;
    if (!inside && (index != end_ || begin_ == end_)) {
      ++generation_;  // What is still being decoded is thrown away.
      begin_ = end_ = claimed_ = index;
    }
    const std::size_t last = std::max(index + 1, std::min(options_.images, size()));
    const std::size_t end = std::min(index + slots_.size(), last);
    for (; begin_ < index; ++begin_) slots_[begin_ % slots_.size()] = {};
    for (; end_ < end; ++end_) slots_[end_ % slots_.size()] = {};
    claimed_ = std::max(claimed_, begin_);
    work_.notify_all();
  }

  void work() {
    std::unique_lock lock(mutex_);
    while (true) {
      work_.wait(lock, [this] { return stop_ || claimed_ < end_; });
      if (stop_) return;
      const std::size_t index = claimed_++;
      const std::size_t generation = generation_;
      ++busy_;
      lock.unlock();
      Slot slot{.image = {}, .error = nullptr, .done = true};
      try {
        slot.image = wrapped().image(index);
      } catch (...) {
        slot.error = std::current_exception();
      }
      lock.lock();
      --busy_;
      if (generation == generation_ && index >= begin_) {
        slots_[index % slots_.size()] = std::move(slot);
      }
      done_.notify_all();
    }
  }

  DecodeAheadOptions options_;
  mutable std::mutex mutex_;
  mutable std::condition_variable work_;
  mutable std::condition_variable done_;
  mutable std::vector<Slot> slots_;  ///< Image i of the window is in slot i % size.
  mutable std::size_t begin_ = 0;
  mutable std::size_t claimed_ = 0;  ///< The next image for a thread to take.
  mutable std::size_t end_ = 0;
  mutable std::size_t generation_ = 0;
  mutable int busy_ = 0;  ///< Threads that are decoding.
  bool stop_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace

std::unique_ptr<Dataset> decode_ahead(std::unique_ptr<Dataset> dataset,
                                      const DecodeAheadOptions& options) {
  if (!dataset->decodes()) return dataset;
  return std::make_unique<DecodeAhead>(std::move(dataset), options);
}

}  // namespace hedge
