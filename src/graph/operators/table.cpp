// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "graph/operators/common.h"

namespace hedge {
namespace {

const std::map<std::string_view, const Operator*>& operators_by_name() {
  static const auto table = [] {
    std::map<std::string_view, const Operator*> all;
    for (const auto family :
         {operators::activation_table(), operators::arithmetic_table(), operators::cast_table(),
          operators::comparison_table(), operators::convolution_table(),
          operators::function_table(), operators::indexing_table(), operators::matrix_table(),
          operators::movement_table(), operators::normalization_table(), operators::pooling_table(),
          operators::quantization_table(), operators::reduction_table(), operators::resize_table(),
          operators::selection_table(), operators::shape_table(), operators::slicing_table(),
          operators::softmax_table()}) {
      for (const Operator& op : family) all.emplace(op.name, &op);
    }
    return all;
  }();
  return table;
}

}  // namespace

const Operator* find_operator(std::string_view name) {
  const auto found = operators_by_name().find(name);
  return found == operators_by_name().end() ? nullptr : found->second;
}

const Operator& get_operator(std::string_view name) {
  const Operator* op = find_operator(name);
  if (op == nullptr) throw runtime_failure(fmt::format("no operator is called {}", name));
  return *op;
}

std::vector<const Operator*> all_operators() {
  std::vector<const Operator*> all;
  for (const auto& [name, op] : operators_by_name()) all.push_back(op);
  return all;
}

}  // namespace hedge
