// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "graph/graph.h"

namespace hedge {

/// All passes below in the order that pays, until nothing changes; then unused values are dropped
/// and the result is checked. The graph computes the same function; names of inputs and outputs
/// stay.
void optimize(Graph& graph);

// Each pass answers whether it changed anything. Types of all values are known before and after.

/// Identity, Dropout, Cast to the same type, reshapes and transposes that move nothing.
bool remove_identities(Graph& graph);
/// Nodes whose outputs are known (infer_shapes has evaluated them) and nodes whose outputs nobody
/// uses.
bool remove_dead_nodes(Graph& graph);
/// One form for what ONNX can say in several: MatMul by constant weights to Gemm, ReduceMean over
/// the plane to GlobalAveragePool, BatchNormalization that no convolution takes to a depthwise 1x1
/// Conv.
bool canonicalize(Graph& graph);
/// Activations that exporters write as several nodes (swish, hard swish, Gelu and others) to one
/// Identity with the activation as its post-op.
bool recognise_activations(Graph& graph);
/// Layer normalisation that exporters write as up to nine nodes to one LayerNormalization.
bool recognise_norms(Graph& graph);
/// BatchNormalization, and Add, Sub, Mul, Div by per-channel constants, into the weights and bias
/// of the Conv or Gemm before them.
bool fold_affine(Graph& graph);
/// Transposes into the graph's inputs, through elementwise nodes, and into one another.
bool absorb_transposes(Graph& graph);
/// Zero padding of the plane into the convolution after it; a subsampling 1x1 pool with padding of
/// channels (the parameter-free shortcut of CIFAR ResNets) into a 1x1 convolution that selects.
bool absorb_pads(Graph& graph);
/// Activations, the bias of a MatMul and the residual Add, into the node before them as post-ops.
bool fuse_post_ops(Graph& graph);

}  // namespace hedge
