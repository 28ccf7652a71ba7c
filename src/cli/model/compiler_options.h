// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>

#include <string>

#include "engine/backend.h"

namespace hedge::cli {

/// What build_engine hands on to a vendor's compiler, as it was typed.
struct CompilerFlags {
  std::string workspace;
  std::string sparsity = "disable";
  std::string dla_core;
  bool gpu_fallback = false;
  std::string aux_streams;
  std::string persistent_cache_ratio = "0";
};

/// By trtexec's names.
void add_compiler_options(CLI::App& app, CompilerFlags& flags);
/// Throws bad_input naming the flag.
[[nodiscard]] CompilerOptions compiler_options(const CompilerFlags& flags);

}  // namespace hedge::cli
