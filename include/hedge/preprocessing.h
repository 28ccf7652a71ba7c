// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

#include "hedge/dataset.h"

namespace hedge {

enum class TensorLayout : std::uint8_t { kNhwc, kNchw };
enum class ChannelOrder : std::uint8_t { kRgb, kBgr };
/// Of resizing: Pillow's antialiased ones, and its nearest.
enum class Interpolation : std::uint8_t { kBilinear, kBicubic, kNearest };

/// From u8 pixels to the model's input: resized, then the middle cropped, both in u8, then
/// value = (pixel * scale - mean[c]) / std[c]. Plain data, stored in the engine.
struct PreprocessingRecipe {
  double scale = 1.0;
  std::array<double, 3> mean{0, 0, 0};
  std::array<double, 3> std{1, 1, 1};
  TensorLayout layout = TensorLayout::kNhwc;
  ChannelOrder channel_order = ChannelOrder::kRgb;
  int height = 32;  ///< Of the tensor.
  int width = 32;
  /// What the image is resized to; 0: it is not. A height alone is the length of the short side.
  int resize_height = 0;
  int resize_width = 0;
  int crop_height = 0;  ///< Cut from the middle; 0: nothing is.
  int crop_width = 0;
  Interpolation interpolation = Interpolation::kBilinear;

  bool operator==(const PreprocessingRecipe&) const = default;
};

/// Applies a recipe. Immutable; one object serves any number of threads.
class Preprocessing {
 public:
  /// Throws bad_input for a recipe that gives no finite numbers or has no sensible size.
  explicit Preprocessing(const PreprocessingRecipe& recipe);

  /// Writes one image into `tensor` (height*width*3 floats in the recipe's layout). The image has
  /// the tensor's size: resizing and cropping come before (data/fit.h). Throws bad_input when the
  /// sizes do not match. No allocation.
  void operator()(const Image& image, std::span<float> tensor) const;

  [[nodiscard]] const PreprocessingRecipe& recipe() const noexcept { return recipe_; }
  /// What each pixel value becomes, for red, green and blue: with it any device gives the same
  /// bits.
  [[nodiscard]] const std::array<std::array<float, 256>, 3>& tables() const noexcept {
    return tables_;
  }

 private:
  PreprocessingRecipe recipe_;
  /// Computed in double, so the result is the correctly rounded one on every machine; and faster
  /// than arithmetic where planes are interleaved.
  std::array<std::array<float, 256>, 3> tables_{};
};

}  // namespace hedge
