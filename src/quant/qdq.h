// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "graph/graph.h"

namespace hedge {

/// Value::quantization written out: QuantizeLinear and DequantizeLinear behind each value that is
/// held in 8 bits (of constants the stored integers and DequantizeLinear), post-ops as nodes of
/// their own. That is where TensorRT wants them: on the inputs and weights of convolutions and on
/// the residual input of each Add. Says in plain operators what an INT8 graph computes, for the
/// reference executor and for export. Without `stored_weights` constants stay in floating point
/// (they hold the rounded values), with QuantizeLinear behind them as well.
[[nodiscard]] Graph to_qdq(const Graph& graph, bool stored_weights = true);

/// The reverse, for models that come with Q/DQ: before optimize(), with types inferred. Pairs of Q
/// and DQ become Value::quantization of the value that they round, DQ of constant weights that of
/// the constant. Throws bad_input naming every node in the way: activations with a scale for each
/// channel, weights whose scales run along another axis than the output channels, scales that are
/// no positive numbers. Q and DQ that form no pair stay.
void absorb_qdq(Graph& graph);

}  // namespace hedge
