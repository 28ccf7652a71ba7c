// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "builder/int8.h"
#include "engine/backend.h"
#include "engine/container.h"
#include "graph/graph.h"
#include "hedge/engine.h"

namespace hedge {

/// What to build. Whatever is empty comes from the file's name, the backend's default or a recipe.
struct EngineBuildOptions {
  std::string backend;
  std::string precision;
  std::string dataset;
  std::optional<PreprocessingRecipe> preprocessing;
  std::string preprocessing_flag = "--preprocess";  ///< Of the caller's, for messages.
  std::int64_t batch = 1;
  std::optional<BatchRange>
      batches{};  ///< In place of `batch`, for backends that tune for a range.
  std::map<std::string, Shape> shapes{};  ///< As ImportOptions::shapes.
  int optimization_level = 3;             ///< 0..5; larger values mean 5.
  bool allow_tf32 = true;                 ///< BuildOptions::allow_tf32; off by --noTF32.
  int threads = 1;
  std::filesystem::path timing_cache;
  /// The tensor whose scores are an early exit. Empty: none, but for an EE_ model with two outputs.
  std::string exit{};
  Int8Options int8{};  ///< For precision int8.
  CompilerOptions compiler{};
  /// Of a backend whose compiler tells how far it is. May be empty.
  std::function<void(std::int64_t done, std::int64_t total)> progress{};
};

/// ONNX file to graph, shapes inferred, nothing optimised. Loads the importer's module. Throws
/// bad_input as import_onnx does, with the file's name in front.
[[nodiscard]] Graph import_model(const std::filesystem::path& onnx, std::int64_t batch = 1,
                                 const std::map<std::string, Shape>& shapes = {});

/// ONNX file to the content of an engine file. Throws bad_input: as import_model; calibration
/// (make_int8); a precision or backend that cannot be had; a model without a preprocessing recipe
/// for its dataset (states flags). Warnings (a name that contradicts, a default that was taken) go
/// to the log.
[[nodiscard]] EngineContainer build_engine(const std::filesystem::path& onnx,
                                           const EngineBuildOptions& options);

/// The one way in for programs that take `--model`: an `.engine` file is loaded, an `.onnx` file is
/// built in memory. An engine file keeps the backend and precision that it was built with (a wish
/// for others is answered with a warning); dataset and preprocessing can be stated anew.
[[nodiscard]] std::shared_ptr<const Engine> open_model(const std::filesystem::path& model,
                                                       const EngineBuildOptions& options);

}  // namespace hedge
