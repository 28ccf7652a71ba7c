#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/onnx/goldens.json: what ONNX Runtime answers to a made-up image, model by model.

    python3 tools/make_goldens.py models/resnet8_shapes.onnx models/resnet20w_shapes.onnx DIR/*.onnx

The image is noise in [-1, 1) from a generator that the tests have too, times `scale` plus `offset`.
Needs: pip install onnxruntime numpy.
"""
import json
import os
import sys

import numpy as np
import onnxruntime as ort


def noise(count, seed):
    """As noise() in tests/support/graph_builder.h."""
    state = (seed * 2654435761 + 12345) % 2**32
    values = np.empty(count, np.float32)
    for i in range(count):
        state = (state * 1664525 + 1013904223) % 2**32
        values[i] = np.float32(state >> 8) / np.float32(8388608) - np.float32(1)
    return values


def golden(path):
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    asked = session.get_inputs()[0]
    shape = [d if isinstance(d, int) else 1 for d in asked.shape]
    raw = os.path.basename(path) == "resnet8_cifar.onnx"  # Takes pixels as they are.
    scale, offset = (127.5, 127.5) if raw else (1.5, 0.0)
    image = noise(int(np.prod(shape)), 5) * np.float32(scale) + np.float32(offset)
    outputs = session.run(None, {asked.name: image.reshape(shape)})
    return {"model": os.path.basename(path), "shape": shape, "seed": 5, "scale": scale, "offset": offset,
            "outputs": [[float(f"{v:.7g}") for v in output.ravel()] for output in outputs]}


lines = ",\n ".join(json.dumps(golden(path)) for path in sys.argv[1:])
target = os.path.join(os.path.dirname(__file__), "..", "tests", "onnx", "goldens.json")
with open(target, "w") as out:
    out.write(f'{{"made_by": "ONNX Runtime {ort.__version__}", "models": [\n {lines}]}}\n')
