// SPDX-License-Identifier: Apache-2.0
// How a context runs: waiting, memory, graph or none, and what happens where that fails.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <iostream>
#include <limits>
#include <thread>

#include "backends/cuda/cuda_net.h"
#include "backends/cuda/gpu_test.h"
#include "backends/cuda/kernels/map.h"
#include "backends/gpu/memory_choice.h"
#include "engine/gpu_options.h"
#include "support/engines.h"
#include "support/nets.h"

namespace hedge::cuda {
namespace {

using gpu::check;
using gpu::device_attribute;
using gpu::device_memory;
using gpu::ExecutionSettings;
using gpu::Memory;

using test::GraphBuilder;

constexpr MemoryMode kModes[] = {MemoryMode::kAuto, MemoryMode::kMapped, MemoryMode::kManaged,
                                 MemoryMode::kPinned, MemoryMode::kDevice};
constexpr WaitMode kWaits[] = {WaitMode::kSpin, WaitMode::kYield, WaitMode::kBlock};

class CudaExecution : public test::GpuTest {};

Graph classifier() {
  return test::optimized(test::small_nets().front().second());
}

/// Outputs of several kernels, the last of which cannot tell the host.
Graph two_outputs() {
  GraphBuilder g;
  const ValueId x = g.node("Relu", {g.conv(g.input({1, 3, 20, 16}), 3, 8)});
  return test::optimized(g.finish({x, g.node("Flatten", {g.conv(x, 8, 4)})}));
}

/// Borders larger than a line or two.
Graph large_borders() {
  GraphBuilder g;
  return test::optimized(g.finish({g.node("Relu", {g.conv(g.input({1, 3, 120, 100}), 3, 5)})}));
}

std::shared_ptr<const Plan> plan_of(const Graph& graph) {
  return compile(graph, {.kind = ElementKind::kHalf, .tactics = {}});
}

/// All outputs, which held no numbers before.
std::vector<std::vector<float>> run(ExecutionContext& context, std::span<const float> input) {
  for (std::size_t i = 0; i < context.output_count(); ++i) {
    const auto output = context.output(i);
    std::fill_n(const_cast<float*>(output.data()), output.size(),
                std::numeric_limits<float>::quiet_NaN());
  }
  std::copy(input.begin(), input.end(), context.input().begin());
  context.copy_in();
  context.infer();
  context.copy_out();
  std::vector<std::vector<float>> outputs;
  for (std::size_t i = 0; i < context.output_count(); ++i) {
    outputs.emplace_back(context.output(i).begin(), context.output(i).end());
  }
  return outputs;
}

void expect_the_same_bits(std::span<const MemoryMode> modes) {
  for (const Graph& graph : {classifier(), two_outputs(), large_borders()}) {
    const auto engine = test::engine_of(graph, "fp16", 0, "cuda");
    const auto usual = engine->create_context({});
    const auto first = test::noise(usual->input().size(), 1);
    const auto second = test::noise(usual->input().size(), 2);
    const auto expected_first = run(*usual, first);
    const auto expected_second = run(*usual, second);
    ASSERT_NE(expected_first, expected_second);
    for (const MemoryMode memory : modes) {
      for (const WaitMode wait : kWaits) {
        for (const bool cuda_graph : {true, false}) {
          const auto context = engine->create_context(
              {.gpu = {.wait = wait, .memory = memory, .cuda_graph = cuda_graph}});
          bool same = true;
          for (int i = 0; i < 3; ++i) {
            same = same && run(*context, first) == expected_first;
            same = same && run(*context, second) == expected_second;
          }
          EXPECT_TRUE(same) << to_string(memory) << " " << to_string(wait) << " " << cuda_graph;
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

TEST_F(CudaExecution, EveryWayGivesTheSameBits) {
  expect_the_same_bits(kModes);
}

/// Apart from the rest: kernels write what is attached to the host, as GPUs with concurrent managed
/// access let them; memcheck reports it all the same.
TEST_F(CudaExecution, TheOriginalsMemoryGivesTheSameBits) {
  constexpr MemoryMode kOriginal[] = {MemoryMode::kManagedOriginal};
  expect_the_same_bits(kOriginal);
}

TEST_F(CudaExecution, WhatAutoChoosesIsSaid) {
  if (device_attribute(cudaDevAttrIntegrated) != 0) GTEST_SKIP() << "an integrated GPU is timed";
  const auto memory_of = [](const Graph& graph) {
    const auto context = test::engine_of(graph, "fp16", 0, "cuda")->create_context({});
    return dynamic_cast<const GpuContext&>(*context).execution().memory_mode;
  };
  EXPECT_EQ(memory_of(classifier()), "mapped");
  EXPECT_EQ(memory_of(large_borders()), "mapped");
  GraphBuilder copied;
  const ValueId y = copied.node("Relu", {copied.input({1, 3, 320, 300})});
  EXPECT_EQ(memory_of(copied.finish({y})), "pinned");
  GraphBuilder g;
  const ValueId x = g.conv(g.input({1, 3, 320, 300}), 3, 5);
  EXPECT_EQ(memory_of(test::optimized(g.finish({g.node("GlobalAveragePool", {x})}))),
            "pinned input, mapped output");
}

/// The word must not overtake what it stands for, in any of the ways in which it is written.
TEST_F(CudaExecution, OutputsAreThereWhenTheHostIsTold) {
  for (const Graph& graph : {classifier(), two_outputs(), large_borders()}) {
    const auto engine = test::engine_of(graph, "fp16", 0, "cuda");
    for (const MemoryMode memory : {MemoryMode::kMapped, MemoryMode::kPinned}) {
      const auto context = engine->create_context({.gpu = {.memory = memory}});
      const std::vector<float> inputs[] = {test::noise(context->input().size(), 1),
                                           test::noise(context->input().size(), 2)};
      const std::vector<std::vector<float>> expected[] = {run(*context, inputs[0]),
                                                          run(*context, inputs[1])};
      int wrong = 0;
      for (std::size_t i = 0; i < 3000; ++i) {
        wrong += run(*context, inputs[i % 2]) == expected[i % 2] ? 0 : 1;
      }
      EXPECT_EQ(wrong, 0) << to_string(memory);
    }
  }
}

TEST_F(CudaExecution, TheFasterMemoryIsChosen) {
  const auto loaded = load_plan(plan_of(classifier()));
  constexpr MemoryMode kTwo[] = {MemoryMode::kManaged, MemoryMode::kMapped};
  const auto fastest =
      gpu::fastest_context([&] { return std::make_unique<CudaNet>(loaded); }, {}, kTwo, {});
  const std::string mode = fastest->execution().memory_mode;
  if (device_attribute(cudaDevAttrIntegrated) != 0) {
    EXPECT_TRUE(mode == "mapped" || mode == "managed");
  } else {
    EXPECT_EQ(mode, "mapped");  // Pages that travel at each inference take far longer.
  }
  const auto input = test::noise(fastest->input().size(), 3);
  const auto usual = new_context(loaded);
  EXPECT_EQ(run(*fastest, input), run(*usual, input));
}

/// The plan with one step more, of no arguments.
std::shared_ptr<const LoadedPlan> with_step(const Graph& graph, Step step, bool in_front = false) {
  auto plan = std::make_shared<Plan>(*plan_of(graph));
  plan->steps.insert(in_front ? plan->steps.begin() : plan->steps.end(), std::move(step));
  return load_plan(plan);
}

/// The driver allows no waiting in a capture.
cudaError_t wait_for_the_stream(const void* /*parameters*/, std::byte* const* /*buffers*/,
                                const Launch& launch) {
  const cudaError_t status = cudaStreamSynchronize(launch.stream);
  (void)cudaGetLastError();
  return status;
}

TEST_F(CudaExecution, AFailedCaptureEndsCleanlyAndSaysSo) {
  const auto usual = new_context(load_plan(plan_of(classifier())));
  const auto input = test::noise(usual->input().size(), 4);
  const auto expected = run(*usual, input);
  for (const bool in_front : {true, false}) {
    const auto loaded = with_step(
        classifier(), {.name = "wait", .kernel = "wait", .device = {wait_for_the_stream, nullptr}},
        in_front);
    std::size_t free_before = 0;
    for (int i = 0; i < 20; ++i) {
      const auto context = new_context(loaded);
      EXPECT_FALSE(context->execution().cuda_graph);
      ASSERT_EQ(context->warnings().size(), 1U);
      EXPECT_NE(context->warnings()[0].find("was not captured"), std::string::npos);
      for (int j = 0; j < 3; ++j) EXPECT_EQ(run(*context, input), expected);
      std::size_t free = 0;
      std::size_t total = 0;
      check(cudaMemGetInfo(&free, &total), "memory");
      if (i == 2) free_before = free;
      if (i > 2) {
        EXPECT_GE(free + (std::size_t{1} << 20U), free_before);  // Nothing is left behind.
      }
    }
    EXPECT_TRUE(new_context(load_plan(plan_of(classifier())))->execution().cuda_graph);
  }
  const auto told = new_context(
      {with_step(classifier(),
                 {.name = "wait", .kernel = "wait", .device = {wait_for_the_stream, nullptr}})},
      {.cuda_graph = false});
  EXPECT_TRUE(told->warnings().empty());
}

std::atomic<bool> asleep{false};
void sleep_on_demand(const void* /*parameters*/, std::byte* const* /*buffers*/) {
  if (asleep) std::this_thread::sleep_for(std::chrono::milliseconds(800));
}

TEST_F(CudaExecution, WaitingHasALimit) {
  for (const WaitMode wait : {WaitMode::kSpin, WaitMode::kYield}) {
    for (const MemoryMode memory : {MemoryMode::kMapped, MemoryMode::kManaged}) {
      const auto loaded = with_step(
          classifier(),
          {.name = "sleep", .kernel = "sleep", .host = {sleep_on_demand, nullptr, {}, 0}}, true);
      asleep = false;
      auto context = new_context(
          loaded, ExecutionSettings{
                      .wait = wait, .memory = memory, .limit = std::chrono::milliseconds(50)});
      context->infer();
      asleep = true;
      const auto begin = std::chrono::steady_clock::now();
      try {
        context->infer();
        FAIL();
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::kRuntime);
        EXPECT_NE(std::string(error.what()).find("has not ended within 0.05 s"), std::string::npos)
            << error.what();
      }
      context.reset();  // Does not wait for the GPU either.
      EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(600));
      asleep = false;
      check(cudaDeviceSynchronize(), "the sleeper");
    }
  }
}

/// A copy from memory that is no more.
struct Stray {
  const void* from = nullptr;
  void* to = nullptr;
};
cudaError_t follow(const void* parameters, std::byte* const* /*buffers*/, const Launch& launch) {
  const auto& stray = *static_cast<const Stray*>(parameters);
  return launch_map({}, stray.to, stray.from, nullptr, launch);
}

/// In a process of its own, which the error ends.
void lose_the_gpu(WaitMode wait) {
  auto from = device_memory(std::size_t{64} << 20U);
  const auto to = device_memory(16);
  const auto loaded =
      with_step(classifier(),
                {.name = "stray",
                 .kernel = "stray",
                 .device = {follow, std::make_shared<const Stray>(Stray{from.get(), to.get()})}});
  const auto context = new_context(loaded, {.wait = wait});
  context->infer();
  from.reset();
  try {
    context->infer();
    std::cerr << "no error\n";
  } catch (const Error& error) {
    std::cerr << error.what() << '\n';
  }
}

TEST_F(CudaExecution, AnErrorOfTheGpuEndsTheWait) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  for (const WaitMode wait : {WaitMode::kSpin, WaitMode::kBlock}) {
    EXPECT_EXIT(
        {
          lose_the_gpu(wait);
          std::_Exit(1);
        },
        testing::ExitedWithCode(1), "an illegal memory access.*lost to this process");
  }
}

std::string error_of(const std::function<void()>& what) {
  try {
    what();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kRuntime);
    return error.what();
  }
  return "no error";
}

TEST_F(CudaExecution, TooLittleMemorySaysHowMuchIsWanted) {
  const std::string absurd = error_of([] { (void)device_memory(std::size_t{1} << 45U); });
  EXPECT_NE(absurd.find("35184372.1 MB of the GPU's memory wanted"), std::string::npos) << absurd;
  EXPECT_NE(absurd.find("MB are free"), std::string::npos) << absurd;
  const std::string page_locked = error_of([] { (void)gpu::pinned_memory(std::size_t{1} << 45U); });
  EXPECT_NE(page_locked.find("MB of page-locked memory of the host wanted"), std::string::npos)
      << page_locked;
}

TEST_F(CudaExecution, ABatchThatDoesNotFitIsRefusedAndTheNextOneRuns) {
  const auto engine = test::engine_of(large_borders(), "fp16", 0, "cuda");
  std::size_t free = 0;
  std::size_t total = 0;
  check(cudaMemGetInfo(&free, &total), "memory");
  Memory rest = device_memory(free - (std::size_t{96} << 20U));
  const std::string text = error_of([&] { (void)engine->create_context({.batch = 1000}); });
  EXPECT_NE(text.find("take a smaller --batch"), std::string::npos) << text;
  rest.reset();
  EXPECT_NO_THROW(engine->create_context({.batch = 10})->infer());
}

}  // namespace
}  // namespace hedge::cuda
