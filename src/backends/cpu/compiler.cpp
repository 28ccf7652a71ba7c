// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/compiler.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "graph/passes/edit.h"

// Resolved from the OpenMP runtime that oneDNN brings; absent where oneDNN uses another one.
extern "C" __attribute__((weak)) void omp_set_num_threads(int threads);

namespace hedge::cpu {
namespace {

using Type = dnnl::memory::data_type;
using Tag = dnnl::memory::format_tag;

Tag row_major_tag(std::size_t rank) {
  constexpr std::array<Tag, 6> kTags{Tag::a, Tag::ab, Tag::abc, Tag::abcd, Tag::abcde, Tag::abcdef};
  return kTags.at(rank - 1);
}

Dims at_least_1d(const Shape& shape) {
  return shape.empty() ? Dims{1} : Dims(shape);
}

}  // namespace

void use_threads(int threads) noexcept {
  if (omp_set_num_threads != nullptr) omp_set_num_threads(threads);
}

Compiler::Compiler(const Graph& graph, const PlanOptions& options)
    : graph_(graph),
      options_(options),
      plan_(std::make_shared<Plan>()),
      forms_(graph.values.size()),
      last_use_(graph.values.size(), 0) {
  plan_->engine = dnnl::engine(dnnl::engine::kind::cpu, 0);
  plan_->threads = options.threads;
  stream_ = dnnl::stream(plan_->engine);
  use_threads(options.threads);

  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    for (const ValueId id : graph.nodes[i].inputs) {
      if (id != kNoValue) last_use_[static_cast<std::size_t>(id)] = i;
    }
    for (const PostOp& post_op : graph.nodes[i].post_ops) {
      if (post_op.operand != kNoValue) last_use_[static_cast<std::size_t>(post_op.operand)] = i;
    }
  }
  for (const ValueId id : graph.outputs)
    last_use_[static_cast<std::size_t>(id)] = graph.nodes.size();
}

std::shared_ptr<const Plan> Compiler::run() {
  const GraphInput& input = graph_.inputs.at(0);
  const Shape& shape = graph_.value(input.value).type.shape;
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
  produce(input.value, {Desc(at_least_1d(shape), Type::f32, strides), storage});

  for (node_index_ = 0; node_index_ < graph_.nodes.size(); ++node_index_) {
    compile(graph_.nodes[node_index_]);
  }
  place_outputs();
  lay_out_arena(*plan_);
  for (const dnnl::memory& memory : plan_->weights)
    plan_->weight_bytes += memory.get_desc().get_size();
  return plan_;
}

void Compiler::compile(const Node& node) {
  if (is_op(node, "Conv")) return compile_convolution(node);
  if (is_op(node, "Gemm")) return compile_gemm(node);
  if (node.op->name.ends_with("Pool")) return compile_pooling(node);
  if (is_op(node, "Softmax")) return compile_softmax(node);
  if (is_op(node, "Add")) return compile_add(node);
  if (is_op(node, "Relu") || is_op(node, "Clip")) return compile_activation(node);
  if (is_op(node, "Concat")) return compile_concat(node);
  if (is_op(node, "Transpose")) return compile_transpose(node);
  compile_view(node);
}

// ---- values

std::size_t Compiler::add_storage(std::size_t bytes) {
  plan_->storages.push_back({bytes, {}});
  storage_last_use_.push_back(0);
  return plan_->storages.size() - 1;
}

std::size_t Compiler::add_weights(dnnl::memory memory) {
  const std::size_t storage = add_storage(memory.get_desc().get_size());
  plan_->storages[storage].buffer = {Buffer::Place::kWeights, plan_->weights.size()};
  plan_->weights.push_back(std::move(memory));
  return storage;
}

std::size_t Compiler::constant_weights(ValueId id, const Desc& plain, const Desc& wanted) {
  const Tensor& tensor = *graph_.value(id).constant;
  // oneDNN reads but never writes through this handle.
  dnnl::memory from(plain, plan_->engine, const_cast<std::byte*>(tensor.bytes().data()));
  dnnl::memory to(wanted, plan_->engine);
  dnnl::reorder(from, to).execute(stream_, from, to);
  stream_.wait();
  return add_weights(std::move(to));
}

void Compiler::produce(ValueId id, const Located& located) {
  forms_[static_cast<std::size_t>(id)].push_back(located);
  std::size_t& last = storage_last_use_[located.storage];
  last = std::max(last, last_use_[static_cast<std::size_t>(id)]);
}

Located Compiler::locate(ValueId id) {
  auto& forms = forms_[static_cast<std::size_t>(id)];
  if (forms.empty()) {  // A constant among the operands.
    const Value& value = graph_.value(id);
    const Dims dims = at_least_1d(value.type.shape);
    const Desc plain(dims, Type::f32, row_major_tag(dims.size()));
    forms.push_back({plain, constant_weights(id, plain, plain)});
  }
  return forms.front();
}

Located Compiler::with_desc(ValueId id, const Desc& wanted, const std::string& why) {
  const Located first = locate(id);
  for (const Located& form : forms_[static_cast<std::size_t>(id)]) {
    if (form.desc == wanted) return form;
  }
  const Located form{wanted, add_storage(wanted.get_size())};
  add_reorder(fmt::format("{} (for {})", graph_.value(id).name, why), first, form);
  produce(id, form);
  return form;
}

// ---- steps

void Compiler::add_step(const Node& node, const AnyPrimitive& any, std::vector<Argument> arguments,
                        const std::string& suffix) {
  if (any.scratchpad.get_size() > 0) {
    arguments.push_back(
        {DNNL_ARG_SCRATCHPAD, any.scratchpad, add_storage(any.scratchpad.get_size())});
  }
  std::int64_t macs = 0;
  if (node.op->macs != nullptr) {
    std::vector<const Value*> inputs;
    for (const ValueId id : node.inputs) {
      inputs.push_back(id == kNoValue ? nullptr : &graph_.value(id));
    }
    macs = node.op->macs(node, inputs, graph_.value(node.outputs[0]).type);
  }
  plan_->steps.push_back({node.name,
                          fmt::format("{} {}{}", node.op->name, any.implementation, suffix),
                          any.primitive,
                          {},
                          std::move(arguments),
                          macs});
}

void Compiler::add_reorder(const std::string& name, const Located& from, const Located& to) {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  const dnnl::reorder::primitive_desc desc(plan_->engine, from.desc, plan_->engine, to.desc, attr);
  std::vector<Argument> arguments{{DNNL_ARG_FROM, from.desc, from.storage},
                                  {DNNL_ARG_TO, to.desc, to.storage}};
  if (desc.scratchpad_desc().get_size() > 0) {
    arguments.push_back({DNNL_ARG_SCRATCHPAD, desc.scratchpad_desc(),
                         add_storage(desc.scratchpad_desc().get_size())});
  }
  plan_->steps.push_back({name,
                          fmt::format("reorder {}", desc.impl_info_str()),
                          dnnl::reorder(desc),
                          {},
                          std::move(arguments),
                          0});
}

Compiler::PostOps Compiler::post_ops(const Node& node) const {
  PostOps result;
  dnnl::post_ops chain;
  for (const PostOp& post_op : node.post_ops) {
    switch (post_op.kind) {
      case PostOp::Kind::kAdd:
        chain.append_sum(1.0F);
        result.residual = post_op.operand;
        result.text += " + add";
        break;
      case PostOp::Kind::kRelu:
        append_eltwise(chain, dnnl::algorithm::eltwise_relu, 0, 0);
        result.text += " + relu";
        break;
      case PostOp::Kind::kClip:
        append_eltwise(chain, dnnl::algorithm::eltwise_clip, post_op.alpha, post_op.beta);
        result.text += " + clip";
        break;
    }
  }
  result.attr.set_post_ops(chain);
  result.attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return result;
}

std::size_t Compiler::result_storage(const Node& node, const Desc& dst, ValueId residual,
                                     std::size_t source_storage) {
  if (residual == kNoValue) return add_storage(dst.get_size());
  const Located operand = with_desc(residual, dst, node.name);
  const bool in_arena = plan_->storages[operand.storage].buffer.place == Buffer::Place::kArena;
  if (in_arena && storage_last_use_[operand.storage] <= node_index_ &&
      operand.storage != source_storage) {
    return operand.storage;
  }
  const Located copy{dst, add_storage(dst.get_size())};
  add_reorder(fmt::format("{} (copy for {})", graph_.value(residual).name, node.name), operand,
              copy);
  return copy.storage;
}

void Compiler::place_outputs() {
  std::vector<bool> taken(plan_->storages.size(), false);
  for (std::size_t i = 0; i < graph_.outputs.size(); ++i) {
    const ValueId id = graph_.outputs[i];
    const Shape& shape = graph_.value(id).type.shape;
    const Dims dims = at_least_1d(shape);
    plan_->output_elements.push_back(static_cast<std::size_t>(element_count(shape)));
    const Located last = locate(id);
    const bool direct = plan_->storages[last.storage].buffer.place == Buffer::Place::kArena &&
                        type_of(last.desc) == Type::f32 && is_row_major(last.desc) &&
                        !(last.storage < taken.size() && taken[last.storage]);
    if (direct) {  // The last step writes where the caller reads.
      taken[last.storage] = true;
      plan_->storages[last.storage].buffer = {Buffer::Place::kOutput, i};
      continue;
    }
    const Located out{Desc(dims, Type::f32, row_major_tag(dims.size())),
                      add_storage(plan_->output_elements.back() * sizeof(float))};
    plan_->storages[out.storage].buffer = {Buffer::Place::kOutput, i};
    add_reorder(fmt::format("{} (output)", graph_.value(id).name), last, out);
  }
}

std::shared_ptr<const Plan> compile(const Graph& graph, const PlanOptions& options) {
  std::string problems;
  for (const Node& node : graph.nodes) {
    const std::string reason = why_unsupported(graph, node);
    if (reason.empty()) continue;
    problems += fmt::format("{}{} ({}: {})", problems.empty() ? "" : ", ", node.name, node.op->name,
                            reason);
  }
  if (!problems.empty()) {
    throw bad_input(fmt::format("the cpu backend cannot run these layers: {}", problems));
  }
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
