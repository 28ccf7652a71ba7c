# SPDX-License-Identifier: Apache-2.0
"""The models, and the variants in which each is built."""
import os

from .expected import SHAPES, sha256, test_set

DATASETS = ("cifar", "shapes", "imagenet")

# Variant: the flags of build_engine.
FLAGS = {
    "fp32": ["--precision=fp32"],  # products in TF32 on a GPU, as TensorRT and the original have it
    "fp32-full": ["--precision=fp32", "--noTF32"],
    "fp16": ["--precision=fp16"],
    "int8": ["--precision=int8"],
}
VARIANTS = {"tensorrt": ("fp32", "fp32-full", "fp16", "int8"), "cuda": ("fp32", "fp32-full", "fp16", "int8"),
            "cpu": ("fp32", "int8"), "null": ("fp32",)}
GPU_BACKENDS = ("tensorrt", "cuda")  # the one to be preferred first


def is_gpu(backend):
    return backend in GPU_BACKENDS


class Model:
    def __init__(self, path, options, work):
        self.onnx = path
        self.name = os.path.splitext(os.path.basename(path))[0]
        named = self.name.rsplit("_", 1)[-1]
        self.dataset = named if named in DATASETS else options.dataset
        # --dataset where the name tells none: the engine then knows it.
        self.flags = [] if named in DATASETS else [f"--dataset={options.dataset}"]
        self.sha256 = sha256(path)
        own = os.path.join(work, "data")
        self.made = self.dataset == "shapes" and not os.path.exists(os.path.join(options.data, "shapes_test.bin"))
        self.data = own if self.made else options.data
        self.test_set = SHAPES if self.made else test_set(self.dataset, options.data)

    def engine(self, work, backend, variant):
        """A folder a backend and variant: the names are the original's, MODEL_DATASET_PRECISION.engine."""
        stem = self.name if not self.flags else f"{self.name}_{self.dataset}"
        precision = "fp32" if variant == "fp32-full" else variant
        return os.path.join(work, f"{backend}-{variant}", f"{stem}_{precision}.engine")
