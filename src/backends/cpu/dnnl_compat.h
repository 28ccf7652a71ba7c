// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <oneapi/dnnl/dnnl.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backends/cpu/kernels/dispatch.h"

// oneDNN 2.x describes an operation first and makes a primitive descriptor of it; 3.x takes all at
// once. Everything that differs between the two is in this header and its source file.

namespace hedge::cpu {

using Desc = dnnl::memory::desc;
using Dims = dnnl::memory::dims;

/// A window that slides over a plane (convolution, pooling). oneDNN counts dilation from 0.
struct Window {
  Dims kernel, strides, dilations, pad_begin, pad_end;
};

/// Shows `visit` every implementation that there is, in oneDNN's order of preference, until it says
/// true. Throws dnnl::error where there is none. (A loop of its own, because in 2.x the search for
/// the next one reads the description of the operation, which must still be alive.)
void for_each_convolution(
    const dnnl::engine& engine, dnnl::algorithm algorithm, const Desc& src, const Desc& weights,
    const Desc& bias, const Desc& dst, const Window& window, const dnnl::primitive_attr& attr,
    const std::function<bool(const dnnl::convolution_forward::primitive_desc&)>& visit);

[[nodiscard]] dnnl::inner_product_forward::primitive_desc inner_product_desc(
    const dnnl::engine& engine, const Desc& src, const Desc& weights, const Desc& bias,
    const Desc& dst, const dnnl::primitive_attr& attr);

/// The primitives below have another C++ type in each major version; their descriptors are the
/// same.
struct AnyPrimitive {
  dnnl::primitive primitive;
  Desc dst;
  Desc scratchpad;
  std::string implementation;
};

[[nodiscard]] AnyPrimitive pooling(const dnnl::engine& engine, dnnl::algorithm algorithm,
                                   const Desc& src, const Desc& dst, const Window& window,
                                   const dnnl::primitive_attr& attr);
[[nodiscard]] AnyPrimitive softmax(const dnnl::engine& engine, const Desc& src_and_dst, int axis,
                                   const dnnl::primitive_attr& attr);
[[nodiscard]] AnyPrimitive eltwise(const dnnl::engine& engine, dnnl::algorithm algorithm,
                                   const Desc& src, float alpha, float beta,
                                   const dnnl::primitive_attr& attr);
[[nodiscard]] AnyPrimitive log_softmax(const dnnl::engine& engine, const Desc& src_and_dst,
                                       int axis, const dnnl::primitive_attr& attr);
[[nodiscard]] AnyPrimitive binary(const dnnl::engine& engine, dnnl::algorithm algorithm,
                                  const Desc& a, const Desc& b, const Desc& dst,
                                  const dnnl::primitive_attr& attr);
/// `bias` may be an empty descriptor.
[[nodiscard]] AnyPrimitive matmul(const dnnl::engine& engine, const Desc& a, const Desc& b,
                                  const Desc& bias, const Desc& dst,
                                  const dnnl::primitive_attr& attr);
/// Across channels: x * (k + alpha / size * sum of squares)^-beta.
[[nodiscard]] AnyPrimitive lrn(const dnnl::engine& engine, const Desc& src, std::int64_t size,
                               float alpha, float beta, float k, const dnnl::primitive_attr& attr);
[[nodiscard]] AnyPrimitive concat(const dnnl::engine& engine, int axis,
                                  const std::vector<Desc>& parts, const dnnl::primitive_attr& attr);

void append_eltwise(dnnl::post_ops& post_ops, dnnl::algorithm algorithm, float alpha, float beta);
/// Adds scale times what lies in the destination, read as numbers of `type`.
void append_sum(dnnl::post_ops& post_ops, float scale, dnnl::memory::data_type type);

/// What turns sums of products of 8-bit numbers into results.
struct Scales {
  enum class Of : std::uint8_t { kConvolution, kGroupedConvolution, kProduct };
  Of of = Of::kConvolution;
  std::vector<float> factors;          ///< One for each output channel.
  std::int32_t source_zero_point = 0;  ///< Padding holds it too.
};
void set_scales(dnnl::primitive_attr& attributes, const Scales& scales);
/// What 3.x takes as arguments of the primitive: their ids and numbers.
[[nodiscard]] std::vector<std::pair<int, dnnl::memory>> scale_arguments(const dnnl::engine& engine,
                                                                        const Scales& scales);
/// Bias is added to the sum before the factors are applied (2.x), or after.
inline constexpr bool kBiasIsScaled = DNNL_VERSION_MAJOR < 3;
/// Whether this CPU has instructions that add four products of bytes to 32 bits. Those before it
/// add two in 16 bits, which 8-bit weights overflow.
[[nodiscard]] bool has_byte_products();

[[nodiscard]] Dims dims_of(const Desc& desc);
[[nodiscard]] dnnl::memory::data_type type_of(const Desc& desc);
/// Whether the elements lie in memory in row-major order without gaps.
[[nodiscard]] bool is_row_major(const Desc& desc);

/// How a blocked (or plain: no inner blocks) layout lies in memory. Strides are in elements; that
/// of an axis with an inner block is from block to block.
struct Blocking {
  Dims dims, padded, strides;
  Dims inner_axes, inner_sizes;  ///< Outermost first; they lie dense inside the strides.
};
/// Nothing where the layout is of another kind (packed weights).
[[nodiscard]] std::optional<Blocking> blocking_of(const Desc& desc);
/// Whether nothing lies between the elements (and the padding of blocks).
[[nodiscard]] bool is_packed(const Desc& desc);

/// How the names of our own implementations begin.
inline constexpr std::string_view kOwnPrefix = "hedge:";

/// What an implementation is, by its name.
enum class ImplementationClass : std::uint8_t {
  kOwn,        ///< Of kernels/.
  kTuned,      ///< oneDNN's for an instruction set.
  kGemm,       ///< oneDNN's product of matrices that are laid out first; locks in every call.
  kSimple,     ///< oneDNN's plain loops: slow, but for concat, whose loops copy whole rows.
  kReference,  ///< There for completeness, oneDNN's or an operator's.
};
[[nodiscard]] ImplementationClass implementation_class(std::string_view implementation);
[[nodiscard]] bool is_slow(std::string_view implementation);

/// "2.6.3"
[[nodiscard]] std::string library_version();
/// The widest of the instruction sets that our kernels are compiled for among those that oneDNN
/// uses on this machine.
[[nodiscard]] kernels::Isa effective_isa();
/// From the bits of dnnl_cpu_isa_t: each instruction set has the bits of all that it includes, so
/// that one which is newer than this file still counts as what it extends.
[[nodiscard]] kernels::Isa isa_of_bits(unsigned bits);
/// "avx512_core_bf16": for messages only.
[[nodiscard]] std::string effective_isa_name();

}  // namespace hedge::cpu
