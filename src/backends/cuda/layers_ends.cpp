// SPDX-License-Identifier: Apache-2.0
// The first convolution of a small net, which reads the caller's floats itself, and its last layers
// as one kernel.

#include <fmt/format.h>

#include <algorithm>

#include "backends/cuda/compiler.h"
#include "backends/cuda/kernels/ends.h"
#include "graph/integer_layer.h"
#include "graph/operators/common.h"
#include "graph/query.h"

namespace hedge::cuda {
namespace {

/// More is worth tensor cores, and the conversion that they need.
constexpr std::int64_t kMostStemWork = 4'000'000;
constexpr std::int64_t kMostStemChannels = 4;
/// A block must not be alone with more weights than that.
constexpr std::int64_t kMostHeadWeights = 64 * 1024;
constexpr std::size_t kMostSharedBytes = 48 * 1024;

struct StemStep {
  Stem stem;
  Epilogue epilogue;
};

/// Buffers: x, weights, y, the bias, of integers the factors, then the post-ops' operands.
cudaError_t run_stem(const void* parameters, std::byte* const* buffers, const Launch& launch) {
  const auto& step = *static_cast<const StemStep*>(parameters);
  return launch_stem(step.stem, reinterpret_cast<const float*>(buffers[0]),
                     reinterpret_cast<const float*>(buffers[1]),
                     bound(step.epilogue, false, buffers, step.stem.quantized), launch);
}

/// Buffers: y, x, weights, bias.
cudaError_t run_head(const void* parameters, std::byte* const* buffers, const Launch& launch) {
  return launch_head(*static_cast<const Head*>(parameters), buffers[0], buffers[1],
                     reinterpret_cast<const float*>(buffers[2]),
                     reinterpret_cast<const float*>(buffers[3]), launch);
}

bool is_flattening(const Node& node) {
  return is_op(node, "Flatten") || is_op(node, "Reshape") || is_op(node, "Squeeze");
}

}  // namespace

/// The input as it comes, where the node alone reads it.
std::optional<Located> Compiler::callers_floats(const Node& node) {
  const ValueId id = node.inputs[0];
  if (id != graph_.inputs.at(0).value || reads_[static_cast<std::size_t>(id)] != 1 ||
      is_output_[static_cast<std::size_t>(id)]) {
    return std::nullopt;
  }
  return callers_ ? *callers_ : locate(id);
}

/// Weights as they are in the graph (OIHW), of integers the stored ones.
bool Compiler::add_stem(const Node& node, Convolution shape, const Terms& terms,
                        const Layout& result) {
  const Shape& w = shape_of(node.inputs[1]);
  const auto x = callers_floats(node);
  if (!x || w.size() != 4 || w[1] > kMostStemChannels ||
      multiply_accumulates(graph_, node) > kMostStemWork || (callers_ && !integers_) ||
      (integers_ && w[1] * w[2] * w[3] > kMostQuantizedTaps)) {
    return false;
  }
  shape.in_c = small(w[1]);
  shape.out_c = stored_count(result, 1);
  const bool planar = is_row_major(x->layout);
  Stem stem{shape, result.type, planar, integers_};
  if (integers_) stem.scale = *scale_of(node.inputs[0]);
  const bool by_pixels = is_row_major(transposed(x->layout, {0, 2, 3, 1}));
  if ((!planar && !by_pixels) || stem_shared_bytes(stem) > kMostSharedBytes) return false;
  const bool any = integers_ || result.type == ElementType::kInt8;
  const Fused fused = fuse(node, result, 1, 0, any);
  const Located to = new_result(result);
  std::vector<Argument> arguments = add_terms(
      terms, argument(*x), encode(by_taps(terms.weights, w, shape.out_c), ElementType::kFloat32),
      argument(to), shape.out_c);
  arguments.insert(arguments.end(), fused.operands.begin(), fused.operands.end());
  add_step(node.name, fmt::format("Conv hedge:stem{}{}", integers_ ? "_int8" : "", fused.text),
           run_stem, StemStep{stem, fused.epilogue}, std::move(arguments));
  finish(node, to, fused.end);
  return true;
}

/// The one node that reads the node's result, where there is just one and the caller does not.
std::optional<std::size_t> Compiler::sole_reader(const Node& node) const {
  const auto id = static_cast<std::size_t>(node.outputs[0]);
  if (is_output_[id] || reads_[id] != 1 || index_.consumers[id].size() != 1) return std::nullopt;
  return static_cast<std::size_t>(index_.consumers[id][0]);
}

/// The mean of whole planes, a product by constants, and perhaps Softmax, as one kernel.
bool Compiler::add_head(const Node& pool) {
  const Shape& in = shape_of(pool.inputs[0]);
  if (in.size() != 4 || !pool.post_ops.empty() || in[1] > kMostHeadChannels) return false;
  const auto pads = pool.attributes.get_ints("pads");
  const bool whole = is_op(pool, "GlobalAveragePool") ||
                     (is_op(pool, "AveragePool") &&
                      pool.attributes.get_ints("kernel_shape") == Shape{in[2], in[3]} &&
                      shape_of(pool.outputs[0]) == Shape{in[0], in[1], 1, 1} &&
                      pool.attributes.get_string("auto_pad", "NOTSET") == "NOTSET" &&
                      std::all_of(pads.begin(), pads.end(), [](auto pad) { return pad == 0; }));
  if (!whole) return false;
  std::vector<std::size_t> taken;
  auto next = sole_reader(pool);
  while (next && is_flattening(graph_.nodes[*next]) && graph_.nodes[*next].post_ops.empty()) {
    taken.push_back(*next);
    next = sole_reader(graph_.nodes[*next]);
  }
  if (!next) return false;
  const Node& dense = graph_.nodes[*next];
  const auto weights =
      dense.inputs.size() > 1 ? constant_floats(graph_, dense.inputs[1]) : std::nullopt;
  if (!is_op(dense, "Gemm") || !weights || !dense.post_ops.empty() ||
      dense.attributes.get_int("transA", 0) != 0 ||
      shape_of(dense.inputs[0]) != Shape{in[0], in[1]}) {
    return false;
  }
  // The means may pass through 8 bits, of one scale on their whole way; scores do not.
  const auto mean_scale = scale_of(dense.inputs[0]);
  if (scale_of(pool.outputs[0]) != mean_scale || scale_of(dense.outputs[0])) return false;
  for (const std::size_t view : taken) {
    if (scale_of(graph_.nodes[view].outputs[0]) != mean_scale) return false;
  }
  const std::int64_t classes = shape_of(dense.outputs[0])[1];
  if (classes > kMostHeadClasses || classes * in[1] > kMostHeadWeights) return false;
  std::vector<float> bias(static_cast<std::size_t>(classes), 0.F);
  if (has_input(dense, 2)) {
    const auto given = per_channel(graph_, dense.inputs[2], 2, 1, classes);
    if (!given) return false;
    for (std::size_t i = 0; i < bias.size(); ++i) {
      bias[i] = (*given)[i] * dense.attributes.get_float("beta", 1);
    }
  }
  taken.push_back(*next);
  const Node* last = &dense;
  if (const auto reader = sole_reader(dense)) {
    const Node& softmax = graph_.nodes[*reader];
    if (is_op(softmax, "Softmax") && softmax.post_ops.empty() && !scale_of(softmax.outputs[0]) &&
        operators::normal_axis(softmax.attributes.get_int("axis", -1), 2) == 1) {
      taken.push_back(*reader);
      last = &softmax;
    }
  }
  const bool transposed = dense.attributes.get_int("transB", 0) != 0;
  const float alpha = dense.attributes.get_float("alpha", 1);
  std::vector<float> rows(weights->size());
  for (std::int64_t k = 0; k < classes; ++k) {
    for (std::int64_t c = 0; c < in[1]; ++c) {
      const std::int64_t from = transposed ? k * in[1] + c : c * classes + k;
      rows[static_cast<std::size_t>(k * in[1] + c)] =
          alpha * (*weights)[static_cast<std::size_t>(from)];
    }
  }
  const auto held = scale_of(pool.inputs[0]);
  const std::int64_t granule = granule_of(held ? ElementType::kInt8 : type_);
  if ((in[1] + granule - 1) / granule * granule > kMostHeadChannels) return false;
  const Located x = held ? channels_last_bytes(pool.inputs[0], pool.name)
                         : channels_last_form(pool.inputs[0], pool.name);
  const Located y = new_result(result_layout(*last, row_major({in[0], classes}, type_)));
  const Head head{.type = x.layout.type,
                  .result_type = y.layout.type,
                  .batch = small(in[0]),
                  .plane = small(in[2] * in[3]),
                  .stored_c = stored_count(x.layout, 1),
                  .used_c = small(in[1]),
                  .classes = small(classes),
                  .softmax = last != &dense,
                  .scale = x.layout.scale,
                  .quantized = mean_scale.has_value(),
                  .mean_scale = mean_scale.value_or(Scale{})};
  for (const std::size_t node : taken) {
    uncounted_macs_ += multiply_accumulates(graph_, graph_.nodes[node]);
    done_[node] = true;
  }
  integers_ = is_integer_layer(graph_, dense);
  add_step(dense.name,
           fmt::format("{} hedge:head + Gemm{}", pool.op->name, head.softmax ? " + Softmax" : ""),
           run_head, head, {argument(y), argument(x), add_floats(rows), add_floats(bias)});
  plan_->steps.back().device.tells = head.batch == 1;
  integers_ = false;
  produce(last->outputs[0], y);
  return true;
}

}  // namespace hedge::cuda
