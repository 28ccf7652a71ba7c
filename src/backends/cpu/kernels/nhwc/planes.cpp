// SPDX-License-Identifier: Apache-2.0
// Everything but convolutions.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "backends/cpu/kernels/nhwc/kernels.h"
#include "backends/cpu/threads.h"

namespace hedge::cpu {
namespace {

float* floats(std::byte* const* buffers, int i) {
  return reinterpret_cast<float*>(buffers[i]);
}

struct PoolParameters {
  const KernelSet* set = nullptr;
  PoolPlan plan;
  int threads = 1;
};

struct ElementParameters {
  const KernelSet* set = nullptr;
  std::size_t elements = 0;
  Bounds bounds;
};

struct SoftmaxParameters {
  std::int64_t outer = 0, extent = 0, inner = 0;
};

void run_pool(const void* parameters, std::byte* const* buffers) {
  const auto& p = *static_cast<const PoolParameters*>(parameters);
  parallel_for(p.plan.geometry.batch * p.plan.geometry.out_h, p.threads, [&](int first, int last) {
    p.set->pool(p.plan, floats(buffers, 0), floats(buffers, 1), first, last);
  });
}

void run_clip(const void* parameters, std::byte* const* buffers) {
  const auto& p = *static_cast<const ElementParameters*>(parameters);
  p.set->clip(floats(buffers, 0), floats(buffers, 1), p.elements, p.bounds);
}

void softmax_row(const float* from, float* to, std::int64_t extent, std::int64_t stride) {
  float largest = from[0];
  for (std::int64_t i = 1; i < extent; ++i) largest = std::max(largest, from[i * stride]);
  float sum = 0;
  for (std::int64_t i = 0; i < extent; ++i) {
    const float e = std::exp(from[i * stride] - largest);
    to[i * stride] = e;
    sum += e;
  }
  for (std::int64_t i = 0; i < extent; ++i) to[i * stride] /= sum;
}

void run_softmax(const void* parameters, std::byte* const* buffers) {
  const auto& p = *static_cast<const SoftmaxParameters*>(parameters);
  for (std::int64_t o = 0; o < p.outer; ++o) {
    for (std::int64_t i = 0; i < p.inner; ++i) {
      const std::int64_t offset = o * p.extent * p.inner + i;
      softmax_row(floats(buffers, 0) + offset, floats(buffers, 1) + offset, p.extent, p.inner);
    }
  }
}

struct CopyAxis {
  std::int64_t extent = 1, from = 0, to = 0;  ///< Strides.
};

/// The last two axes are done in squares, so that each cache line of either side is used up.
constexpr std::int64_t kSquare = 16;
constexpr std::size_t kCopyAxes = 12;

struct CopyParameters {
  CopyAxis axes[kCopyAxes];  ///< The last: densest in the result. The one before: in the source.
  std::size_t count = 0;
};

void copy_plane(const CopyAxis& a, const CopyAxis& b, const float* from, float* to) {
  if (b.from == 1 && b.to == 1) {
    const std::size_t bytes = static_cast<std::size_t>(b.extent) * sizeof(float);
    for (std::int64_t i = 0; i < a.extent; ++i) {
      std::memcpy(to + i * a.to, from + i * a.from, bytes);
    }
    return;
  }
  if (b.extent == 3 && b.to == 1 && a.from == 1 && a.to == 3) {  // The planes of a picture.
    for (std::int64_t i = 0; i < a.extent; ++i) {
      to[3 * i] = from[i];
      to[3 * i + 1] = from[b.from + i];
      to[3 * i + 2] = from[2 * b.from + i];
    }
    return;
  }
  for (std::int64_t i0 = 0; i0 < a.extent; i0 += kSquare) {
    const std::int64_t i1 = std::min(i0 + kSquare, a.extent);
    for (std::int64_t j0 = 0; j0 < b.extent; j0 += kSquare) {
      const std::int64_t j1 = std::min(j0 + kSquare, b.extent);
      for (std::int64_t i = i0; i < i1; ++i) {
        for (std::int64_t j = j0; j < j1; ++j) {
          to[i * a.to + j * b.to] = from[i * a.from + j * b.from];
        }
      }
    }
  }
}

void copy_axes(const CopyAxis* axes, std::size_t count, const float* from, float* to) {
  if (count == 2) return copy_plane(axes[0], axes[1], from, to);
  for (std::int64_t i = 0; i < axes->extent; ++i) {
    copy_axes(axes + 1, count - 1, from + i * axes->from, to + i * axes->to);
  }
}

void run_copy(const void* parameters, std::byte* const* buffers) {
  const auto& p = *static_cast<const CopyParameters*>(parameters);
  copy_axes(p.axes, p.count, floats(buffers, 0), floats(buffers, 1));
}

}  // namespace

NamedKernel make_pool(const PoolPlan& plan, int threads, const KernelSet& set) {
  auto parameters = std::make_shared<PoolParameters>(PoolParameters{&set, plan, threads});
  return {{run_pool, parameters}, fmt::format("hedge:pool:{}", set.name)};
}

NamedKernel make_clip(std::size_t elements, Bounds bounds, const KernelSet& set) {
  auto parameters = std::make_shared<ElementParameters>(ElementParameters{&set, elements, bounds});
  return {{run_clip, parameters}, fmt::format("hedge:clip:{}", set.name)};
}

NamedKernel make_softmax(std::int64_t outer, std::int64_t extent, std::int64_t inner) {
  auto parameters = std::make_shared<SoftmaxParameters>(SoftmaxParameters{outer, extent, inner});
  return {{run_softmax, parameters}, "hedge:softmax"};
}

NamedKernel make_copy(const std::vector<std::int64_t>& extents,
                      const std::vector<std::int64_t>& source_strides,
                      const std::vector<std::int64_t>& result_strides) {
  std::vector<CopyAxis> axes;
  for (std::size_t i = 0; i < extents.size(); ++i) {
    if (extents[i] != 1) axes.push_back({extents[i], source_strides[i], result_strides[i]});
  }
  std::stable_sort(axes.begin(), axes.end(),
                   [](const CopyAxis& a, const CopyAxis& b) { return a.to > b.to; });
  std::vector<CopyAxis> merged;
  for (const CopyAxis& axis : axes) {
    if (!merged.empty() && merged.back().from == axis.extent * axis.from &&
        merged.back().to == axis.extent * axis.to) {
      merged.back() = {merged.back().extent * axis.extent, axis.from, axis.to};
    } else {
      merged.push_back(axis);
    }
  }
  // The axis that is densest in the source comes before the one that is in the result.
  if (merged.size() > 2) {
    const auto densest =
        std::min_element(merged.begin(), merged.end() - 1,
                         [](const CopyAxis& a, const CopyAxis& b) { return a.from < b.from; });
    std::rotate(densest, densest + 1, merged.end() - 1);
  }
  while (merged.size() < 2) merged.insert(merged.begin(), CopyAxis{});
  auto parameters = std::make_shared<CopyParameters>();
  parameters->count = merged.size();
  std::copy(merged.begin(), merged.end(), parameters->axes);
  return {{run_copy, parameters}, "hedge:copy"};
}

}  // namespace hedge::cpu
