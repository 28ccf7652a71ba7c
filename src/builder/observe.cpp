// SPDX-License-Identifier: Apache-2.0
#include "builder/observe.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>

#include "base/cancellation.h"
#include "builder/export_model.h"
#include "engine/backend.h"
#include "hedge/error.h"

namespace hedge {
namespace {

/// Images of one inference while observing: enough to keep the kernels busy, little memory.
constexpr std::int64_t kObservedBatch = 8;

/// What the threads share: which images are next, and how many are done.
class ImageQueue {
 public:
  ImageQueue(const ImageJob& run, std::int64_t batch)
      : run_(run), batch_(batch), total_(run.total()) {}

  void work(const std::function<std::unique_ptr<ExecutionContext>()>& make_context,
            const std::function<Visitor()>& make_visitor) noexcept {
    try {
      const auto context = make_context();
      Visitor visit;
      {
        const std::lock_guard lock(mutex_);
        visit = make_visitor();
      }
      while (!cancellation_requested()) {
        const std::int64_t first = next_.fetch_add(batch_);
        if (first >= total_) break;
        const std::int64_t count = std::min(batch_, total_ - first);
        infer(*context, first, count);
        visit(*context, first, count);
        report(count);
      }
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!failure_) failure_ = std::current_exception();
      next_ = total_;  // Nobody goes on.
    }
  }

  void finish(const char* what) const {
    if (failure_) std::rethrow_exception(failure_);
    if (cancellation_requested()) throw runtime_failure(fmt::format("{} was cancelled", what));
  }

 private:
  void infer(ExecutionContext& context, std::int64_t first, std::int64_t count) const {
    const std::size_t size = context.input().size() / static_cast<std::size_t>(batch_);
    for (std::int64_t i = 0; i < count; ++i) {
      run_.prepare(run_.dataset.image(static_cast<std::size_t>(first + i)),
                   context.input().subspan(static_cast<std::size_t>(i) * size, size));
    }
    context.infer();
  }

  void report(std::int64_t count) {
    if (!run_.progress) return;
    const std::lock_guard lock(mutex_);
    done_ += count;
    if (done_ - reported_ < run_.batch && done_ != total_) return;
    reported_ = done_;
    run_.progress(done_, total_);
  }

  const ImageJob& run_;
  std::int64_t batch_;
  std::int64_t total_;
  std::atomic<std::int64_t> next_{0};
  std::mutex mutex_;
  std::int64_t done_ = 0;
  std::int64_t reported_ = 0;
  std::exception_ptr failure_;
};

}  // namespace

std::int64_t ImageJob::total() const {
  return std::min(images, static_cast<std::int64_t>(dataset.size()));
}

std::span<const float> values_of(const ExecutionContext& context, std::size_t index,
                                 std::int64_t count) {
  const auto values = context.output(index);
  return values.first(values.size() / static_cast<std::size_t>(kObservedBatch) *
                      static_cast<std::size_t>(count));
}

void for_each_batch(const ImageJob& run, std::int64_t batch, const char* what,
                    const std::function<std::unique_ptr<ExecutionContext>()>& make_context,
                    const std::function<Visitor()>& make_visitor) {
  ImageQueue queue(run, batch);
  const int cpus = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  const int threads = run.threads > 0 ? run.threads : cpus;
  std::vector<std::thread> others;
  for (int i = 1; i < threads; ++i) {
    others.emplace_back([&] { queue.work(make_context, make_visitor); });
  }
  queue.work(make_context, make_visitor);
  for (std::thread& thread : others) thread.join();
  queue.finish(what);
}

void observe(const Graph& graph, const Backend& backend, const std::vector<ValueId>& values,
             const ImageJob& run, const char* what, const std::function<Visitor()>& make_visitor) {
  Graph observed = graph;
  observed.outputs = values;
  set_batch(observed, kObservedBatch);
  const BackendEngine engine = backend.build(observed, {.precision = "fp32",
                                                        .optimization_level = 0,
                                                        .threads = 1,
                                                        .timing_cache = {},
                                                        .write_onnx = onnx_of});
  EngineInfo info;
  info.precision = "fp32";
  info.backend = backend.name();
  info.batch = kObservedBatch;
  info.inputs = {{observed.value(observed.inputs.at(0).value).name, observed.input_type(0).shape}};
  for (const ValueId id : values) {
    info.outputs.push_back({observed.value(id).name, observed.value(id).type.shape});
  }
  const auto model = backend.load(engine.sections, info, {.threads = 1, .batch = kObservedBatch});
  for_each_batch(
      run, kObservedBatch, what, [&] { return model->create_context({}); }, make_visitor);
}

}  // namespace hedge
