// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "backends/cpu/kernels/nhwc/convolution_plan.h"
#include "backends/cpu/kernels/nhwc/kernels.h"
#include "backends/cpu/threads.h"

namespace hedge::cpu {
namespace {

// Of a small core's first- and second-level cache, what weights may fill beside the pixels.
constexpr std::size_t kNearBytes = std::size_t{24} << 10U;
constexpr std::size_t kMiddleBytes = std::size_t{512} << 10U;
constexpr int kTilesAJob = 8;

/// Without a window to slide, all pixels of the batch are one row: no tile is cut short by an edge.
Geometry flattened(Geometry g) {
  const bool pointwise = g.kernel_h == 1 && g.kernel_w == 1 && g.stride_h == 1 && g.stride_w == 1 &&
                         g.pad_top == 0 && g.pad_left == 0 && g.out_h == g.in_h &&
                         g.out_w == g.in_w;
  if (!pointwise) return g;
  g.in_w = g.out_w = g.batch * g.in_h * g.in_w;
  g.batch = g.in_h = g.out_h = 1;
  return g;
}

std::size_t taps_of(const Geometry& g) {
  return static_cast<std::size_t>(g.kernel_h) * static_cast<std::size_t>(g.kernel_w);
}

struct ConvolutionParameters {
  const KernelSet* set = nullptr;
  ConvolutionPlan plan;
  std::vector<float> zeros;
  int threads = 1;
  int jobs = 0;
  bool residual = false;
};

struct DepthwiseParameters {
  const KernelSet* set = nullptr;
  DepthwisePlan plan;
  std::vector<float> zeros;
  int threads = 1;
  bool residual = false;
};

ConvolutionBuffers buffers_of(std::byte* const* buffers, bool residual) {
  const auto floats = [&](int i) { return reinterpret_cast<float*>(buffers[i]); };
  return {floats(0), floats(1), residual ? floats(3) : nullptr, floats(2)};
}

void run_convolution(const void* parameters, std::byte* const* buffers) {
  const auto& p = *static_cast<const ConvolutionParameters*>(parameters);
  const ConvolutionBuffers bound = buffers_of(buffers, p.residual);
  parallel_for(p.jobs, p.threads,
               [&](int first, int last) { p.set->convolution(p.plan, bound, first, last); });
}

void run_depthwise(const void* parameters, std::byte* const* buffers) {
  const auto& p = *static_cast<const DepthwiseParameters*>(parameters);
  const ConvolutionBuffers bound = buffers_of(buffers, p.residual);
  parallel_for(p.plan.geometry.batch * p.plan.geometry.out_h, p.threads,
               [&](int first, int last) { p.set->depthwise(p.plan, bound, first, last); });
}

std::vector<float> pack_depthwise(const Convolution& layer, int lanes, const float* weights,
                                  const float* bias) {
  const auto channels = static_cast<std::size_t>(layer.out_channels);
  const auto step = static_cast<std::size_t>(lanes);
  const std::size_t width = (channels + step - 1) / step * step;
  const std::size_t taps = taps_of(layer.geometry);
  std::vector<float> packed((1 + taps) * width, 0);
  for (std::size_t c = 0; c < channels; ++c) {
    if (bias != nullptr) packed[c] = bias[c];
    for (std::size_t t = 0; t < taps; ++t) packed[(1 + t) * width + c] = weights[c * taps + t];
  }
  return packed;
}

}  // namespace

ConvolutionPlan plan_of(const Convolution& layer, const KernelSet& set) {
  ConvolutionPlan plan;
  plan.geometry = flattened(layer.geometry);
  plan.groups = layer.groups;
  plan.out_channels = layer.out_channels;
  plan.bounds = layer.bounds;
  plan.vectors = layer.out_channels / layer.groups > set.lanes ? 2 : 1;
  const int widest = set.widest_tile[plan.vectors - 1];
  plan.tiles = (plan.geometry.out_w + widest - 1) / widest;
  plan.tiles_a_job = std::min(plan.tiles, kTilesAJob);
  const std::size_t block =
      (1 +
       taps_of(plan.geometry) * static_cast<std::size_t>(plan.geometry.channels / plan.groups)) *
      static_cast<std::size_t>(plan.vectors * set.lanes) * sizeof(float);
  const std::size_t all =
      block * static_cast<std::size_t>(blocks_of(plan, set.lanes) * plan.groups);
  // A block that stays near the core while all pixels pass is worth more than pixels that do; where
  // it does not, or all weights do, the pixels should.
  plan.rows_first = all <= kNearBytes || (block > kNearBytes && all <= kMiddleBytes);
  return plan;
}

bool is_depthwise(const Convolution& layer) {
  return layer.groups > 1 && layer.groups == layer.geometry.channels &&
         layer.groups == layer.out_channels;
}

std::string convolution_name(const Convolution& layer, const KernelSet& set) {
  return fmt::format("hedge:{}:{}", is_depthwise(layer) ? "depthwise" : "igemm", set.name);
}

NamedKernel make_convolution(const Convolution& layer, const KernelSet& set) {
  const auto zeros = static_cast<std::size_t>(layer.geometry.channels + set.lanes);
  if (is_depthwise(layer)) {
    auto parameters = std::make_shared<DepthwiseParameters>();
    parameters->set = &set;
    parameters->zeros.assign(zeros, 0);
    parameters->plan = {layer.geometry, layer.bounds, parameters->zeros.data()};
    parameters->threads = layer.threads;
    parameters->residual = layer.residual;
    return {{run_depthwise, parameters}, convolution_name(layer, set)};
  }
  auto parameters = std::make_shared<ConvolutionParameters>();
  parameters->set = &set;
  parameters->zeros.assign(zeros, 0);
  parameters->plan = plan_of(layer, set);
  parameters->plan.zeros = parameters->zeros.data();
  parameters->threads = layer.threads;
  parameters->jobs = jobs_of(parameters->plan, set.lanes);
  parameters->residual = layer.residual;
  return {{run_convolution, parameters}, convolution_name(layer, set)};
}

std::vector<float> pack_weights(const Convolution& layer, const KernelSet& set,
                                const float* weights, const float* bias) {
  if (is_depthwise(layer)) return pack_depthwise(layer, set.lanes, weights, bias);
  const ConvolutionPlan plan = plan_of(layer, set);
  const auto lanes = static_cast<std::size_t>(set.lanes);
  const auto groups = static_cast<std::size_t>(layer.groups);
  const auto blocks = static_cast<std::size_t>(blocks_of(plan, set.lanes));
  const std::size_t in = static_cast<std::size_t>(layer.geometry.channels) / groups;
  const std::size_t out = static_cast<std::size_t>(layer.out_channels) / groups;
  const std::size_t taps = taps_of(layer.geometry);
  const std::size_t block = static_cast<std::size_t>(plan.vectors) * lanes;
  std::vector<float> packed(groups * blocks * (1 + taps * in) * block, 0);
  for (std::size_t slice = 0; slice < groups * blocks; ++slice) {
    const std::size_t first = slice % blocks * block;  // Within the group.
    const std::size_t there = std::min(out - first, block);
    const std::size_t width = there > lanes ? block : lanes;
    float* to = packed.data() + slice * (1 + taps * in) * block;
    for (std::size_t o = 0; o < there; ++o) {
      const std::size_t channel = slice / blocks * out + first + o;
      if (bias != nullptr) to[o] = bias[channel];
      for (std::size_t t = 0; t < taps; ++t) {
        for (std::size_t i = 0; i < in; ++i) {
          to[(1 + t * in + i) * width + o] = weights[(channel * in + i) * taps + t];
        }
      }
    }
  }
  return packed;
}

}  // namespace hedge::cpu
