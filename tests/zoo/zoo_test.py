# SPDX-License-Identifier: Apache-2.0
"""Whole nets in fp32 against ONNX Runtime: max|a-b| / max|b| below 1e-4, and the same class wherever the margin is
ten times that. Needs the packages of tools/requirements-test.txt (.venv has them); skipped without.

    HEDGE_BUILD=build HEDGE_SOURCE=. python3 tests/zoo/zoo_test.py [--backend cpu] [NET|FILE.onnx ...]
"""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time

BUILD = os.environ["HEDGE_BUILD"]
SOURCE = os.environ["HEDGE_SOURCE"]
SHARED = os.path.join(os.environ.get("HEDGE_SHARED") or os.path.join(SOURCE, "..", "shared"), "models")
TOLERANCE = 1e-4
IMAGES = 2
# All of its layers have fast kernels; the small nets' are tested in tests/backends.
FAST = ("mobilenet_v2",)
# Under the sanitizers each net takes a minute: three that have most operators between them.
FEW = ("squeezenet1_1", "shufflenet_v2_18", "mobilenet_v3_parts")

try:
    import numpy as np
    import onnx
    import onnxruntime
except ImportError as missing:
    venv = os.path.join(SOURCE, ".venv", "bin", "python3")
    if os.path.exists(venv) and os.path.realpath(sys.prefix) != os.path.realpath(os.path.join(SOURCE, ".venv")):
        os.execv(venv, [venv, *sys.argv])
    print(f"skipped: no Python package {missing.name}; ./run-tests installs tools/requirements-test.txt into .venv")
    sys.exit(77)

sys.path.insert(0, os.path.join(SOURCE, "tools"))
import make_zoo  # noqa: E402


def images(shape):
    """Coarse patches with noise over them: noise alone is averaged away by the nets' poolings."""
    draw = np.random.default_rng(1)
    patch = shape[-1] // 7
    coarse = np.kron(draw.standard_normal((IMAGES, *shape[1:-2], 7, 7)), np.ones((patch, patch)))
    return (coarse + 0.3 * draw.standard_normal(coarse.shape)).astype(np.float32)


def runtime_scores(path, inputs):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: x[None]})[0].reshape(1, -1) for x in inputs])


def hedge_scores(path, inputs, backend, folder):
    given, got = os.path.join(folder, "images"), os.path.join(folder, "scores")
    inputs.tofile(given)
    done = subprocess.run([os.path.join(BUILD, "run-net"), path, backend, given, got], text=True,
                          capture_output=True, check=False)
    if done.returncode != 0:
        raise AssertionError(done.stderr.strip()[:400] or f"ended with {done.returncode}")
    return np.fromfile(got, np.float32).reshape(len(inputs), -1)


def compare(path, backend, folder, ours):
    """The deviation; raises AssertionError where it is too large."""
    inputs = images((1, 3, 224, 224))
    want = runtime_scores(path, inputs)
    have = hedge_scores(path, inputs, backend, folder)
    # Where the scores hardly depend on the image, errors could hide.
    apart = np.abs(want[0] - want[1]).max() / np.abs(want).max()
    assert not ours or apart > 0.01, "make_zoo's fault: the net gives both images the same scores"
    assert have.shape == want.shape, f"{have.shape} scores, {want.shape} expected"
    assert np.isfinite(want).all(), "the net itself is no good: not finite"
    deviation = np.abs(have - want).max(axis=1) / np.abs(want).max(axis=1)
    assert (deviation < TOLERANCE).all(), f"deviates by {deviation.max():.2g} of the largest score"
    order = np.sort(want, axis=1)
    clear = (order[:, -1] - order[:, -2]) / np.abs(want).max(axis=1) > 10 * TOLERANCE
    assert (have.argmax(1) == want.argmax(1))[clear].all(), "another class"
    return deviation.max()


def slow_layers(path, folder):
    """Layers that run by a reference kernel, oneDNN's or ours."""
    layers = os.path.join(folder, "layers.json")
    subprocess.run([os.path.join(BUILD, "build_engine"), f"--onnx={path}", f"--engine={folder}/net.engine",
                    "--precision=fp32", "--backend=cpu", "--builderOptimizationLevel=0",
                    f"--timing_cache={folder}/timing.cache", f"--json={layers}"], check=True, capture_output=True)
    with open(layers, encoding="utf-8") as file:
        return [layer for layer in json.load(file)["layers"]
                if re.search(r"ref\b|ref:|reference|simple", layer["kernel"])]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("nets", nargs="*")
    parser.add_argument("--backend", default="cpu", help="or reference")
    options = parser.parse_args()
    nets = options.nets or (FEW if os.environ.get("HEDGE_SANITIZED") else list(make_zoo.NETS))
    if not options.nets and not os.environ.get("HEDGE_SANITIZED") and os.path.isdir(SHARED):
        nets += [os.path.join(SHARED, name) for name in ("mobilenet_v2.onnx", "squeezenet1_1.onnx")]
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        for net in nets:
            begin = time.monotonic()
            path = net
            if not net.endswith(".onnx"):
                path = os.path.join(folder, f"{net}_imagenet.onnx")
                onnx.save(make_zoo.make(net), path)
            try:
                deviation = compare(path, options.backend, folder, path != net)
                if net in FAST and options.backend == "cpu":
                    slow = slow_layers(path, folder)
                    assert not slow, f"not by a fast kernel: {slow}"
                print(f"{net}: deviates by {deviation:.1e}, {time.monotonic() - begin:.1f} s", flush=True)
            except AssertionError as error:
                failed.append(net)
                print(f"{net}: FAILED: {error}", flush=True)
            if path != net:
                os.remove(path)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
