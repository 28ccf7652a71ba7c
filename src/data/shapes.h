// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "data/cifar_dataset.h"

namespace hedge {

/// The project's own dataset: 32x32 drawings of one shape of ten, anywhere, at any angle, over a
/// textured ground, partly hidden, in noise.
inline constexpr std::array<std::string_view, kCifarClasses> kShapesClassNames{
    "disc", "ring",  "triangle", "square", "hexagon",
    "star", "cross", "crescent", "arrow",  "half disc"};

/// Draws image `index` of the set of `seed` as a CIFAR-10 record; its class is index % 10. Integers
/// only, so that every machine and compiler draws the same bytes. Thread-safe.
void render_shapes_record(std::uint64_t seed, std::uint64_t index,
                          std::span<std::uint8_t, kCifarRecordBytes> record);

}  // namespace hedge
