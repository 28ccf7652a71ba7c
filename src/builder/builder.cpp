// SPDX-License-Identifier: Apache-2.0
#include "builder/builder.h"

#include <fmt/format.h>

#include <utility>

#include "base/log.h"
#include "base/naming.h"
#include "base/text.h"
#include "builder/prepare.h"
#include "data/dataset_names.h"
#include "data/recipes.h"
#include "engine/engine_name.h"

namespace hedge {
namespace {

void warn_if_differs(std::string_view what, const std::string& in_name,
                     const std::string& in_engine) {
  if (in_name.empty() || in_engine.empty() || in_name == in_engine) return;
  log(LogLevel::kWarning, fmt::format("the file's name says {} {}, the engine says {}: taking {}",
                                      what, in_name, in_engine, in_engine));
}

/// An engine is what it was built as. Another backend would be another engine; another precision is
/// only said to change nothing, because the original's flag also chooses coefficients.
void check_flags(const std::filesystem::path& file, const EngineBuildOptions& options,
                 const EngineInfo& info) {
  if (!options.backend.empty() && options.backend != info.backend) {
    throw bad_input(
        fmt::format("{}: was built for backend {}, not {}; build another engine, or run "
                    "the ONNX file with --backend={}",
                    file.string(), info.backend, options.backend, options.backend));
  }
  if (!options.shapes.empty()) {
    throw bad_input(
        fmt::format("{}: is an engine, built for inputs of {}; --shape is for ONNX files",
                    file.string(), to_string(info.inputs.front().shape)));
  }
  if (!options.precision.empty() && options.precision != info.precision) {
    log(LogLevel::kWarning, fmt::format("the engine was built with precision {}, which "
                                        "--precision={} does not change; build another one",
                                        info.precision, options.precision));
  }
  if (!options.allow_tf32 && info.tf32) {
    log(LogLevel::kWarning,
        "the engine was built to multiply in TF32, which --noTF32 does not change; build another "
        "one with that flag");
  }
}

/// An engine file. What the caller states beyond the backend and precision overrides its metadata.
std::shared_ptr<const Engine> open_engine(const std::filesystem::path& file,
                                          const EngineBuildOptions& options) {
  EngineContainer container = load_container(file);
  EngineInfo& info = container.info;
  const EngineName name = parse_engine_name(file);
  warn_if_differs("precision", name.precision, info.precision);
  if (options.dataset.empty() && !is_own_dataset(info.dataset)) {
    warn_if_differs("dataset", name.dataset, info.dataset);
  }
  check_flags(file, options, info);
  if (!options.dataset.empty()) info.dataset = choose_dataset({}, options);
  if (options.preprocessing) {
    info.preprocessing = with_input_shape(*options.preprocessing, info.inputs.front().shape);
  } else if (!info.preprocessing) {  // A bare plan tells none.
    info.preprocessing = naming(file.string(), [&] {
      return choose_recipe(name, info.dataset, options, info.inputs.front().shape);
    });
  }
  return naming(file.string(), [&] { return make_engine(std::move(container)); });
}

}  // namespace

EngineContainer build_engine(const std::filesystem::path& onnx, const EngineBuildOptions& options) {
  PreparedModel model = prepare_model(onnx, options);
  return naming(onnx.string(), [&] {
    if (model.build.precision == "best") {
      throw bad_input(
          "precision best is chosen by measurement when an engine is built: build_engine --best, "
          "then name the engine");
    }
    make_int8(model, options.int8);
    return compile(model);
  });
}

std::shared_ptr<const Engine> open_model(const std::filesystem::path& model,
                                         const EngineBuildOptions& options) {
  if (to_lower(model.extension().string()) != ".onnx") return open_engine(model, options);
  log(LogLevel::kInfo, "building the engine in memory; build_engine keeps one");
  EngineContainer container = build_engine(model, options);
  return make_engine(std::move(container));
}

}  // namespace hedge
