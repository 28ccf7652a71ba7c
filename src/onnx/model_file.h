// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "onnx/format.pb.h"

namespace hedge {

/// Below 7, elementwise operators broadcast by attributes and BatchNormalization has other inputs.
inline constexpr std::int64_t kOldestOpset = 7;
/// The newest one that is tested (ONNX's node tests of 1.16.2); newer ones are read with a warning.
inline constexpr std::int64_t kNewestOpset = 21;

/// The bytes of an ONNX file as a message with a graph. Throws bad_input.
[[nodiscard]] onnx::ModelProto parse_model(std::span<const std::byte> bytes);

using OpsetImports = google::protobuf::RepeatedPtrField<onnx::OperatorSetIdProto>;

/// The version of the standard operators; nothing where none is stated.
[[nodiscard]] std::optional<std::int64_t> standard_opset(const OpsetImports& imports);

/// Throws bad_input where a model, or one of its functions, is written for an opset below
/// kOldestOpset; warns above kNewestOpset.
void require_opsets(const onnx::ModelProto& model);

/// Positions of the nodes in an order in which each one's inputs are made before it. ONNX asks
/// files to be in such an order; exporters do not always care. Throws bad_input naming the nodes
/// that wait for each other in a circle.
[[nodiscard]] std::vector<int> topological_order(const onnx::GraphProto& graph);

}  // namespace hedge
