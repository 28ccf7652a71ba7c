// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/dnnl_compat.h"

#include <fmt/format.h>
#include <oneapi/dnnl/dnnl_version.h>

#include <algorithm>
#include <utility>

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

AnyPrimitive log_softmax(const dnnl::engine& engine, const Desc& src_and_dst, int axis,
                         const dnnl::primitive_attr& attr) {
  using Primitive = dnnl::softmax_forward;
  return any<Primitive>(Primitive::primitive_desc(engine, kInference, dnnl::algorithm::softmax_log,
                                                  src_and_dst, src_and_dst, axis, attr));
}

AnyPrimitive binary(const dnnl::engine& engine, dnnl::algorithm algorithm, const Desc& a,
                    const Desc& b, const Desc& dst, const dnnl::primitive_attr& attr) {
  using Primitive = dnnl::binary;
  return any<Primitive>(Primitive::primitive_desc(engine, algorithm, a, b, dst, attr));
}

AnyPrimitive matmul(const dnnl::engine& engine, const Desc& a, const Desc& b, const Desc& bias,
                    const Desc& dst, const dnnl::primitive_attr& attr) {
  using Primitive = dnnl::matmul;
  return any<Primitive>(Primitive::primitive_desc(engine, a, b, bias, dst, attr));
}

AnyPrimitive lrn(const dnnl::engine& engine, const Desc& src, std::int64_t size, float alpha,
                 float beta, float k, const dnnl::primitive_attr& attr) {
  using Primitive = dnnl::lrn_forward;
  return any<Primitive>(Primitive::primitive_desc(engine, kInference,
                                                  dnnl::algorithm::lrn_across_channels, src, src,
                                                  size, alpha, beta, k, attr));
}

AnyPrimitive concat(const dnnl::engine& engine, int axis, const std::vector<Desc>& parts,
                    const dnnl::primitive_attr& attr) {
  return any<dnnl::concat>(dnnl::concat::primitive_desc(engine, axis, parts, attr));
}

void append_eltwise(dnnl::post_ops& post_ops, dnnl::algorithm algorithm, float alpha, float beta) {
  post_ops.append_eltwise(algorithm, alpha, beta);
}

void append_sum(dnnl::post_ops& post_ops, float scale, dnnl::memory::data_type type) {
  post_ops.append_sum(scale, 0, type);
}

void set_scales(dnnl::primitive_attr& attributes, const Scales& scales) {
  const bool grouped = scales.of == Scales::Of::kGroupedConvolution;
  attributes.set_scales_mask(DNNL_ARG_WEIGHTS, grouped ? 3 : 1);
  if (scales.source_zero_point != 0) attributes.set_zero_points_mask(DNNL_ARG_SRC, 0);
}

std::vector<std::pair<int, dnnl::memory>> scale_arguments(const dnnl::engine& engine,
                                                          const Scales& scales) {
  const auto count = static_cast<dnnl::memory::dim>(scales.factors.size());
  dnnl::memory factors({{count}, dnnl::memory::data_type::f32, dnnl::memory::format_tag::a},
                       engine);
  std::copy(scales.factors.begin(), scales.factors.end(),
            static_cast<float*>(factors.get_data_handle()));
  std::vector<std::pair<int, dnnl::memory>> arguments{
      {DNNL_ARG_ATTR_SCALES | DNNL_ARG_WEIGHTS, factors}};
  if (scales.source_zero_point != 0) {
    dnnl::memory zero({{1}, dnnl::memory::data_type::s32, dnnl::memory::format_tag::a}, engine);
    *static_cast<std::int32_t*>(zero.get_data_handle()) = scales.source_zero_point;
    arguments.emplace_back(DNNL_ARG_ATTR_ZERO_POINTS | DNNL_ARG_SRC, zero);
  }
  return arguments;
}

Dims dims_of(const Desc& desc) {
  return desc.get_dims();
}

dnnl::memory::data_type type_of(const Desc& desc) {
  return desc.get_data_type();
}

std::optional<Blocking> blocking_of(const Desc& desc) {
  if (desc.get_format_kind() != dnnl::memory::format_kind::blocked) return std::nullopt;
  return Blocking{desc.get_dims(), desc.get_padded_dims(), desc.get_strides(),
                  desc.get_inner_idxs(), desc.get_inner_blks()};
}

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

AnyPrimitive log_softmax(const dnnl::engine& engine, const Desc& src_and_dst, int axis,
                         const dnnl::primitive_attr& attr) {
  using Primitive = dnnl::logsoftmax_forward;
  return any<Primitive>(Primitive::primitive_desc({kInference, src_and_dst, axis}, attr, engine));
}

AnyPrimitive binary(const dnnl::engine& engine, dnnl::algorithm algorithm, const Desc& a,
                    const Desc& b, const Desc& dst, const dnnl::primitive_attr& attr) {
  using Primitive = dnnl::binary;
  return any<Primitive>(Primitive::primitive_desc({algorithm, a, b, dst}, attr, engine));
}

AnyPrimitive matmul(const dnnl::engine& engine, const Desc& a, const Desc& b, const Desc& bias,
                    const Desc& dst, const dnnl::primitive_attr& attr) {
  using Primitive = dnnl::matmul;
  return any<Primitive>(Primitive::primitive_desc({a, b, bias, dst}, attr, engine));
}

AnyPrimitive lrn(const dnnl::engine& engine, const Desc& src, std::int64_t size, float alpha,
                 float beta, float k, const dnnl::primitive_attr& attr) {
  using Primitive = dnnl::lrn_forward;
  return any<Primitive>(Primitive::primitive_desc(
      {kInference, dnnl::algorithm::lrn_across_channels, src, size, alpha, beta, k}, attr, engine));
}

AnyPrimitive concat(const dnnl::engine& engine, int axis, const std::vector<Desc>& parts,
                    const dnnl::primitive_attr& attr) {
  return any<dnnl::concat>(dnnl::concat::primitive_desc(axis, parts, engine, attr));
}

void append_eltwise(dnnl::post_ops& post_ops, dnnl::algorithm algorithm, float alpha, float beta) {
  post_ops.append_eltwise(1.0F, algorithm, alpha, beta);
}

void append_sum(dnnl::post_ops& post_ops, float scale, dnnl::memory::data_type type) {
  post_ops.append_sum(scale, type);  // Zero points came with 2.4 only.
}

void set_scales(dnnl::primitive_attr& attributes, const Scales& scales) {
  attributes.set_output_scales(1 << 1, scales.factors);
  if (scales.source_zero_point != 0) {
    attributes.set_zero_points(DNNL_ARG_SRC, 0, {scales.source_zero_point});
  }
}

std::vector<std::pair<int, dnnl::memory>> scale_arguments(const dnnl::engine& /*engine*/,
                                                          const Scales& /*scales*/) {
  return {};
}

Dims dims_of(const Desc& desc) {
  return desc.dims();
}

dnnl::memory::data_type type_of(const Desc& desc) {
  return desc.data_type();
}

std::optional<Blocking> blocking_of(const Desc& desc) {
  if (desc.data.format_kind != dnnl_blocked) return std::nullopt;
  const auto& in = desc.data.format_desc.blocking;
  const int rank = desc.data.ndims;
  return Blocking{desc.dims(), Dims(desc.data.padded_dims, desc.data.padded_dims + rank),
                  Dims(in.strides, in.strides + rank),
                  Dims(in.inner_idxs, in.inner_idxs + in.inner_nblks),
                  Dims(in.inner_blks, in.inner_blks + in.inner_nblks)};
}

#endif

bool is_row_major(const Desc& desc) {
  const auto layout = blocking_of(desc);
  if (!layout || !layout->inner_axes.empty() || layout->padded != layout->dims) return false;
  dnnl::memory::dim expected = 1;
  for (std::size_t i = layout->dims.size(); i-- > 0;) {
    if (layout->dims[i] != 1 && layout->strides[i] != expected) return false;
    expected *= layout->dims[i];
  }
  return true;
}

bool is_packed(const Desc& desc) {
  const auto layout = blocking_of(desc);
  if (!layout) return false;
  // An axis of one element may have any stride: it is never taken.
  Dims extents = layout->padded;
  dnnl::memory::dim expected = 1;
  for (std::size_t i = 0; i < layout->inner_axes.size(); ++i) {
    expected *= layout->inner_sizes[i];
    extents[static_cast<std::size_t>(layout->inner_axes[i])] /= layout->inner_sizes[i];
  }
  std::vector<std::pair<dnnl::memory::dim, dnnl::memory::dim>> axes;
  for (std::size_t i = 0; i < extents.size(); ++i) {
    if (extents[i] != 1) axes.emplace_back(layout->strides[i], extents[i]);
  }
  std::sort(axes.begin(), axes.end());
  for (const auto& [stride, extent] : axes) {
    if (stride != expected) return false;
    expected *= extent;
  }
  return true;
}

ImplementationClass implementation_class(std::string_view implementation) {
  const auto has = [&](std::string_view part) {
    return implementation.find(part) != std::string_view::npos;
  };
  if (has("ref")) return ImplementationClass::kReference;  // "ref:any", "gemm:ref", "reference"
  if (implementation.starts_with(kOwnPrefix)) return ImplementationClass::kOwn;
  if (has("simple")) return ImplementationClass::kSimple;
  return has("gemm:") && !has("brgemm:") ? ImplementationClass::kGemm : ImplementationClass::kTuned;
}

bool is_slow(std::string_view implementation) {
  const auto found = implementation_class(implementation);
  return found == ImplementationClass::kSimple || found == ImplementationClass::kReference;
}

std::string library_version() {
  const dnnl_version_t* version = dnnl_version();
  return fmt::format("{}.{}.{}", version->major, version->minor, version->patch);
}

kernels::Isa isa_of_bits(unsigned bits) {
  const auto includes = [bits](unsigned isa) { return (bits & isa) == isa; };
  if (includes(dnnl_cpu_isa_avx512_core)) return kernels::Isa::kAvx512;
  return includes(dnnl_cpu_isa_avx2) ? kernels::Isa::kAvx2 : kernels::Isa::kBaseline;
}

bool has_byte_products() {
#if defined(__aarch64__)
  return false;
#else
  const auto bits = static_cast<unsigned>(dnnl_get_effective_cpu_isa());
  const auto includes = [bits](unsigned isa) { return (bits & isa) == isa; };
  return includes(dnnl_cpu_isa_avx512_core_vnni) || includes(dnnl_cpu_isa_avx2_vnni);
#endif
}

kernels::Isa effective_isa() {
#if defined(__aarch64__)
  return kernels::Isa::kBaseline;  // oneDNN 2.x would answer with a name of x86.
#else
  return isa_of_bits(static_cast<unsigned>(dnnl_get_effective_cpu_isa()));
#endif
}

std::string effective_isa_name() {
#if defined(__aarch64__)
  return "arm64";  // oneDNN 2.x would answer with a name of x86.
#endif
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
