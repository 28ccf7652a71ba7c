// SPDX-License-Identifier: Apache-2.0
#include "backends/gpu/context.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "backends/gpu/kernels/completion.h"
#include "base/clock.h"
#include "engine/gpu_options.h"
#include "hedge/error.h"

namespace hedge::gpu {
namespace {

/// Preprocessing reads each byte of an image once, in whole lines: over the bus, at these sizes,
/// sooner than a copy would be done (an image of 224x224 on an H100: by 10 us).
constexpr std::size_t kMostMappedPixels = 1024 * 1024;

}  // namespace

ExecutionSettings settings_of(const GpuOptions& options) {
  ExecutionSettings settings;
  settings.wait = options.wait.value_or(settings.wait);
  settings.memory = options.memory.value_or(settings.memory);
  settings.cuda_graph = options.cuda_graph.value_or(settings.cuda_graph);
  return settings;
}

Context::Context(const ExecutionSettings& settings, std::unique_ptr<Net> net,
                 std::vector<std::string> warnings)
    : settings_(settings),
      stream_(new_stream()),
      net_(std::move(net)),
      failure_(net_->host_failure()),
      warnings_(std::move(warnings)) {}

/// Delegates, so that the destructor runs where this throws.
Context::Context(std::unique_ptr<Net> net, const ExecutionSettings& settings,
                 std::vector<std::string> warnings)
    : Context(settings, std::move(net), std::move(warnings)) {
  make_borders();
  bind();
  take_scores();
  prepare();
}

Context::~Context() {
  if (waiter_ && waiter_->gave_up()) {
    leave_everything();
  } else {
    (void)cudaStreamSynchronize(stream_.get());
  }
}

/// The GPU may still use all this, and the driver would wait for it before it frees any.
void Context::leave_everything() {
  (void)new auto(std::make_tuple(std::move(net_), std::move(stream_), std::move(input_),
                                 std::move(outputs_), std::move(waiter_), std::move(graph_),
                                 std::move(profile_graph_), std::move(pixels_), std::move(split_)));
}

void Context::make_borders() {
  const auto border = [&](Direction direction, std::size_t bytes) {
    const bool pixels = pixels_ && direction == Direction::kIn;
    const std::size_t most_mapped = pixels ? kMostMappedPixels : net_->most_mapped();
    MemoryMode mode = settings_.memory;
    if (mode == MemoryMode::kAuto) {
      mode = bytes > most_mapped ? MemoryMode::kPinned : MemoryMode::kMapped;
    }
    return make_border(mode, direction, bytes, stream_.get());
  };
  const std::size_t input = net_->input_bytes();
  if (settings_.pixels) pixels_.emplace(*settings_.pixels, input / sizeof(float));
  input_ = border(Direction::kIn, pixels_ ? pixels_->bytes() : input);
  for (const std::size_t bytes : net_->output_bytes()) {
    outputs_.push_back(border(Direction::kOut, bytes));
  }
  // The host may not touch managed memory before the driver knows that the stream is done.
  waiter_.emplace(settings_.wait, !is_managed(settings_.memory), settings_.limit);
  if (settings_.memory == MemoryMode::kManagedOriginal &&
      device_attribute(cudaDevAttrConcurrentManagedAccess) == 0) {
    warnings_.emplace_back(
        "memory managed-original: kernels write what is attached to the host, which CUDA does not "
        "allow on this GPU; the original does so, --memory=managed does not");
  }
}

void Context::bind() {
  std::vector<std::byte*> outputs;
  for (const Border& output : outputs_) outputs.push_back(output.seen());
  net_->bind(stream_.get(), pixels_ ? pixels_->tensor() : input_.seen(), outputs);
}

/// The scores come with the word where the net's last kernel writes them, and nothing else is
/// written.
void Context::take_scores() {
  const bool alone = outputs_.size() == 1 && outputs_[0].mode == MemoryMode::kMapped;
  if (!alone || !net_tells()) return;
  waiter_->take_scores(
      {reinterpret_cast<float*>(outputs_[0].host.get()), outputs_[0].bytes / sizeof(float)});
}

cudaError_t Context::enqueue_copy_in() {
  if (input_.mode != MemoryMode::kPinned) return cudaSuccess;
  return enqueue_copy(input_, Direction::kIn, stream_.get());
}

cudaError_t Context::enqueue_preprocess() {
  return pixels_ ? pixels_->enqueue(input_.seen(), stream_.get()) : cudaSuccess;
}

cudaError_t Context::enqueue_copy_out() {
  for (const Border& output : outputs_) {
    if (output.mode != MemoryMode::kPinned) continue;
    const cudaError_t status = enqueue_copy(output, Direction::kOut, stream_.get());
    if (status != cudaSuccess) return status;
  }
  return cudaSuccess;
}

bool Context::copies_out() const {
  return std::any_of(outputs_.begin(), outputs_.end(),
                     [](const Border& output) { return output.mode == MemoryMode::kPinned; });
}

/// The host is told behind everything, by the net where that can tell.
cudaError_t Context::enqueue_rest() {
  const Completion& completion = waiter_->completion();
  const bool behind_kernel = pixels_.has_value();
  cudaError_t status = net_->enqueue(behind_kernel, net_tells() ? completion : Completion{});
  if (status == cudaSuccess) status = enqueue_copy_out();
  if (status != cudaSuccess || net_tells() || completion.word == nullptr) return status;
  return launch_completion(
      {stream_.get(), net_->lets_successor_begin(behind_kernel) && !copies_out(), completion});
}

cudaError_t Context::enqueue_all() {
  cudaError_t status = enqueue_copy_in();
  if (status == cudaSuccess) status = enqueue_preprocess();
  return status == cudaSuccess ? enqueue_rest() : status;
}

/// A plain run loads what is loaded late and shows what is wrong; only then is it captured.
void Context::prepare() {
  infer();  // No graph yet.
  if (!settings_.cuda_graph) return;
  cudaError_t status = cudaSuccess;
  graph_ = capture(stream_.get(), status, [&] { return enqueue_all(); });
  if (!graph_) return warnings_.push_back(net_->uncaptured(status));
  net_->check(cudaGraphUpload(graph_.get(), stream_.get()), "uploading the graph");
  waiter_->wait_for_stream(stream_.get());
}

void Context::launch() {
  const cudaError_t status = graph_ ? cudaGraphLaunch(graph_.get(), stream_.get()) : enqueue_all();
  if (status != cudaSuccess) [[unlikely]]
    net_->check(status, "an inference");
}

void Context::throw_failure() {
  if (failure_ == nullptr || failure_->empty()) [[likely]]
    return;
  throw runtime_failure(std::exchange(*failure_, {}));
}

void Context::infer() {
  launch();
  waiter_->wait_for_inference(stream_.get());
  throw_failure();
}

void Context::copy_in() {
  if (input_.mode != MemoryMode::kDevice) return;
  check(enqueue_copy(input_, Direction::kIn, stream_.get()), "copying the input");
  waiter_->wait_for_stream(stream_.get());
}

void Context::copy_out() {
  bool copied = false;
  for (const Border& output : outputs_) {
    if (output.mode != MemoryMode::kDevice) continue;
    check(enqueue_copy(output, Direction::kOut, stream_.get()), "copying an output");
    copied = true;
  }
  if (copied) waiter_->wait_for_stream(stream_.get());
}

GpuContext::Execution Context::execution() const {
  const std::string input(to_string(input_.mode));
  const bool same = std::all_of(outputs_.begin(), outputs_.end(),
                                [&](const Border& output) { return output.mode == input_.mode; });
  std::string memory = input;
  if (!same) {
    const bool mixed = std::any_of(outputs_.begin(), outputs_.end(), [&](const Border& output) {
      return output.mode != outputs_.front().mode;
    });
    memory = fmt::format("{} input, {} output", input,
                         mixed ? "mapped or pinned" : to_string(outputs_.front().mode));
  }
  return {.cuda_graph = graph_ != nullptr,
          .memory_mode = memory,
          .wait = std::string(to_string(settings_.wait))};
}

std::span<float> Context::input() {
  if (pixels_) return {};
  return {reinterpret_cast<float*>(input_.host.get()), input_.bytes / sizeof(float)};
}

std::span<const float> Context::output(std::size_t index) const {
  const Border& border = outputs_.at(index);
  return {reinterpret_cast<const float*>(border.host.get()), border.bytes / sizeof(float)};
}

cudaError_t Context::enqueue_profiled() {
  cudaError_t status = enqueue_copy_in();
  if (status == cudaSuccess) status = enqueue_preprocess();
  if (status == cudaSuccess) status = net_->enqueue_profiled();
  return status == cudaSuccess ? enqueue_copy_out() : status;
}

void Context::infer_profiled(std::span<std::int64_t> layer_ns) {
  if (const std::size_t count = layers().size(); layer_ns.size() != count) {
    throw runtime_failure(fmt::format("{} times for {} layers", layer_ns.size(), count));
  }
  if (!std::exchange(profiled_, true) && graph_ && net_->profiles_in_graph()) {
    cudaError_t status = cudaSuccess;
    profile_graph_ = capture(stream_.get(), status, [&] { return enqueue_profiled(); });
  }
  net_->check(
      profile_graph_ ? cudaGraphLaunch(profile_graph_.get(), stream_.get()) : enqueue_profiled(),
      "a profiled inference");
  waiter_->wait_for_stream(stream_.get());
  throw_failure();
  net_->add_layer_times(layer_ns);
}

/// Parts that there are not are left out: an event apart costs time, and zero is no measurement.
TimeSplit Context::make_split() {
  std::vector<TimeSplit::Part> parts(4);
  if (input_.mode == MemoryMode::kPinned) parts[0] = [this] { return enqueue_copy_in(); };
  if (pixels_) parts[1] = [this] { return enqueue_preprocess(); };
  parts[2] = [this] { return net_->enqueue(pixels_.has_value(), {}); };
  if (copies_out()) parts[3] = [this] { return enqueue_copy_out(); };
  return {stream_.get(), std::move(parts)};
}

TimeSplitter::Split Context::infer_split() {
  if (!split_) split_.emplace(make_split());
  Split split;
  const std::int64_t begin = SteadyClock::now_ns();
  launch();
  split.enqueue_ns = SteadyClock::now_ns() - begin;
  waiter_->wait_for_inference(stream_.get());
  split.wall_ns = SteadyClock::now_ns() - begin;
  split_->launch();
  waiter_->wait_for_stream(stream_.get());
  throw_failure();
  const auto parts = split_->times_ns();
  split.copy_in_ns = parts[0];
  split.preprocess_ns = parts[1];
  split.compute_ns = parts[2].value_or(0);
  split.copy_out_ns = parts[3];
  return split;
}

std::span<std::uint8_t> PixelContext::input_u8() {
  const std::span<std::byte> bytes = input_bytes();
  return {reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size()};
}

std::unique_ptr<Context> new_context(const NewNet& new_net, const ExecutionSettings& settings,
                                     std::vector<std::string> warnings) {
  if (settings.pixels) {
    return std::make_unique<PixelContext>(new_net(), settings, std::move(warnings));
  }
  return std::make_unique<Context>(new_net(), settings, std::move(warnings));
}

}  // namespace hedge::gpu
