# SPDX-License-Identifier: Apache-2.0
"""Runs `hedge fit` as a user does. HEDGE_BUILD is the build folder, HEDGE_SOURCE the checkout."""
import json
import math
import os
import random
import shutil
import tempfile
import unittest
import xml.etree.ElementTree

from support import ProgramTest, build_demo, call


def softmax(logits):
    weights = [math.exp(logit - max(logits)) for logit in logits]
    return [weight / sum(weights) for weight in weights]


def regression(rows, outcomes, l2):
    """Newton's method on the objective of docs/fitting.md, three coefficients, by Gauss's elimination."""
    b = [0.0] * 3
    for _ in range(40):
        gradient = [0.0, l2 * b[1], l2 * b[2]]
        hessian = [[0.0] * 3, [0.0, l2, 0.0], [0.0, 0.0, l2]]
        for (top1, top2), right in zip(rows, outcomes):
            x = (1.0, top1, top2)
            p = 1 / (1 + math.exp(-sum(w * v for w, v in zip(b, x))))
            for i in range(3):
                gradient[i] += (p - right) * x[i]
                for j in range(3):
                    hessian[i][j] += p * (1 - p) * x[i] * x[j]
        system = [row + [value] for row, value in zip(hessian, gradient)]
        for i in range(3):
            pivot = max(range(i, 3), key=lambda r: abs(system[r][i]))
            system[i], system[pivot] = system[pivot], system[i]
            for j in range(i + 1, 3):
                factor = system[j][i] / system[i][i]
                system[j] = [a - factor * c for a, c in zip(system[j], system[i])]
        step = [0.0] * 3
        for i in (2, 1, 0):
            step[i] = (system[i][3] - sum(system[i][j] * step[j] for j in range(i + 1, 3))) / system[i][i]
        b = [value - change for value, change in zip(b, step)]
    return b


class Fit(ProgramTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data, cls.engine = build_demo(cls.root, "--precision=fp32")

    def setUp(self):
        self.folder = tempfile.mkdtemp(dir=self.root)

    def path(self, name):
        return os.path.join(self.folder, name)

    def file(self, name, text):
        with open(self.path(name), "w", newline="") as out:
            out.write(text)
        return self.path(name)

    def call(self, program, *arguments):
        return call(program, *arguments, cwd=self.folder)

    def fit(self, *arguments):
        return self.call("hedge", "fit", *arguments)

    def fitted(self, *arguments):
        """Report, without the time when it was written, decision and run."""
        done = self.fit(f"--json={self.path('fit.json')}", f"--out={self.path('decision.json')}", *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(self.path("fit.json")) as report, open(self.path("decision.json")) as decision:
            return {**json.load(report), "time_utc": None}, json.load(decision), done

    def refused(self, *words, arguments):
        done = self.fit(f"--out={self.path('refused.json')}", *arguments)
        super().refused(done, *words)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertFalse(os.path.exists(self.path("refused.json")))

    def recorded(self, images=400, classes=4, scale=1.7, logits=True):
        """Scores, labels and the flags that name their files: right the more often the surer."""
        source = random.Random(7)
        rows, labels = [], []
        for _ in range(images):
            row = [source.gauss(0, 2) for _ in range(classes)]
            labels.append(source.choices(range(classes), softmax(row))[0])
            row = [scale * logit for logit in row]
            rows.append(row if logits else softmax(row))
        self.write_scores(rows)
        self.write_labels(labels)
        return rows, labels, [f"--scores={self.path('scores.csv')}", f"--labels={self.path('labels.txt')}"]

    def write_scores(self, rows):
        self.file("scores.csv", "".join(",".join(f"{value:.9g}" for value in row) + "\n" for row in rows))

    def write_labels(self, labels, end="\n"):
        self.file("labels.txt", "".join(f"{label}{end}" for label in labels))

    # ---- what is fitted

    def test_engine_is_the_formula_on_its_scores(self):
        server = self.file("server.txt", "0\n" * 10000)
        report, decision, done = self.fitted(f"--model={self.engine}", f"--data={self.data}", "--iterations=2000",
                                             f"--server-labels={server}")
        self.call("inference", f"--model={self.engine}", f"--data={self.data}", "--iterations=2000",
                  f"--scores={self.path('scores.csv')}", "--warmup=1")
        with open(self.path("scores.csv")) as text:
            scores = [[float(value) for value in line.split(",")] for line in text]
        with open(os.path.join(self.data, "shapes_test.bin"), "rb") as images:
            labels = [images.read(3073)[0] for _ in scores]
        self.assertEqual(len(scores), 2000)
        if report["scores_kind"] == "logits":
            scores = [softmax(row) for row in scores]
        right = [row.index(max(row)) == label for row, label in zip(scores, labels)]
        expected = regression([sorted(row)[:-3:-1] for row in scores], right, 1)
        self.assertEqual(decision["features"], ["top1", "top2"])
        for value, golden in zip([decision["intercept"], *decision["weights"]], expected):
            self.assertAlmostEqual(value, golden, delta=1e-4)  # Softmax is of floats here and there.
        self.assertEqual(report["right"], sum(right))
        self.assertEqual(report["images"], 2000)
        self.assertIn(f"images     2000, {sum(right)} local answers right", done.stdout)
        self.assertEqual(report["out_of_fold"]["accuracy_server"], labels.count(0) / 2000)
        self.assertEqual(decision["classes"], len(scores[0]))
        self.assertEqual(decision["model"], "resnet8")

    def test_coefficients_of_recorded_scores(self):
        rows, labels, flags = self.recorded()
        right = [row.index(max(row)) == label for row, label in zip(rows, labels)]
        tops = [sorted(softmax(row))[:-3:-1] for row in rows]
        for l2 in (1, 0.1, 0):
            report, decision, _ = self.fitted(*flags, f"--l2={l2}")
            expected = regression(tops, right, l2)
            for value, golden in zip([decision["intercept"], *decision["weights"]], expected):
                self.assertAlmostEqual(value, golden, delta=2e-5 * max(1, abs(golden)))
            names = [coefficient["name"] for coefficient in report["coefficients"]]
            self.assertEqual(names, ["intercept", "top1", "top2"])
            for coefficient in report["coefficients"]:
                low, high = coefficient["ci95"]
                self.assertAlmostEqual(high - low, 2 * 1.959964 * coefficient["standard_error"], places=4)

    def test_report_hangs_together(self):
        _, _, flags = self.recorded()
        report, decision, done = self.fitted(*flags)
        self.assertEqual(report["schema"], "hedge.fit/1")
        fold = report["out_of_fold"]
        counts = [fold[name] for name in ("kept_right", "kept_wrong", "offloaded_right", "offloaded_wrong")]
        self.assertEqual(sum(counts), 400)
        self.assertEqual(fold["kept_right"] + fold["offloaded_right"], report["right"])
        self.assertAlmostEqual(fold["offload_fraction"], sum(counts[2:]) / 400)
        self.assertAlmostEqual(fold["decision_accuracy"], (counts[0] + counts[3]) / 400)
        bins = report["reliability"]
        self.assertEqual(len(bins), 15)
        self.assertEqual(sum(part["images"] for part in bins), 400)
        ece = sum(part["images"] * abs(part["mean_probability"] - part["right"])
                  for part in bins if part["images"]) / 400
        self.assertAlmostEqual(fold["ece"], ece, places=12)
        self.assertGreater(fold["auc"], 0.6)
        self.assertEqual(decision["fit"]["out_of_fold"], fold)
        self.assertNotIn("uncalibrated", report)
        for words in ("out of fold", "in sample", "std. error", "AUC", f"{fold['auc']:.4f}", "C = 1"):
            self.assertIn(words, done.stdout)

    def test_folds_and_seed(self):
        _, _, flags = self.recorded()
        same = [self.fitted(*flags, "--seed=3")[0] for _ in range(2)]
        self.assertEqual(same[0], same[1])
        other = self.fitted(*flags, "--seed=4")[0]
        self.assertEqual(other["coefficients"], same[0]["coefficients"])  # These are of all images.
        self.assertNotEqual(other["out_of_fold"]["brier"], same[0]["out_of_fold"]["brier"])
        self.assertEqual(self.fitted(*flags, "--folds=10")[0]["folds"], 10)

    def test_logits_and_softmax_are_told_apart(self):
        _, _, flags = self.recorded()
        logits = self.fitted(*flags)[0]
        _, _, flags = self.recorded(logits=False)
        softmax_scores = self.fitted(*flags)[0]
        self.assertEqual([logits["scores_kind"], softmax_scores["scores_kind"]], ["logits", "softmax"])
        for one, other in zip(logits["coefficients"], softmax_scores["coefficients"]):
            self.assertAlmostEqual(one["value"], other["value"], places=3)
        forced = self.fitted(*flags, "--logits")[0]
        self.assertEqual(forced["scores_kind"], "logits")
        self.assertNotAlmostEqual(forced["coefficients"][0]["value"], logits["coefficients"][0]["value"], places=1)

    # ---- calibration

    def test_temperature(self):
        _, _, flags = self.recorded(images=3000)
        report, decision, done = self.fitted(*flags, "--calibration=temperature")
        self.assertAlmostEqual(decision["temperature"], 1.7, delta=0.15)
        self.assertLess(report["temperature"]["class_nll"], report["temperature"]["class_nll_before"])
        self.assertIn("uncalibrated", done.stdout)
        # top1 alone is the probability: what calibration is for.
        report, decision, _ = self.fitted(*flags, "--decision=top1", "--calibration=temperature")
        self.assertEqual((decision["rule"], decision["threshold"]), ("top1", 0.5))
        self.assertLess(report["out_of_fold"]["ece"], report["uncalibrated"]["ece"] / 2)

    def test_isotonic(self):
        rows, _, flags = self.recorded(images=2000)
        report, decision, _ = self.fitted(*flags, "--decision=margin", "--calibration=isotonic", "--threshold=0.6")
        self.assertEqual(decision["rule"], "margin")
        # The corners around the threshold, by hand.
        corners = list(zip(report["isotonic"]["confidence"], report["isotonic"]["probability"]))
        (x0, p0), (x1, p1) = next(pair for pair in zip(corners, corners[1:]) if pair[0][1] < 0.6 <= pair[1][1])
        self.assertAlmostEqual(decision["threshold"], x0 + (x1 - x0) * (0.6 - p0) / (p1 - p0), places=9)
        self.assertNotIn("uncalibrated", report)  # A margin is no probability.
        for rule in ("entropy", "energy"):
            report, decision, _ = self.fitted(*flags, f"--decision={rule}", "--calibration=isotonic",
                                              "--threshold=0.7")
            self.assertEqual(decision["rule"], rule)
            self.assertGreater(report["in_sample"]["offload_fraction"], 0.05)
            self.assertLess(report["in_sample"]["offload_fraction"], 0.95)
        kept = 0  # The threshold of the file, applied by hand.
        for row in rows:
            energy = -max(row) - math.log(sum(math.exp(logit - max(row)) for logit in row))
            kept += energy <= decision["threshold"]
        self.assertAlmostEqual(1 - kept / len(rows), report["in_sample"]["offload_fraction"], delta=2e-3)

    # ---- files

    def test_default_name_and_diagram(self):
        _, _, flags = self.recorded()
        done = self.fit(*flags, f"--diagram={self.path('a<b&c.svg')}")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("written    scores_decision.json", done.stdout)
        self.assertTrue(os.path.exists(self.path("scores_decision.json")))
        svg = xml.etree.ElementTree.parse(self.path("a<b&c.svg")).getroot()
        circles = svg.findall(".//{http://www.w3.org/2000/svg}circle")
        self.assertGreater(len(circles), 3)
        for circle in circles:
            self.assertGreaterEqual(float(circle.get("cy")), 44)
            self.assertLessEqual(float(circle.get("cy")), 404)

    def test_json_on_stdout(self):
        _, _, flags = self.recorded()
        done = self.fit(*flags, "--json=-")
        self.assertEqual(json.loads(done.stdout)["source"], self.path("scores.csv"))

    def test_windows_line_ends(self):
        _, labels, flags = self.recorded()
        before = self.fitted(*flags)[0]
        self.write_labels(labels, end="\r\n")
        self.assertEqual(self.fitted(*flags)[0], before)

    # ---- warnings

    def test_nan_is_left_out_and_said(self):
        rows, labels, flags = self.recorded()
        before = self.fitted(*flags)[0]
        self.write_scores(rows + [[math.nan] * 4])
        self.write_labels(labels + [0])
        report, _, done = self.fitted(*flags)
        self.assertEqual(report["left_out"], 1)
        self.assertIn("1 of 401 images are left out", done.stderr)
        self.assertEqual(report["coefficients"], before["coefficients"])

    def test_training_images_are_warned_of(self):
        for name, warned in (("shapes_train.bin", True), ("shapes_test.bin", False)):
            images = shutil.copy(os.path.join(self.data, "shapes_test.bin"), self.path(name))
            done = self.fit(f"--model={self.engine}", f"--data={images}", "--iterations=600")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual("over-confident" in done.stderr, warned, done.stderr)

    def test_collinear_features(self):
        _, _, flags = self.recorded()
        _, decision, done = self.fitted(*flags, "--features=top1,top2,margin")
        self.assertIn("top1, top2 and margin hang together linearly", done.stderr)
        self.assertEqual(len(decision["weights"]), 3)
        self.refused("hang together linearly", arguments=[*flags, "--features=top1,top2,margin", "--l2=0"])

    def test_perfect_separation(self):
        rows = [[i / 40, 0.0] for i in range(1, 41)]
        self.write_scores(rows)
        self.write_labels([1] * 20 + [0] * 20)
        flags = [f"--scores={self.path('scores.csv')}", f"--labels={self.path('labels.txt')}", "--features=top1"]
        done = self.fit(*flags)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("separate right from wrong perfectly", done.stderr)
        self.refused("separate right from wrong perfectly", "state a penalty", arguments=[*flags, "--l2=0"])

    # ---- refusals

    def test_labels(self):
        _, labels, flags = self.recorded()
        for wrong, words in ((labels[:-1], ("399 lines", "400 images")), (labels + [0], ("401 lines",)),
                             (labels[:5] + [4] + labels[6:], ("line 6 is '4'", "0 to 3"))):
            self.write_labels(wrong)
            self.refused("labels.txt", *words, arguments=flags)
        self.file("labels.txt", "")
        self.refused("empty", arguments=flags)
        self.write_labels(labels)
        self.refused("server.txt", "1 lines",
                     arguments=[*flags, f"--server-labels={self.file('server.txt', '0')}"])

    def test_outcomes_all_alike(self):
        rows, labels, flags = self.recorded()
        right = [row.index(max(row)) for row in rows]
        self.write_labels(right)
        self.refused("all 400 local answers are right", arguments=flags)
        self.write_labels([(answer + 1) % 4 for answer in right])
        self.refused("all 400 local answers are wrong", arguments=flags)
        self.write_labels(labels)
        self.write_scores([[math.nan] * 4] * 400)
        self.refused("none of the 400 images", arguments=flags)

    def test_flags(self):
        _, _, flags = self.recorded(images=30)
        self.refused("--folds=30", arguments=[*flags, "--folds=31"])
        for arguments, words in ((["--folds=1"], "--folds"), (["--l2=-1"], "--l2"), (["--threshold=0"], "--threshold"),
                                 (["--features=top3"], "no feature 'top3'"), (["--features=top1,top1"], "twice"),
                                 (["--decision=margin"], "--calibration=isotonic"),
                                 (["--decision=random"], "random has no threshold"),
                                 (["--decision=top1", "--features=top1"], "--features"),
                                 (["--calibration=platt"], "there are none, temperature and isotonic"),
                                 (["--logits", "--softmax"], "excludes"),
                                 (["--iterations=10"], "--iterations"), ([f"--model={self.engine}"], "--model"),
                                 (["--softmax"], "outside 0 to 1"),
                                 ([f"--diagram={self.path('refused.json')}"], "--diagram"),
                                 (["--diagram=/nowhere/x.svg"], "/nowhere")):
            self.refused(words, arguments=[*flags, *arguments])
        self.refused("--labels", arguments=flags[:1])
        self.refused("no model given", arguments=[])
        self.refused("--logits", arguments=[f"--model={self.engine}", "--logits"])
        self.refused("--calibration=isotonic", arguments=["--model=/nowhere/x.onnx", "--decision=margin"])
        self.refused("energy", "logits", arguments=[f"--model={self.engine}", f"--data={self.data}", "--features=energy"])
        self.file("scores.csv", "0.5\n0.25\n")
        self.refused("one score an image", arguments=flags)


if __name__ == "__main__":
    unittest.main()
