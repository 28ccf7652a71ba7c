// SPDX-License-Identifier: Apache-2.0
// Operators that only move or repeat elements.
#include <fmt/format.h>

#include <array>

#include "graph/operators/common.h"

namespace hedge::operators {
namespace {

// ---- Transpose

Ints permutation(const Node& node, std::size_t rank) {
  Ints perm = node.attributes.get_ints("perm");
  if (!node.attributes.has("perm")) {
    for (std::size_t i = rank; i-- > 0;) perm.push_back(static_cast<std::int64_t>(i));
  }
  require(perm.size() == rank && normal_axes(perm, rank).size() == rank &&
              std::all_of(perm.begin(), perm.end(), [](std::int64_t p) { return p >= 0; }),
          "perm is no permutation of the axes");
  return perm;
}

Shape permuted(const Shape& shape, const Ints& perm) {
  Shape out;
  for (const std::int64_t axis : perm) out.push_back(shape[static_cast<std::size_t>(axis)]);
  return out;
}

std::vector<TensorType> infer_transpose(const Node& node, Inputs in) {
  const Shape& shape = in[0]->type.shape;
  return {{in[0]->type.type, permuted(shape, permutation(node, shape.size()))}};
}

std::vector<Tensor> run_transpose(const Node& node, Tensors in) {
  const Ints perm = permutation(node, in[0].shape().size());
  const Ints strides = permuted(strides_of(in[0].shape()), perm);
  return {gather_elements(in[0], permuted(in[0].shape(), perm), [&](const Ints& index) {
    return static_cast<std::int64_t>(dot(index, strides));
  })};
}

// ---- Concat, Split

std::vector<TensorType> infer_concat(const Node& node, Inputs in) {
  TensorType out = in[0]->type;
  require(node.attributes.has("axis"), "the axis is missing");
  const std::size_t axis = normal_axis(node.attributes.get_int("axis", 0), out.shape.size());
  for (std::size_t i = 1; i < in.size(); ++i) {
    require(has(in, i), "an input is missing");
    Shape other = in[i]->type.shape;
    require(in[i]->type.type == out.type && other.size() == out.shape.size(),
            "inputs of different kinds");
    const std::int64_t extent = other[axis];
    other[axis] = out.shape[axis];
    require(other == out.shape,
            fmt::format("shapes {} and {} do not fit", to_string(in[i]->type.shape),
                        to_string(in[0]->type.shape)));
    out.shape[axis] += extent;
    (void)element_count(out.shape);
  }
  return {out};
}

std::vector<Tensor> run_concat(const Node& node, Tensors in) {
  Shape shape = in[0].shape();
  const std::size_t axis = normal_axis(node.attributes.get_int("axis", 0), shape.size());
  shape[axis] = 0;
  for (const Tensor& part : in) shape[axis] += part.shape()[axis];
  return with_type(in[0].type(), [&](auto zero) {
    using T = decltype(zero);
    Tensor out(in[0].type(), shape);
    const Ints strides = strides_of(shape);
    std::int64_t offset = 0;
    for (const Tensor& part : in) {
      for_each_index(part.shape(), [&](Ints index, std::size_t flat) {
        index[axis] += offset;
        out.mutable_values<T>()[dot(index, strides)] = part.values<T>()[flat];
      });
      offset += part.shape()[axis];
    }
    return std::vector<Tensor>{out};
  });
}

template <class In>
std::pair<std::size_t, Ints> split_sizes(const Node& node, In in, const Shape& shape) {
  const std::size_t axis = normal_axis(node.attributes.get_int("axis", 0), shape.size());
  const auto given = ints_of(node, in, 1, "split");
  const auto parts = static_cast<std::int64_t>(node.outputs.size());
  Ints sizes;
  if (given) {
    sizes = *given;
  } else {  // Even parts, the last one smaller (opset 18).
    require(parts > 0 && node.attributes.get_int("num_outputs", parts) == parts, "num_outputs");
    const std::int64_t each = (shape[axis] + parts - 1) / parts;
    for (std::int64_t i = 0; i < parts; ++i) {
      sizes.push_back(std::clamp<std::int64_t>(shape[axis] - i * each, 0, each));
    }
  }
  std::int64_t sum = 0;
  for (const std::int64_t size : sizes) {
    require(size >= 0 && size <= shape[axis], "a part has an impossible size");
    sum += size;
  }
  require(sizes.size() == node.outputs.size() && sum == shape[axis],
          fmt::format("parts of {} do not make {}", fmt::join(sizes, "+"), shape[axis]));
  return {axis, sizes};
}

std::vector<TensorType> infer_split(const Node& node, Inputs in) {
  const auto [axis, sizes] = split_sizes(node, in, in[0]->type.shape);
  std::vector<TensorType> types;
  for (const std::int64_t size : sizes) {
    types.push_back(in[0]->type);
    types.back().shape[axis] = size;
  }
  return types;
}

std::vector<Tensor> run_split(const Node& node, Tensors in) {
  const auto split = split_sizes(node, in, in[0].shape());
  const std::size_t axis = split.first;
  const Ints strides = strides_of(in[0].shape());
  std::vector<Tensor> parts;
  std::int64_t offset = 0;
  for (const std::int64_t size : split.second) {
    Shape shape = in[0].shape();
    shape[axis] = size;
    parts.push_back(gather_elements(in[0], shape, [&](const Ints& index) {
      return static_cast<std::int64_t>(dot(index, strides)) + offset * strides[axis];
    }));
    offset += size;
  }
  return parts;
}

// ---- Expand, Tile

template <class In>
Shape expanded(In in, const Shape& shape) {
  return broadcast(shape, known_ints(in, 1, "the shape").value_or(Ints{}));
}

std::vector<TensorType> infer_expand(const Node& /*node*/, Inputs in) {
  return {{in[0]->type.type, expanded(in, in[0]->type.shape)}};
}

std::vector<Tensor> run_expand(const Node& /*node*/, Tensors in) {
  const Shape out = expanded(in, in[0].shape());
  const Ints strides = broadcast_strides(in[0].shape(), out);
  return {gather_elements(in[0], out, [&](const Ints& index) {
    return static_cast<std::int64_t>(dot(index, strides));
  })};
}

template <class In>
Shape tiled(In in, const Shape& shape) {
  const Ints repeats = known_ints(in, 1, "repeats").value_or(Ints{});
  require(repeats.size() == shape.size(), "repeats do not fit the axes");
  Shape out;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    out.push_back(element_count({shape[i], repeats[i]}));
  }
  (void)element_count(out);
  return out;
}

std::vector<TensorType> infer_tile(const Node& /*node*/, Inputs in) {
  return {{in[0]->type.type, tiled(in, in[0]->type.shape)}};
}

std::vector<Tensor> run_tile(const Node& /*node*/, Tensors in) {
  const Shape& shape = in[0].shape();
  const Ints strides = strides_of(shape);
  return {gather_elements(in[0], tiled(in, shape), [&](const Ints& index) {
    std::int64_t at = 0;
    for (std::size_t i = 0; i < index.size(); ++i) at += index[i] % shape[i] * strides[i];
    return at;
  })};
}

// ---- DepthToSpace, SpaceToDepth

std::int64_t block_size(const Node& node, const Shape& shape) {
  const std::int64_t block = node.attributes.get_int("blocksize", 0);
  require(shape.size() == 4, fmt::format("an input of shape {}, not of 4 axes", to_string(shape)));
  require(block >= 1 && block <= (1 << 20), fmt::format("attribute blocksize: {}", block));
  return block;
}

std::vector<TensorType> infer_depth_to_space(const Node& node, Inputs in) {
  const Shape& x = in[0]->type.shape;
  const std::int64_t block = block_size(node, x);
  const std::string mode = node.attributes.get_string("mode", "DCR");
  require(mode == "DCR" || mode == "CRD", fmt::format("attribute mode: '{}'", mode));
  require(x[1] % (block * block) == 0,
          fmt::format("attribute blocksize: {} channels in blocks of {}", x[1], block * block));
  const Shape out{x[0], x[1] / (block * block), element_count({x[2], block}),
                  element_count({x[3], block})};
  return {{in[0]->type.type, out}};
}

std::vector<Tensor> run_depth_to_space(const Node& node, Tensors in) {
  const Shape& x = in[0].shape();
  const std::int64_t block = block_size(node, x);
  const bool depth_first = node.attributes.get_string("mode", "DCR") == "DCR";
  const std::int64_t channels = x[1] / (block * block);
  const Ints strides = strides_of(x);
  const Shape out{x[0], channels, x[2] * block, x[3] * block};
  return {gather_elements(in[0], out, [&](const Ints& index) {
    const std::int64_t within = index[2] % block * block + index[3] % block;
    const std::int64_t c =
        depth_first ? within * channels + index[1] : index[1] * block * block + within;
    return static_cast<std::int64_t>(
        dot({index[0], c, index[2] / block, index[3] / block}, strides));
  })};
}

std::vector<TensorType> infer_space_to_depth(const Node& node, Inputs in) {
  const Shape& x = in[0]->type.shape;
  const std::int64_t block = block_size(node, x);
  require(x[2] % block == 0 && x[3] % block == 0,
          fmt::format("attribute blocksize: {} does not divide {}", block, to_string(x)));
  return {
      {in[0]->type.type, {x[0], element_count({x[1], block, block}), x[2] / block, x[3] / block}}};
}

std::vector<Tensor> run_space_to_depth(const Node& node, Tensors in) {
  const Shape& x = in[0].shape();
  const std::int64_t block = block_size(node, x);
  const Ints strides = strides_of(x);
  const Shape out{x[0], x[1] * block * block, x[2] / block, x[3] / block};
  return {gather_elements(in[0], out, [&](const Ints& index) {
    const std::int64_t within = index[1] / x[1];
    return static_cast<std::int64_t>(
        dot({index[0], index[1] % x[1], index[2] * block + within / block,
             index[3] * block + within % block},
            strides));
  })};
}

constexpr std::array kTable{
    Operator{.name = "Transpose", .infer = infer_transpose, .execute = run_transpose},
    Operator{.name = "Concat", .max_inputs = -1, .infer = infer_concat, .execute = run_concat},
    Operator{.name = "Split", .max_inputs = 2, .infer = infer_split, .execute = run_split},
    Operator{.name = "Expand",
             .min_inputs = 2,
             .max_inputs = 2,
             .infer = infer_expand,
             .execute = run_expand},
    Operator{
        .name = "Tile", .min_inputs = 2, .max_inputs = 2, .infer = infer_tile, .execute = run_tile},
    Operator{.name = "DepthToSpace", .infer = infer_depth_to_space, .execute = run_depth_to_space},
    Operator{.name = "SpaceToDepth", .infer = infer_space_to_depth, .execute = run_space_to_depth},
};

}  // namespace

std::span<const Operator> movement_table() {
  return kTable;
}

}  // namespace hedge::operators
