// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "hedge/dataset.h"
#include "hedge/engine.h"
#include "hedge/preprocessing.h"

namespace hedge {

/// Where an INT8 build takes its calibration images from.
struct CalibrationImages {
  std::unique_ptr<Dataset> dataset;
  std::string source;        ///< For people and for the engine: the files.
  bool test_images = false;  ///< Accuracy will be measured on the same ones.
  bool labelled = true;      ///< Their classes are known.
};

/// `input` is a file of CIFAR-10 records, a folder that holds data_batch_*.bin (or the images of
/// `dataset`, or pictures, in a sub-folder a class or not labelled), "folder:DIR" or
/// "npy:X.npy,Y.npy". Empty: the training images of `dataset` below `data` (search order of
/// Dataset::open), else its test images. Each is brought to the size of `recipe`. Throws bad_input,
/// naming the flag to state, where there are none.
[[nodiscard]] CalibrationImages open_calibration_images(const std::string& dataset,
                                                        const std::filesystem::path& data,
                                                        const std::string& input,
                                                        const PreprocessingRecipe& recipe);

/// Throws bad_input where the first `images` of them are one and the same image: ranges had from it
/// say nothing of others. One image alone is taken.
void require_different_images(const CalibrationImages& images, std::int64_t count);

/// The dataset that an engine of `info` is tested on, brought to the size of its recipe. Throws
/// bad_input where there is none (says which flag).
[[nodiscard]] std::unique_ptr<Dataset> open_test_images(const EngineInfo& info,
                                                        const std::filesystem::path& data);

}  // namespace hedge
