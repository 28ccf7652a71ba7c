// SPDX-License-Identifier: Apache-2.0
#include "backends/cuda/kernels/map.h"

#include "backends/cuda/kernels/device.cuh"

namespace hedge::cuda {
namespace {

constexpr int kThreads = 128;

/// How a thread reads its elements, which lie along the last axis.
enum class Access : std::uint8_t { kRepeated, kTogether, kStrided };

struct MapParameters {
  Map map;
  Access access_a = Access::kStrided, access_b = Access::kStrided;
  int items = 0;  ///< Stretches of kWidth elements.
  void* result = nullptr;
  const void* a = nullptr;
  const void* b = nullptr;
};

__device__ inline float load_real(const void* from, const Strided& layout, std::size_t index) {
  float x[1];
  load_together(x, from, layout.type, layout.scale, index);
  return x[0];
}

template <int kWidth>
__device__ inline void load_stretch(float (&x)[kWidth], const void* from, const Strided& layout,
                                    Access access, std::size_t offset, int inner_stride, int used) {
  if (access == Access::kRepeated) {
    const float one = load_real(from, layout, offset);
#pragma unroll
    for (int e = 0; e < kWidth; ++e) x[e] = one;
    return;
  }
  if constexpr (kWidth > 1) {
    if (access == Access::kTogether && used >= kWidth) {
      load_together(x, from, layout.type, layout.scale, offset);
      return;
    }
  }
#pragma unroll
  for (int e = 0; e < kWidth; ++e) {
    const std::size_t at = offset + static_cast<std::size_t>(e) * inner_stride;
    x[e] = e < used ? load_real(from, layout, at) : 0.F;
  }
}

__device__ inline float combine(MapOp op, float a, float b) {
  switch (op) {
    case MapOp::kAdd:
      return a + b;
    case MapOp::kSub:
      return a - b;
    case MapOp::kMul:
      return a * b;
    case MapOp::kDiv:
      return a / b;
    case MapOp::kMin:  // A NaN on either side stays.
      return b < a || isnan(b) ? b : a;
    case MapOp::kMax:
      return b > a || isnan(b) ? b : a;
    case MapOp::kPRelu:
      return a < 0 ? a * b : a;
    default:
      return a;
  }
}

template <class Element, int kWidth>
__global__ void __launch_bounds__(kThreads) map_elements(const MapParameters p) {
  let_successor_begin();
  const int item = blockIdx.x * kThreads + threadIdx.x;
  wait_for_predecessor();
  if (item >= p.items) return;
  const Map& m = p.map;
  const int last = m.axes - 1;
  const int stretches = m.extents[last] / kWidth;
  const int inner = item % stretches * kWidth;
  int rest = item / stretches;
  std::size_t to = static_cast<std::size_t>(inner) * m.result.strides[last];
  std::size_t at_a = static_cast<std::size_t>(inner) * m.a.strides[last];
  std::size_t at_b = static_cast<std::size_t>(inner) * m.b.strides[last];
  for (int axis = last - 1; axis >= 0; --axis) {
    const std::size_t index = rest % m.extents[axis];
    rest /= m.extents[axis];
    to += index * m.result.strides[axis];
    at_a += index * m.a.strides[axis];
    at_b += index * m.b.strides[axis];
  }
  const int used = m.used - inner;
  float x[kWidth];
  load_stretch<kWidth>(x, p.a, m.a, p.access_a, at_a, m.a.strides[last], used);
  if (m.op != MapOp::kCopy) {
    float y[kWidth];
    load_stretch<kWidth>(y, p.b, m.b, p.access_b, at_b, m.b.strides[last], used);
#pragma unroll
    for (int e = 0; e < kWidth; ++e) x[e] = combine(m.op, x[e], y[e]);
  }
  for (int o = 0; o < m.post_op_count; ++o) {
    const PostOpParameters& op = m.post_ops[o];
#pragma unroll
    for (int e = 0; e < kWidth; ++e) x[e] = activate(op.kind, op.alpha, op.beta, x[e]);
  }
#pragma unroll
  for (int e = 0; e < kWidth; ++e) x[e] = e < used ? x[e] : 0.F;
  if constexpr (std::is_same_v<Element, std::int8_t>) {
    store_together(p.result, ElementType::kInt8, m.result.scale, to, x);
  } else {
    store_elements<Element>(p.result, to, x);
  }
}

/// Whether stretches of `width` elements along the last axis begin at multiples of it.
bool goes_in_stretches(const Strided& layout, const Map& map, int width, const void* address) {
  if (layout.strides[map.axes - 1] != 1) return false;
  for (int axis = 0; axis + 1 < map.axes; ++axis) {
    if (layout.strides[axis] % width != 0) return false;
  }
  const std::size_t bytes = static_cast<std::size_t>(width) * byte_size(layout.type);
  const std::size_t alignment = bytes < kGranuleBytes ? bytes : kGranuleBytes;
  return reinterpret_cast<std::uintptr_t>(address) % alignment == 0;
}

Access access_of(const Strided& layout, const Map& map, int width, const void* address) {
  if (layout.strides[map.axes - 1] == 0) return Access::kRepeated;
  return goes_in_stretches(layout, map, width, address) ? Access::kTogether : Access::kStrided;
}

__global__ void __launch_bounds__(kThreads)
    gather_elements(Gather gather, void* result, const void* from, const std::int32_t* sources) {
  let_successor_begin();
  const int i = blockIdx.x * kThreads + threadIdx.x;
  const std::int32_t source = i < gather.count ? __ldg(sources + i) : Gather::kNothing;
  wait_for_predecessor();
  if (i >= gather.count) return;
  float x[1] = {source == Gather::kFill ? gather.fill : 0.F};
  if (source >= 0) {
    load_together(x, from, gather.from, gather.from_scale, static_cast<std::size_t>(source));
  }
  store_together(result, gather.result, gather.result_scale, static_cast<std::size_t>(i), x);
}

}  // namespace

cudaError_t launch_map(const Map& map, void* result, const void* a, const void* b,
                       const Launch& launch) {
  MapParameters p;
  p.map = map;
  p.result = result;
  p.a = a;
  p.b = b;
  const int granule = granule_of(map.result.type);
  const bool wide = map.extents[map.axes - 1] % granule == 0 &&
                    goes_in_stretches(map.result, map, granule, result);
  const int width = wide ? granule : 1;
  p.access_a = access_of(map.a, map, width, a);
  p.access_b = access_of(map.b, map, width, b);
  p.items = 1;
  for (int axis = 0; axis < map.axes; ++axis) p.items *= map.extents[axis];
  p.items /= width;
  const dim3 grid(static_cast<unsigned>(ceil_div(p.items, kThreads)));
  return with_any_element(map.result.type, [&](auto zero) {
    using Element = decltype(zero);
    constexpr int kWide = kGranuleBytes / static_cast<int>(sizeof(Element));
    return launch_kernel(wide ? map_elements<Element, kWide> : map_elements<Element, 1>, grid,
                         kThreads, 0, launch, p);
  });
}

cudaError_t launch_gather(const Gather& gather, void* result, const void* from,
                          const std::int32_t* sources, const Launch& launch) {
  const dim3 grid(static_cast<unsigned>(ceil_div(gather.count, kThreads)));
  return launch_kernel(gather_elements, grid, kThreads, 0, launch, gather, result, from, sources);
}

}  // namespace hedge::cuda
