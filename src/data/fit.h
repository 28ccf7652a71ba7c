// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "hedge/dataset.h"
#include "hedge/preprocessing.h"

namespace hedge {

/// The image brought to the tensor's size by the recipe's resize and crop, in u8, as torchvision's
/// Resize and CenterCrop do on Pillow images. An image that is `presized` and has the tensor's size
/// comes back as it is. `name` is for messages. Throws bad_input where the recipe gives another
/// size (with the keys to state), or the crop is larger than the image.
[[nodiscard]] Image fit_image(const Image& image, const PreprocessingRecipe& recipe,
                              const std::string& name);

/// The images of `dataset`, each brought to the tensor's size as it is read.
[[nodiscard]] std::unique_ptr<Dataset> fit_dataset(std::unique_ptr<Dataset> dataset,
                                                   const PreprocessingRecipe& recipe);

}  // namespace hedge
