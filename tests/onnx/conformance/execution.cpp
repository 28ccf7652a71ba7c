// SPDX-License-Identifier: Apache-2.0
#include "onnx/conformance/execution.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include "base/tensor.h"
#include "engine/backend.h"
#include "engine/container.h"
#include "graph/passes/passes.h"
#include "graph/reference_executor.h"
#include "hedge/engine.h"
#include "hedge/error.h"
#include "onnx/import.h"
#include "onnx/model_file.h"
#include "onnx/tensor_reader.h"

namespace hedge::conformance {
namespace {

using onnx::TensorProto;
using Positions = std::set<std::size_t>;

/// onnx.backend.test.runner compares with these unless a type is too narrow for them.
struct Tolerance {
  double relative = 1e-3;
  double absolute = 1e-7;
};

Tolerance tolerance_of(const NodeTest& test) {
  // Hedge computes in float32 what the expected values were computed in with 11 bits.
  constexpr Tolerance kHalf{.relative = 4e-3, .absolute = 1e-3};
  constexpr Tolerance kBfloat{.relative = 2e-2, .absolute = 1e-2};
  Tolerance tolerance;
  for (const auto* tensors : {&test.inputs, &test.outputs}) {
    for (const TensorProto& tensor : *tensors) {
      if (tensor.data_type() == TensorProto::BFLOAT16) return kBfloat;
      if (tensor.data_type() == TensorProto::FLOAT16) tolerance = kHalf;
    }
  }
  return tolerance;
}

Tensor to_tensor(TensorProto proto) {
  return TensorReader({}).read(proto);
}

bool near(double a, double b, const Tolerance& tolerance) {
  if (std::isnan(b)) return std::isnan(a);
  if (std::isinf(b)) return a == b;
  return std::abs(a - b) <= tolerance.absolute + tolerance.relative * std::abs(b);
}

std::string difference(std::span<const float> actual, std::span<const float> expected,
                       const Tolerance& tolerance) {
  if (actual.size() != expected.size()) {
    return fmt::format("{} elements instead of {}", actual.size(), expected.size());
  }
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (!near(actual[i], expected[i], tolerance)) {
      return fmt::format("element {} is {} instead of {}", i, actual[i], expected[i]);
    }
  }
  return {};
}

/// Empty where they agree: shape, type and elements (integers exactly).
std::string difference(const Tensor& actual, const Tensor& expected, const Tolerance& tolerance) {
  if (actual.type() != expected.type() || actual.shape() != expected.shape()) {
    return fmt::format("is {} {} instead of {} {}", to_string(actual.type()),
                       to_string(actual.shape()), to_string(expected.type()),
                       to_string(expected.shape()));
  }
  if (expected.type() == DataType::kFloat32) {
    return difference(actual.values<float>(), expected.values<float>(), tolerance);
  }
  const auto a = actual.bytes();
  const auto b = expected.bytes();
  const auto [at, other] = std::mismatch(a.begin(), a.end(), b.begin());
  if (at == a.end()) return {};
  return fmt::format("element {} of {} differs",
                     static_cast<std::size_t>(at - a.begin()) / byte_size(expected.type()),
                     to_string(expected.type()));
}

/// The tests of an operator are written for the opset of its last change, which may be older than
/// what Hedge reads; the operator is the same in newer ones.
void raise_opset(onnx::ModelProto& model) {
  for (auto& entry : *model.mutable_opset_import()) {
    entry.set_version(std::max<std::int64_t>(entry.version(), kOldestOpset));
  }
}

/// The model with all inputs but those at `variable` as initializers.
Graph import(const NodeTest& test, const Positions& variable) {
  onnx::ModelProto model = test.model;
  raise_opset(model);
  ImportOptions options;
  for (std::size_t i = 0; i < test.inputs.size(); ++i) {
    const std::string& name = model.graph().input(static_cast<int>(i)).name();
    if (variable.contains(i)) {
      options.shapes[name] = Shape(test.inputs[i].dims().begin(), test.inputs[i].dims().end());
    } else {
      *model.mutable_graph()->add_initializer() = test.inputs[i];
      model.mutable_graph()->mutable_initializer()->rbegin()->set_name(name);
    }
  }
  const std::string bytes = model.SerializeAsString();
  return import_onnx(std::as_bytes(std::span(bytes)), options);
}

/// Empty, or what the imported graph's results have instead of the expected ones.
std::string wrong_results(const NodeTest& test, const std::vector<Tensor>& actual) {
  for (std::size_t i = 0; i < test.outputs.size(); ++i) {
    const std::string text =
        difference(actual.at(i), to_tensor(test.outputs[i]), tolerance_of(test));
    if (!text.empty()) return fmt::format("output {} {}", i, text);
  }
  return {};
}

std::optional<std::size_t> first_float_input(const NodeTest& test) {
  for (std::size_t i = 0; i < test.inputs.size(); ++i) {
    if (graph_data_type(test.inputs[i].data_type()) == DataType::kFloat32) return i;
  }
  return std::nullopt;
}

/// From "everything varies" to "everything is known".
std::vector<Positions> choices_of_inputs(const NodeTest& test) {
  Positions all;
  Positions floats;
  for (std::size_t i = 0; i < test.inputs.size(); ++i) {
    all.insert(i);
    if (graph_data_type(test.inputs[i].data_type()) == DataType::kFloat32) floats.insert(i);
  }
  std::vector<Positions> choices{all, floats};
  if (const auto image = first_float_input(test)) choices.push_back({*image});
  if (!all.empty()) choices.push_back({0});
  choices.push_back({});
  return choices;
}

Outcome run_by_reference(const NodeTest& test) {
  std::string refusal;
  for (const Positions& variable : choices_of_inputs(test)) {
    Graph graph;
    try {
      graph = import(test, variable);
    } catch (const Error& error) {
      refusal = error.what();
      continue;
    }
    std::vector<Tensor> inputs;
    for (const std::size_t i : variable) {
      // An input that nothing reads is none of the graph's.
      const std::string& name = test.model.graph().input(static_cast<int>(i)).name();
      const bool read = std::any_of(graph.inputs.begin(), graph.inputs.end(), [&](const auto& in) {
        return graph.value(in.value).name == name;
      });
      if (read) inputs.push_back(to_tensor(test.inputs[i]));
    }
    try {
      const std::string wrong = wrong_results(test, execute(graph, inputs));
      return wrong.empty() ? Outcome{Outcome::Status::kPassed, {}}
                           : Outcome{Outcome::Status::kFailed, wrong};
    } catch (const Error& error) {
      return {Outcome::Status::kFailed, error.what()};
    }
  }
  return {Outcome::Status::kFailed, "not imported: " + refusal};
}

/// No layer was left to its operator's reference implementation.
bool all_by_kernels(const nlohmann::json& layers) {
  return std::none_of(layers.begin(), layers.end(), [](const auto& layer) {
    return layer.at("kernel").template get<std::string>().find("hedge:reference") !=
           std::string::npos;
  });
}

EngineContainer cpu_engine(const Graph& graph) {
  BackendEngine built = require_backend("cpu").build(
      graph, {.precision = "fp32", .optimization_level = 0, .threads = 1, .timing_cache = {}});
  EngineContainer container;
  container.info.backend = "cpu";
  container.info.precision = "fp32";
  container.info.batch = graph.input_type(0).shape.at(0);
  container.info.inputs = {{"input", graph.input_type(0).shape}};
  for (const ValueId id : graph.outputs) {
    container.info.outputs.push_back({"output", graph.value(id).type.shape});
  }
  container.sections = std::move(built.sections);
  container.layer_choices = std::move(built.layer_choices);
  return container;
}

Outcome skipped(std::string reason) {
  return {Outcome::Status::kSkipped, std::move(reason)};
}

/// Why the graph is none that an engine can hold: one input and outputs, all of floats.
std::string why_no_engine(const Graph& graph) {
  if (graph.inputs.size() != 1) return "no input that varies";
  if (graph.input_type(0).shape.empty()) return "a scalar input";
  if (element_count(graph.input_type(0).shape) == 0) return "an empty input";
  for (const ValueId id : graph.outputs) {
    if (graph.value(id).type.type != DataType::kFloat32) return "outputs that are no floats";
    if (graph.is_constant(id)) return "an output that does not vary";
  }
  return {};
}

Outcome run_by_cpu_backend(const NodeTest& test, bool& by_kernels) {
  const auto image = first_float_input(test);
  if (!image) return skipped("no float input");
  Graph graph;
  try {
    graph = import(test, {*image});
  } catch (const Error&) {
    return skipped("the float input must be known");
  }
  const std::string why = why_no_engine(graph);
  if (!why.empty()) return skipped(why);
  optimize(graph);
  std::unique_ptr<ExecutionContext> context;
  try {
    EngineContainer container = cpu_engine(graph);
    by_kernels = all_by_kernels(container.layer_choices);
    context = make_engine(std::move(container))->create_context({});
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kBadInput) throw;
    return skipped(error.what());
  }
  // oneDNN approximates: its logarithm of 1 is -1.4e-6.
  Tolerance tolerance = tolerance_of(test);
  tolerance.absolute = std::max(tolerance.absolute, 1e-5);
  const Tensor input = to_tensor(test.inputs[*image]);
  std::copy(input.values<float>().begin(), input.values<float>().end(), context->input().begin());
  context->infer();
  for (std::size_t i = 0; i < test.outputs.size(); ++i) {
    const Tensor expected = to_tensor(test.outputs[i]);
    const std::string text = difference(context->output(i), expected.values<float>(), tolerance);
    if (!text.empty()) return {Outcome::Status::kFailed, fmt::format("output {} {}", i, text)};
  }
  return {Outcome::Status::kPassed, {}};
}

}  // namespace

Outcomes run(const NodeTest& test) {
  Outcomes outcomes{.reference = run_by_reference(test), .cpu = {}, .by_kernels = false};
  if (outcomes.reference.status != Outcome::Status::kPassed) {
    outcomes.cpu = skipped("the reference did not pass");
    return outcomes;
  }
  try {
    outcomes.cpu = run_by_cpu_backend(test, outcomes.by_kernels);
  } catch (const Error& error) {
    outcomes.cpu = {Outcome::Status::kFailed, error.what()};
  }
  return outcomes;
}

}  // namespace hedge::conformance
