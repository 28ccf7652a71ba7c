# SPDX-License-Identifier: Apache-2.0
"""Runs simulation as a user does. HEDGE_BUILD is the build folder, HEDGE_SOURCE the checkout."""
import csv
import json
import math
import os
import shutil
import signal
import subprocess
import time
import unittest

from support import BUILD, DEMO as LOCAL, SHARED, STRONG, ProgramTest, build_demo, call
TOP1 = ("--decision=top1", "--threshold=0.8")


class Simulation(ProgramTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data, cls.engine = build_demo(cls.root)
        cls.labels = os.path.join(cls.root, "server.txt")
        cls.scores = os.path.join(cls.root, "local.csv")
        for model, file in ((STRONG, f"--predictions={cls.labels}"), (cls.engine, f"--scores={cls.scores}")):
            done = call("inference", f"--model={model}", f"--data={cls.data}", file)
            assert done.returncode == 0, done.stderr
        with open(os.path.join(cls.data, "shapes_test.bin"), "rb") as file:
            cls.truth = list(file.read()[::3073])

    def command(self, *arguments, model=None, server=True):
        given = [f"--server-labels={self.labels}"] if server else []
        return [os.path.join(BUILD, "simulation"), f"--model={model or self.engine}", f"--data={self.data}", *given,
                *arguments]

    def call(self, *arguments, **options):
        return subprocess.run(self.command(*arguments, **options), text=True, capture_output=True, check=False)

    def simulate(self, *arguments, **options):
        done = self.call("--json=-", *arguments, **options)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout), done.stderr

    def refused(self, arguments, *words, **options):
        done = self.call(*arguments, **options)
        super().refused(done, *words)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)

    def file(self, name, content):
        path = os.path.join(self.root, name)
        with open(path, "wb") as out:
            out.write(content if isinstance(content, bytes) else content.encode())
        return path

    def decision(self, name="decision.json", **fields):
        return self.file(name, json.dumps({"schema": "hedge.decision/1", **fields}))

    def rows(self):
        with open(self.scores) as file:
            return [[float(cell) for cell in line.split(",")] for line in file]

    def server_answers(self):
        with open(self.labels) as file:
            return [int(line) for line in file]

    # ---- the main job

    def test_counts_are_those_of_a_script(self):
        """Every count again, from recorded scores, labels and answers."""
        result, text = self.simulate(*TOP1)
        hi = result["hi"]
        counts = dict.fromkeys(("kept_right", "kept_wrong", "offloaded_right", "offloaded_wrong",
                                "offloaded_server_right", "offloaded_server_wrong", "gained", "lost"), 0)
        server_right = only_hi = only_server = 0
        for label, row, server in zip(self.truth, self.rows(), self.server_answers()):
            local = row.index(max(row)) == label
            kept = max(row) >= 0.8
            server = server == label
            counts[("kept_" if kept else "offloaded_") + ("right" if local else "wrong")] += 1
            if not kept:
                counts["offloaded_server_" + ("right" if server else "wrong")] += 1
                counts["gained"] += server and not local
                counts["lost"] += local and not server
            else:
                only_hi += local and not server
                only_server += server and not local
            server_right += server
        self.assertEqual(hi["confusion"], counts)
        self.assertEqual(hi["offloads"], counts["offloaded_right"] + counts["offloaded_wrong"])
        self.assertTrue(1000 < hi["offloads"] < 4000)
        self.assertEqual(hi["correct"], counts["kept_right"] + counts["offloaded_server_right"])
        self.assertAlmostEqual(hi["accuracy"], hi["correct"] / 10000)
        self.assertAlmostEqual(hi["accuracy_local"], result["accuracy"]["top1"])
        self.assertAlmostEqual(hi["accuracy_server"], server_right / 10000)
        self.assertEqual((hi["against_server"]["only_hi_right"], hi["against_server"]["only_other_right"]),
                         (only_hi, only_server))
        self.assertLess(hi["against_local"]["p_value"], 1e-6)
        self.assertLess(hi["accuracy_ci95"][0], hi["accuracy"])
        self.assertEqual(hi["decision_us"]["count"], 10000)
        self.assertEqual(hi["decision_us"]["scope"], "decide")
        self.assertEqual(result["latency_us"]["count"], 10000)
        self.assertAlmostEqual(result["split_us"]["decide"], hi["decision_us"]["p50"])
        last = text.splitlines()[-1]
        self.assertEqual(last, "{:.1f} % offloaded, {:.1f} % right; all-local {:.1f} %, all-server {:.1f} %".format(
            *(100 * hi[key] for key in ("offload_fraction", "accuracy", "accuracy_local", "accuracy_server"))))

    def test_server_that_runs_here(self):
        recorded, _ = self.simulate(*TOP1, "--iterations=2000")
        live, text = self.simulate(*TOP1, "--iterations=2000", f"--server-model={STRONG}", server=False)
        for key in ("offloads", "correct", "confusion", "accuracy_server"):
            self.assertEqual(live["hi"][key], recorded["hi"][key])
        self.assertIn("run here", text)
        self.assertEqual(live["hi"]["images"], 2000)

    def test_server_of_other_images(self):
        other = os.path.join(self.root, "resnet20w_cifar.onnx")
        shutil.copy(STRONG, other)
        arguments = (*TOP1, "--iterations=20", f"--server-model={other}")
        self.refused(arguments, other, "is for dataset cifar", "the images are those of shapes", server=False)
        self.simulate(*arguments, "--server-preprocess=scale=0.00392156862745098", server=False)

    def test_bounds(self):
        shares = {}
        for rule in ("always", "never", "random:0.25", "oracle"):
            result, _ = self.simulate(f"--decision={rule}", "--iterations=3000")
            shares[rule] = result["hi"]
        self.assertEqual(shares["always"]["offloads"], 3000)
        self.assertEqual(shares["always"]["accuracy"], shares["always"]["accuracy_server"])
        self.assertEqual(shares["never"]["offloads"], 0)
        self.assertEqual(shares["never"]["accuracy"], shares["never"]["accuracy_local"])
        self.assertNotIn("threshold", shares["never"])
        self.assertAlmostEqual(shares["random:0.25"]["offload_fraction"], 0.25, delta=0.04)
        oracle = shares["oracle"]
        self.assertEqual(oracle["confusion"]["offloaded_right"], 0)
        self.assertEqual(oracle["confusion"]["lost"], 0)
        self.assertNotIn("decision_us", oracle)  # It sees the label: nothing of it is a decision.
        truth = list(zip(self.truth, self.rows(), self.server_answers()))[:3000]
        either = sum(label in (row.index(max(row)), server) for label, row, server in truth)
        self.assertEqual(oracle["correct"], either)

    def test_per_sample(self):
        path = os.path.join(self.root, "images.csv")
        weights = {"rule": "logistic", "intercept": -4.0, "features": ["top1", "margin", "entropy"],
                   "weights": [3.5, 1.5, -0.25], "threshold": 0.6}
        decision = self.decision(**weights, classes=10, model="resnet8")
        result, _ = self.simulate(f"--decision-file={decision}", "--iterations=500", f"--per-sample={path}")
        with open(path) as file:
            lines = list(csv.DictReader(file))
        self.assertEqual(len(lines), 500)
        answers = self.server_answers()
        for i, (line, row) in enumerate(zip(lines, self.rows())):
            self.assertEqual((int(line["image"]), int(line["label"]), int(line["server"])),
                             (i, self.truth[i], answers[i]))
            first, second = sorted(row, reverse=True)[:2]
            self.assertEqual(int(line["local"]), row.index(first))
            self.assertAlmostEqual(float(line["top1"]), first, delta=1e-7)
            self.assertAlmostEqual(float(line["top2"]), second, delta=1e-7)
            entropy = -sum(p * math.log(p) for p in row if p > 0)
            p = 1 / (1 + math.exp(4 - 3.5 * first - 1.5 * (first - second) + 0.25 * entropy))
            self.assertAlmostEqual(float(line["confidence"]), p, delta=1e-6)
            self.assertEqual(line["decision"], "kept" if p >= 0.6 else "offloaded")
            answer = line["local"] if line["decision"] == "kept" else line["server"]
            self.assertEqual(line["right"], "1" if answer == line["label"] else "0")
        self.assertEqual(sum(line["decision"] == "offloaded" for line in lines), result["hi"]["offloads"])
        self.assertEqual(sum(line["right"] == "1" for line in lines), result["hi"]["correct"])

    def test_logits_get_their_softmax_once(self):
        """resnet20w ends in logits: its energy rule works, and top1 is a probability."""
        path = os.path.join(self.root, "logits.csv")
        self.simulate("--decision=energy", "--threshold=-8", "--iterations=200", f"--per-sample={path}", model=STRONG)
        with open(path) as file:
            lines = list(csv.DictReader(file))
        self.assertEqual({line["decision"] for line in lines}, {"kept", "offloaded"})
        self.assertTrue(all(0.1 <= float(line["top1"]) <= 1 for line in lines))
        self.assertTrue(any(float(line["top1"]) < 1 for line in lines))

    def test_more_iterations_than_images(self):
        result, text = self.simulate(*TOP1, "--iterations=10500")
        self.assertEqual(result["hi"]["images"], 10000)
        self.assertEqual(result["latency_us"]["count"], 10500)
        self.assertIn("1.05 times over", text)

    def test_ctrl_c(self):
        process = subprocess.Popen(self.command(*TOP1, "--iterations=1000000"), stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        time.sleep(3)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, err)
        self.assertIn("all-server", out)

    def test_ctrl_c_while_the_server_is_asked(self):
        process = subprocess.Popen(self.command(*TOP1, f"--server-model={STRONG}", server=False),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(2)  # It takes ten seconds.
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, err)
        self.assertIn("nothing is simulated", out)

    def test_strict(self):
        done = self.call(*TOP1, "--iterations=2", "--strict", "--quiet")
        self.assertEqual(done.returncode, 3, done.stderr)  # Too few images for a verdict.

    # ---- the original

    def test_line_of_the_original(self):
        """Word for word. The engine's own metadata say shapes: the answers are those of its data folder."""
        build = os.path.join(self.root, "original", "build")
        models = os.path.join(self.root, "original", "models")
        data = os.path.join(self.root, "original", "data")
        for folder in (build, models, data):
            os.makedirs(folder)
        os.symlink(os.path.join(BUILD, "simulation"), os.path.join(build, "simulation"))
        shutil.copy(os.path.join(self.data, "shapes_test.bin"), os.path.join(data, "test_batch.bin"))
        shutil.copy(self.labels, os.path.join(data, "cifar_predictions.txt"))
        # A net of the name that the original takes, on images in CIFAR-10's format.
        done = subprocess.run([os.path.join(BUILD, "build_engine"), f"--onnx={LOCAL}", "--dataset=cifar",
                               "--preprocess=scale=1/255,mean=0.5,std=0.5", "--precision=fp32",
                               "--engine=" + os.path.join(models, "resnet8_cifar_int8.engine"),
                               "--timing_cache=" + os.path.join(self.root, "timing.cache")],
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        line = "./simulation --model=../models/resnet8_cifar_int8.engine --iterations=10000"
        environment = {key: value for key, value in os.environ.items() if key != "HEDGE_DATA"}
        done = subprocess.run(line, shell=True, cwd=build, text=True, capture_output=True, check=False,
                              env=environment)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("published coefficients of resnet8 on cifar, full precision", done.stdout)
        # The flag overrides the precision for the coefficients.
        done = subprocess.run(line + " --int8", shell=True, cwd=build, text=True, capture_output=True, check=False,
                              env=environment)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("published coefficients of resnet8 on cifar, int8", done.stdout)
        self.assertIn("-4.63391 + 5.93658 top1 - 3.04197 top2", done.stdout)

    @unittest.skipUnless(os.path.isdir(os.path.join(SHARED, "models")), "no shared models")
    def test_published_system(self):
        data = os.path.join(SHARED, "data", "cifar-10-jpeg")
        path = os.path.join(self.root, "published.json")
        done = subprocess.run([os.path.join(BUILD, "simulation"), f"--model={SHARED}/models/resnet8_cifar.onnx",
                               "--precision=fp32", f"--data={data}", f"--json={path}"], text=True,
                              capture_output=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(path) as text:
            hi = json.load(text)["hi"]
        self.assertEqual(hi["offloads"], 3566)
        self.assertAlmostEqual(hi["accuracy"], 0.8298, delta=0.0001)
        self.assertEqual(hi["parameters"], [-4.531622904031753, 5.82555453, -3.59687685])

    # ---- what is refused

    def test_label_files(self):
        good = "".join(f"{label}\n" for label in self.server_answers())
        crlf = self.file("crlf.txt", good.replace("\n", "\r\n"))
        result, _ = self.simulate(*TOP1, f"--server-labels={crlf}", "--iterations=50", server=False)
        self.assertEqual(result["hi"]["images"], 50)
        lines = good.splitlines()
        for name, content, words in (
                ("short", "\n".join(lines[:-1]) + "\n", ("9999 lines", "10000 images")),
                ("long", good + "1\n", ("10001 lines",)),
                ("range", "\n".join(lines[:5] + ["10"] + lines[6:]), ("line 6", "'10'", "0 to 9")),
                ("blank", "\n".join(lines[:5] + [""] + lines[5:]), ("line 6",)),
                ("text", "airplane\n", ("line 1", "airplane")),
                ("empty", "", ("empty",))):
            path = self.file(f"{name}.txt", content)
            self.refused((*TOP1, f"--server-labels={path}"), path, *words, server=False)
        self.refused((*TOP1, "--server-labels=/none.txt"), "/none.txt", server=False)
        self.refused(TOP1, "shapes_predictions.txt", "--server-labels", "--server-model", server=False)
        self.refused((*TOP1, f"--server-model={STRONG}"), "give one of them")
        self.refused((*TOP1, "--server-preprocess=scale=1"), "--server-model")
        self.refused((*TOP1, "--server-model=/none.onnx"), "/none.onnx", server=False)

    def test_decisions(self):
        self.refused((), "no coefficients are published for resnet8 on shapes", "--decision-file")
        self.refused(("--decision=top1",), "--threshold", "top1 >= X")
        self.refused(("--decision=tpo1",), "--decision", "top1")
        self.refused(("--decision=random",), "random:0.3")
        self.refused(("--decision=random:1.5",), "1.5")
        self.refused(("--decision=top1:0.5", "--threshold=1"), "--threshold")
        self.refused(("--decision=top1:2",), "is no threshold of top1")
        offloaded = [[line for line in self.call(*flags, "--iterations=50").stdout.splitlines() if "offloaded" in line]
                     for flags in (("--decision=top1:0.8",), ("--decision=top1", "--threshold=0.8"))]
        self.assertTrue(offloaded[0])
        self.assertEqual(*offloaded)
        self.refused(("--decision=never", "--threshold=1"), "--threshold=1", "never has none")
        self.refused(("--decision=top1", "--threshold=x"), "--threshold=x", "number")
        self.refused(("--decision=energy", "--threshold=1"), "--decision=energy", "ends in softmax")
        self.refused(("--decision=top1", "--threshold=1", "--original-coefficients"), "--original-coefficients")

    def test_decision_files(self):
        good = self.decision("good.json", rule="top1", threshold=0.8, classes=10, model="resnet8")
        self.refused((f"--decision-file={good}", "--decision=never"), "give one of them")
        for name, fields, words in (
                ("classes", {"rule": "top1", "threshold": 0.5, "classes": 1000}, ("1000 classes", "resnet8 has 10")),
                ("energy", {"rule": "energy", "threshold": 0.5}, ("ends in softmax",)),
                ("weight", {"rule": "logistic", "threshold": 0.5, "intercept": 0, "features": ["energy"],
                            "weights": [1]}, ("ends in softmax",)),
                ("rule", {"rule": "guess"}, ("guess", "logistic")),
                ("threshold", {"rule": "top1"}, ("'threshold' is missing",))):
            path = self.decision(f"{name}.json", **fields)
            self.refused((f"--decision-file={path}",), path, *words)
        self.refused(("--decision-file=/none.json",), "/none.json")
        self.refused((f"--decision-file={self.scores}",), self.scores, "no decision file")
        # Of another model it is taken with a warning; a threshold can be stated in its place.
        other = self.decision("other.json", rule="top1", threshold=0.8, model="resnet56")
        done = self.call(f"--decision-file={other}", "--iterations=50", "--threshold=1")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("was made for resnet56", done.stderr)
        self.refused((f"--decision-file={other}", "--threshold=2"), "threshold")

    def test_imagenet_at_full_precision(self):
        """A net of ten classes under a name of ImageNet: the coefficients are looked for first."""
        onnx = os.path.join(self.root, "resnet18_imagenet.onnx")
        engine = os.path.join(self.root, "resnet18_imagenet_fp32.engine")
        shutil.copy(LOCAL, onnx)
        done = subprocess.run([os.path.join(BUILD, "build_engine"), f"--onnx={onnx}", f"--engine={engine}",
                               "--preprocess=scale=1/255", "--precision=fp32",
                               "--timing_cache=" + os.path.join(self.root, "timing.cache")],
                              capture_output=True, text=True, check=False)
        self.refused((), "--decision-file", "--original-coefficients", model=engine)
        self.refused(("--original-coefficients",), "1000 classes", model=engine)

    def test_outputs(self):
        same, _ = self.simulate(*TOP1, "--iterations=50", f"--server-model={self.engine}", server=False)
        self.assertEqual(same["hi"]["accuracy"], same["hi"]["accuracy_local"])
        self.refused((*TOP1, "--per-sample=/none/images.csv"), "/none")
        self.refused((*TOP1, f"--per-sample={self.labels}"), "--server-labels", "--per-sample")
        self.refused((*TOP1, "--samples=times.txt"), ".csv")


if __name__ == "__main__":
    unittest.main()
