// SPDX-License-Identifier: Apache-2.0
#include "backends/gpu/time_split.h"

#include <cmath>
#include <utility>

namespace hedge::gpu {
namespace {

Event new_event() {
  cudaEvent_t event = nullptr;
  check(cudaEventCreate(&event), "an event");
  return Event(event);
}

}  // namespace

TimeSplit::TimeSplit(cudaStream_t stream, std::vector<Part> parts)
    : stream_(stream), parts_(std::move(parts)) {
  events_.push_back(new_event());
  for (const Part& part : parts_) {
    if (part) events_.push_back(new_event());
  }
  cudaError_t status = cudaSuccess;
  // In a graph an event is recorded at each replay only where it is told to be external.
  graph_ = capture(stream_, status, [&] { return enqueue(cudaEventRecordExternal); });
}

cudaError_t TimeSplit::enqueue(unsigned record_flags) {
  std::size_t event = 0;
  cudaError_t status = cudaEventRecordWithFlags(events_[event].get(), stream_, record_flags);
  for (const Part& part : parts_) {
    if (!part || status != cudaSuccess) continue;
    status = part();
    if (status != cudaSuccess) break;
    status = cudaEventRecordWithFlags(events_[++event].get(), stream_, record_flags);
  }
  return status;
}

void TimeSplit::launch() {
  check(graph_ ? cudaGraphLaunch(graph_.get(), stream_) : enqueue(cudaEventRecordDefault),
        "an inference with events");
}

std::vector<std::optional<std::int64_t>> TimeSplit::times_ns() const {
  std::vector<std::optional<std::int64_t>> ns;
  std::size_t event = 0;
  for (const Part& part : parts_) {
    ns.emplace_back();
    if (!part) continue;
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, events_[event].get(), events_[event + 1].get()),
          "the time of a part");
    ns.back() = std::llround(double{milliseconds} * 1e6);
    ++event;
  }
  return ns;
}

}  // namespace hedge::gpu
