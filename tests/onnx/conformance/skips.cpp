// SPDX-License-Identifier: Apache-2.0
#include "onnx/conformance/skips.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/text.h"
#include "onnx/names.h"
#include "onnx/normalize.h"
#include "onnx/tensor_reader.h"

namespace hedge::conformance {
namespace {

using onnx::TensorProto;

struct Limit {
  std::string_view prefix;  ///< Of the tests' names.
  std::string_view reason;
};
/// What Hedge does not do though it has the operator. The importer must refuse these models.
constexpr std::array kLimits{
    Limit{"test_training_dropout", "training: random numbers"},
    Limit{"test_batchnorm_epsilon_training_mode", "training: running means"},
    Limit{"test_batchnorm_example_training_mode", "training: running means"},
    Limit{"test_maxpool_with_argmax", "the output Indices, which only training needs"},
    Limit{"test_dequantizelinear_blocked", "scales per block"},
    Limit{"test_quantizelinear_blocked", "scales per block"},
    Limit{"test_resize_downsample_scales_cubic_antialias", "antialias"},
    Limit{"test_resize_downsample_scales_linear_antialias", "antialias"},
    Limit{"test_resize_downsample_sizes_cubic_antialias", "antialias"},
    Limit{"test_resize_downsample_sizes_linear_antialias", "antialias"},
    Limit{"test_resize_tf_crop_and_resize", "tf_crop_and_resize"},
    // Hedge answers as ONNX Runtime does.
    Limit{"test_resize_downsample_scales_cubic_align_corners",
          "expects an extent that is no whole number, which the operator's definition does not"},
    Limit{"test_resize_downsample_scales_linear_align_corners",
          "expects an extent that is no whole number, which the operator's definition does not"},
    Limit{"test_averagepool_3d_dilations_large_count_include_pad_is_1_ceil_mode_is_True",
          "counts places beyond the padding, which the operator's definition does not"},
};

bool matches(const NodeTest& test, const Limit& limit) {
  return test.name.starts_with(limit.prefix);
}

std::string type_name(std::int32_t type) {
  return TensorProto::DataType_IsValid(type)
             ? to_lower(TensorProto::DataType_Name(static_cast<TensorProto::DataType>(type)))
             : std::to_string(type);
}

std::string missing_type(const NodeTest& test) {
  for (const auto* tensors : {&test.inputs, &test.outputs}) {
    for (const TensorProto& tensor : *tensors) {
      if (!graph_data_type(tensor.data_type())) {
        return "element type " + type_name(tensor.data_type());
      }
    }
  }
  return {};
}

}  // namespace

std::string missing_operator(const NodeTest& test) {
  for (const auto& node : test.model.graph().node()) {
    if (operator_for(node.domain(), node.op_type()) == nullptr) return operator_name(node);
  }
  return {};
}

std::string reason_to_skip(const NodeTest& test) {
  if (!test.unreadable.empty()) return test.unreadable;
  if (const std::string type = missing_type(test); !type.empty()) return type;
  const auto* limit = std::find_if(kLimits.begin(), kLimits.end(),
                                   [&](const Limit& entry) { return matches(test, entry); });
  return limit == kLimits.end() ? std::string() : std::string(limit->reason);
}

std::vector<std::string> stale_limits(const std::vector<NodeTest>& tests) {
  std::vector<std::string> stale;
  for (const Limit& limit : kLimits) {
    if (std::none_of(tests.begin(), tests.end(),
                     [&](const NodeTest& test) { return matches(test, limit); })) {
      stale.emplace_back(limit.prefix);
    }
  }
  return stale;
}

}  // namespace hedge::conformance
