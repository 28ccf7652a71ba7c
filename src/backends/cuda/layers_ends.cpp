// SPDX-License-Identifier: Apache-2.0
// The first convolution of a small net, which reads the caller's floats itself, and its last layers
// as one kernel.

#include <fmt/format.h>

#include <algorithm>

#include "backends/cuda/compiler.h"
#include "backends/cuda/kernels/ends.h"
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

/// Buffers: x, weights, y, the bias, then the post-ops' operands.
cudaError_t run_stem(const void* parameters, std::byte* const* buffers, const Launch& launch) {
  const auto& step = *static_cast<const StemStep*>(parameters);
  return launch_stem(step.stem, reinterpret_cast<const float*>(buffers[0]),
                     reinterpret_cast<const float*>(buffers[1]),
                     bound(step.epilogue, false, buffers), launch);
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

bool Compiler::add_stem(const Node& node, Convolution shape, const std::vector<float>& bias) {
  const ValueId id = node.inputs[0];
  const Shape& w = shape_of(node.inputs[1]);
  const Located x = locate(id);
  const bool from_caller = forms(id).size() == 1 && reads_[static_cast<std::size_t>(id)] == 1 &&
                           plan_->storages[x.storage].buffer.place == Buffer::Place::kInput &&
                           x.layout.type == ElementType::kFloat32;
  if (!from_caller || w.size() != 4 || w[1] > kMostStemChannels ||
      multiply_accumulates(graph_, node) > kMostStemWork) {
    return false;
  }
  shape.in_c = small(w[1]);
  const bool planar = is_row_major(x.layout);
  const Stem stem{shape, type_, planar};
  const bool by_pixels = is_row_major(transposed(x.layout, {0, 2, 3, 1}));
  if ((!planar && !by_pixels) || stem_shared_bytes(stem) > kMostSharedBytes) return false;
  const auto weights = *constant_floats(graph_, node.inputs[1]);
  std::vector<float> placed(static_cast<std::size_t>(w[1] * w[2] * w[3] * shape.out_c), 0.F);
  operators::for_each_index(w, [&](const Shape& i, std::size_t flat) {
    const std::int64_t tap = (i[2] * w[3] + i[3]) * w[1] + i[1];
    placed[static_cast<std::size_t>(tap * shape.out_c + i[0])] = weights[flat];
  });
  const Layout result = channels_last(shape_of(node.outputs[0]), type_);
  const Fused fused = fuse(node, result, 1, 0);
  std::vector<float> stored_bias(bias);
  stored_bias.resize(static_cast<std::size_t>(shape.out_c), 0.F);
  const Located to = new_result(result);
  std::vector<Argument> arguments{argument(x), add_floats(placed), argument(to),
                                  add_floats(stored_bias)};
  arguments.insert(arguments.end(), fused.operands.begin(), fused.operands.end());
  add_step(node.name, fmt::format("Conv hedge:stem{}", fused.text), run_stem,
           StemStep{stem, fused.epilogue}, std::move(arguments));
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
    if (is_op(softmax, "Softmax") && softmax.post_ops.empty() &&
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
  const Located x = channels_last_form(pool.inputs[0], pool.name);
  const Located y = new_result(result_layout(*last, row_major({in[0], classes}, type_)));
  const std::int64_t granule = granule_of(type_);
  const Head head{.type = type_,
                  .result_type = y.layout.type,
                  .batch = small(in[0]),
                  .plane = small(in[2] * in[3]),
                  .stored_c = small((in[1] + granule - 1) / granule * granule),
                  .used_c = small(in[1]),
                  .classes = small(classes),
                  .softmax = last != &dense};
  if (head.stored_c > kMostHeadChannels) return false;
  for (const std::size_t node : taken) {
    uncounted_macs_ += multiply_accumulates(graph_, graph_.nodes[node]);
    done_[node] = true;
  }
  add_step(dense.name,
           fmt::format("{} hedge:head + Gemm{}", pool.op->name, head.softmax ? " + Softmax" : ""),
           run_head, head, {argument(y), argument(x), add_floats(rows), add_floats(bias)});
  plan_->steps.back().device.tells = head.batch == 1;
  produce(last->outputs[0], y);
  return true;
}

}  // namespace hedge::cuda
