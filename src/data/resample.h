// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "hedge/preprocessing.h"

namespace hedge {

/// A part of a picture.
struct PictureWindow {
  int top = 0;
  int left = 0;
  int height = 0;
  int width = 0;
};

/// Interleaved RGB of `height` x `width`, resized to `new_height` x `new_width`, of which only
/// `window` is computed and written to `out` (window.height x window.width x 3). To the last bit
/// what Pillow 13's `Image.resize` gives for mode RGB: for bilinear and bicubic the antialiased
/// convolution of its src/libImaging/Resample.c (a pass a side, rounded to 8 bits between; the
/// filter is stretched where the picture shrinks; coefficients of 22 fractional bits), for nearest
/// its affine transform. The window lies within the new size; extents are at least 1.
void resample(std::span<const std::uint8_t> rgb, int height, int width, int new_height,
              int new_width, const PictureWindow& window, Interpolation interpolation,
              std::span<std::uint8_t> out);

}  // namespace hedge
