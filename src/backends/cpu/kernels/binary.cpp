// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/kernels/binary.h"

namespace hedge::cpu::kernels {
namespace {

template <BinaryOp kOp>
struct Apply {
  static HEDGE_ALWAYS_INLINE float of(float a, float b) {
    if constexpr (kOp == BinaryOp::kAdd) return a + b;
    if constexpr (kOp == BinaryOp::kSub) return a - b;
    if constexpr (kOp == BinaryOp::kMul) return a * b;
    if constexpr (kOp == BinaryOp::kDiv) return a / b;
    if constexpr (kOp == BinaryOp::kMin) return b < a || b != b ? b : a;
    if constexpr (kOp == BinaryOp::kMax) return a < b || b != b ? b : a;
    return a < 0 ? a * b : a;
  }
};

template <BinaryOp kOp>
struct Body {
  static constexpr std::size_t kMostAxes = 24;

  /// One row; the strides that occur most are constants, so that the loop is vectorised.
  static HEDGE_ALWAYS_INLINE void row(const float* a, const float* b, float* y, std::int64_t n,
                                      std::int64_t sa, std::int64_t sb) {
    if (sa == 1 && sb == 1) {
      for (std::int64_t i = 0; i < n; ++i) y[i] = Apply<kOp>::of(a[i], b[i]);
    } else if (sa == 1 && sb == 0) {
      const float constant = *b;
      for (std::int64_t i = 0; i < n; ++i) y[i] = Apply<kOp>::of(a[i], constant);
    } else if (sa == 0 && sb == 1) {
      const float constant = *a;
      for (std::int64_t i = 0; i < n; ++i) y[i] = Apply<kOp>::of(constant, b[i]);
    } else {
      for (std::int64_t i = 0; i < n; ++i) y[i] = Apply<kOp>::of(a[i * sa], b[i * sb]);
    }
  }

  static HEDGE_ALWAYS_INLINE void run(const void* parameters, std::byte* const* buffers) {
    const auto& p = *static_cast<const Binary*>(parameters);
    const auto* a = reinterpret_cast<const float*>(buffers[0]);
    const auto* b = reinterpret_cast<const float*>(buffers[1]);
    auto* y = reinterpret_cast<float*>(buffers[2]);
    const std::size_t rank = p.extents.size();
    const std::int64_t n = p.extents[rank - 1];
    const std::int64_t rows = p.extents[rank - 2];
    std::int64_t index[kMostAxes] = {};
    for (;;) {
      for (std::int64_t i = 0; i < rows; ++i) {
        row(a + i * p.a_strides[rank - 2], b + i * p.b_strides[rank - 2], y, n,
            p.a_strides[rank - 1], p.b_strides[rank - 1]);
        y += n;
      }
      std::size_t axis = rank - 2;
      for (; axis > 0; --axis) {
        a += p.a_strides[axis - 1];
        b += p.b_strides[axis - 1];
        if (++index[axis - 1] < p.extents[axis - 1]) break;
        a -= p.a_strides[axis - 1] * p.extents[axis - 1];
        b -= p.b_strides[axis - 1] * p.extents[axis - 1];
        index[axis - 1] = 0;
      }
      if (axis == 0) return;
    }
  }
};

}  // namespace

void collapse(Binary& binary) {
  Binary out;
  for (std::size_t i = 0; i < binary.extents.size(); ++i) {
    const std::int64_t extent = binary.extents[i];
    const std::int64_t sa = binary.a_strides[i];
    const std::int64_t sb = binary.b_strides[i];
    if (extent == 1) continue;
    if (!out.extents.empty() && out.a_strides.back() == sa * extent &&
        out.b_strides.back() == sb * extent) {
      out.extents.back() *= extent;
      out.a_strides.back() = sa;
      out.b_strides.back() = sb;
    } else {
      out.extents.push_back(extent);
      out.a_strides.push_back(sa);
      out.b_strides.push_back(sb);
    }
  }
  while (out.extents.size() < 2) {
    out.extents.insert(out.extents.begin(), 1);
    out.a_strides.insert(out.a_strides.begin(), 0);
    out.b_strides.insert(out.b_strides.begin(), 0);
  }
  binary = out;
}

Run binary_kernel(BinaryOp op, Isa isa) {
  switch (op) {
    case BinaryOp::kAdd:
      return choose<Body<BinaryOp::kAdd>>(isa);
    case BinaryOp::kSub:
      return choose<Body<BinaryOp::kSub>>(isa);
    case BinaryOp::kMul:
      return choose<Body<BinaryOp::kMul>>(isa);
    case BinaryOp::kDiv:
      return choose<Body<BinaryOp::kDiv>>(isa);
    case BinaryOp::kMin:
      return choose<Body<BinaryOp::kMin>>(isa);
    case BinaryOp::kMax:
      return choose<Body<BinaryOp::kMax>>(isa);
    case BinaryOp::kPRelu:
      break;
  }
  return choose<Body<BinaryOp::kPRelu>>(isa);
}

}  // namespace hedge::cpu::kernels
