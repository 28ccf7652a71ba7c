// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "backends/cpu/kernels/nhwc/convolution_plan.h"
#include "backends/cpu/kernels/nhwc/kernels.h"
#include "backends/cpu/threads.h"

namespace hedge::cpu {
namespace {

/// What lies beside each row once it is widened.
int columns_at_right(const Geometry& g) {
  const int reached = (g.out_w - 1) * g.stride_w + (g.kernel_w - 1) * g.dilation_w + 1;
  return std::max(reached - g.pad_left - g.in_w, 0);
}

/// As the loops see it: rows with their padding, groups filled up to whole pairs of channels, which
/// is what they count.
Convolution widened(const IntegerConvolution& layer) {
  Convolution wide = layer.layer;
  Geometry& g = wide.geometry;
  g.in_w += g.pad_left + columns_at_right(g);
  g.pad_left = 0;
  if (!is_depthwise(wide)) g.channels = wide.groups * ((g.channels / wide.groups + 1) / 2);
  return wide;
}

std::size_t taps_of(const Geometry& g) {
  return static_cast<std::size_t>(g.kernel_h) * static_cast<std::size_t>(g.kernel_w);
}

Widening widening_of(const IntegerConvolution& layer) {
  const Geometry& g = layer.layer.geometry;
  const bool depthwise = is_depthwise(layer.layer);
  const int groups = depthwise ? 1 : layer.layer.groups;
  const int channels = g.channels / groups;
  return {.is_signed = layer.source_is_signed,
          .zero_point = layer.source_zero_point,
          .groups = groups,
          .channels = channels,
          .width = depthwise ? channels : (channels + 1) / 2 * 2,
          .columns = g.in_w,
          .left = g.pad_left,
          .right = columns_at_right(g)};
}

struct Parameters {
  const KernelSet* set = nullptr;
  IntegerPlan plan;
  Widening widening;
  int rows = 0;  ///< To widen.
  std::vector<std::int32_t> zeros;
  int threads = 1;
  int jobs = 0;
};

void widen(const Parameters& p, std::byte* const* buffers) {
  auto* wide = reinterpret_cast<std::int16_t*>(buffers[2]);
  parallel_for(p.rows, p.threads, [&](int first, int last) {
    p.set->widen(p.widening, buffers[0], wide, first, last);
  });
}

const std::byte* residual_of(const Parameters& p, std::byte* const* buffers) {
  return p.plan.residual == Number::kNone ? nullptr : buffers[4];
}

void run_convolution(const void* parameters, std::byte* const* buffers) {
  const auto& p = *static_cast<const Parameters*>(parameters);
  widen(p, buffers);
  const IntegerBuffers bound{reinterpret_cast<const std::int32_t*>(buffers[2]),
                             reinterpret_cast<const std::int32_t*>(buffers[1]),
                             residual_of(p, buffers), buffers[3]};
  parallel_for(p.jobs, p.threads, [&](int first, int last) {
    p.set->integer_convolution(p.plan, bound, first, last);
  });
}

void run_depthwise(const void* parameters, std::byte* const* buffers) {
  const auto& p = *static_cast<const Parameters*>(parameters);
  widen(p, buffers);
  const auto* factors = reinterpret_cast<const float*>(buffers[1]);
  const float* bias = factors + p.plan.out_channels;
  const IntegerDepthwiseBuffers bound{
      reinterpret_cast<const std::int16_t*>(buffers[2]),
      factors,
      bias,
      reinterpret_cast<const std::int16_t*>(bias + p.plan.out_channels),
      residual_of(p, buffers),
      buffers[3]};
  parallel_for(p.jobs, p.threads,
               [&](int first, int last) { p.set->integer_depthwise(p.plan, bound, first, last); });
}

std::int32_t bits_of(float x) {
  std::int32_t bits = 0;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}

std::vector<std::int32_t> pack_depthwise(const IntegerConvolution& layer,
                                         const std::int8_t* weights,
                                         const std::vector<float>& factors,
                                         const std::vector<float>& bias) {
  const std::size_t channels = factors.size();
  const std::size_t taps = taps_of(layer.layer.geometry);
  std::vector<std::int16_t> wide(channels * taps);
  std::vector<std::int32_t> packed(2 * channels + (wide.size() + 1) / 2, 0);
  for (std::size_t c = 0; c < channels; ++c) {
    packed[c] = bits_of(factors[c]);
    packed[channels + c] = bits_of(bias.empty() ? 0 : bias[c]);
    for (std::size_t t = 0; t < taps; ++t) wide[t * channels + c] = weights[c * taps + t];
  }
  std::memcpy(packed.data() + 2 * channels, wide.data(), wide.size() * sizeof(std::int16_t));
  return packed;
}

}  // namespace

std::string integer_convolution_name(const Convolution& layer, const KernelSet& set) {
  return fmt::format("hedge:int8_{}:{}", is_depthwise(layer) ? "depthwise" : "igemm", set.name);
}

std::size_t scratch_bytes(const IntegerConvolution& layer) {
  const Widening w = widening_of(layer);
  const Geometry& g = layer.layer.geometry;
  const std::int64_t pixels = std::int64_t{g.batch} * g.in_h * (w.left + w.columns + w.right);
  return static_cast<std::size_t>(pixels * w.groups * w.width) * sizeof(std::int16_t);
}

NamedKernel make_integer_convolution(const IntegerConvolution& layer, const KernelSet& set) {
  auto p = std::make_shared<Parameters>();
  const bool depthwise = is_depthwise(layer.layer);
  p->set = &set;
  p->widening = widening_of(layer);
  p->rows = layer.layer.geometry.batch * layer.layer.geometry.in_h;
  p->threads = layer.layer.threads;
  if (depthwise) {
    p->plan.geometry = widened(layer).geometry;
    p->plan.out_channels = layer.layer.out_channels;
    p->plan.bounds = layer.layer.bounds;
    p->jobs = layer.layer.geometry.batch * layer.layer.geometry.out_h;
  } else {
    static_cast<ConvolutionPlan&>(p->plan) = plan_of(widened(layer), set);
    p->zeros.assign(static_cast<std::size_t>(p->plan.geometry.channels), 0);
    p->plan.zeros = p->zeros.data();
    p->jobs = jobs_of(p->plan, set.lanes);
  }
  p->plan.result = layer.result;
  p->plan.residual = layer.residual;
  p->plan.residual_scale = layer.residual_scale;
  p->plan.zero_point = layer.zero_point;
  return {{depthwise ? run_depthwise : run_convolution, p},
          integer_convolution_name(layer.layer, set)};
}

std::vector<std::int32_t> pack_integer_weights(const IntegerConvolution& layer,
                                               const KernelSet& set, const std::int8_t* weights,
                                               const std::vector<float>& factors,
                                               const std::vector<float>& bias) {
  if (is_depthwise(layer.layer)) return pack_depthwise(layer, weights, factors, bias);
  constexpr std::size_t kHeaderRows = 2;
  const ConvolutionPlan plan = plan_of(widened(layer), set);
  const auto lanes = static_cast<std::size_t>(set.lanes);
  const auto groups = static_cast<std::size_t>(plan.groups);
  const auto blocks = static_cast<std::size_t>(blocks_of(plan, set.lanes));
  const std::size_t in = static_cast<std::size_t>(layer.layer.geometry.channels) / groups;
  const std::size_t pairs = (in + 1) / 2;
  const std::size_t out = static_cast<std::size_t>(plan.out_channels) / groups;
  const std::size_t taps = taps_of(layer.layer.geometry);
  const std::size_t block = static_cast<std::size_t>(plan.vectors) * lanes;
  const std::size_t slice_size = (kHeaderRows + taps * pairs) * block;
  std::vector<std::int32_t> packed(groups * blocks * slice_size, 0);
  for (std::size_t slice = 0; slice < groups * blocks; ++slice) {
    const std::size_t first = slice % blocks * block;  // Within the group.
    const std::size_t there = std::min(out - first, block);
    const std::size_t width = there > lanes ? block : lanes;
    std::int32_t* to = packed.data() + slice * slice_size;
    for (std::size_t o = 0; o < there; ++o) {
      const std::size_t channel = slice / blocks * out + first + o;
      to[o] = bits_of(factors[channel]);
      to[width + o] = bits_of(bias.empty() ? 0 : bias[channel]);
      for (std::size_t t = 0; t < taps; ++t) {
        for (std::size_t i = 0; i < in; ++i) {
          std::int32_t* row = to + (kHeaderRows + t * pairs + i / 2) * width;
          const std::size_t lane = o % lanes;
          const std::size_t at = set.pairs_interleaved ? 2 * lane + i % 2 : lane + i % 2 * lanes;
          const std::int16_t w = weights[(channel * in + i) * taps + t];
          std::memcpy(reinterpret_cast<std::byte*>(row + o / lanes * lanes) + at * sizeof w, &w,
                      sizeof w);
        }
      }
    }
  }
  return packed;
}

}  // namespace hedge::cpu
