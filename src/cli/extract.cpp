// SPDX-License-Identifier: Apache-2.0
// A section of an engine file as a file of its own.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/naming.h"
#include "base/text.h"
#include "cli/program/flags.h"
#include "cli/program/program.h"
#include "engine/backend.h"
#include "engine/container.h"
#include "hedge/error.h"

namespace hedge::cli {
namespace {

constexpr const char* kExamples =
    "Examples:\n"
    "  hedge extract net_cifar_fp16.engine                TensorRT's plan, as net_cifar_fp16.plan\n"
    "  hedge extract net.engine --section=weights -o w    another section (hedge info lists "
    "them)\n";

struct Options {
  std::string engine;
  std::string out;
  std::string section = kPlanSection;
};

const Section& section_of(const EngineContainer& container, const std::string& name) {
  std::vector<std::string> names;
  for (const Section& section : container.sections) {
    if (section.name == name) return section;
    names.push_back(section.name);
  }
  throw bad_input(fmt::format("has no section '{}'; there are {}", printable(name),
                              names.empty() ? "none" : join_words(names)));
}

int extract(const Program& program, const Options& options) {
  std::filesystem::path out = options.out;
  if (out.empty()) out = std::filesystem::path(options.engine).replace_extension(options.section);
  program.check_files({.written = {{"--out", out.string()}}});
  const EngineContainer container = load_container(options.engine);
  const Section section =
      naming(options.engine, [&] { return section_of(container, options.section); });
  write_file(out, {reinterpret_cast<const char*>(section.bytes.data()), section.bytes.size()});
  program.print("wrote      {} ({} bytes)\n", out.string(), section.bytes.size());
  program.write_json({{"schema", "hedge.extract/1"},
                      {"file", out.string()},
                      {"section", section.name},
                      {"bytes", section.bytes.size()}});
  return kExitSuccess;
}

}  // namespace
}  // namespace hedge::cli

int main(int argc, char** argv) {
  using namespace hedge::cli;
  Program program("extract", "Take a section out of an engine file, such as TensorRT's plan",
                  kExamples);
  Options options;
  CLI::App& app = program.app();
  app.add_option("FILE", options.engine, "The engine")->required();
  app.add_option("-o,--out", options.out, "The new file (default: FILE with the section's name)")
      ->type_name("FILE");
  app.add_option("--section", options.section, "Which (default plan)")->type_name("NAME");
  program.add_json_flag("schema hedge.extract/1");
  return program.run(argc, argv, [&] { return extract(program, options); });
}
