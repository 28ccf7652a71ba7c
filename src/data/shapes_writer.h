// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

namespace hedge {

/// The two sets as everybody knows them; figures on other seeds are figures on another set.
struct ShapesSet {
  const char* file;
  std::uint64_t seed;
  std::uint64_t images;
};
inline constexpr ShapesSet kShapesTest{"shapes_test.bin", 2, 10'000};
inline constexpr ShapesSet kShapesTrain{"shapes_train.bin", 1, 100'000};

/// Writes `images` records of the set of `seed`, aside, then renamed; `progress` is called with the
/// number of images done. False when it was cancelled: the file is then as it was before.
bool write_shapes(const std::filesystem::path& file, std::uint64_t seed, std::uint64_t images,
                  const std::function<void(std::uint64_t)>& progress = {});

}  // namespace hedge
