// SPDX-License-Identifier: Apache-2.0
// Our own kernels against the reference executor, in every instruction set that this machine has.

#include "backends/cpu/kernels/nhwc/kernels.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "graph/reference_executor.h"
#include "support/graph_builder.h"

namespace hedge::cpu {
namespace {

using test::GraphBuilder;
using test::Ints;

/// Planes of NCHW to pixels of NHWC, and back with the extents the other way round.
std::vector<float> transposed(std::span<const float> from, std::int64_t batch, std::int64_t rows,
                              std::int64_t columns) {
  std::vector<float> to(from.size());
  for (std::int64_t n = 0; n < batch; ++n) {
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t c = 0; c < columns; ++c) {
        to[static_cast<std::size_t>((n * columns + c) * rows + r)] =
            from[static_cast<std::size_t>((n * rows + r) * columns + c)];
      }
    }
  }
  return to;
}

std::vector<float> to_nhwc(const Tensor& t) {
  const Shape& s = t.shape();
  return transposed(t.values<float>(), s[0], s[1], s[2] * s[3]);
}

void run(const Kernel& kernel, const std::vector<const float*>& inputs, float* result,
         std::size_t result_at) {
  std::vector<std::byte*> buffers;
  for (const float* input : inputs) {
    buffers.push_back(reinterpret_cast<std::byte*>(const_cast<float*>(input)));
  }
  buffers.insert(buffers.begin() + static_cast<std::ptrdiff_t>(result_at),
                 reinterpret_cast<std::byte*>(result));
  kernel.run(kernel.parameters.get(), buffers.data());
}

struct Case {
  Convolution layer;
  Shape pads;
};

std::string describe(const Case& c) {
  const Geometry& g = c.layer.geometry;
  return fmt::format(
      "batch {} {}x{}x{} -> {}x{}x{} kernel {}x{} stride {}x{} dilation {}x{} pads {} "
      "groups {} residual {} threads {}",
      g.batch, g.in_h, g.in_w, g.channels, g.out_h, g.out_w, c.layer.out_channels, g.kernel_h,
      g.kernel_w, g.stride_h, g.stride_w, g.dilation_h, g.dilation_w, to_string(c.pads),
      c.layer.groups, c.layer.residual, c.layer.threads);
}

/// The layer by the reference executor, and by the kernel of each set.
void check(const Case& c) {
  SCOPED_TRACE(describe(c));
  const Convolution& layer = c.layer;
  const Geometry& g = layer.geometry;
  GraphBuilder b;
  const Shape in{g.batch, g.channels, g.in_h, g.in_w};
  const Shape w{layer.out_channels, g.channels / layer.groups, g.kernel_h, g.kernel_w};
  const Tensor weights = test::noise_tensor(w, 2);
  const Tensor bias = test::noise_tensor({layer.out_channels}, 3);
  const ValueId conv = b.node("Conv", {b.input(in), b.constant(weights), b.constant(bias)},
                              {{"pads", Ints(c.pads)},
                               {"strides", Ints{g.stride_h, g.stride_w}},
                               {"dilations", Ints{g.dilation_h, g.dilation_w}},
                               {"group", std::int64_t{layer.groups}}});
  const Shape out{g.batch, layer.out_channels, g.out_h, g.out_w};
  const Tensor residual = test::noise_tensor(out, 4);
  Graph graph = b.finish({conv});
  ASSERT_EQ(graph.value(conv).type.shape, out);
  const Tensor input = test::noise_tensor(in, 5);
  std::vector<float> expected = to_nhwc(execute(graph, std::vector<Tensor>{input})[0]);
  const std::vector<float> added = to_nhwc(residual);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (layer.residual) expected[i] += added[i];
    expected[i] = std::clamp(expected[i], layer.bounds.low, layer.bounds.high);
  }
  const std::vector<float> source = to_nhwc(input);
  for (const KernelSet* set : kernel_sets()) {
    SCOPED_TRACE(set->name);
    const auto packed =
        pack_weights(layer, *set, weights.values<float>().data(), bias.values<float>().data());
    const NamedKernel kernel = make_convolution(layer, *set);
    std::vector<float> actual(expected.size(), NAN);
    std::vector<const float*> inputs{source.data(), packed.data()};
    if (layer.residual) inputs.push_back(added.data());
    run(kernel.kernel, inputs, actual.data(), 2);
    EXPECT_LT(test::relative_error(actual, expected), 1e-5);
    if (!layer.residual) continue;
    actual = added;  // In place of the residual.
    inputs[2] = actual.data();
    run(kernel.kernel, inputs, actual.data(), 2);
    EXPECT_LT(test::relative_error(actual, expected), 1e-5);
  }
}

int extent(int in, int kernel, int stride, int dilation, int pads) {
  return (in + pads - (kernel - 1) * dilation - 1) / stride + 1;
}

Case make_case(int batch, int channels, int out, int h, int w, int kernel_h, int kernel_w,
               int stride, int dilation, Shape pads, int groups = 1) {
  Case c;
  c.layer.geometry = {
      .batch = batch,
      .channels = channels,
      .in_h = h,
      .in_w = w,
      .out_h = extent(h, kernel_h, stride, dilation, static_cast<int>(pads[0] + pads[2])),
      .out_w = extent(w, kernel_w, stride, dilation, static_cast<int>(pads[1] + pads[3])),
      .kernel_h = kernel_h,
      .kernel_w = kernel_w,
      .stride_h = stride,
      .stride_w = stride,
      .dilation_h = dilation,
      .dilation_w = dilation,
      .pad_top = static_cast<int>(pads[0]),
      .pad_left = static_cast<int>(pads[1])};
  c.layer.groups = groups;
  c.layer.out_channels = out;
  c.pads = std::move(pads);
  return c;
}

TEST(OwnConvolution, LayersOfTheNets) {
  for (const bool residual : {false, true}) {
    for (Case c : {make_case(1, 3, 16, 32, 32, 3, 3, 1, 1, {1, 1, 1, 1}),
                   make_case(1, 16, 16, 32, 32, 3, 3, 1, 1, {1, 1, 1, 1}),
                   make_case(1, 16, 32, 32, 32, 3, 3, 2, 1, {0, 0, 1, 1}),
                   make_case(1, 16, 32, 32, 32, 1, 1, 2, 1, {0, 0, 0, 0}),
                   make_case(1, 64, 64, 8, 8, 3, 3, 1, 1, {1, 1, 1, 1}),
                   make_case(1, 24, 144, 14, 14, 1, 1, 1, 1, {0, 0, 0, 0}),
                   make_case(1, 144, 144, 14, 14, 3, 3, 2, 1, {1, 1, 1, 1}, 144),
                   make_case(1, 64, 10, 1, 1, 1, 1, 1, 1, {0, 0, 0, 0}),
                   make_case(5, 64, 10, 1, 1, 1, 1, 1, 1, {0, 0, 0, 0})}) {
      c.layer.residual = residual;
      c.layer.bounds = {0, 6};
      check(c);
    }
  }
}

TEST(OwnConvolution, AnyShape) {
  std::mt19937 random(7);
  const auto draw = [&](int low, int high) {
    return low + static_cast<int>(random() % static_cast<unsigned>(high - low + 1));
  };
  for (int i = 0; i < 300; ++i) {
    const int kernel_h = draw(1, 5);
    const int kernel_w = draw(1, 5);
    const int dilation = draw(1, 4) == 1 ? 2 : 1;
    const int groups = draw(1, 3) == 1 ? draw(1, 4) : 1;
    const bool depthwise = draw(1, 3) == 1;
    const int channels = depthwise ? draw(2, 70) : groups * draw(1, 20);
    const Shape pads{draw(0, 2), draw(0, 3), draw(0, 2), draw(0, 3)};
    const int h = (kernel_h - 1) * dilation + draw(1, 12);
    const int w = (kernel_w - 1) * dilation + draw(1, 30);
    Case c =
        make_case(draw(1, 3), channels, depthwise ? channels : groups * draw(1, 40), h, w, kernel_h,
                  kernel_w, draw(1, 3), dilation, pads, depthwise ? channels : groups);
    c.layer.residual = draw(0, 1) == 1;
    if (draw(0, 1) == 1) c.layer.bounds = {-0.5F, 1.5F};
    c.layer.threads = draw(1, 2);
    check(c);
  }
}

TEST(OwnConvolution, NoBiasIsZero) {
  const Case c = make_case(1, 4, 4, 3, 3, 1, 1, 1, 1, {0, 0, 0, 0});
  const std::vector<float> weights(16, 1);
  const std::vector<float> source(36, 1);
  for (const KernelSet* set : kernel_sets()) {
    const auto packed = pack_weights(c.layer, *set, weights.data(), nullptr);
    std::vector<float> actual(36, NAN);
    run(make_convolution(c.layer, *set).kernel, {source.data(), packed.data()}, actual.data(), 2);
    EXPECT_EQ(actual, std::vector<float>(36, 4));
  }
}

void check_pool(const std::string& op, int batch, int channels, int h, int w, int kernel,
                int stride, const Shape& pads, bool ceil, bool count_padding) {
  SCOPED_TRACE(fmt::format("{} batch {} {}x{}x{} kernel {} stride {} pads {} ceil {} count {}", op,
                           batch, h, w, channels, kernel, stride, to_string(pads), ceil,
                           count_padding));
  GraphBuilder b;
  const Shape in{batch, channels, h, w};
  std::vector<std::pair<std::string, Attributes::Value>> attributes{
      {"kernel_shape", Ints{kernel, kernel}},
      {"strides", Ints{stride, stride}},
      {"pads", Ints(pads)},
      {"ceil_mode", std::int64_t{ceil ? 1 : 0}}};
  if (count_padding) attributes.emplace_back("count_include_pad", std::int64_t{1});
  const ValueId id = b.node(op, {b.input(in)}, attributes);
  const Graph graph = b.finish({id});
  const Shape out = graph.value(id).type.shape;
  const Tensor input = test::noise_tensor(in, 5);
  const auto expected = to_nhwc(execute(graph, std::vector<Tensor>{input})[0]);
  const auto source = to_nhwc(input);
  PoolPlan plan;
  plan.geometry = {.batch = batch,
                   .channels = channels,
                   .in_h = h,
                   .in_w = w,
                   .out_h = static_cast<int>(out[2]),
                   .out_w = static_cast<int>(out[3]),
                   .kernel_h = kernel,
                   .kernel_w = kernel,
                   .stride_h = stride,
                   .stride_w = stride,
                   .pad_top = static_cast<int>(pads[0]),
                   .pad_left = static_cast<int>(pads[1])};
  plan.largest = op == "MaxPool";
  plan.count_padding = count_padding;
  plan.padded_h = static_cast<int>(h + pads[0] + pads[2]);
  plan.padded_w = static_cast<int>(w + pads[1] + pads[3]);
  plan.bounds = kUnbounded;
  for (const KernelSet* set : kernel_sets()) {
    SCOPED_TRACE(set->name);
    std::vector<float> actual(expected.size(), NAN);
    run(make_pool(plan, 2, *set).kernel, {source.data()}, actual.data(), 1);
    EXPECT_LT(test::relative_error(actual, expected), 1e-5);
  }
}

TEST(OwnPool, AnyShape) {
  for (const int channels : {1, 3, 16, 70, 131}) {
    for (const std::string op : {"MaxPool", "AveragePool"}) {
      const bool counts = op == "AveragePool";
      for (const bool ceil : {false, true}) {
        check_pool(op, 2, channels, 9, 11, 3, 2, {1, 1, 1, 1}, ceil, false);
        check_pool(op, 1, channels, 9, 11, 3, 2, {1, 0, 1, 1}, ceil, counts);
        check_pool(op, 1, channels, 8, 8, 2, 2, {0, 0, 0, 0}, ceil, counts);
      }
      check_pool(op, 3, channels, 7, 7, 7, 1, {0, 0, 0, 0}, false, false);
    }
  }
}

TEST(OwnClip, Bounds) {
  for (const std::size_t count : {1U, 5U, 16U, 67U, 256U}) {
    const auto a = test::noise(count, 1);
    for (const KernelSet* set : kernel_sets()) {
      std::vector<float> clipped(count, NAN);
      run(make_clip(count, {-0.25F, 0.25F}, *set).kernel, {a.data()}, clipped.data(), 1);
      for (std::size_t i = 0; i < count; ++i) {
        EXPECT_EQ(clipped[i], std::clamp(a[i], -0.25F, 0.25F));
      }
    }
  }
}

TEST(OwnClip, KeepsNan) {
  const std::vector<float> a(19, NAN);
  for (const KernelSet* set : kernel_sets()) {
    std::vector<float> clipped(a.size(), 0);
    run(make_clip(a.size(), {-1, 1}, *set).kernel, {a.data()}, clipped.data(), 1);
    for (const float x : clipped) EXPECT_TRUE(std::isnan(x)) << x;
  }
}

TEST(OwnSoftmax, AlongAnyAxis) {
  for (const std::int64_t axis : {0, 1, 2}) {
    GraphBuilder b;
    const Shape shape{3, 5, 4};
    const Graph graph = b.finish({b.node("Softmax", {b.input(shape)}, {{"axis", axis}})});
    const Tensor input = test::noise_tensor(shape, 5, 30);
    const Tensor expected = execute(graph, std::vector<Tensor>{input})[0];
    std::int64_t outer = 1;
    for (std::int64_t i = 0; i < axis; ++i) outer *= shape[static_cast<std::size_t>(i)];
    const std::int64_t extent = shape[static_cast<std::size_t>(axis)];
    std::vector<float> actual(60, NAN);
    run(make_softmax(outer, extent, 60 / outer / extent).kernel, {input.values<float>().data()},
        actual.data(), 1);
    EXPECT_LT(test::relative_error(actual, expected.values<float>()), 1e-6);
  }
}

/// Row-major strides of `extents` in the order of axes `order`, the last the densest.
Ints strides_of(const Ints& extents, const Ints& order) {
  Ints strides(extents.size());
  std::int64_t stride = 1;
  for (auto axis = order.rbegin(); axis != order.rend(); ++axis) {
    strides[static_cast<std::size_t>(*axis)] = stride;
    stride *= extents[static_cast<std::size_t>(*axis)];
  }
  return strides;
}

TEST(OwnCopy, AnyOrderOfAxes) {
  for (const Ints& extents :
       {Ints{2, 3, 17, 19}, Ints{1, 40, 5, 1}, Ints{4, 1, 1, 6}, Ints{1, 1, 1, 1}}) {
    Ints order{0, 1, 2, 3};
    const auto source = test::noise(static_cast<std::size_t>(element_count(extents)), 1);
    const Ints from = strides_of(extents, order);
    do {
      SCOPED_TRACE(to_string(extents) + " as " + to_string(order));
      const Ints to = strides_of(extents, order);
      std::vector<float> actual(source.size(), NAN);
      std::vector<float> back(source.size(), NAN);
      run(make_copy(extents, from, to).kernel, {source.data()}, actual.data(), 1);
      run(make_copy(extents, to, from).kernel, {actual.data()}, back.data(), 1);
      EXPECT_EQ(back, source);
      for (std::int64_t i = 0; i < element_count(extents); ++i) {
        std::int64_t place = 0;
        for (std::size_t axis = 0; axis < 4; ++axis)
          place += i / from[axis] % extents[axis] * to[axis];
        EXPECT_EQ(actual[static_cast<std::size_t>(place)], source[static_cast<std::size_t>(i)]);
      }
    } while (std::next_permutation(order.begin(), order.end()));
  }
}

}  // namespace
}  // namespace hedge::cpu
