// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/kernels/quantize.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace hedge::cpu::kernels {
namespace {

/// body(from, to) for each start of the innermost axis.
template <class Body>
HEDGE_ALWAYS_INLINE void for_each_row(const Conversion& p, const Body& body) {
  constexpr std::size_t kMostAxes = 16;
  std::int64_t at[kMostAxes] = {};
  std::int64_t from = 0;
  std::int64_t to = 0;
  const std::size_t outer = p.extents.size() - 1;
  while (true) {
    body(from, to);
    std::size_t axis = outer;
    for (; axis > 0; --axis) {
      const std::size_t i = axis - 1;
      from += p.from[i];
      to += p.to[i];
      if (++at[i] < p.extents[i]) break;
      from -= p.from[i] * p.extents[i];
      to -= p.to[i] * p.extents[i];
      at[i] = 0;
    }
    if (axis == 0) return;
  }
}

template <class Stored>
HEDGE_ALWAYS_INLINE Stored quantized(float x, float scale, float low, float high,
                                     float zero_point) {
  // Adding and taking away 1.5 * 2^23 rounds halves to even, and vectorises everywhere.
  constexpr float kMagic = 12582912;
  float v = x / scale;
  v = v > low ? v : low;  // A NaN becomes the lowest.
  v = v < high ? v : high;
  v = (v + kMagic) - kMagic;
  return static_cast<Stored>(static_cast<std::int32_t>(v + zero_point));
}

template <class Stored>
struct QuantizeBody {
  static HEDGE_ALWAYS_INLINE void run(const void* parameters, std::byte* const* buffers) {
    const auto& p = *static_cast<const Conversion*>(parameters);
    const auto* floats = reinterpret_cast<const float*>(buffers[0]);
    auto* stored = reinterpret_cast<Stored*>(buffers[1]);
    const auto zero_point = static_cast<float>(p.zero_point);
    const float low = static_cast<float>(std::numeric_limits<Stored>::min()) - zero_point;
    const float high = static_cast<float>(std::numeric_limits<Stored>::max()) - zero_point;
    const std::int64_t n = p.extents.back();
    const std::int64_t from_step = p.from.back();
    const std::int64_t to_step = p.to.back();
    const float scale = p.scale;
    for_each_row(
        p, [&](std::int64_t from, std::int64_t to) __attribute__((always_inline)) {
          const float* x = floats + from;
          Stored* y = stored + to;
          if (from_step == 1 && to_step == 1) {
            for (std::int64_t i = 0; i < n; ++i) {
              y[i] = quantized<Stored>(x[i], scale, low, high, zero_point);
            }
            return;
          }
          // In pieces, so that the arithmetic is vectorised whatever the strides are.
          constexpr std::int64_t kPiece = 64;
          Stored piece[kPiece];
          for (std::int64_t begin = 0; begin < n; begin += kPiece) {
            const std::int64_t count = n - begin < kPiece ? n - begin : kPiece;
            if (from_step == 1) {
              for (std::int64_t i = 0; i < count; ++i) {
                piece[i] = quantized<Stored>(x[begin + i], scale, low, high, zero_point);
              }
            } else {
              for (std::int64_t i = 0; i < count; ++i) {
                piece[i] =
                    quantized<Stored>(x[(begin + i) * from_step], scale, low, high, zero_point);
              }
            }
            for (std::int64_t i = 0; i < count; ++i) y[(begin + i) * to_step] = piece[i];
          }
        });
  }
};

template <class Stored>
struct DequantizeBody {
  static HEDGE_ALWAYS_INLINE void run(const void* parameters, std::byte* const* buffers) {
    const auto& p = *static_cast<const Conversion*>(parameters);
    const auto* stored = reinterpret_cast<const Stored*>(buffers[0]);
    auto* floats = reinterpret_cast<float*>(buffers[1]);
    const std::int64_t n = p.extents.back();
    const std::int64_t from_step = p.from.back();
    const std::int64_t to_step = p.to.back();
    const std::int32_t zero_point = p.zero_point;
    const float scale = p.scale;
    for_each_row(
        p, [&](std::int64_t from, std::int64_t to) __attribute__((always_inline)) {
          const Stored* x = stored + from;
          float* y = floats + to;
          if (from_step == 1 && to_step == 1) {
            for (std::int64_t i = 0; i < n; ++i) {
              y[i] = static_cast<float>(static_cast<std::int32_t>(x[i]) - zero_point) * scale;
            }
            return;
          }
          for (std::int64_t i = 0; i < n; ++i) {
            y[i * to_step] =
                static_cast<float>(static_cast<std::int32_t>(x[i * from_step]) - zero_point) *
                scale;
          }
        });
  }
};

template <class A, class B, class Result>
struct ByteAddBody {
  static HEDGE_ALWAYS_INLINE void run(const void* parameters, std::byte* const* buffers) {
    const ByteAdd p = *static_cast<const ByteAdd*>(parameters);  // Bytes may alias anything.
    const auto* a = reinterpret_cast<const A*>(buffers[0]);
    const auto* b = reinterpret_cast<const B*>(buffers[1]);
    auto* result = reinterpret_cast<Result*>(buffers[2]);
    const auto zero_point = static_cast<float>(p.zero_points[2]);
    const float least = static_cast<float>(std::numeric_limits<Result>::min()) - zero_point;
    const float most = static_cast<float>(std::numeric_limits<Result>::max()) - zero_point;
    for (std::int64_t i = 0; i < p.count; ++i) {
      const auto x = static_cast<float>(static_cast<std::int32_t>(a[i]) - p.zero_points[0]);
      const auto y = static_cast<float>(static_cast<std::int32_t>(b[i]) - p.zero_points[1]);
      float sum = x * p.scales[0] + y * p.scales[1];
      sum = sum > p.low ? sum : p.low;
      sum = sum < p.high ? sum : p.high;
      result[i] = quantized<Result>(sum, p.scales[2], least, most, zero_point);
    }
  }
};

template <class Stored>
struct PlaneMeanBody {
  static HEDGE_ALWAYS_INLINE void run(const void* parameters, std::byte* const* buffers) {
    const auto& p = *static_cast<const PlaneMean*>(parameters);
    const auto* x = reinterpret_cast<const Stored*>(buffers[0]);
    auto* y = reinterpret_cast<float*>(buffers[1]);
    constexpr std::int64_t kChannels = 64;
    for (std::int64_t b = 0; b < p.batch; ++b, x += p.pixels * p.channels, y += p.channels) {
      for (std::int64_t first = 0; first < p.channels; first += kChannels) {
        std::int32_t sums[kChannels] = {};
        const std::int64_t n = p.channels - first;
        for (std::int64_t i = 0; i < p.pixels; ++i) {
          const Stored* pixel = x + i * p.channels + first;
          if (n >= kChannels) {
            for (std::int64_t c = 0; c < kChannels; ++c) sums[c] += pixel[c];
          } else {
            for (std::int64_t c = 0; c < n; ++c) sums[c] += pixel[c];
          }
        }
        for (std::int64_t c = 0; c < n && c < kChannels; ++c) {
          y[first + c] = static_cast<float>(sums[c] - p.zero_points) * p.factor;
        }
      }
    }
  }
};

}  // namespace

Conversion conversion(const std::vector<std::int64_t>& extents,
                      const std::vector<std::int64_t>& from, const std::vector<std::int64_t>& to) {
  std::vector<std::size_t> axes;
  for (std::size_t i = 0; i < extents.size(); ++i) {
    if (extents[i] != 1) axes.push_back(i);
  }
  std::stable_sort(axes.begin(), axes.end(),
                   [&](std::size_t a, std::size_t b) { return to[a] > to[b]; });
  Conversion loops;
  for (const std::size_t axis : axes) {
    const bool joins = !loops.extents.empty() && loops.from.back() == from[axis] * extents[axis] &&
                       loops.to.back() == to[axis] * extents[axis];
    if (joins) {
      loops.extents.back() *= extents[axis];
      loops.from.back() = from[axis];
      loops.to.back() = to[axis];
    } else {
      loops.extents.push_back(extents[axis]);
      loops.from.push_back(from[axis]);
      loops.to.push_back(to[axis]);
    }
  }
  if (loops.extents.empty()) return {{1}, {1}, {1}};
  // Few channels beside each other would be short rows; along the dense axis of the source they
  // are long.
  const auto dense = std::find(loops.from.begin(), loops.from.end(), 1) - loops.from.begin();
  const auto last = static_cast<std::ptrdiff_t>(loops.from.size()) - 1;
  if (dense < last) {
    for (auto* numbers : {&loops.extents, &loops.from, &loops.to}) {
      std::rotate(numbers->begin() + dense, numbers->begin() + dense + 1, numbers->end());
    }
  }
  return loops;
}

Run quantize_kernel(bool is_signed, Isa isa) {
  return is_signed ? choose<QuantizeBody<std::int8_t>>(isa)
                   : choose<QuantizeBody<std::uint8_t>>(isa);
}

Run dequantize_kernel(bool is_signed, Isa isa) {
  return is_signed ? choose<DequantizeBody<std::int8_t>>(isa)
                   : choose<DequantizeBody<std::uint8_t>>(isa);
}

Run byte_add_kernel(const bool (&is_signed)[3], Isa isa) {
  using S = std::int8_t;
  using U = std::uint8_t;
  const auto of_result = [&]<class A, class B>(A, B) {
    return is_signed[2] ? choose<ByteAddBody<A, B, S>>(isa) : choose<ByteAddBody<A, B, U>>(isa);
  };
  const auto of_b = [&]<class A>(A a) {
    return is_signed[1] ? of_result(a, S{}) : of_result(a, U{});
  };
  return is_signed[0] ? of_b(S{}) : of_b(U{});
}

Run plane_mean_kernel(bool is_signed, Isa isa) {
  return is_signed ? choose<PlaneMeanBody<std::int8_t>>(isa)
                   : choose<PlaneMeanBody<std::uint8_t>>(isa);
}

}  // namespace hedge::cpu::kernels
