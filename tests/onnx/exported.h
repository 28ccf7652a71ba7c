// SPDX-License-Identifier: Apache-2.0
// What tests of the exporter begin and end with.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "graph/passes/passes.h"
#include "onnx/format.pb.h"
#include "quant/qdq.h"

namespace hedge::test {

inline onnx::ModelProto parse(const std::string& bytes) {
  onnx::ModelProto model;
  EXPECT_TRUE(model.ParseFromString(bytes));
  return model;
}

/// As backends get it, in layers that ONNX has.
inline Graph plain(Graph graph) {
  optimize(graph);
  return to_qdq(graph);
}

}  // namespace hedge::test
