// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/cpu_context.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "backends/cpu/threads.h"
#include "base/clock.h"
#include "hedge/error.h"

namespace hedge::cpu {
namespace {

std::shared_ptr<std::byte> allocate_zeroed(std::size_t bytes) {
  const std::size_t rounded =
      (std::max<std::size_t>(bytes, 1) + kAlignment - 1) / kAlignment * kAlignment;
  auto* data = static_cast<std::byte*>(std::aligned_alloc(kAlignment, rounded));
  if (data == nullptr) throw std::bad_alloc();
  std::memset(data, 0, rounded);  // Also maps the pages, before anything is timed.
  return {data, [](std::byte* p) { std::free(p); }};
}

}  // namespace

CpuContext::CpuContext(std::shared_ptr<const Plan> plan)
    : plan_(std::move(plan)),
      stream_(plan_->engine),
      arena_(allocate_zeroed(plan_->arena_bytes)),
      input_(allocate_zeroed(plan_->input_elements * sizeof(float))) {
  for (const std::size_t elements : plan_->output_elements) {
    outputs_.push_back(allocate_zeroed(elements * sizeof(float)));
  }
  bind();
}

std::byte* CpuContext::address_of(const Storage& storage) {
  switch (storage.buffer.place) {
    case Buffer::Place::kInput:
      return input_.get();
    case Buffer::Place::kOutput:
      return outputs_.at(storage.buffer.offset).get();
    case Buffer::Place::kWeights:
      return static_cast<std::byte*>(plan_->weights.at(storage.buffer.offset).get_data_handle());
    case Buffer::Place::kArena:
      break;
  }
  return arena_.get() + storage.buffer.offset;
}

void CpuContext::bind() {
  for (const Step& step : plan_->steps) {
    BoundStep bound;
    bound.own = step.own;
    if (step.own.run != nullptr) {
      for (const Argument& argument : step.arguments) {
        bound.buffers.push_back(address_of(plan_->storages.at(argument.storage)) + argument.offset);
      }
      steps_.push_back(std::move(bound));
      continue;
    }
    bound.primitive = step.primitive.get();
    for (const Argument& argument : step.arguments) {
      memories_.emplace_back(argument.desc, plan_->engine,
                             address_of(plan_->storages.at(argument.storage)) + argument.offset);
      bound.arguments.push_back({argument.id, memories_.back().get()});
    }
    steps_.push_back(std::move(bound));
  }
}

std::span<float> CpuContext::input() {
  return {reinterpret_cast<float*>(input_.get()), plan_->input_elements};
}

std::span<const float> CpuContext::output(std::size_t index) const {
  return {reinterpret_cast<const float*>(outputs_.at(index).get()),
          plan_->output_elements.at(index)};
}

void CpuContext::run(const BoundStep& step) {
  if (step.own.run != nullptr) {
    step.own.run(step.own.parameters.get(), step.buffers.data());
    return;
  }
  const dnnl_status_t status =
      dnnl_primitive_execute(step.primitive, stream_.get(), static_cast<int>(step.arguments.size()),
                             step.arguments.data());
  if (status != dnnl_success) [[unlikely]] {
    throw runtime_failure(fmt::format("oneDNN {}: a primitive failed with status {}",
                                      library_version(), static_cast<int>(status)));
  }
}

void CpuContext::run(std::size_t first, std::size_t end) {
  use_threads(plan_->threads);
  const TransientHeap::Scope scope(heap_);
  for (std::size_t i = first; i < end; ++i) run(steps_[i]);
}

void CpuContext::infer() {
  run(0, steps_.size());
}

MemoryUse CpuContext::memory() const {
  return {.engine_bytes = plan_->weight_bytes, .arena_bytes = plan_->arena_bytes};
}

std::vector<LayerProfiler::Layer> CpuContext::layers() const {
  std::vector<Layer> layers;
  for (const Step& step : plan_->steps) {
    layers.push_back({step.name, step.kernel, step.multiply_accumulates});
  }
  return layers;
}

void CpuContext::infer_profiled(std::span<std::int64_t> layer_ns) {
  if (layer_ns.size() != steps_.size()) {
    throw runtime_failure(fmt::format("{} times for {} layers", layer_ns.size(), steps_.size()));
  }
  use_threads(plan_->threads);
  const TransientHeap::Scope scope(heap_);
  std::int64_t before = SteadyClock::now_ns();
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    run(steps_[i]);
    const std::int64_t after = SteadyClock::now_ns();
    layer_ns[i] += after - before;
    before = after;
  }
}

}  // namespace hedge::cpu
