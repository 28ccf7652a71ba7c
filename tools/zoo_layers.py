# SPDX-License-Identifier: Apache-2.0
"""Layers for make_zoo.py: each appends ONNX nodes to a net, in one of the forms that exporters write.

A value is (name, shape); shapes are of one image, so that weights can be drawn as the net grows."""
import collections

import numpy as np
from onnx import TensorProto, helper, numpy_helper

Value = collections.namedtuple("Value", "name shape")

# How the same thing is written: the defaults are PyTorch's of today, a net's style overrides some.
STYLE = {
    "fused_bn": False,          # BatchNormalization folded into the convolution's weights and bias
    "hard_swish": "operator",   # or "parts": Add, Clip, Mul, Div
    "gelu": "erf",              # or "operator" (opset 20)
    "pool": "global",           # or "mean": ReduceMean
    "flatten": "flatten",       # or "reshape", or "shape": Shape, Gather, Unsqueeze, Concat, Reshape
    "pads": "attribute",        # or "node": a Pad before the convolution, or "auto": auto_pad
    "linear": "gemm",           # or "matmul": MatMul, Add
    "gain": 1.0,                # of every BatchNormalization, against activations that shrink what they pass
    "batch": 1,                 # or a name: a batch that the user chooses
}


class Net:
    def __init__(self, name, opset, seed, image=224, **style):
        self.name, self.opset = name, opset
        self.style = {**STYLE, **style}
        self.rng = np.random.default_rng(seed)
        self.nodes, self.initializers, self.counts = [], [], collections.Counter()
        self.input = Value("image", (3, image, image))

    # ---- pieces

    def fresh(self, kind):
        self.counts[kind] += 1
        return f"{kind.lower()}_{self.counts[kind]}"

    def constant(self, array, kind="constant"):
        name = self.fresh(kind)
        self.initializers.append(numpy_helper.from_array(np.asarray(array, order="C"), name))
        return name

    def scalar(self, value):
        return self.constant(np.array(value, np.float32))

    def ints(self, *values):
        return self.constant(np.array(values, np.int64))

    def op(self, kind, inputs, shape, outputs=1, **attributes):
        """Inputs are values or names of constants."""
        names = [x.name if isinstance(x, Value) else x for x in inputs]
        node = self.fresh(kind)
        made = [f"{node}_{i}" if outputs > 1 else f"{node}_output" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, names, made, name=node, **attributes))
        return Value(made[0], shape) if outputs == 1 else [Value(n, s) for n, s in zip(made, shape)]

    def normal(self, shape, scale):
        return (self.rng.standard_normal(shape) * scale).astype(np.float32)

    # ---- convolution and what follows it

    def conv(self, x, out, kernel, stride=1, groups=1, pad=None, bias=True, weights=None, dilation=1):
        channels, *size = x.shape
        reach = dilation * (kernel - 1) + 1
        pad = (reach - 1) // 2 if pad is None else pad
        if weights is None:
            fan_in = channels // groups * kernel * kernel
            weights = self.normal((out, channels // groups, kernel, kernel), (2 / fan_in) ** 0.5)
        extents = tuple((n + 2 * pad - reach) // stride + 1 for n in size)
        inputs = [x, self.constant(weights, "weight")]
        if bias is True:
            bias = self.normal(out, 0.1)
        attributes = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "group": groups,
                      "dilations": [dilation] * 2}
        if self.style["pads"] == "node" and pad:
            inputs[0] = self.pad(x, pad)
            attributes["pads"] = [0] * 4
        elif self.style["pads"] == "auto" and stride == 1 and extents == tuple(size):
            attributes["auto_pad"] = "SAME_UPPER"
        else:
            attributes["pads"] = [pad] * 4
        if bias is not False:
            inputs.append(self.constant(bias, "bias"))
        return self.op("Conv", inputs, (out, *extents), **attributes)

    def pad(self, x, pad):
        channels, height, width = x.shape
        shape = (channels, height + 2 * pad, width + 2 * pad)
        pads = [0, 0, pad, pad] * 2
        if self.opset < 11:
            return self.op("Pad", [x], shape, pads=pads, mode="constant")
        return self.op("Pad", [x, self.ints(*pads), self.scalar(0.0)], shape, mode="constant")

    def statistics(self, channels, gain=1.0):
        """gamma, beta, mean and variance of a batch normalisation."""
        gain *= self.style["gain"]
        return (gain * self.rng.uniform(0.8, 1.2, channels).astype(np.float32), self.normal(channels, 0.1),
                self.normal(channels, 0.1), self.rng.uniform(0.6, 1.4, channels).astype(np.float32))

    def bn(self, x, gain=1.0):
        constants = [self.constant(s, "bn") for s in self.statistics(x.shape[0], gain)]
        return self.op("BatchNormalization", [x, *constants], x.shape, epsilon=1e-5)

    def conv_bn(self, x, out, kernel, stride=1, groups=1, gain=1.0, pad=None):
        """`gain` below 1 keeps a residual branch from growing the sum."""
        if not self.style["fused_bn"]:
            return self.bn(self.conv(x, out, kernel, stride, groups, pad, bias=False), gain)
        fan_in = x.shape[0] // groups * kernel * kernel
        weights = self.normal((out, x.shape[0] // groups, kernel, kernel), (2 / fan_in) ** 0.5)
        gamma, beta, mean, variance = self.statistics(out, gain)
        scale = gamma / np.sqrt(variance + 1e-5)
        return self.conv(x, out, kernel, stride, groups, pad, bias=beta - mean * scale,
                         weights=weights * scale[:, None, None, None])

    # ---- activations

    def relu(self, x):
        return self.op("Relu", [x], x.shape)

    def clip(self, x, low, high):
        if self.opset < 11:
            return self.op("Clip", [x], x.shape, min=low, max=high)
        return self.op("Clip", [x, self.scalar(low), self.scalar(high)], x.shape)

    def relu6(self, x):
        return self.clip(x, 0.0, 6.0)

    def sigmoid(self, x):
        return self.op("Sigmoid", [x], x.shape)

    def hard_sigmoid(self, x):
        if self.style["hard_swish"] == "operator":
            return self.op("HardSigmoid", [x], x.shape, alpha=1 / 6, beta=0.5)
        clipped = self.relu6(self.op("Add", [x, self.scalar(3.0)], x.shape))
        return self.op("Div", [clipped, self.scalar(6.0)], x.shape)

    def hard_swish(self, x):
        if self.style["hard_swish"] == "operator":
            return self.op("HardSwish", [x], x.shape)
        clipped = self.relu6(self.op("Add", [x, self.scalar(3.0)], x.shape))
        return self.op("Div", [self.op("Mul", [x, clipped], x.shape), self.scalar(6.0)], x.shape)

    def swish(self, x):
        return self.op("Mul", [x, self.sigmoid(x)], x.shape)

    def gelu(self, x):
        if self.style["gelu"] == "operator":
            return self.op("Gelu", [x], x.shape)
        erf = self.op("Erf", [self.op("Div", [x, self.scalar(2 ** 0.5)], x.shape)], x.shape)
        one = self.op("Add", [erf, self.scalar(1.0)], x.shape)
        return self.op("Mul", [self.op("Mul", [x, one], x.shape), self.scalar(0.5)], x.shape)

    # ---- joining and pooling

    def add(self, a, b):
        return self.op("Add", [a, b], a.shape)

    def concat(self, values):
        channels = sum(v.shape[0] for v in values)
        return self.op("Concat", values, (channels, *values[0].shape[1:]), axis=1)

    def split(self, x):
        """Two halves of the channels."""
        half = (x.shape[0] // 2, *x.shape[1:])
        if self.opset < 13:
            return self.op("Split", [x], [half] * 2, outputs=2, axis=1, split=[half[0]] * 2)
        if self.opset < 18:
            return self.op("Split", [x, self.ints(half[0], half[0])], [half] * 2, outputs=2, axis=1)
        return self.op("Split", [x], [half] * 2, outputs=2, axis=1, num_outputs=2)

    def shuffle(self, x, groups=2):
        channels, height, width = x.shape
        first = 0 if isinstance(self.style["batch"], str) else 1  # 0 keeps the extent.
        parted = self.op("Reshape", [x, self.ints(first, groups, channels // groups, height, width)], x.shape)
        turned = self.op("Transpose", [parted], x.shape, perm=[0, 2, 1, 3, 4])
        return self.op("Reshape", [turned, self.ints(first, channels, height, width)], x.shape)

    def pooled(self, kind, x, kernel, stride, pad=0, ceil=False, **attributes):
        extents = tuple((n + 2 * pad - kernel + (stride - 1 if ceil else 0)) // stride + 1 for n in x.shape[1:])
        if ceil:
            attributes["ceil_mode"] = 1
        return self.op(kind, [x], (x.shape[0], *extents), kernel_shape=[kernel] * 2, strides=[stride] * 2,
                       pads=[pad] * 4, **attributes)

    def max_pool(self, x, kernel, stride, pad=0, ceil=False):
        return self.pooled("MaxPool", x, kernel, stride, pad, ceil)

    def average_pool(self, x, kernel, stride, pad=0):
        return self.pooled("AveragePool", x, kernel, stride, pad)

    def reduce_mean(self, x, axes, shape, keepdims):
        if self.opset < 18:
            return self.op("ReduceMean", [x], shape, axes=axes, keepdims=keepdims)
        return self.op("ReduceMean", [x, self.ints(*axes)], shape, keepdims=keepdims)

    def global_pool(self, x):
        shape = (x.shape[0], 1, 1)
        if self.style["pool"] == "mean":
            return self.reduce_mean(x, [2, 3], shape, 1)
        return self.op("GlobalAveragePool", [x], shape)

    def squeeze_excite(self, x, inner, activation, gate):
        scale = activation(self.conv(self.global_pool(x), inner, 1))
        return self.op("Mul", [x, gate(self.conv(scale, x.shape[0], 1))], x.shape)

    def lrn(self, x):
        return self.op("LRN", [x], x.shape, size=5, alpha=1e-3, beta=0.75, bias=2.0)

    # ---- the end

    def unsqueeze(self, x, axes, shape):
        if self.opset < 13:
            return self.op("Unsqueeze", [x], shape, axes=axes)
        return self.op("Unsqueeze", [x, self.ints(*axes)], shape)

    def flatten(self, x):
        count = int(np.prod(x.shape))
        style = self.style["flatten"]
        if style == "flatten":
            return self.op("Flatten", [x], (count,), axis=1)
        if style == "reshape":
            return self.op("Reshape", [x, self.ints(-1, count)], (count,))
        batch = self.op("Gather", [self.op("Shape", [x], ()), self.constant(np.array(0, np.int64))], (), axis=0)
        extents = self.op("Concat", [self.unsqueeze(batch, [0], ()), self.ints(-1)], (), axis=0)
        return self.op("Reshape", [x, extents], (count,))

    def linear(self, x, out, gain=1.0):
        """Of the last axis; Gemm where there is no other."""
        fan_in = x.shape[-1]
        weights = self.normal((out, fan_in), gain * (1 / fan_in) ** 0.5)
        bias = self.constant(self.normal(out, 0.1), "bias")
        shape = (*x.shape[:-1], out)
        if len(x.shape) == 1 and self.style["linear"] == "gemm":
            return self.op("Gemm", [x, self.constant(weights, "weight"), bias], shape, transB=1)
        product = self.op("MatMul", [x, self.constant(weights.T, "weight")], shape)
        return self.op("Add", [bias, product], shape)  # The order of PyTorch's exporter.

    def dropout(self, x):
        """Exports for training leave it in."""
        if self.opset < 12:
            return self.op("Dropout", [x], x.shape, ratio=0.5)
        return self.op("Dropout", [x, self.scalar(0.5)], x.shape)

    def softmax(self, x):
        return self.op("Softmax", [x], x.shape, axis=1)

    def model(self, output):
        batch = self.style["batch"]
        tensor = helper.make_tensor_value_info
        graph = helper.make_graph(
            self.nodes, self.name, [tensor(self.input.name, TensorProto.FLOAT, [batch, *self.input.shape])],
            [tensor(output.name, TensorProto.FLOAT, [batch, *output.shape])], self.initializers)
        made = helper.make_model(graph, producer_name="hedge make_zoo",
                                 opset_imports=[helper.make_opsetid("", self.opset)])
        made.ir_version = 4 if self.opset < 11 else 8 if self.opset < 20 else 10
        return made
