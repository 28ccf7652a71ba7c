// SPDX-License-Identifier: Apache-2.0
// Copies, activations and arithmetic of two operands: all by one kernel over strides.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "backends/cuda/compiler.h"
#include "graph/operators/operator.h"
#include "graph/post_op.h"

namespace hedge::cuda {
namespace {

struct BinaryName {
  std::string_view op;
  MapOp map;
};
constexpr std::array<BinaryName, 8> kBinaries{{{"Add", MapOp::kAdd},
                                               {"Sum", MapOp::kAdd},
                                               {"Sub", MapOp::kSub},
                                               {"Mul", MapOp::kMul},
                                               {"Div", MapOp::kDiv},
                                               {"Min", MapOp::kMin},
                                               {"Max", MapOp::kMax},
                                               {"PRelu", MapOp::kPRelu}}};

cudaError_t run_map(const void* parameters, std::byte* const* buffers, const Launch& launch) {
  const auto& map = *static_cast<const Map*>(parameters);
  const void* b = map.op == MapOp::kCopy ? nullptr : buffers[2];
  return launch_map(map, buffers[0], buffers[1], b, launch);
}

/// An axis of the loops, with the stride of each operand.
struct LoopAxis {
  std::int64_t extent = 1;
  std::int64_t result = 0, a = 0, b = 0;
};

/// From the outermost to the innermost of the result; axes that lie one behind the other in all
/// operands are one. The filled axis is the last one, and apart.
Map loops_over(const Layout& result, const Layout& a, const Layout& b) {
  std::vector<LoopAxis> axes;
  LoopAxis filled{};
  for (std::size_t i = 0; i < result.dims.size(); ++i) {
    const LoopAxis axis{result.dims[i], result.strides[i], a.strides[i], b.strides[i]};
    if (static_cast<int>(i) == result.filled_axis) {
      filled = axis;
      filled.extent = result.filled;
    } else if (axis.extent != 1) {
      axes.push_back(axis);
    }
  }
  std::stable_sort(axes.begin(), axes.end(),
                   [](const LoopAxis& x, const LoopAxis& y) { return x.result > y.result; });
  std::vector<LoopAxis> merged;
  for (const LoopAxis& axis : axes) {
    if (!merged.empty()) {
      LoopAxis& outer = merged.back();
      if (outer.result == axis.extent * axis.result && outer.a == axis.extent * axis.a &&
          outer.b == axis.extent * axis.b) {
        outer = {outer.extent * axis.extent, axis.result, axis.a, axis.b};
        continue;
      }
    }
    merged.push_back(axis);
  }
  if (result.filled_axis >= 0) merged.push_back(filled);
  if (merged.empty()) merged.push_back({1, 1, 1, 1});
  Map map;
  map.axes = static_cast<int>(merged.size());
  for (std::size_t i = 0; i < merged.size(); ++i) {
    map.extents[i] = small(merged[i].extent);
    map.result.strides[i] = small(merged[i].result);
    map.a.strides[i] = small(merged[i].a);
    map.b.strides[i] = small(merged[i].b);
  }
  map.used = result.filled_axis < 0
                 ? map.extents[map.axes - 1]
                 : small(result.dims[static_cast<std::size_t>(result.filled_axis)]);
  map.result.type = result.type;
  map.result.scale = result.scale;
  map.a.type = a.type;
  map.a.scale = a.scale;
  map.b.type = b.type;
  map.b.scale = b.scale;
  return map;
}

}  // namespace

std::optional<PostOpParameters> parameters_of(const PostOp& post_op) {
  using From = PostOp::Kind;
  using To = PostOpParameters::Kind;
  const auto kind = [&]() -> std::optional<To> {
    switch (post_op.kind) {
      case From::kAdd:
        return std::nullopt;
      case From::kRelu:
        return To::kRelu;
      case From::kClip:
        return To::kClip;
      case From::kLeakyRelu:
        return To::kLeakyRelu;
      case From::kElu:
        return To::kElu;
      case From::kTanh:
        return To::kTanh;
      case From::kSigmoid:
        return To::kSigmoid;
      case From::kHardSigmoid:
        return To::kHardSigmoid;
      case From::kHardSwish:
        return To::kHardSwish;
      case From::kSwish:
        return To::kSwish;
      case From::kGelu:
        return To::kGelu;
      case From::kGeluTanh:
        return To::kGeluTanh;
      case From::kLinear:
        return To::kLinear;
      case From::kExp:
        return To::kExp;
      case From::kLog:
        return To::kLog;
      case From::kSqrt:
        return To::kSqrt;
      case From::kAbs:
        return To::kAbs;
      case From::kPow:
        return To::kPow;
    }
    return std::nullopt;
  }();
  if (!kind) return std::nullopt;
  return PostOpParameters{*kind, post_op.alpha, post_op.beta, nullptr};
}

void Compiler::add_map(const std::string& name, const std::string& kernel, MapOp op,
                       const Located& to, const Located& a, const Located* b,
                       std::span<const PostOp> post_ops) {
  const Shape& shape = to.layout.dims;
  const Layout a_layout = broadcast(a.layout, shape);
  const Layout b_layout = b == nullptr ? a_layout : broadcast(b->layout, shape);
  Map map = loops_over(to.layout, a_layout, b_layout);
  map.op = op;
  for (const PostOp& post_op : post_ops) {
    map.post_ops[map.post_op_count++] = parameters_of(post_op).value();
  }
  std::vector<Argument> arguments{argument(to), argument(a)};
  if (b != nullptr) arguments.push_back(argument(*b));
  add_step(name, kernel, run_map, map, std::move(arguments));
}

void Compiler::add_copy(const std::string& name, const Located& from, const Located& to) {
  const std::int64_t macs = std::exchange(uncounted_macs_, 0);  // They are the layer's.
  add_map(name, "reorder hedge:map", MapOp::kCopy, to, from, nullptr);
  uncounted_macs_ = macs;
}

Obstacle Compiler::compile_elementwise(const Node& node) {
  Node plain = node;
  plain.post_ops.clear();
  const auto activation = activation_of(graph_, plain);
  const bool identity = node.op->name == "Identity" || node.op->name == "Dropout";
  if (!activation && !identity) return compile_binary(node);
  const ValueId x = activation ? activation->varying : node.inputs[0];
  if (!activation) {
    finish_view(node, locate(x));
    return {};
  }
  // With the post-ops behind it, as far as they are of one operand.
  std::vector<PostOp> chain{activation->post_op};
  std::string text = fmt::format("{} hedge:map", node.op->name);
  std::size_t done = 0;
  for (; done < node.post_ops.size() && chain.size() < kMostPostOps &&
         node.post_ops[done].kind != PostOp::Kind::kAdd;
       ++done) {
    chain.push_back(node.post_ops[done]);
    text += fmt::format(" + {}", to_string(node.post_ops[done].kind));
  }
  const Located from = locate(x);
  const Layout layout = like(from.layout, type_);
  const Located to = new_result(done == node.post_ops.size() ? stored_layout(node, layout)
                                                             : result_layout(node, layout));
  add_map(node.name, text, MapOp::kCopy, to, from, nullptr, chain);
  finish(node, to, done);
  return {};
}

Obstacle Compiler::compile_binary(const Node& node) {
  const auto* found =
      std::find_if(kBinaries.begin(), kBinaries.end(),
                   [&](const BinaryName& entry) { return entry.op == node.op->name; });
  if (found == kBinaries.end()) return "no kernel";
  for (const ValueId id : node.inputs) {
    if (id == kNoValue || is_raw(id)) return "an operand that is not float32";
  }
  if (node.inputs.size() == 1) {
    finish_view(node, locate(node.inputs[0]));
    return {};
  }
  // The result lies as the operand that has its shape; a varying one decides before a constant.
  const Shape& shape = shape_of(node.outputs[0]);
  Layout layout = row_major(shape, type_);
  for (const bool constant : {true, false}) {
    for (std::size_t i = node.inputs.size(); i-- > 0;) {
      const ValueId id = node.inputs[i];
      if (graph_.is_constant(id) != constant || shape_of(id) != shape) continue;
      layout = like(locate(id).layout, type_);
    }
  }
  std::size_t fused = 0;
  while (fused < node.post_ops.size() && fused < kMostPostOps &&
         node.post_ops[fused].kind != PostOp::Kind::kAdd) {
    ++fused;
  }
  const bool whole = fused == node.post_ops.size() && node.inputs.size() == 2;
  const Located to = new_result(whole ? stored_layout(node, layout) : result_layout(node, layout));
  Located result = locate(node.inputs[0]);
  for (std::size_t i = 1; i < node.inputs.size(); ++i) {
    const bool last = i + 1 == node.inputs.size();
    const Located other = locate(node.inputs[i]);
    const auto post_ops = std::span(node.post_ops).first(last ? fused : 0);
    std::string text = fmt::format("{} hedge:map", node.op->name);
    for (const PostOp& post_op : post_ops) text += fmt::format(" + {}", to_string(post_op.kind));
    add_map(node.name, text, found->map, to, result, &other, post_ops);
    result = to;
  }
  finish(node, to, fused);
  return {};
}

}  // namespace hedge::cuda
