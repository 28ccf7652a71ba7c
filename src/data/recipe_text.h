// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "hedge/preprocessing.h"

namespace hedge {

/// What a file of a recipe holds: pairs or a JSON object. Throws bad_input without a name in front.
[[nodiscard]] PreprocessingRecipe recipe_from_text(const std::string& text,
                                                   const PreprocessingRecipe& absent = {});

/// The values of the keys resize ("256", "256x320") and crop ("224x224").
[[nodiscard]] std::string resize_text(const PreprocessingRecipe& recipe);
[[nodiscard]] std::string crop_text(const PreprocessingRecipe& recipe);

}  // namespace hedge
