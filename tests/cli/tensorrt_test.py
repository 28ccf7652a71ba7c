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
        self.succeeded(call("inference", f"--model={engine}", f"--data={self.data}", "--iterations=20", "--warmup=1",
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
        self.succeeded(call("inference", f"--model={bare}", f"--data={self.data}", "--iterations=20", "--warmup=1",
                            "--preprocess=scale=1/255,mean=0.5,std=0.5", f"--predictions={out}"))
        self.assertEqual(read_bytes(out), expected)

    def test_failures_are_one_line(self):
        self.refused(self.build("--fp16", "--engine=x.engine", HEDGE_DOUBLE_FAIL="buildSerializedNetwork"),
                     "injected failure of buildSerializedNetwork", status=1)
        self.assertFalse(os.path.exists(self.path("x.engine")))
        self.refused(self.build("--fp16", "--engine=x.engine", HEDGE_DOUBLE_FAIL="parse Conv"), "(Conv)", "resnet8_shapes.onnx")
        self.refused(call("inference", f"--model={self.engine}", f"--data={self.data}", HEDGE_DOUBLE_FAIL="deserializeCudaEngine"),
                     "the plan is of the TensorRT that is here", "build it again")
        self.refused(call("inference", f"--model={self.engine}", f"--data={self.data}", "--batch=2"), "--engine_batch_size=2")
        captured = self.path("captured.json")
        self.succeeded(call("inference", f"--model={self.engine}", f"--data={self.data}", "--iterations=5", "--warmup=1",
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
        self.succeeded(self.build("--fp16", "--maxAuxStreams=2", "--persistentCacheRatio=0.5", "--engine=a.engine"))
        self.succeeded(call("inference", f"--model={self.path('a.engine')}", f"--data={self.data}", "--iterations=2", "--warmup=1"))
        self.refused(self.build("--maxAuxStreams=-1"), "--maxAuxStreams")
        self.refused(self.build("--persistentCacheRatio=2"), "--persistentCacheRatio")
        self.refused(self.build("--backend=cpu", "--maxAuxStreams=0"), "--maxAuxStreams", "backend cpu")

    def test_a_range_of_batches(self):
        ranged = self.path("range_shapes_fp16.engine")
        built = self.succeeded(self.build("--fp16", "--engine_batch_size=1:2:4", f"--engine={ranged}"))
        self.assertIn("batch 1 (to 4, tuned for 2)", built.stdout)
        self.assertIn("batch 1 (to 4, tuned for 2)", self.succeeded(call("hedge", "info", ranged)).stdout)
        run = ("inference", f"--model={ranged}", f"--data={self.data}", "--iterations=20", "--warmup=1")
        out = self.path("together.txt")
        self.succeeded(call(*run, "--batch=4", f"--predictions={out}"))
        self.assertEqual(read_bytes(out), self.predictions(self.engine))
        self.refused(call(*run, "--batch=5"), "batches of 1 to 4, not 5")
        bare = self.path("bare_range_shapes_fp16.plan")
        self.succeeded(call("hedge", "extract", ranged, f"--out={bare}"))
        self.assertIn("batch 1 (to 4, tuned for 2)", self.succeeded(call("hedge", "info", bare)).stdout)
        self.refused(self.build("--backend=cpu", "--engine_batch_size=1:2:4"), "any batch", "backend cpu")
        self.refused(self.build("--engine_batch_size=4:2:1"), "--engine_batch_size=4:2:1")
        self.refused(self.build("--engine_batch_size=1:2"), "1:4:8")

    def test_fp8(self):
        fp8 = ("--fp8", f"--data={self.data}", "--calib_num_images=6", "--engine=f_shapes_fp8.engine")
        result = self.build(*fp8)
        if "has no 8-bit floats" in result.stderr:  # TensorRT 8.
            self.refused(result, "precision fp8")
            return
        self.succeeded(result)
        self.assertIn("minmax on 6 images", result.stdout)
        self.assertTrue(os.path.exists(self.path("resnet8_shapes.fp8.cache")))
        self.assertEqual(len(self.predictions(self.path("f_shapes_fp8.engine")).splitlines()),
                         len(self.predictions(self.engine).splitlines()))
        self.assertIn("no image is read", self.succeeded(self.build(*fp8, "--keep=first:fp16")).stderr)
        self.refused(self.build(*fp8, "--report"), "--report goes with")
        self.refused(self.build(*fp8, "--calibrator=native"), "--calibrator=native")
        self.refused(self.build(*fp8, "--backend=cpu"), "precision fp8")

    def test_best_times_whole_nets_and_keeps_its_bound(self):
        report = self.path("best.json")
        engine = self.path("b_shapes_best.engine")
        built = self.succeeded(self.build("--best", f"--data={self.data}", "--calib_num_images=6", "--best_images=5",
                                          "--calib_cache=b.cache", f"--engine={engine}", f"--json={report}"))
        best = support.read_json(report)["best"]
        self.assertLessEqual({"fp32", "fp16", "int8", "mixed"}, set(best["time_us"]))
        self.assertIn(best["chosen"], best["time_us"])
        self.assertGreaterEqual(best["correct"], best["fp32_correct"] - 5 * 0.5 / 100)
        self.assertTrue(all(layer["time_us"] == {} for layer in best["layers"]))
        self.assertIn("whole net", built.stdout)
        self.assertEqual(len(self.predictions(engine).splitlines()), len(self.predictions(self.engine).splitlines()))

    def test_takes_what_the_original_is_built_with(self):
        images = (f"--data={self.data}", "--calib_num_images=6", "--calib_batch_size=10")
        saved = ("--skipInference", "--builderOptimizationLevel=99", "--saveEngine=o.engine", "--calib_cache=o.cache")
        for flags in (("--fp16",), (), ("--int8", *images), ("--int8", "--fp16", *images),
                      ("--precision", "int8", "--dataset", "shapes", "--engine_batch_size", "2", *images)):
            self.succeeded(self.build(*saved, *flags))

    def test_native_calibration(self):
        native = ("--int8", "--calibrator=native", f"--data={self.data}", "--calib_num_images=30", "--engine=n.engine")
        self.refused(self.build(*native, "--backend=cpu"), "--calibrator=native", "backend cpu")
        self.refused(self.build("--int8", "--calibrator=other"), "hedge and native")
        self.refused(self.build(*native, "--report"), "--report with --calibrator=native")
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

    def test_flags_of_calibration_that_do_nothing_are_named(self):
        idle = self.succeeded(self.build("--fp16", "--calibrator=native", "--engine=i.engine"))
        self.assertIn("--calibrator without effect", idle.stderr)
        quantized = self.path("resnet8q_shapes.onnx")
        self.succeeded(call("hedge", "export-qdq", f"--onnx={DEMO}", f"--data={self.data}", "--calib_num_images=30",
                            f"--out={quantized}", cwd=self.root))
        came = self.succeeded(call("build_engine", f"--onnx={quantized}", "--backend=cpu", "--calibrator=native",
                                   "--builderOptimizationLevel=0", "--engine=i.engine", cwd=self.root))
        self.assertIn("--calibrator without effect", came.stderr)
        result = self.build("--int8", "--calibrator=native", f"--data={self.data}", "--calib_num_images=30",
                            "--calib_cache=idle.native.cache", "--calib_method=minmax", "--calib_percentile=99",
                            "--calib_batch_size=8", "--calib_tensorrt=8.6.1", "--engine=i.engine")
        for flag in ("--calib_method", "--calib_percentile", "--calib_batch_size", "--calib_tensorrt"):
            self.assertIn(f"{flag} without effect: for --calibrator=hedge", result.stderr)
        self.assertNotIn("--calib_num_images without", result.stderr)
        self.assertNotIn("--calib_cache without", result.stderr)

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
