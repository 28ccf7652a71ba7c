// SPDX-License-Identifier: Apache-2.0
// Operators that read or write the places that another tensor names.
#include <fmt/format.h>

#include <array>
#include <functional>

#include "graph/operators/common.h"

namespace hedge::operators {
namespace {

void require_indices(DataType type) {
  require(type == DataType::kInt64 || type == DataType::kInt32, "indices that are no integers");
}

/// Negative ones count from the end.
std::int64_t normal_index(std::int64_t index, std::int64_t extent) {
  require(index >= -extent && index < extent,
          fmt::format("index {} of {} elements", index, extent));
  return index < 0 ? index + extent : index;
}

// ---- Gather

Shape gathered(const Shape& data, const Shape& indices, std::size_t axis) {
  Shape out(data.begin(), data.begin() + static_cast<std::ptrdiff_t>(axis));
  out.insert(out.end(), indices.begin(), indices.end());
  out.insert(out.end(), data.begin() + static_cast<std::ptrdiff_t>(axis) + 1, data.end());
  (void)element_count(out);
  return out;
}

std::vector<TensorType> infer_gather(const Node& node, Inputs in) {
  const Shape& data = in[0]->type.shape;
  require_indices(in[1]->type.type);
  return {
      {in[0]->type.type, gathered(data, in[1]->type.shape,
                                  normal_axis(node.attributes.get_int("axis", 0), data.size()))}};
}

std::vector<Tensor> run_gather(const Node& node, Tensors in) {
  const Shape& data = in[0].shape();
  const std::size_t axis = normal_axis(node.attributes.get_int("axis", 0), data.size());
  const Shape out = gathered(data, in[1].shape(), axis);
  Ints indices = in[1].to_int64();
  for (std::int64_t& index : indices) index = normal_index(index, data[axis]);
  const Ints strides = strides_of(data);
  const Ints index_strides = strides_of(in[1].shape());
  const std::size_t index_rank = in[1].shape().size();
  return {gather_elements(in[0], out, [&](const Ints& at) {
    std::size_t which = 0;
    std::int64_t source = 0;
    for (std::size_t i = 0; i < at.size(); ++i) {
      if (i < axis) {
        source += at[i] * strides[i];
      } else if (i < axis + index_rank) {
        which += static_cast<std::size_t>(at[i] * index_strides[i - axis]);
      } else {
        source += at[i] * strides[i - index_rank + 1];
      }
    }
    return source + indices[which] * strides[axis];
  })};
}

// ---- GatherND and ScatterND

/// Indices of shape (..., k) each name a block of the data: the place on `k` axes behind the first
/// `batch_axes`, which data and indices share.
struct Blocks {
  std::vector<std::size_t> begin;  ///< Of each block in the data, in elements.
  std::size_t size = 1;            ///< Elements of a block.
};

struct BlockShape {
  std::size_t batch_axes = 0;
  std::size_t indexed_axes = 0;
  Shape result;  ///< Of all the blocks, one behind the other.
};

BlockShape block_shape(const Shape& data, const Shape& indices, std::int64_t batch_axes) {
  require(!data.empty() && !indices.empty(), "a scalar among data and indices");
  require(batch_axes >= 0 && batch_axes < std::ssize(indices) && batch_axes < std::ssize(data) &&
              std::equal(data.begin(), data.begin() + batch_axes, indices.begin()),
          fmt::format("batch_dims {} of data {} and indices {}", batch_axes, to_string(data),
                      to_string(indices)));
  require(indices.back() >= 1 && indices.back() <= std::ssize(data) - batch_axes,
          fmt::format("{} indices into data of {}", indices.back(), to_string(data)));
  BlockShape shape{static_cast<std::size_t>(batch_axes), static_cast<std::size_t>(indices.back()),
                   Shape(indices.begin(), indices.end() - 1)};
  shape.result.insert(shape.result.end(), data.begin() + batch_axes + indices.back(), data.end());
  (void)element_count(shape.result);
  return shape;
}

Blocks blocks_of(const Shape& data, const Tensor& indices, const BlockShape& shape) {
  const Ints strides = strides_of(data);
  Blocks blocks;
  for (std::size_t i = shape.batch_axes + shape.indexed_axes; i < data.size(); ++i) {
    blocks.size *= static_cast<std::size_t>(data[i]);
  }
  const Ints all = indices.to_int64();
  const Shape places(indices.shape().begin(), indices.shape().end() - 1);
  for_each_index(places, [&](const Ints& place, std::size_t which) {
    std::int64_t begin = 0;
    for (std::size_t i = 0; i < shape.batch_axes; ++i) begin += place[i] * strides[i];
    for (std::size_t i = 0; i < shape.indexed_axes; ++i) {
      const std::size_t axis = shape.batch_axes + i;
      begin += normal_index(all[which * shape.indexed_axes + i], data[axis]) * strides[axis];
    }
    blocks.begin.push_back(static_cast<std::size_t>(begin));
  });
  return blocks;
}

std::vector<TensorType> infer_gather_nd(const Node& node, Inputs in) {
  require_indices(in[1]->type.type);
  const std::int64_t batch_axes = node.attributes.get_int("batch_dims", 0);
  return {{in[0]->type.type, block_shape(in[0]->type.shape, in[1]->type.shape, batch_axes).result}};
}

std::vector<Tensor> run_gather_nd(const Node& node, Tensors in) {
  const BlockShape shape =
      block_shape(in[0].shape(), in[1].shape(), node.attributes.get_int("batch_dims", 0));
  const Blocks blocks = blocks_of(in[0].shape(), in[1], shape);
  return {with_type(in[0].type(), [&](auto zero) {
    using T = decltype(zero);
    Tensor out(in[0].type(), shape.result);
    const auto from = in[0].values<T>();
    auto to = out.mutable_values<T>().begin();
    for (const std::size_t begin : blocks.begin) {
      const auto block = from.subspan(begin, blocks.size);
      to = std::copy(block.begin(), block.end(), to);
    }
    return out;
  })};
}

std::vector<TensorType> infer_scatter_nd(const Node& node, Inputs in) {
  require_indices(in[1]->type.type);
  const Shape wanted = block_shape(in[0]->type.shape, in[1]->type.shape, 0).result;
  require(
      in[2]->type == TensorType{in[0]->type.type, wanted},
      fmt::format("updates of {} {}, {} {} would fit", to_string(in[2]->type.type),
                  to_string(in[2]->type.shape), to_string(in[0]->type.type), to_string(wanted)));
  const std::string reduction = node.attributes.get_string("reduction", "none");
  constexpr std::array<std::string_view, 5> kReductions{"none", "add", "mul", "max", "min"};
  require(std::find(kReductions.begin(), kReductions.end(), reduction) != kReductions.end(),
          fmt::format("attribute reduction: '{}'", reduction));
  require(reduction == "none" || is_number(in[0]->type.type),
          fmt::format("attribute reduction: '{}' of bool", reduction));
  return {in[0]->type};
}

std::vector<Tensor> run_scatter_nd(const Node& node, Tensors in) {
  const Shape& data = in[0].shape();
  const Blocks blocks = blocks_of(data, in[1], block_shape(data, in[1].shape(), 0));
  const std::string reduction = node.attributes.get_string("reduction", "none");
  return {with_type(in[0].type(), [&](auto zero) {
    using T = decltype(zero);
    const auto combined = [&](T old, T update) -> T {
      if constexpr (!std::is_same_v<T, bool>) {
        if (reduction == "add") return wrapping(old, update, std::plus<>());
        if (reduction == "mul") return wrapping(old, update, std::multiplies<>());
      }
      if (reduction == "max") return std::max(old, update);
      if (reduction == "min") return std::min(old, update);
      return update;
    };
    Tensor out(in[0].type(), data);
    const auto from = in[0].values<T>();
    const auto to = out.mutable_values<T>();
    std::copy(from.begin(), from.end(), to.begin());
    auto update = in[2].values<T>().begin();
    for (const std::size_t begin : blocks.begin) {
      for (T& x : to.subspan(begin, blocks.size)) x = combined(x, *update++);
    }
    return out;
  })};
}

constexpr std::array kTable{
    Operator{.name = "Gather",
             .min_inputs = 2,
             .max_inputs = 2,
             .infer = infer_gather,
             .execute = run_gather},
    Operator{.name = "GatherND",
             .min_inputs = 2,
             .max_inputs = 2,
             .infer = infer_gather_nd,
             .execute = run_gather_nd},
    Operator{.name = "ScatterND",
             .min_inputs = 3,
             .max_inputs = 3,
             .infer = infer_scatter_nd,
             .execute = run_scatter_nd},
};

}  // namespace

std::span<const Operator> indexing_table() {
  return kTable;
}

}  // namespace hedge::operators
