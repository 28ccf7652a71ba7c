// SPDX-License-Identifier: Apache-2.0
// A vector of floats as wide as HEDGE_LANES says, by the compilers' vector extensions. Included by
// the kernel sources only, each compiled for its own instruction set; all is local to them.
#pragma once

#include <cstddef>
#include <cstring>
#if defined(__aarch64__)
#include <arm_neon.h>
#endif

#if defined(__clang__)
#define HEDGE_UNROLL _Pragma("clang loop unroll(full)")
#else
#define HEDGE_UNROLL _Pragma("GCC unroll 32")
#endif
#define HEDGE_INLINE inline __attribute__((always_inline))

namespace hedge::cpu {
namespace {

constexpr int kLanes = HEDGE_LANES;
using Vec = float __attribute__((vector_size(sizeof(float) * HEDGE_LANES)));

HEDGE_INLINE Vec load(const float* from) {
  Vec v;
  std::memcpy(&v, from, sizeof v);
  return v;
}

HEDGE_INLINE void store(float* to, Vec v) {
  std::memcpy(to, &v, sizeof v);
}

/// The first `count` floats, zeros behind them.
HEDGE_INLINE Vec load_some(const float* from, int count) {
  Vec v{};
  for (int i = 0; i < count; ++i) v[i] = from[i];
  return v;
}

HEDGE_INLINE void store_some(float* to, Vec v, int count) {
  for (int i = 0; i < count; ++i) to[i] = v[i];
}

HEDGE_INLINE Vec splat(float x) {
  return Vec{} + x;
}

/// A NaN stays one.
HEDGE_INLINE Vec bounded(Vec v, Vec low, Vec high) {
  v = low > v ? low : v;
  return high < v ? high : v;
}

HEDGE_INLINE Vec larger(Vec a, Vec b) {
  return a > b ? a : b;
}

/// Keeps a value that is used several times from being read from memory each time: GCC takes an
/// operand in memory for free, and loads are what these loops wait for.
HEDGE_INLINE void keep([[maybe_unused]] Vec& v) {
#if defined(__x86_64__)
  asm("" : "+v"(v));
#elif defined(__aarch64__)
  asm("" : "+w"(v));
#endif
}

}  // namespace
}  // namespace hedge::cpu
