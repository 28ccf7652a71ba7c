// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <vector>

#include "data/picture.h"
#include "hedge/dataset.h"
#include "hedge/preprocessing.h"

namespace hedge {

/// Images that a sheet holds at most.
inline constexpr std::int64_t kMostPreviews = 256;

/// Of one channel of all tensors on a sheet.
struct ChannelStatistics {
  std::string color;  ///< "red", ...: what the recipe puts there.
  double mean = 0;
  double std = 0;
  double min = 0;
  double max = 0;
};

/// Images, and below each the tensor that a recipe makes of it, its channels 0, 1 and 2 shown as
/// red, green and blue whatever they are: what looks wrong is wrong for the net, or meant so.
class ContactSheet {
 public:
  explicit ContactSheet(const PreprocessingRecipe& recipe) : recipe_(recipe) {}

  /// An image of the tensor's size (data/fit.h).
  void add(const Image& image, const Preprocessing& prepare);

  [[nodiscard]] std::array<ChannelStatistics, 3> statistics() const;
  /// Pairs of a row.
  [[nodiscard]] int columns() const;
  /// Tensors on one scale from the least value of the sheet, black, to the greatest, white. Small
  /// images are enlarged by whole factors, large ones shrunk. Throws bad_input for more pixels than
  /// a picture may have.
  [[nodiscard]] Picture draw() const;

 private:
  /// Channel `c` of pixel `pixel`.
  [[nodiscard]] std::size_t position(std::size_t pixel, std::size_t c) const;

  PreprocessingRecipe recipe_;
  std::vector<std::vector<std::uint8_t>> images_;  ///< Interleaved.
  std::vector<std::vector<float>> tensors_;
};

}  // namespace hedge
