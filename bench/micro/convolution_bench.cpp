// SPDX-License-Identifier: Apache-2.0
// Convolutions of the nets, by our own kernels in every instruction set that this machine has and
// by oneDNN's first choice in the layouts that it likes best (reorders are in neither figure).

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <string>
#include <vector>

#include "backends/cpu/dnnl_compat.h"
#include "backends/cpu/kernels/nhwc/kernels.h"

namespace hedge::cpu {
namespace {

struct Layer {
  const char* of;
  int in, out, extent, kernel, stride, groups;
};

constexpr Layer kLayers[] = {
    {"cifar stem", 3, 16, 32, 3, 1, 1},      {"resnet8/56", 16, 16, 32, 3, 1, 1},
    {"resnet8/56", 16, 32, 32, 3, 2, 1},     {"resnet8/56", 32, 32, 16, 3, 1, 1},
    {"resnet8/56", 64, 64, 8, 3, 1, 1},      {"imagenet stem", 3, 32, 224, 3, 2, 1},
    {"mobilenet_v2", 32, 32, 112, 3, 1, 32}, {"mobilenet_v2", 32, 16, 112, 1, 1, 1},
    {"mobilenet_v2", 16, 96, 112, 1, 1, 1},  {"mobilenet_v2", 96, 96, 112, 3, 2, 96},
    {"mobilenet_v2", 24, 144, 56, 1, 1, 1},  {"mobilenet_v2", 144, 144, 56, 3, 1, 144},
    {"mobilenet_v2", 384, 64, 14, 1, 1, 1},  {"mobilenet_v2", 576, 576, 14, 3, 1, 576},
    {"mobilenet_v2", 960, 160, 7, 1, 1, 1},  {"mobilenet_v2", 960, 960, 7, 3, 1, 960},
    {"mobilenet_v2", 320, 1280, 7, 1, 1, 1}, {"resnet18", 64, 64, 56, 3, 1, 1},
    {"resnet18", 512, 512, 7, 3, 1, 1},      {"fully connected", 1280, 1000, 1, 1, 1, 1},
};

std::string name_of(const Layer& l) {
  return fmt::format("{} {}x{}/{} {}->{} {}x{}{}", l.of, l.kernel, l.kernel, l.stride, l.in, l.out,
                     l.extent, l.extent, l.groups > 1 ? " depthwise" : "");
}

int out_extent(const Layer& l) {
  return (l.extent + 2 * (l.kernel / 2) - l.kernel) / l.stride + 1;
}

void count_work(benchmark::State& state, const Layer& l) {
  const double out = out_extent(l);
  const double operations = 2.0 * out * out * l.out * l.in / l.groups * l.kernel * l.kernel;
  state.counters["GFLOP/s"] =
      benchmark::Counter(operations * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

void own(benchmark::State& state, const Layer& l, const KernelSet& set) {
  Convolution layer;
  layer.geometry = {.channels = l.in,
                    .in_h = l.extent,
                    .in_w = l.extent,
                    .out_h = out_extent(l),
                    .out_w = out_extent(l),
                    .kernel_h = l.kernel,
                    .kernel_w = l.kernel,
                    .stride_h = l.stride,
                    .stride_w = l.stride,
                    .pad_top = l.kernel / 2,
                    .pad_left = l.kernel / 2};
  layer.groups = l.groups;
  layer.out_channels = l.out;
  layer.bounds = {0, 6};
  const auto floats = [](int a, int b, int c) {
    return std::vector<float>(
        static_cast<std::size_t>(a) * static_cast<std::size_t>(b) * static_cast<std::size_t>(c),
        0.5F);
  };
  auto source = floats(l.extent, l.extent, l.in);
  auto result = floats(out_extent(l), out_extent(l), l.out);
  const auto weights = floats(l.out, l.in / l.groups, l.kernel * l.kernel);
  auto packed = pack_weights(layer, set, weights.data(), nullptr);
  const NamedKernel kernel = make_convolution(layer, set);
  std::byte* const buffers[] = {reinterpret_cast<std::byte*>(source.data()),
                                reinterpret_cast<std::byte*>(packed.data()),
                                reinterpret_cast<std::byte*>(result.data())};
  for (auto _ : state) {
    kernel.kernel.run(kernel.kernel.parameters.get(), buffers);
    benchmark::ClobberMemory();
  }
  count_work(state, l);
}

void onednn(benchmark::State& state, const Layer& l) {
  using Tag = dnnl::memory::format_tag;
  constexpr auto kFloat = dnnl::memory::data_type::f32;
  const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  dnnl::stream stream(engine);
  const int out = out_extent(l);
  const Dims weight_dims =
      l.groups > 1 ? Dims{l.groups, l.out / l.groups, l.in / l.groups, l.kernel, l.kernel}
                   : Dims{l.out, l.in, l.kernel, l.kernel};
  dnnl::post_ops post_ops;
  append_eltwise(post_ops, dnnl::algorithm::eltwise_clip, 0, 6);
  dnnl::primitive_attr attr;
  attr.set_post_ops(post_ops);
  const std::int64_t pad = l.kernel / 2;
  dnnl::convolution_forward::primitive_desc desc;
  for_each_convolution(engine, dnnl::algorithm::convolution_direct,
                       Desc({1, l.in, l.extent, l.extent}, kFloat, Tag::any),
                       Desc(weight_dims, kFloat, Tag::any), Desc({l.out}, kFloat, Tag::a),
                       Desc({1, l.out, out, out}, kFloat, Tag::any),
                       {{l.kernel, l.kernel}, {l.stride, l.stride}, {0, 0}, {pad, pad}, {pad, pad}},
                       attr, [&](const auto& first) {
                         desc = first;
                         return true;
                       });
  const dnnl::convolution_forward convolution(desc);
  const dnnl::memory src(desc.src_desc(), engine);
  const dnnl::memory weights(desc.weights_desc(), engine);
  const dnnl::memory bias(desc.bias_desc(), engine);
  const dnnl::memory dst(desc.dst_desc(), engine);
  for (auto _ : state) {
    convolution.execute(stream, {{DNNL_ARG_SRC, src},
                                 {DNNL_ARG_WEIGHTS, weights},
                                 {DNNL_ARG_BIAS, bias},
                                 {DNNL_ARG_DST, dst}});
    benchmark::ClobberMemory();
  }
  state.SetLabel(desc.impl_info_str());
  count_work(state, l);
}

// For one thread: oneDNN's own number is the environment's, OMP_NUM_THREADS=1.
[[maybe_unused]] const bool registered = [] {
  for (const Layer& l : kLayers) {
    benchmark::RegisterBenchmark((name_of(l) + " oneDNN").c_str(),
                                 [&l](benchmark::State& state) { onednn(state, l); });
    for (const KernelSet* set : kernel_sets()) {
      benchmark::RegisterBenchmark((name_of(l) + " hedge:" + set->name).c_str(),
                                   [&l, set](benchmark::State& state) { own(state, l, *set); });
    }
  }
  return true;
}();

}  // namespace
}  // namespace hedge::cpu
