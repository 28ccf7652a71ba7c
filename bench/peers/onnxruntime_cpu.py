#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Single-image latency on one pinned core: Hedge's cpu backend beside ONNX Runtime.

Both run in turn, round by round, so that a drift of the machine meets both. ONNX Runtime runs with an
I/O binding, and what the binding itself costs (its p50 on a model that is one Identity node) is
subtracted from its figure. Needs: pip install onnxruntime onnx numpy; a Hedge build.

  python3 bench/peers/onnxruntime_cpu.py --build build/release --model resnet8_cifar.onnx --data DIR
"""
import argparse
import json
import os
import subprocess
import tempfile
import time

import numpy as np
import onnx
import onnxruntime as ort


def session(path_or_bytes):
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return ort.InferenceSession(path_or_bytes, options, providers=["CPUExecutionProvider"])


def p50_us(sess, shape, iterations):
    binding = sess.io_binding()
    x = np.random.default_rng(0).random(shape, dtype=np.float32)
    binding.bind_cpu_input(sess.get_inputs()[0].name, x)
    for output in sess.get_outputs():
        binding.bind_output(output.name)
    for _ in range(100):
        sess.run_with_iobinding(binding)
    samples = np.empty(iterations)
    for i in range(iterations):
        begin = time.perf_counter_ns()
        sess.run_with_iobinding(binding)
        samples[i] = time.perf_counter_ns() - begin
    return float(np.percentile(samples, 50)) / 1000


def identity_model():
    value = lambda name: onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 10])
    graph = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["x"], ["y"])], "identity",
                                   [value("x")], [value("y")])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)])
    model.ir_version = 8
    return model.SerializeToString()


def hedge_p50_us(build, engine, arguments, iterations):
    with tempfile.NamedTemporaryFile(suffix=".json") as result:
        subprocess.run([os.path.join(build, "inference"), f"--model={engine}",
                        f"--iterations={iterations}", "--quiet", f"--json={result.name}"] + arguments,
                       check=True, stdout=subprocess.DEVNULL)
        return json.load(open(result.name))["latency_us"]["p50"]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--model", action="append", required=True, help="ONNX file; repeatable")
    parser.add_argument("--data", help="folder of the dataset that the model's name says")
    parser.add_argument("--iterations", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)))
    args = parser.parse_args()
    os.sched_setaffinity(0, {args.core})  # Inherited by Hedge's programs.
    extra = [f"--data={args.data}"] if args.data else []

    identity = session(identity_model())
    print(f"ONNX Runtime {ort.__version__}, core {args.core}, p50 of {args.iterations} a round, "
          f"{args.rounds} rounds in turn")
    for model in args.model:
        with tempfile.TemporaryDirectory() as folder:
            stem = os.path.splitext(os.path.basename(model))[0]
            engine = os.path.join(folder, f"{stem}_fp32.engine")
            subprocess.run([os.path.join(args.build, "build_engine"), "--onnx", model, "--engine",
                            engine, "--precision", "fp32", "--timing_cache",
                            os.path.join(folder, "timing.cache")], check=True,
                           stdout=subprocess.DEVNULL)
            peer = session(model)
            shape = [d if isinstance(d, int) else 1 for d in peer.get_inputs()[0].shape]
            ours, theirs = [], []
            for _ in range(args.rounds):
                ours.append(hedge_p50_us(args.build, engine, extra, args.iterations))
                binding = p50_us(identity, [1, 10], args.iterations)
                theirs.append(p50_us(peer, shape, args.iterations) - binding)
            ratios = sorted(t / o for t, o in zip(theirs, ours))
            print(f"{stem}: Hedge {np.median(ours):.1f} us, ONNX Runtime {np.median(theirs):.1f} us "
                  f"(binding subtracted); ONNX Runtime / Hedge: median {np.median(ratios):.3f}, "
                  f"min {ratios[0]:.3f}, max {ratios[-1]:.3f}")


if __name__ == "__main__":
    main()
