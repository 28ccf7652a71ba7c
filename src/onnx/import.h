// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>

#include "graph/graph.h"

namespace hedge {

struct ImportOptions {
  std::int64_t batch = 1;        ///< Given to a symbolic or unset first extent of an input.
  std::filesystem::path folder;  ///< Where external data files are looked for.
  /// Extents of inputs, by name; they fill what the file leaves open and must agree with what it
  /// states. The name "" is the only input.
  std::map<std::string, Shape> shapes{};
};

/// ONNX bytes to a graph with all shapes inferred: any number of inputs, of any element type (where
/// a graph has no float16 or double, they are float32). Nothing is optimised. Throws bad_input: not
/// an ONNX file, truncated, an unsupported operator or a dynamic shape, with the names of all nodes
/// and operators concerned in one message. Never crashes on foreign bytes.
[[nodiscard]] Graph import_onnx(std::span<const std::byte> model, const ImportOptions& options);

}  // namespace hedge

extern "C" {
/// What the module `libhedge-onnx.so` exports for builder/: import_onnx, the result on the heap.
hedge::Graph* hedge_onnx_import(const std::byte* data, std::size_t size,
                                const hedge::ImportOptions* options);
}
