// SPDX-License-Identifier: Apache-2.0
#include "builder/export_model.h"

#include <memory>
#include <string>

#include "base/file.h"
#include "base/module.h"
#include "onnx/export.h"
#include "quant/qdq.h"

namespace hedge {

void export_model(const Graph& graph, const std::filesystem::path& file) {
  const Graph plain = to_qdq(graph);
  const auto module = Module::load("onnx");
  auto* write = module->function<decltype(hedge_onnx_export)>("hedge_onnx_export");
  const std::unique_ptr<std::string> bytes(write(&plain));
  write_file(file, *bytes);
}

}  // namespace hedge
