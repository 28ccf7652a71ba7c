// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "base/tensor.h"
#include "hedge/preprocessing.h"

namespace hedge {

/// Of any side of an image that a model takes.
inline constexpr int kLargestExtent = 8192;

/// The recipe that goes with a model and a canonical dataset name (docs/preprocessing.md has the
/// table). `EE_` models use the recipe of the name without it. Nothing when there is none: such a
/// model is refused with the flags that state one, never run on raw pixels in silence.
[[nodiscard]] std::optional<PreprocessingRecipe> find_recipe(std::string_view model,
                                                             std::string_view dataset);

/// The user's own: "scale=1/255,mean=0.5:0.5:0.5,std=0.5:0.5:0.5,layout=nchw,order=rgb,size=32x32,
/// resize=256,crop=224,interpolation=bilinear", any subset of the keys (at least one), or the path
/// of a file with the same pairs (between commas or line ends, comments behind '#') or the JSON
/// object of to_json. Keys that are not there have the values of `absent`. Throws bad_input, naming
/// the key and its form.
[[nodiscard]] PreprocessingRecipe parse_recipe(const std::string& text,
                                               const PreprocessingRecipe& absent = {});

/// One line that parse_recipe takes and reads as the same recipe, to the last bit.
[[nodiscard]] std::string to_string(const PreprocessingRecipe& recipe);

/// "nhwc" or "nchw".
[[nodiscard]] std::string layout_text(const PreprocessingRecipe& recipe);

/// A warning where a recipe makes numbers of the pixels that no net is likely to take, as where
/// scale is forgotten beside mean and std; else empty. Pixels as they are, and those less a mean in
/// their own unit, are taken by some.
[[nodiscard]] std::string doubt_about(const PreprocessingRecipe& recipe);

/// The recipe for a model whose input has four axes: layout, height and width follow the shape
/// where it settles them. Throws bad_input when no axis of the input holds the three channels, or
/// resize and crop cannot lead to its size.
[[nodiscard]] PreprocessingRecipe with_input_shape(PreprocessingRecipe recipe, const Shape& input);

/// The same for a recipe of the table: its resize and crop grow and shrink with the input (256 and
/// 224 become 342 and 299).
[[nodiscard]] PreprocessingRecipe scaled_to_input(PreprocessingRecipe recipe, const Shape& input);

/// Throws bad_input for a recipe that would give infinities or NaN, one value for every pixel, or
/// has a size outside 1x1 to 8192x8192.
void check_recipe(const PreprocessingRecipe& recipe);

void to_json(nlohmann::json& json, const PreprocessingRecipe& recipe);
/// Keys that are absent keep their defaults. Throws bad_input on anything that is not a recipe, an
/// unknown key included: a recipe is never half read.
void from_json(const nlohmann::json& json, PreprocessingRecipe& recipe);

}  // namespace hedge
