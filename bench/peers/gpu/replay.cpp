// SPDX-License-Identifier: Apache-2.0
#include "replay.h"

#include <cuda_runtime_api.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <exception>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "backends/gpu/context.h"
#include "backends/gpu/device.h"
#include "hedge/engine.h"
#include "hedge/error.h"
#include "measure/latency.h"
#include "stats/ratio.h"
#include "stats/summary.h"

namespace hedge {
namespace {

using gpu::check;
using nlohmann::ordered_json;

/// Untimed, after the other contenders' turns: caches and clocks are this one's then.
constexpr std::int64_t kSettling_ns = 5'000'000;
/// Before the first round: an idle GPU's clocks are low.
constexpr std::int64_t kWarmUp_ns = 300'000'000;

/// One thing that is replayed: a graph, or what Hedge's infer() does.
struct Contender {
  std::string name;
  cudaGraphExec_t graph = nullptr;
  cudaStream_t stream = nullptr;
  ExecutionContext* context = nullptr;  ///< Runs by infer(), where it is set.
  LatencyRecorder<> wall;
  std::vector<std::int64_t> gpu_ns{};
};

/// As Hedge's context waits: the host spins.
void replay(const Contender& contender) {
  if (contender.context != nullptr) return contender.context->infer();
  check(cudaGraphLaunch(contender.graph, contender.stream), "a replay");
  cudaError_t status = cudaErrorNotReady;
  while (status == cudaErrorNotReady) status = cudaStreamQuery(contender.stream);
  check(status, "a replay");
}

void replay_for(const Contender& contender, std::int64_t duration_ns) {
  const std::int64_t end = SteadyClock::now_ns() + duration_ns;
  while (SteadyClock::now_ns() < end) replay(contender);
}

gpu::Event new_event() {
  cudaEvent_t event = nullptr;
  check(cudaEventCreate(&event), "an event");
  return gpu::Event(event);
}

/// What lies between two events around the graph; they take time themselves, so wall times are
/// taken without.
void time_on_gpu(Contender& contender, int iterations) {
  static const gpu::Event begin = new_event();
  static const gpu::Event end = new_event();
  for (int i = 0; i < iterations; ++i) {
    check(cudaEventRecord(begin.get(), contender.stream), "an event");
    check(cudaGraphLaunch(contender.graph, contender.stream), "a replay");
    check(cudaEventRecord(end.get(), contender.stream), "an event");
    check(cudaEventSynchronize(end.get()), "a replay");
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, begin.get(), end.get()), "the time of a replay");
    contender.gpu_ns.push_back(std::llround(double{milliseconds} * 1e6));
  }
}

ordered_json ratio_of(std::span<const std::int64_t> peer, std::span<const std::int64_t> ours,
                      std::span<const std::size_t> begins) {
  const RatioEstimate estimate = ratio_over_rounds(peer, ours, begins);
  ordered_json ratio{{"ratio", estimate.ratio}};
  if (estimate.interval) {
    ratio["interval98"] = {estimate.interval->lower, estimate.interval->upper};
  }
  return ratio;
}

double us(std::int64_t ns) {
  return static_cast<double>(ns) / 1000;
}

ordered_json describe(const Contender& contender, const Contender& ours,
                      std::span<const std::size_t> begins) {
  const Summary wall = summarize(contender.wall.samples_ns());
  const Summary gpu = summarize(contender.gpu_ns);
  return {{"name", contender.name},
          {"wall_us",
           {{"p50", us(wall.p50_ns)},
            {"p90", us(wall.p90_ns)},
            {"p99", us(wall.p99_ns)},
            {"mean", wall.mean_ns / 1000}}},
          {"gpu_us", {{"p50", us(gpu.p50_ns)}, {"p90", us(gpu.p90_ns)}}},
          {"wall_ratio", ratio_of(contender.wall.samples_ns(), ours.wall.samples_ns(), begins)},
          {"gpu_ratio", ratio_of(contender.gpu_ns, ours.gpu_ns, begins)}};
}

template <class Handle>
Handle handle(const nlohmann::json& number) {
  return reinterpret_cast<Handle>(number.get<std::uintptr_t>());
}

std::string answer_to(const nlohmann::json& request) {
  const auto engine = Engine::load(request.at("engine").get<std::string>());
  const auto* image = handle<const float*>(request.at("input"));
  const auto new_context = [&] {
    auto context = engine->create_context({});
    std::copy_n(image, context->input().size(), context->input().begin());
    return context;
  };
  const auto context = new_context();
  const auto replayed = new_context();  // infer() does not know of replays, which count as well.
  const auto* on_gpu = dynamic_cast<const gpu::Context*>(replayed.get());
  if (on_gpu == nullptr || on_gpu->graph() == nullptr) {
    throw bad_input("the engine is not one of the cuda backend, or its inference is no CUDA graph");
  }

  const auto iterations = request.at("iterations").get<std::size_t>();
  const auto rounds = request.at("rounds").get<std::size_t>();
  const auto new_contender = [&](std::string name, cudaGraphExec_t graph, cudaStream_t stream,
                                 ExecutionContext* runs) {
    return Contender{std::move(name), graph, stream, runs, LatencyRecorder<>(iterations * rounds)};
  };
  std::vector<Contender> contenders;
  contenders.push_back(new_contender("Hedge", on_gpu->graph(), on_gpu->stream(), context.get()));
  contenders.push_back(
      new_contender("Hedge, waited for as peers", on_gpu->graph(), on_gpu->stream(), nullptr));
  for (const auto& peer : request.at("peers")) {
    contenders.push_back(new_contender(peer.at("name"), handle<cudaGraphExec_t>(peer.at("graph")),
                                       handle<cudaStream_t>(peer.at("stream")), nullptr));
  }

  std::mt19937_64 bits(0);
  std::vector<std::size_t> begins;
  std::vector<Contender*> turn;
  for (Contender& contender : contenders) {
    turn.push_back(&contender);
    replay_for(contender, kWarmUp_ns);
  }
  for (std::size_t round = 0; round < rounds; ++round) {
    begins.push_back(round * iterations);
    std::shuffle(turn.begin(), turn.end(), bits);
    for (Contender* contender : turn) {
      replay_for(*contender, kSettling_ns);
      for (std::size_t i = 0; i < iterations; ++i) {
        contender->wall.time([&] { replay(*contender); });
      }
      time_on_gpu(*contender, static_cast<int>(iterations));
    }
  }
  context->infer();
  ordered_json answer{{"gpu", gpu::description_of(gpu::device())},
                      {"timer_ns", timer_overhead().sample_ns},
                      {"scores", context->output(0)}};
  for (const Contender& contender : contenders) {
    answer["contenders"].push_back(describe(contender, contenders.front(), begins));
  }
  return answer.dump();
}

}  // namespace
}  // namespace hedge

int hedge_replay(const char* request, char* answer, std::size_t capacity) {
  std::string text;
  int status = 0;
  try {
    text = hedge::answer_to(nlohmann::json::parse(request));
  } catch (const std::exception& error) {
    text = error.what();
    status = 1;
  }
  if (text.size() >= capacity) {
    text = "the answer is larger than the room for it";
    status = 1;
  }
  std::memcpy(answer, text.c_str(), std::min(text.size() + 1, capacity));
  return status;
}
