// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/kernels/copy.h"

#include <algorithm>
#include <cstring>

namespace hedge::cpu::kernels {
namespace {

/// Below so many elements a stretch, one copy a stretch costs more than one load an element.
constexpr std::size_t kLeastStretch = 6;

}  // namespace

MappedCopy mapped_copy(const std::vector<std::int32_t>& sources, float fill) {
  MappedCopy copy{{}, {}, fill};
  for (const std::int32_t source : sources) {
    if (!copy.stretches.empty()) {
      auto& last = copy.stretches.back();
      const bool goes_on =
          source < 0 ? last.from < 0 : last.from >= 0 && source == last.from + last.length;
      if (goes_on) {
        ++last.length;
        continue;
      }
    }
    copy.stretches.push_back({source, 1});
  }
  if (sources.size() < kLeastStretch * copy.stretches.size()) {
    copy.stretches.clear();
    copy.elements = sources;
  }
  return copy;
}

void run_mapped_copy(const void* parameters, std::byte* const* buffers) {
  const auto& p = *static_cast<const MappedCopy*>(parameters);
  const auto* from = reinterpret_cast<const float*>(buffers[0]);
  auto* to = reinterpret_cast<float*>(buffers[1]);
  for (const auto& stretch : p.stretches) {
    const auto n = static_cast<std::size_t>(stretch.length);
    if (stretch.from < 0) {
      std::fill_n(to, n, p.fill);
    } else {
      std::memcpy(to, from + stretch.from, n * sizeof(float));
    }
    to += n;
  }
  for (const std::int32_t source : p.elements) *to++ = source < 0 ? p.fill : from[source];
}

}  // namespace hedge::cpu::kernels
