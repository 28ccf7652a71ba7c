// SPDX-License-Identifier: Apache-2.0
#include "backends/cuda/compiler.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "graph/operators/operator.h"
#include "graph/post_op.h"
#include "graph/query.h"
#include "hedge/error.h"

namespace hedge::cuda {
namespace {

/// The caller's tensor is row-major in its own order of axes; seen in the graph's, it has strides.
Layout input_layout(const Graph& graph) {
  const GraphInput& input = graph.inputs.at(0);
  const Layout outer = row_major(graph.input_type(0).shape, ElementType::kFloat32);
  return input.permutation.empty() ? outer : transposed(outer, input.permutation);
}

void require_supported(const Graph& graph) {
  const auto require_floats = [](const char* what, const Value& value) {
    if (value.type.type == DataType::kFloat32) return;
    throw bad_input(
        fmt::format("the {} {} is {}; the cuda backend takes a model whose {} is float32", what,
                    value.name, to_string(value.type.type), what));
  };
  require_floats("input", graph.value(graph.inputs.at(0).value));
  require_floats("first output", graph.value(graph.outputs.at(0)));
  for (const Value& value : graph.values) {
    if (!value.quantization || value.constant || value.quantization->scales.size() == 1) continue;
    throw bad_input(
        fmt::format("the activation {} has a scale for each channel; the cuda backend takes one "
                    "for the tensor",
                    value.name));
  }
}

}  // namespace

Compiler::Compiler(const Graph& graph, const PlanOptions& options)
    : graph_(graph),
      options_(options),
      plan_(std::make_shared<Plan>()),
      kind_(options.kind),
      type_(type_of(options.kind)),
      forms_(graph.values.size()),
      reads_(graph.values.size(), 0),
      is_output_(graph.values.size(), false),
      index_(graph),
      done_(graph.nodes.size(), false),
      joins_(graph.nodes.size(), nullptr) {
  plan_->kind = options.kind;
  for (const Node& node : graph.nodes) {
    for (const ValueId id : reference_inputs(node)) ++reads_[static_cast<std::size_t>(id)];
  }
  for (const ValueId id : graph.outputs) is_output_[static_cast<std::size_t>(id)] = true;
}

std::shared_ptr<const Plan> Compiler::run() {
  const ValueId input = graph_.inputs.at(0).value;
  plan_->input_elements = static_cast<std::size_t>(element_count(shape_of(input)));
  const std::size_t storage = add_storage(plan_->input_elements * sizeof(float));
  plan_->storages[storage].buffer.place = Buffer::Place::kInput;
  const Located callers{input_layout(graph_), storage};
  if (scale_of(input)) {
    callers_ = callers;  // Into 8 bits when somebody needs it there.
  } else {
    produce(input, callers);
  }
  for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
    if (!done_[i]) compile(graph_.nodes[i]);
  }
  set_kind(options_.kind);
  place_outputs();
  lay_out_plan(*plan_, kAlignment);
  return plan_;
}

void Compiler::set_kind(ElementKind kind) {
  kind_ = kind;
  type_ = type_of(kind);
}

void Compiler::compile(const Node& node) {
  uncounted_macs_ = multiply_accumulates(graph_, node);
  set_kind(kind_of(node));
  Obstacle obstacle;
  if (is_integer(node)) {
    obstacle = compile_integer(node);
    if (obstacle.empty()) return;
    plan_->emulated_layers.push_back({node.name, std::string(node.op->name), obstacle});
  }
  obstacle = compile_fast(node);
  if (obstacle.empty()) return;
  compile_reference(node);
  plan_->slow_layers.push_back({node.name, std::string(node.op->name), obstacle});
}

Obstacle Compiler::compile_fast(const Node& node) {
  const std::string_view op = node.op->name;
  if (op == "Reshape" || op == "Flatten" || op == "Squeeze" || op == "Unsqueeze") {
    return compile_view(node);
  }
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] == kNoValue) continue;
    const TensorType& type = graph_.value(node.outputs[i]).type;
    if (type.type != DataType::kFloat32) return fmt::format("a {} result", to_string(type.type));
    if (is_raw(node.outputs[i])) return "an empty or very large result, or too many axes";
    if (i > 0 && op != "Split") return "a second output";
  }
  if (node.inputs.empty() || node.inputs[0] == kNoValue || is_raw(node.inputs[0])) {
    return "an operand that is not float32, empty or very large";
  }
  if (op == "Conv") return compile_convolution(node);
  if (op == "Gemm") return compile_gemm(node);
  if (op == "MatMul") return compile_matmul(node);
  if (op.ends_with("Pool")) return compile_pooling(node);
  if (op == "Softmax" || op == "LogSoftmax") return compile_softmax(node);
  if (op == "LRN") return compile_lrn(node);
  if (op.ends_with("Normalization")) return compile_normalization(node);
  if (op.starts_with("Reduce")) return compile_reduction(node);
  if (op == "Concat") return compile_concat(node);
  if (op == "Transpose") return compile_transpose(node);
  if (op == "Split") return compile_split(node);
  if (op == "Slice" || op == "Gather" || op == "Expand" || op == "Tile" || op == "Pad" ||
      op == "DepthToSpace" || op == "SpaceToDepth" || op == "Resize" || op == "Upsample") {
    return compile_moving(node);
  }
  return compile_elementwise(node);
}

void Compiler::add_step(std::string name, std::string kernel, Kernel device,
                        std::vector<Argument> arguments) {
  plan_->steps.push_back({.name = std::move(name),
                          .kernel = std::move(kernel),
                          .precision = integers_ ? "int8" : std::string(name_of(kind_)),
                          .device = std::move(device),
                          .arguments = std::move(arguments),
                          .multiply_accumulates = std::exchange(uncounted_macs_, 0)});
}

void Compiler::finish(const Node& node, Located located, std::size_t done) {
  const std::span<const PostOp> all(node.post_ops);
  while (done < all.size()) {
    if (all[done].kind == PostOp::Kind::kAdd) {
      const Located operand = locate(all[done].operand);
      add_map(node.name, "Add hedge:map", MapOp::kAdd, located, located, &operand);
      ++done;
      continue;
    }
    std::size_t end = done;
    while (end < all.size() && all[end].kind != PostOp::Kind::kAdd && end - done < kMostPostOps) {
      ++end;
    }
    add_map(node.name, fmt::format("{} hedge:map", to_string(all[done].kind)), MapOp::kCopy,
            located, located, nullptr, all.subspan(done, end - done));
    done = end;
  }
  produce(node.outputs[0], located);
}

/// Post-ops write, and a view may not: others read those bytes.
void Compiler::finish_view(const Node& node, const Located& seen) {
  if (node.post_ops.empty()) return produce(node.outputs[0], seen);
  const Located copy = new_result(plain_like(seen.layout, type_));
  add_copy(node.name, seen, copy);
  finish(node, copy, 0);
}

Layout Compiler::result_layout(const Node& node, const Layout& otherwise) const {
  const auto id = static_cast<std::size_t>(node.outputs[0]);
  if (is_output_[id] && reads_[id] == 0 && !scale_of(node.outputs[0])) {
    return row_major(otherwise.dims, ElementType::kFloat32);
  }
  return otherwise;
}

Layout Compiler::stored_layout(const Node& node, const Layout& otherwise) const {
  const auto scale = scale_of(node.outputs[0]);
  return scale ? bytes_like(otherwise, *scale) : result_layout(node, otherwise);
}

void Compiler::place_outputs() {
  const auto touched = [&](std::size_t storage) {
    std::size_t steps = 0;
    for (const Step& step : plan_->steps) {
      steps += static_cast<std::size_t>(
          std::any_of(step.arguments.begin(), step.arguments.end(),
                      [&](const Argument& argument) { return argument.storage == storage; }));
    }
    return steps;
  };
  for (std::size_t i = 0; i < graph_.outputs.size(); ++i) {
    const ValueId id = graph_.outputs[i];
    const TensorType& type = graph_.value(id).type;
    plan_->output_elements.push_back(static_cast<std::size_t>(element_count(type.shape)));
    const std::size_t bytes = plan_->output_elements.back() * sizeof(float);
    const Located last = locate(id);
    Storage& storage = plan_->storages[last.storage];
    // The last step writes where the caller reads; nobody else does there.
    const bool direct = storage.buffer.place == Buffer::Place::kArena && !is_raw(id) &&
                        last.layout.type == ElementType::kFloat32 && is_row_major(last.layout) &&
                        last.offset == 0 && storage.bytes == bytes && touched(last.storage) == 1;
    if (direct) {
      storage.buffer = {Buffer::Place::kOutput, i};
      continue;
    }
    const Located out{row_major(type.shape, ElementType::kFloat32), add_storage(bytes)};
    plan_->storages[out.storage].buffer = {Buffer::Place::kOutput, i};
    const std::string name = fmt::format("{} (output)", graph_.value(id).name);
    if (is_raw(id)) {
      add_conversion(last, type, out, name);
    } else {
      add_copy(name, last, out);
    }
  }
}

std::vector<std::string> warnings_of(const Plan& plan) {
  std::vector<std::string> warnings =
      describe_slow(plan.slow_layers, plan.steps.size(), kByReference);
  for (std::string& text : describe_slow(plan.emulated_layers, plan.steps.size(), kEmulated)) {
    warnings.push_back(std::move(text));
  }
  return warnings;
}

std::string_view name_of(ElementKind kind) {
  switch (kind) {
    case ElementKind::kHalf:
      return "fp16";
    case ElementKind::kBfloat16:
      return "bf16";
    case ElementKind::kTf32:
      return "tf32";
    case ElementKind::kInt8:
      return "int8";
    case ElementKind::kFloat32:
      break;
  }
  return "fp32";
}

std::shared_ptr<const Plan> compile(const Graph& graph, const PlanOptions& options) {
  require_supported(graph);
  return Compiler(graph, options).run();
}

}  // namespace hedge::cuda
