// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace hedge {

/// What the name of an engine or ONNX file says: `name_dataset_precision.engine`,
/// `name_dataset.onnx`. Parts that the name does not hold are empty.
struct EngineName {
  std::string model;          ///< "EE_resnet8", "mobilenet_v2".
  std::string dataset;        ///< Canonical: "cifar", "imagenet", "shapes".
  std::string precision;      ///< "fp32", "tf32", "fp16", "bf16", "int8", "fp8", "best".
  std::optional<int> branch;  ///< 0, 1, 2 of `EE_` names.
  [[nodiscard]] bool early_exit() const { return model.starts_with("EE_"); }
};

/// Reads the base name from the right: a known precision, a known dataset, then, for `EE_` names
/// only, a branch suffix `_0`, `_1`, `_2`; the rest is the model. Folder and extension are ignored.
[[nodiscard]] EngineName parse_engine_name(const std::filesystem::path& path);

[[nodiscard]] std::span<const std::string_view> known_precisions();

}  // namespace hedge
