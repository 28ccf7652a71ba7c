// SPDX-License-Identifier: Apache-2.0
// Where values lie and in which layouts they exist.

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "backends/cuda/compiler.h"
#include "graph/operators/common.h"

namespace hedge::cuda {
namespace {

/// Indices on the device are of 32 bits.
constexpr std::int64_t kMostElements = std::int64_t{1} << 30;

template <class Element, class Convert>
std::vector<std::byte> encode_as(std::span<const float> values, Convert convert) {
  std::vector<std::byte> bytes(values.size() * sizeof(Element));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const Element element = convert(values[i]);
    std::memcpy(bytes.data() + i * sizeof(Element), &element, sizeof(Element));
  }
  return bytes;
}

}  // namespace

std::vector<std::byte> encode(std::span<const float> values, ElementType type) {
  switch (type) {
    case ElementType::kHalf:
      return encode_as<__half>(values, [](float x) { return __float2half_rn(x); });
    case ElementType::kBfloat16:
      return encode_as<__nv_bfloat16>(values, [](float x) { return __float2bfloat16_rn(x); });
    case ElementType::kInt8:
      return encode_as<std::int8_t>(values, [](float x) { return static_cast<std::int8_t>(x); });
    case ElementType::kFloat32:
      break;
  }
  return encode_as<float>(values, [](float x) { return x; });
}

std::size_t Compiler::add_storage(std::size_t bytes) {
  plan_->storages.push_back({bytes, {}});
  return plan_->storages.size() - 1;
}

std::size_t Compiler::add_weights(std::span<const std::byte> bytes) {
  std::vector<std::byte>& all = plan_->weights;
  const std::size_t storage = add_storage(bytes.size());
  plan_->storages[storage].buffer = {Buffer::Place::kWeights, all.size()};
  all.insert(all.end(), bytes.begin(), bytes.end());
  all.resize((all.size() + kAlignment - 1) / kAlignment * kAlignment);
  return storage;
}

Located Compiler::add_constant(const Tensor& tensor, const Layout& layout) {
  std::vector<float> placed(layout.bytes() / byte_size(layout.type), 0.F);
  const auto values = tensor.values<float>();
  operators::for_each_index(layout.dims, [&](const Shape& index, std::size_t flat) {
    placed[operators::dot(index, layout.strides)] = values[flat];
  });
  return {layout, add_weights(encode(placed, layout.type))};
}

Argument Compiler::add_floats(const std::vector<float>& values) {
  return {add_weights(encode(values, ElementType::kFloat32)), 0};
}

bool Compiler::is_raw(ValueId id) const {
  const TensorType& type = graph_.value(id).type;
  const std::int64_t count = element_count(type.shape);
  return type.type != DataType::kFloat32 || type.shape.size() > kMostAxes || count == 0 ||
         count > kMostElements;
}

std::optional<Scale> Compiler::scale_of(ValueId id) const {
  const Value& value = graph_.value(id);
  if (value.constant || !value.quantization || is_raw(id)) return std::nullopt;
  return stored_scale(*value.quantization);
}

void Compiler::produce(ValueId id, const Located& located) {
  const auto scale = scale_of(id);
  if (!scale || (located.layout.type == ElementType::kInt8 && located.layout.scale == *scale)) {
    forms(id).push_back(located);
    return;
  }
  const Located bytes = new_result(bytes_like(located.layout, *scale));
  add_copy(fmt::format("{} (to 8 bits)", graph_.value(id).name), located, bytes);
  forms(id).push_back(bytes);
}

Located Compiler::locate_floats(ValueId id) {
  const Located first = locate(id);
  if (first.layout.type != ElementType::kInt8) return first;
  for (const Located& form : forms(id)) {
    if (form.layout.type != ElementType::kInt8) return form;
  }
  return with_layout(id, like(first.layout, type_), "floating point");
}

Located Compiler::channels_last_bytes(ValueId id, const std::string& why) {
  Layout wanted = channels_last(shape_of(id), ElementType::kInt8);
  wanted.scale = *scale_of(id);
  return with_layout(id, wanted, why);
}

Located Compiler::locate(ValueId id) {
  if (forms(id).empty() && callers_ && id == graph_.inputs.at(0).value) produce(id, *callers_);
  if (forms(id).empty()) {
    const Value& value = graph_.value(id);
    const Tensor& tensor = value.constant.value();  // All else has a producer.
    if (is_raw(id)) {
      const auto bytes = static_cast<std::int64_t>(tensor.bytes().size());
      forms(id).push_back(
          {row_major({(bytes + 3) / 4}, ElementType::kFloat32), add_weights(tensor.bytes())});
    } else {
      // Weights are few, and additions of constants in full precision cost nothing.
      forms(id).push_back(add_constant(tensor, row_major(value.type.shape, ElementType::kFloat32)));
    }
  }
  return forms(id).front();
}

Located Compiler::with_layout(ValueId id, const Layout& wanted, const std::string& why) {
  const bool constant = graph_.is_constant(id);
  if (!constant) (void)locate(id);
  for (const Located& form : forms(id)) {
    if (same_layout(form.layout, wanted) && form.offset % kGranuleBytes == 0) return form;
  }
  Located form;
  if (constant) {  // Once, now, rather than in every run.
    form = add_constant(*graph_.value(id).constant, wanted);
  } else {
    form = new_result(wanted);
    add_copy(fmt::format("{} (for {})", graph_.value(id).name, why), locate(id), form);
  }
  forms(id).push_back(form);
  return form;
}

}  // namespace hedge::cuda
