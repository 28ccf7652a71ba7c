// SPDX-License-Identifier: Apache-2.0
// What this machine is, which backends it has, and what a model holds.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <vector>

#include "base/text.h"
#include "builder/builder.h"
#include "cli/energy/meter_list.h"
#include "cli/model/calibration_options.h"
#include "cli/model/model_options.h"
#include "cli/model/model_result.h"
#include "cli/program/flags.h"
#include "cli/program/program.h"
#include "data/recipes.h"
#include "engine/backend.h"
#include "engine/engine_info_json.h"
#include "graph/operators/operator.h"
#include "hedge/error.h"
#include "result/machine.h"

namespace hedge::cli {
namespace {

constexpr const char* kExamples =
    "Examples:\n"
    "  hedge info                                  the machine and its backends\n"
    "  hedge info resnet8_shapes.onnx --layers     and what a model or an engine holds\n"
    "  hedge info --meters                         power meters and what they read\n"
    "  hedge info --meters --watch                 a line a second, until Ctrl-C\n";

struct Options {
  std::vector<std::string> files;
  bool layers = false;
  bool meters = false;
  bool watch = false;
  std::string shape;
};

void print_machine(const Program& program, nlohmann::ordered_json& json) {
  const MachineFacts machine = collect_machine_facts();
  program.print("machine    {}, {} logical CPUs\n", machine.cpu.value_or("unknown CPU"),
                machine.cores.value_or(0));
  if (machine.os) program.print("system     {}\n", *machine.os);
  if (machine.governor) program.print("governor   {}\n", *machine.governor);
  program.print_text(machine_notes(machine));
  for (const BackendStatus& status : list_backends()) {
    const bool available = status.unavailable_reason.empty();
    const std::string text =
        available ? status.backend->description() : "not available: " + status.unavailable_reason;
    program.print("backend    {}: {}\n", status.name, text);
    json["backends"].push_back({{"name", status.name}, {"available", available}, {"what", text}});
  }
}

std::string shapes(const std::vector<Binding>& bindings) {
  std::vector<std::string> parts;
  for (const Binding& binding : bindings) {
    parts.push_back(fmt::format("{} {}", binding.name, to_string(binding.shape)));
  }
  return join_words(parts);
}

void print_onnx(const Program& program, const Options& options, const std::string& file,
                nlohmann::ordered_json& json) {
  const Graph graph = import_model(file, 1, parse_shapes(options.shape));
  const bool one_input = graph.inputs.size() == 1 && !graph.input_type(0).shape.empty();
  const std::int64_t batch = one_input ? graph.input_type(0).shape[0] : 1;
  const std::int64_t macs = multiply_accumulates(graph) / std::max<std::int64_t>(batch, 1);
  std::map<std::string, int> counts;
  for (const Node& node : graph.nodes) ++counts[std::string(node.op->name)];
  std::vector<std::string> operators;
  for (const auto& [name, count] : counts) operators.push_back(fmt::format("{} {}", count, name));
  program.print("{}: ONNX model '{}'\n", file, graph.name);
  for (std::size_t i = 0; i < graph.inputs.size(); ++i) {
    program.print("  input      {} {}\n", graph.value(graph.inputs[i].value).name,
                  to_string(graph.input_type(i).shape));
  }
  for (const ValueId id : graph.outputs) {
    program.print("  output     {} {}\n", graph.value(id).name,
                  to_string(graph.value(id).type.shape));
  }
  program.print("  layers     {}\n", join_words(operators));
  program.print(
      "  holds      {} parameters ({:.2f} MB in fp32), {} multiply-accumulates an image\n",
      parameter_count(graph), static_cast<double>(parameter_count(graph)) * 4e-6, macs);
  json = {{"file", file},
          {"kind", "onnx"},
          {"parameters", parameter_count(graph)},
          {"multiply_accumulates", macs},
          {"operators", counts}};
  if (!options.layers) return;
  for (const Node& node : graph.nodes) {
    const Value& output = graph.value(node.outputs.front());
    program.print("    {:<22} {:<16} {}\n", node.op->name, to_string(output.type.shape), node.name);
  }
}

void print_engine(const Program& program, const Options& options, const std::string& file,
                  nlohmann::ordered_json& json) {
  const EngineContainer container = load_container(file);
  const EngineInfo& info = container.info;
  if (!options.shape.empty()) {
    throw bad_input(
        fmt::format("{}: is an engine, built for inputs of {}; --shape is for ONNX files", file,
                    shapes(info.inputs)));
  }
  program.print("{}: engine of {} ({})\n", file, info.source_file, info.builder_version);
  program.print("  model      {} on {}, {}, backend {}, batch {}\n", info.model,
                info.dataset.empty() ? "no dataset" : info.dataset, precision_text(info),
                info.backend, batch_text(info));
  program.print("  built for  {}\n", info.target);
  if (!info.source_sha256.empty()) {  // Of a bare plan nothing is known.
    program.print("  source     SHA-256 {}\n", info.source_sha256);
  }
  program.print("  input      {}\n  output     {}\n", shapes(info.inputs), shapes(info.outputs));
  if (info.exit) program.print_text("  " + exit_line(info));
  if (info.preprocessing) program.print("  recipe     {}\n", to_string(*info.preprocessing));
  if (info.calibration) program.print("  ranges     {}\n", calibration_text(*info.calibration));
  program.print("  holds      {} parameters, {} multiply-accumulates an image\n", info.parameters,
                info.multiply_accumulates);
  json = {
      {"file", file}, {"kind", "engine"}, {"engine", nlohmann::ordered_json(nlohmann::json(info))}};
  for (const Section& section : container.sections) {
    program.print("  section    {}: {} bytes\n", section.name, section.bytes.size());
  }
  if (options.layers) program.print("{}\n", container.layer_choices.dump(2));
  const auto context = make_engine(load_container(file))->create_context({});
  program.print_text("  " + memory_line(memory_result(*context)));
}

int show(const Program& program, const Options& options) {
  if (options.watch && !options.meters) throw bad_input("--watch: is for --meters");
  if (options.meters && !options.files.empty()) {
    throw bad_input("--meters: tells of the machine; leave the files out");
  }
  nlohmann::ordered_json json;
  json["schema"] = "hedge.info/1";
  if (options.meters) {
    list_meters(program, json, options.watch);
  } else if (options.files.empty()) {
    print_machine(program, json);
  }
  for (const std::string& file : options.files) {
    const bool onnx = to_lower(std::filesystem::path(file).extension().string()) == ".onnx";
    nlohmann::ordered_json entry;
    onnx ? print_onnx(program, options, file, entry) : print_engine(program, options, file, entry);
    json["files"].push_back(entry);
  }
  program.write_json(json);
  return kExitSuccess;
}

}  // namespace
}  // namespace hedge::cli

int main(int argc, char** argv) {
  using namespace hedge::cli;
  Program program("info", "Tell of the machine, its backends, engines and models", kExamples);
  Options options;
  program.app().add_option("FILE", options.files, "Engine and ONNX files");
  program.app().add_flag("--layers", options.layers, "Each layer too");
  program.app().add_flag("--meters", options.meters, "The power meters, and what they read");
  program.app().add_flag("--watch", options.watch, "Their power, a line a second until Ctrl-C");
  add_shape_option(program.app(), options.shape);
  program.add_json_flag("schema hedge.info/1");
  return program.run(argc, argv, [&] { return show(program, options); });
}
