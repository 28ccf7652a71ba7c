#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests of single operators with ONNX Runtime's answers, in the form of ONNX's own node tests: old
opsets, windows, ways of resizing and types in all the combinations that those leave out.

    python3 tools/make_operator_cases.py FOLDER && build/test-conformance FOLDER

(Lines "no test is called ..." are about ONNX's own tests.) Of the 2,165, one differs on purpose, a Cast of
a negative number to uint8, which saturates here, and a few by the rounding of elements near 0.
Needs: pip install onnxruntime onnx numpy.
"""
import itertools
import os
import sys

import numpy as np
import onnxruntime
from onnx import helper, numpy_helper

random = np.random.RandomState(3)


def floats(*shape, low=-2.0, high=2.0):
    return (random.rand(*shape) * (high - low) + low).astype(np.float32)


def array(*values, dtype=np.float32):
    return np.array(values, dtype)


def integers(*values):
    return array(*values, dtype=np.int64)


def softmaxes():
    for op, opset in itertools.product(("Softmax", "LogSoftmax"), (7, 11, 12, 13)):
        yield op, opset, [floats(2, 3, 4)], {}
        for axis in (0, 1, 2, -1, -2):
            yield op, opset, [floats(2, 3, 4)], {"axis": axis}


def resizes():
    for scales, mode in itertools.product(((1, 1, 2, 2), (1, 1, 1.5, 2.3), (1, 1, 3, 1)), ("nearest", "linear")):
        yield "Upsample", 7, [floats(1, 2, 3, 4)], {"scales": [float(s) for s in scales], "mode": mode}
        yield "Upsample", 9, [floats(1, 2, 3, 4), array(*scales)], {"mode": mode}
        yield "Resize", 10, [floats(1, 2, 3, 4), array(*scales)], {"mode": mode}
    yield "Resize", 10, [floats(1, 2, 6, 8), array(1, 1, 0.6, 0.7)], {"mode": "nearest"}
    yield "Resize", 10, [floats(1, 2, 6, 8), array(1, 1, 0.5, 0.25)], {"mode": "linear"}
    coordinates = ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "tf_half_pixel_for_nn",
                   "half_pixel_symmetric")
    nearest = [("nearest", m) for m in ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")]
    for opset, where, (mode, nearest_mode) in itertools.product(
            (11, 13, 18, 19), coordinates, nearest + [("linear", None), ("cubic", None)]):
        absent = array() if opset < 13 else None
        attributes = {"mode": mode, "coordinate_transformation_mode": where}
        if nearest_mode:
            attributes["nearest_mode"] = nearest_mode
        for sizes in ((1, 2, 7, 5), (1, 2, 2, 3), (1, 2, 1, 1), (1, 2, 8, 12)):
            yield "Resize", opset, [floats(1, 2, 4, 6), absent, absent, integers(*sizes)], attributes
        for scales in ((1, 1, 2, 2), (1, 1, 0.6, 0.8), (1, 1, 1.3, 2.7), (1, 1, 1 / 3, 0.5)):
            yield "Resize", opset, [floats(1, 2, 4, 6), absent, array(*scales)], attributes
    for policy, mode, sizes in itertools.product(("stretch", "not_larger", "not_smaller"), ("nearest", "linear"),
                                                 ((7, 5), (9, 9), (3, 2))):
        yield ("Resize", 18, [floats(1, 2, 4, 6), None, None, integers(*sizes)],
               {"axes": [2, 3], "keep_aspect_ratio_policy": policy, "mode": mode})
    yield ("Resize", 13, [floats(1, 2, 4, 6), None, array(1, 1, 2.5, 2.5)],
           {"mode": "cubic", "exclude_outside": 1, "cubic_coeff_a": -0.5})
    yield "Resize", 13, [floats(1, 1, 3, 4, 5), None, array(1, 1, 2, 1.5, 0.7)], {"mode": "linear"}


def windows():
    for opset, group, dilation, stride, padding in itertools.product(
            (7, 11, 21), (1, 2, 4), (1, 2), (1, 2), ("", "SAME_UPPER", "SAME_LOWER", "VALID")):
        attributes = {"group": group, "dilations": [dilation, 1], "strides": [stride, stride]}
        attributes.update({"auto_pad": padding} if padding else {"pads": [1, 0, 2, 1]})
        yield "Conv", opset, [floats(2, 4, 7, 8), floats(8, 4 // group, 3, 2), floats(8)], attributes
    yield "Conv", 11, [floats(2, 4, 9), floats(6, 2, 3)], {"group": 2, "strides": [2]}
    yield "Conv", 11, [floats(1, 2, 5, 5, 5), floats(3, 2, 2, 2, 2)], {"pads": [1, 0, 0, 0, 1, 1]}
    for op, opset in itertools.product(("MaxPool", "AveragePool"), (7, 10, 11, 19, 21)):
        average = op == "AveragePool"
        for kernel, stride, pad, dilation, ceil, count in itertools.product(
                (2, 3), (1, 2, 3), (0, 1), (1, 2), (0, 1), (0, 1) if average else (0,)):
            if (opset < 10 and (ceil or dilation > 1)) or (average and opset < 19 and dilation > 1):
                continue
            attributes = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [pad, pad, 0, pad]}
            attributes.update({"ceil_mode": 1} if ceil else {})
            attributes.update({"count_include_pad": 1} if count else {})
            attributes.update({"dilations": [dilation] * 2} if dilation > 1 else {})
            yield op, opset, [floats(1, 2, 7, 9)], attributes
        for padding, stride in itertools.product(("SAME_UPPER", "SAME_LOWER", "VALID"), (1, 2)):
            yield (op, opset, [floats(1, 2, 7, 9)],
                   {"kernel_shape": [3, 2], "strides": [stride] * 2, "auto_pad": padding})
        yield op, opset, [floats(1, 2, 9)], {"kernel_shape": [3]}
        yield op, opset, [floats(1, 2, 5, 6, 7)], {"kernel_shape": [3, 2, 2], "strides": [2, 1, 2]}


def normalizations():
    for opset, shape in itertools.product((7, 9, 14, 15), ((2, 3, 4, 5), (2, 3), (2, 3, 7))):
        yield ("BatchNormalization", opset, [floats(*shape), floats(3), floats(3), floats(3), floats(3, low=0.1)],
               {"epsilon": 0.01})
    for size in (1, 3, 5, 9):
        yield "LRN", 13, [floats(2, 5, 3, 3)], {"size": size, "alpha": 0.3, "beta": 0.6, "bias": 1.5}
    yield "InstanceNormalization", 7, [floats(2, 3, 4, 5), floats(3), floats(3)], {"epsilon": 0.1}
    for axis in (1, 2, -1, -2):
        shape = (2, 3, 4)[axis:]
        yield "LayerNormalization", 17, [floats(2, 3, 4), floats(*shape), floats(*shape)], {"axis": axis}
    for groups in (1, 2, 6):
        x = floats(2, 6, 3, 2)
        yield "GroupNormalization", 18, [x, floats(groups), floats(groups)], {"num_groups": groups}
        yield "GroupNormalization", 21, [x, floats(6), floats(6)], {"num_groups": groups}


def functions():
    x = floats(3, 4, low=-5, high=5)
    for op in ("Relu LeakyRelu Elu Selu Sigmoid HardSigmoid HardSwish Tanh Softplus Softsign Mish Gelu Celu "
               "ThresholdedRelu Erf Exp Abs Neg Floor Ceil Round Sign Reciprocal Sin Cos").split():
        yield op, 20, [x], {}
    for op in ("Sqrt", "Log"):
        yield op, 13, [floats(3, 4, low=0.1)], {}
    for op, attributes in (("LeakyRelu", {"alpha": 0.3}), ("Elu", {"alpha": 0.3}), ("Celu", {"alpha": 0.7}),
                           ("HardSigmoid", {"alpha": 0.3, "beta": 0.1}), ("Selu", {"alpha": 0.3, "gamma": 2.0}),
                           ("Gelu", {"approximate": "tanh"})):
        yield op, 20, [x], attributes
    yield "PRelu", 9, [floats(2, 3, 4), floats(3, 1)], {}
    yield "Clip", 7, [x], {"min": -1.0, "max": 2.0}
    yield "Clip", 12, [x, None, array(1)[0]], {}
    yield "Clip", 13, [x, array(3)[0], array(1)[0]], {}
    yield "Clip", 12, [np.arange(-9, 9, dtype=np.int32), np.int32(-3), np.int32(4)], {}


def arithmetic():
    for op, opset in itertools.product(("Add", "Sub", "Mul", "Div", "Pow"), (7, 13)):
        yield op, opset, [floats(2, 3, 4, low=0.5), floats(3, 1, low=0.5)], {}
    for op, dtype in itertools.product(("Add", "Sub", "Mul", "Div", "Mod"), (np.int32, np.int64)):
        a, b = random.randint(-50, 50, (3, 4)).astype(dtype), random.randint(1, 9, (4,)).astype(dtype)
        yield op, 14, [a, b], {}
        yield op, 14, [a, -b], {}
    yield "Mod", 13, [floats(3, 4), floats(4)], {"fmod": 1}
    for op in ("Min", "Max", "Sum", "Mean"):
        yield op, 13, [floats(2, 3), floats(3), floats(1, 1)], {}
        yield op, 13, [array(np.nan, 1, 2), array(1, np.nan, 3)], {}
    for op in ("Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual"):
        yield op, 16, [integers(1, 2, 3), integers(2)], {}
    yield "Where", 9, [np.array([[True], [False]]), floats(2, 3), floats(3)], {}


def reductions():
    for op, keep in itertools.product(
            "ReduceSum ReduceMean ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceSumSquare".split(), (0, 1)):
        yield op, 11, [floats(2, 3, 4)], {"axes": [0, 2], "keepdims": keep}
        yield op, 11, [random.randint(-5, 5, (3, 4)).astype(np.int32)], {"keepdims": keep}
        yield op, 18, [floats(2, 3, 4), integers(-1, 1)], {"keepdims": keep}
        yield op, 18, [floats(2, 3, 4), integers()], {"keepdims": keep, "noop_with_empty_axes": 1}
    for op, axis, last in itertools.product(("ArgMax", "ArgMin"), (0, -1), (0, 1)):
        yield op, 13, [np.round(floats(3, 5))], {"axis": axis, "select_last_index": last}


def movements():
    for mode in ("constant", "reflect", "edge", "wrap"):
        yield "Pad", 19, [floats(3, 4), integers(1, 2, 2, 1)], {"mode": mode}
    yield "Slice", 7, [floats(5, 6)], {"starts": [1, -3], "ends": [4, 100]}
    yield "Slice", 13, [floats(5, 6), integers(4, -1), integers(-100, 0), integers(0, 1), integers(-1, -2)], {}
    yield "DepthToSpace", 11, [floats(2, 8, 2, 3)], {"blocksize": 2, "mode": "CRD"}
    yield "Gather", 11, [floats(3, 4), integers(0, -1)], {"axis": 1}
    yield "GatherND", 11, [floats(3, 4, 5), integers(0, -1, 2, 1).reshape(2, 2)], {}
    yield "GatherND", 12, [floats(2, 4, 5), integers(0, -1, 2, 1).reshape(2, 2, 1)], {"batch_dims": 1}
    for reduction in ("none", "add", "mul", "max", "min"):
        yield "ScatterND", 18, [floats(4, 3), integers(1, -1, 1).reshape(3, 1), floats(3, 3)], {"reduction": reduction}
    yield "Range", 11, [np.int64(10), np.int64(-3), np.int64(-4)], {}
    for to in (1, 2, 3, 6, 7, 9, 10, 11):
        yield "Cast", 13, [array(-1.5, 0, 2.7, 100)], {"to": to}


def quantizations():
    for opset in (10, 13, 19, 21):
        x = floats(3, 4, low=-9, high=9)
        yield "QuantizeLinear", opset, [x, array(0.05)[0], np.uint8(128)], {}
        yield "QuantizeLinear", opset, [array(0.5, 1.5, 2.5, -0.5, np.inf, -np.inf), array(1)[0], np.int8(0)], {}
        yield "DequantizeLinear", opset, [np.arange(12, dtype=np.uint8), array(0.05)[0], np.uint8(7)], {}
    zero_points = array(1, 2, 3, 4, dtype=np.int8)
    yield "QuantizeLinear", 13, [floats(3, 4), floats(4, low=0.1, high=0.3), zero_points], {"axis": -1}


def write_case(folder, op, opset, inputs, attributes):
    """False where ONNX Runtime does not have the operator in that form."""
    inputs = [None if x is None else np.asarray(x) for x in inputs]
    feeds = {f"i{k}": x for k, x in enumerate(inputs) if x is not None}
    node = helper.make_node(op, [f"i{k}" if x is not None else "" for k, x in enumerate(inputs)], ["y"], **attributes)
    infos = [helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)
             for name, x in feeds.items()]
    graph = helper.make_graph([node], "g", infos, [helper.make_empty_tensor_value_info("y")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    try:
        y = np.asarray(onnxruntime.InferenceSession(model.SerializeToString()).run(None, feeds)[0])
    except Exception:  # Its own kinds have no common base.
        return False
    model.graph.output[0].CopyFrom(
        helper.make_tensor_value_info("y", helper.np_dtype_to_tensor_dtype(y.dtype), y.shape))
    data = os.path.join(folder, "test_data_set_0")
    os.makedirs(data)
    files = {os.path.join(folder, "model.onnx"): model, os.path.join(data, "output_0.pb"): numpy_helper.from_array(y)}
    for k, x in enumerate(feeds.values()):
        files[os.path.join(data, f"input_{k}.pb")] = numpy_helper.from_array(x)
    for path, message in files.items():
        with open(path, "wb") as out:
            out.write(message.SerializeToString())
    return True


def main():
    onnxruntime.set_default_logger_severity(4)
    families = (softmaxes, resizes, windows, normalizations, functions, arithmetic, reductions, movements, quantizations)
    written = refused = 0
    for family in families:
        for op, opset, inputs, attributes in family():
            folder = os.path.join(sys.argv[1], f"test_{op.lower()}_{opset}_{written}")
            done = write_case(folder, op, opset, inputs, attributes)
            written += done
            refused += not done
    print(f"{written} cases; {refused} more that ONNX Runtime refuses")


if __name__ == "__main__":
    main()
