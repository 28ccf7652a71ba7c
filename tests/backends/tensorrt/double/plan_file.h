// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

// What the double's plans are: the first bytes of a real one (tag, format 0, version at 24), then
// the lengths of two parts, a summary in JSON and the ONNX bytes that the network came from.

namespace hedge_double {

/// The version that the double says it has, as getInferLibVersion() gives it.
[[nodiscard]] std::int32_t library_version();

struct PlanFile {
  nlohmann::json summary;
  std::string onnx;
};

[[nodiscard]] std::vector<char> write_plan(const PlanFile& plan);
/// Nothing where the bytes are no plan of the double's, with the reason in TensorRT's manner.
[[nodiscard]] std::optional<PlanFile> read_plan(const void* bytes, std::size_t size,
                                                std::string& reason);

}  // namespace hedge_double
