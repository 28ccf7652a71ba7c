// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "backends/cuda/plan.h"

namespace hedge::cuda {
namespace {

/// Without a measurement: small tiles, since planes at batch 1 do not fill a GPU, and K split over
/// as many warps as there is work for; larger ones once there are very many.
ConvolutionTactic by_rule(const Convolution& shape, const std::vector<ConvolutionTactic>& all) {
  const std::int64_t tiles = (std::int64_t{shape.pixels()} + 15) / 16 * ((shape.out_c + 15) / 16);
  const bool many = tiles > 2048;
  const ConvolutionTactic* best = &all.front();
  const auto penalty = [&](const ConvolutionTactic& t) {
    const int m = many ? 2 : 1;
    const int n = many ? 4 : 2;
    const int k = many ? 4 : 16;
    return 100 * std::abs(t.m_tiles - m) + 10 * std::abs(t.n_tiles - n) +
           1000 * (t.warps_m * t.warps_n - 1) + std::abs(t.warps_k - k);
  };
  for (const ConvolutionTactic& tactic : all) {
    if (penalty(tactic) < penalty(*best)) best = &tactic;
  }
  return *best;
}

}  // namespace

std::string tactic_text(const ConvolutionTactic& t) {
  return fmt::format("m{}n{} by {}x{}x{} warps", t.m_tiles, t.n_tiles, t.warps_m, t.warps_n,
                     t.warps_k);
}

ConvolutionTactic choose_tactic(const Convolution& shape, ElementKind kind,
                                const std::string& text) {
  const auto all = convolution_tactics(shape, kind);
  for (const ConvolutionTactic& tactic : all) {
    if (tactic_text(tactic) == text) return tactic;
  }
  return by_rule(shape, all);
}

}  // namespace hedge::cuda
