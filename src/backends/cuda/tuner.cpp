// SPDX-License-Identifier: Apache-2.0
#include "backends/cuda/tuner.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "backends/gpu/device.h"
#include "base/cancellation.h"
#include "base/clock.h"
#include "base/log.h"
#include "engine/timing_cache.h"

namespace hedge::cuda {
namespace {

/// Changes whenever the kernel does, so that old times are not believed.
constexpr int kKernelVersion = 3;
constexpr int kRepetitions = 10;  ///< Of the convolution in a graph.
/// As most convolutions end on: those beside the best one are timed again, longer.
constexpr std::size_t kFinalists = 6;

/// A convolution with operands of its own. Times depend on the numbers (power), so they are no
/// zeros.
class Trial {
 public:
  Trial(const ConvolutionKind& kind, bool overlap)
      : kind_(kind), overlap_(overlap), stream_(gpu::new_stream()) {
    const Convolution& c = kind.shape;
    const bool integers = kind.kind == ElementKind::kInt8;
    const std::size_t size = byte_size(type_of(kind.kind));
    const std::size_t result_size = integers ? byte_size(kind.result) : size;
    const auto elements = [](std::int64_t a, std::int64_t b) {
      return static_cast<std::size_t>(a * b);
    };
    x_ = filled(elements(std::int64_t{c.batch} * c.in_h * c.in_w, c.in_c) * size);
    y_ = filled(elements(c.pixels(), c.out_c) * result_size);
    residual_ = filled(elements(c.pixels(), c.out_c) * result_size);
    factors_ = filled(static_cast<std::size_t>(c.out_c) * 2 * sizeof(float));
    bias_ = filled(static_cast<std::size_t>(c.out_c) * sizeof(float));
    std::vector<float> weights(elements(std::int64_t{c.out_c} * c.kernel_h * c.kernel_w, c.in_c),
                               integers ? 1.F : 0.01F);
    const auto packed = pack_weights(weights.data(), c, kind.kind);
    weights_ = gpu::device_memory(packed.size());
    gpu::check(cudaMemcpy(weights_.get(), packed.data(), packed.size(), cudaMemcpyHostToDevice),
               "copying weights");
    arguments_ = {x_.get(), weights_.get(), {}};
    if (kind.sibling_c > 0) add_sibling(sibling_shape(c, kind.sibling_c));
    Epilogue& epilogue = arguments_.epilogue;
    epilogue.bias = reinterpret_cast<const float*>(bias_.get());
    epilogue.y = y_.get();
    epilogue.used_c = c.out_c;
    epilogue.type = kind.result;
    if (integers) epilogue.factors = reinterpret_cast<const float*>(factors_.get());
    if (kind.adds_tensor) {
      epilogue.post_ops[epilogue.post_op_count++] = {
          PostOpParameters::Kind::kAddTensor, 0, 0, residual_.get(), kind.result, {}};
    }
    epilogue.post_ops[epilogue.post_op_count++].kind = PostOpParameters::Kind::kRelu;
  }

  /// The fastest replay: other work on the machine only ever adds time. Infinite where the tactic
  /// does not run.
  [[nodiscard]] double nanoseconds(const ConvolutionTactic& tactic, int replays) {
    cudaError_t status = cudaSuccess;
    const gpu::ExecutableGraph graph = gpu::capture(stream_.get(), status, [&] {
      for (int i = 0; i < kRepetitions; ++i) {
        const cudaError_t launched = launch_convolution(kind_.shape, kind_.kind, tactic, arguments_,
                                                        {stream_.get(), overlap_ && i > 0});
        if (launched != cudaSuccess) return launched;
      }
      return cudaSuccess;
    });
    if (!graph) return std::numeric_limits<double>::infinity();
    std::int64_t fastest = std::numeric_limits<std::int64_t>::max();
    for (int i = 0; i <= replays; ++i) {
      const std::int64_t before = SteadyClock::now_ns();
      gpu::check(cudaGraphLaunch(graph.get(), stream_.get()), "timing a tactic");
      gpu::check(cudaStreamSynchronize(stream_.get()), "timing a tactic");
      if (i > 0) fastest = std::min(fastest, SteadyClock::now_ns() - before);
    }
    return static_cast<double>(fastest) / kRepetitions;
  }

 private:
  void add_sibling(const Convolution& shape) {
    const std::vector<float> none(static_cast<std::size_t>(shape.out_c) *
                                  static_cast<std::size_t>(shape.in_c));
    const std::size_t pixels = static_cast<std::size_t>(shape.pixels());
    sibling_weights_ = filled(pack_weights(none.data(), shape, kind_.kind).size());
    sibling_y_ =
        filled(pixels * static_cast<std::size_t>(shape.out_c) * byte_size(type_of(kind_.kind)));
    // Its bias may be any floats: the weights' bytes are enough of them.
    arguments_.sibling = {shape.out_c, sibling_weights_.get(),
                          reinterpret_cast<const float*>(sibling_weights_.get()), sibling_y_.get()};
  }

  /// Bytes of 0x3c: about 1 as halves, small numbers as floats and bfloat16.
  static gpu::Memory filled(std::size_t bytes) {
    gpu::Memory memory = gpu::device_memory(bytes);
    gpu::check(cudaMemset(memory.get(), 0x3c, bytes), "filling memory");
    return memory;
  }

  ConvolutionKind kind_;
  bool overlap_;
  gpu::Stream stream_;
  gpu::Memory x_, y_, residual_, bias_, factors_, weights_, sibling_weights_, sibling_y_;
  ConvolutionArguments arguments_;
};

/// Those that have won somewhere: small tiles with K split over warps where the plane is small,
/// larger ones only where enough blocks are left to fill the GPU.
std::vector<ConvolutionTactic> worth_timing(const Convolution& shape, ElementKind kind, int level,
                                            int multiprocessors) {
  std::vector<ConvolutionTactic> chosen;
  for (const ConvolutionTactic& t : convolution_tactics(shape, kind)) {
    const std::int64_t blocks =
        ((std::int64_t{shape.pixels()} + t.m_tiles * t.warps_m * 16 - 1) /
         (t.m_tiles * t.warps_m * 16)) *
        ((shape.out_c + t.n_tiles * t.warps_n * 8 - 1) / (t.n_tiles * t.warps_n * 8));
    const int tile = t.m_tiles * t.warps_m * t.n_tiles * t.warps_n;
    const int warps = t.warps_m * t.warps_n * t.warps_k;
    if (tile > 8 && blocks * 2 < multiprocessors) continue;
    if (tile < 4 && blocks > std::int64_t{64} * multiprocessors) continue;
    if (warps > 16 || t.warps_m * t.warps_n > 4) continue;
    if (level < 4 && t.m_tiles == 1 && t.n_tiles == 1 && t.warps_m * t.warps_n > 1) continue;
    if (level < 4 && t.m_tiles == 4 && t.n_tiles < 4) continue;
    if (level < 4 && t.warps_m == 4) continue;
    chosen.push_back(t);
  }
  return chosen;
}

/// Programmatic dependent launch came with Hopper.
bool overlaps(const gpu::Device& device) {
  return device.major >= 9;
}

std::string fastest_tactic(const ConvolutionKind& kind, const gpu::Device& device, int level) {
  Trial trial(kind, overlaps(device));
  std::vector<std::pair<double, ConvolutionTactic>> times;
  for (const auto& tactic : worth_timing(kind.shape, kind.kind, level, device.multiprocessors)) {
    if (cancellation_requested()) return {};
    times.emplace_back(trial.nanoseconds(tactic, 3 * level), tactic);
  }
  if (times.empty()) return {};
  const auto faster = [](const auto& a, const auto& b) { return a.first < b.first; };
  std::stable_sort(times.begin(), times.end(), faster);
  times.resize(std::min(times.size(), kFinalists));
  for (auto& [ns, tactic] : times) ns = trial.nanoseconds(tactic, 50 * level);
  return tactic_text(std::min_element(times.begin(), times.end(), faster)->second);
}

}  // namespace

std::vector<double> tactic_times(const ConvolutionKind& kind,
                                 std::span<const ConvolutionTactic> tactics, int replays) {
  Trial trial(kind, overlaps(gpu::device()));
  std::vector<double> times;
  for (const ConvolutionTactic& tactic : tactics) {
    if (cancellation_requested()) break;
    times.push_back(trial.nanoseconds(tactic, replays));
  }
  return times;
}

Tactics choose_tactics(const Plan& plan, const TunerOptions& options) {
  if (options.level <= 0) return {};
  const TimingCache cache(options.timing_cache);
  const gpu::Device device = gpu::device();
  const std::string key =
      fmt::format("cuda kernels {} on {} sm_{}{} with {}, level {}", kKernelVersion, device.name,
                  device.major, device.minor, device.multiprocessors, options.level);
  Tactics known = cache.find(key).value_or(Tactics{});
  Tactics tactics;
  bool learned = false;
  for (const auto& [text, kind] : plan.convolutions) {
    if (const auto found = known.find(text); found != known.end()) {
      tactics[text] = found->second;
      continue;
    }
    const std::string tactic = fastest_tactic(kind, device, options.level);
    if (cancellation_requested()) break;
    log(LogLevel::kDebug, fmt::format("{}: {}", text, tactic));
    tactics[text] = known[text] = tactic;
    learned = true;
  }
  if (learned) cache.keep(key, known);
  return tactics;
}

}  // namespace hedge::cuda
