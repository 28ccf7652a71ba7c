// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/compiler.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "backends/cpu/threads.h"
#include "engine/reference_layer.h"
#include "graph/early_exit.h"
#include "graph/post_op.h"
#include "graph/query.h"

namespace hedge::cpu {
namespace {

using Type = dnnl::memory::data_type;
using Tag = dnnl::memory::format_tag;

}  // namespace

Desc any_layout(const Shape& shape, Type type) {
  return {Dims(shape), type, Tag::any};
}

Desc row_major(const Shape& shape, Type type) {
  Dims dims(shape);
  if (dims.empty()) dims = {1};
  Dims strides(dims.size(), 1);
  for (std::size_t i = dims.size() - 1; i-- > 0;) strides[i] = strides[i + 1] * dims[i + 1];
  return {dims, type, strides};
}

Desc nhwc(const Shape& s, Type type) {
  return {Dims(s), type, Dims{s[1] * s[2] * s[3], 1, s[3] * s[1], s[1]}};
}

Desc with_type(const Desc& plain, Type type) {
  const auto layout = blocking_of(plain);
  return {layout->dims, type, layout->strides};
}

std::string name_of(Type precision) {
  return precision == Type::bf16 ? "bf16" : precision == Type::f16 ? "fp16" : "fp32";
}

Compiler::Compiler(const Graph& graph, const PlanOptions& options)
    : graph_(graph),
      options_(options),
      plan_(std::make_shared<Plan>()),
      isa_(effective_isa()),
      precision_(options.precision),
      forms_(graph.values.size()),
      byte_forms_(graph.values.size()),
      last_use_(graph.values.size(), 0) {
  plan_->engine = dnnl::engine(dnnl::engine::kind::cpu, 0);
  plan_->threads = options.threads;
  plan_->output_elements.resize(graph.outputs.size());
  stream_ = dnnl::stream(plan_->engine);
  use_threads(options.threads);

  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    for (const ValueId id : reference_inputs(graph.nodes[i])) {
      last_use_[static_cast<std::size_t>(id)] = i;
    }
  }
  for (const ValueId id : graph.outputs)
    last_use_[static_cast<std::size_t>(id)] = graph.nodes.size();
}

std::shared_ptr<const Plan> Compiler::run() {
  const GraphInput& input = graph_.inputs.at(0);
  const Shape& shape = shape_of(input.value);
  plan_->input_elements = static_cast<std::size_t>(element_count(shape));

  // The caller's tensor is row-major in its own order of axes; seen in ours, it has strides.
  Dims strides(shape.size());
  const Shape outer = graph_.input_type(0).shape;
  std::int64_t stride = 1;
  for (std::size_t i = outer.size(); i-- > 0;) {
    const std::size_t axis =
        input.permutation.empty()
            ? i
            : static_cast<std::size_t>(std::find(input.permutation.begin(), input.permutation.end(),
                                                 static_cast<std::int64_t>(i)) -
                                       input.permutation.begin());
    strides.at(axis) = stride;
    stride *= outer[i];
  }
  const std::size_t storage = add_storage(plan_->input_elements * sizeof(float));
  plan_->storages[storage].buffer.place = Buffer::Place::kInput;
  produce(input.value,
          {shape.empty() ? row_major(shape, Type::f32) : Desc(Dims(shape), Type::f32, strides),
           storage});

  const std::optional<std::size_t> exit = options_.exit_output;
  const std::size_t stem =
      exit ? stem_length(graph_, graph_.outputs.at(*exit)) : graph_.nodes.size();
  for (node_index_ = 0; node_index_ < graph_.nodes.size(); ++node_index_) {
    compile(graph_.nodes[node_index_]);
    if (exit && node_index_ + 1 == stem) {
      place_output(*exit);
      plan_->stem_steps = plan_->steps.size();
    }
  }
  for (std::size_t i = 0; i < graph_.outputs.size(); ++i) {
    if (i != exit) place_output(i);
  }
  lay_out_plan(*plan_, kAlignment);
  for (const dnnl::memory& memory : plan_->weights)
    plan_->weight_bytes += memory.get_desc().get_size();
  return plan_;
}

void Compiler::compile(const Node& node) {
  uncounted_macs_ = multiply_accumulates(graph_, node);
  const auto stated = options_.precisions.find(node.name);
  precision_ = stated == options_.precisions.end() ? options_.precision : stated->second;
  const auto attempt = [&](bool bytes, auto compile_node) {
    Obstacle obstacle;
    bytes_ = bytes;
    try {
      obstacle = (this->*compile_node)(node);
    } catch (const dnnl::error& error) {
      if (error.status != dnnl_unimplemented) throw;
      obstacle = fmt::format("oneDNN {} has no kernel for it", library_version());
    }
    bytes_ = false;
    return obstacle;
  };
  Obstacle obstacle;
  if (is_integer(node)) {
    obstacle = attempt(true, &Compiler::compile_integer);
    if (obstacle.empty()) return;
    plan_->emulated_layers.push_back({node.name, std::string(node.op->name), obstacle});
  } else if (adds_bytes(node) && attempt(true, &Compiler::compile_byte_add).empty()) {
    return;
  } else if (moves_bytes(node) && attempt(true, &Compiler::compile_fast).empty()) {
    return;
  }
  obstacle = attempt(false, &Compiler::compile_fast);
  if (obstacle.empty()) return;
  compile_reference(node);
  plan_->slow_layers.push_back({node.name, std::string(node.op->name), obstacle});
}

Obstacle Compiler::compile_fast(const Node& node) {
  const std::string_view op = node.op->name;
  if (is_op(node, "Reshape") || is_op(node, "Flatten") || is_op(node, "Squeeze") ||
      is_op(node, "Unsqueeze")) {
    return compile_view(node);
  }
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] == kNoValue) continue;
    const TensorType& type = graph_.value(node.outputs[i]).type;
    if (type.type != DataType::kFloat32) return fmt::format("a {} result", to_string(type.type));
    if (is_raw(node.outputs[i])) return "an empty result, or too many axes";
    if (i > 0 && op != "Split") return "a second output";
  }
  if (node.inputs.empty() || node.inputs[0] == kNoValue || is_raw(node.inputs[0])) {
    return "an operand that is not float32";
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

// ---- steps

void Compiler::add_scratchpad(std::vector<Argument>& arguments, const Desc& scratchpad) {
  const std::size_t bytes = scratchpad.get_size();
  if (bytes > 0) arguments.push_back({DNNL_ARG_SCRATCHPAD, scratchpad, add_storage(bytes)});
}

void Compiler::add_library_step(const Node& node, const AnyPrimitive& any,
                                std::vector<Argument> arguments, const std::string& suffix) {
  add_scratchpad(arguments, any.scratchpad);
  add_step({.name = node.name,
            .kernel = fmt::format("{} {}{}", node.op->name, any.implementation, suffix),
            .primitive = any.primitive,
            .arguments = std::move(arguments),
            .multiply_accumulates = std::exchange(uncounted_macs_, 0)});
}

void Compiler::add_reorder(const std::string& name, const Located& from, const Located& to) {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  const dnnl::reorder::primitive_desc desc(plan_->engine, from.desc, plan_->engine, to.desc, attr);
  if (is_slow(desc.impl_info_str()) && add_own_reorder(name, from, to)) return;
  std::vector<Argument> arguments{argument(DNNL_ARG_FROM, from), argument(DNNL_ARG_TO, to)};
  add_scratchpad(arguments, desc.scratchpad_desc());
  add_step({.name = name,
            .kernel = fmt::format("reorder {}", desc.impl_info_str()),
            .primitive = dnnl::reorder(desc),
            .arguments = std::move(arguments)});
}

void Compiler::add_own_step(const Node& node, const std::string& kernel, Kernel own,
                            std::vector<Argument> arguments) {
  add_step({.name = node.name,
            .kernel = kernel,
            .own = std::move(own),
            .arguments = std::move(arguments),
            .multiply_accumulates = std::exchange(uncounted_macs_, 0)});
}

dnnl::primitive_attr Compiler::plain_attributes() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

dnnl::primitive_attr Compiler::attributes_of(const Node& node, const PostOps& fused) {
  dnnl::post_ops chain;
  for (std::size_t i = fused.begin; i < fused.end; ++i) {
    const PostOp& post_op = node.post_ops[i];
    if (post_op.kind == PostOp::Kind::kAdd) {
      chain.append_sum(1.0F);
      continue;
    }
    for (const Eltwise& part : eltwise_of(post_op)) {
      append_eltwise(chain, part.algorithm, part.alpha, part.beta);
    }
  }
  dnnl::primitive_attr attributes = plain_attributes();
  attributes.set_post_ops(chain);
  return attributes;
}

Compiler::PostOps Compiler::post_ops(const Node& node, Fusing fusing, std::size_t begin) const {
  PostOps result{begin, begin, kNoValue, {}};
  const bool own = fusing == Fusing::kOwn;
  const TensorType& type = graph_.value(node.outputs[0]).type;
  for (; result.end < node.post_ops.size(); ++result.end) {
    const PostOp& post_op = node.post_ops[result.end];
    if (post_op.kind == PostOp::Kind::kAdd) {
      if (result.residual != kNoValue || (own && result.end != begin) ||
          graph_.is_constant(post_op.operand) || graph_.value(post_op.operand).type != type) {
        break;
      }
      result.residual = post_op.operand;
    } else if (own && !is_bound(post_op)) {
      break;
    }
    result.text += fmt::format(" + {}", to_string(post_op.kind));
  }
  return result;
}

bool Compiler::may_overwrite(const Located& value, std::size_t bytes,
                             const std::vector<std::size_t>& sources) const {
  const Storage& storage = plan_->storages[value.storage];
  return storage.buffer.place == Buffer::Place::kArena && storage.bytes == bytes &&
         value.offset == 0 && storage_last_use_[value.storage] <= node_index_ &&
         std::find(sources.begin(), sources.end(), value.storage) == sources.end();
}

std::size_t Compiler::result_storage(const Node& node, const Desc& dst, ValueId residual,
                                     const std::vector<std::size_t>& sources) {
  if (residual == kNoValue) return add_storage(dst.get_size());
  const Located operand = with_desc(residual, dst, node.name);
  const auto adds_it = [&](const PostOp& post_op) { return post_op.operand == residual; };
  const bool once = std::count_if(node.post_ops.begin(), node.post_ops.end(), adds_it) == 1;
  if (once && may_overwrite(operand, dst.get_size(), sources)) return operand.storage;
  const Located copy = new_result(dst);
  add_reorder(fmt::format("{} (copy for {})", graph_.value(residual).name, node.name), operand,
              copy);
  return copy.storage;
}

void Compiler::finish(const Node& node, const Located& located, std::size_t done) {
  Located last = located;
  for (std::size_t i = done; i < node.post_ops.size(); ++i) {
    const PostOp& post_op = node.post_ops[i];
    if (post_op.kind == PostOp::Kind::kAdd) {
      const Shape& shape = shape_of(node.outputs[0]);
      last = add_binary(
          node, dnnl::algorithm::binary_add, kernels::BinaryOp::kAdd, {last, shape, kNoValue},
          {packed(post_op.operand, node.name), shape_of(post_op.operand), post_op.operand}, shape,
          {});
    } else {
      add_activation(node, post_op, last, last);
    }
  }
  produce(node.outputs[0], last);
}

/// Behind the steps that there are so far. A storage that is an output already is not taken again.
void Compiler::place_output(std::size_t index) {
  const ValueId id = graph_.outputs[index];
  const TensorType& type = graph_.value(id).type;
  const auto elements = static_cast<std::size_t>(element_count(type.shape));
  const std::size_t bytes = elements * sizeof(float);
  plan_->output_elements.at(index) = elements;
  const Located last = locate(id);
  const bool direct = plan_->storages[last.storage].buffer.place == Buffer::Place::kArena &&
                      !is_raw(id) && type_of(last.desc) == Type::f32 && is_row_major(last.desc) &&
                      last.offset == 0 && plan_->storages[last.storage].bytes == bytes;
  if (direct) {  // The last step writes where the caller reads.
    plan_->storages[last.storage].buffer = {Buffer::Place::kOutput, index};
    return;
  }
  const Located out{row_major(type.shape, Type::f32), add_storage(bytes)};
  plan_->storages[out.storage].buffer = {Buffer::Place::kOutput, index};
  const std::string name = fmt::format("{} (output)", graph_.value(id).name);
  if (is_raw(id)) {
    add_conversion(last, type, out, name);
  } else {
    add_reorder(name, last, out);
  }
}

std::shared_ptr<const Plan> compile(const Graph& graph, const PlanOptions& options) {
  const auto require_floats = [](const char* what, const Value& value) {
    if (value.type.type == DataType::kFloat32) return;
    throw bad_input(
        fmt::format("the {} {} is {}; the cpu backend takes a model whose {} is float32", what,
                    value.name, to_string(value.type.type), what));
  };
  for (const Value& value : graph.values) {
    if (!value.constant && value.quantization && value.quantization->scales.size() != 1) {
      throw bad_input(
          fmt::format("the activations {} have a scale for each channel; quantize them per tensor",
                      value.name));
    }
  }
  require_floats("input", graph.value(graph.inputs.at(0).value));
  require_floats("first output", graph.value(graph.outputs.at(0)));
  try {
    return Compiler(graph, options).run();
  } catch (const dnnl::error& error) {
    throw runtime_failure(fmt::format("oneDNN {}: {}", library_version(), error.message));
  }
}

std::map<std::string, std::vector<std::string>> convolution_tactics(const Graph& graph,
                                                                    const PlanOptions& options) {
  PlanOptions listing = options;
  listing.list_tactics = true;
  Compiler compiler(graph, listing);
  (void)compiler.run();
  return compiler.tactics_seen();
}

}  // namespace hedge::cpu
