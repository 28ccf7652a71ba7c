// SPDX-License-Identifier: Apache-2.0
#include "onnx/conformance/node_test.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/file.h"
#include "hedge/error.h"

namespace hedge::conformance {
namespace {

namespace fs = std::filesystem;

template <class Message>
Message read_message(const fs::path& path) {
  const auto file = MappedFile::open(path);
  Message message;
  if (!message.ParseFromArray(file->bytes().data(), static_cast<int>(file->bytes().size()))) {
    throw bad_input(fmt::format("{}: protobuf cannot parse it", path.string()));
  }
  return message;
}

std::string why_unreadable(const onnx::GraphProto& graph) {
  for (const auto* values : {&graph.input(), &graph.output()}) {
    for (const auto& value : *values) {
      if (value.type().has_sequence_type()) return "sequences";
      if (value.type().has_optional_type()) return "values that may be absent";
      if (!value.type().has_tensor_type()) return "values that are no tensors";
    }
  }
  return {};
}

NodeTest read_node_test(const fs::path& folder) {
  NodeTest test;
  test.name = folder.filename().string();
  test.model = read_message<onnx::ModelProto>(folder / "model.onnx");
  const onnx::GraphProto& graph = test.model.graph();
  if (graph.node_size() == 0) throw bad_input(test.name + ": has no node");
  test.about = graph.node(0).op_type();
  test.unreadable = why_unreadable(graph);
  if (!test.unreadable.empty()) return test;
  const fs::path data = folder / "test_data_set_0";  // There never is a second one.
  for (int i = 0; i < graph.input_size(); ++i) {
    test.inputs.push_back(read_message<onnx::TensorProto>(data / fmt::format("input_{}.pb", i)));
  }
  for (int i = 0; i < graph.output_size(); ++i) {
    test.outputs.push_back(read_message<onnx::TensorProto>(data / fmt::format("output_{}.pb", i)));
  }
  return test;
}

}  // namespace

std::vector<NodeTest> read_node_tests(const fs::path& folder) {
  std::vector<NodeTest> tests;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (fs::exists(entry.path() / "model.onnx")) tests.push_back(read_node_test(entry.path()));
  }
  if (tests.empty()) throw bad_input(folder.string() + ": no node tests");
  std::sort(tests.begin(), tests.end(),
            [](const NodeTest& a, const NodeTest& b) { return a.name < b.name; });
  std::map<std::string, std::string> about;
  for (const NodeTest& test : tests) about[test.name] = test.about;
  for (NodeTest& test : tests) {
    const std::size_t suffix = test.name.find("_expanded");
    if (suffix == std::string::npos) continue;
    test.expanded = true;
    test.about = about.at(test.name.substr(0, suffix));
  }
  return tests;
}

}  // namespace hedge::conformance
