# SPDX-License-Identifier: Apache-2.0
"""Runs `hedge sweep` as a user does, against a sweep by hand. HEDGE_BUILD is the build folder,
HEDGE_SOURCE the checkout."""
import csv
import json
import math
import os
import random
import shutil
import signal
import struct
import subprocess
import time
import unittest
import xml.etree.ElementTree

from support import BUILD, DEMO, SHARED, ProgramTest

BETA, W1, W2 = -4.5, 5.8, -3.6
COEFFICIENTS = f"--coefficients={BETA},{W1},{W2}"
COSTS = ("--local-latency=2ms", "--local-energy=5mJ", "--idle-power=1W", "--network=wifi",
         "--upload=3072bytes", "--server-latency=4ms")


def as_float(value):
    return struct.unpack("f", struct.pack("f", value))[0]


def confidences(logits):
    """Of the five decisions, as they are defined; None: never trusted."""
    if any(math.isnan(x) for x in logits):
        return None
    largest = max(logits)
    exponentials = [math.exp(x - largest) for x in logits]
    total = sum(exponentials)
    p = sorted((e / total for e in exponentials), reverse=True)
    return {"logistic": 1 / (1 + math.exp(-(BETA + W1 * p[0] + W2 * p[1]))),
            "top1": p[0],
            "margin": p[0] - p[1],
            "entropy": -sum(q * math.log(q) for q in p if q > 0),
            "energy": -(largest + math.log(total))}


class Sweep(ProgramTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        rng = random.Random(5)
        cls.rows, cls.labels, cls.server = [], [], []
        for image in range(300):
            label = rng.randrange(4)
            row = [as_float(rng.gauss(0, 1)) for _ in range(4)]
            row[label] = as_float(row[label] + rng.uniform(0, 3))
            if image % 50 == 7:
                row = [math.nan] * 4
            cls.rows.append(row)
            cls.labels.append(label)
            cls.server.append(label if rng.random() < 0.9 else rng.randrange(4))
        cls.confidences = [confidences(row) for row in cls.rows]
        cls.scores = cls.keep("scores.csv", "".join(",".join(map(repr, row)) + "\n" for row in cls.rows))
        cls.label_file = cls.keep("labels.txt", "".join(f"{c}\n" for c in cls.labels))
        cls.server_file = cls.keep("server.txt", "".join(f"{c}\r\n" for c in cls.server))
        cls.base = (f"--scores={cls.scores}", f"--labels={cls.label_file}",
                    f"--server-labels={cls.server_file}")

    @classmethod
    def keep(cls, name, text):
        path = os.path.join(cls.root, name)
        with open(path, "w", newline="") as out:
            out.write(text)
        return path

    def path(self, name):
        path = os.path.join(self.root, name)
        if os.path.exists(path):
            os.remove(path)
        return path

    def call(self, *arguments):
        return subprocess.run([os.path.join(BUILD, "hedge"), "sweep", *arguments], text=True,
                              capture_output=True, check=False)

    def succeed(self, *arguments):
        done = self.call(*arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def result(self, *arguments, status=0):
        path = self.path("result.json")
        done = self.call(f"--json={path}", *arguments)
        self.assertEqual(done.returncode, status, done.stderr)
        with open(path) as text:
            return json.load(text)

    def refused(self, *arguments, words, status=2):
        done = self.call(*arguments)
        super().refused(done, *words, status=status)
        return done

    def apply(self, decision, threshold):
        """Offloads and right answers, image by image."""
        offloads = correct = 0
        for row, confidence, label, server in zip(self.rows, self.confidences, self.labels,
                                                  self.server):
            above = decision in ("entropy", "energy")
            keep = confidence is not None and (confidence[decision] <= threshold if above
                                               else confidence[decision] >= threshold)
            offloads += not keep
            correct += (row.index(max(row)) if keep else server) == label
        return offloads, correct

    def points(self, *arguments):
        path = self.path("points.csv")
        self.succeed(*self.base, COEFFICIENTS, f"--csv={path}", *arguments)
        with open(path) as text:
            return list(csv.DictReader(text))

    # ---- the sweep

    def test_each_point_against_a_sweep_by_hand(self):
        points = self.points()
        seen = {}
        for point in points:
            if point["decision"].startswith("all-"):
                continue
            seen.setdefault(point["decision"], set()).add(int(point["offloads"]))
            self.assertEqual((int(point["offloads"]), int(point["correct"])),
                             self.apply(point["decision"], float(point["threshold"])), point)
            self.assertAlmostEqual(float(point["offload_fraction"]), int(point["offloads"]) / 300)
            self.assertAlmostEqual(float(point["accuracy"]), int(point["correct"]) / 300)
            self.assertEqual(point["latency_us"], "")
        # 294 images have scores, all different: 0 to 294 of them beside the 6 without.
        self.assertEqual(seen, {name: set(range(6, 301)) for name in
                                ("logistic", "top1", "margin", "entropy", "energy")})

    def test_costs_by_hand(self):
        """The formulas of docs/sweep.md."""
        up, down = 8 * 3072 / 46.2e6, 8 * 2 / 52.6e6
        wait = 5e-3 + 4e-3
        seconds = up + wait + down
        joules = up * (1 + 1.295) + down * (1 + 0.4625) + wait * (1 + 0.0037)
        for point in self.points(*COSTS):
            share = float(point["offload_fraction"])
            expected = {"all-local": (2e-3, 5e-3), "all-server": (seconds, joules)}.get(
                point["decision"], (2e-3 + share * seconds, 5e-3 + share * joules))
            self.assertAlmostEqual(float(point["latency_us"]) * 1e-6, expected[0], places=12)
            self.assertAlmostEqual(float(point["energy_mj"]) * 1e-3, expected[1], places=12)

    def test_fronts_and_areas(self):
        result = self.result(*self.base, COEFFICIENTS, *COSTS)
        self.assertEqual(result["schema"], "hedge.sweep/1")
        points = self.points(*COSTS)
        for axis, column in (("latency", "latency_us"), ("energy", "energy_mj"), ("share", "offload_fraction")):
            front = result["fronts"][axis]
            self.assertEqual(len(front), sum(int(point[f"on_{axis}_front"]) for point in points))
            for before, after in zip(front, front[1:]):
                self.assertLess(before["accuracy"], after["accuracy"])
                self.assertLess(before[column], after[column])
            self.assertEqual(max(p["accuracy"] for p in front),
                             max(float(p["accuracy"]) for p in points))
        local, server = result["all_local"], result["all_server"]
        self.assertAlmostEqual(result["random_area"], (local["accuracy"] + server["accuracy"]) / 2)
        for decision in result["decisions"]:
            curve = [(0, local["accuracy"])] + [
                (float(p["offload_fraction"]), float(p["accuracy"])) for p in points
                if p["decision"] == decision["name"]]
            area = sum((x - before_x) * (y + before_y) / 2
                       for (before_x, before_y), (x, y) in zip(curve, curve[1:]))
            self.assertAlmostEqual(decision["area"], area)
            self.assertTrue(result["random_area"] < decision["area"] < result["oracle_area"])

    # ---- the best point

    def test_best_point_becomes_a_decision_file(self):
        out = self.path("decision.json")
        result = self.result(*self.base, COEFFICIENTS, *COSTS, "--max-latency=5ms", f"--out={out}")
        best = result["best"]
        self.assertLessEqual(best["latency_us"], 5000)
        allowed = [float(p["accuracy"]) for p in self.points(*COSTS) if float(p["latency_us"]) <= 5000]
        self.assertAlmostEqual(best["accuracy"], max(allowed))
        with open(out) as text:
            decision = json.load(text)
        self.assertEqual(decision["schema"], "hedge.decision/1")
        self.assertEqual(decision["classes"], 4)
        self.assertEqual(decision["rule"], best["decision"])
        self.assertEqual(self.apply(decision["rule"], decision["threshold"]),
                         (best["offloads"], best["correct"]))
        # It can be swept in turn.
        again = self.result(*self.base, f"--decision-file={out}")
        self.assertIn("decision", [d["name"] for d in again["decisions"]])

    def test_bounds_and_objectives(self):
        points = self.points(*COSTS)
        best = self.result(*self.base, COEFFICIENTS, *COSTS, "--min-accuracy=80%")["best"]
        self.assertGreaterEqual(best["accuracy"], 0.8)
        self.assertAlmostEqual(best["latency_us"], min(float(p["latency_us"]) for p in points
                                                       if float(p["accuracy"]) >= 0.8))
        best = self.result(*self.base, COEFFICIENTS, "--max-offload=0.25", "--max-latency=1s",
                           "--max-energy=1J", *COSTS)["best"]
        self.assertLessEqual(best["offload_fraction"], 0.25)
        best = self.result(*self.base, COEFFICIENTS, *COSTS, "--minimize=energy")["best"]
        self.assertEqual(best["decision"], "all-local")

    def test_the_sentence(self):
        done = self.succeed(*self.base, COEFFICIENTS, *COSTS, "--max-latency=5ms")
        self.assertRegex(done.stdout, r"best +offload [\d.]+ % by \w+ [<>] [-\d.e]+: [\d.]+ % right, "
                                      r"[\d.]+ ms, [\d.]+ mJ an image; all-local [\d.]+ % right, "
                                      r"2.00 ms, 5.00 mJ; all-server")
        self.assertIn("held out", done.stdout)
        # What costs rest on is said, with its source, and what was assumed.
        for text in ("46.2 Mbit/s", "Silicon Labs", "ASSUMED: a quiet network", "--local-latency",
                     "tail (p99) are not modelled"):
            self.assertIn(text, done.stdout)

    def test_times_in_any_unit(self):
        points = [self.result(*self.base, *COSTS[:-1], f"--server-latency={time}")["all_server"]
                  for time in ("1.5min", "90s", "90000 ms", "0.025h")]
        self.assertGreater(points[0]["latency_us"], 90e6)
        self.assertEqual(points[1:], points[:1] * 3)
        self.refused(*self.base, *COSTS[:-1], "--server-latency=2", words=("--server-latency", "min"))

    def test_no_point_within_the_bounds(self):
        out = self.path("decision.json")
        arguments = (*self.base, *COSTS, "--max-latency=1ms", f"--out={out}")
        self.refused(*arguments, status=1, words=("nearest is all-local", "2.00 ms", "not written"))
        self.assertFalse(os.path.exists(out))
        result = self.result(*arguments, status=1)
        self.assertNotIn("best", result)
        self.assertEqual(result["nearest"]["decision"], "all-local")

    def test_all_local_and_all_server_as_decisions(self):
        out = self.path("decision.json")
        for bound, rule in (("--max-offload=0", "never"), ("--minimize=latency", "never")):
            self.succeed(*self.base, *COSTS, bound, f"--out={out}")
            with open(out) as text:
                self.assertEqual(json.load(text)["rule"], rule)
        # A server that is always right and costs nearly nothing.
        self.succeed(*self.base[:2], f"--server-labels={self.label_file}", "--local-latency=1s",
                     "--network=ethernet", "--upload=1B", "--server-latency=1us",
                     "--min-accuracy=100%", f"--out={out}")
        with open(out) as text:
            self.assertEqual(json.load(text)["rule"], "always")

    def test_folds(self):
        held = self.result(*self.base, COEFFICIENTS, "--folds=10", "--seed=3")["held_out"]
        self.assertEqual(held["folds"], 10)
        self.assertEqual(held["total"], 300)
        self.assertTrue(held["accuracy_ci95"][0] < held["accuracy"] < held["accuracy_ci95"][1])
        self.assertNotIn("held_out", self.result(*self.base, "--folds=0"))

    # ---- input and output

    def test_measured_results_as_costs(self):
        def measured(name, mean, batch=1, **energy):
            return self.keep(name, json.dumps([
                {"schema": "hedge.result/1", "program": "measurements", "hedge_version": "0",
                 "time_utc": "2026-01-31T23:59:59Z", "config": {"batch": batch},
                 "latency_us": {"mean": mean, "count": 7}, **({"energy": energy} if energy else {})}]))
        local = measured("local.json", 2500, mj_per_inference=6, mj_per_inference_net=4, idle_watts=1)
        server = measured("server.json", 3000)
        arguments = (*self.base, f"--local={local}", f"--server={server}", "--bandwidth=8Mbit/s",
                     "--round-trip=10ms", "--upload=1kB")
        costs = self.result(*arguments)["costs"]
        self.assertAlmostEqual(costs["latency_us"]["local"], 2500)
        self.assertAlmostEqual(costs["latency_us"]["offload"], 1000 + 10000 + 3000 + 2)
        self.assertAlmostEqual(costs["energy_mj"]["local"], 6)
        self.assertAlmostEqual(costs["energy_mj"]["offload"], 14.002)  # At idle; no radio stated.
        costs = self.result(*arguments, "--net", "--send-power=500mW")["costs"]
        self.assertAlmostEqual(costs["energy_mj"]["local"], 4)
        self.assertAlmostEqual(costs["energy_mj"]["offload"], 0.5)
        with open(local) as text:
            doubtful = json.load(text)
        doubtful[0]["validity"] = {"verdict": "INVALID", "reasons": ["it drifted"]}
        done = self.succeed(*arguments[:-5], f"--local={self.keep('doubt.json', json.dumps(doubtful))}",
                            *arguments[-4:])
        self.assertIn("warning: ", done.stderr)
        self.assertIn("doubt.json: its verdict is INVALID: it drifted", done.stderr)
        batch = measured("batch.json", 2500, batch=8)
        self.refused(*self.base, f"--local={batch}", *COSTS[3:], words=("batch.json", "--batch=1"))

    def test_softmax_scores_have_no_energy(self):
        scores = self.keep("softmax.csv", "0.75,0.25\n0.5,0.5\n0.125,0.875\n")
        labels = self.keep("two.txt", "0\n1\n1\n")
        base = (f"--scores={scores}", f"--labels={labels}", f"--server-labels={labels}", "--folds=0")
        done = self.succeed(*base)
        self.assertIn("energy: needs logits", done.stdout)
        self.assertIn("softmax, as each row sums to 1 (else give --logits)", done.stdout)
        self.refused(*base, "--decisions=energy", words=("--decisions", "logits"))
        self.assertEqual([d["name"] for d in self.result(*base, "--logits")["decisions"]],
                         ["top1", "margin", "entropy", "energy"])

    def test_published_coefficients_by_name(self):
        by_name = self.result(*self.base, "--coefficients=resnet56_cifar_int8")["decisions"][0]
        self.assertEqual(by_name["decision"]["intercept"], -4.695974)
        self.assertEqual(by_name["decision"]["weights"], [5.21640018, -3.70736749])

    def test_plot(self):
        svg = self.path("plot.svg")
        self.succeed(*self.base, COEFFICIENTS, *COSTS, "--max-latency=5ms", f"--svg={svg}")
        root = xml.etree.ElementTree.parse(svg).getroot()
        texts = [e.text for e in root.iter("{http://www.w3.org/2000/svg}text")]
        for text in ("images offloaded, %", "mean latency of an image, ms",
                     "mean energy of an image, mJ", "logistic", "oracle", "random", "all-server"):
            self.assertIn(text, texts)
        width, height = float(root.get("width")), float(root.get("height"))
        lines = list(root.iter("{http://www.w3.org/2000/svg}polyline"))
        self.assertEqual(len(lines), 3 * (5 + 2))
        for line in lines:
            for pair in line.get("points").split():
                x, y = map(float, pair.split(","))
                self.assertTrue(0 <= x <= width and 0 <= y <= height)

    def test_names_that_xml_and_json_do_not_take(self):
        name = os.path.join(os.fsencode(self.root), b"a&<b\xff\n.csv")
        shutil.copy(self.scores, name)
        svg, out, result = self.path("plot.svg"), self.path("out.json"), self.path("result.json")
        done = subprocess.run([os.path.join(BUILD, "hedge"), "sweep", b"--scores=" + name, *self.base[1:],
                               f"--svg={svg}", f"--out={out}", f"--json={result}"],
                              capture_output=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        xml.etree.ElementTree.parse(svg)
        for path in (out, result):
            with open(path) as text:
                json.load(text)

    def test_json_to_stdout(self):
        done = self.succeed(*self.base, "--json=-")
        self.assertEqual(json.loads(done.stdout)["scores"]["images"], 300)
        self.assertIn("accuracy", done.stderr)

    def test_runs_a_model(self):
        data = os.path.join(self.root, "data")
        subprocess.run([os.path.join(BUILD, "hedge"), "make-data", "shapes", data], check=True,
                       capture_output=True)
        labels = os.path.join(self.root, "shapes.txt")
        scores = os.path.join(self.root, "shapes.npy")
        subprocess.run([os.path.join(BUILD, "inference"), f"--model={DEMO}", f"--data={data}",
                        f"--predictions={labels}", f"--scores={scores}"], check=True,
                       capture_output=True)
        # The local model's own answers as the server's: nothing is gained or lost.
        arguments = (f"--model={DEMO}", f"--data={data}", f"--server-labels={labels}")
        costs = ("--network=ethernet", "--server-latency=1ms")
        result = self.result(*arguments, *costs)
        self.assertEqual(result["all_local"]["correct"], result["all_server"]["correct"])
        self.assertLessEqual(abs(result["all_local"]["correct"] - 8949), 2)
        # What does not suit the model, or the number of images, is told before it is run.
        self.refused(*arguments, "--decisions=energy", words=("--decisions", "logits"))
        self.refused(*arguments, "--folds=11", "--iterations=10", words=("--folds=11", "10 images"))
        other = self.keep("four.json", json.dumps(
            {"schema": "hedge.decision/1", "rule": "top1", "threshold": 0.5, "classes": 4}))
        self.refused(*arguments, f"--decision-file={other}", words=("four.json", "4", "10"))
        self.refused(*arguments[:2], *costs, words=("shapes_predictions.txt", "--server-labels"))
        # Where nothing is said they are looked for beside the images.
        shutil.copy(labels, os.path.join(data, "shapes_predictions.txt"))
        self.assertEqual(self.result(*arguments[:2], *costs)["all_server"], result["all_server"])
        figures = {f["name"]: f for f in result["costs"]["figures"]}
        self.assertEqual(figures["upload"]["value"], "3072 bytes")
        source = figures["local latency"]["source"]
        self.assertIn("timed in this run: ", source)
        self.assertIn("mean of 10000 inferences", source)
        run = result["run"]
        self.assertEqual(run["latency_us"]["count"], 10000)
        self.assertIn(run["warmup"]["settled"], (True, False))
        self.assertTrue(source.endswith(", " + run["validity"]["verdict"]), source)
        mean_us = run["latency_us"]["mean"]
        self.assertAlmostEqual(result["costs"]["latency_us"]["local"], mean_us, delta=1e-6)
        # Ctrl-C: what was recorded is swept, and the exit status says so.
        run = subprocess.Popen([os.path.join(BUILD, "hedge"), "sweep", *arguments],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(0.4)
        run.send_signal(signal.SIGINT)
        out, errors = run.communicate()
        if run.returncode != 0:  # A fast machine is through.
            self.assertEqual(run.returncode, 130, errors)
            self.assertTrue("held out" in out or "no image" in errors, out + errors)

    @unittest.skipUnless(os.path.isdir(os.path.join(SHARED, "models")), "no shared models")
    def test_published_figure(self):
        """resnet8 on CIFAR-10 with the published coefficients: 3,566 offloads, 82.98 %."""
        data = os.path.join(SHARED, "data", "cifar-10-jpeg")
        path = self.path("points.csv")
        done = self.succeed(f"--model={SHARED}/models/resnet8_cifar.onnx", f"--data={data}",
                            f"--server-labels={data}/cifar_predictions.txt", "--decisions=logistic",
                            f"--csv={path}")
        self.assertIn("published coefficients of resnet8 on cifar", done.stdout)
        with open(path) as text:
            points = [p for p in csv.DictReader(text) if p["decision"] == "logistic"]
        at_half = max((p for p in points if float(p["threshold"]) <= 0.5),
                      key=lambda p: float(p["threshold"]))
        after = points[points.index(at_half) + 1]
        # Half a probability lies between these two thresholds.
        self.assertIn("3566", (at_half["offloads"], after["offloads"]))
        at = at_half if at_half["offloads"] == "3566" else after
        self.assertLess(abs(float(at["accuracy"]) - 0.8298), 1e-4)

    # ---- bad input

    def test_bad_files(self):
        few = self.keep("few.txt", "0\n1\n")
        many = self.keep("many.txt", "0\n" * 301)
        outside = self.keep("outside.txt", "0\n" * 299 + "4\n")
        blank = self.keep("blank.txt", "0\n" * 10 + "\n" + "0\n" * 289)
        for name, path, word in (("too short", few, "2 lines"), ("too long", many, "301 lines"),
                                 ("out of range", outside, "line 300"), ("blank", blank, "line 11")):
            for flag in ("--labels", "--server-labels"):
                with self.subTest(name + flag):
                    arguments = [f"{flag}={path}" if a.startswith(flag + "=") else a for a in self.base]
                    self.refused(*arguments, words=(os.path.basename(path), word))
        ragged = self.keep("ragged.csv", "1,2\n1,2,3\n")
        self.refused(f"--scores={ragged}", *self.base[1:], words=("ragged.csv", "line 2"))
        single = self.keep("single.csv", "1\n2\n")
        self.refused(f"--scores={single}", *self.base[1:], words=("single.csv", "two classes"))

    def test_bad_decisions(self):
        other = self.keep("other.json", json.dumps(
            {"schema": "hedge.decision/1", "rule": "top1", "threshold": 0.5, "classes": 10}))
        self.refused(*self.base, f"--decision-file={other}", words=("other.json", "10", "4"))
        bound = self.keep("bound.json", json.dumps({"schema": "hedge.decision/1", "rule": "never"}))
        self.refused(*self.base, f"--decision-file={bound}", words=("bound.json", "never"))
        done = self.refused(*self.base, "--decisions=top3", words=("top3", "logistic, top1"))
        for bound in ("always", "never", "random", "oracle"):
            self.assertNotIn(bound, done.stderr)
        self.refused(*self.base, "--decisions=oracle", words=("oracle",))
        self.refused(*self.base, "--decisions=logistic", words=("--coefficients",))
        for text in ("1,2", "1,2,3,4", "1,2,x", "1,2,nan", "resnet9_cifar", "resnet18_imagenet_fp32"):
            self.refused(*self.base, f"--coefficients={text}", words=("--coefficients=" + text,))

    def test_bad_flags(self):
        self.refused(*self.base[:2], words=("--server-labels",))
        self.refused(*self.base[1:], words=("--scores", "--model"))
        self.refused(self.base[0], self.base[2], words=("--labels",))
        self.refused(*self.base, "--model=x.engine", words=("either",))
        self.refused(*self.base, "--max-latency=5ms", words=("--max-latency", "not known"))
        self.refused(*self.base, "--max-energy=5mJ", words=("--max-energy", "not known"))
        self.refused(*self.base, "--network=wifi", words=("--local-latency",))
        self.refused(*self.base, "--local-latency=1ms", words=("--network",))
        self.refused(*self.base, "--local-latency=1ms", "--network=wifi", words=("--upload",))
        self.refused(*self.base, "--local-latency=1ms", "--network=wifi", "--upload=1kB",
                     words=("--server-latency",))
        self.refused(*self.base, *COSTS, "--net", words=("--idle-power",))
        self.refused(*self.base, *COSTS[:3], "--network=wlan", *COSTS[4:], words=("wlan", "wifi"))
        self.refused(*self.base, "--minimize=cost", words=("--minimize=cost",))
        self.refused(*self.base, "--min-accuracy=82", words=("--min-accuracy=82", "20%"))
        for folds in ("1", "301", "-1", "x"):
            self.refused(*self.base, f"--folds={folds}", words=("--folds=" + folds,))
        self.refused(*self.base, f"--csv={self.label_file}", words=("--labels", "--csv"))
        self.refused(*self.base, "--csv=/nonexistent/x.csv", words=("/nonexistent",))

    def test_flags_are_checked_before_a_model_is_opened(self):
        costs = ("--network=wifi", "--server-latency=4ms")
        missing = self.path("missing.json")
        for arguments, words in (
                ((*costs[1:], "--network=wlan"), ("--network", "wlan", "wifi")),
                ((*costs, "--send-power=1"), ("--send-power=1", "mW")),
                ((*costs, "--max-latency=5"), ("--max-latency=5", "ms")),
                ((*costs, "--max-energy=5mJ"), ("--max-energy", "not known")),
                ((*costs, f"--server={missing}"), ("missing.json",)),
                ((costs[0],), ("--server-latency",)),
                ((costs[1],), ("--network",)),
                (("--max-latency=5ms",), ("--max-latency", "--network and --server-latency")),
                (("--minimize=cost",), ("--minimize=cost",)),
                (("--min-accuracy=82",), ("--min-accuracy=82",)),
                (("--decisions=top3",), ("top3", "logistic, top1, margin, entropy and energy")),
                (("--coefficients=1,2",), ("--coefficients=1,2",)),
                ((f"--decision-file={missing}",), ("missing.json",)),
                (("--iterations=-1",), ("--iterations=-1",)),
                (("--folds=1",), ("--folds=1",)),
                (("--softmax",), ("--softmax", "model")),
                (("--server-latency=4ms", "--network=wlan", "--max-latency=5"), ("--max-latency=5",))):
            with self.subTest(arguments):
                self.refused("--model=/nowhere/x.onnx", *arguments, words=words)

    def test_what_is_wrong_comes_before_what_is_missing(self):
        self.refused(*self.base, "--network=wlan", words=("--network", "wlan"))
        self.refused(*self.base, "--network=wifi", "--server-latency=4", words=("--server-latency=4",))
        self.refused(*self.base, "--local-latency=1ms", "--receive-power=x", words=("--receive-power=x",))

    def test_flags_of_a_run_beside_scores(self):
        for flag in ("--iterations=5", "--threads=2", "--int8", "--backend=cpu", "--wait=spin", "--decode-overlap"):
            self.refused(*self.base, COEFFICIENTS, flag, words=[flag.split("=")[0] + ": is for running a model"])

    def test_quantities_are_strict(self):
        for flag, texts in {"--local-latency": ("2", "2days", "2MS", "ms", "-2ms", "nanms", "infs", "2e400s", "2  ms"),
                            "--local-energy": ("5", "5mj", "5kJ"),
                            "--bandwidth": ("10Mb/s", "10MB/s", "0", "0Mbit/s"),
                            "--upload": ("3072", "3kb", "-1B"),
                            "--idle-power": ("1", "1w")}.items():
            others = [a for a in COSTS if not a.startswith(flag + "=")]
            for text in texts:
                with self.subTest(f"{flag}={text}"):
                    self.refused(*self.base, *others, f"{flag}={text}", words=(f"{flag}={text}",))


if __name__ == "__main__":
    unittest.main()
