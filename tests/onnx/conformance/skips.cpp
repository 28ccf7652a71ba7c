// SPDX-License-Identifier: Apache-2.0
#include "onnx/conformance/skips.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "graph/operators/operator.h"
#include "onnx/names.h"
#include "onnx/tensor_reader.h"

namespace hedge::conformance {
namespace {

using onnx::TensorProto;

struct Limit {
  std::string_view prefix;  ///< Of the tests' names.
  std::string_view reason;
};
/// What Hedge does not do though it has the operator. The importer must refuse these models.
constexpr std::array<Limit, 3> kLimits{{
    {"test_training_dropout", "training: random numbers"},
    {"test_batchnorm_epsilon_training_mode", "training: running means"},
    {"test_batchnorm_example_training_mode", "training: running means"},
}};

bool matches(const NodeTest& test, const Limit& limit) {
  return test.name.starts_with(limit.prefix);
}

/// Of the types that are newer than the protobuf files that Hedge may be built with.
std::string type_name(std::int32_t type) {
  constexpr std::array<std::string_view, 7> kNewer{
      "float8e4m3fn", "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz", "uint4", "int4",
      "float4e2m1"};
  constexpr std::int32_t kFirstNewer = 17;
  if (type >= kFirstNewer && type < kFirstNewer + static_cast<std::int32_t>(kNewer.size())) {
    return std::string(kNewer.at(static_cast<std::size_t>(type - kFirstNewer)));
  }
  std::string name = TensorProto::DataType_IsValid(type) ? TensorProto::DataType_Name(type) : "?";
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name;
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
    if (!is_standard_domain(node.domain()) || find_operator(node.op_type()) == nullptr) {
      return operator_name(node);
    }
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
