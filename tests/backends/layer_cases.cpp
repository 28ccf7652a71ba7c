// SPDX-License-Identifier: Apache-2.0
#include "backends/layer_cases.h"

#include <algorithm>

#include "support/nets.h"

namespace hedge::test {
namespace {

constexpr std::int64_t kOne = 1;

std::int64_t plane(const Shape& s) {
  return s[2] * s[3];
}

LayerCase unary(const std::string& op,
                const std::vector<std::pair<std::string, Attributes::Value>>& attributes = {}) {
  return {op,
          [=](GraphBuilder& g, ValueId x, const Shape&) { return g.node(op, {x}, attributes); }};
}

/// Of a positive operand.
LayerCase unary_of_positive(const std::string& op) {
  return {op, [=](GraphBuilder& g, ValueId x, const Shape&) {
            return g.node(op, {g.node("Add", {g.node("Abs", {x}), g.number(0.5F)})});
          }};
}

LayerCase pool(const std::string& op, const Ints& kernel, const Ints& strides, const Ints& pads,
               std::int64_t ceil_mode, std::int64_t include_pad, bool fast = true) {
  return {op + " ceil " + std::to_string(ceil_mode) + " pad " + std::to_string(include_pad),
          [=](GraphBuilder& g, ValueId x, const Shape&) {
            std::vector<std::pair<std::string, Attributes::Value>> attributes{
                {"kernel_shape", kernel}, {"strides", strides}, {"pads", pads}};
            if (ceil_mode != 0) attributes.emplace_back("ceil_mode", ceil_mode);
            if (include_pad != 0) attributes.emplace_back("count_include_pad", include_pad);
            return g.node(op, {x}, attributes);
          },
          fast};
}

/// Every way of broadcasting two operands, with post-ops.
std::vector<LayerCase> binaries(const std::string& op) {
  const auto with = [op](const std::string& how, auto shape_of, bool swapped) {
    return LayerCase{
        op + " " + how + (swapped ? " swapped" : ""),
        [=](GraphBuilder& g, ValueId x, const Shape& s) {
          const ValueId c = g.constant(op == "Div" ? positive_tensor(shape_of(s), 3)
                                                   : noise_tensor(shape_of(s), 3));
          const ValueId base = op == "Div" && swapped ? g.node("Exp", {x}) : x;
          return g.node("Relu", {swapped ? g.node(op, {c, base}) : g.node(op, {base, c})});
        }};
  };
  std::vector<LayerCase> all;
  for (const bool swapped : {false, true}) {
    all.push_back(with(
        "channels",
        [](const Shape& s) {
          return Shape{s[1], 1, 1};
        },
        swapped));
    all.push_back(with(
        "scalar", [](const Shape&) { return Shape{}; }, swapped));
    all.push_back(with(
        "columns", [](const Shape& s) { return Shape{s[3]}; }, swapped));
    all.push_back(with(
        "plane",
        [](const Shape& s) {
          return Shape{1, 1, s[2], s[3]};
        },
        swapped));
    all.push_back(with(
        "whole", [](const Shape& s) { return s; }, swapped));
    all.push_back(with(
        "more axes",
        [](const Shape& s) {
          return Shape{2, s[0], s[1], s[2], s[3]};
        },
        swapped));
    // Gates that are computed: N x C x 1 x 1 and N x 1 x H x W.
    all.push_back(
        {op + " gate" + (swapped ? " swapped" : ""),
         [=](GraphBuilder& g, ValueId x, const Shape& s) {
           const ValueId pooled = g.node("GlobalAveragePool", {x});
           const ValueId gate = g.node("Sigmoid", {g.conv(pooled, s[1], s[1], 1)});
           return swapped ? g.node(op, {gate, g.node("Exp", {x})}) : g.node(op, {x, gate});
         }});
  }
  all.push_back({op + " outer", [=](GraphBuilder& g, ValueId x, const Shape&) {
                   const ValueId rows = g.node("ReduceMax", {x}, {{"axes", Ints{3}}});
                   const ValueId columns = g.node("ReduceMax", {x}, {{"axes", Ints{2}}});
                   return g.node(op, {rows, g.node("Exp", {columns})});
                 }});
  return all;
}

std::vector<LayerCase> activations() {
  return {unary("Relu"),
          unary("LeakyRelu", {{"alpha", 0.2F}}),
          unary("Elu", {{"alpha", 0.7F}}),
          unary("Tanh"),
          unary("Sigmoid"),
          unary("HardSigmoid", {{"alpha", 0.3F}, {"beta", 0.4F}}),
          unary("HardSwish"),
          unary("Gelu"),
          unary("Gelu", {{"approximate", std::string("tanh")}}),
          unary("Exp"),
          unary("Abs"),
          unary("Neg"),
          unary("Clip", {{"min", -0.25F}, {"max", 0.5F}}),
          unary_of_positive("Sqrt"),
          unary_of_positive("Log"),
          unary_of_positive("Reciprocal"),
          {"Pow",
           [](GraphBuilder& g, ValueId x, const Shape&) {
             return g.node("Pow", {g.node("Abs", {x}), g.number(1.7F)});
           }},
          {"square",
           [](GraphBuilder& g, ValueId x, const Shape&) {
             return g.node("Pow", {x, g.number(2)});
           }},
          {"from a number",
           [](GraphBuilder& g, ValueId x, const Shape&) {
             return g.node("Sub", {g.number(2), g.node("Div", {x, g.number(3)})});
           }},
          {"PRelu",
           [](GraphBuilder& g, ValueId x, const Shape& s) {
             return g.node("PRelu", {x, g.weights({s[1], 1, 1})});
           }},
          {"Sum of three", [](GraphBuilder& g, ValueId x, const Shape& s) {
             return g.node("Sum", {x, g.weights({s[1], 1, 1}), g.node("Exp", {x})});
           }}};
}

/// Pools, means, norms, softmax.
std::vector<LayerCase> over_planes() {
  std::vector<LayerCase> all{
      pool("MaxPool", {3, 3}, {2, 2}, {1, 1, 1, 1}, 0, 0),
      pool("MaxPool", {2, 3}, {2, 2}, {0, 0, 0, 0}, 1, 0),
      pool("AveragePool", {3, 2}, {2, 1}, {1, 0, 0, 1}, 0, 0),
      pool("AveragePool", {3, 2}, {2, 1}, {1, 0, 0, 1}, 0, 1),
      pool("AveragePool", {3, 3}, {2, 2}, {1, 1, 1, 1}, 1, 0),
      pool("AveragePool", {2, 2}, {2, 2}, {0, 0, 0, 0}, 1, 1, false),
      unary("GlobalAveragePool"),
      unary("GlobalMaxPool"),
      unary("LRN", {{"size", std::int64_t{5}}, {"alpha", 0.3F}, {"beta", 0.6F}, {"bias", 1.2F}}),
      unary("Softmax", {{"axis", std::int64_t{1}}}),
      unary("Softmax", {{"axis", std::int64_t{-1}}}),
      unary("LogSoftmax", {{"axis", std::int64_t{2}}})};
  for (const std::string op : {"ReduceMean", "ReduceSum", "ReduceMax"}) {
    for (const Ints& axes : {Ints{2, 3}, Ints{1}, Ints{-1}, Ints{0, 1, 2, 3}}) {
      if (axes.size() == 4) continue;  // The batch must stay.
      all.push_back(unary(op, {{"axes", axes}}));
      all.push_back(unary(op, {{"axes", axes}, {"keepdims", std::int64_t{0}}}));
    }
    LayerCase apart = unary(op, {{"axes", Ints{1, 3}}});
    apart.fast = false;
    all.push_back(apart);
  }
  all.push_back({"InstanceNormalization", [](GraphBuilder& g, ValueId x, const Shape& s) {
                   return g.node("InstanceNormalization", {x, g.weights({s[1]}), g.weights({s[1]})},
                                 {{"epsilon", 1e-3F}});
                 }});
  for (const bool by_group : {false, true}) {
    all.push_back({"GroupNormalization", [=](GraphBuilder& g, ValueId x, const Shape& s) {
                     const std::int64_t n = by_group ? 2 : s[1];
                     return g.node("GroupNormalization", {x, g.weights({n}), g.weights({n})},
                                   {{"num_groups", std::int64_t{2}}});
                   }});
  }
  for (const std::int64_t axis : {-1, 2}) {
    all.push_back({"LayerNormalization", [=](GraphBuilder& g, ValueId x, const Shape& s) {
                     const Shape tail = axis == -1 ? Shape{s[3]} : Shape{s[2], s[3]};
                     return g.node("LayerNormalization", {x, g.weights(tail), g.weights(tail)},
                                   {{"axis", axis}});
                   }});
  }
  return all;
}

std::vector<LayerCase> movements() {
  const auto node = [](const std::string& op, auto inputs_of,
                       std::vector<std::pair<std::string, Attributes::Value>> attributes = {}) {
    return LayerCase{op, [=](GraphBuilder& g, ValueId x, const Shape& s) {
                       std::vector<ValueId> inputs{x};
                       for (const ValueId id : inputs_of(g, s)) inputs.push_back(id);
                       return g.node(op, inputs, attributes);
                     }};
  };
  using Ids = std::vector<ValueId>;
  const auto none = [](GraphBuilder&, const Shape&) { return Ids{}; };
  return {
      node("Transpose", none, {{"perm", Ints{0, 2, 3, 1}}}),
      node("Transpose", none, {{"perm", Ints{0, 1, 3, 2}}}),
      node("Slice",
           [](auto& g, const Shape& s) {
             return Ids{g.ints({1, 1}), g.ints({s[1] - 1, 1000}), g.ints({1, 3}), g.ints({1, 2})};
           }),
      node("Slice",
           [](auto& g, const Shape&) {
             return Ids{g.ints({-1}), g.ints({-1000}), g.ints({2}), g.ints({-2})};
           }),
      node("Gather",
           [](auto& g, const Shape&) {
             return Ids{g.ints({3, 0, -1, 3})};
           },
           {{"axis", kOne}}),
      // Every second of few columns: strides that lie across one another.
      node("Gather",
           [](auto& g, const Shape&) {
             return Ids{g.ints({0, 3})};
           },
           {{"axis", std::int64_t{3}}}),
      {"Gather one",
       [](GraphBuilder& g, ValueId x, const Shape&) {
         const std::int64_t two = 2;
         return g.node("Gather",
                       {x, g.constant(Tensor::from<std::int64_t>({}, std::span(&two, 1)))},
                       {{"axis", std::int64_t{2}}});
       }},
      node("Expand",
           [](auto& g, const Shape& s) {
             return Ids{g.ints({2, s[0], s[1], s[2], s[3]})};
           }),
      node("Tile",
           [](auto& g, const Shape&) {
             return Ids{g.ints({1, 2, 1, 3})};
           }),
      node("Pad",
           [](auto& g, const Shape&) {
             return Ids{g.ints({0, 1, 2, 0, 0, 0, 1, 3}), g.number(-0.5F)};
           }),
      node("Pad",
           [](auto& g, const Shape&) {
             return Ids{g.ints({0, 0, 2, 1, 0, 0, 1, 3})};
           },
           {{"mode", std::string("reflect")}}),
      {"DepthToSpace",
       [](GraphBuilder& g, ValueId x, const Shape& s) {
         const ValueId even = g.conv(x, s[1], 8);
         return g.node("DepthToSpace", {even}, {{"blocksize", std::int64_t{2}}});
       }},
      {"channel shuffle",
       [](GraphBuilder& g, ValueId x, const Shape& s) {
         const ValueId parts = g.node("Reshape", {x, g.ints({s[0], 2, s[1] / 2, s[2], s[3]})});
         const ValueId swapped = g.node("Transpose", {parts}, {{"perm", Ints{0, 2, 1, 3, 4}}});
         return g.node("Reshape", {swapped, g.ints({s[0], s[1], s[2], s[3]})});
       }},
      {"split and shuffle",
       [](GraphBuilder& g, ValueId x, const Shape& s) {
         const auto parts = g.split(x, 1, {s[1] / 2, s[1] - s[1] / 2});
         const ValueId right = g.conv(parts[1], s[1] - s[1] / 2, s[1] / 2, 3);
         return g.node("Concat", {parts[0], right, g.node("Relu", {parts[1]})}, {{"axis", kOne}});
       }},
      {"Concat of layouts",
       [](GraphBuilder& g, ValueId x, const Shape& s) {
         return g.node(
             "Concat",
             {g.conv(x, s[1], 16), x, g.weights({s[0], 3, s[2], s[3]}), g.conv(x, s[1], 6)},
             {{"axis", kOne}});
       }},
      {"Resize",
       [](GraphBuilder& g, ValueId x, const Shape& s) {
         return g.node("Resize", {x, kNoValue, kNoValue, g.ints({s[0], s[1], 9, 11})},
                       {{"mode", std::string("nearest")}});
       }},
      {"Resize linear",
       [](GraphBuilder& g, ValueId x, const Shape& s) {
         return g.node("Resize", {x, kNoValue, kNoValue, g.ints({s[0], s[1], 9, 11})},
                       {{"mode", std::string("linear")}});
       },
       false},
      {"Where and Equal",
       [](GraphBuilder& g, ValueId x, const Shape& s) {
         const ValueId same = g.node("Equal", {x, g.node("Relu", {x})});
         return g.node("Where", {same, x, g.weights({s[1], 1, 1})});
       },
       false},
      {"indices that are computed",
       [](GraphBuilder& g, ValueId x, const Shape& s) {
         const ValueId flat = g.node("Reshape", {x, g.ints({s[0] * s[1], plane(s)})});
         const ValueId best = g.node("ArgMax", {flat}, {{"axis", kOne}, {"keepdims", kOne}});
         const ValueId table = g.weights({plane(s), 3});
         return g.node("Reshape", {g.node("Gather", {table, best}), g.ints({s[0], s[1], 3})});
       },
       false}};
}

/// x as rows of its last axis, then a product.
std::vector<LayerCase> products() {
  const auto matmul = [](const std::string& name, auto other_of) {
    return LayerCase{name, [=](GraphBuilder& g, ValueId x, const Shape& s) {
                       return g.node("MatMul", {x, other_of(g, x, s)});
                     }};
  };
  return {matmul("weights",
                 [](auto& g, ValueId, const Shape& s) {
                   return g.weights({s[3], 9});
                 }),
          matmul("column", [](auto& g, ValueId, const Shape& s) { return g.weights({s[3]}); }),
          matmul("stack of weights",
                 [](auto& g, ValueId, const Shape& s) {
                   return g.weights({s[1], s[3], 4});
                 }),
          matmul("itself",
                 [](auto& g, ValueId x, const Shape&) {
                   return g.node("Transpose", {x}, {{"perm", Ints{0, 1, 3, 2}}});
                 }),
          {"weights on the left",
           [](GraphBuilder& g, ValueId x, const Shape& s) {
             return g.node("MatMul", {g.weights({4, s[2]}), x});
           }},
          {"bias, residual and Gelu",
           [](GraphBuilder& g, ValueId x, const Shape& s) {
             const ValueId product = g.node("MatMul", {x, g.weights({s[3], s[3]})});
             const ValueId biased = g.node("Add", {g.weights({s[3]}), product});
             return g.node("Gelu", {g.node("Add", {x, biased})});
           }},
          {"bias of another shape",
           [](GraphBuilder& g, ValueId x, const Shape& s) {
             const ValueId product = g.node("MatMul", {x, g.weights({s[3], 5})});
             return g.node("Relu", {g.node("Add", {product, g.weights({s[2], 1})})});
           }},
          {"Gemm",
           [](GraphBuilder& g, ValueId x, const Shape& s) {
             const ValueId rows = g.node("Reshape", {x, g.ints({s[0], s[1] * plane(s)})});
             return g.node("Gemm", {rows, g.weights({7, s[1] * plane(s)}), g.weights({7})},
                           {{"transB", kOne}, {"alpha", 0.5F}, {"beta", 2.F}});
           }},
          {"Gemm of two that vary",
           [](GraphBuilder& g, ValueId x, const Shape& s) {
             const ValueId a = g.node("Reshape", {x, g.ints({s[0] * s[1], plane(s)})});
             const ValueId product = g.node(
                 "Gemm", {a, g.node("Exp", {a}), g.weights({s[0] * s[1]})}, {{"transB", kOne}});
             return g.node("Reshape", {product, g.ints({s[0], -1})});
           }},
          {"depthwise",
           [](GraphBuilder& g, ValueId x, const Shape& s) {
             return g.node("HardSwish", {g.conv(x, s[1], s[1], 3, 2, s[1])});
           }},
          {"gated block", [](GraphBuilder& g, ValueId x, const Shape& s) {
             const ValueId y = g.node("Mul", {x, g.node("Sigmoid", {x})});
             const ValueId squeezed =
                 g.conv(g.node("ReduceMean", {y}, {{"axes", Ints{2, 3}}}), s[1], 4, 1);
             const ValueId gate =
                 g.node("HardSigmoid", {g.conv(g.node("Relu", {squeezed}), 4, s[1], 1)});
             return g.node("Add", {g.conv(g.node("Mul", {gate, y}), s[1], s[1], 1), x});
           }}};
}

}  // namespace

const std::vector<LayerGroup>& layer_groups() {
  static const std::vector<LayerGroup> groups{
      {"Activations", activations},
      {"Add", [] { return binaries("Add"); }},
      {"Sub", [] { return binaries("Sub"); }},
      {"Mul", [] { return binaries("Mul"); }},
      {"Div", [] { return binaries("Div"); }},
      {"Min", [] { return binaries("Min"); }},
      {"Max", [] { return binaries("Max"); }},
      {"OverPlanes", over_planes},
      {"Movements", movements},
      {"Products", products},
  };
  return groups;
}

const std::vector<Feed>& feeds() {
  static const std::vector<Feed> all{{"input", {1, 6, 7, 5}, false},
                                     {"blocks", {1, 32, 7, 5}, true},
                                     {"padded", {1, 10, 6, 5}, true},
                                     {"batch", {2, 16, 5, 4}, true}};
  return all;
}

Graph graph_of(const LayerCase& layer, const Feed& feed) {
  GraphBuilder g;
  ValueId x = kNoValue;
  if (feed.convolved) {
    x = g.conv(g.input({feed.shape[0], 4, feed.shape[2], feed.shape[3]}), 4, feed.shape[1]);
  } else {
    x = g.input(feed.shape);
  }
  return g.finish({layer.layer(g, x, feed.shape)});
}

bool is_continuous(const Graph& graph) {
  return std::none_of(graph.nodes.begin(), graph.nodes.end(), [](const Node& node) {
    return node.op->name == "Equal" || node.op->name == "ArgMax";
  });
}

}  // namespace hedge::test
