# SPDX-License-Identifier: Apache-2.0
"""Runs the programs as a user does. HEDGE_BUILD is the build folder, HEDGE_SOURCE the checkout."""
import json
import os
import resource
import shutil
import signal
import struct
import subprocess
import time
import unittest

from onnx_writer import field, graph_input, node, onnx_model
from support import BUILD, DEMO, SHARED, SOURCE, ProgramTest, build_demo


class Programs(ProgramTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data, cls.engine = build_demo(cls.root)

    @staticmethod
    def call(name, *arguments, cwd=None):
        return subprocess.run([os.path.join(BUILD, name), *arguments], cwd=cwd, text=True,
                              capture_output=True, check=False)

    @classmethod
    def check_call(cls, *arguments):
        done = cls.call(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def file(self, name, content):
        path = os.path.join(self.root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as out:
            out.write(content)
        return path

    def infer(self, *arguments, model=None):
        return self.call("inference", f"--model={model or self.engine}", f"--data={self.data}",
                         *arguments)

    # ---- the main job

    def result(self, *arguments, model=None):
        path = os.path.join(self.root, "result.json")
        done = self.infer(f"--json={path}", *arguments, model=model)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(path) as text:
            return json.load(text)

    def test_demo_accuracy(self):
        """ONNX Runtime has 8,949 of 10,000 right (models/README.md)."""
        result = self.result()
        self.assertEqual(result["schema"], "hedge.result/1")
        self.assertLessEqual(abs(result["accuracy"]["correct"] - 8949), 2)
        self.assertEqual(result["accuracy"]["total"], 10000)
        self.assertEqual(result["latency_us"]["count"], 10000)

    def test_strong_demo_accuracy(self):
        """ONNX Runtime has 9,704 of 10,000 right."""
        strong = os.path.join(SOURCE, "models", "resnet20w_shapes.onnx")
        self.assertLessEqual(abs(self.result(model=strong)["accuracy"]["correct"] - 9704), 2)

    @unittest.skipUnless(os.path.isdir(os.path.join(SHARED, "models")), "no shared models")
    def test_published_models(self):
        data = os.path.join(SHARED, "data", "cifar-10-jpeg")
        for name, correct in (("resnet8_cifar", 7548), ("resnet56_cifar", 8345),
                              ("EE_resnet8", 7390), ("EE_resnet56", 8042)):
            path = os.path.join(self.root, "published.json")
            done = self.call("inference", f"--model={SHARED}/models/{name}.onnx", "--dataset=cifar",
                             f"--data={data}", f"--json={path}")
            self.assertEqual(done.returncode, 0, done.stderr)
            with open(path) as text:
                self.assertLessEqual(abs(json.load(text)["accuracy"]["correct"] - correct), 2, name)

    def test_batches_agree(self):
        results = self.result("--batch=1,3,8", "--iterations=1000")
        self.assertEqual([r["config"]["batch"] for r in results], [1, 3, 8])
        self.assertEqual(len({r["accuracy"]["correct"] for r in results}), 1)
        self.assertEqual([r["latency_us"]["count"] for r in results], [1000, 334, 125])

    def test_more_iterations_than_images(self):
        accuracy = self.result("--iterations=12000")["accuracy"]
        self.assertEqual(accuracy["total"], 10000)
        self.assertLessEqual(abs(accuracy["correct"] - 8949), 2)

    def test_predictions_and_scores(self):
        predictions = os.path.join(self.root, "p.txt")
        scores = os.path.join(self.root, "s.npy")
        self.result(f"--predictions={predictions}", f"--scores={scores}", "--iterations=200")
        with open(predictions) as text:
            classes = [int(line) for line in text]
        self.assertEqual(len(classes), 200)
        with open(scores, "rb") as npy:
            content = npy.read()
        values = struct.unpack("<2000f", content[-8000:])
        self.assertEqual((len(content) - 8000) % 64, 0)
        for i, predicted in enumerate(classes):
            row = values[10 * i:10 * i + 10]
            self.assertEqual(row.index(max(row)), predicted)

    def test_measurements(self):
        done = self.call("measurements", f"--model={self.engine}", f"--data={self.data}",
                         "--iterations=500", "--json=-")
        self.assertEqual(done.returncode, 0, done.stderr)
        result = json.loads(done.stdout)
        self.assertEqual(result["latency_us"]["scope"], "loop")
        self.assertIn(", amortised: ", done.stderr)

    def test_errors_hold_no_raw_bytes(self):
        path = os.path.join(self.root, "raw\x1b\udc93.json")
        with open(path, "wb") as out:
            out.write(b"{\x93\x1b[31m")
        for arguments in (["hedge", "join", path, path], ["hedge", "compare", path, path],
                          ["hedge", "sweep", f"--scores={path}", f"--labels={path}", f"--server-labels={path}",
                           f"--decision-file={path}"]):
            with self.subTest(arguments):
                done = self.call(*arguments)  # Which reads UTF-8.
                self.refused(done, "raw??.json", "last read: '{?'")
                self.assertTrue(done.stderr.rstrip("\n").isprintable(), done.stderr)

    def test_compare_refuses_files_of_two_kinds(self):
        for pair in (["times.json", DEMO], [DEMO, "times.csv"]):
            self.refused(self.call("hedge", "compare", *pair), next(p for p in pair if p != DEMO) + " is no model",
                         DEMO + " is none of these")

    def test_compare_profile_info(self):
        os.environ["HEDGE_DATA"] = self.data
        try:
            self.refused(self.call("hedge", "compare", self.engine, "--b=--backend=null"), "ONNX")
            done = self.call("hedge", "compare", self.engine, DEMO, "--b=--backend=null",
                             "--iterations=200", "--json=-")
            one = self.call("hedge", "compare", self.engine, "--b=--threads=1", "--iterations=200", "--rounds=1",
                            "--strict", "--json=-")
        finally:
            del os.environ["HEDGE_DATA"]
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)["verdict"], "B is faster")
        self.assertEqual(one.returncode, 3, one.stderr)
        self.assertIn("within the round, 200 pairs in 1 round: no verdict from so few rounds\n", one.stderr)
        compared = json.loads(one.stdout)
        self.assertIn("one round: where memory lies decides; give --rounds=20", compared["validity"]["reasons"])
        self.assertIn("after", compared["conditions"])
        out = self.check_call("hedge", "profile", f"--model={self.engine}", "--iterations=20")
        self.assertIn("sum ", out)
        self.assertIn("backend    null", self.check_call("hedge", "info"))
        out = self.check_call("hedge", "info", DEMO, self.engine)
        self.assertIn("multiply-accumulates", out)

    def test_lines_of_the_original(self):
        """Word for word, in a build folder with models/ and data/ beside it."""
        build = os.path.join(self.root, "original", "build")
        models = os.path.join(self.root, "original", "models")
        os.makedirs(build)
        os.makedirs(models)
        os.symlink(self.data, os.path.join(self.root, "original", "data"))
        for name in ("inference", "measurements", "LogisticRegression"):
            os.symlink(os.path.join(BUILD, name), os.path.join(build, name))
        done = subprocess.run("./LogisticRegression 10 latency", shell=True, cwd=build, text=True,
                              capture_output=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("ns a decision", done.stdout)
        self.assertIn("on 10 scores", done.stdout)
        # Endless, until Ctrl-C.
        done = subprocess.Popen(["./LogisticRegression", "1000", "energy"], cwd=build, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(2)
        done.send_signal(signal.SIGINT)
        self.assertIn("a decision", done.communicate()[0])
        self.assertEqual(done.returncode, 0)
        for line in ("./inference --model=../models/resnet56_imagenet_int8.engine",
                     "./measurements --model=../models/regnet_imagenet_int8.engine --iterations=50000"):
            shutil.copy(self.engine, os.path.join(build, line.split("=")[1].split()[0]))
            done = subprocess.run(line, shell=True, cwd=build, text=True, capture_output=True, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("latency", done.stdout)
            self.assertIn("the engine says fp32", done.stderr)  # The metadata wins over the name.

    def test_original_build_script(self):
        """The two lines of the original, word for word, in int8/."""
        tree = os.path.join(self.root, "script")
        os.makedirs(os.path.join(tree, "models"))
        os.makedirs(os.path.join(tree, "data"))
        folder = os.path.join(tree, "int8")
        shutil.copytree(os.path.join(SOURCE, "int8"), folder)
        shutil.copy(DEMO, os.path.join(tree, "models", "resnet8_cifar.onnx"))
        first, second = (
            "python3 build_engine.py --onnx ../models/resnet8_cifar.onnx --engine "
            "../models/resnet8_cifar_int8.engine --precision int8 --calib_cache ./calibration.cache "
            "--calib_batch_size 2500 --dataset cifar --calib_num_images 10000",
            "python3 build_engine.py --onnx ../models/resnet8_cifar.onnx --engine "
            "../models/resnet8_cifar_int8.engine --precision int8 --calib_batch_size 2500 "
            "--calib_num_images 10000")

        def run(line):
            return subprocess.run(line, shell=True, cwd=folder, text=True, capture_output=True, check=False)

        self.refused(run(first), "--calib_input", "test_batch.bin", "fetch-data")
        # Shapes have the format of CIFAR-10.
        shutil.copy(os.path.join(self.data, "shapes_test.bin"), os.path.join(tree, "data", "data_batch_1.bin"))
        for line, cache in ((first, "calibration.cache"), (second, "resnet8_cifar.cache")):
            done = run(line)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("resnet8 on cifar, int8", done.stdout)
            self.assertIn("entropy on 10000 images", done.stdout)
            self.assertTrue(os.path.exists(os.path.join(folder, cache)))
        self.assertIn("no image is read", run(second).stderr)
        self.assertEqual(run(first.replace("int8 --calib_cache", "fp32 --calib_cache")).returncode, 0)

    # ---- bad input

    def test_files_that_are_none(self):
        self.refused(self.infer(model="/no/such.engine"), "/no/such.engine")
        self.refused(self.infer(model=self.root), self.root)
        self.refused(self.call("inference", f"--model={self.engine}", "--data=/nowhere"),
                     "/nowhere", "make-data")

    def test_bad_datasets(self):
        record = bytes([3]) + bytes(3072)
        for name, content, word in (("empty", b"", "empty"), ("cut", record + record[:-1], "3073"),
                                    ("label", record + bytes([10]) + bytes(3072), "label 10")):
            path = self.file(f"{name}.bin", content)
            self.refused(self.call("inference", f"--model={self.engine}", f"--data={path}"), word, path)

    def test_bad_engines(self):
        with open(self.engine, "rb") as file:
            good = file.read()
        flipped = bytearray(good)
        flipped[len(good) // 2] ^= 4
        for name, content, word in (("a", b"no engine" * 100, "not a Hedge engine"), ("b", good[:-5], "truncated"),
                                    ("c", bytes(flipped), "checksum"), ("d", b"", "is empty")):
            self.refused(self.infer(model=self.file(f"{name}.engine", content)), word, f"{name}.engine")

    def test_bad_onnx(self):
        with open(DEMO, "rb") as file:
            good = file.read()
        huge = field(5, field(1, 1 << 40) + field(1, 1 << 40) + field(2, 1) + field(8, "w") + field(9, b"1234"))
        for name, content, words in (
                ("random_shapes", bytes((i * 7919) % 251 for i in range(5000)), []),
                ("cut_shapes", good[:100000], ["end of the file"]),
                ("huge_shapes", onnx_model(node("Add", ["x", "w"], "y", "n"), huge), ["w"]),
                ("foo_shapes", onnx_model(node("Foo", ["x"], "z", "f") + node("Bar", ["z"], "y", "b")),
                 ["Foo", "f", "Bar", "b"]),
                ("two_shapes", onnx_model(node("Add", ["x", "z"], "y", "a"),
                                          inputs=graph_input("x", (1, 3, 32, 32)) + graph_input("z", (1, 3, 32, 1))),
                 ["2 inputs", "'x' (float32 1x3x32x32)", "'z' (float32 1x3x32x1)"]),
                ("bytes_shapes", onnx_model(node("Identity", ["x"], "y", "i"),
                                            inputs=graph_input("x", (1, 3, 32, 32), 2)),
                 ["'x' (uint8 1x3x32x32)", "floats"]),
                ("dynamic_shapes", onnx_model(node("Relu", ["x"], "y", "r"), height="H"),
                 ["dynamic", "1x3xHx32", "--shape=1x3x224x32"]),
                ("loop_shapes", onnx_model(node("Loop", ["x"], "z", "l") + node("If", ["z"], "y", "i")),
                 ["control flow", "Loop (node l)", "If (node i)"]),
                ("custom_shapes", onnx_model(
                    field(1, field(1, "x") + field(2, "y") + field(3, "n") + field(4, "Foo") + field(7, "com.example"))),
                 ["custom domains", "com.example.Foo", "n"]),
                ("text_shapes", onnx_model(node("Add", ["x", "t"], "y", "n"),
                                           field(5, field(1, 1) + field(2, 8) + field(6, "hi") + field(8, "t"))),
                 ["'t'", "STRING"]),
                ("text_input_shapes", onnx_model(node("Relu", ["x"], "y", "n"),
                                                 inputs=graph_input("x", (1, 3, 32, 32), 8)), ["'x'", "STRING"]),
                ("sequence_shapes", onnx_model(node("Relu", ["x"], "y", "n"),
                                               inputs=field(11, field(1, "x") + field(2, field(4, b"")))),
                 ["'x'", "sequence"]),
                ("missing_shapes", onnx_model(node("Add", ["x", "w"], "y", "n")), ["n (Add)", "'w'"]),
                ("circle_shapes", onnx_model(node("Add", ["x", "b"], "a", "n1") + node("Relu", ["a"], "b", "n2") +
                                             node("Relu", ["x"], "y", "n3")), ["circle", "n1", "n2"]),
                ("twice_shapes", onnx_model(node("Relu", ["x"], "y", "n1") + node("Relu", ["x"], "y", "n2")),
                 ["'y'", "twice"])):
            self.refused(self.infer(model=self.file(f"{name}.onnx", content)), name, *words)

    def test_stated_shapes(self):
        open_size = self.file("open_shapes.onnx", onnx_model(
            node("GlobalAveragePool", ["x"], "p", "pool") + node("Flatten", ["p"], "f", "flatten") +
            field(1, b"".join(field(1, "f") for _ in range(4)) + field(2, "y") + field(4, "Concat") +
                  field(5, field(1, "axis") + field(3, 1) + field(20, 2))),
            inputs=graph_input("x", ("N", 3, "H", "W"))))
        self.refused(self.infer(model=open_size), "open_shapes.onnx", "'x'", "Nx3xHxW", "--shape=1x3x224x224")
        for shape in ("1x3x32x32", "x:1x3x32x32"):
            done = self.infer(f"--shape={shape}", "--iterations=10", "--preprocess=scale=1", model=open_size)
            self.assertEqual(done.returncode, 0, done.stderr)
        for shape, word in (("1x4x32x32", "contradicts"), ("3x32x32", "contradicts"), ("y:1x3x32x32", "'y'"),
                            ("1x3xHx32", "--shape=1x3xHx32"), ("1x3x0x32", "--shape"), ("", "--shape"),
                            ("1x3x32x32,x:1x3x32x32", "needs its name")):
            self.refused(self.call("build_engine", f"--onnx={open_size}", f"--shape={shape}"), word)
        engine = os.path.join(self.root, "open.engine")
        done = self.call("build_engine", f"--onnx={open_size}", f"--engine={engine}", "--preprocess=scale=1",
                         "--shapes=x:4x3x32x32", "--engine_batch_size=2",
                         "--timing_cache=" + os.path.join(self.root, "timing.cache"))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("batches of 2", done.stderr)
        self.refused(self.call("hedge", "info", engine, "--shape=1x3x32x32"), "open.engine", "--shape")
        done = self.call("build_engine", f"--onnx={open_size}", f"--engine={engine}", "--preprocess=scale=1",
                         "--shape=1x3x32x32", "--engine_batch_size=2",
                         "--timing_cache=" + os.path.join(self.root, "timing.cache"))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("warning", done.stderr)
        self.assertIn("2x3x32x32", self.check_call("hedge", "info", engine))
        self.assertIn("1x3x32x32", self.check_call("hedge", "info", open_size, "--shape=1x3x32x32"))
        self.refused(self.infer("--shape=1x3x32x32"), "resnet8_shapes_fp32.engine", "--shape")

    def test_nets_that_are_no_classifiers(self):
        def net(name, *ops):
            names = ["x", *(f"v{i}" for i in range(len(ops) - 1)), "y"]
            return self.file(f"{name}_shapes.onnx", onnx_model(
                b"".join(node(op, [names[i]], names[i + 1], f"n{i}") for i, op in enumerate(ops))))
        self.refused(self.infer(model=net("map", "Relu")), "'y' (float32 1x3x32x32)", "1xCLASSES")
        done = self.infer("--iterations=10", model=net("pooled", "GlobalAveragePool"))  # 1x3x1x1
        self.refused(done, "gives 3 scores")
        done = self.call("inference", "--model=" + net("flat", "GlobalAveragePool", "Flatten"), "--iterations=10",
                         f"--data={self.data}")
        self.refused(done, "gives 3 scores")

    def test_model_without_recipe(self):
        path = os.path.join(self.root, "somenet_cifar.onnx")
        shutil.copy(DEMO, path)
        self.refused(self.infer(model=path), "--preprocess")
        path = os.path.join(self.root, "somenet.onnx")
        shutil.copy(DEMO, path)
        self.refused(self.infer(model=path), "--dataset")
        done = self.infer("--dataset=shapes", "--iterations=10", model=path)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_bad_flags(self):
        for text in ("-5", "many", "1" + 30 * "0", "1e3", ""):
            self.refused(self.infer(f"--iterations={text}"), "--iterations")
        self.refused(self.infer("--itertions=5"), "--itertions", "--iterations")
        self.refused(self.infer("--threads=0"), "--threads")
        self.refused(self.infer("--batch=0"), "--batch")
        self.refused(self.call("hedge", "infrence"), "inference")
        self.refused(self.call("build_engine", f"--onnx={DEMO}", "--backend=tpu"), "tpu")

    def test_places_that_cannot_be_written(self):
        cache = "--timing_cache=" + os.path.join(self.root, "timing.cache")
        self.refused(self.call("build_engine", f"--onnx={DEMO}", "--engine=/proc/x.engine", cache), "/proc")
        self.refused(self.call("build_engine", f"--onnx={DEMO}", "--engine=/no/x.engine", cache), "/no")
        self.refused(self.infer("--iterations=10", "--json=/dev/full"), "/dev/full", status=1)

    def test_engine_of_another_cpu(self):
        """oneDNN is told to see an older CPU: an engine of this one runs there, or is refused."""
        older = {**os.environ, "ONEDNN_MAX_CPU_ISA": "SSE41", "DNNL_MAX_CPU_ISA": "SSE41"}

        def run(program, *arguments):
            return subprocess.run([os.path.join(BUILD, program), *arguments], env=older, text=True,
                                  capture_output=True, check=False)

        self.assertIn("sse41", run("hedge", "info").stdout)
        arguments = [f"--data={self.data}", "--iterations=1000"]
        here = self.infer("--iterations=1000")
        there = run("inference", f"--model={self.engine}", *arguments)
        self.assertEqual(there.returncode, 0, there.stderr)
        accuracy = [line for line in here.stdout.splitlines() if line.startswith("accuracy")]
        self.assertEqual(accuracy, [line for line in there.stdout.splitlines() if line.startswith("accuracy")])
        bf16 = os.path.join(self.root, "resnet8_shapes_bf16.engine")
        built = self.call("build_engine", f"--onnx={DEMO}", f"--engine={bf16}", "--precision=bf16",
                          "--timing_cache=" + os.path.join(self.root, "timing.cache"))
        if built.returncode == 0:  # This CPU has bf16.
            self.refused(run("inference", f"--model={bf16}", *arguments), "bf16", "--precision=fp32")
        else:
            self.refused(built, "bf16", "--precision=fp32")

    def test_full_disk(self):
        """A limit on the size of files stands for the disk: nothing half-written stays."""
        def small_files():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

        folder = os.path.join(self.root, "full")
        os.makedirs(folder)
        for arguments in (["build_engine", f"--onnx={DEMO}", f"--engine={folder}/x.engine", "--precision=fp32",
                           f"--timing_cache={folder}/timing.cache"],
                          ["hedge", "make-data", "shapes", folder]):
            done = subprocess.run([os.path.join(BUILD, arguments[0]), *arguments[1:]], text=True,
                                  preexec_fn=small_files, capture_output=True, check=False)
            self.refused(done, folder, status=1)
            self.assertEqual([name for name in os.listdir(folder) if name != "timing.cache"], [])

    def test_outputs_that_would_destroy_something(self):
        pipe = os.path.join(self.root, "pipe")
        os.mkfifo(pipe)
        cache = "--timing_cache=" + os.path.join(self.root, "timing.cache")
        self.refused(self.call("build_engine", f"--onnx={DEMO}", f"--engine={pipe}", cache), pipe)
        self.refused(self.infer(model=pipe), pipe)
        onnx = os.path.join(self.root, "own_shapes.onnx")
        shutil.copy(DEMO, onnx)
        self.refused(self.call("build_engine", f"--onnx={onnx}", f"--engine={onnx}", cache), "--onnx", "--engine")
        self.refused(self.infer(f"--predictions={self.engine}"), "--model", "--predictions")
        self.refused(self.infer("--json=same.out", "--predictions=same.out"), "--json", "--predictions")
        target = self.file("target.json", b"old")
        link = os.path.join(self.root, "link.json")
        os.symlink(target, link)
        self.assertEqual(self.infer("--iterations=10", f"--json={link}").returncode, 0)
        self.assertTrue(os.path.islink(link))
        with open(target) as text:
            self.assertEqual(json.load(text)["schema"], "hedge.result/1")

    def test_outputs_are_checked_before_measuring(self):
        begin = time.monotonic()
        self.refused(self.infer("--iterations=1000000", "--predictions=/no/p.txt"), "/no/p.txt")
        self.refused(self.infer("--iterations=1000000", "--json=/no/p.json"), "/no/p.json")
        self.assertLess(time.monotonic() - begin, 60)  # Far below the time of the inferences.

    def test_empty_values(self):
        for flag in ("--json", "--predictions", "--data", "--model"):
            self.refused(self.call("inference", f"--model={self.engine}", f"{flag}=", "--iterations=10"),
                         flag, "empty")
            self.refused(self.call("inference", f"--model={self.engine}", flag, "", "--iterations=10"),
                         flag, "empty")

    def test_batch_as_built(self):
        engine = os.path.join(self.root, "four_shapes_fp32.engine")
        self.check_call("build_engine", f"--onnx={DEMO}", f"--engine={engine}", "--engine_batch_size=4",
                        "--timing_cache=" + os.path.join(self.root, "timing.cache"))
        result = self.result("--iterations=1000", model=engine)
        self.assertEqual((result["config"]["batch"], result["latency_us"]["count"]), (4, 250))
        self.refused(self.infer("--maxBatchSize=2", model=engine), "--maxBatchSize")
        self.refused(self.call("hedge", "compare", engine, self.engine, f"--a=--data={self.data}",
                               f"--b=--data={self.data}"), "batch")

    def test_ctrl_c_before_anything_is_measured(self):
        for arguments in ((["inference", "--warmup=100000000"]), (["measurements", "--warmup=100000000"]),
                          (["build_engine"])):
            if arguments[0] == "build_engine":
                strong = os.path.join(SOURCE, "models", "resnet20w_shapes.onnx")
                arguments += [f"--onnx={strong}", "--engine=" + os.path.join(self.root, "cancelled.engine"),
                              "--builderOptimizationLevel=5",
                              "--timing_cache=" + os.path.join(self.root, "cut.cache")]
            else:
                arguments += [f"--model={self.engine}", f"--data={self.data}"]
            process = subprocess.Popen([os.path.join(BUILD, arguments[0]), *arguments[1:]], text=True,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            time.sleep(1.5)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
            self.assertEqual(process.returncode, 130, err)
        self.assertFalse(os.path.exists(os.path.join(self.root, "cancelled.engine")))

    def test_ctrl_c_prints_what_was_measured(self):
        process = subprocess.Popen(
            [os.path.join(BUILD, "inference"), f"--model={self.engine}", f"--data={self.data}",
             "--iterations=1000000"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(3)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, err)
        self.assertIn("accuracy", out)
        self.assertIn("p50", out)

    def test_help_of_every_program(self):
        listed = self.check_call("hedge", "--help").split("Programs:")[1].split()
        self.assertGreaterEqual(len(listed), 7)
        for name in listed:
            self.assertIn("--version", self.check_call("hedge", name, "--help"))


if __name__ == "__main__":
    unittest.main()
