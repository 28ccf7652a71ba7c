// SPDX-License-Identifier: Apache-2.0
#include "onnx/model_file.h"

#include <fmt/format.h>
#include <google/protobuf/stubs/logging.h>

#include <algorithm>
#include <limits>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/log.h"
#include "base/text.h"
#include "hedge/error.h"
#include "onnx/names.h"
#include "onnx/wire.h"

namespace hedge {

onnx::ModelProto parse_model(std::span<const std::byte> bytes) {
  check_model_framing(bytes);
  if (bytes.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
    throw bad_input(fmt::format(
        "{} bytes; an ONNX file ends at 2 GiB (keep weights in external data)", bytes.size()));
  }
  const google::protobuf::LogSilencer silence;  // It would print to stderr.
  onnx::ModelProto model;
  if (!model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    throw bad_input("not an ONNX file, or damaged: protobuf cannot parse its content");
  }
  if (!model.has_graph()) throw bad_input("not an ONNX file: it holds no graph");
  return model;
}

std::optional<std::int64_t> standard_opset(const OpsetImports& imports) {
  std::optional<std::int64_t> opset;
  for (const auto& entry : imports) {
    if (is_standard_domain(entry.domain())) {
      opset = std::max(opset.value_or(entry.version()), entry.version());
    }
  }
  return opset;
}

void require_opsets(const onnx::ModelProto& model) {
  std::int64_t oldest = standard_opset(model.opset_import()).value_or(0);
  std::int64_t newest = oldest;
  for (const auto& function : model.functions()) {
    const std::int64_t opset = standard_opset(function.opset_import()).value_or(oldest);
    oldest = std::min(oldest, opset);
    newest = std::max(newest, opset);
  }
  if (oldest < kOldestOpset) {
    throw bad_input(fmt::format(
        "written for opset {}; Hedge reads {} and newer (onnx.version_converter converts it)",
        oldest, kOldestOpset));
  }
  if (newest > kNewestOpset) {
    log(LogLevel::kWarning,
        fmt::format("written for opset {}, newer than {}: an operator may have changed its meaning",
                    newest, kNewestOpset));
  }
}

std::vector<int> topological_order(const onnx::GraphProto& graph) {
  std::unordered_map<std::string_view, int> producer;
  for (int i = 0; i < graph.node_size(); ++i) {
    for (const std::string& output : graph.node(i).output()) {
      if (!output.empty()) producer.emplace(output, i);
    }
  }
  const auto count = static_cast<std::size_t>(graph.node_size());
  std::vector<int> waits_for(count, 0);
  std::vector<std::vector<int>> readers(count);
  for (int i = 0; i < graph.node_size(); ++i) {
    for (const std::string& input : graph.node(i).input()) {
      const auto found = producer.find(input);
      if (found == producer.end()) continue;
      readers[static_cast<std::size_t>(found->second)].push_back(i);
      ++waits_for[static_cast<std::size_t>(i)];
    }
  }
  // The smallest position first, so that a file in order keeps its order.
  std::set<int> ready;
  for (int i = 0; i < graph.node_size(); ++i) {
    if (waits_for[static_cast<std::size_t>(i)] == 0) ready.insert(i);
  }
  std::vector<int> order;
  while (!ready.empty()) {
    const int next = *ready.begin();
    ready.erase(ready.begin());
    order.push_back(next);
    for (const int reader : readers[static_cast<std::size_t>(next)]) {
      if (--waits_for[static_cast<std::size_t>(reader)] == 0) ready.insert(reader);
    }
  }
  if (order.size() == count) return order;
  std::vector<std::string> stuck;
  for (int i = 0; i < graph.node_size(); ++i) {
    if (waits_for[static_cast<std::size_t>(i)] > 0) stuck.push_back(describe(graph.node(i), i));
  }
  throw bad_input("nodes that wait for each other in a circle: " + join_words(stuck));
}

}  // namespace hedge
