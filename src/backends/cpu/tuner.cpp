// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/tuner.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <nlohmann/json.hpp>

#include "backends/cpu/compiler.h"
#include "backends/cpu/cpu_context.h"
#include "base/cancellation.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/sha256.h"
#include "graph/operators/operator.h"

namespace hedge::cpu {
namespace {

using nlohmann::json;

constexpr std::string_view kCacheSchema = "hedge.timing-cache/1";
/// A tactic must win by this much, so that noise does not pick tactics.
constexpr double kLeastGain = 0.01;

std::int64_t median_ns(CpuContext& context, int runs) {
  std::vector<std::int64_t> samples;
  for (int i = 0; i < runs; ++i) {
    const std::int64_t before = SteadyClock::now_ns();
    context.infer();
    samples.push_back(SteadyClock::now_ns() - before);
  }
  std::nth_element(samples.begin(), samples.begin() + runs / 2, samples.end());
  return samples[static_cast<std::size_t>(runs / 2)];
}

/// oneDNN's fallbacks are there for completeness, not for speed, and the one over GEMM takes a lock
/// at every call.
bool worth_timing(const std::string& implementation) {
  return implementation.starts_with(kOwnPrefix) ||
         (!is_slow(implementation) && implementation.find("gemm:") == std::string::npos);
}

/// What the choice depends on: machine, library, precision, threads and the net's layers.
std::string cpu_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name") || line.starts_with("CPU part")) return line;
  }
  return {};
}

std::string cache_key(const Graph& graph, const TunerOptions& options) {
  std::string text = fmt::format("oneDNN {} {} own {} {} type {} threads {}", library_version(),
                                 effective_isa(), kernel_set().name, cpu_name(),
                                 static_cast<int>(options.plan.precision), options.plan.threads);
  for (const Node& node : graph.nodes) {
    text += fmt::format("\n{}", node.op->name == "Conv" ? convolution_kind(graph, node)
                                                        : std::string(node.op->name));
    text += " " + to_string(graph.value(node.outputs[0]).type.shape);  // The batch too.
    for (const char* name : {"pads", "dilations"}) {
      text += fmt::format(" {}", fmt::join(node.attributes.get_ints(name), ","));
    }
  }
  return sha256_hex(std::as_bytes(std::span(text)));
}

Error not_a_cache(const std::filesystem::path& path) {
  return bad_input(fmt::format(
      "{}: is not a timing cache of Hedge; delete it or name another with --timing_cache",
      path.string()));
}

json read_cache(const std::filesystem::path& path) {
  if (path.empty() || !std::filesystem::exists(path)) return {{"schema", kCacheSchema}};
  try {
    json cache = json::parse(read_text_file(path));
    if (cache.at("schema") == kCacheSchema) return cache;
  } catch (const json::exception&) {
    // Refused below, together with other schemas.
  }
  throw not_a_cache(path);
}

Tactics tune(const Graph& graph, const TunerOptions& options) {
  PlanOptions best = options.plan;
  CpuContext base(compile(graph, best));
  for (int i = 0; i < 3; ++i) base.infer();
  // About 20 ms a tactic at level 3, within sane numbers of runs.
  const std::int64_t once = std::max<std::int64_t>(median_ns(base, 5), 1);
  const int runs =
      static_cast<int>(std::clamp<std::int64_t>(options.level * 7'000'000 / once, 5, 200));

  const auto try_candidate = [&](const PlanOptions& candidate, const std::string& what) {
    CpuContext reigning(compile(graph, best));
    CpuContext challenger(compile(graph, candidate));
    // Interleaved, so that a drift of the clock does not choose.
    std::array<std::int64_t, 2> total{};
    for (int round = 0; round < 3; ++round) {
      total[0] += median_ns(reigning, runs);
      total[1] += median_ns(challenger, runs);
    }
    const double gain = 1.0 - static_cast<double>(total[1]) / static_cast<double>(total[0]);
    log(LogLevel::kDebug, fmt::format("{} {:+.1f} %", what, -100 * gain));
    if (gain > kLeastGain) best = candidate;
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
  if (!own.tactics.empty()) try_candidate(own, "all by our own kernels");
  for (const auto& [kind, implementations] : tactics) {
    for (const std::string& implementation : implementations) {
      if (cancellation_requested()) return best.tactics;
      const auto chosen = best.tactics.find(kind);
      const bool reigns = implementation ==
                          (chosen == best.tactics.end() ? implementations.front() : chosen->second);
      if (!worth_timing(implementation) || reigns) continue;
      PlanOptions candidate = best;
      candidate.tactics[kind] = implementation;
      try_candidate(candidate, fmt::format("{}: {}", kind, implementation));
    }
  }
  return best.tactics;
}

}  // namespace

Tactics choose_tactics(const Graph& graph, const TunerOptions& options) {
  if (options.level <= 0) return {};
  json cache = read_cache(options.timing_cache);
  const std::string key = cache_key(graph, options);
  if (const auto known = cache.find(key); known != cache.end()) {
    try {
      return known->get<Tactics>();
    } catch (const json::exception&) {
      throw not_a_cache(options.timing_cache);
    }
  }
  Tactics tactics = tune(graph, options);
  if (!options.timing_cache.empty() && !cancellation_requested()) {
    cache[key] = tactics;
    try {
      write_file(options.timing_cache, cache.dump(1) + "\n");
    } catch (const Error& error) {
      log(LogLevel::kWarning, fmt::format("the timing cache is not kept: {}", error.what()));
    }
  }
  return tactics;
}

}  // namespace hedge::cpu
