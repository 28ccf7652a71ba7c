// SPDX-License-Identifier: Apache-2.0
// The convolution on the tensor cores by itself: every way of cutting up the work, every type,
// against sums in float64 of the operands as they are rounded.

#include "backends/cuda/kernels/convolution.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "backends/cuda/compiler.h"
#include "backends/cuda/gpu_test.h"
#include "support/graph_builder.h"

namespace hedge::cuda {
namespace {

using gpu::check;
using gpu::device_memory;
using gpu::Memory;

float decode(const std::byte* bytes, ElementType type) {
  std::uint16_t half = 0;
  float x = 0;
  if (type == ElementType::kFloat32) {
    std::memcpy(&x, bytes, 4);
    return x;
  }
  std::memcpy(&half, bytes, 2);
  if (type == ElementType::kBfloat16) {
    const std::uint32_t bits = std::uint32_t{half} << 16U;
    std::memcpy(&x, &bits, 4);
    return x;
  }
  const int exponent = half >> 10U & 31U;
  const int fraction = half & 1023U;
  x = exponent == 0 ? std::ldexp(static_cast<float>(fraction), -24)
                    : std::ldexp(static_cast<float>(fraction + 1024), exponent - 25);
  return (half & 0x8000U) != 0 ? -x : x;
}

/// As the device sees them.
std::vector<float> rounded(const std::vector<float>& values, ElementType type) {
  const auto bytes = encode(values, type);
  std::vector<float> result;
  for (std::size_t i = 0; i < values.size(); ++i) {
    result.push_back(decode(bytes.data() + i * byte_size(type), type));
  }
  return result;
}

Memory upload(std::span<const std::byte> bytes) {
  Memory memory = device_memory(bytes.size());
  check(cudaMemcpy(memory.get(), bytes.data(), bytes.size(), cudaMemcpyHostToDevice), "upload");
  return memory;
}

Convolution shape_of(int size, int in_c, int out_c, int kernel, int stride, int dilation = 1) {
  Convolution c;
  c.batch = 2;
  c.in_h = size;
  c.in_w = size + 1;
  c.in_c = in_c;
  c.out_c = out_c;
  c.kernel_h = c.kernel_w = kernel;
  c.stride_h = c.stride_w = stride;
  c.dilation_h = c.dilation_w = dilation;
  c.pad_top = c.pad_left = (kernel - 1) * dilation / 2;
  const auto out = [&](int in) {
    return (in + 2 * c.pad_top - (kernel - 1) * dilation - 1) / stride + 1;
  };
  c.out_h = out(c.in_h);
  c.out_w = out(c.in_w);
  return c;
}

/// x * weights, added to the sums of each pixel and channel.
void add_products(const Convolution& c, const std::vector<float>& x,
                  const std::vector<float>& weights, std::vector<double>& sums) {
  for (int p = 0; p < c.pixels(); ++p) {
    const int n = p / (c.out_h * c.out_w);
    const int top = p / c.out_w % c.out_h * c.stride_h - c.pad_top;
    const int left = p % c.out_w * c.stride_w - c.pad_left;
    for (int k = 0; k < c.out_c; ++k) {
      double& sum = sums[static_cast<std::size_t>(p * c.out_c + k)];
      for (int ky = 0; ky < c.kernel_h; ++ky) {
        for (int kx = 0; kx < c.kernel_w; ++kx) {
          const int row = top + ky * c.dilation_h;
          const int column = left + kx * c.dilation_w;
          if (row < 0 || column < 0 || row >= c.in_h || column >= c.in_w) continue;
          const float* from = x.data() + ((n * c.in_h + row) * c.in_w + column) * c.in_c;
          const float* w = weights.data() + ((k * c.kernel_h + ky) * c.kernel_w + kx) * c.in_c;
          for (int i = 0; i < c.in_c; ++i) sum += double{from[i]} * w[i];
        }
      }
    }
  }
}

std::vector<float> scaled_noise(std::int64_t count, std::uint32_t seed, float scale) {
  auto values = test::noise(static_cast<std::size_t>(count), seed);
  for (float& v : values) v *= scale;
  return values;
}

/// A plane and weights, of the type as the device sees them, here and there.
struct Plane {
  Plane(const Convolution& c, ElementKind kind, std::uint32_t seed)
      : x(rounded(scaled_noise(std::int64_t{c.batch} * c.in_h * c.in_w * c.in_c, seed, 1),
                  type_of(kind))),
        weights(rounded(
            scaled_noise(std::int64_t{c.out_c} * c.kernel_h * c.kernel_w * c.in_c, seed + 1, 0.1F),
            type_of(kind))),
        packed(pack_weights(weights.data(), c, kind)),
        x_there(upload(encode(x, type_of(kind)))) {}
  std::vector<float> x, weights;
  std::vector<std::byte> packed;
  Memory x_there;
};

class ConvolutionKernel : public test::GpuTest {};

double tolerance_of(ElementKind kind) {
  return kind == ElementKind::kFloat32 ? 1e-5 : kind == ElementKind::kBfloat16 ? 8e-3 : 1e-3;
}

/// In `y`, which `arguments` have the kernel write, after each way of cutting the work up.
void expect_by_every_tactic(const Convolution& c, ElementKind kind,
                            const ConvolutionArguments& arguments, const Memory& y,
                            const std::vector<double>& expected, double tolerance) {
  const ElementType type = type_of(kind);
  std::vector<std::byte> result(expected.size() * byte_size(type));
  for (const ConvolutionTactic& tactic : convolution_tactics(c, kind)) {
    check(cudaMemset(y.get(), 0xff, result.size()), "poison");
    check(launch_convolution(c, kind, tactic, arguments, {}), "launch");
    check(cudaMemcpy(result.data(), y.get(), result.size(), cudaMemcpyDeviceToHost), "result");
    double worst = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const double error =
          std::abs(decode(result.data() + i * byte_size(type), type) - expected[i]);
      ASSERT_FALSE(std::isnan(error)) << tactic_text(tactic) << ", result " << i;
      worst = std::max(worst, error);
    }
    ASSERT_LT(worst, tolerance) << tactic_text(tactic) << " of kind " << static_cast<int>(kind)
                                << ", " << c.in_c << " to " << c.out_c << " channels, "
                                << arguments.sibling.out_c << " beside them";
  }
}

void check_tactics(const Convolution& c, ElementKind kind) {
  const ElementType type = type_of(kind);
  Plane plane(c, kind, 1);
  const auto bias = scaled_noise(c.out_c, 3, 1);
  const auto residual = rounded(scaled_noise(std::int64_t{c.pixels()} * c.out_c, 4, 1), type);
  std::vector<double> expected(residual.begin(), residual.end());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    expected[i] += bias[i % static_cast<std::size_t>(c.out_c)];
  }
  add_products(c, plane.x, plane.weights, expected);
  double largest = 0;
  for (double& sum : expected) {
    sum = std::max(sum, 0.0);
    largest = std::max(largest, sum);
  }
  const Memory weights = upload(plane.packed);
  const Memory bias_there = upload(encode(bias, ElementType::kFloat32));
  const Memory residual_there = upload(encode(residual, type));
  const Memory y = device_memory(expected.size() * byte_size(type));
  ConvolutionArguments arguments{plane.x_there.get(), weights.get(), {}};
  arguments.epilogue.bias = reinterpret_cast<const float*>(bias_there.get());
  arguments.epilogue.y = y.get();
  arguments.epilogue.used_c = c.out_c;
  arguments.epilogue.post_op_count = 2;
  arguments.epilogue.post_ops[0] = {PostOpParameters::Kind::kAddTensor, 0, 0, residual_there.get()};
  arguments.epilogue.post_ops[1] = {PostOpParameters::Kind::kRelu, 0, 0, nullptr};
  expect_by_every_tactic(c, kind, arguments, y, expected, tolerance_of(kind) * largest);
}

/// The sums of a projection in the same launch, which the main convolution's window, padding and
/// epilogue must not touch.
void check_siblings(const Convolution& c, int out_c, ElementKind kind) {
  const ElementType type = type_of(kind);
  const Convolution shape = sibling_shape(c, out_c);
  const Plane plane(c, kind, 1);
  const auto weights = rounded(scaled_noise(std::int64_t{out_c} * c.in_c, 7, 0.1F), type);
  const auto bias = scaled_noise(out_c, 8, 1);
  std::vector<double> expected(static_cast<std::size_t>(c.pixels()) *
                               static_cast<std::size_t>(out_c));
  for (std::size_t i = 0; i < expected.size(); ++i) {
    expected[i] = bias[i % static_cast<std::size_t>(out_c)];
  }
  add_products(shape, plane.x, weights, expected);
  const Memory main_weights = upload(plane.packed);
  const Memory there = upload(pack_weights(weights.data(), shape, kind));
  const Memory bias_there = upload(encode(bias, ElementType::kFloat32));
  const Memory y = device_memory(expected.size() * byte_size(type));
  const Memory main_y =
      device_memory(static_cast<std::size_t>(c.pixels() * c.out_c) * byte_size(type));
  ConvolutionArguments arguments{plane.x_there.get(), main_weights.get(), {}};
  arguments.epilogue.y = main_y.get();
  arguments.epilogue.used_c = c.out_c;
  arguments.epilogue.post_op_count = 1;
  arguments.epilogue.post_ops[0] = {PostOpParameters::Kind::kRelu, 0, 0, nullptr};
  arguments.sibling = {out_c, there.get(), reinterpret_cast<const float*>(bias_there.get()),
                       y.get()};
  expect_by_every_tactic(c, kind, arguments, y, expected, 2 * tolerance_of(kind));
}

constexpr ElementKind kKinds[] = {ElementKind::kHalf, ElementKind::kBfloat16, ElementKind::kTf32,
                                  ElementKind::kFloat32};

TEST_F(ConvolutionKernel, EveryTacticGivesTheSums) {
  for (const ElementKind kind : kKinds) {
    for (const Convolution& c :
         {shape_of(8, 8, 16, 3, 1), shape_of(9, 16, 24, 3, 2), shape_of(7, 40, 8, 1, 1),
          shape_of(12, 8, 40, 5, 2), shape_of(10, 32, 16, 3, 1, 2)}) {
      check_tactics(c, kind);
    }
  }
}

/// Numbers from -127 to 127.
std::vector<float> integers(std::int64_t count, std::uint32_t seed) {
  auto values = scaled_noise(count, seed, 127);
  for (float& v : values) v = std::nearbyint(v);
  return values;
}

std::vector<std::byte> as_bytes_of(const std::vector<std::int32_t>& values) {
  const auto bytes = std::as_bytes(std::span(values));
  return {bytes.begin(), bytes.end()};
}

/// Products of bytes, exact in 32 bits, whatever lies beside the plane; as floats they leave as
/// they are, as bytes in steps.
void check_integer_tactics(const Convolution& c, int zero_point) {
  const auto x = integers(std::int64_t{c.batch} * c.in_h * c.in_w * c.in_c, 1);
  const auto weights = integers(std::int64_t{c.out_c} * c.kernel_h * c.kernel_w * c.in_c, 2);
  const auto residual = integers(std::int64_t{c.pixels()} * c.out_c, 3);
  std::vector<float> bias = integers(c.out_c, 4);
  std::vector<float> factors(static_cast<std::size_t>(c.out_c), 0.25F);
  std::vector<std::int32_t> first(static_cast<std::size_t>(c.out_c), 0);
  const std::size_t each = weights.size() / first.size();
  for (std::size_t i = 0; i < weights.size(); ++i) {
    first[i / each] -= static_cast<std::int32_t>(weights[i]) * zero_point;
  }
  std::vector<float> real(x);
  for (float& v : real) v -= static_cast<float>(zero_point);
  std::vector<double> expected(residual.size(), 0);
  add_products(c, real, weights, expected);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    expected[i] = (expected[i] + bias[i % bias.size()]) * 0.25 + residual[i] * 0.5;
  }
  const Memory x_there = upload(encode(x, ElementType::kInt8));
  const Memory packed = upload(pack_weights(weights.data(), c, ElementKind::kInt8));
  const Memory bias_there = upload(encode(bias, ElementType::kFloat32));
  const Memory residual_there = upload(encode(residual, ElementType::kInt8));
  std::vector<std::byte> both = encode(factors, ElementType::kFloat32);
  const auto behind = as_bytes_of(first);
  both.insert(both.end(), behind.begin(), behind.end());
  const Memory factors_there = upload(both);
  const Memory y = device_memory(expected.size() * 4);
  ConvolutionArguments arguments{x_there.get(), packed.get(), {}, zero_point};
  Epilogue& epilogue = arguments.epilogue;
  epilogue.bias = reinterpret_cast<const float*>(bias_there.get());
  epilogue.factors = reinterpret_cast<const float*>(factors_there.get());
  epilogue.y = y.get();
  epilogue.used_c = c.out_c;
  epilogue.post_op_count = 1;
  epilogue.post_ops[0].kind = PostOpParameters::Kind::kAddTensor;
  epilogue.post_ops[0].operand = residual_there.get();
  epilogue.post_ops[0].type = ElementType::kInt8;
  epilogue.post_ops[0].scale = {0.5F, 0};
  constexpr float kStep = 2048;
  for (const ConvolutionTactic& tactic : convolution_tactics(c, ElementKind::kInt8)) {
    std::vector<float> floats(expected.size());
    check(cudaMemset(y.get(), 0xff, floats.size() * 4), "poison");
    epilogue.type = ElementType::kFloat32;
    check(launch_convolution(c, ElementKind::kInt8, tactic, arguments, {}), "launch");
    check(cudaMemcpy(floats.data(), y.get(), floats.size() * 4, cudaMemcpyDeviceToHost), "result");
    std::vector<std::int8_t> bytes(expected.size());
    epilogue.type = ElementType::kInt8;
    epilogue.scale = {kStep, 3};
    check(launch_convolution(c, ElementKind::kInt8, tactic, arguments, {}), "launch");
    check(cudaMemcpy(bytes.data(), y.get(), bytes.size(), cudaMemcpyDeviceToHost), "result");
    for (std::size_t i = 0; i < expected.size(); ++i) {
      ASSERT_EQ(floats[i], static_cast<float>(expected[i])) << tactic_text(tactic) << " at " << i;
      const double steps = std::nearbyint(expected[i] / kStep) + 3;
      ASSERT_EQ(bytes[i], static_cast<int>(std::clamp(steps, -128.0, 127.0)))
          << tactic_text(tactic) << " at " << i;
    }
  }
}

TEST_F(ConvolutionKernel, EveryTacticGivesTheExactSumsOfBytes) {
  for (const int zero_point : {0, -128, 17}) {
    for (const Convolution& c :
         {shape_of(8, 16, 16, 3, 1), shape_of(9, 32, 24, 3, 2), shape_of(7, 80, 8, 1, 1),
          shape_of(12, 16, 40, 5, 2), shape_of(10, 48, 16, 3, 1, 2)}) {
      check_integer_tactics(c, zero_point);
    }
  }
}

TEST(ConvolutionWeights, OfBytesLieByChunkTileAndLane) {
  const Convolution c = shape_of(4, 32, 16, 3, 1);
  std::vector<float> weights(std::size_t{16} * 9 * 32);
  for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<float>(i % 251) - 125;
  const auto packed = pack_weights(weights.data(), c, ElementKind::kInt8);
  // 18 granules of 16 channels: five chunks of four, two tiles of 8 output channels, 32 lanes.
  ASSERT_EQ(packed.size(), 5U * 2 * 32 * 16);
  for (const std::size_t k : {0, 17, 130, 287}) {  // Of the sum: tap by tap, channel by channel.
    for (const std::size_t n : {0, 7, 8, 15}) {
      const std::size_t granule = k / 16;
      const std::size_t lane = n % 8 * 4 + granule % 4;
      const std::size_t at = (((granule / 4) * 2 + n / 8) * 32 + lane) * 16 + k % 16;
      EXPECT_EQ(static_cast<std::int8_t>(packed[at]), static_cast<int>(weights[n * 288 + k]));
    }
  }
}

TEST_F(ConvolutionKernel, EveryTacticGivesTheSumsOfASiblingToo) {
  for (const ElementKind kind : kKinds) {
    check_siblings(shape_of(9, 16, 24, 3, 2), 40, kind);
    check_siblings(shape_of(8, 40, 16, 5, 1), 8, kind);
  }
}

}  // namespace
}  // namespace hedge::cuda
