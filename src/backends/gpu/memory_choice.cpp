// SPDX-License-Identifier: Apache-2.0
#include "backends/gpu/memory_choice.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "engine/gpu_options.h"

namespace hedge::gpu {
namespace {

constexpr std::size_t kRuns = 31;

/// With what a caller does around infer(), since who touches memory last decides what the next one
/// pays.
std::int64_t median_ns(Context& context) {
  std::array<std::int64_t, kRuns> times{};
  float sum = 0;
  auto* pixels = dynamic_cast<PixelInput*>(&context);
  for (std::int64_t& time : times) {
    const std::int64_t begin = SteadyClock::now_ns();
    std::ranges::fill(context.input(), 0.F);
    if (pixels != nullptr) std::ranges::fill(pixels->input_u8(), std::uint8_t{0});
    context.infer();
    for (std::size_t i = 0; i < context.output_count(); ++i) {
      for (const float score : context.output(i)) sum += score;
    }
    time = SteadyClock::now_ns() - begin;
  }
  volatile float used = sum;  // So that the outputs are read.
  (void)used;
  std::nth_element(times.begin(), times.begin() + kRuns / 2, times.end());
  return times[kRuns / 2];
}

}  // namespace

std::unique_ptr<Context> fastest_context(const NewNet& new_net, ExecutionSettings settings,
                                         std::span<const MemoryMode> modes,
                                         const std::vector<std::string>& warnings) {
  std::unique_ptr<Context> fastest;
  std::int64_t least_ns = std::numeric_limits<std::int64_t>::max();
  for (const MemoryMode mode : modes) {
    settings.memory = mode;
    auto context = new_context(new_net, settings, warnings);
    const std::int64_t ns = median_ns(*context);
    log(LogLevel::kDebug,
        fmt::format("memory {}: {:.1f} us", to_string(mode), static_cast<double>(ns) / 1000));
    if (ns >= least_ns) continue;
    least_ns = ns;
    fastest = std::move(context);
  }
  return fastest;
}

std::unique_ptr<Context> make_context(const NewNet& new_net, const GpuOptions& options,
                                      std::shared_ptr<const PixelSource> pixels,
                                      const std::vector<std::string>& warnings) {
  ExecutionSettings settings = settings_of(options);
  settings.pixels = std::move(pixels);
  if (settings.memory == MemoryMode::kAuto && device_attribute(cudaDevAttrIntegrated) != 0 &&
      device_attribute(cudaDevAttrManagedMemory) != 0) {
    constexpr MemoryMode kModes[] = {MemoryMode::kMapped, MemoryMode::kManaged};
    return fastest_context(new_net, settings, kModes, warnings);
  }
  return new_context(new_net, settings, warnings);
}

}  // namespace hedge::gpu
