// SPDX-License-Identifier: Apache-2.0
#include "builder/prepare.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "base/module.h"
#include "base/naming.h"
#include "base/sha256.h"
#include "base/text.h"
#include "builder/early_exit.h"
#include "builder/export_model.h"
#include "data/dataset_names.h"
#include "data/recipes.h"
#include "engine/engine_name.h"
#include "graph/operators/operator.h"
#include "graph/passes/passes.h"
#include "graph/passes/sparsity.h"
#include "graph/query.h"
#include "onnx/import.h"
#include "quant/qdq.h"

namespace hedge {
namespace {

std::vector<Binding> input_bindings(const Graph& graph) {
  std::vector<Binding> bindings;
  for (std::size_t i = 0; i < graph.inputs.size(); ++i) {
    bindings.push_back({graph.value(graph.inputs[i].value).name, graph.input_type(i).shape});
  }
  return bindings;
}

std::vector<Binding> output_bindings(const Graph& graph) {
  std::vector<Binding> bindings;
  for (const ValueId id : graph.outputs) {
    bindings.push_back({graph.value(id).name, graph.value(id).type.shape});
  }
  return bindings;
}

/// For messages: "'x' (float32 1x3x32x32)".
std::string describe(const std::string& name, const TensorType& type) {
  return fmt::format("'{}' ({} {})", name, to_string(type.type), to_string(type.shape));
}

/// A classifier has one input, of floats with four axes, and float scores with the batch first.
void require_classifier(const Graph& graph) {
  std::vector<std::string> inputs;
  for (std::size_t i = 0; i < graph.inputs.size(); ++i) {
    inputs.push_back(describe(graph.value(graph.inputs[i].value).name, graph.input_type(i)));
  }
  if (inputs.empty()) throw bad_input("no input; an image classifier takes one image");
  if (inputs.size() != 1) {
    throw bad_input(fmt::format("{} inputs, {}; an image classifier takes one image", inputs.size(),
                                join_words(inputs)));
  }
  const TensorType input = graph.input_type(0);
  if (input.type != DataType::kFloat32 || input.shape.size() != 4) {
    throw bad_input(fmt::format(
        "the input is {}; an image classifier takes floats with four axes (batch first)",
        inputs[0]));
  }
  for (const ValueId id : graph.outputs) {
    const Value& output = graph.value(id);
    // What other outputs are, such as those of early exits, is not looked at.
    const bool scores = id == graph.outputs[0];
    if (output.type.type != DataType::kFloat32 ||
        (scores && !are_scores(output.type.shape, input.shape[0]))) {
      throw bad_input(fmt::format(
          "the output is {}; an image classifier gives floats, batch x classes (here {}xCLASSES)",
          describe(output.name, output.type), input.shape[0]));
    }
  }
}

/// The first extent that --shape states is not what decides; 1 only says that it is an image.
void warn_of_another_batch(const Graph& graph, std::int64_t batch) {
  const Shape shape = graph.input_type(0).shape;
  if (shape[0] == batch || shape[0] == 1) return;
  log(LogLevel::kWarning,
      fmt::format("--shape={} begins with {}, but the engine is built for batches of {} "
                  "(--engine_batch_size)",
                  to_string(shape), shape[0], batch));
}

/// A model that comes with Q/DQ nodes becomes a graph of 8-bit values, unless it is to run in
/// floating point, where those nodes round like any others. Whether it did.
bool take_quantization(Graph& graph, const std::string& precision) {
  const bool explicit_nodes =
      std::ranges::any_of(graph.nodes, [](const Node& n) { return is_op(n, "QuantizeLinear"); });
  if (explicit_nodes && (precision == "best" || precision == "fp8")) {
    throw bad_input(fmt::format(
        "precision {}: the model's own Q/DQ nodes say what is int8; give the model in fp32",
        precision));
  }
  if (!explicit_nodes || (!precision.empty() && precision != "int8")) return false;
  absorb_qdq(graph);
  const bool taken = std::ranges::any_of(
      graph.values, [](const Value& value) { return value.quantization.has_value(); });
  if (taken) {
    log(LogLevel::kInfo, "the model comes quantised (Q/DQ): int8 as it is, without calibration");
  }
  return taken;
}

/// A model may quantise some of its layers only, or in ways that integers cannot follow; one that
/// does so throughout is not what it says.
void check_float_layers(const Graph& graph) {
  std::vector<std::string> floating;
  std::size_t all = 0;
  for (const Node& node : graph.nodes) {
    if (!is_op(node, "Conv") && !is_op(node, "Gemm") && !is_op(node, "MatMul")) continue;
    ++all;
    const auto held = [&](ValueId id) { return graph.value(id).quantization.has_value(); };
    if (!held(node.inputs[0]) || !held(node.inputs[1])) floating.push_back(node.name);
  }
  if (floating.empty()) return;
  if (floating.size() == all) {
    throw bad_input(
        fmt::format("precision int8: none of its {} layers can run in integers; quantise inputs "
                    "and weights, the "
                    "weights as int8 without zero points (ONNX Runtime's quantiser: "
                    "weight_type=QInt8), or take "
                    "--precision=fp32",
                    all));
  }
  log(LogLevel::kWarning,
      fmt::format(
          "{} of {} layers stay in floating point, because their input or their weights are "
          "not held in 8 bits (or weights have zero points): {}",
          floating.size(), all, join_words(floating)));
}

/// Whether the model has an early exit, which is its last output then.
bool find_exit(Graph& graph, const EngineName& name, const std::string& stated) {
  const bool own = stated.empty() && name.early_exit();
  const std::string tensor = own ? own_exit(graph) : stated;
  if (tensor.empty()) {
    if (own && graph.outputs.size() > 1) {
      log(LogLevel::kInfo,
          fmt::format("{} outputs, of which no one is plainly the early exit: none is taken; "
                      "--exit=TENSOR names one ({})",
                      graph.outputs.size(), exit_candidates(graph)));
    }
    return false;
  }
  take_exit(graph, tensor);
  if (own) {
    log(LogLevel::kInfo,
        fmt::format("the output '{}' is taken as the early exit of '{}'", printable(tensor),
                    printable(graph.value(graph.outputs.front()).name)));
  }
  return true;
}

void look_at_sparsity(Graph& graph, const CompilerOptions& compiler) {
  if (compiler.sparsity == Sparsity::kForce) {
    if (const auto pruned = prune_two_of_four(graph); !pruned.empty()) {
      log(LogLevel::kWarning,
          fmt::format("--sparsity=force: two of each four weights are now zero in {} layers, which "
                      "is another net; train it so, and look at its accuracy: {}",
                      pruned.size(), join_words(pruned)));
    }
  }
  const auto sparse = sparse_layers(graph);
  log(LogLevel::kInfo, fmt::format("sparsity: {} layers have two zeros in each four weights{}{}",
                                   sparse.size(), sparse.empty() ? "" : ": ", join_words(sparse)));
}

void check_compiler_options(const Backend& backend, const CompilerOptions& options) {
  if (options == CompilerOptions{} || backend.traits().compiler_options) return;
  throw bad_input(fmt::format(
      "--workspace, --sparsity, --maxAuxStreams, --persistentCacheRatio, --useDLACore and "
      "--allowGPUFallback are for TensorRT's compiler; backend {} has none",
      backend.name()));
}

/// Of a backend that must know them when it builds, and a graph that can have all of them.
void check_batches(const Backend& backend, const std::optional<BatchRange>& batches) {
  if (!batches) return;
  if (batches->least < 1 || batches->tuned < batches->least || batches->most < batches->tuned) {
    throw bad_input(fmt::format("--engine_batch_size={}:{}:{}: the batches do not rise",
                                batches->least, batches->tuned, batches->most));
  }
  if (backend.traits().batch_ranges) return;
  throw bad_input(
      fmt::format("--engine_batch_size={}:{}:{}: engines of backend {} run any batch (inference "
                  "--batch=N); state the one that it is to be tuned for",
                  batches->least, batches->tuned, batches->most, backend.name()));
}

std::string choose_precision(const std::string& stated, bool quantized, const Backend& backend) {
  if (!stated.empty()) return stated;
  if (quantized) return "int8";
  std::string precision(backend.default_precision());
  log(LogLevel::kInfo, fmt::format("no precision given: taking {}, the default of backend {}",
                                   precision, backend.name()));
  return precision;
}

}  // namespace

std::string choose_dataset(const EngineName& name, const EngineBuildOptions& options) {
  if (options.dataset.empty()) return name.dataset;
  const std::string canonical = canonical_dataset(options.dataset);
  const std::string dataset = canonical.empty() ? options.dataset : canonical;
  if (!name.dataset.empty() && name.dataset != dataset && !is_own_dataset(dataset)) {
    log(LogLevel::kWarning,
        fmt::format("the file's name says dataset {}, --dataset says {}: taking {}", name.dataset,
                    dataset, dataset));
  }
  return dataset;
}

PreprocessingRecipe choose_recipe(const EngineName& name, const std::string& dataset,
                                  const EngineBuildOptions& options, const Shape& input) {
  if (options.preprocessing) return with_input_shape(*options.preprocessing, input);
  if (dataset.empty()) {
    throw bad_input(fmt::format(
        "the file's name tells no dataset, so its preprocessing is unknown; state --dataset=NAME "
        "(cifar, shapes, imagenet) or {}=scale=...,mean=...,std=..., for images of your "
        "own with --dataset=folder:DIR or --dataset=npy:X.npy,Y.npy",
        options.preprocessing_flag));
  }
  // A user's images go into a model of the zoo as those do that it was trained on.
  const std::string& trained_on = is_own_dataset(dataset) ? name.dataset : dataset;
  const auto recipe = find_recipe(name.model, trained_on);
  if (!recipe) {
    throw bad_input(
        fmt::format("no preprocessing recipe for model '{}' on dataset '{}'; state one with "
                    "{}=scale=1/255,mean=...,std=...{} (docs/preprocessing.md)",
                    name.model, dataset, options.preprocessing_flag,
                    is_own_dataset(dataset) ? ",resize=...,crop=..." : ""));
  }
  return scaled_to_input(*recipe, input);
}

Graph import_model(const std::filesystem::path& onnx, std::int64_t batch,
                   const std::map<std::string, Shape>& shapes) {
  const auto file = MappedFile::open(onnx);
  const auto module = Module::load("onnx");
  auto* import = module->function<decltype(hedge_onnx_import)>("hedge_onnx_import");
  const ImportOptions options{.batch = batch, .folder = onnx.parent_path(), .shapes = shapes};
  return naming(onnx.string(), [&] {
    const std::unique_ptr<Graph> graph(
        import(file->bytes().data(), file->bytes().size(), &options));
    return std::move(*graph);
  });
}

PreparedModel prepare_model(const std::filesystem::path& onnx, const EngineBuildOptions& options) {
  const EngineName name = parse_engine_name(onnx);
  const Backend& backend =
      options.backend.empty() ? default_backend() : require_backend(options.backend);
  check_compiler_options(backend, options.compiler);
  check_batches(backend, options.batches);
  const std::int64_t batch = options.batches ? options.batches->least : options.batch;
  Graph graph = import_model(onnx, batch, options.shapes);
  return naming(onnx.string(), [&] {
    require_classifier(graph);
    const bool early_exit = find_exit(graph, name, options.exit);
    if (!options.shapes.empty()) warn_of_another_batch(graph, batch);
    set_batch(graph, batch);
    const std::int64_t parameters = parameter_count(graph);
    const std::int64_t macs = multiply_accumulates(graph);
    const bool quantized = take_quantization(graph, options.precision);
    const std::string precision = choose_precision(options.precision, quantized, backend);
    optimize(graph);
    if (quantized) check_float_layers(graph);
    if (options.compiler.sparsity != Sparsity::kDisable) look_at_sparsity(graph, options.compiler);
    std::optional<ExitInfo> exit;
    if (early_exit) exit = lay_out_exit(graph, batch);
    if (options.batches) {
      Graph largest = graph;
      set_batch(largest, options.batches->most);
    }
    const std::string dataset = choose_dataset(name, options);
    PreparedModel model{
        .backend = &backend,
        .build = {.precision = precision,
                  .fallback = name.early_exit() ? "fp32" : backend.traits().int8_fallback,
                  .allow_tf32 = options.allow_tf32,
                  .optimization_level =
                      std::clamp(options.optimization_level, 0, kHighestOptimizationLevel),
                  .threads = options.threads,
                  .timing_cache = options.timing_cache,
                  .compiler = options.compiler,
                  .batches = options.batches,
                  .write_onnx = onnx_of,
                  .progress = options.progress},
        .info = {.model = name.model,
                 .dataset = absolute_dataset(dataset),
                 .trained_on = is_own_dataset(dataset) ? name.dataset : dataset,
                 .precision = precision,
                 .backend = std::string(backend.name()),
                 .preprocessing = choose_recipe(name, dataset, options, graph.input_type(0).shape),
                 .source_file = onnx.filename().string(),
                 .source_sha256 = sha256_hex(MappedFile::open(onnx)->bytes()),
                 .target = backend.description(),
                 .builder_version = "Hedge " HEDGE_VERSION,
                 .inputs = input_bindings(graph),
                 .outputs = output_bindings(graph),
                 .parameters = parameters,
                 .multiply_accumulates = macs / batch,
                 .batch = batch,
                 .batches = options.batches,
                 .ends_in_softmax = ends_in_softmax(graph, graph.outputs.front()),
                 .exit = std::move(exit)},
        .graph = std::move(graph),
        .came_quantized = quantized};
    if (quantized) model.info.calibration = CalibrationInfo{.method = "Q/DQ of the model"};
    return model;
  });
}

namespace {

EngineContainer compile(const PreparedModel& model, const Graph& graph,
                        const std::string& precision) {
  BuildOptions build = model.build;
  build.precision = precision;
  if (model.info.exit) build.exit_output = model.info.exit->output;
  BackendEngine engine = model.backend->build(graph, build);
  EngineContainer container;
  container.info = model.info;
  container.info.precision = precision;
  container.info.tf32 = engine.tf32;
  container.sections = std::move(engine.sections);
  container.layer_choices = std::move(engine.layer_choices);
  if (build.native_calibration && container.info.calibration) {  // It may just have been written.
    container.info.calibration->cache_sha256 =
        sha256_hex(MappedFile::open(build.native_calibration->cache)->bytes());
  }
  return container;
}

}  // namespace

EngineContainer compile(const PreparedModel& model) {
  return compile(model, model.graph, model.build.precision);
}

EngineContainer compile_float(const PreparedModel& model) {
  PreparedModel all = model;
  all.build.layers.clear();
  all.build.allow_tf32 = false;  // What others are held against.
  all.build.native_calibration.reset();
  all.build.float8.reset();
  return compile(all, model.float_graph ? *model.float_graph : model.graph, "fp32");
}

}  // namespace hedge
