# SPDX-License-Identifier: Apache-2.0
"""An ONNX model as a PyTorch module: the same layers with the same weights, by torch.nn.functional.

BatchNormalization is folded into the convolution before it, as Hedge does, so that PyTorch need not compute it either.
Covers what classifiers of the kind that bench/peers compares are made of; says which operator it does not know.
"""
import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper


def conv(x, weight, bias, stride, pads, dilation, groups):
    # ONNX: all begins, then all ends; torch pads both ends alike, so that others take an F.pad.
    rank = len(stride)
    begin, end = pads[:rank], pads[rank:]
    if begin != end:
        x = F.pad(x, [p for i in reversed(range(rank)) for p in (begin[i], end[i])])
        begin = [0] * rank
    return F.conv2d(x, weight, bias, stride, begin, dilation, groups)


def attributes_of(node):
    return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}


def fold_batch_norms(nodes, constants):
    """Conv + BatchNormalization -> Conv, where nobody else reads the convolution's result."""
    readers = {}
    for node in nodes:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    producers = {node.output[0]: node for node in nodes}
    kept = []
    for node in nodes:
        before = producers.get(node.input[0]) if node.op_type == "BatchNormalization" else None
        if before is None or before.op_type != "Conv" or len(readers[node.input[0]]) != 1:
            kept.append(node)
            continue
        scale, shift, mean, variance = (constants[name] for name in node.input[1:5])
        factor = scale / np.sqrt(variance + attributes_of(node).get("epsilon", 1e-5))
        weight = constants[before.input[1]]
        bias = constants[before.input[2]] if len(before.input) > 2 else 0
        name = before.output[0]
        constants[name + ".weight"] = weight * factor.reshape(-1, 1, 1, 1)
        constants[name + ".bias"] = (bias - mean) * factor + shift
        folded = onnx.NodeProto()
        folded.CopyFrom(before)
        del folded.input[1:]
        folded.input.extend([name + ".weight", name + ".bias"])
        folded.output[0] = node.output[0]
        kept[next(i for i, k in enumerate(kept) if k is before)] = folded
        producers[node.output[0]] = folded
    return kept


class OnnxModule(torch.nn.Module):
    """forward(x) takes the model's first input as ONNX states it, and gives its first output."""

    def __init__(self, path):
        super().__init__()
        graph = onnx.load(path).graph
        constants = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
        nodes = []
        for node in graph.node:
            if node.op_type == "Constant":
                constants[node.output[0]] = numpy_helper.to_array(attributes_of(node)["value"])
            elif node.op_type == "Identity" and node.input[0] in constants:
                constants[node.output[0]] = constants[node.input[0]]
            else:
                nodes.append(node)
        self.constants = constants
        inputs = [i for i in graph.input if i.name not in constants]
        self.input_shape = [d.dim_value or 1 for d in inputs[0].type.tensor_type.shape.dim]
        self.steps = []
        for node in fold_batch_norms(nodes, constants):
            make = getattr(self, "make_" + node.op_type.lower(), None)
            if make is None:
                raise SystemExit(f"{path}: no PyTorch form of {node.op_type} here; add it to onnx_module.py")
            varying = [name for name in node.input if name and name not in constants]
            self.steps.append((make(node, attributes_of(node)), varying, node.output[0]))
        self.first, self.last = inputs[0].name, graph.output[0].name

    def forward(self, x):
        values = {self.first: x}
        for step, inputs, output in self.steps:
            values[output] = step(*[values[name] for name in inputs])
        return values[self.last]

    def weight(self, name):
        """A constant as a buffer, which .half() and .to() reach. A getter, so that they do."""
        key = "w_" + "".join(c if c.isalnum() else "_" for c in name)
        if not hasattr(self, key):
            self.register_buffer(key, torch.from_numpy(np.array(self.constants[name], dtype=np.float32)))
        return key

    def make_conv(self, node, a):
        weight = self.weight(node.input[1])
        bias = self.weight(node.input[2]) if len(node.input) > 2 and node.input[2] else None
        kernel = list(self.constants[node.input[1]].shape[2:])
        stride = list(a.get("strides", [1] * len(kernel)))
        dilation = list(a.get("dilations", [1] * len(kernel)))
        if a.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
            raise SystemExit("auto_pad SAME: export the model with explicit pads")
        pads = list(a.get("pads", [0] * 2 * len(kernel)))
        groups = a.get("group", 1)
        return lambda x: conv(x, getattr(self, weight), getattr(self, bias) if bias else None, stride, pads,
                              dilation, groups)

    def make_relu(self, node, a):
        return F.relu

    def make_clip(self, node, a):
        low, high = (float(self.constants[n]) if n else None for n in (list(node.input[1:3]) + ["", ""])[:2])
        if len(node.input) == 1:
            low, high = a.get("min"), a.get("max")
        return F.relu6 if (low, high) == (0.0, 6.0) else lambda x: torch.clamp(x, low, high)

    def make_add(self, node, a):
        fixed = [name for name in node.input if name in self.constants]
        if not fixed:
            return torch.add
        key = self.weight(fixed[0])
        return lambda x: x + getattr(self, key)

    def make_maxpool(self, node, a):
        kernel, stride = list(a["kernel_shape"]), list(a.get("strides", [1, 1]))
        pads = list(a.get("pads", [0, 0, 0, 0]))
        if pads[:2] != pads[2:] or a.get("ceil_mode", 0):
            raise SystemExit("MaxPool with uneven pads or ceil_mode: not here")
        return lambda x: F.max_pool2d(x, kernel, stride, pads[:2])

    def make_averagepool(self, node, a):
        kernel, stride = list(a["kernel_shape"]), list(a.get("strides", [1, 1]))
        if any(a.get("pads", [0])):
            raise SystemExit("AveragePool with pads: not here")
        return lambda x: F.avg_pool2d(x, kernel, stride)

    def make_globalaveragepool(self, node, a):
        return lambda x: F.adaptive_avg_pool2d(x, 1)

    def make_flatten(self, node, a):
        return lambda x: torch.flatten(x, a.get("axis", 1))

    def make_reshape(self, node, a):
        shape = [int(d) for d in self.constants[node.input[1]]]
        return lambda x: x.reshape([x.shape[i] if d == 0 else d for i, d in enumerate(shape)])

    def make_squeeze(self, node, a):
        axes = a.get("axes") or [int(d) for d in self.constants[node.input[1]]]
        return lambda x: torch.squeeze(x, tuple(axes))

    def make_transpose(self, node, a):
        order = list(a["perm"])
        return lambda x: x.permute(order)

    def make_pad(self, node, a):
        pads = a.get("pads") or [int(d) for d in self.constants[node.input[1]]]
        rank = len(pads) // 2
        flat = [p for i in reversed(range(rank)) for p in (int(pads[i]), int(pads[i + rank]))]
        return lambda x: F.pad(x, flat)

    def make_matmul(self, node, a):
        key = self.weight(node.input[1])
        return lambda x: x @ getattr(self, key)

    def make_gemm(self, node, a):
        if a.get("alpha", 1.0) != 1 or a.get("beta", 1.0) != 1 or a.get("transA", 0):
            raise SystemExit("Gemm with alpha, beta or transA: not here")
        weight, bias = self.weight(node.input[1]), self.weight(node.input[2])
        if a.get("transB", 0):
            return lambda x: F.linear(x, getattr(self, weight), getattr(self, bias))
        return lambda x: torch.addmm(getattr(self, bias), x, getattr(self, weight))

    def make_softmax(self, node, a):
        return lambda x: F.softmax(x, a.get("axis", -1))

    def make_concat(self, node, a):
        return lambda *x: torch.cat(x, a["axis"])

    def make_identity(self, node, a):
        return lambda x: x

    make_dropout = make_identity
