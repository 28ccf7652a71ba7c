# SPDX-License-Identifier: Apache-2.0
"""The programs on images of the user's own and on ImageNet's files. HEDGE_BUILD is the build folder, HEDGE_SOURCE the
checkout."""
import json
import os
import shutil
import struct
import subprocess
import unittest

from onnx_writer import field, node
from support import BUILD, DEMO, SOURCE, ProgramTest

IMAGES = os.path.join(SOURCE, "tests", "data", "images")
PIXELS = 32 * 32
COUNT = 200


def ppm(planes):
    """The planes of a record of CIFAR-10 as a picture."""
    return b"P6 32 32 255\n" + bytes(planes[c * PIXELS + i] for i in range(PIXELS) for c in range(3))


def npy(kind, shape, data):
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (127 - (len(header) + 10) % 64 % 128) + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + data


def mean_red_net(edge):
    """1,000 classes, of which the red of the picture, 0 to 1 after the recipe's inverse, chooses one."""
    def tensor(name, dims, values):
        return field(5, b"".join(field(1, d) for d in dims) + field(2, 1) + field(8, name) +
                     field(9, struct.pack(f"<{len(values)}f", *values)))
    # The largest of 2*k*m - k*k is that of the k nearest to m = 999 * (0.485 + 0.229 * x).
    weights = [2 * k * 999 * 0.229 * (c == 0) for c in range(3) for k in range(1000)]
    bias = [2 * k * 999 * 0.485 - k * k for k in range(1000)]
    nodes = (node("GlobalAveragePool", ["x"], "g", "pool") + node("Flatten", ["g"], "f", "flatten") +
             node("Gemm", ["f", "w", "b"], "y", "gemm"))
    dims = (1, 3, edge, edge)
    shape = b"".join(field(1, field(1, d)) for d in dims)
    graph = nodes + field(2, "net") + tensor("w", (3, 1000), weights) + tensor("b", (1000,), bias)
    graph += field(11, field(1, "x") + field(2, field(1, field(1, 1) + field(2, shape)))) + field(12, field(1, "y"))
    return field(1, 8) + field(7, graph) + field(8, field(2, 13))


class Images(ProgramTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data = os.path.join(cls.root, "data")
        for arguments in (["hedge", "make-data", "shapes", cls.data],
                          ["build_engine", f"--onnx={DEMO}", "--engine=" + cls.path("demo_shapes.engine"),
                           "--timing_cache=" + cls.path("timing.cache")]):
            done = cls.call(*arguments)
            assert done.returncode == 0, done.stderr
        cls.engine = cls.path("demo_shapes.engine")
        with open(os.path.join(cls.data, "shapes_test.bin"), "rb") as file:
            cls.records = [file.read(3073) for _ in range(COUNT)]
        for i, record in enumerate(cls.records):
            cls.put(f"own/{record[0]}/{i:03}.ppm", ppm(record[1:]))
        for edge in (224, 64):
            cls.put(f"red{edge}_imagenet.onnx", mean_red_net(edge))

    @classmethod
    def path(cls, name):
        return os.path.join(cls.root, name)

    @classmethod
    def put(cls, name, content):
        path = cls.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as out:
            out.write(content)
        return path

    @staticmethod
    def call(name, *arguments):
        return subprocess.run([os.path.join(BUILD, name), *arguments], text=True, capture_output=True, check=False)

    def result(self, *arguments):
        path = self.path("result.json")
        if not any(argument.startswith("--iterations") for argument in arguments):
            arguments = ("--iterations=all", *arguments)
        done = self.call("inference", "--warmup=1", f"--json={path}",
                         "--predictions=" + self.path("predictions.txt"), *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(self.path("predictions.txt"), encoding="ascii") as text:
            predictions = [int(line) for line in text]
        with open(path, encoding="utf-8") as text:
            return json.load(text), predictions, done

    # ---- the user's own

    def expected(self):
        """Class by class, as the folder sorts them."""
        _, predictions, _ = self.result(f"--model={self.engine}", f"--data={self.data}", f"--iterations={COUNT}")
        order = sorted(range(COUNT), key=lambda i: (self.records[i][0], i))
        return [predictions[i] for i in order], order

    def test_folder_gives_the_answers_of_the_dataset(self):
        expected, order = self.expected()
        for flags in ([], ["--decode-threads=3"], ["--decode-overlap"], ["--batch=8"], ["--batch=1,3"]):
            result, predictions, done = self.result(f"--model={self.engine}", "--dataset=folder:" + self.path("own"),
                                                    *flags)
            result = result[0] if isinstance(result, list) else result
            self.assertEqual(predictions, expected, flags)
            correct = sum(p == self.records[i][0] for p, i in zip(expected, order))
            self.assertEqual(result["accuracy"]["correct"], correct)
            self.assertIn("decoding   ", done.stdout)
            self.assertNotIn("warning", done.stderr)
        # More iterations than images begin again.
        done = self.call("inference", f"--model={self.engine}", "--dataset=folder:" + self.path("own"),
                         f"--iterations={2 * COUNT + 7}")
        self.assertIn(f"of {COUNT} images", done.stdout)
        self.assertIn(f"{2 * COUNT + 7} inferences", done.stdout)
        self.assertIn(f"the {COUNT} images 2.035 times over", done.stdout)

    def test_labels_from_a_file(self):
        expected, order = self.expected()
        lines = [f"{self.records[i][0]}/{i:03}.ppm {expected[at]}" for at, i in enumerate(order)]
        flags = [f"--model={self.engine}", "--dataset=folder:" + self.path("own")]
        labels = self.put("named.txt", "\n".join(lines).encode())
        self.assertEqual(self.result(*flags, f"--labels={labels}")[0]["accuracy"]["correct"], COUNT)
        labels = self.put("plain.txt", "".join(f"{p}\n" for p in expected).encode())
        self.assertEqual(self.result(*flags, f"--labels={labels}")[0]["accuracy"]["correct"], COUNT)
        self.put("plain.txt", "".join(f"{p}\n" for p in expected[1:]).encode())
        self.refused(self.call("inference", *flags, f"--labels={labels}"), "plain.txt", "199 lines", "200")
        self.put("plain.txt", "".join(f"{p + 1000}\n" for p in expected).encode())
        self.refused(self.call("inference", *flags, f"--labels={labels}"), "gives 10 scores", "classes")
        self.refused(self.call("inference", f"--model={self.engine}", f"--labels={labels}", f"--data={self.data}"),
                     "--labels", "shapes")

    def test_arrays(self):
        planes = b"".join(record[1:] for record in self.records)
        x = self.put("x.npy", npy("|u1", f"({COUNT}, 3, 32, 32)", planes))
        labels = [record[0] for record in self.records]
        y = self.put("y.npy", npy("<i8", f"({COUNT},)", struct.pack(f"<{COUNT}q", *labels)))
        theirs = self.result(f"--model={self.engine}", f"--data={self.data}", f"--iterations={COUNT}")
        ours = self.result(f"--model={self.engine}", f"--dataset=npy:{x},{y}")
        self.assertEqual(ours[1], theirs[1])
        self.assertEqual(ours[0]["accuracy"]["correct"], theirs[0]["accuracy"]["correct"])
        self.put("y.npy", npy("<f4", f"({COUNT},)", bytes(4 * COUNT)))
        self.refused(self.call("inference", f"--model={self.engine}", f"--dataset=npy:{x},{y}"), "y.npy", "<f4")
        self.refused(self.call("inference", f"--model={self.engine}", f"--dataset=npy:{x}"), "npy:X.npy,Y.npy")

    def test_recipes(self):
        """A model of the zoo keeps its recipe on the user's images; another one is asked for one."""
        own = "--dataset=folder:" + self.path("own")
        plain = self.path("demo.onnx")
        shutil.copy(DEMO, plain)
        self.refused(self.call("build_engine", f"--onnx={plain}"), "--dataset=folder:DIR", "npy:X.npy,Y.npy")
        self.refused(self.call("inference", f"--model={plain}", own), "--preprocess", "resize=")
        done = self.call("inference", f"--model={DEMO}", own, "--backend=null", "--iterations=3")
        self.assertEqual(done.returncode, 0, done.stderr)
        engine = self.path("own.engine")
        done = self.call("build_engine", f"--onnx={plain}", f"--engine={engine}", own, "--backend=null",
                         "--preprocess=scale=1/255,resize=40,crop=32,interpolation=bicubic")
        self.assertEqual(done.returncode, 0, done.stderr)
        for text in (done.stdout, self.call("hedge", "info", engine).stdout):
            self.assertIn("size=32x32,resize=40,crop=32x32,interpolation=bicubic", text)
        self.refused(self.call("build_engine", f"--onnx={plain}", own, "--preprocess=crop=33"), "crop=33x33", "32x32")
        # The dataset that the engine was built for is its own, wherever it is run.
        done = self.call("build_engine", f"--onnx={plain}", f"--engine={engine}", "--backend=null",
                         "--dataset=folder:" + os.path.relpath(self.path("own")), "--preprocess=scale=1/255,crop=32")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("folder:" + self.path("own"), self.call("hedge", "info", engine).stdout)
        self.assertEqual(self.call("inference", f"--model={engine}", "--iterations=3").returncode, 0)

    def test_bad_images(self):
        def run(folder, *flags):
            return self.call("inference", f"--model={self.engine}", "--dataset=folder:" + self.path(folder), *flags)
        with open(os.path.join(IMAGES, "420.jpg"), "rb") as file:
            jpeg = file.read()
        resize = "--preprocess=scale=1,resize=32x32"
        self.put("small/a/x.jpg", jpeg)
        self.refused(run("small"), "x.jpg: 25x33", "32x32", "resize=36,crop=32")
        self.refused(run("small", resize), "gives 10 scores", "1 sub-folders", "--labels=FILE")
        one = "--labels=" + self.put("one.txt", b"a/x.jpg, 9\n")
        self.assertEqual(run("small", resize, one).returncode, 0)
        self.put("one.txt", b"a/x.jpg, 10\n")
        self.refused(run("small", resize, one), "gives 10 scores", "11 classes")
        self.put("cut/a/0.jpg", jpeg)
        cut = self.put("cut/a/1.jpg", jpeg[:600])
        two = "--labels=" + self.put("two.txt", b"0\n1\n")
        self.refused(run("cut", resize, two), cut, "truncated", "600")
        done = run("cut", resize, two, "--iterations=1")  # Only what is asked for is decoded.
        self.assertEqual(done.returncode, 0, done.stderr)
        self.put("kinds/a/none", b"")
        for name in ("grey.jpg", "cmyk.jpg", "exif6.jpg", "1x1.jpg", "rgb16.png", "565.bmp", "grey.pgm"):
            shutil.copy(os.path.join(IMAGES, name), self.path("kinds/a"))
        self.put("kinds/a/wide.ppm", b"P6 20000 2 255\n" + bytes(3 * 40000))
        done = run("kinds", resize, "--labels=" + self.put("kinds.txt", b"3\n" * 8))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("of 8 images", done.stdout)
        os.makedirs(self.path("empty/a"))
        self.refused(run("empty"), "empty/a", "holds no image")
        self.refused(run("nowhere"), "nowhere: no such folder")
        for i in range(11):
            self.put(f"many/{i}/x.ppm", ppm(bytes(3072)))
        self.refused(run("many"), "gives 10 scores", "11 sub-folders")

    def test_bad_input_gives_one_line(self):
        """Notes and warnings are for runs that begin."""
        own = "--dataset=folder:" + self.path("own")
        with open(DEMO, "rb") as file:
            cut = self.put("cut_shapes.onnx", file.read()[:1000])
        os.makedirs(self.path("dir.onnx"))
        for number in range(11):
            self.put(f"numbers/{number}/x.ppm", ppm(bytes(3072)))
        for arguments in (["build_engine", f"--onnx={cut}"], ["inference", "--model=" + self.path("dir.onnx")],
                          ["hedge", "preview", f"--model={DEMO}", f"--data={self.data}", "--images=0"],
                          ["inference", f"--model={DEMO}", "--dataset=folder:" + self.path("numbers")],
                          ["inference", f"--model={DEMO}", own, "--preprocess=mean=0.485,0.456,0.406"],
                          ["inference", f"--model={DEMO}", own, "--shape=1,3,32,32"],
                          ["hedge", "fetch-data", "cifar11"]):
            done = self.call(*arguments)
            self.refused(done)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
            self.assertEqual(done.stdout, "")
        self.assertIn("write 1x3x32x32", self.call("inference", f"--model={DEMO}", "--shape=1,3,32,32").stderr)
        done = self.call("inference", f"--model={DEMO}", own, "--iterations=10")
        self.assertIn("no precision given", done.stderr)
        self.assertNotIn("repeated", done.stdout)

    def test_stated_keys_that_give_way(self):
        for key, warned in (("size=100x100", True), ("layout=nhwc", True), ("size=32x32,layout=nchw", False),
                            ("scale=1", False)):
            done = self.call("inference", f"--model={self.engine}", f"--data={self.data}", "--iterations=10",
                             f"--preprocess=mean=0,{key}")
            self.assertEqual(done.returncode, 0, done.stderr)
            lines = [line for line in done.stderr.splitlines() if line.startswith("warning: --preprocess states ")]
            self.assertEqual([key in line for line in lines], [True] if warned else [])

    # ---- ImageNet

    def test_imagenet(self):
        data = self.path("imagenet")
        reds = [0, 40, 128, 255]
        for i, red in enumerate(reds):
            self.put(f"imagenet/bin/ILSVRC2012_val_{i + 1:08}.bin", bytes([red, 7, 200]) * 224 * 224)
        model = "--model=" + self.path("red224_imagenet.onnx")
        classes = [round(red * 999 / 255) for red in reds]
        for shift, top1, top5 in ((0, 1, 1), (2, 0, 1), (3, 0, 0)):
            labels = [c + shift if c + shift < 1000 else c - shift for c in classes]
            # At the ends of the range the five nearest lie on one side.
            self.put("imagenet/imagenet_labels.txt", "".join(f"{c}\n" for c in labels).encode())
            result, predictions, _ = self.result(model, f"--data={data}")
            self.assertEqual(predictions, classes)
            self.assertEqual(result["accuracy"]["top1"], top1)
            self.assertEqual(result["accuracy"]["top5"], 0.5 if shift == 3 else top5)
        self.put("imagenet/imagenet_labels.txt", b"1\n2\n")
        self.refused(self.call("inference", model, f"--data={data}"), "2 lines", "00000003")
        os.remove(self.path("imagenet/imagenet_labels.txt"))
        self.refused(self.call("inference", model, f"--data={data}"), "imagenet_labels.txt")
        self.refused(self.call("inference", f"--model={self.engine}", "--dataset=imagenet", f"--data={self.root}"),
                     "imagenet not found", "ILSVRC2012_val_00000001.bin")

    def test_imagenet_of_jpegs(self):
        with open(os.path.join(IMAGES, "420.jpg"), "rb") as file:
            jpeg = file.read()
        for i in range(3):
            self.put(f"jpegs/val/ILSVRC2012_val_{i + 1:08}.JPEG", jpeg)
        self.put("jpegs/imagenet_labels.txt", b"1\n2\n3\n")
        for edge, steps in ((224, "resize=256,crop=224x224"), (64, "resize=73,crop=64x64")):
            model = self.path(f"red{edge}_imagenet.onnx")
            result = self.result(f"--model={model}", "--data=" + self.path("jpegs"))[0]
            self.assertEqual(result["accuracy"]["total"], 3)
            self.assertIn(steps, result["config"]["preprocess"])
        self.refused(self.call("inference", f"--model={self.engine}", "--dataset=imagenet",
                               "--preprocess=resize=32x32", "--data=" + self.path("jpegs")),
                     "gives 10 scores", "imagenet has 1000 classes")

    # ---- preview

    def test_preview(self):
        for i in range(3):
            self.put(f"flat/{'ab'[i % 2]}/{i}.ppm", b"P6 8 8 255\n" + bytes([200, 100, 0]) * 64)
        out = self.path("sheet.png")
        path = self.path("preview.json")
        flags = ["hedge", "preview", f"--model={self.engine}", "--dataset=folder:" + self.path("flat"),
                 "--preprocess=scale=1/100,mean=1:1:0,resize=32x32,order=bgr"]
        done = self.call(*flags, f"--out={out}", f"--json={path}")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("class 1 b, " + self.path("flat/b/1.ppm"), done.stdout)
        with open(path, encoding="utf-8") as text:
            channels = json.load(text)["channels"]
        self.assertEqual([c["color"] for c in channels], ["blue", "green", "red"])
        self.assertEqual([round(c["mean"], 5) for c in channels], [0, 0, 1])
        self.assertEqual([c["std"] for c in channels], [0, 0, 0])
        with open(out, "rb") as file:
            start = file.read(24)
        self.assertEqual(start[:8], b"\x89PNG\r\n\x1a\n")
        self.assertEqual(struct.unpack(">II", start[16:]), (3 * 102 + 6, 2 * 96 + 18))
        self.refused(self.call(*flags, "--out=sheet.jpg"), "--out=sheet.jpg", "PNG")
        self.assertNotIn("warning", done.stderr)
        done = self.call(*flags[:-1], "--preprocess=mean=0.485:0.456:0.406,std=0.229,resize=32x32", f"--out={out}")
        self.assertIn("is scale=1/255 missing?", done.stderr)
        self.refused(self.call(*flags, "--images=0"), "--images")
        self.refused(self.call(*flags, "--first=3"), "--first")
        self.refused(self.call(*flags, "--out=/nowhere/x.png"), "/nowhere/x.png")


if __name__ == "__main__":
    unittest.main()
