# SPDX-License-Identifier: Apache-2.0
"""The tensorrt backend as a user meets it, on the doubles of TensorRT's libraries
(tests/backends/tensorrt/double) and the emulated CUDA runtime. HEDGE_BUILD is the build folder, HEDGE_SOURCE the checkout."""
import os
import unittest

import support
from support import BUILD, DEMO, ProgramTest

MODULES = os.path.join(BUILD, "tensorrt-double", "modules")


def call(name, *arguments, cwd=None, **environment):
    return support.call(name, *arguments, cwd=cwd, env={**os.environ, "HEDGE_MODULE_PATH": MODULES, **environment})


def read_bytes(path):
    with open(path, "rb") as file:
        return file.read()


class TensorRt(ProgramTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data = os.path.join(cls.root, "data")
        assert call("hedge", "make-data", "shapes", cls.data, "--images=200").returncode == 0
        cls.engine = cls.path("resnet8_shapes_fp16.engine")
        cls.built = cls.build("--fp16", f"--engine={cls.engine}")

    @classmethod
    def path(cls, name):
        return os.path.join(cls.root, name)

    @classmethod
    def build(cls, *arguments, **environment):
        return call("build_engine", f"--onnx={DEMO}", *arguments, cwd=cls.root, **environment)

    def succeeded(self, result):
        self.assertEqual(result.returncode, 0, result.stderr)
        return result

    def predictions(self, engine):
        out = self.path("predictions.txt")
        self.succeeded(call("inference", f"--model={engine}", f"--data={self.data}", "--iterations=20",
                            f"--predictions={out}"))
        return read_bytes(out)

    def test_is_the_default_and_its_plan_comes_out_again(self):
        self.succeeded(self.built)
        self.assertIn("backend tensorrt (TensorRT ", self.built.stdout)
        plan = self.path("extracted.plan")
        self.succeeded(call("hedge", "extract", self.engine, f"--out={plan}"))
        raw = self.path("resnet8_shapes_fp16_raw.plan")
        self.succeeded(self.build("--fp16", "--raw-plan", f"--engine={raw}", "--timing_cache=new.cache"))
        self.assertEqual(read_bytes(plan), read_bytes(raw))
        self.assertTrue(read_bytes(raw).startswith(b"ftrt"))

    def test_a_bare_plan_answers_as_its_engine_and_as_the_cpu_backend(self):
        bare = self.path("bare_shapes_fp16.engine")
        self.succeeded(call("hedge", "extract", self.engine, f"--out={bare}"))
        cpu = self.path("cpu.engine")
        self.succeeded(self.build("--backend=cpu", "--precision=fp32", f"--engine={cpu}"))
        expected = self.predictions(cpu)
        self.assertEqual(self.predictions(self.engine), expected)
        out = self.path("bare.txt")
        self.succeeded(call("inference", f"--model={bare}", f"--data={self.data}", "--iterations=20",
                            "--preprocess=scale=1/255,mean=0.5,std=0.5", f"--predictions={out}"))
        self.assertEqual(read_bytes(out), expected)

    def test_failures_are_one_line(self):
        self.refused(self.build("--fp16", "--engine=x.engine", HEDGE_DOUBLE_FAIL="buildSerializedNetwork"),
                     "injected failure of buildSerializedNetwork", status=1)
        self.assertFalse(os.path.exists(self.path("x.engine")))
        self.refused(self.build("--fp16", "--engine=x.engine", HEDGE_DOUBLE_FAIL="parse Conv"), "(Conv)", "resnet8_shapes.onnx")
        self.refused(call("inference", f"--model={self.engine}", f"--data={self.data}", HEDGE_DOUBLE_FAIL="deserializeCudaEngine"),
                     "the plan is of TensorRT", "build it again here")
        self.refused(call("inference", f"--model={self.engine}", f"--data={self.data}", "--batch=2"), "--engine_batch_size=2")
        captured = self.path("captured.json")
        self.succeeded(call("inference", f"--model={self.engine}", f"--data={self.data}", "--iterations=5",
                            f"--json={captured}", HEDGE_DOUBLE_FAIL="cudaStreamBeginCapture"))
        self.assertIn(b"not captured as a CUDA graph", read_bytes(captured))

    def test_missing_and_other_versions_are_named(self):
        for version, words in (("8000", ("TensorRT 8.0.0",)), ("120000", ("TensorRT 12.0.0",))):
            self.refused(self.build("--backend=tensorrt", HEDGE_DOUBLE_VERSION=version), *words, "this module is built for")
        self.assertIn("not available: TensorRT 8.0.0",
                      call("hedge", "info", HEDGE_DOUBLE_VERSION="8000").stdout)
        self.refused(self.build("--backend=tensorrt", HEDGE_DOUBLE_FAIL="cudaGetDeviceCount"), "no NVIDIA GPU")
        bare = self.path("other_shapes_fp16.plan")
        self.succeeded(call("hedge", "extract", self.engine, f"--out={bare}"))
        self.refused(call("hedge", "info", bare, HEDGE_DOUBLE_VERSION="8000"), "plan of TensorRT", "cannot run here")

    def test_options_of_its_compiler(self):
        self.succeeded(self.build("--fp16", "--workspace=64", "--engine=w.engine"))
        self.refused(self.build("--backend=cpu", "--workspace=64"), "--workspace", "backend cpu")
        self.refused(self.build("--backend=cpu", "--raw-plan"), "--raw-plan")
        self.refused(self.build("--sparsity=much"), "disable, enable and force")
        self.refused(self.build("--allowGPUFallback"), "--useDLACore")
        self.refused(self.build("--fp16", "--useDLACore=0"), "no DLA")
        pruned = self.succeeded(self.build("--fp16", "--sparsity=force", "--engine=s.engine"))
        self.assertIn("which is another net", pruned.stderr)
        self.assertIn("(Sparsity) Found", pruned.stderr)
        self.refused(self.build("--fp8"), "precision fp8")

    def test_native_calibration(self):
        native = ("--int8", "--calibrator=native", f"--data={self.data}", "--calib_num_images=30", "--engine=n.engine")
        self.refused(self.build(*native, "--backend=cpu"), "--calibrator=native", "backend cpu")
        self.refused(self.build("--int8", "--calibrator=other"), "hedge and native")
        result = self.build(*native)
        if "has no calibrator" in result.stderr:  # TensorRT 11.
            return
        self.succeeded(result)
        self.assertIn("native on 30 images", result.stdout)
        cache = self.path("resnet8_shapes.native.cache")
        self.assertIn(b"EntropyCalibration2", read_bytes(cache))
        again = self.succeeded(self.build(*native))
        self.assertIn("no image is read", again.stderr)
        with open(cache, "wb") as file:
            file.write(b"of another version")
        self.refused(self.build(*native), "delete it to calibrate anew")

    def test_extract_names_the_sections(self):
        cpu = self.path("cpu2.engine")
        self.succeeded(self.build("--backend=cpu", "--precision=fp32", f"--engine={cpu}"))
        self.refused(call("hedge", "extract", cpu), "no section 'plan'", "graph")
        weights = self.path("weights.bin")
        self.succeeded(call("hedge", "extract", cpu, "--section=weights", f"--out={weights}"))
        self.assertGreater(os.path.getsize(weights), 100_000)
        self.refused(call("hedge", "extract", cpu, f"--out={cpu}"), "same file")


if __name__ == "__main__":
    unittest.main()
