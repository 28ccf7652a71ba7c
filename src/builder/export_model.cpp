// SPDX-License-Identifier: Apache-2.0
#include "builder/export_model.h"

#include <memory>
#include <string>
#include <utility>

#include "base/file.h"
#include "base/module.h"
#include "onnx/export.h"
#include "quant/qdq.h"

namespace hedge {

std::string onnx_of(const Graph& graph, const OnnxForm& form) {
  const Graph plain = to_qdq(graph, form.stored_weights);
  const auto module = Module::load("onnx");
  auto* write = module->function<decltype(hedge_onnx_export)>("hedge_onnx_export");
  const std::unique_ptr<std::string> bytes(write(&plain, &form));
  return std::move(*bytes);
}

void export_model(const Graph& graph, const std::filesystem::path& file) {
  write_file(file, onnx_of(graph));
}

}  // namespace hedge
