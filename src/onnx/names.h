// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "onnx/format.pb.h"

namespace hedge {

/// The node's name, or operator and position ("Conv_12") where the file gives none.
[[nodiscard]] std::string node_name(const onnx::NodeProto& node, int index);

/// "Conv"; "com.microsoft.FusedConv" for other domains than ONNX's own.
[[nodiscard]] std::string operator_name(const onnx::NodeProto& node);

/// For messages: "conv_3 (Conv)".
[[nodiscard]] std::string describe(const onnx::NodeProto& node, int index);

/// The domain of the standard operators, which has two spellings.
[[nodiscard]] bool is_standard_domain(std::string_view domain);

}  // namespace hedge
