// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backends/cpu/dnnl_compat.h"
#include "backends/cpu/kernels/kernel.h"
#include "engine/reference_layer.h"
#include "graph/graph.h"

namespace hedge::cpu {

/// Where the bytes of an argument are when the plan runs.
struct Buffer {
  enum class Place : std::uint8_t {
    kArena,    ///< `offset` bytes into the context's arena.
    kInput,    ///< The caller's input.
    kOutput,   ///< Output number `offset`.
    kWeights,  ///< Constant number `offset` of the plan, shared by all contexts.
  };
  Place place = Place::kArena;
  std::size_t offset = 0;
};

struct Argument {
  int id = 0;  ///< DNNL_ARG_SRC, ...; of no meaning to our own kernels, nor is desc.
  Desc desc;
  std::size_t storage = 0;  ///< Index into Plan::storages.
  std::size_t offset = 0;   ///< Where it begins there, in bytes: views into a larger value.
};

/// One primitive, or one kernel of our own, with everything but addresses.
struct Step {
  std::string name;             ///< Of the graph's node; "reorder" steps add what they are for.
  std::string kernel;           ///< "Conv jit:avx2 + relu": what for, the implementation, what is
                                ///< fused into it. Our own implementations begin with "hedge:".
  dnnl::primitive primitive{};  ///< Empty where `own` is set.
  Kernel own{};
  std::vector<Argument> arguments{};
  std::int64_t multiply_accumulates = 0;
  std::string precision{};  ///< "int8"; empty: that of the plan.
};

/// A stretch of memory that one or more values use (views and in-place results share one).
struct Storage {
  std::size_t bytes = 0;
  Buffer buffer;
};

/// For each kind of convolution in the net, the implementation to take (oneDNN's own name of it).
using Tactics = std::map<std::string, std::string>;

struct PlanOptions {
  /// Of the layers that do not compute in integers.
  dnnl::memory::data_type precision = dnnl::memory::data_type::f32;
  /// Of single ones of them, by their names.
  std::map<std::string, dnnl::memory::data_type> precisions{};
  int threads = 1;
  Tactics
      tactics;  ///< A kind that is missing here, or has no such implementation: oneDNN's choice.
  bool list_tactics = false;  ///< Look at every implementation, for convolution_tactics().
  /// The output whose scores the stem makes; nothing: the net has no early exit.
  std::optional<std::size_t> exit_output{};
};

/// A compiled graph: primitives in order, weights in the layout that they want, an arena laid out
/// from liveness. Immutable; any number of contexts run it.
struct Plan {
  dnnl::engine engine;
  int threads = 1;
  std::vector<Step> steps;
  std::vector<Storage> storages;
  std::vector<dnnl::memory> weights;
  std::size_t arena_bytes = 0;
  std::size_t weight_bytes = 0;
  std::size_t input_elements = 0;
  std::vector<std::size_t> output_elements;
  std::size_t stem_steps = 0;  ///< The first steps, which an early exit's scores need.
  std::vector<SlowLayer> slow_layers;      ///< By their operators' reference implementations.
  std::vector<SlowLayer> emulated_layers;  ///< In floating point what should be in integers.
};

/// The slow layers in one line, the emulated ones in another; nothing where there are none.
[[nodiscard]] std::vector<std::string> warnings_of(const Plan& plan);

/// Throws bad_input where the first input or output of the graph is not float32.
[[nodiscard]] std::shared_ptr<const Plan> compile(const Graph& graph, const PlanOptions& options);

/// The kind of each convolution ("conv 3x3/1x1 16->16 32x32 pads 1,1,1,1 + bias") with the
/// implementations that this machine has for it in its place in the net, oneDNN's choice first.
[[nodiscard]] std::map<std::string, std::vector<std::string>> convolution_tactics(
    const Graph& graph, const PlanOptions& options);

/// Gives arena offsets to all storages of Place::kArena: two share bytes only if no step needs
/// both. Sets Plan::arena_bytes.
void lay_out_arena(Plan& plan);

}  // namespace hedge::cpu
