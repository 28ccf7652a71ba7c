// SPDX-License-Identifier: Apache-2.0
// What the harness costs, without a model: everything that the programs put around infer().

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <vector>

#include "data/cifar_dataset.h"
#include "hedge/engine.h"
#include "hedge/preprocessing.h"
#include "measure/accuracy.h"
#include "measure/latency.h"
#include "stats/arg_max.h"

namespace hedge {
namespace {

class DoNothingContext final : public ExecutionContext {
 public:
  std::span<float> input() override { return {}; }
  [[nodiscard]] std::size_t output_count() const override { return 0; }
  [[nodiscard]] std::span<const float> output(std::size_t) const override { return {}; }
  void infer() override {}
  [[nodiscard]] MemoryUse memory() const override { return {}; }
};

/// The compiler must not see which context it is: the call stays a virtual one, as in the programs.
ExecutionContext& opaque(ExecutionContext& context) {
  ExecutionContext* pointer = &context;
  benchmark::DoNotOptimize(pointer);
  return *pointer;
}

std::vector<float> random_scores(std::size_t count) {
  std::mt19937_64 random(1);
  std::vector<float> scores(count);
  for (float& score : scores) score = static_cast<float>(random() % 100'000) / 100'000.0F;
  return scores;
}

/// The loop of `measurements`, a timer around each stretch: time an iteration. Must stay below 20
/// ns.
void measure_stretches_iteration(benchmark::State& state) {
  DoNothingContext nothing;
  ExecutionContext& context = opaque(nothing);
  constexpr std::int64_t kIterations = 100'000;
  for (auto _ : state) {
    LoopRun run = measure_stretches([&] { context.infer(); }, {.iterations = kIterations}, 1);
    benchmark::DoNotOptimize(run);
  }
  state.counters["ns_per_iteration"] = benchmark::Counter(
      static_cast<double>(kIterations) * 1e-9,
      benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}
BENCHMARK(measure_stretches_iteration);

void two_clock_reads(benchmark::State& state) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(SteadyClock::now_ns());
    benchmark::DoNotOptimize(SteadyClock::now_ns());
  }
}
BENCHMARK(two_clock_reads);

/// Beyond two_clock_reads: storing the sample.
void latency_recorder_empty_call(benchmark::State& state) {
  constexpr std::size_t kCapacity = 10'000;
  LatencyRecorder<> recorder(kCapacity);
  for (auto _ : state) {
    if (recorder.samples_ns().size() == kCapacity) recorder.clear();
    recorder.time([] {});
    benchmark::ClobberMemory();
  }
}
BENCHMARK(latency_recorder_empty_call);

void arg_max_of_scores(benchmark::State& state) {
  const std::vector<float> scores = random_scores(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    benchmark::ClobberMemory();
    benchmark::DoNotOptimize(arg_max(scores));
  }
}
BENCHMARK(arg_max_of_scores)->Arg(10)->Arg(1000);

void accuracy_add(benchmark::State& state) {
  const auto classes = static_cast<int>(state.range(0));
  const std::vector<float> scores = random_scores(static_cast<std::size_t>(classes));
  Accuracy accuracy(classes);
  for (auto _ : state) benchmark::DoNotOptimize(accuracy.add(3, scores));
}
BENCHMARK(accuracy_add)->Arg(10)->Arg(1000);

/// A square image of the given edge, normalised into either layout. Asked for are 3 us at 32 and
/// 150 us at 224.
void preprocessing(benchmark::State& state, PixelLayout from, TensorLayout layout) {
  const auto edge = static_cast<int>(state.range(0));
  const std::size_t values = static_cast<std::size_t>(edge) * static_cast<std::size_t>(edge) * 3;
  std::mt19937_64 random(1);
  std::vector<std::uint8_t> pixels(values);
  for (auto& pixel : pixels) pixel = static_cast<std::uint8_t>(random() & 0xffU);
  std::vector<float> tensor(values);

  PreprocessingRecipe recipe;
  recipe.scale = 1.0 / 255;
  recipe.mean = {0.4914, 0.4822, 0.4465};
  recipe.std = {0.2023, 0.1994, 0.2010};
  recipe.layout = layout;
  recipe.height = edge;
  recipe.width = edge;
  const Preprocessing prepare(recipe);
  const Image image{pixels, edge, edge, from, 0};
  for (auto _ : state) {
    prepare(image, tensor);
    benchmark::DoNotOptimize(tensor.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(values));
}
BENCHMARK_CAPTURE(preprocessing, planar_to_nhwc, PixelLayout::kPlanar, TensorLayout::kNhwc)
    ->Arg(32)
    ->Arg(224);
BENCHMARK_CAPTURE(preprocessing, planar_to_nchw, PixelLayout::kPlanar, TensorLayout::kNchw)
    ->Arg(32)
    ->Arg(224);
BENCHMARK_CAPTURE(preprocessing, interleaved_to_nhwc, PixelLayout::kInterleaved,
                  TensorLayout::kNhwc)
    ->Arg(224);
BENCHMARK_CAPTURE(preprocessing, interleaved_to_nchw, PixelLayout::kInterleaved,
                  TensorLayout::kNchw)
    ->Arg(224);

/// All that `inference` does for an image of CIFAR-10 beside preprocessing, infer() and the
/// arg-max: below 200 ns with them counted out.
void cifar_image_through_the_loop(benchmark::State& state) {
  std::vector<std::byte> file(100 * kCifarRecordBytes);
  const auto dataset = cifar_from_bytes(file, nullptr, "x.bin");
  DoNothingContext nothing;
  ExecutionContext& context = opaque(nothing);
  constexpr std::size_t kCapacity = 10'000;
  LatencyRecorder<> recorder(kCapacity);
  std::size_t index = 0;
  for (auto _ : state) {
    if (recorder.samples_ns().size() == kCapacity) recorder.clear();
    const Image image = dataset->image(index++ % dataset->size());
    benchmark::DoNotOptimize(image.pixels.data());
    recorder.time([&] { context.infer(); });
    benchmark::DoNotOptimize(dataset->label(index % dataset->size()));
  }
}
BENCHMARK(cifar_image_through_the_loop);

}  // namespace
}  // namespace hedge
