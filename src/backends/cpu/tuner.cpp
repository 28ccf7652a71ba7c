// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/tuner.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <map>
#include <memory>
#include <numeric>

#include "backends/cpu/compiler.h"
#include "backends/cpu/cpu_context.h"
#include "base/cancellation.h"
#include "base/clock.h"
#include "base/log.h"
#include "engine/timing_cache.h"
#include "graph/operators/operator.h"
#include "graph/query.h"

namespace hedge::cpu {
namespace {

/// A tactic must win by this much in every round, so that noise does not pick tactics.
constexpr double kLeastGain = 0.01;
constexpr int kRounds = 3;
/// A kind of layer that takes less of the whole cannot gain as much.
constexpr double kLeastShare = 0.02;
constexpr std::int64_t kBudgetNs = 10'000'000'000;  ///< Times the level.

/// The fastest run: other programs on the machine only ever add time.
std::int64_t fastest_ns(CpuContext& context, int runs) {
  std::int64_t fastest = std::numeric_limits<std::int64_t>::max();
  for (int i = 0; i < runs; ++i) {
    const std::int64_t before = SteadyClock::now_ns();
    context.infer();
    fastest = std::min(fastest, SteadyClock::now_ns() - before);
  }
  return fastest;
}

/// Interleaved, so that a drift of the clock does not choose.
bool wins(CpuContext& challenger, CpuContext& reigning, int runs) {
  for (int round = 0; round < kRounds; ++round) {
    const auto before = static_cast<double>(fastest_ns(reigning, runs));
    const auto after = static_cast<double>(fastest_ns(challenger, runs));
    if (after > before * (1 - kLeastGain)) return false;
  }
  return true;
}

/// How much of an inference each kind of convolution takes.
std::map<std::string, double> shares_of_kinds(const Graph& graph, CpuContext& context) {
  std::map<std::string, std::string> kinds;  // By the layer's name.
  for (const Node& node : graph.nodes) {
    if (node.op->name == "Conv") kinds[node.name] = convolution_kind(graph, node);
  }
  const auto layers = context.layers();
  std::vector<std::int64_t> ns(layers.size(), 0);
  for (int i = 0; i < 5; ++i) context.infer_profiled(ns);
  const auto total = static_cast<double>(std::accumulate(ns.begin(), ns.end(), std::int64_t{1}));
  std::map<std::string, double> shares;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const auto found = kinds.find(layers[i].name);
    if (found != kinds.end()) shares[found->second] += static_cast<double>(ns[i]) / total;
  }
  return shares;
}

/// oneDNN's fallbacks are there for completeness, not for speed, and the one over GEMM takes a lock
/// at every call.
bool worth_timing(const std::string& implementation) {
  const auto found = implementation_class(implementation);
  return found == ImplementationClass::kOwn || found == ImplementationClass::kTuned;
}

std::string cpu_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name") || line.starts_with("CPU part")) return line;
  }
  return {};
}

/// What the choice depends on: machine, library, precision, threads and the net's layers.
std::string depends_on(const Graph& graph, const TunerOptions& options) {
  std::string text = fmt::format("oneDNN {} {} own {} {} type {} threads {}", library_version(),
                                 effective_isa_name(), own_set(effective_isa()).name, cpu_name(),
                                 static_cast<int>(options.plan.precision), options.plan.threads);
  for (const auto& [layer, precision] : options.plan.precisions) {
    text += fmt::format("\n{} {}", layer, static_cast<int>(precision));
  }
  for (const Node& node : graph.nodes) {
    text += fmt::format("\n{}", node.op->name == "Conv" ? convolution_kind(graph, node)
                                                        : std::string(node.op->name));
    text += " " + to_string(graph.value(node.outputs[0]).type.shape);  // The batch too.
  }
  return text;
}

Tactics tune(const Graph& graph, const TunerOptions& options) {
  PlanOptions best = options.plan;
  CpuContext base(compile(graph, best));
  auto reigning = std::make_unique<CpuContext>(compile(graph, best));
  for (int i = 0; i < 3; ++i) base.infer();
  // About 20 ms a tactic at level 3, within sane numbers of runs.
  const std::int64_t once = std::max<std::int64_t>(fastest_ns(base, 5), 1);
  const int runs =
      static_cast<int>(std::clamp<std::int64_t>(options.level * 7'000'000 / once, 5, 200));
  const auto shares = shares_of_kinds(graph, base);
  const std::int64_t end = SteadyClock::now_ns() + options.level * kBudgetNs;

  const auto challenge = [&](const PlanOptions& candidate, const std::string& what) {
    auto challenger = std::make_unique<CpuContext>(compile(graph, candidate));
    challenger->infer();
    if (!wins(*challenger, *reigning, runs)) return;
    log(LogLevel::kDebug, fmt::format("{} is faster", what));
    best = candidate;
    reigning = std::move(challenger);
  };
  const auto tactics = convolution_tactics(graph, options.plan);
  // All layers by our own kernels at once: one alone among oneDNN's pays for reorders.
  PlanOptions own = best;
  for (const auto& [kind, implementations] : tactics) {
    for (const std::string& implementation : implementations) {
      if (implementation.starts_with(kOwnPrefix) && implementation != implementations.front()) {
        own.tactics[kind] = implementation;
      }
    }
  }
  if (own.tactics != best.tactics) challenge(own, "all by our own kernels");
  for (const auto& [kind, implementations] : tactics) {
    const auto share = shares.find(kind);
    if (share != shares.end() && share->second < kLeastShare) continue;
    for (const std::string& implementation : implementations) {
      if (cancellation_requested() || SteadyClock::now_ns() > end) break;
      const auto chosen = best.tactics.find(kind);
      const std::string& reigns =
          chosen == best.tactics.end() ? implementations.front() : chosen->second;
      if (!worth_timing(implementation) || implementation == reigns) continue;
      PlanOptions candidate = best;
      candidate.tactics[kind] = implementation;
      challenge(candidate, fmt::format("{}: {}", kind, implementation));
    }
  }
  // Each was a little faster in its time; what counts is that all together are.
  if (!best.tactics.empty() && !wins(*reigning, base, runs)) return options.plan.tactics;
  return best.tactics;
}

}  // namespace

Tactics choose_tactics(const Graph& graph, const TunerOptions& options) {
  if (options.level <= 0) return {};
  const TimingCache cache(options.timing_cache);
  const std::string key = depends_on(graph, options);
  if (const auto known = cache.find(key)) return *known;
  Tactics tactics = tune(graph, options);
  if (!cancellation_requested()) cache.keep(key, tactics);
  return tactics;
}

}  // namespace hedge::cpu
