// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/file.h"
#include "base/tensor.h"
#include "onnx/format.pb.h"

namespace hedge {

/// The element type that a tensor of ONNX type `onnx_type` (TensorProto::DataType) has in a graph:
/// float16, bfloat16 and double become float32. Nothing when Hedge has none for it.
[[nodiscard]] std::optional<DataType> graph_data_type(std::int32_t onnx_type);

/// As graph_data_type; throws bad_input naming the type.
[[nodiscard]] DataType require_data_type(std::int32_t onnx_type);

/// ONNX tensors to tensors of the graph.
class TensorReader {
 public:
  /// `folder` is where external data lie; empty means the current one.
  explicit TensorReader(std::filesystem::path folder);

  /// Takes the raw data out of `proto`, so that a model is not held twice. Throws bad_input,
  /// without the tensor's name: an element type that Hedge lacks, dims that overflow or do not fit
  /// the data, external data outside the folder or its file. Nothing is allocated before the sizes
  /// agree.
  [[nodiscard]] Tensor read(onnx::TensorProto& proto);

 private:
  struct External {
    std::string location;
    std::uint64_t offset = 0;
    std::optional<std::uint64_t> length;
  };
  [[nodiscard]] static External external_fields(const onnx::TensorProto& proto);
  [[nodiscard]] std::span<const std::byte> external_bytes(const External& external,
                                                          std::uint64_t needed);

  std::filesystem::path folder_;
  std::map<std::string, std::shared_ptr<const MappedFile>> files_;  ///< By location.
};

}  // namespace hedge
