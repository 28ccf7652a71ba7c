#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Thresholds by NVIDIA's own code for the histograms of tests/quant/threshold_test.cpp.

    git show HEAD:tools/pytorch-quantization/pytorch_quantization/calib/histogram.py > histogram.py
    python3 tools/make_calibration_goldens.py histogram.py

The first line is run in a checkout of github.com/NVIDIA/TensorRT; the file is only read, and stays
outside this repository. Needs NumPy and SciPy; PyTorch is not needed (what little of it the functions
use is replaced below).
"""
import logging
import re
import sys
from collections import Counter

import numpy as np
from scipy.stats import entropy


class Array(np.ndarray):
    """What the functions want of a torch tensor."""

    def float(self):
        return self.astype(np.float64).view(Array)

    def cuda(self):
        return self

    cpu = cuda


class Torch:
    @staticmethod
    def tensor(x):
        return x

    @staticmethod
    def from_numpy(x):
        return np.asarray(x).view(Array)


def fake_tensor_quant(x, amax, num_bits, unsigned):
    """pytorch_quantization/tensor_quant.py, in words: round half to even, clip to +-127 steps."""
    assert num_bits == 8 and not unsigned
    step = amax / 127
    return np.clip(np.round(x / step), -127, 127) * step


def load(path):
    """The three functions of the file that compute thresholds."""
    with open(path) as file:
        text = file.read()
    scope = {"np": np, "Counter": Counter, "entropy": entropy, "torch": Torch, "logging": logging,
             "fake_tensor_quant": fake_tensor_quant}
    for name in ("entropy", "mse", "percentile"):
        source = re.search(rf"^def _compute_amax_{name}\(.*?(?=^def )", text, re.M | re.S).group(0)
        exec(source, scope)
    return scope


def histogram(seed, bins, decay, holes):
    """The same arithmetic as in the test: integers only."""
    counts = np.zeros(bins, dtype=np.int64)
    state = seed
    level = 1 << 40
    for i in range(bins):
        state = (state * 1103515245 + 12345) % (1 << 31)
        counts[i] = 0 if holes and state % holes == 0 else (level >> 20) + state % 7
        level -= level // decay
    return counts


def main():
    nvidia = load(sys.argv[1])
    for seed, bins, decay, holes in ((1, 2048, 100, 0), (2, 2048, 300, 0), (3, 2048, 30, 3), (4, 1639, 200, 2),
                                     (5, 2047, 1000, 5), (6, 500, 60, 0), (7, 129, 20, 4), (8, 2048, 150, 2)):
        edges = np.arange(bins + 1) * 0.25
        amax = {}
        for name, arguments in (("entropy", (8, False)), ("mse", (8, False)), ("percentile", (99.9,))):
            counts = histogram(seed, bins, decay, holes)
            amax[name] = float(nvidia[f"_compute_amax_{name}"](counts, edges, *arguments))
        print(f"    Case{{{seed}, {bins}, {decay}, {holes}, {amax['entropy']}, {amax['mse']}, "
              f"{amax['percentile']}}},")


if __name__ == "__main__":
    main()
