// SPDX-License-Identifier: Apache-2.0
#include "cli/model/compiler_options.h"

#include <fmt/format.h>

#include "base/text.h"
#include "cli/program/flags.h"
#include "hedge/error.h"

namespace hedge::cli {
namespace {

constexpr const char* kGroup = "TensorRT's compiler";
constexpr std::int64_t kMebibyte = 1 << 20;

Sparsity sparsity_of(const std::string& text) {
  if (text == "disable") return Sparsity::kDisable;
  if (text == "enable") return Sparsity::kEnable;
  if (text == "force") return Sparsity::kForce;
  throw bad_input(
      fmt::format("--sparsity={}: there are disable, enable and force", printable(text, 40)));
}

}  // namespace

void add_compiler_options(CLI::App& app, CompilerFlags& flags) {
  app.add_option("--workspace", flags.workspace,
                 "Most scratch memory of one tactic, in MiB (default: what the GPU has)")
      ->group(kGroup)
      ->type_name("MIB");
  app.add_option("--sparsity", flags.sparsity,
                 "disable (default), enable: use that two of four weights are zero, force: make "
                 "them so before")
      ->group(kGroup)
      ->type_name("HOW");
  app.add_option("--maxAuxStreams", flags.aux_streams,
                 "Most streams on which layers run beside one another (default: as TensorRT "
                 "thinks fit; 0: one after the other)")
      ->group(kGroup)
      ->type_name("N");
  app.add_option("--persistentCacheRatio", flags.persistent_cache_ratio,
                 "Part of the L2 cache that may be set aside in which inferences keep activations, "
                 "0 (default) to 1")
      ->group(kGroup)
      ->type_name("R");
  app.add_option("--useDLACore", flags.dla_core,
                 "Layers go to this deep-learning accelerator (fp16)")
      ->group(kGroup)
      ->type_name("N");
  app.add_flag("--allowGPUFallback", flags.gpu_fallback,
               "Layers that the accelerator cannot run go to the GPU")
      ->group(kGroup);
}

CompilerOptions compiler_options(const CompilerFlags& flags) {
  CompilerOptions options{.sparsity = sparsity_of(flags.sparsity),
                          .gpu_fallback = flags.gpu_fallback};
  if (!flags.workspace.empty()) {
    options.workspace_bytes = static_cast<std::size_t>(
        kMebibyte * parse_count("--workspace", flags.workspace, 1, 1 << 20));
  }
  if (!flags.aux_streams.empty()) {
    options.aux_streams =
        static_cast<int>(parse_count("--maxAuxStreams", flags.aux_streams, 0, 64));
  }
  options.persistent_cache_ratio =
      parse_number("--persistentCacheRatio", flags.persistent_cache_ratio, 0, 1);
  if (!flags.dla_core.empty()) {
    options.dla_core = static_cast<int>(parse_count("--useDLACore", flags.dla_core, 0, 15));
  }
  return options;
}

}  // namespace hedge::cli
