// SPDX-License-Identifier: Apache-2.0
// Our own integer convolutions against plain loops over 64-bit integers, in every instruction set
// that this machine has.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>

#include "backends/cpu/kernels/nhwc/kernels.h"

namespace hedge::cpu {
namespace {

/// Numbers of any kind, as the kernels see them.
struct Numbers {
  Number kind = Number::kFloat;
  std::vector<std::byte> bytes;

  Numbers(Number k, std::size_t count) : kind(k), bytes(count * (k == Number::kFloat ? 4 : 1)) {}
  void set(std::size_t i, float x) {
    if (kind == Number::kFloat)
      std::memcpy(&bytes[4 * i], &x, 4);
    else
      bytes[i] = static_cast<std::byte>(static_cast<std::int32_t>(x));
  }
  [[nodiscard]] float get(std::size_t i) const {
    if (kind == Number::kInt8) return static_cast<std::int8_t>(bytes[i]);
    if (kind == Number::kUInt8) return static_cast<std::uint8_t>(bytes[i]);
    float x = 0;
    std::memcpy(&x, &bytes[4 * i], 4);
    return x;
  }
  [[nodiscard]] std::byte* data() { return bytes.data(); }
};

struct Case {
  IntegerConvolution conv;
  Numbers source{Number::kInt8, 0};
  std::vector<std::int8_t> weights;
  std::vector<float> factors, bias;
  Numbers residual{Number::kInt8, 0};
};

std::string describe(const Case& c) {
  const Geometry& g = c.conv.layer.geometry;
  return fmt::format(
      "batch {} {}x{}x{} -> {}x{}x{} kernel {}x{} stride {}x{} dilation {}x{} pads {},{} groups {} "
      "zero point {} result {} residual {} threads {}",
      g.batch, g.in_h, g.in_w, g.channels, g.out_h, g.out_w, c.conv.layer.out_channels, g.kernel_h,
      g.kernel_w, g.stride_h, g.stride_w, g.dilation_h, g.dilation_w, g.pad_top, g.pad_left,
      c.conv.layer.groups, c.conv.source_zero_point, static_cast<int>(c.conv.result),
      static_cast<int>(c.conv.residual), c.conv.layer.threads);
}

/// The sum of products for one result.
std::int64_t exact_sum(const Case& c, int n, int y, int x, int o) {
  const Geometry& g = c.conv.layer.geometry;
  const int in = g.channels / c.conv.layer.groups;
  const int group = o / (c.conv.layer.out_channels / c.conv.layer.groups);
  std::int64_t sum = 0;
  for (int i = 0; i < g.kernel_h; ++i) {
    for (int j = 0; j < g.kernel_w; ++j) {
      const int row = y * g.stride_h - g.pad_top + i * g.dilation_h;
      const int column = x * g.stride_w - g.pad_left + j * g.dilation_w;
      if (row < 0 || row >= g.in_h || column < 0 || column >= g.in_w) continue;
      for (int k = 0; k < in; ++k) {
        const auto at = static_cast<std::size_t>(
            ((n * g.in_h + row) * g.in_w + column) * g.channels + group * in + k);
        const auto w = static_cast<std::size_t>(((o * in + k) * g.kernel_h + i) * g.kernel_w + j);
        sum +=
            (static_cast<std::int64_t>(c.source.get(at)) - c.conv.source_zero_point) * c.weights[w];
      }
    }
  }
  return sum;
}

float expected(const Case& c, std::int64_t sum, std::size_t o, std::size_t at) {
  float v = (static_cast<float>(sum) + c.bias[o]) * c.factors[o];
  if (c.conv.residual != Number::kNone) v += c.residual.get(at) * c.conv.residual_scale;
  v = std::clamp(v, c.conv.layer.bounds.low, c.conv.layer.bounds.high);
  return c.conv.result == Number::kFloat
             ? v
             : std::nearbyint(v) + static_cast<float>(c.conv.zero_point);
}

void check(Case& c) {
  SCOPED_TRACE(describe(c));
  const Geometry& g = c.conv.layer.geometry;
  const int channels = c.conv.layer.out_channels;
  const auto count = static_cast<std::size_t>(g.batch * g.out_h * g.out_w * channels);
  std::vector<float> wanted;
  for (int n = 0; n < g.batch; ++n) {
    for (int y = 0; y < g.out_h; ++y) {
      for (int x = 0; x < g.out_w; ++x) {
        for (int o = 0; o < channels; ++o) {
          wanted.push_back(
              expected(c, exact_sum(c, n, y, x, o), static_cast<std::size_t>(o), wanted.size()));
        }
      }
    }
  }
  for (const KernelSet* set : kernel_sets()) {
    SCOPED_TRACE(set->name);
    const NamedKernel kernel = make_integer_convolution(c.conv, *set);
    auto packed = pack_integer_weights(c.conv, *set, c.weights.data(), c.factors, c.bias);
    // What an earlier step has left there.
    std::vector<std::int32_t> scratch(scratch_bytes(c.conv) / 4 + 1, 0x7f7f7f7f);
    Numbers result(c.conv.result, count);
    const bool in_place =
        c.conv.residual != Number::kNone && c.residual.bytes.size() == result.bytes.size();
    if (in_place) result.bytes = c.residual.bytes;
    std::byte* const buffers[] = {c.source.data(), reinterpret_cast<std::byte*>(packed.data()),
                                  reinterpret_cast<std::byte*>(scratch.data()), result.data(),
                                  in_place ? result.data() : c.residual.data()};
    kernel.kernel.run(kernel.kernel.parameters.get(), buffers);
    std::size_t differ = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const float error = std::fabs(result.get(i) - wanted[i]);
      if (c.conv.result == Number::kFloat) {
        EXPECT_LE(error, 1e-5F * std::fabs(wanted[i]) + 1e-5F) << i;
      } else {  // A half may fall to either side where products and sums are fused.
        EXPECT_LE(error, 1.F) << i;
        differ += error > 0 ? 1 : 0;
      }
    }
    EXPECT_LE(differ, count / 100 + 1);
  }
}

int extent(int in, int kernel, int stride, int dilation, int pads) {
  return (in + pads - (kernel - 1) * dilation - 1) / stride + 1;
}

TEST(OwnIntegerConvolution, AnyShape) {
  std::mt19937 random(11);
  const auto draw = [&](int low, int high) {
    return low + static_cast<int>(random() % static_cast<unsigned>(high - low + 1));
  };
  for (int i = 0; i < 300; ++i) {
    Case c;
    Geometry& g = c.conv.layer.geometry;
    const int groups = draw(1, 3) == 1 ? draw(1, 4) : 1;
    const bool depthwise = draw(1, 4) == 1;
    g.batch = draw(1, 2);
    g.channels = depthwise ? draw(2, 40) : groups * draw(1, 20);
    g.kernel_h = draw(1, 4);
    g.kernel_w = draw(1, 4);
    g.stride_h = draw(1, 2);
    g.stride_w = draw(1, 3);
    g.dilation_h = g.dilation_w = draw(1, 4) == 1 ? 2 : 1;
    g.pad_top = draw(0, 2);
    g.pad_left = draw(0, 2);
    g.in_h = (g.kernel_h - 1) * g.dilation_h + draw(1, 8);
    g.in_w = (g.kernel_w - 1) * g.dilation_w + draw(1, 24);
    g.out_h = extent(g.in_h, g.kernel_h, g.stride_h, g.dilation_h, g.pad_top + draw(0, 2));
    g.out_w = extent(g.in_w, g.kernel_w, g.stride_w, g.dilation_w, g.pad_left + draw(0, 2));
    c.conv.layer.groups = depthwise ? g.channels : groups;
    c.conv.layer.out_channels = depthwise ? g.channels : groups * draw(1, 40);
    c.conv.layer.threads = draw(1, 2);
    c.conv.source_is_signed = draw(0, 1) == 1;
    if (draw(0, 1) == 1) c.conv.source_zero_point = draw(0, 100);
    c.conv.result = static_cast<Number>(draw(1, 3));
    c.conv.residual = static_cast<Number>(draw(0, 3));
    c.conv.residual_scale = 0.7F;
    if (c.conv.result == Number::kInt8) c.conv.layer.bounds = {-128, 127};
    if (c.conv.result == Number::kUInt8) {
      c.conv.zero_point = draw(0, 1) * 7;
      c.conv.layer.bounds = {static_cast<float>(-c.conv.zero_point),
                             static_cast<float>(255 - c.conv.zero_point)};
    }
    const auto fill = [&](Numbers& numbers, Number kind, int count) {
      numbers =
          Numbers(kind == Number::kNone ? Number::kInt8 : kind, static_cast<std::size_t>(count));
      for (std::size_t k = 0; k < static_cast<std::size_t>(count); ++k) {
        numbers.set(k, static_cast<float>(kind == Number::kInt8 ? draw(-128, 127) : draw(0, 255)));
      }
    };
    fill(c.source, c.conv.source_is_signed ? Number::kInt8 : Number::kUInt8,
         g.batch * g.in_h * g.in_w * g.channels);
    fill(c.residual, c.conv.residual, g.batch * g.out_h * g.out_w * c.conv.layer.out_channels);
    const int taps = g.channels / c.conv.layer.groups * g.kernel_h * g.kernel_w;
    for (int k = 0; k < taps * c.conv.layer.out_channels; ++k) {
      c.weights.push_back(static_cast<std::int8_t>(draw(-127, 127)));
    }
    for (int o = 0; o < c.conv.layer.out_channels; ++o) {
      c.factors.push_back(static_cast<float>(draw(1, 100)) * 1e-4F);
      c.bias.push_back(static_cast<float>(draw(-9000, 9000)) / 3);
    }
    check(c);
  }
}

/// The largest products there are: pairs of them do not fit 16 bits, as the x86 instruction for
/// bytes would have it.
TEST(OwnIntegerConvolution, SaturatesNowhere) {
  for (const int weight : {127, -127, -128}) {
    for (const bool is_signed : {false, true}) {
      Case c;
      c.conv.layer.geometry = {.channels = 64,
                               .in_h = 4,
                               .in_w = 9,
                               .out_h = 2,
                               .out_w = 7,
                               .kernel_h = 3,
                               .kernel_w = 3};
      c.conv.layer.out_channels = 40;
      c.conv.source_is_signed = is_signed;
      c.source = Numbers(is_signed ? Number::kInt8 : Number::kUInt8, 4 * 9 * 64);
      for (std::size_t i = 0; i < 4 * 9 * 64; ++i) c.source.set(i, is_signed ? -128 : 255);
      c.weights.assign(std::size_t{40} * 64 * 9, static_cast<std::int8_t>(weight));
      c.factors.assign(40, 1);
      c.bias.assign(40, 0);
      check(c);
    }
  }
}

}  // namespace
}  // namespace hedge::cpu
