#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the seeds that the fuzzers of ONNX files, of engines, of power meters' logs, of decision files and of
recorded scores start from: one tiny model for each operator, the engines that Hedge builds of some, a log of
each form, a decision of each rule.

    python3 tools/make_fuzz_corpus.py --build build

Needs: pip install onnx numpy; a Hedge build for the engines.
"""
import argparse
import io
import json
import os
import struct
import subprocess
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CORPUS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fuzz", "corpus")


def floats(name, *shape):
    return numpy_helper.from_array(np.linspace(-1, 1, int(np.prod(shape)), dtype=np.float32).reshape(shape), name)


def ints(name, *values):
    return numpy_helper.from_array(np.array(values, np.int64), name)


def ints_scalar(name, value):
    return numpy_helper.from_array(np.int64(value), name)


def model(nodes, initializers=(), shape=(1, 3, 6, 6), opset=13):
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], list(initializers))
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    made.ir_version = 8
    return made.SerializeToString()


def one(op, *initializers, shape=(1, 3, 6, 6), opset=13, **attributes):
    inputs = ["x"] + [tensor.name for tensor in initializers]
    return model([helper.make_node(op, inputs, ["y"], **attributes)], initializers, shape, opset)


def several_inputs():
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ("N", 4)),
              helper.make_tensor_value_info("i", TensorProto.INT64, (2,)),
              helper.make_tensor_value_info("c", TensorProto.BOOL, ())]
    nodes = [helper.make_node("Gather", ["x", "i"], ["g"], axis=1), helper.make_node("Where", ["c", "g", "i2"], ["y"])]
    graph = helper.make_graph(nodes, "g", inputs, [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
                              [floats("i2", 2)])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8).SerializeToString()


def functions():
    """A function that calls another, with an attribute by reference, one by default, and an overload."""
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("f", 1)]
    leak = helper.make_node("LeakyRelu", ["x"], ["y"])
    leak.attribute.add(name="alpha", type=onnx.AttributeProto.FLOAT, ref_attr_name="slope")
    inner = helper.make_function("f", "Leak", ["x"], ["y"], [leak], opsets,
                                 attribute_protos=[helper.make_attribute("slope", 0.5)])
    outer = helper.make_function(
        "f", "Twice", ["x", "absent"], ["z", "x"],
        [helper.make_node("Leak", ["x"], ["y"], domain="f"), helper.make_node("Add", ["y", "y"], ["z"])], opsets)
    made = onnx.ModelProto.FromString(model([helper.make_node("Twice", ["x"], ["t", "s"], domain="f"),
                                             helper.make_node("Leak", ["t"], ["l"], domain="f", slope=0.1),
                                             helper.make_node("Add", ["l", "s"], ["y"])], opset=18))
    made.opset_import.append(helper.make_opsetid("f", 1))
    made.functions.extend([inner, outer])
    return made.SerializeToString()


def seeds():
    conv = floats("w", 4, 3, 3, 3)
    yield "conv", one("Conv", conv, floats("b", 4), pads=[1, 1, 1, 1], strides=[2, 2])
    yield "conv_same", one("Conv", conv, auto_pad="SAME_UPPER", dilations=[2, 2])
    yield "conv_grouped", one("Conv", floats("w", 3, 1, 2, 2), group=3)
    yield "batch_norm", one("BatchNormalization", *(floats(n, 3) for n in "smbv"), epsilon=0.1)
    yield "max_pool", one("MaxPool", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
    yield "average_pool", one("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1)
    yield "global_pool", one("GlobalAveragePool")
    yield "gemm", one("Gemm", floats("w", 4, 3), floats("c", 4), shape=(1, 3), transB=1, alpha=0.5)
    yield "matmul", one("MatMul", floats("w", 3, 4), shape=(1, 3))
    yield "softmax", one("Softmax", shape=(1, 10), axis=1)
    yield "softmax_old", one("Softmax", shape=(1, 10), opset=11)
    yield "clip", one("Clip", floats("lo"), numpy_helper.from_array(np.float32(6), "hi"))
    yield "relu", one("Relu")
    yield "add", one("Add", floats("w", 3, 1, 1))
    yield "mul", one("Mul", floats("w", 1))
    yield "reduce_mean", one("ReduceMean", axes=[2, 3], keepdims=0)
    yield "reshape", one("Reshape", ints("s", 1, -1))
    yield "transpose", one("Transpose", perm=[0, 2, 3, 1])
    yield "pad", one("Pad", ints("p", 0, 0, 1, 1, 0, 0, 1, 1))
    yield "flatten", one("Flatten")
    yield "squeeze", one("Squeeze", ints("a", 0))
    yield "unsqueeze", one("Unsqueeze", ints("a", 0))
    yield "slice", one("Slice", ints("s", 0), ints("e", 2), ints("a", 1))
    yield "average_pool_dilated", one("AveragePool", kernel_shape=[2, 2], dilations=[2, 2], ceil_mode=1, opset=19)
    yield "lrn", one("LRN", size=3, alpha=0.1)
    yield "group_norm", one("GroupNormalization", floats("s", 3), floats("b", 3), num_groups=3, opset=21)
    yield "layer_norm", one("LayerNormalization", floats("s", 6), floats("b", 6), opset=17)
    yield "instance_norm", one("InstanceNormalization", floats("s", 3), floats("b", 3))
    yield "gelu", one("Gelu", approximate="tanh", opset=20)
    yield "hard_sigmoid", one("HardSigmoid", alpha=0.3)
    yield "prelu", one("PRelu", floats("s", 3, 1, 1))
    yield "log_softmax_old", one("LogSoftmax", opset=11)
    yield "max", one("Max", floats("a", 6), floats("b", 1))
    yield "pow", one("Pow", ints("e", 2))
    yield "where", model([helper.make_node("Less", ["x", "w"], ["c"]), helper.make_node("Not", ["c"], ["n"]),
                          helper.make_node("Where", ["n", "x", "w"], ["y"])], [floats("w", 6)])
    yield "mod_range", model([helper.make_node("Range", ["a", "b", "d"], ["r"]),
                              helper.make_node("Mod", ["r", "m"], ["i"]),
                              helper.make_node("Gather", ["x", "i"], ["y"], axis=2)],
                             [ints_scalar("a", 8), ints_scalar("b", -3), ints_scalar("d", -2), ints_scalar("m", 4)])
    yield "reduce_l2", one("ReduceL2", ints("a", 1, -1), opset=18, keepdims=0)
    yield "top_k", model([helper.make_node("TopK", ["x", "k"], ["v", "i"], axis=1, largest=0),
                          helper.make_node("Cast", ["i"], ["f"], to=1), helper.make_node("Add", ["v", "f"], ["y"])],
                         [ints("k", 2)])
    yield "top_k_old", model([helper.make_node("TopK", ["x"], ["y", "i"], k=2)], opset=9)
    yield "arg_max", one("ArgMax", axis=1, select_last_index=1)
    yield "resize", one("Resize", floats("roi", 0), floats("f", 0), ints("s", 1, 3, 4, 9), mode="cubic", opset=11)
    yield "resize_axes", model([helper.make_node("Resize", ["x", "", "s"], ["y"], axes=[2, 3], mode="linear")],
                               [numpy_helper.from_array(np.float32([1.5, 0.5]), "s")], opset=18)
    yield "upsample", one("Upsample", mode="nearest", scales=[1.0, 1.0, 2.0, 1.5], opset=7)
    yield "quantize", model([helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
                             helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"])],
                            [numpy_helper.from_array(np.float32([0.1, 0.2, 0.3]), "s"),
                             numpy_helper.from_array(np.int8([0, 1, -2]), "z")])
    yield "split", model([helper.make_node("Split", ["x"], ["a", "b", "c"], axis=1),
                          helper.make_node("Sum", ["a", "b", "c"], ["y"])], opset=11)
    yield "tile_expand", model([helper.make_node("Tile", ["x", "r"], ["t"]), helper.make_node("Expand", ["t", "e"], ["y"])],
                               [ints("r", 2, 1, 1, 1), ints("e", 5, 1, 1, 1, 1)])
    yield "depth_to_space", one("DepthToSpace", shape=(1, 8, 2, 3), blocksize=2, mode="CRD")
    yield "pad_wrap", one("Pad", ints("p", 1, 7), floats("v"), ints("a", -1), mode="wrap", opset=19)
    yield "fill", model([helper.make_node("Size", ["x"], ["n"]), helper.make_node("ConstantOfShape", ["n1"], ["c"]),
                         helper.make_node("Unsqueeze", ["n", "a"], ["n1"]), helper.make_node("Reshape", ["x", "n1"], ["f"]),
                         helper.make_node("Add", ["f", "c"], ["y"])], [ints("a", 0)])
    yield "constant", model([helper.make_node("Constant", [], ["c"], value=floats("v", 3, 1, 1)),
                             helper.make_node("Sub", ["x", "c"], ["y"])])
    yield "identity_dropout", model([helper.make_node("Identity", ["x"], ["i"]),
                                     helper.make_node("Dropout", ["i"], ["y", "m"])])
    yield "computed_shape", model(
        [helper.make_node("Shape", ["x"], ["s"]), helper.make_node("Gather", ["s", "i"], ["n"], axis=0),
         helper.make_node("Concat", ["n", "m"], ["t"], axis=0), helper.make_node("Cast", ["t"], ["u"], to=7),
         helper.make_node("Reshape", ["x", "u"], ["y"])], [ints("i", 0), ints("m", -1)])
    yield "open_batch", model([helper.make_node("Relu", ["x"], ["y"])], shape=("N", 3, 6, 6))
    yield "several_inputs", several_inputs()
    yield "functions", functions()
    yield "microsoft", model(
        [helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], domain="com.microsoft"),
         helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"], domain="com.microsoft")],
        [numpy_helper.from_array(np.float32(0.1), "s"), numpy_helper.from_array(np.int8(3), "z")])
    yield "constants", model(
        [helper.make_node("Constant", [], ["a"], value_float=0.5), helper.make_node("Constant", [], ["b"], value_ints=[2, 3]),
         helper.make_node("ConstantOfShape", ["b"], ["c"]), helper.make_node("Add", ["x", "a"], ["y"])])
    yield "residual_shapes", model(
        [helper.make_node("Conv", ["x", "w", "b"], ["c"], pads=[1, 1, 1, 1]),
         helper.make_node("Add", ["c", "x"], ["a"]), helper.make_node("Relu", ["a"], ["r"]),
         helper.make_node("GlobalAveragePool", ["r"], ["p"]), helper.make_node("Flatten", ["p"], ["f"]),
         helper.make_node("Softmax", ["f"], ["y"], axis=1)],
        [floats("w", 3, 3, 3, 3), floats("b", 3)], shape=(1, 3, 32, 32))


def marked_log(header, row, chip=0.2, interval=0.05):
    """A marker of work and rest (src/energy/marker.h) in a log that begins and ends at rest."""
    chips = [0, 0, 0] + [1, 1, 1, 1, 1, 0, 0, 1, 1, 0, 1, 0, 1] + [0, 0, 0]
    count = int(len(chips) * chip / interval)
    return "\n".join([header] + [row(i * interval, 5 + 3 * chips[int(i * interval / chip)]) for i in range(count)])


def logs():
    yield "seconds", marked_log("time_s,power_W", lambda t, watts: f"{t:.2f},{watts}")
    yield "volts", marked_log("# meter 7\r\nTime [ms];Voltage [V];Current (mA)",
                              lambda t, watts: f"{t * 1e3:.0f};5,0;{watts * 200}\r")
    yield "iso", marked_log("timestamp\tP_mW\tnote",
                            lambda t, watts: f"2026-01-01T00:00:{t:05.2f}+01:00\t{watts * 1000}\t\"a\tb\"")
    yield "unix", marked_log("unix_ms,W", lambda t, watts: f"{1767225600000 + t * 1e3:.0f},{watts}")
    yield "gaps", "\ufefftime_us,\u00b5W\n0,1\n1,\n2,nan\n9000,4\n9001,-5\n"
    yield "local_time", "timestamp_utc,watts\n2026-01-01 00:00:00,1\n2026-01-01 00:00:01,2\n"
    yield "out_of_order", "t_s,p_w\n1,1\n0,2\n"


def decisions():
    def decision(rule, **fields):
        return json.dumps({"schema": "hedge.decision/1", "rule": rule, **fields}, indent=1)

    yield "original", decision("logistic", threshold=0.5, temperature=1, intercept=-4.531622904031753,
                               features=["top1", "top2"], weights=[5.82555453, -3.59687685], classes=10,
                               model="resnet8", origin="published", fit={"auc": 0.8})
    yield "logistic_all", decision("logistic", threshold=0.25, temperature=1.5, intercept=1e-3,
                                   features=["margin", "entropy", "energy", "top2"], weights=[1, -2, 0.5, 1e9])
    for rule in ("top1", "margin", "entropy", "energy"):
        yield rule, decision(rule, threshold=0.75, temperature=2)
    yield "random", decision("random", share=0.3, seed=18446744073709551615)
    for rule in ("always", "never", "oracle"):
        yield rule, decision(rule)
    yield "pairs", decision("logistic", threshold=0.5, intercept=0, features=["top1"], weights=[])
    yield "cut", decision("top1", threshold=0.5)[:40]


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def scores():
    yield "csv", b"0.7,0.2,0.1\n1e-3,nan,-inf\n"
    yield "csv_windows", b"0.5, +0.5\r\n-3,2\r\n\r\n"
    yield "csv_ragged", b"1,2\n3\n"
    yield "csv_no_number", b"a,b\n"
    yield "csv_too_large", b"1e99,2\n"
    yield "npy_float32", npy(np.float32([[0.75, 0.25], [np.nan, np.inf]]))
    yield "npy_float64", npy(np.float64([[1e300, 0.25, -5]]))
    yield "npy_fortran", npy(np.asfortranarray(np.float32([[1, 2, 3], [4, 5, 6]])))
    yield "npy_integers", npy(np.int64([[1, 2]]))
    yield "npy_empty", npy(np.zeros((0, 10), np.float32))


def sections(engine):
    """name: bytes of an engine file (docs/engine-format.md)."""
    count, = struct.unpack_from("<I", engine, 12)
    found = {}
    for i in range(count):
        name, offset, size = struct.unpack_from("<32sQQ", engine, 64 + 64 * i)
        found[name.rstrip(b"\0").decode()] = engine[offset:offset + size]
    found["metadata"] = engine[64 + 64 * count:][:struct.unpack_from("<Q", engine, 24)[0]]
    return found


def write(fuzzer, name, content):
    folder = os.path.join(CORPUS, fuzzer)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as out:
        out.write(content)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build")
    args = parser.parse_args()
    for name, content in seeds():
        write("onnx_import", name, content)
    for name, text in logs():
        write("power_csv", name, text.encode())
    for name, text in decisions():
        write("decision_file", name, text.encode())
    for name, content in scores():
        write("scores_file", name, content)
    for name in ("conv", "residual_shapes"):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "tiny_shapes.engine")
            model_file = os.path.join(CORPUS, "onnx_import", name)
            onnx_file = os.path.join(folder, "tiny_shapes.onnx")
            with open(model_file, "rb") as source, open(onnx_file, "wb") as target:
                target.write(source.read())
            built = subprocess.run([os.path.join(args.build, "build_engine"), "--onnx", onnx_file, "--engine", path,
                                    "--precision=fp32", "--timing_cache", os.path.join(folder, "cache")],
                                   capture_output=True, text=True, check=False)
            if built.returncode != 0:
                print(name, "not built:", built.stderr.strip())
                continue
            with open(path, "rb") as file:
                engine = file.read()
        parts = sections(engine)
        write("engine_container", name, engine)
        write("engine_container", name + "_graph", parts["graph"] + b"\0" + parts["weights"])
        write("engine_container", name + "_metadata", parts["metadata"])


if __name__ == "__main__":
    main()
