// SPDX-License-Identifier: Apache-2.0
// Preprocessing on the GPU has the bits of Preprocessing; the split of an inference's time.

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <thread>

#include "backends/cuda/gpu_test.h"
#include "backends/gpu/pixel_stage.h"
#include "data/recipes.h"
#include "support/engines.h"
#include "support/nets.h"

namespace hedge {
namespace {

using test::GraphBuilder;

class CudaPreprocessing : public test::GpuTest {};

/// Every value in every channel where there is room, and no two rows, columns or planes alike.
std::vector<std::uint8_t> some_pixels(std::size_t count, std::uint32_t seed) {
  std::vector<std::uint8_t> pixels(count);
  std::uint32_t state = seed;
  for (std::uint8_t& pixel : pixels) {
    state = state * 1664525 + 1013904223;
    pixel = static_cast<std::uint8_t>(state >> 24U);
  }
  return pixels;
}

std::vector<std::uint32_t> bits(std::span<const float> values) {
  std::vector<std::uint32_t> all;
  for (const float value : values) all.push_back(std::bit_cast<std::uint32_t>(value));
  return all;
}

std::vector<std::uint32_t> by_cpu(const Preprocessing& prepare,
                                  std::span<const std::uint8_t> pixels, PixelLayout layout,
                                  std::size_t batch) {
  const std::size_t image = pixels.size() / batch;
  std::vector<float> tensor(pixels.size());
  for (std::size_t n = 0; n < batch; ++n) {
    prepare({.pixels = pixels.subspan(n * image, image),
             .height = prepare.recipe().height,
             .width = prepare.recipe().width,
             .layout = layout},
            std::span(tensor).subspan(n * image, image));
  }
  return bits(tensor);
}

std::vector<std::uint32_t> by_gpu(const Preprocessing& prepare,
                                  std::span<const std::uint8_t> pixels, PixelLayout layout) {
  const gpu::PixelStage stage({layout, prepare}, pixels.size());
  EXPECT_EQ(stage.bytes(), pixels.size());
  const gpu::Memory images = gpu::pinned_memory(pixels.size());
  std::copy(pixels.begin(), pixels.end(), reinterpret_cast<std::uint8_t*>(images.get()));
  const gpu::Stream stream = gpu::new_stream();
  gpu::check(stage.enqueue(images.get(), stream.get()), "preprocessing");
  gpu::check(cudaStreamSynchronize(stream.get()), "preprocessing");
  std::vector<float> tensor(pixels.size());
  gpu::check(
      cudaMemcpy(tensor.data(), stage.tensor(), tensor.size() * sizeof(float), cudaMemcpyDefault),
      "the tensor");
  return bits(tensor);
}

TEST_F(CudaPreprocessing, HasTheBitsOfTheCpu) {
  const std::pair<const char*, const char*> known[] = {{"resnet8", "cifar"},
                                                       {"resnet56", "cifar"},
                                                       {"alexnet", "cifar"},
                                                       {"resnet18", "imagenet"},
                                                       {"resnet8", "shapes"}};
  for (const auto& [model, dataset] : known) {
    const auto named = find_recipe(model, dataset);
    ASSERT_TRUE(named) << model << " " << dataset;
    for (const auto image : {PixelLayout::kPlanar, PixelLayout::kInterleaved}) {
      for (const auto tensor : {TensorLayout::kNhwc, TensorLayout::kNchw}) {
        for (const auto order : {ChannelOrder::kRgb, ChannelOrder::kBgr}) {
          // As stated, and where pixels come to no whole words.
          for (const auto& [height, width] : {std::pair{named->height, named->width}, {13, 19}}) {
            for (const std::size_t batch : {1, 3}) {
              PreprocessingRecipe recipe = *named;
              recipe.layout = tensor;
              recipe.channel_order = order;
              recipe.height = height;
              recipe.width = width;
              recipe.resize_height = recipe.crop_height = recipe.crop_width = 0;
              SCOPED_TRACE(to_string(recipe) + " batch " + std::to_string(batch));
              const Preprocessing prepare(recipe);
              const auto pixels =
                  some_pixels(batch * 3 * static_cast<std::size_t>(height * width), 7);
              EXPECT_EQ(by_gpu(prepare, pixels, image), by_cpu(prepare, pixels, image, batch));
            }
          }
        }
      }
    }
  }
}

TEST_F(CudaPreprocessing, ARecipeOfAnotherSizeIsRefused) {
  const Preprocessing prepare(PreprocessingRecipe{});
  EXPECT_THROW(gpu::PixelStage({PixelLayout::kPlanar, prepare}, 3 * 32 * 31), Error);
}

/// Of 3 channels and so many pixels a side, with its recipe.
std::shared_ptr<const Engine> engine_of(int side, const std::string& precision) {
  GraphBuilder g;
  const ValueId x = g.input({1, 3, side, side});
  const ValueId y = g.node("Relu", {g.conv(x, 3, 16)});
  const ValueId pooled = g.node("Flatten", {g.node("GlobalAveragePool", {g.conv(y, 16, 10)})});
  EngineContainer container =
      test::container_of(test::optimized(g.finish({pooled})), precision, 0, "cuda");
  container.info.preprocessing = PreprocessingRecipe{.scale = 1.0 / 255,
                                                     .mean = {0.4914, 0.4822, 0.4465},
                                                     .std = {0.2023, 0.1994, 0.2010},
                                                     .layout = TensorLayout::kNchw,
                                                     .height = side,
                                                     .width = side};
  return make_engine(container);
}

/// Pixels that kernels read in the host's memory, and of batches copied ones.
TEST_F(CudaPreprocessing, ScoresAreThoseOfPreprocessedTensors) {
  for (const int side : {32, 50}) {
    for (const char* precision : {"fp32", "tf32", "fp16", "bf16"}) {
      for (const std::int64_t batch : {1, 2}) {
        SCOPED_TRACE(std::to_string(side) + " " + precision + " batch " + std::to_string(batch));
        const auto engine = engine_of(side, precision);
        const Preprocessing prepare(*engine->info().preprocessing);
        const auto plain = engine->create_context({.batch = batch});
        ContextOptions options{.batch = batch, .pixels = PixelLayout::kInterleaved};
        if (batch == 2) options.gpu.memory = MemoryMode::kPinned;
        const auto context = engine->create_context(options);
        auto* input = dynamic_cast<PixelInput*>(context.get());
        ASSERT_NE(input, nullptr);
        EXPECT_EQ(dynamic_cast<PixelInput*>(plain.get()), nullptr);
        EXPECT_TRUE(context->input().empty());
        ASSERT_EQ(input->input_u8().size(), plain->input().size());
        for (std::uint32_t image = 0; image < 3; ++image) {
          const auto pixels = some_pixels(plain->input().size(), image);
          const auto tensor =
              by_cpu(prepare, pixels, PixelLayout::kInterleaved, static_cast<std::size_t>(batch));
          std::transform(tensor.begin(), tensor.end(), plain->input().begin(),
                         [](std::uint32_t b) { return std::bit_cast<float>(b); });
          std::copy(pixels.begin(), pixels.end(), input->input_u8().begin());
          plain->infer();
          context->infer();
          EXPECT_EQ(bits(context->output(0)), bits(plain->output(0)));
        }
      }
    }
  }
}

TEST_F(CudaPreprocessing, NeedsARecipe) {
  const auto engine =
      test::engine_of(test::optimized(test::small_nets().front().second()), "fp16", 0, "cuda");
  EXPECT_THROW((void)engine->create_context({.pixels = PixelLayout::kPlanar}), Error);
}

TEST_F(CudaPreprocessing, TheSplitHasThePartsThatThereAre) {
  const auto engine = engine_of(32, "fp16");
  for (const bool copied : {false, true}) {
    for (const bool pixels : {false, true}) {
      SCOPED_TRACE(std::string(copied ? "copied" : "mapped") + (pixels ? " pixels" : ""));
      ContextOptions options;
      options.gpu.memory = copied ? MemoryMode::kPinned : MemoryMode::kMapped;
      if (pixels) options.pixels = PixelLayout::kPlanar;
      const auto context = engine->create_context(options);
      if (pixels) {
        const auto input = dynamic_cast<PixelInput&>(*context).input_u8();
        std::ranges::copy(some_pixels(input.size(), 3), input.begin());
      } else {
        std::ranges::copy(test::noise(context->input().size(), 3), context->input().begin());
      }
      context->infer();
      const auto expected = bits(context->output(0));
      auto* splitter = dynamic_cast<TimeSplitter*>(context.get());
      ASSERT_NE(splitter, nullptr);
      EXPECT_TRUE(splitter->enqueues_at_once());
      for (int repetition = 0; repetition < 3; ++repetition) {
        const TimeSplitter::Split split = splitter->infer_split();
        EXPECT_GT(split.enqueue_ns, 0);
        EXPECT_GT(split.wall_ns, split.enqueue_ns);
        EXPECT_GT(split.compute_ns, 0);
        EXPECT_EQ(split.copy_in_ns.has_value(), copied);
        EXPECT_EQ(split.preprocess_ns.has_value(), pixels);
        EXPECT_EQ(split.copy_out_ns.has_value(), copied);
        EXPECT_GT(split.copy_in_ns.value_or(1), 0);
        EXPECT_GT(split.preprocess_ns.value_or(1), 0);
        EXPECT_GT(split.copy_out_ns.value_or(1), 0);
        EXPECT_EQ(bits(context->output(0)), expected);
      }
      context->infer();
      EXPECT_EQ(bits(context->output(0)), expected);
    }
  }
}

/// A capture concerns its own thread alone.
TEST_F(CudaPreprocessing, CapturesAndSplitsBesideInferencesDisturbNothing) {
  const auto engine = engine_of(32, "fp16");
  const auto first = engine->create_context({.pixels = PixelLayout::kPlanar});
  const auto run = [](ExecutionContext& context) {
    const auto input = dynamic_cast<PixelInput&>(context).input_u8();
    std::ranges::copy(some_pixels(input.size(), 5), input.begin());
    context.infer();
    return bits(context.output(0));
  };
  const auto expected = run(*first);
  std::vector<int> wrong(4, 0);
  std::vector<std::thread> threads;
  for (int& count : wrong) {
    threads.emplace_back([&] {
      for (int made = 0; made < 5; ++made) {
        const auto context = engine->create_context({.pixels = PixelLayout::kPlanar});
        for (int i = 0; i < 20; ++i) count += run(*context) == expected ? 0 : 1;
        (void)dynamic_cast<TimeSplitter&>(*context).infer_split();
        count += bits(context->output(0)) == expected ? 0 : 1;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(4, 0));
}

}  // namespace
}  // namespace hedge
