// SPDX-License-Identifier: Apache-2.0
#include "backends/tensorrt/progress.h"

#include <algorithm>
#include <cmath>

#include "base/cancellation.h"

namespace hedge::tensorrt {
namespace {

constexpr std::int64_t kWhole = 1000;

std::string text_of(char const* text) {
  return text == nullptr ? std::string() : std::string(text);
}

}  // namespace

void Progress::phaseStart(char const* phase, char const* parent, std::int32_t steps) noexcept try {
  const std::lock_guard lock(mutex_);
  phases_.push_back({text_of(phase), text_of(parent), std::max(steps, 1), 0});
} catch (...) {  // TensorRT must not see it; a build without its bar is no worse.
}

bool Progress::stepComplete(char const* phase, std::int32_t step) noexcept try {
  const std::lock_guard lock(mutex_);
  for (Phase& one : phases_) {
    if (one.name == text_of(phase)) one.done = std::clamp(step + 1, one.done, one.steps);
  }
  report();
  return !cancellation_requested();
} catch (...) {
  return true;
}

void Progress::phaseFinish(char const* phase) noexcept try {
  const std::lock_guard lock(mutex_);
  std::erase_if(phases_, [name = text_of(phase)](const Phase& one) { return one.name == name; });
} catch (...) {
}

double Progress::done(const Phase& phase) const {
  double steps = phase.done;
  for (const Phase& inner : phases_) {
    if (!inner.parent.empty() && inner.parent == phase.name && inner.name != phase.name) {
      steps = std::max(steps, phase.done + done(inner));
    }
  }
  return std::min(steps / phase.steps, 1.0);
}

/// The first phase without a parent is the build; a bar does not go back.
void Progress::report() {
  const auto outermost =
      std::ranges::find_if(phases_, [](const Phase& phase) { return phase.parent.empty(); });
  if (!report_ || outermost == phases_.end()) return;
  const std::int64_t now = std::llround(done(*outermost) * kWhole);
  if (now <= reported_) return;
  reported_ = now;
  report_(now, kWhole);
}

}  // namespace hedge::tensorrt
