// SPDX-License-Identifier: Apache-2.0
// What backends/gpu gives a plan: memory modes, ways of waiting, no graph, images as input, the
// split of the time.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>

#include "backends/tensorrt/tensorrt_test.h"
#include "engine/gpu_options.h"
#include "hedge/preprocessing.h"

namespace hedge {
namespace {

class TensorRtExecution : public test::TensorRtTest {
 protected:
  static void expect_the_same_bits(std::span<const MemoryMode> modes);
  ~TensorRtExecution() override { EXPECT_EQ(hedge_double::count("work on the default stream"), 0); }
};

/// Of 3 channels and so many pixels a side; 80: the input is copied.
Graph classifier(int side) {
  test::GraphBuilder g;
  const ValueId x = g.node("Relu", {g.conv(g.input({1, 3, side, side}), 3, 16)});
  return test::optimized(
      g.finish({g.node("Flatten", {g.node("GlobalAveragePool", {g.conv(x, 16, 10)})})}));
}

/// The input and the first output are copied.
Graph large_outputs() {
  test::GraphBuilder g;
  const ValueId x = g.node("Relu", {g.conv(g.input({1, 3, 80, 72}), 3, 3)});
  return test::optimized(g.finish({x, g.node("GlobalAveragePool", {x})}));
}

/// All outputs, which held no numbers before.
std::vector<std::vector<float>> scores(ExecutionContext& context) {
  for (std::size_t i = 0; i < context.output_count(); ++i) {
    const auto output = context.output(i);
    std::fill_n(const_cast<float*>(output.data()), output.size(), -1e30F);
  }
  context.copy_in();
  context.infer();
  context.copy_out();
  std::vector<std::vector<float>> all;
  for (std::size_t i = 0; i < context.output_count(); ++i) {
    all.emplace_back(context.output(i).begin(), context.output(i).end());
  }
  return all;
}

std::vector<std::vector<float>> scores(ExecutionContext& context, std::span<const float> input) {
  std::ranges::copy(input, context.input().begin());
  return scores(context);
}

/// In each way of waiting, with a graph and without.
void TensorRtExecution::expect_the_same_bits(std::span<const MemoryMode> modes) {
  const std::vector<WaitMode> all{WaitMode::kSpin, WaitMode::kYield, WaitMode::kBlock};
  const std::vector<std::pair<Graph, std::vector<WaitMode>>> nets{
      {test::small_net(), all}, {large_outputs(), {WaitMode::kSpin}}};
  for (const auto& [graph, waits] : nets) {
    const auto engine = TensorRtTest::engine(graph, "fp16");
    const auto usual = engine->create_context({});
    const auto first = test::noise(usual->input().size(), 1);
    const auto second = test::noise(usual->input().size(), 2);
    const auto expected_first = scores(*usual, first);
    const auto expected_second = scores(*usual, second);
    ASSERT_NE(expected_first, expected_second);
    for (const MemoryMode memory : modes) {
      for (const WaitMode wait : waits) {
        for (const bool cuda_graph : {true, false}) {
          SCOPED_TRACE(std::string(to_string(memory)) + " " + std::string(to_string(wait)) + " " +
                       (cuda_graph ? "graph" : "no graph"));
          const auto context = engine->create_context(
              {.gpu = {.wait = wait, .memory = memory, .cuda_graph = cuda_graph}});
          EXPECT_EQ(scores(*context, first), expected_first);
          EXPECT_EQ(scores(*context, second), expected_second);
          const auto how = dynamic_cast<const GpuContext&>(*context).execution();
          EXPECT_EQ(how.cuda_graph, cuda_graph);
          EXPECT_EQ(how.wait, to_string(wait));
          if (memory != MemoryMode::kAuto) {
            EXPECT_EQ(how.memory_mode, to_string(memory));
          }
        }
      }
    }
  }
}

TEST_F(TensorRtExecution, EveryWayGivesTheSameBits) {
  const MemoryMode modes[] = {MemoryMode::kAuto, MemoryMode::kMapped, MemoryMode::kManaged,
                              MemoryMode::kPinned, MemoryMode::kDevice};
  expect_the_same_bits(modes);
}

/// Apart, since compute-sanitizer takes what it does for an error.
TEST_F(TensorRtExecution, TheOriginalsMemoryGivesTheSameBits) {
  const MemoryMode modes[] = {MemoryMode::kManagedOriginal};
  expect_the_same_bits(modes);
}

TEST_F(TensorRtExecution, WithoutAGraphEachInferenceIsAnEnqueue) {
  const auto context =
      engine(test::small_net(), "fp32")->create_context({.gpu = {.cuda_graph = false}});
  const int before = hedge_double::count("enqueueV3");
  for (int i = 0; i < 3; ++i) context->infer();
  EXPECT_EQ(hedge_double::count("enqueueV3"), before + 3);
  EXPECT_TRUE(context->warnings().empty());
  EXPECT_FALSE(dynamic_cast<const TimeSplitter&>(*context).enqueues_at_once());
  hedge_double::fail("enqueueV3");
  EXPECT_TRUE(contains(error_of([&] { context->infer(); }), "injected failure of enqueueV3"));
  context->infer();
}

PreprocessingRecipe recipe(int side) {
  return {.scale = 1.0 / 255,
          .mean = {0.4914, 0.4822, 0.4465},
          .std = {0.2023, 0.1994, 0.2010},
          .layout = TensorLayout::kNchw,
          .height = side,
          .width = side};
}

std::vector<std::uint8_t> some_pixels(std::size_t count) {
  std::vector<std::uint8_t> pixels(count);
  for (std::size_t i = 0; i < count; ++i) pixels[i] = static_cast<std::uint8_t>(i * 7919 >> 3U);
  return pixels;
}

TEST_F(TensorRtExecution, ImagesBecomeTheTensorOnTheGpu) {
  constexpr int kSide = 32;
  EngineContainer built = container(classifier(kSide), options("fp32"));
  EXPECT_TRUE(contains(
      error_of([&] { (void)make_engine(built)->create_context({.pixels = PixelLayout::kPlanar}); }),
      "--preprocess"));
  built.info.preprocessing = recipe(kSide);
  const auto engine = make_engine(built);
  const auto plain = engine->create_context({});
  const auto context = engine->create_context({.pixels = PixelLayout::kInterleaved});
  auto* images = dynamic_cast<PixelInput*>(context.get());
  ASSERT_NE(images, nullptr);
  EXPECT_TRUE(context->input().empty());
  const auto pixels = some_pixels(plain->input().size());
  Preprocessing(recipe(kSide))(
      {.pixels = pixels, .height = kSide, .width = kSide, .layout = PixelLayout::kInterleaved},
      plain->input());
  ASSERT_EQ(images->input_u8().size(), pixels.size());
  std::ranges::copy(pixels, images->input_u8().begin());
  EXPECT_EQ(scores(*context), scores(*plain));
}

TEST_F(TensorRtExecution, TheSplitHasThePartsThatThereAre) {
  for (const int side : {32, 80}) {
    for (const bool pixels : {false, true}) {
      SCOPED_TRACE(std::to_string(side) + (pixels ? " pixels" : ""));
      EngineContainer built = container(classifier(side), options("fp16"));
      built.info.preprocessing = recipe(side);
      ContextOptions how;
      if (pixels) how.pixels = PixelLayout::kPlanar;
      const auto context = make_engine(built)->create_context(how);
      const auto expected = scores(*context);
      auto& splitter = dynamic_cast<TimeSplitter&>(*context);
      EXPECT_TRUE(splitter.enqueues_at_once());
      for (int repetition = 0; repetition < 2; ++repetition) {
        const TimeSplitter::Split split = splitter.infer_split();
        EXPECT_GT(split.enqueue_ns, 0);
        EXPECT_GE(split.wall_ns, split.enqueue_ns);
        EXPECT_GT(split.compute_ns, 0);
        EXPECT_EQ(split.copy_in_ns.has_value(), side == 80 && !pixels);
        EXPECT_EQ(split.preprocess_ns.has_value(), pixels);
        EXPECT_FALSE(split.copy_out_ns.has_value());
      }
      EXPECT_EQ(scores(*context), expected);
    }
  }
}

}  // namespace
}  // namespace hedge
