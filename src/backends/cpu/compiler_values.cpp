// SPDX-License-Identifier: Apache-2.0
// Where values lie and in which layouts they exist.

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "backends/cpu/compiler.h"

namespace hedge::cpu {
namespace {

using Type = dnnl::memory::data_type;

/// oneDNN's limit.
constexpr std::size_t kMostAxes = DNNL_MAX_NDIMS;

}  // namespace

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

std::size_t Compiler::add_weights(const Tensor& tensor, const Desc& plain, const Desc& wanted) {
  // oneDNN reads but never writes through this handle.
  dnnl::memory from(plain, plan_->engine, const_cast<std::byte*>(tensor.bytes().data()));
  dnnl::memory to(wanted, plan_->engine);
  dnnl::reorder(from, to).execute(stream_, from, to);
  stream_.wait();
  return add_weights(std::move(to));
}

Located Compiler::add_raw_constant(const Tensor& tensor) {
  const auto bytes = tensor.bytes();
  const Desc desc = row_major({std::max<std::int64_t>(std::ssize(bytes), 1)}, Type::u8);
  dnnl::memory memory(desc, plan_->engine);
  std::copy(bytes.begin(), bytes.end(), static_cast<std::byte*>(memory.get_data_handle()));
  return {desc, add_weights(std::move(memory))};
}

bool Compiler::is_raw(ValueId id) const {
  const TensorType& type = graph_.value(id).type;
  return type.type != DataType::kFloat32 || type.shape.size() > kMostAxes ||
         element_count(type.shape) == 0;
}

void Compiler::produce(ValueId id, const Located& located) {
  if (!bytes_ && quantization_of(id)) return quantize_form(id, located);
  add_form(id, located);
}

void Compiler::add_form(ValueId id, const Located& located) {
  forms(id).push_back(located);
  std::size_t& last = storage_last_use_[located.storage];
  last = std::max(last, last_use_[static_cast<std::size_t>(id)]);
}

Located Compiler::locate(ValueId id) {
  if (forms(id).empty()) {
    const Value& value = graph_.value(id);
    if (!value.constant) {
      dequantize_form(id);
    } else if (is_raw(id)) {
      forms(id).push_back(add_raw_constant(*value.constant));
    } else {
      const Desc plain = row_major(value.type.shape, Type::f32);
      forms(id).push_back({plain, add_weights(*value.constant, plain, plain)});
    }
  }
  return forms(id).front();
}

Located Compiler::with_desc(ValueId id, const Desc& wanted, const std::string& why) {
  if (!graph_.is_constant(id)) (void)locate(id);
  for (const Located& form : forms(id)) {
    if (form.desc == wanted) return form;
  }
  Located form;
  if (graph_.is_constant(id)) {  // Once, now, rather than in every run.
    const Tensor& tensor = *graph_.value(id).constant;
    form = {wanted, add_weights(tensor, row_major(tensor.shape(), Type::f32), wanted)};
  } else {
    form = new_result(wanted);
    add_reorder(fmt::format("{} (for {})", graph_.value(id).name, why), locate(id), form);
  }
  add_form(id, form);
  return form;
}

Located Compiler::packed(ValueId id, const std::string& why) {
  (void)locate(id);
  for (const Located& form : forms(id)) {
    if (is_packed(form.desc)) return form;
  }
  return row_major_form(id, why);
}

Located Compiler::row_major_form(ValueId id, const std::string& why) {
  const Located first = locate(id);
  for (const Located& form : forms(id)) {
    if (is_row_major(form.desc)) return form;
  }
  return with_desc(id, row_major(shape_of(id), type_of(first.desc)), why);
}

Located Compiler::row_major_floats(ValueId id, const std::string& why) {
  (void)locate(id);
  for (const Located& form : forms(id)) {
    if (is_row_major(form.desc) && type_of(form.desc) == Type::f32) return form;
  }
  return with_desc(id, row_major(shape_of(id), Type::f32), why);
}

}  // namespace hedge::cpu
