#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the nets of the model zoo as ONNX files with random weights: the real topologies, in the forms that
different exporters give them, for tests of import, agreement and speed (not of accuracy).

    python3 tools/make_zoo.py --out zoo                      all of them, 224x224x3, 1000 classes
    python3 tools/make_zoo.py --out zoo resnet18 vgg11       some
    python3 tools/make_zoo.py --out zoo --full_width         AlexNet and VGG with all 4096 hidden units

Needs: pip install onnx numpy. A net follows from its name alone (the seed is the place in the list).
"""
import argparse
import functools
import os

import numpy as np
import onnx

from zoo_layers import Net

# Width of the fully connected layers of AlexNet and VGG; 4096 as published is 235 and 530 MB of noise.
HIDDEN = 256


# ---- residual nets (He et al. 2015)

def basic_block(net, x, out, stride):
    y = net.relu(net.conv_bn(x, out, 3, stride))
    y = net.conv_bn(y, out, 3, gain=0.4)
    if stride != 1 or x.shape[0] != out:
        x = net.conv_bn(x, out, 1, stride)
    return net.relu(net.add(y, x))


def bottleneck(net, x, width, stride):
    y = net.relu(net.conv_bn(x, width, 1))
    y = net.relu(net.conv_bn(y, width, 3, stride))
    y = net.conv_bn(y, 4 * width, 1, gain=0.4)
    if stride != 1 or x.shape[0] != 4 * width:
        x = net.conv_bn(x, 4 * width, 1, stride)
    return net.relu(net.add(y, x))


def resnet(net, block, depths):
    x = net.relu(net.conv_bn(net.input, 64, 7, 2))
    x = net.max_pool(x, 3, 2, pad=1)
    for stage, depth in enumerate(depths):
        for i in range(depth):
            x = block(net, x, 64 << stage, 2 if stage > 0 and i == 0 else 1)
    return net.linear(net.flatten(net.global_pool(x)), 1000)


# ---- plain stacks

def alexnet(net, hidden):
    x = net.input
    for out, kernel, stride, pad, pooled in ((64, 11, 4, 2, True), (192, 5, 1, 2, True), (384, 3, 1, 1, False),
                                             (256, 3, 1, 1, False), (256, 3, 1, 1, True)):
        x = net.relu(net.conv(x, out, kernel, stride, pad=pad))
        if pooled:
            x = net.max_pool(x, 3, 2)
    x = net.flatten(x)
    for _ in range(2):
        x = net.relu(net.linear(net.dropout(x), hidden, gain=2 ** 0.5))
    return net.softmax(net.linear(x, 1000))


def vgg11(net, hidden):
    x = net.input
    for out in (64, "pool", 128, "pool", 256, 256, "pool", 512, 512, "pool", 512, 512, "pool"):
        x = net.max_pool(x, 2, 2) if out == "pool" else net.relu(net.conv(x, out, 3))
    x = net.flatten(x)
    for _ in range(2):
        x = net.dropout(net.relu(net.linear(x, hidden, gain=2 ** 0.5)))
    return net.linear(x, 1000)


# ---- many branches

def inception(net, x, one, three_in, three, five_in, five, pooled):
    return net.concat([
        net.relu(net.conv(x, one, 1)),
        net.relu(net.conv(net.relu(net.conv(x, three_in, 1)), three, 3)),
        net.relu(net.conv(net.relu(net.conv(x, five_in, 1)), five, 5)),
        net.relu(net.conv(net.max_pool(x, 3, 1, pad=1), pooled, 1))])


def googlenet(net):
    x = net.lrn(net.max_pool(net.relu(net.conv(net.input, 64, 7, 2)), 3, 2, ceil=True))
    x = net.relu(net.conv(net.relu(net.conv(x, 64, 1)), 192, 3))
    x = net.max_pool(net.lrn(x), 3, 2, ceil=True)
    for widths in ((64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64), "pool", (192, 96, 208, 16, 48, 64),
                   (160, 112, 224, 24, 64, 64), (128, 128, 256, 24, 64, 64), (112, 144, 288, 32, 64, 64),
                   (256, 160, 320, 32, 128, 128), "pool", (256, 160, 320, 32, 128, 128),
                   (384, 192, 384, 48, 128, 128)):
        x = net.max_pool(x, 3, 2, ceil=True) if widths == "pool" else inception(net, x, *widths)
    x = net.flatten(net.average_pool(x, 7, 1))
    return net.softmax(net.linear(net.dropout(x), 1000))


def squeezenet1_1(net):
    x = net.max_pool(net.relu(net.conv(net.input, 64, 3, 2, pad=0)), 3, 2, ceil=True)
    for squeeze in (16, 16, "pool", 32, 32, "pool", 48, 48, 64, 64):
        if squeeze == "pool":
            x = net.max_pool(x, 3, 2, ceil=True)
            continue
        x = net.relu(net.conv(x, squeeze, 1))
        x = net.concat([net.relu(net.conv(x, 4 * squeeze, 1)), net.relu(net.conv(x, 4 * squeeze, 3))])
    x = net.relu(net.conv(net.dropout(x), 1000, 1))
    return net.flatten(net.global_pool(x))


def densenet121(net):
    x = net.max_pool(net.relu(net.conv_bn(net.input, 64, 7, 2)), 3, 2, pad=1)
    for stage, depth in enumerate((6, 12, 24, 16)):
        for _ in range(depth):
            y = net.conv(net.relu(net.bn(x)), 128, 1, bias=False)
            x = net.concat([x, net.conv(net.relu(net.bn(y)), 32, 3, bias=False)])
        if stage < 3:
            x = net.average_pool(net.conv(net.relu(net.bn(x)), x.shape[0] // 2, 1, bias=False), 2, 2)
    return net.linear(net.flatten(net.global_pool(net.relu(net.bn(x)))), 1000)


# ---- mobile nets

def mobilenet_v1(net):
    x = net.relu6(net.conv_bn(net.input, 32, 3, 2))
    for out, stride in ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2),
                        (1024, 1)):
        x = net.relu6(net.conv_bn(x, x.shape[0], 3, stride, groups=x.shape[0]))
        x = net.relu6(net.conv_bn(x, out, 1))
    # Keras writes the classifier as a convolution.
    return net.softmax(net.flatten(net.conv(net.global_pool(x), 1000, 1)))


def inverted_residual(net, x, out, kernel, stride, expanded, activation, squeeze=None):
    y = x
    if expanded != x.shape[0]:
        y = activation(net.conv_bn(y, expanded, 1))
    y = activation(net.conv_bn(y, expanded, kernel, stride, groups=expanded))
    if squeeze:
        y = squeeze(y)
    y = net.conv_bn(y, out, 1, gain=0.6)
    return net.add(x, y) if stride == 1 and x.shape == y.shape else y


def mobilenet_v2(net):
    x = net.relu6(net.conv_bn(net.input, 32, 3, 2))
    for factor, out, count, stride in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
                                       (6, 160, 3, 2), (6, 320, 1, 1)):
        for i in range(count):
            x = inverted_residual(net, x, out, 3, stride if i == 0 else 1, factor * x.shape[0], net.relu6)
    x = net.relu6(net.conv_bn(x, 1280, 1))
    return net.linear(net.dropout(net.flatten(net.global_pool(x))), 1000)


def divisible(value, by=8):
    """The rounding of channels of the mobile nets."""
    rounded = max(by, int(value + by / 2) // by * by)
    return rounded + by if rounded < 0.9 * value else rounded


def mobilenet_v3_large(net):
    x = net.hard_swish(net.conv_bn(net.input, 16, 3, 2))
    for kernel, expanded, out, squeezes, activation, stride in (
            (3, 16, 16, False, net.relu, 1), (3, 64, 24, False, net.relu, 2), (3, 72, 24, False, net.relu, 1),
            (5, 72, 40, True, net.relu, 2), (5, 120, 40, True, net.relu, 1), (5, 120, 40, True, net.relu, 1),
            (3, 240, 80, False, net.hard_swish, 2), (3, 200, 80, False, net.hard_swish, 1),
            (3, 184, 80, False, net.hard_swish, 1), (3, 184, 80, False, net.hard_swish, 1),
            (3, 480, 112, True, net.hard_swish, 1), (3, 672, 112, True, net.hard_swish, 1),
            (5, 672, 160, True, net.hard_swish, 2), (5, 960, 160, True, net.hard_swish, 1),
            (5, 960, 160, True, net.hard_swish, 1)):
        squeeze = functools.partial(net.squeeze_excite, inner=divisible(expanded / 4), activation=net.relu,
                                    gate=net.hard_sigmoid) if squeezes else None
        x = inverted_residual(net, x, out, kernel, stride, expanded, activation, squeeze)
    x = net.flatten(net.global_pool(net.hard_swish(net.conv_bn(x, 960, 1))))
    return net.linear(net.dropout(net.hard_swish(net.linear(x, 1280, gain=2 ** 0.5))), 1000)


def efficientnet_b0(net):
    x = net.swish(net.conv_bn(net.input, 32, 3, 2))
    for factor, out, count, kernel, stride in ((1, 16, 1, 3, 1), (6, 24, 2, 3, 2), (6, 40, 2, 5, 2), (6, 80, 3, 3, 2),
                                               (6, 112, 3, 5, 1), (6, 192, 4, 5, 2), (6, 320, 1, 3, 1)):
        for i in range(count):
            squeeze = functools.partial(net.squeeze_excite, inner=x.shape[0] // 4, activation=net.swish,
                                        gate=net.sigmoid)
            x = inverted_residual(net, x, out, kernel, stride if i == 0 else 1, factor * x.shape[0], net.swish,
                                  squeeze)
    x = net.swish(net.conv_bn(x, 1280, 1))
    return net.linear(net.dropout(net.flatten(net.global_pool(x))), 1000)


def shuffle_unit(net, x, out, stride):
    half = out // 2
    if stride == 1:
        kept, x = net.split(x)
    else:
        kept = net.conv_bn(x, x.shape[0], 3, stride, groups=x.shape[0])
        kept = net.relu(net.conv_bn(kept, half, 1))
    y = net.relu(net.conv_bn(x, half, 1))
    y = net.conv_bn(y, half, 3, stride, groups=half)
    y = net.relu(net.conv_bn(y, half, 1))
    return net.shuffle(net.concat([kept, y]))


def shufflenet_v2(net):
    x = net.max_pool(net.relu(net.conv_bn(net.input, 24, 3, 2)), 3, 2, pad=1)
    for out, count in ((116, 4), (232, 8), (464, 4)):
        for i in range(count):
            x = shuffle_unit(net, x, out, 2 if i == 0 else 1)
    x = net.relu(net.conv_bn(x, 1024, 1))
    return net.linear(net.flatten(net.global_pool(x)), 1000)


def regnet_y_400mf(net):
    x = net.relu(net.conv_bn(net.input, 32, 3, 2))
    for out, depth in ((48, 1), (104, 3), (208, 6), (440, 6)):
        for i in range(depth):
            stride = 2 if i == 0 else 1
            y = net.relu(net.conv_bn(x, out, 1))
            y = net.relu(net.conv_bn(y, out, 3, stride, groups=out // 8))
            y = net.squeeze_excite(y, x.shape[0] // 4, net.relu, net.sigmoid)
            y = net.conv_bn(y, out, 1, gain=0.6)
            if stride != 1 or x.shape[0] != out:
                x = net.conv_bn(x, out, 1, stride)
            x = net.relu(net.add(x, y))
    return net.linear(net.flatten(net.global_pool(x)), 1000)


# ---- vision transformer (Dosovitskiy et al. 2020; the widths of its "tiny" form, 6 layers of 12)

def layer_norm(net, x):
    width = x.shape[-1]
    gamma = net.constant(1 + net.normal(width, 0.1), "gamma")
    beta = net.constant(net.normal(width, 0.1), "beta")
    if net.opset >= 17:
        return net.op("LayerNormalization", [x, gamma, beta], x.shape, axis=-1, epsilon=1e-6)
    mean = net.reduce_mean(x, [-1], (x.shape[0], 1), 1)
    centred = net.op("Sub", [x, mean], x.shape)
    variance = net.reduce_mean(net.op("Pow", [centred, net.scalar(2.0)], x.shape), [-1], (x.shape[0], 1), 1)
    deviation = net.op("Sqrt", [net.op("Add", [variance, net.scalar(1e-6)], variance.shape)], variance.shape)
    scaled = net.op("Mul", [net.op("Div", [centred, deviation], x.shape), gamma], x.shape)
    return net.op("Add", [scaled, beta], x.shape)


def attention(net, x, heads):
    tokens, width = x.shape
    each = width // heads

    def head(which):
        y = net.linear(x, width)
        y = net.op("Reshape", [y, net.ints(0, tokens, heads, each)], (tokens, heads, each))
        order = [0, 2, 3, 1] if which == "key" else [0, 2, 1, 3]
        return net.op("Transpose", [y], (heads, tokens, each), perm=order)

    query, key, value = (head(which) for which in ("query", "key", "value"))
    scores = net.op("MatMul", [query, key], (heads, tokens, tokens))
    scores = net.op("Mul", [scores, net.scalar(each ** -0.5)], scores.shape)
    weights = net.op("Softmax", [scores], scores.shape, axis=-1)
    mixed = net.op("MatMul", [weights, value], (heads, tokens, each))
    turned = net.op("Transpose", [mixed], (tokens, heads, each), perm=[0, 2, 1, 3])
    return net.linear(net.op("Reshape", [turned, net.ints(0, tokens, width)], (tokens, width)), width)


def vit(net, layers, width=192, heads=3):
    patches = net.conv(net.input, width, 16, 16, pad=0)
    count = patches.shape[1] * patches.shape[2]
    x = net.op("Reshape", [patches, net.ints(0, width, count)], (width, count))
    x = net.op("Transpose", [x], (count, width), perm=[0, 2, 1])
    token = net.constant(net.normal((1, 1, width), 0.5), "token")
    if isinstance(net.style["batch"], str):  # One token an image: the batch is read off.
        batch = net.op("Gather", [net.op("Shape", [net.input], ()), net.ints(0)], (), axis=0)
        extents = net.op("Concat", [batch, net.ints(1, width)], (), axis=0)
        token = net.op("Expand", [token, extents], (1, width))
    x = net.op("Concat", [token, x], (count + 1, width), axis=1)
    x = net.add(x, net.constant(net.normal((1, count + 1, width), 0.2), "position"))
    for _ in range(layers):
        x = net.add(x, attention(net, layer_norm(net, x), heads))
        y = net.gelu(net.linear(layer_norm(net, x), 4 * width, gain=2 ** 0.5))
        x = net.add(x, net.linear(y, width))
    x = layer_norm(net, x)
    first = net.op("Gather", [x, net.constant(np.array(0, np.int64))], (width,), axis=1)
    return net.linear(first, 1000)


# Name: opset, style, topology. Between them they use every form of zoo_layers.STYLE.
NETS = {
    "resnet18": (13, {}, lambda net, _: resnet(net, basic_block, (2, 2, 2, 2))),
    "resnet50": (17, {"fused_bn": True, "batch": "N"}, lambda net, _: resnet(net, bottleneck, (3, 4, 6, 3))),
    "alexnet": (9, {"flatten": "shape"}, alexnet),
    "vgg11": (12, {"flatten": "reshape", "linear": "matmul", "pads": "auto"}, vgg11),
    "googlenet": (11, {"flatten": "shape", "batch": "N"}, lambda net, _: googlenet(net)),
    "squeezenet1_1": (10, {}, lambda net, _: squeezenet1_1(net)),
    "mobilenet_v1": (9, {"pads": "node", "flatten": "reshape", "gain": 1.15}, lambda net, _: mobilenet_v1(net)),
    "mobilenet_v2": (13, {"fused_bn": True, "pads": "node", "gain": 1.15}, lambda net, _: mobilenet_v2(net)),
    "mobilenet_v3_large": (16, {"batch": "N"}, lambda net, _: mobilenet_v3_large(net)),
    "mobilenet_v3_parts": (12, {"hard_swish": "parts", "pool": "mean", "gain": 1.1},
                           lambda net, _: mobilenet_v3_large(net)),
    "shufflenet_v2": (11, {"pool": "mean", "batch": "N"}, lambda net, _: shufflenet_v2(net)),
    "shufflenet_v2_18": (18, {"pool": "mean", "flatten": "shape"}, lambda net, _: shufflenet_v2(net)),
    "regnet_y_400mf": (14, {"flatten": "reshape"}, lambda net, _: regnet_y_400mf(net)),
    "efficientnet_b0": (18, {"pool": "mean", "pads": "auto", "gain": 1.25}, lambda net, _: efficientnet_b0(net)),
    "densenet121": (15, {"linear": "matmul"}, lambda net, _: densenet121(net)),
    "vit_tiny": (21, {"gelu": "operator"}, lambda net, _: vit(net, 6)),
    "vit_tiny_erf": (14, {"batch": "batch_size"}, lambda net, _: vit(net, 4)),
}


def make(name, hidden=HIDDEN, image=224):
    """The ONNX model of that name."""
    opset, style, topology = NETS[name]
    net = Net(name, opset, seed=list(NETS).index(name), image=image, **style)
    return net.model(topology(net, hidden))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="all unless told: " + ", ".join(NETS))
    parser.add_argument("--out", required=True, help="folder")
    parser.add_argument("--full_width", action="store_true", help="AlexNet and VGG with 4096 hidden units")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in NETS]
    if unknown:
        parser.error(f"no net {', '.join(unknown)}; there are {', '.join(NETS)}")
    os.makedirs(options.out, exist_ok=True)
    for name in options.names or NETS:
        path = os.path.join(options.out, f"{name}_imagenet.onnx")
        onnx.save(make(name, 4096 if options.full_width else HIDDEN), path)
        print(f"{path}: {os.path.getsize(path) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
