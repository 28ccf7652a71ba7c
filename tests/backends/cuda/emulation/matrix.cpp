// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <vector>

#include "backends/gpu/kernels/instructions.cuh"

// The tensor cores' products. Fragments as PTX ISA says ("Matrix fragments for mma.m16n8k8,
// .m16n8k16, .m16n8k32"): with g = lane / 4 and t = lane % 4, words of K/2 x 4 bytes a row at a
// time are a: (g, t), (g + 8, t), (g, t + 4), (g + 8, t + 4); b: (t, g), (t + 4, g), both by words
// of K; d: (g, 2t), (g, 2t + 1), (g + 8, 2t), (g + 8, 2t + 1).

namespace hedge::gpu::instructions {
namespace {

using emulation::kLanes;

constexpr int kRows = 16;
constexpr int kColumns = 8;
constexpr int kWords = 8;  ///< Of a row of `a`: K numbers.

struct HalfNumbers {
  using Number = float;
  static constexpr int kOfWord = 2;
  static Number at(std::uint32_t word, int i) {
    static const std::vector<float> values = [] {
      std::vector<float> all;
      for (unsigned bits = 0; bits < 0x10000U; ++bits) {
        const __half_raw raw{static_cast<unsigned short>(bits)};
        all.push_back(__half2float(raw));
      }
      return all;
    }();
    return values[word >> 16 * i & 0xffffU];
  }
};
struct Bfloat16Numbers {
  using Number = float;
  static constexpr int kOfWord = 2;
  static Number at(std::uint32_t word, int i) {
    return std::bit_cast<float>((word >> 16 * i & 0xffffU) << 16U);
  }
};
/// The bits beyond TF32's are not looked at.
struct Tf32Numbers {
  using Number = float;
  static constexpr int kOfWord = 1;
  static Number at(std::uint32_t word, int /*i*/) { return std::bit_cast<float>(word & ~0x1fffU); }
};
struct Int8Numbers {
  using Number = std::uint32_t;  // Sums wrap around.
  static constexpr int kOfWord = 4;
  static Number at(std::uint32_t word, int i) {
    return static_cast<std::uint32_t>(static_cast<std::int8_t>(word >> 8 * i));
  }
};

template <class Sum>
struct Operands {
  Sum* d;
  const std::uint32_t* a;
  const std::uint32_t* b;
};

template <class Numbers, class Sum>
void multiply_tiles(void* const (&lanes)[kLanes]) {
  using Number = typename Numbers::Number;
  constexpr int kK = kWords * Numbers::kOfWord;
  Number a[kRows][kK];
  Number b[kK][kColumns];
  Number d[kRows][kColumns];
  const auto of = [&](int lane) { return *static_cast<const Operands<Sum>*>(lanes[lane]); };
  for (int lane = 0; lane < kLanes; ++lane) {
    const auto mine = of(lane);
    const int g = lane / 4;
    const int t = lane % 4;
    for (int half = 0; half < 2; ++half) {
      for (int i = 0; i < Numbers::kOfWord; ++i) {
        const int k = (half * 4 + t) * Numbers::kOfWord + i;
        a[g][k] = Numbers::at(mine.a[2 * half], i);
        a[g + 8][k] = Numbers::at(mine.a[2 * half + 1], i);
        b[k][g] = Numbers::at(mine.b[half], i);
      }
    }
    for (int i = 0; i < 4; ++i) d[g + i / 2 * 8][2 * t + i % 2] = static_cast<Number>(mine.d[i]);
  }
  for (int row = 0; row < kRows; ++row) {
    for (int k = 0; k < kK; ++k) {
      for (int column = 0; column < kColumns; ++column) d[row][column] += a[row][k] * b[k][column];
    }
  }
  for (int lane = 0; lane < kLanes; ++lane) {
    Sum* to = of(lane).d;
    for (int i = 0; i < 4; ++i) {
      to[i] = static_cast<Sum>(d[lane / 4 + i / 2 * 8][2 * (lane % 4) + i % 2]);
    }
  }
}

template <class Numbers, class Sum>
void multiply(Sum (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
  Operands<Sum> mine{d, a, b};
  emulation::meet_warp(multiply_tiles<Numbers, Sum>, &mine);
}

}  // namespace

void multiply_half(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
  multiply<HalfNumbers>(d, a, b);
}
void multiply_bfloat16(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
  multiply<Bfloat16Numbers>(d, a, b);
}
void multiply_tf32(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
  multiply<Tf32Numbers>(d, a, b);
}
void multiply_int8(int (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
  multiply<Int8Numbers>(d, a, b);
}

}  // namespace hedge::gpu::instructions
