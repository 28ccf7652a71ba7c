# SPDX-License-Identifier: Apache-2.0
"""INT8 as a user meets it: calibration, caches, reports, Q/DQ. HEDGE_BUILD is the build folder, HEDGE_SOURCE
the checkout. What needs ONNX Runtime runs where the packages of tools/requirements-test.txt are (.venv)."""
import os
import shutil
import signal
import subprocess
import sys
import time
import unittest

from support import BUILD, DEMO, SHARED, SOURCE, STRONG, ProgramTest, call, read_json

RECORD = 3073

try:
    import numpy as np
    import onnx
    import onnxruntime
except ImportError:
    venv = os.path.join(SOURCE, ".venv", "bin", "python3")
    if os.path.exists(venv) and os.path.realpath(sys.prefix) != os.path.realpath(os.path.join(SOURCE, ".venv")):
        os.execv(venv, [venv, *sys.argv])
    onnxruntime = None


def read_lines(path):
    with open(path) as text:
        return list(text)


class Int8(ProgramTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data = os.path.join(cls.root, "data")
        assert call("hedge", "make-data", "shapes", cls.data).returncode == 0
        few = os.path.join(cls.root, "few")
        assert call("hedge", "make-data", "shapes", few, "--train", "--images=1000").returncode == 0
        shutil.move(os.path.join(few, "shapes_train.bin"), cls.data)
        cls.train = os.path.join(cls.data, "shapes_train.bin")
        cls.cache = cls.path("good.cache")
        cls.engine = cls.path("resnet8_shapes_int8.engine")
        cls.built = cls.build(f"--calib_cache={cls.cache}", f"--engine={cls.engine}",
                              "--json=" + cls.path("built.json"))
        assert cls.built.returncode == 0, cls.built.stderr

    @classmethod
    def path(cls, name):
        return os.path.join(cls.root, name)

    @classmethod
    def build(cls, *arguments, onnx_file=DEMO, data=None, cwd=None):
        stated = "".join(arguments)
        defaults = [f"--timing_cache={cls.path('timing.cache')}", f"--data={data or cls.data}"]
        if "--engine=" not in stated:
            defaults.append("--engine=" + cls.path("some.engine"))
        return call("build_engine", f"--onnx={onnx_file}", "--precision=int8", *defaults, *arguments,
                    cwd=cwd or cls.root)

    def file(self, name, content):
        path = self.path(name)
        with open(path, "wb" if isinstance(content, bytes) else "w") as out:
            out.write(content)
        return path

    def succeeded(self, done):
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def correct(self, model, *arguments, data=None):
        result = self.path("result.json")
        self.succeeded(call("inference", f"--model={model}", f"--data={data or self.data}", f"--json={result}",
                            *arguments))
        return read_json(result)["accuracy"]["correct"]

    # ---- calibration

    def test_accuracy_of_each_method(self):
        """fp32 has 8,949 of 10,000 right: within half a point."""
        self.assertLess(abs(self.correct(self.engine) - 8949), 50)
        for method in ("minmax", "percentile", "mse"):
            engine, cache = self.path(f"{method}_shapes_int8.engine"), self.path(f"{method}.cache")
            self.succeeded(self.build(f"--calib_method={method}", f"--calib_cache={cache}", f"--engine={engine}"))
            self.assertLess(abs(self.correct(engine) - 8949), 50, method)

    def test_accuracy_of_the_strong_demo(self):
        fp32 = self.correct(STRONG)
        for method in ("entropy", "minmax"):
            engine = self.path(f"strong_{method}_shapes_int8.engine")
            self.succeeded(self.build(f"--calib_method={method}", f"--engine={engine}",
                                      "--calib_cache=" + self.path(f"strong_{method}.cache"), onnx_file=STRONG))
            self.assertLess(abs(self.correct(engine) - fp32), 50, method)

    @unittest.skipUnless(os.path.isdir(os.path.join(SHARED, "models")), "no shared models")
    def test_published_models(self):
        """fp32: 7,548 and 8,345 right."""
        data = os.path.join(SHARED, "data", "cifar-10-jpeg")
        for name, fp32, within in (("resnet8", 7548, 50), ("resnet56", 8345, 30)):
            for method in ("entropy", "minmax"):
                engine = self.path(f"{name}_cifar_int8.engine")
                self.succeeded(self.build(
                    f"--calib_method={method}", f"--engine={engine}", "--calib_num_images=1000",
                    "--calib_cache=" + self.path(f"{name}_{method}.cache"), data=data,
                    onnx_file=os.path.join(SHARED, "models", f"{name}_cifar.onnx")))
                self.assertLess(abs(self.correct(engine, data=data) - fp32), within, f"{name} {method}")

    def test_facts_are_kept(self):
        calibration = read_json(self.path("built.json"))["engine"]["calibration"]
        self.assertEqual(calibration["method"], "entropy")
        self.assertEqual(calibration["images"], 1000)
        self.assertEqual(calibration["source"], self.train)
        self.assertFalse(calibration["test_images"])
        shown = self.succeeded(call("hedge", "info", self.engine)).stdout
        self.assertIn("entropy on 1000 images", shown)
        self.assertIn(calibration["cache_sha256"][:12], shown)
        self.assertIn("int8", {layer["precision"] for layer in read_json(self.path("built.json"))["layers"]})

    def test_cache_is_used_and_no_image_is_read(self):
        other = self.path("again.engine")
        done = self.succeeded(self.build(f"--calib_cache={self.cache}", f"--engine={other}", data="/nowhere"))
        self.assertIn("no image is read", done.stderr)
        for engine in (self.engine, other):
            self.succeeded(call("inference", f"--model={engine}", f"--data={self.data}",
                                "--scores=" + self.path(os.path.basename(engine) + ".csv")))
        with open(self.path("again.engine.csv")) as a, open(self.path(os.path.basename(self.engine) + ".csv")) as b:
            self.assertEqual(a.read(), b.read())

    def test_default_cache_and_result_of_threads(self):
        """MODEL_DATASET.cache in the current folder; the same from any number of threads and batch."""
        folder = self.path("here")
        os.makedirs(folder)
        self.succeeded(self.build("--calib_threads=3", "--calib_batch_size=7", cwd=folder))
        with open(os.path.join(folder, "resnet8_shapes.cache")) as a, open(self.cache) as b:
            self.assertEqual(a.read(), b.read())

    def test_header_of_the_chosen_tensorrt(self):
        cache = self.path("ten.cache")
        self.succeeded(self.build("--calib_tensorrt=10.3.0", "--calib_method=minmax", "--calib_num_images=10",
                                  f"--calib_cache={cache}"))
        with open(cache) as text:
            self.assertEqual(text.readline(), "TRT-100300-MinMaxCalibration\n")
        with open(self.cache) as text:
            self.assertEqual(text.readline(), "TRT-8602-EntropyCalibration2\n")

    def test_warns_of_test_images(self):
        test = self.path("only_test")
        os.makedirs(test)
        os.symlink(os.path.join(self.data, "shapes_test.bin"), os.path.join(test, "shapes_test.bin"))
        done = self.succeeded(self.build("--calib_num_images=10", "--calib_cache=" + self.path("test.cache"),
                                         "--json=" + self.path("test.json"), data=test))
        self.assertIn("warning: calibrating on test images", done.stderr)
        self.assertTrue(read_json(self.path("test.json"))["engine"]["calibration"]["test_images"])
        done = self.succeeded(self.build("--calib_num_images=10", f"--calib_input={self.data}/shapes_test.bin",
                                         "--calib_cache=" + self.path("test2.cache")))
        self.assertIn("warning: calibrating on test images", done.stderr)

    def test_warns_of_few_images_and_idle_flags(self):
        one = self.path("one.bin")
        with open(self.train, "rb") as images, open(one, "wb") as out:
            out.write(images.read(RECORD))
        done = self.succeeded(self.build(f"--calib_input={one}", "--calib_cache=" + self.path("one.cache")))
        self.assertIn("calibrated on 1 image:", done.stderr)
        done = self.succeeded(call("build_engine", f"--onnx={DEMO}", "--precision=fp32", "--calib_method=mse",
                                   "--best_lost=1", "--report_images=7", "--engine=" + self.path("idle.engine"),
                                   cwd=self.root))
        for flag in ("--calib_method", "--best_lost", "--report_images"):
            self.assertIn(f"{flag} without effect", done.stderr)

    def test_pictures_without_classes(self):
        photos = self.path("photos")
        os.makedirs(photos)
        for i in range(4):  # PPMs of grey levels.
            with open(os.path.join(photos, f"{i}.ppm"), "wb") as out:
                out.write(b"P6 32 32 255 " + bytes((i * 50 + at) % 256 for at in range(3072)))
        cache = "--calib_cache=" + self.path("photos.cache")
        for name in (photos, f"folder:{photos}"):
            done = self.succeeded(self.build(cache, f"--calib_input={name}"))
            self.assertIn("calibrated on 4 images", done.stderr)
            os.remove(self.path("photos.cache"))
        done = call("build_engine", f"--onnx={DEMO}", "--best", cache, f"--calib_input={photos}",
                    "--engine=" + self.path("photos.engine"), cwd=self.root)
        self.refused(done, "classes", "sub-folders")

    def choose(self, *arguments, cache=None):
        engine, report = self.path("best.engine"), self.path("best.json")
        done = call("build_engine", f"--onnx={DEMO}", "--best", f"--calib_cache={cache or self.cache}", f"--engine={engine}",
                    f"--calib_input={self.train}", f"--json={report}", f"--timing_cache={self.path('timing.cache')}",
                    f"--data={self.data}", "--best_images=300", *arguments)
        self.succeeded(done)
        return engine, read_json(report)

    def test_best(self):
        engine, built = self.choose("--keep=last:fp32")
        best = built["best"]
        fastest = min((time, name) for name, time in best["time_us"].items())[1]
        self.assertIn(best["chosen"], best["time_us"])
        self.assertGreaterEqual(best["correct"], best["fp32_correct"] - 0.005 * best["images"])
        self.assertTrue(best["chosen"] == fastest or best["correct"] != best["fp32_correct"], best)
        # What was chosen is what runs, from the file too.
        runs = {layer["name"]: layer["precision"] for layer in built["layers"]}
        for layer in best["layers"]:
            self.assertEqual(runs[layer["name"]], layer["precision"])
        self.assertEqual(best["layers"][-1]["precision"], "fp32")
        self.assertEqual(built["engine"]["precision"], "best")
        done = call("inference", f"--model={engine}", f"--data={self.data}", "--iterations=300")
        self.succeeded(done)
        self.assertIn("best", done.stdout)

    def test_report_on_best(self):
        _, built = self.choose("--report", "--report_images=300")
        for layer in built["quantization"]["layers"]:
            self.assertEqual(layer["precision"], next(
                ran["precision"] for ran in built["layers"] if ran["name"] == layer["name"]))

    def test_best_under_a_bound_that_nothing_but_fp32_keeps(self):
        # Ranges so small that everything saturates.
        cache = self.file("bad.cache", "".join(
            line if i == 0 else line.split(": ")[0] + ": 38d1b717\n"
            for i, line in enumerate(read_lines(self.cache))))
        _, built = self.choose("--best_lost=0", cache=cache)
        best = built["best"]
        self.assertGreaterEqual(best["correct"], best["fp32_correct"])
        precisions = {layer["precision"] for layer in best["layers"]}
        self.assertNotEqual(precisions, {"int8"})

    def test_best_takes_what_the_model_says(self):
        for wrong in ("--best_lost=-1", "--best_lost=x", "--best_images=0"):
            done = call("build_engine", f"--onnx={DEMO}", "--best", f"--calib_cache={self.cache}", wrong)
            self.refused(done, wrong.split("=")[0])

    def test_keep_in_bf16(self):
        report = self.path("bf16.json")
        done = self.build(f"--calib_cache={self.cache}", "--keep=first:bf16", "--json=" + report)
        if "no bf16" in done.stderr:
            self.skipTest("this CPU has no bf16")
        self.succeeded(done)
        self.assertIn("bf16", {layer["precision"] for layer in read_json(report)["layers"]})

    def test_keep(self):
        report = self.path("keep.json")
        self.succeeded(self.build(f"--calib_cache={self.cache}", "--keep=first:fp32", "--keep=last:fp32", "--report",
                                  "--report_images=200", f"--json={report}"))
        built = read_json(report)
        layers = [layer["precision"] for layer in built["quantization"]["layers"]]
        self.assertEqual(layers, ["fp32"] + ["int8"] * (len(layers) - 2) + ["fp32"])
        self.assertEqual(built["engine"]["calibration"]["keep"], ["first:fp32", "last:fp32"])

    # ---- what is refused

    def test_no_images(self):
        fresh = "--calib_cache=" + self.path("fresh.cache")
        self.refused(self.build("--calib_num_images=0", fresh), "--calib_num_images")
        self.refused(self.build(fresh, data="/nowhere"), "/nowhere", "--calib_input")
        self.refused(self.build(fresh, "--calib_input=/no/images.bin"), "--calib_input", "/no/images.bin")
        self.refused(self.build(fresh, "--calib_input=" + self.file("empty.bin", b"")), "empty")
        self.refused(self.build(fresh, "--preprocess=scale=1", onnx_file=shutil.copy(DEMO, self.path("net.onnx"))),
                     "--calib_input", "--dataset")
        self.assertFalse(os.path.exists(self.path("fresh.cache")))

    def test_images_all_alike(self):
        fresh = "--calib_cache=" + self.path("alike.cache")
        grey = self.file("grey.bin", (bytes([1]) + bytes([128]) * 3072) * 20)
        self.refused(self.build(fresh, f"--calib_input={grey}"), "all alike", "--calib_input")
        black = self.file("black.bin", bytes(RECORD))
        self.refused(self.build(fresh, f"--calib_input={black}", "--preprocess=scale=1"), "no range")
        self.assertFalse(os.path.exists(self.path("alike.cache")))

    def test_bad_caches(self):
        with open(self.cache) as text:
            good = text.read()
        first = good.splitlines()[1]
        name = first.rsplit(":", 1)[0]

        def refused(content, *words):
            self.refused(self.build("--calib_cache=" + self.file("bad.cache", content), data="/nowhere"),
                         "bad.cache", *words)

        refused(good[:-4], "line", "hexadecimal")
        refused(good.replace(first, name + ": 3f80zz00"), "hexadecimal")
        refused(good.replace(first + "\n", ""), name, "1 of")
        refused(good.replace(first, name + ": 7fc00000"), name, "nan")
        refused(good.replace(first, name + ": 00000000"), name)
        refused("", "no tensor")
        refused("garbage\n", "TRT-")
        self.succeeded(self.build("--calib_cache=" + self.file("dos.cache", good.replace("\n", "\r\n").encode()),
                                  data="/nowhere"))
        self.refused(self.build(f"--calib_cache={self.cache}", onnx_file=STRONG), "good.cache", "another model")

    def test_bad_flags(self):
        cache = f"--calib_cache={self.cache}"
        self.refused(self.build(cache, "--keep=first:int7"), "int7", "fp32")
        self.refused(self.build(cache, "--keep=first"), "LAYER:PRECISION")
        self.refused(self.build(cache, "--keep=nowhere:fp32"), "nowhere")
        self.refused(self.build(cache, "--calib_method=guess"), "guess", "entropy")
        self.refused(self.build(cache, "--calib_percentile=101"), "--calib_percentile")
        self.refused(self.build(cache, "--calib_tensorrt=x"), "TensorRT")
        self.refused(self.build("--calib_cache=" + DEMO), "--onnx", "--calib_cache")
        self.refused(call("build_engine", f"--onnx={DEMO}", "--precision=int7"), "int7", "int8")
        self.refused(self.build(cache, "--keep=first:fp32", "--keep=first:bf16"), "both fp32 and bf16")
        self.refused(self.build(cache, "--fp32"), "int8", "fp32", "one of them")
        self.refused(self.build(cache, "--report", "--report_images=0"), "--report_images")
        self.refused(call("build_engine", f"--onnx={DEMO}", "--precision=fp32", "--report",
                          "--engine=" + self.path("x.engine")), "--report")
        self.refused(call("build_engine", f"--onnx={DEMO}", "--keep=first:fp32"), "--keep", "--precision=int8")
        self.refused(call("inference", f"--model={DEMO}", "--best", f"--data={self.data}"), "build_engine")
        done = self.succeeded(self.build(cache, "--calib_method=minmax"))
        self.assertIn("EntropyCalibration2", done.stderr)

    def test_ctrl_c_while_calibrating(self):
        """Nothing half-written."""
        folder = self.path("cut")
        os.makedirs(folder)
        many = self.path("many.bin")
        with open(self.train, "rb") as images, open(many, "wb") as out:
            for _ in range(40):
                images.seek(0)
                shutil.copyfileobj(images, out)
        process = subprocess.Popen(
            [os.path.join(BUILD, "build_engine"), f"--onnx={STRONG}", "--int8", f"--calib_input={many}",
             "--calib_num_images=40000"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(1.5)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, err)
        self.assertIn("cancelled", err)
        self.assertEqual(os.listdir(folder), [])

    # ---- report and sensitivity

    def test_report(self):
        path = self.path("report.json")
        done = self.succeeded(self.build(f"--calib_cache={self.cache}", "--report", "--report_images=1000",
                                         f"--json={path}"))
        self.assertIn("McNemar", done.stdout)
        for layer in read_json(path)["layers"]:
            if layer["precision"] == "int8" and layer["multiply_accumulates"] > 0:
                self.assertIn(f"  {layer['name']}\n", done.stdout)
        report = read_json(path)["quantization"]
        self.assertEqual((report["schema"], report["images"]), ("hedge.quantization/1", 1000))
        self.assertEqual(report["int8_correct"] - report["fp32_correct"],
                         report["only_int8_right"] - report["only_fp32_right"])
        self.assertEqual(report["fp32_correct"], self.correct(DEMO, "--iterations=1000"))
        self.assertEqual(report["int8_correct"], self.correct(self.engine, "--iterations=1000"))
        self.assertGreater(report["scores_sqnr_db"], 15)
        for layer in report["layers"]:
            self.assertEqual(layer["precision"], "int8")
            # 8 bits of a uniform distribution have 50 dB; anything near 10 would be a wrong scale.
            self.assertTrue(20 < layer["input_sqnr_db"] < 80 and 20 < layer["weights_sqnr_db"] < 60, layer)
            self.assertLess(layer["input_saturated"], 0.02)

    def test_sensitivity(self):
        path = self.path("sensitivity.json")
        self.succeeded(call("hedge", "sensitivity", f"--onnx={DEMO}", f"--data={self.data}", "--iterations=200",
                            f"--calib_cache={self.cache}", f"--json={path}"))
        report = read_json(path)
        self.assertEqual(report["images"], 200)
        self.assertEqual(report["fp32_correct"], self.correct(DEMO, "--iterations=200"))
        ratios = [layer["scores_sqnr_db"] for layer in report["layers"]]
        self.assertEqual(ratios, sorted(ratios))
        # One layer in int8 loses less than all of them do.
        self.succeeded(self.build(f"--calib_cache={self.cache}", "--report", "--report_images=200",
                                  "--json=" + self.path("all.json")))
        self.assertGreater(ratios[-1], read_json(self.path("all.json"))["quantization"]["scores_sqnr_db"])

    # ---- caches

    def test_cache_program(self):
        minmax = self.path("for_diff.cache")
        self.succeeded(self.build("--calib_method=minmax", "--calib_num_images=100", f"--calib_cache={minmax}"))
        shown = self.succeeded(call("hedge", "cache", "show", self.cache)).stdout
        with open(self.cache) as text:
            self.assertEqual(len(shown.splitlines()), len(text.readlines()) + 1)
        self.assertIn("the same", self.succeeded(call("hedge", "cache", "diff", self.cache, self.cache)).stdout)
        done = call("hedge", "cache", "diff", self.cache, minmax)
        self.assertEqual(done.returncode, 1)
        self.assertIn("MinMaxCalibration", done.stdout)
        self.assertIn("%", done.stdout)
        self.assertIn("fits", self.succeeded(call("hedge", "cache", "check", self.cache, f"--onnx={DEMO}")).stdout)
        self.refused(call("hedge", "cache", "check", self.cache, f"--onnx={STRONG}"), "no scale for")
        self.refused(call("hedge", "cache", "check", self.cache), "--onnx")
        self.refused(call("hedge", "cache", "shwo", self.cache), "show, diff and check")
        self.refused(call("hedge", "cache", "diff", self.cache), "2 files")
        odd = self.file("odd.cache", "TRT-8602-EntropyCalibration2\nname: with: colons and blanks: 3c010a14\n")
        self.assertIn("name: with: colons and blanks", self.succeeded(call("hedge", "cache", "show", odd)).stdout)

    # ---- Q/DQ

    def export(self, name, *arguments):
        out = self.path(name)
        self.succeeded(call("hedge", "export-qdq", f"--onnx={DEMO}", f"--calib_cache={self.cache}", f"--out={out}",
                            *arguments))
        return out

    def test_exported_model_needs_no_calibration(self):
        """It is int8 already, and gives what the engine gives."""
        out = self.export("back_shapes.onnx", "--unsigned")
        self.refused(call("build_engine", f"--onnx={out}", "--best"), "Q/DQ", "fp32")
        named = self.export("resnet8_shapes_qdq.onnx")
        self.succeeded(call("build_engine", f"--onnx={named}", "--engine=" + self.path("named.engine"),
                            "--timing_cache=" + self.path("timing.cache"), cwd=self.root))
        engine = self.path("back_shapes_int8.engine")
        done = self.succeeded(call("build_engine", f"--onnx={out}", f"--engine={engine}", "--dataset=shapes",
                                   "--preprocess=" + self.recipe(), "--timing_cache=" + self.path("timing.cache"),
                                   cwd=self.root))
        self.assertIn("without calibration", done.stderr)
        self.assertIn("int8", done.stdout)
        self.assertLessEqual(abs(self.correct(engine) - self.correct(self.engine)), 2)

    def recipe(self):
        lines = self.succeeded(call("hedge", "info", self.engine)).stdout.splitlines()
        return next(line.split()[1] for line in lines if line.strip().startswith("recipe"))

    @unittest.skipUnless(onnxruntime, "no ONNX Runtime; ./run-tests installs it into .venv")
    def test_export_in_onnx_runtime(self):
        """Valid, placed as TensorRT wants it, and the same top-1 within 0.1 point."""
        out = self.export("qdq_shapes.onnx")
        model = onnx.load(out)
        onnx.checker.check_model(model, full_check=True)
        made = {output: node for node in model.graph.node for output in node.output}
        for node in model.graph.node:
            if node.op_type == "Conv":
                for value in node.input[:2]:
                    self.assertEqual(made[value].op_type, "DequantizeLinear", value)
            if node.op_type == "Add" and any(made[v].op_type == "Conv" for v in node.input if v in made):
                self.assertEqual(sorted(made[v].op_type for v in node.input), ["Conv", "DequantizeLinear"])
            if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
                zero = next(i for i in model.graph.initializer if i.name == node.input[2])
                self.assertEqual(zero.data_type, onnx.TensorProto.INT8)
                self.assertFalse(onnx.numpy_helper.to_array(zero).any())
        fp32 = np.array(self.classes(DEMO))
        images, labels = self.images()
        session = onnxruntime.InferenceSession(out, providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        got = np.array([session.run(None, {name: image[None]})[0].argmax() for image in images])
        engine = self.path("signed_shapes_int8.engine")
        self.succeeded(call("build_engine", f"--onnx={out}", f"--engine={engine}", "--dataset=shapes",
                            "--preprocess=" + self.recipe(), "--timing_cache=" + self.path("timing.cache")))
        ours = np.array(self.classes(engine))
        right = (got == labels).sum()
        self.assertLessEqual(abs((ours == labels).sum() - right), 10)
        self.assertLessEqual(abs((fp32 == labels).sum() - right), 50)

    def build_stated(self, model, *arguments):
        return call("build_engine", f"--onnx={model}", "--dataset=shapes", "--preprocess=" + self.recipe(),
                    "--timing_cache=" + self.path("timing.cache"), "--engine=" + self.path("stated.engine"), *arguments)

    @unittest.skipUnless(onnxruntime, "no ONNX Runtime; ./run-tests installs it into .venv")
    def test_model_of_onnx_runtimes_quantiser(self):
        """Runs in integers, and has the classes that ONNX Runtime gives."""
        try:
            from onnxruntime import quantization
        except ImportError as missing:
            self.skipTest(f"no Python package {missing.name}; ./run-tests installs it into .venv")
        images, _ = self.images()
        images = images[:1000]

        class Reader(quantization.CalibrationDataReader):
            left = list(images[:100])
            name = onnx.load(DEMO).graph.input[0].name

            def get_next(self):
                return {self.name: self.left.pop()[None]} if self.left else None

        model, report = self.path("quantiser.onnx"), self.path("quantiser.json")
        quantization.quantize_static(DEMO, model, Reader(), quant_format=quantization.QuantFormat.QDQ,
                                     per_channel=True)
        self.succeeded(self.build_stated(model, f"--json={report}"))
        built = read_json(report)
        self.assertEqual(built["engine"]["precision"], "int8")
        macs = {precision: sum(layer["multiply_accumulates"] for layer in built["layers"]
                               if layer["precision"] == precision) for precision in ("int8", "fp32")}
        self.assertGreater(macs["int8"], 100 * macs["fp32"], built["layers"])
        session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        theirs = np.array([session.run(None, {name: image[None]})[0].argmax() for image in images])
        ours = np.array(self.classes(self.path("stated.engine"))[:1000])
        self.assertGreater((ours == theirs).mean(), 0.985)

    @unittest.skipUnless(onnxruntime, "no ONNX; ./run-tests installs it into .venv")
    def test_explicit_models_that_integers_cannot_run(self):
        """Scales for each channel of an activation, or along another axis of weights: named."""
        helper = onnx.helper

        def model(name, activation_scales, axis):
            def constant(name, array):
                return onnx.numpy_helper.from_array(np.asarray(array), name)
            many = np.full(3, 0.02, np.float32) if activation_scales else np.float32(0.02)
            nodes = [helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], "quantize_x", axis=1),
                     helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"], "dequantize_x", axis=1),
                     helper.make_node("DequantizeLinear", ["w", "ws"], ["wd"], "dequantize_w", axis=axis),
                     helper.make_node("Conv", ["d", "wd"], ["c"], "the_conv", kernel_shape=[32, 32]),
                     helper.make_node("Flatten", ["c"], ["y"], "flatten")]
            constants = [constant("s", many), constant("z", np.zeros_like(many, np.int8)),
                         constant("w", np.ones((10, 3, 32, 32), np.int8)),
                         constant("ws", np.full(10 if axis == 0 else 3, 0.02, np.float32))]
            graph = helper.make_graph(
                nodes, "g", [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 3, 32, 32])],
                [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, 10])], constants)
            onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8),
                      self.path(name))
            return call("build_engine", "--onnx=" + self.path(name), "--dataset=shapes", "--preprocess=scale=1/255",
                        "--timing_cache=" + self.path("timing.cache"), "--engine=" + self.path("explicit.engine"))

        self.refused(model("channels.onnx", True, 0), "dequantize_x", "each channel")
        self.refused(model("mixed.onnx", False, 1), "the_conv", "axis 1")
        self.succeeded(model("fine.onnx", False, 0))

    def classes(self, model):
        path = self.path("classes.txt")
        self.succeeded(call("inference", f"--model={model}", f"--data={self.data}", f"--predictions={path}"))
        with open(path) as text:
            return [int(line) for line in text]

    def images(self):
        """As the recipe of the demo model prepares them."""
        records = np.fromfile(os.path.join(self.data, "shapes_test.bin"), np.uint8).reshape(-1, RECORD)
        recipe = dict(part.split("=") for part in self.recipe().split(","))
        numbers = [np.array([float(x) for x in recipe[key].split(":")], np.float64) for key in ("mean", "std")]
        pixels = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        pixels = ((pixels * float(recipe["scale"]) - numbers[0]) / numbers[1]).astype(np.float32)
        if recipe["layout"] == "nchw":
            pixels = pixels.transpose(0, 3, 1, 2)
        return np.ascontiguousarray(pixels), records[:, 0]

    def test_export_flags(self):
        self.refused(call("hedge", "export-qdq"), "--onnx")
        self.refused(call("hedge", "export-qdq", f"--onnx={DEMO}", f"--out={DEMO}"), "same file")
        self.refused(call("hedge", "export-qdq", f"--onnx={DEMO}", "--out=/no/x.onnx"), "/no")


if __name__ == "__main__":
    unittest.main()
