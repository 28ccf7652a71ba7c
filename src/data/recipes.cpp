// SPDX-License-Identifier: Apache-2.0
#include "data/recipes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "data/recipe_text.h"
#include "hedge/error.h"

namespace hedge {
namespace {

struct KnownRecipe {
  std::string_view model;  ///< Empty: any.
  std::string_view dataset;
  PreprocessingRecipe recipe;
};

const std::vector<KnownRecipe>& known_recipes() {
  constexpr double kUnit = 1.0 / 255;
  static const std::vector<KnownRecipe> recipes{
      {"resnet8", "cifar", {}},
      {"resnet56",
       "cifar",
       {.scale = kUnit, .mean = {0.4914, 0.4822, 0.4465}, .std = {0.2023, 0.1994, 0.2010}}},
      {"alexnet",
       "cifar",
       {.mean = {125.307, 122.95, 113.865}, .std = {62.9932, 62.0887, 66.7048}}},
      {"",
       "imagenet",
       {.scale = kUnit,
        .mean = {0.485, 0.456, 0.406},
        .std = {0.229, 0.224, 0.225},
        .layout = TensorLayout::kNchw,
        .height = 224,
        .width = 224,
        .resize_height = 256,
        .crop_height = 224,
        .crop_width = 224}},
      {"", "shapes", {.scale = kUnit, .mean = {0.5, 0.5, 0.5}, .std = {0.5, 0.5, 0.5}}},
  };
  return recipes;
}

/// The steps lead to the tensor's size, as far as that can be known before an image is.
void check_steps(const PreprocessingRecipe& recipe) {
  if (recipe.crop_height == 0) return;
  if (recipe.crop_height != recipe.height || recipe.crop_width != recipe.width) {
    throw bad_input(fmt::format(
        "preprocessing: crop={} does not give the {}x{} (height x width) that the model takes",
        crop_text(recipe), recipe.height, recipe.width));
  }
  if (recipe.resize_height == 0) return;
  const bool exact = recipe.resize_width != 0;
  const int short_side = std::min(recipe.crop_height, recipe.crop_width);
  if (recipe.resize_height < (exact ? recipe.crop_height : short_side) ||
      (exact && recipe.resize_width < recipe.crop_width)) {
    throw bad_input(fmt::format("preprocessing: resize={} is smaller than crop={}",
                                resize_text(recipe), crop_text(recipe)));
  }
}

PreprocessingRecipe with_input_size(PreprocessingRecipe recipe, const Shape& input) {
  const bool nchw = input.size() == 4 && input[1] == 3;
  const bool nhwc = input.size() == 4 && input[3] == 3;
  if (!nchw && !nhwc) {
    throw bad_input(
        fmt::format("the model's input has shape {}; Hedge feeds RGB images, Nx3xHxW or NxHxWx3",
                    to_string(input)));
  }
  if (nchw != nhwc) recipe.layout = nchw ? TensorLayout::kNchw : TensorLayout::kNhwc;
  const std::size_t first = recipe.layout == TensorLayout::kNchw ? 2 : 1;
  for (const std::int64_t extent : {input[first], input[first + 1]}) {
    if (extent < 1 || extent > kLargestExtent) {
      throw bad_input(
          fmt::format("the model's input has shape {}; Hedge feeds RGB images of 1x1 to {}x{}",
                      to_string(input), kLargestExtent, kLargestExtent));
    }
  }
  recipe.height = static_cast<int>(input[first]);
  recipe.width = static_cast<int>(input[first + 1]);
  return recipe;
}

/// Black and white become it, the least and the greatest of three channels.
std::pair<double, double> range_of(const PreprocessingRecipe& recipe) {
  std::vector<double> values;
  for (std::size_t c = 0; c < 3; ++c) {
    for (const double pixel : {0.0, 255.0}) {
      values.push_back((pixel * recipe.scale - recipe.mean[c]) / recipe.std[c]);
    }
  }
  const auto [least, greatest] = std::minmax_element(values.begin(), values.end());
  return {*least, *greatest};
}

}  // namespace

std::string doubt_about(const PreprocessingRecipe& recipe) {
  constexpr double kFar = 50;
  constexpr double kNarrow = 0.1;
  const double highest_mean = *std::max_element(recipe.mean.begin(), recipe.mean.end());
  const bool pixels = recipe.scale == 1 && recipe.std == std::array<double, 3>{1, 1, 1} &&
                      (highest_mean == 0 || highest_mean > 1);
  if (pixels) return {};
  const auto [least, greatest] = range_of(recipe);
  const double white = 255 * recipe.scale;
  const bool narrow = std::all_of(recipe.std.begin(), recipe.std.end(),
                                  [&](double std) { return std::abs(white / std) < kNarrow; });
  if (std::max(-least, greatest) <= kFar && !narrow) return {};
  return fmt::format(
      "the recipe makes values from {:.4g} to {:.4g} of black to white: {}", least, greatest,
      std::abs(white) > kFar ? "is scale=1/255 missing?"
                             : fmt::format("mean and std must be those of the scaled pixels, 0 to "
                                           "{:.4g}",
                                           white));
}

std::optional<PreprocessingRecipe> find_recipe(std::string_view model, std::string_view dataset) {
  if (model.starts_with("EE_")) model.remove_prefix(3);
  for (const KnownRecipe& known : known_recipes()) {
    if (known.dataset == dataset && (known.model.empty() || known.model == model)) {
      return known.recipe;
    }
  }
  return std::nullopt;
}

PreprocessingRecipe with_input_shape(PreprocessingRecipe recipe, const Shape& input) {
  recipe = with_input_size(recipe, input);
  check_recipe(recipe);
  check_steps(recipe);
  return recipe;
}

PreprocessingRecipe scaled_to_input(PreprocessingRecipe recipe, const Shape& input) {
  const int crop = recipe.crop_height;
  recipe = with_input_size(recipe, input);
  if (crop != 0) {
    const std::int64_t side = std::min(recipe.height, recipe.width);
    recipe.resize_height = static_cast<int>((2 * recipe.resize_height * side + crop) / (2 * crop));
    recipe.crop_height = recipe.height;
    recipe.crop_width = recipe.width;
  }
  return with_input_shape(recipe, input);
}

void check_recipe(const PreprocessingRecipe& recipe) {
  constexpr double kLargest = std::numeric_limits<float>::max();
  // Written so that NaN is refused too: it compares false with everything.
  for (std::size_t c = 0; c < 3; ++c) {
    const double black = -recipe.mean[c] / recipe.std[c];
    const double white = (255 * recipe.scale - recipe.mean[c]) / recipe.std[c];
    if (!(std::abs(black) <= kLargest && std::abs(white) <= kLargest) || recipe.std[c] == 0 ||
        !std::isfinite(recipe.std[c])) {
      throw bad_input(
          "preprocessing: scale, mean and std must be finite, std not 0, and (x*scale - mean)/std "
          "within the range of float");
    }
  }
  if (recipe.scale == 0) {
    throw bad_input("preprocessing: scale=0 makes every image the same; scale=1 keeps the pixels");
  }
  if (recipe.height < 1 || recipe.width < 1 || recipe.height > kLargestExtent ||
      recipe.width > kLargestExtent) {
    throw bad_input(fmt::format("preprocessing: size={}x{} is outside 1x1 to {}x{}", recipe.height,
                                recipe.width, kLargestExtent, kLargestExtent));
  }
}

}  // namespace hedge
