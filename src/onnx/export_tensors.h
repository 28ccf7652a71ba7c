// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "graph/attributes.h"
#include "graph/graph.h"
#include "graph/onnx_form.h"
#include "onnx/format.pb.h"

namespace hedge {

/// ONNX's numbers of types.
[[nodiscard]] std::int32_t onnx_type(FloatType type);
[[nodiscard]] std::int32_t onnx_type(DataType type);

/// Floats in the type `floats`. Above zero they stay so where they are scales.
void write_tensor(const Tensor& tensor, FloatType floats, bool scales, onnx::TensorProto& proto);

/// As 8-bit floats, of which `scale` is the unit; NaN stays.
void write_float8(const Tensor& tensor, float scale, onnx::TensorProto& proto);

/// With a symbol for the first extent where any batch is to do.
void write_value_info(const std::string& name, const TensorType& type, bool any_batch,
                      onnx::ValueInfoProto& proto);

/// Tensors in it as write_tensor has them.
void write_attribute(const std::string& name, const Attributes::Value& value, FloatType floats,
                     onnx::NodeProto& proto);

}  // namespace hedge
