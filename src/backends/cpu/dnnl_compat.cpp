// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/dnnl_compat.h"

#include <fmt/format.h>
#include <oneapi/dnnl/dnnl_version.h>

namespace hedge::cpu {
namespace {

constexpr auto kInference = dnnl::prop_kind::forward_inference;

template <class Primitive, class PrimitiveDesc>
AnyPrimitive any(const PrimitiveDesc& desc) {
  return {Primitive(desc), desc.dst_desc(), desc.scratchpad_desc(), desc.impl_info_str()};
}

}  // namespace

void for_each_convolution(
    const dnnl::engine& engine, dnnl::algorithm algorithm, const Desc& src, const Desc& weights,
    const Desc& bias, const Desc& dst, const Window& window, const dnnl::primitive_attr& attr,
    const std::function<bool(const dnnl::convolution_forward::primitive_desc&)>& visit) {
#if DNNL_VERSION_MAJOR >= 3
  dnnl::convolution_forward::primitive_desc desc(engine, kInference, algorithm, src, weights, bias,
                                                 dst, window.strides, window.dilations,
                                                 window.pad_begin, window.pad_end, attr);
#else
  const dnnl::convolution_forward::desc operation(kInference, algorithm, src, weights, bias, dst,
                                                  window.strides, window.dilations,
                                                  window.pad_begin, window.pad_end);
  dnnl::convolution_forward::primitive_desc desc(operation, attr, engine);
#endif
  while (!visit(desc) && desc.next_impl()) {
  }
}

#if DNNL_VERSION_MAJOR >= 3

dnnl::inner_product_forward::primitive_desc inner_product_desc(const dnnl::engine& engine,
                                                               const Desc& src, const Desc& weights,
                                                               const Desc& bias, const Desc& dst,
                                                               const dnnl::primitive_attr& attr) {
  return {engine, kInference, src, weights, bias, dst, attr};
}

AnyPrimitive pooling(const dnnl::engine& engine, dnnl::algorithm algorithm, const Desc& src,
                     const Desc& dst, const Window& window, const dnnl::primitive_attr& attr) {
  using Primitive = dnnl::pooling_forward;
  return any<Primitive>(Primitive::primitive_desc(engine, kInference, algorithm, src, dst,
                                                  window.strides, window.kernel, window.dilations,
                                                  window.pad_begin, window.pad_end, attr));
}

AnyPrimitive softmax(const dnnl::engine& engine, const Desc& src_and_dst, int axis,
                     const dnnl::primitive_attr& attr) {
  using Primitive = dnnl::softmax_forward;
  return any<Primitive>(Primitive::primitive_desc(
      engine, kInference, dnnl::algorithm::softmax_accurate, src_and_dst, src_and_dst, axis, attr));
}

AnyPrimitive eltwise(const dnnl::engine& engine, dnnl::algorithm algorithm, const Desc& src,
                     float alpha, float beta, const dnnl::primitive_attr& attr) {
  using Primitive = dnnl::eltwise_forward;
  return any<Primitive>(
      Primitive::primitive_desc(engine, kInference, algorithm, src, src, alpha, beta, attr));
}

AnyPrimitive binary_add(const dnnl::engine& engine, const Desc& a, const Desc& b, const Desc& dst,
                        const dnnl::primitive_attr& attr) {
  using Primitive = dnnl::binary;
  return any<Primitive>(
      Primitive::primitive_desc(engine, dnnl::algorithm::binary_add, a, b, dst, attr));
}

AnyPrimitive concat(const dnnl::engine& engine, int axis, const std::vector<Desc>& parts,
                    const dnnl::primitive_attr& attr) {
  return any<dnnl::concat>(dnnl::concat::primitive_desc(engine, axis, parts, attr));
}

void append_eltwise(dnnl::post_ops& post_ops, dnnl::algorithm algorithm, float alpha, float beta) {
  post_ops.append_eltwise(algorithm, alpha, beta);
}

Dims dims_of(const Desc& desc) {
  return desc.get_dims();
}

dnnl::memory::data_type type_of(const Desc& desc) {
  return desc.get_data_type();
}

bool is_row_major(const Desc& desc) {
  if (desc.get_format_kind() != dnnl::memory::format_kind::blocked) return false;
  if (desc.get_inner_nblks() != 0 || desc.get_padded_dims() != desc.get_dims()) return false;
  const Dims dims = desc.get_dims();
  const Dims strides = desc.get_strides();
#else

dnnl::inner_product_forward::primitive_desc inner_product_desc(const dnnl::engine& engine,
                                                               const Desc& src, const Desc& weights,
                                                               const Desc& bias, const Desc& dst,
                                                               const dnnl::primitive_attr& attr) {
  return {{kInference, src, weights, bias, dst}, attr, engine};
}

AnyPrimitive pooling(const dnnl::engine& engine, dnnl::algorithm algorithm, const Desc& src,
                     const Desc& dst, const Window& window, const dnnl::primitive_attr& attr) {
  using Primitive = dnnl::pooling_v2_forward;
  return any<Primitive>(
      Primitive::primitive_desc({kInference, algorithm, src, dst, window.strides, window.kernel,
                                 window.dilations, window.pad_begin, window.pad_end},
                                attr, engine));
}

AnyPrimitive softmax(const dnnl::engine& engine, const Desc& src_and_dst, int axis,
                     const dnnl::primitive_attr& attr) {
  using Primitive = dnnl::softmax_forward;
  return any<Primitive>(Primitive::primitive_desc({kInference, src_and_dst, axis}, attr, engine));
}

AnyPrimitive eltwise(const dnnl::engine& engine, dnnl::algorithm algorithm, const Desc& src,
                     float alpha, float beta, const dnnl::primitive_attr& attr) {
  using Primitive = dnnl::eltwise_forward;
  return any<Primitive>(
      Primitive::primitive_desc({kInference, algorithm, src, alpha, beta}, attr, engine));
}

AnyPrimitive binary_add(const dnnl::engine& engine, const Desc& a, const Desc& b, const Desc& dst,
                        const dnnl::primitive_attr& attr) {
  using Primitive = dnnl::binary;
  return any<Primitive>(
      Primitive::primitive_desc({dnnl::algorithm::binary_add, a, b, dst}, attr, engine));
}

AnyPrimitive concat(const dnnl::engine& engine, int axis, const std::vector<Desc>& parts,
                    const dnnl::primitive_attr& attr) {
  return any<dnnl::concat>(dnnl::concat::primitive_desc(axis, parts, engine, attr));
}

void append_eltwise(dnnl::post_ops& post_ops, dnnl::algorithm algorithm, float alpha, float beta) {
  post_ops.append_eltwise(1.0F, algorithm, alpha, beta);
}

Dims dims_of(const Desc& desc) {
  return desc.dims();
}

dnnl::memory::data_type type_of(const Desc& desc) {
  return desc.data_type();
}

bool is_row_major(const Desc& desc) {
  if (desc.data.format_kind != dnnl_blocked) return false;
  const auto& blocking = desc.data.format_desc.blocking;
  const Dims dims = desc.dims();
  if (blocking.inner_nblks != 0) return false;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (desc.data.padded_dims[i] != dims[i]) return false;
  }
  const Dims strides(blocking.strides, blocking.strides + dims.size());
#endif
  dnnl::memory::dim expected = 1;
  for (std::size_t i = dims.size(); i-- > 0;) {
    if (dims[i] != 1 && strides[i] != expected) return false;
    expected *= dims[i];
  }
  return true;
}

std::string library_version() {
  const dnnl_version_t* version = dnnl_version();
  return fmt::format("{}.{}.{}", version->major, version->minor, version->patch);
}

std::string effective_isa() {
  switch (dnnl_get_effective_cpu_isa()) {
    case dnnl_cpu_isa_sse41:
      return "sse41";
    case dnnl_cpu_isa_avx:
      return "avx";
    case dnnl_cpu_isa_avx2:
      return "avx2";
    case dnnl_cpu_isa_avx2_vnni:
      return "avx2_vnni";
    case dnnl_cpu_isa_avx512_core:
      return "avx512_core";
    case dnnl_cpu_isa_avx512_core_vnni:
      return "avx512_core_vnni";
    case dnnl_cpu_isa_avx512_core_bf16:
      return "avx512_core_bf16";
    case dnnl_cpu_isa_avx512_core_amx:
      return "avx512_core_amx";
    default:
      return fmt::format("isa {:#x}", static_cast<unsigned>(dnnl_get_effective_cpu_isa()));
  }
}

}  // namespace hedge::cpu
