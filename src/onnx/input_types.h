// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "onnx/format.pb.h"
#include "onnx/import.h"

namespace hedge {

/// Types of a model's inputs with every extent known: as the file states them, open first extents
/// from the batch, the rest from ImportOptions::shapes.
class InputTypes {
 public:
  InputTypes(std::span<const onnx::ValueInfoProto* const> inputs, const ImportOptions& options);

  /// In the order of the inputs; a guess where there was a problem.
  [[nodiscard]] const std::vector<TensorType>& types() const { return types_; }
  /// What is wrong, one thing each.
  [[nodiscard]] const std::vector<std::string>& problems() const { return problems_; }

 private:
  [[nodiscard]] TensorType type_of(const onnx::ValueInfoProto& input, const Shape* stated);
  [[nodiscard]] Shape shape_from_file(const onnx::ValueInfoProto& input);
  void require_agreement(const onnx::ValueInfoProto& input, const Shape& stated);

  const ImportOptions& options_;
  std::vector<TensorType> types_;
  std::vector<std::string> problems_;
};

}  // namespace hedge
