// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "backends/cuda/kernels/convolution.h"
#include "backends/cuda/kernels/elements.h"
#include "engine/arena.h"
#include "engine/reference_layer.h"
#include "graph/graph.h"

namespace hedge::cuda {

struct Argument {
  std::size_t storage = 0;  ///< Index into Plan::storages.
  std::size_t offset = 0;   ///< Where it begins there, in bytes: views into a larger value.
};

/// A launch with everything but addresses, which come in the order of the step's arguments.
struct Kernel {
  cudaError_t (*launch)(const void* parameters, std::byte* const* buffers,
                        const Launch& launch) = nullptr;
  std::shared_ptr<const void> parameters;
  bool tells = false;  ///< It heeds Launch::completion.
};

/// A layer that the host computes, between copies there and back.
struct HostKernel {
  void (*run)(const void* parameters, std::byte* const* buffers) = nullptr;
  std::shared_ptr<const void> parameters;
  std::vector<std::size_t> bytes;  ///< Of each argument.
  std::size_t reads = 0;           ///< That many arguments are read, the others written.
};

struct Step {
  std::string name;    ///< Of the graph's node; copies add what they are for.
  std::string kernel;  ///< "Conv hedge:tensor_cores m1n2k8 + relu": with what is fused into it.
  std::string precision{};  ///< That its products are computed in.
  Kernel device{};
  HostKernel host{};  ///< Set where `device` is not.
  std::vector<Argument> arguments{};
  std::int64_t multiply_accumulates = 0;
};

/// For each kind of convolution in the net, how its work is cut up (tactic_text).
using Tactics = std::map<std::string, std::string>;

struct PlanOptions {
  ElementKind kind = ElementKind::kHalf;  ///< Of what is not held in 8 bits.
  Tactics tactics;                        ///< A kind that is missing here takes a rule's choice.
  std::map<std::string, ElementKind> layers{};  ///< Of single layers, by the names of their nodes.
};

/// A kind of convolution, and what of it the tuner needs.
struct ConvolutionKind {
  Convolution shape;
  ElementKind kind = ElementKind::kHalf;
  ElementType result = ElementType::kHalf;
  bool adds_tensor = false;
  int sibling_c = 0;  ///< Stored channels of a 1x1 convolution in the same launch.
};

/// A compiled graph: launches in order, weights as the kernels want them, an arena laid out from
/// liveness. Immutable; any number of contexts run it.
struct Plan {
  ElementKind kind = ElementKind::kHalf;
  std::vector<Step> steps;
  std::vector<Storage> storages;
  std::vector<std::byte> weights;  ///< All constants, at multiples of kAlignment.
  std::size_t arena_bytes = 0;
  std::size_t input_elements = 0;
  std::vector<std::size_t> output_elements;
  std::vector<SlowLayer> slow_layers;      ///< By their operators' reference implementations.
  std::vector<SlowLayer> emulated_layers;  ///< In floating point what should be in integers.
  std::map<std::string, ConvolutionKind> convolutions;  ///< By their text, as in Tactics.
};

/// Of everything in device memory: a line of its caches.
inline constexpr std::size_t kAlignment = 256;

/// What a user should know of the layers, a line each.
[[nodiscard]] std::vector<std::string> warnings_of(const Plan& plan);

/// Needs no GPU. Throws bad_input: a first input or output that is not float32, activations with a
/// scale for each channel.
[[nodiscard]] std::shared_ptr<const Plan> compile(const Graph& graph, const PlanOptions& options);

/// "fp16"
[[nodiscard]] std::string_view name_of(ElementKind kind);

/// "m1n2 by 1x1x8 warps"
[[nodiscard]] std::string tactic_text(const ConvolutionTactic& tactic);
/// The reverse, where the shape has that tactic; else a rule's choice.
[[nodiscard]] ConvolutionTactic choose_tactic(const Convolution& shape, ElementKind kind,
                                              const std::string& text);

}  // namespace hedge::cuda
