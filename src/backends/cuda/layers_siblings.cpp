// SPDX-License-Identifier: Apache-2.0
// A residual block whose shortcut is a projection begins with two convolutions of the same input:
// both as one launch.

#include <algorithm>

#include "backends/cuda/compiler.h"
#include "backends/cuda/window.h"
#include "graph/query.h"

namespace hedge::cuda {
namespace {

bool adds_nothing_that_varies(const Graph& graph, const Node& node) {
  return std::all_of(node.post_ops.begin(), node.post_ops.end(), [&](const PostOp& post_op) {
    return post_op.kind != PostOp::Kind::kAdd || graph.is_constant(post_op.operand);
  });
}

std::vector<float> bias_of(const Graph& graph, const Node& node, int stored_c) {
  std::vector<float> bias;
  if (has_input(node, 2)) {
    const auto floats = *constant_floats(graph, node.inputs[2]);
    bias.assign(floats.begin(), floats.end());
  }
  bias.resize(static_cast<std::size_t>(stored_c), 0.F);
  return bias;
}

}  // namespace

ElementKind Compiler::kind_of(const Node& node) const {
  const auto stated = options_.layers.find(node.name);
  return stated == options_.layers.end() ? options_.kind : stated->second;
}

std::vector<float> Compiler::stored_weights(const Node& conv, const Convolution& shape) const {
  return by_stored_channels(*constant_floats(graph_, conv.inputs[1]), shape_of(conv.inputs[1]),
                            shape);
}

/// Of a convolution over planes by constants, without groups, in floating point of the kind at hand
/// and with a result that is not held in 8 bits; nothing for other nodes.
std::optional<Convolution> Compiler::plain_convolution(const Node& node) const {
  if (!is_op(node, "Conv") || node.attributes.get_int("group", 1) != 1 || is_integer(node) ||
      kind_of(node) != kind_ || scale_of(node.outputs[0])) {
    return std::nullopt;
  }
  const Shape& in = shape_of(node.inputs[0]);
  if (in.size() != 4 || !constant_floats(graph_, node.inputs[1]) ||
      (has_input(node, 2) && !constant_floats(graph_, node.inputs[2]))) {
    return std::nullopt;
  }
  const Shape& w = shape_of(node.inputs[1]);
  return window_over(node, in, shape_of(node.outputs[0]), Shape(w.begin() + 2, w.end()), type_)
      .shape;
}

/// Whether `shortcut` can go beside `main`, and what then becomes of what it adds.
std::optional<Compiler::Siblings> Compiler::as_siblings(const Node& main, const Node& shortcut,
                                                        std::size_t now) const {
  const auto m = plain_convolution(main);
  const auto s = plain_convolution(shortcut);
  if (!m || !s || !adds_nothing_that_varies(graph_, main) || s->kernel_h != 1 || s->kernel_w != 1 ||
      s->pad_top != 0 || s->pad_left != 0 || s->stride_h != m->stride_h ||
      s->stride_w != m->stride_w || s->out_h != m->out_h || s->out_w != m->out_w) {
    return std::nullopt;
  }
  Siblings siblings{&main, &shortcut, nullptr};
  if (shortcut.post_ops.empty()) return siblings;
  // It may add the block's last convolution, which then has to add the shortcut's sums instead.
  if (shortcut.post_ops[0].kind != PostOp::Kind::kAdd) return std::nullopt;
  const auto added = static_cast<std::size_t>(shortcut.post_ops[0].operand);
  const std::int32_t producer = index_.producer[added];
  if (producer < 0 || reads_[added] != 1 || is_output_[added]) return std::nullopt;
  const auto number = static_cast<std::size_t>(producer);
  const Node& adds = graph_.nodes[number];
  if (number <= now || &adds == &main || done_[number] || joins_[number] != nullptr ||
      !adds.post_ops.empty() || !plain_convolution(adds) ||
      shape_of(adds.outputs[0]) != shape_of(shortcut.outputs[0])) {
    return std::nullopt;
  }
  siblings.adds = &adds;
  return siblings;
}

std::optional<Compiler::Siblings> Compiler::siblings_of(const Node& node) const {
  const std::size_t now = number_of(node);
  for (const std::int32_t consumer : index_.consumers[static_cast<std::size_t>(node.inputs[0])]) {
    const auto number = static_cast<std::size_t>(consumer);
    const Node& other = graph_.nodes[number];
    if (number <= now || done_[number] || joins_[number] != nullptr || !plain_convolution(other) ||
        other.inputs[0] != node.inputs[0]) {
      continue;
    }
    if (const auto siblings = as_siblings(node, other, now)) return siblings;
    if (const auto siblings = as_siblings(other, node, now)) return siblings;
  }
  return std::nullopt;
}

bool Compiler::add_siblings(const Node& node) {
  const auto siblings = siblings_of(node);
  if (!siblings) return false;
  const Node& main = *siblings->main;
  const Node& shortcut = *siblings->shortcut;
  const Node& other = &main == &node ? shortcut : main;
  uncounted_macs_ += multiply_accumulates(graph_, other);
  done_[number_of(other)] = true;
  const Located sums = new_result(channels_last(shape_of(shortcut.outputs[0]), type_));
  const Convolution shape = *plain_convolution(main);
  Terms terms;
  terms.weights = stored_weights(main, shape);
  terms.bias = bias_of(graph_, main, shape.out_c);
  add_convolution(main, shape, terms, channels_last_form(main.inputs[0], main.name),
                  channels_last(shape_of(main.outputs[0]), type_), 1, 0, Shortcut{&shortcut, sums});
  if (siblings->adds != nullptr) {
    joins_[number_of(*siblings->adds)] = &shortcut;
    produce(siblings->adds->outputs[0], sums);
  } else {
    produce(shortcut.outputs[0], sums);
  }
  return true;
}

/// The convolution does what the shortcut would have done with its sums: what is known as the
/// convolution's result are the shortcut's by now, and a + b = b + a.
void Compiler::join(const Node& node, const Node& shortcut) {
  Node joined = node;
  joined.post_ops = shortcut.post_ops;
  joined.outputs = shortcut.outputs;
  const Convolution shape = *plain_convolution(node);
  Terms terms;
  terms.weights = stored_weights(node, shape);
  terms.bias = bias_of(graph_, node, shape.out_c);
  add_convolution(joined, shape, terms, channels_last_form(node.inputs[0], node.name),
                  channels_last(shape_of(joined.outputs[0]), type_), 1, 0);
}

void Compiler::add_sibling(const Shortcut& shortcut, const Convolution& shape,
                           std::vector<Argument>& arguments) {
  const auto weights = stored_weights(*shortcut.node, shape);
  arguments.push_back({add_weights(pack_weights(weights.data(), shape, kind_)), 0});
  arguments.push_back(add_floats(bias_of(graph_, *shortcut.node, shape.out_c)));
  arguments.push_back(argument(shortcut.sums));
}

}  // namespace hedge::cuda
