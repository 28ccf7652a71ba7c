# SPDX-License-Identifier: Apache-2.0
"""Runs `hedge online` on scores of our own. HEDGE_BUILD is the build folder, HEDGE_DATA the folder of
CIFAR-10 with a server's answers (skipped without)."""
import csv
import json
import math
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import xml.etree.ElementTree

from support import BUILD, ProgramTest
IMAGES = 3000


def online(*arguments, **options):
    return subprocess.run([os.path.join(BUILD, "hedge"), "online", *arguments], text=True,
                          capture_output=True, check=False, **options)


class Online(ProgramTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        draw = random.Random(1)
        scores, labels, server = [], [], []
        for _ in range(IMAGES):
            # Two of three classes in doubt; the first is right with the probability of its score.
            top = draw.uniform(0.5, 1)
            order = draw.sample(range(3), 3)
            row = [0.0] * 3
            row[order[0]], row[order[1]] = top, 1 - top
            scores.append(",".join(f"{value:.9g}" for value in row))
            labels.append(order[0] if draw.random() < top else order[1])
            server.append(labels[-1] if draw.random() < 0.98 else order[2])
        cls.write("scores.csv", scores)
        cls.write("labels.txt", labels)
        cls.write("server.txt", server)
        cls.labels, cls.server = labels, server

    @classmethod
    def path(cls, name):
        return os.path.join(cls.root, name)

    @classmethod
    def write(cls, name, lines):
        with open(cls.path(name), "w") as file:
            file.write("".join(f"{line}\n" for line in lines))
        return cls.path(name)

    def recorded(self, *arguments):
        return online(f"--scores={self.path('scores.csv')}", f"--labels={self.path('labels.txt')}",
                      *arguments)

    def result(self, *arguments):
        done = online("--json=-", *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout), done

    def recorded_result(self, *arguments):
        return self.result(f"--scores={self.path('scores.csv')}",
                           f"--labels={self.path('labels.txt')}", *arguments)

    def refused(self, done, *words):
        super().refused(done, *words)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)

    @staticmethod
    def policy(result, name):
        return next(policy for policy in result["policies"] if policy["name"] == name)

    def test_recorded(self):
        result, done = self.recorded_result("--cost=0.2", "--policy=all",
                                            f"--server-labels={self.path('server.txt')}")
        self.assertEqual(result["schema"], "hedge.online/1")
        self.assertEqual(result["images"], IMAGES)
        self.assertEqual(result["scores_kind"], "softmax")
        wrong = sum(a != b for a, b in zip(self.labels, self.server))
        self.assertAlmostEqual(result["server_accuracy"], 1 - wrong / IMAGES)
        # Costs as they can be counted by hand.
        always = self.policy(result, "always")
        self.assertAlmostEqual(always["cost_per_image"]["mean"], 0.2 + wrong / IMAGES)
        self.assertEqual(always["offload_fraction"]["mean"], 1)
        never = self.policy(result, "never")
        self.assertAlmostEqual(never["cost_per_image"]["mean"], 1 - result["local_accuracy"])
        best = self.policy(result, "best fixed")
        self.assertAlmostEqual(best["regret"]["mean"], 0)
        self.assertLess(abs(best["threshold"] - 0.78), 0.08)  # 1 - 0.2 - 0.02
        for name in ("hedge", "ucb", "ucb-lite", "ucb-hoeffding"):
            policy = self.policy(result, name)
            self.assertGreater(policy["regret"]["mean"], 0)
            low, high = policy["regret"]["ci95"]
            self.assertTrue(low < policy["regret"]["mean"] < high)
            self.assertAlmostEqual(
                policy["cost_per_image"]["mean"] - best["cost_per_image"]["mean"],
                policy["regret"]["mean"] / IMAGES)
            self.assertEqual(policy["regret_curve"][-1]["images"], IMAGES)
            self.assertAlmostEqual(policy["regret_curve"][-1]["mean"], policy["regret"]["mean"])
            self.assertAlmostEqual(policy["cost_above_always"]["mean"],
                                   (policy["cost_per_image"]["mean"]
                                    - always["cost_per_image"]["mean"]) * IMAGES)
        hedge = self.policy(result, "hedge")
        self.assertLess(hedge["cost_above_always"]["mean"], 0)
        self.assertLess(hedge["cost_above_never"]["mean"], 0)
        # With --json=- what is for people goes to stderr.
        self.assertIn("Learning while it ran, ", done.stderr)
        self.assertIn("server's best", done.stderr)

    def test_is_deterministic(self):
        for more in ((), ("--order=by-class", "--memory=500"), ("--feedback=labels",)):
            first, second = (self.recorded_result("--repetitions=3", *more)[0] for _ in range(2))
            self.assertEqual({**first, "time_utc": second["time_utc"]}, second)
        other, _ = self.recorded_result("--repetitions=3", "--seed=9")
        self.assertNotEqual(first["policies"], other["policies"])

    def test_orders(self):
        result, _ = self.recorded_result("--order=by-class", "--repetitions=2")
        self.assertIn("tracking_regret", self.policy(result, "hedge"))
        result, _ = self.recorded_result("--order=recorded", "--repetitions=3")
        self.assertNotIn("tracking_regret", self.policy(result, "hedge"))
        self.assertIn("ci95", self.policy(result, "hedge")["regret"])  # Its own coins.
        self.assertNotIn("ci95", self.policy(result, "ucb")["regret"])

    def test_confidences_state_thresholds_in_their_unit(self):
        for rule, low, high in (("top1", 0.5, 1), ("margin", 0, 1), ("entropy", 0, 0.7)):
            result, _ = self.recorded_result(f"--confidence={rule}", "--repetitions=2")
            self.assertEqual(result["confidence"], rule)
            self.assertTrue(low < self.policy(result, "best fixed")["threshold"] < high, rule)
        # Entropy of (0.8, 0.2) and top score 0.8 keep the same images.
        shares = [self.policy(self.recorded_result(f"--confidence={rule}", "--repetitions=1",
                                                   f"--policy=fixed:{at}")[0],
                              f"fixed:{at}")["offload_fraction"]["mean"]
                  for rule, at in (("top1", 0.8), ("entropy", 0.5004024), ("margin", 0.6))]
        self.assertAlmostEqual(shares[0], shares[1], delta=2 / IMAGES)
        self.assertAlmostEqual(shares[0], shares[2], delta=2 / IMAGES)
        decision = self.write("decision.json", [json.dumps(
            {"schema": "hedge.decision/1", "rule": "margin", "threshold": 0.3})])
        by_file, _ = self.recorded_result(f"--decision-file={decision}", "--repetitions=2")
        by_name, _ = self.recorded_result("--confidence=margin", "--repetitions=2")
        self.assertEqual(by_file["policies"], by_name["policies"])

    def test_logits_are_softmaxed_once(self):
        with open(self.path("scores.csv")) as file:
            rows = [[float(cell) for cell in line.split(",")] for line in file]
        logits = self.write("logits.csv", [",".join(f"{math.log(max(p, 1e-30)) + 7:.9g}" for p in row)
                                           for row in rows])
        seen, _ = self.result(f"--scores={logits}", f"--labels={self.path('labels.txt')}",
                              "--policy=fixed:0.8")
        self.assertEqual(seen["scores_kind"], "logits")
        softmax, _ = self.recorded_result("--policy=fixed:0.8")
        self.assertAlmostEqual(self.policy(seen, "fixed:0.8")["offload_fraction"]["mean"],
                               self.policy(softmax, "fixed:0.8")["offload_fraction"]["mean"],
                               delta=2 / IMAGES)
        energy, _ = self.result(f"--scores={logits}", f"--labels={self.path('labels.txt')}",
                                "--confidence=energy", "--repetitions=2")
        self.assertEqual(energy["confidence"], "energy")
        self.refused(self.recorded("--confidence=energy"), "energy", "logits")

    def test_synthetic(self):
        result, done = self.result("--synthetic=stationary", "--images=20000", "--repetitions=4")
        self.assertLess(abs(self.policy(result, "best fixed")["threshold"] - 0.7), 0.01)
        hedge = self.policy(result, "hedge")
        self.assertTrue(0.55 < hedge["growth_exponent"] < 0.8, hedge["growth_exponent"])
        self.assertIn("images^", done.stderr)
        level, _ = self.result("--synthetic=stationary", "--images=60000", "--repetitions=3",
                               "--levels=10", "--policy=ucb")
        self.assertLess(self.policy(level, "ucb")["growth_exponent"], 0.4)
        for kind in ("sudden", "gradual", "recurring"):
            result, _ = self.result(f"--synthetic={kind}", "--images=8000", "--repetitions=2",
                                    "--memory=1000")
            self.assertIn("tracking_regret", self.policy(result, "ucb"))

    def test_curves(self):
        table, plot = self.path("regret.csv"), self.path("regret.svg")
        result, _ = self.recorded_result(f"--csv={table}", f"--svg={plot}", "--repetitions=3",
                                         "--policy=hedge,ucb,fixed:0.6")
        with open(table) as file:
            rows = list(csv.DictReader(file))
        of_hedge = [row for row in rows if row["policy"] == "hedge"]
        curve = self.policy(result, "hedge")["regret_curve"]
        self.assertEqual([int(row["images"]) for row in of_hedge],
                         [point["images"] for point in curve])
        self.assertAlmostEqual(float(of_hedge[-1]["ci95_lower"]), curve[-1]["ci95"][0])
        root = xml.etree.ElementTree.parse(plot).getroot()
        name = "{http://www.w3.org/2000/svg}"
        lines = root.findall(f"{name}polyline")
        self.assertEqual(len(lines), 3)
        for line in lines:
            for point in line.get("points").split():
                x, y = map(float, point.split(","))
                self.assertTrue(70 <= x <= 700 and 20 <= y <= 370, point)
        texts = [text.text for text in root.findall(f"{name}text")]
        for text in ("hedge", "ucb", "fixed:0.6", "images", "regret, wrong answers"):
            self.assertIn(text, texts)

    def test_flags_of_policies_that_do_not_run_are_said(self):
        done = self.recorded("--policy=ucb", "--experts=64", "--bins=8", "--repetitions=1")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("--experts without effect", done.stderr)
        self.assertNotIn("--bins", done.stderr)
        done = self.recorded("--policy=fixed:0.6", "--memory=64", "--repetitions=1")
        self.assertIn("--memory without effect", done.stderr)
        self.assertNotIn("Learning while", done.stdout)

    def test_ctrl_c_keeps_the_repetitions_that_ended(self):
        path = self.path("cut.json")
        running = subprocess.Popen(
            [os.path.join(BUILD, "hedge"), "online", "--synthetic=stationary", "--images=20000",
             "--repetitions=100000", f"--json={path}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True)
        time.sleep(1)
        running.send_signal(signal.SIGINT)
        out, _ = running.communicate(timeout=60)
        self.assertEqual(running.returncode, 130)
        self.assertIn("hedge ", out)
        with open(path) as file:
            repetitions = self.policy(json.load(file), "hedge")["repetitions"]
        self.assertTrue(1 <= repetitions < 100000)

    def test_bad_input(self):
        scores, labels = f"--scores={self.path('scores.csv')}", f"--labels={self.path('labels.txt')}"
        short = self.write("short.txt", self.labels[:-1])
        other = self.write("other.txt", [7, *self.labels[1:]])
        few_scores = self.write("few.csv", ["0.5,0.3,0.2"] * 20)
        few_labels = self.write("few.txt", [0] * 20)
        nothing = self.write("nan.csv", ["nan,nan,nan"] * 200)
        zeros = self.write("zeros.txt", [0] * 200)
        always = self.write("always.json", ['{"schema": "hedge.decision/1", "rule": "always"}'])
        other_classes = self.write("ten.json", [json.dumps(
            {"schema": "hedge.decision/1", "rule": "top1", "threshold": 0.5, "classes": 10})])
        for arguments, words in (
                ((), ("--scores", "--labels", "--synthetic")),
                ((scores,), ("--labels",)),
                ((scores, f"--labels={short}"), ("short.txt", "2999 lines", "3000")),
                ((scores, f"--labels={other}"), ("other.txt", "line 1", "from 0 to 2")),
                ((scores, labels, f"--server-labels={short}"), ("short.txt", "2999")),
                ((f"--scores={few_scores}", f"--labels={few_labels}"), ("20 images", "100")),
                ((f"--scores={nothing}", f"--labels={zeros}"), ("no image has a confidence",)),
                ((scores, labels, "--cost=1"), ("--cost", "below 1")),
                ((scores, labels, "--cost=-0.1"), ("--cost",)),
                ((scores, labels, "--cost=nan"), ("--cost",)),
                ((scores, labels, "--server-error-cost=2"), ("--server-error-cost",)),
                ((scores, labels, "--policy=hegde"), ("hegde", "hedge")),
                ((scores, labels, "--policy=fixed:much"), ("--policy=fixed", "much")),
                ((scores, labels, "--policy=hedge,"), ("--policy",)),
                ((scores, labels, "--confidence=oracle"), ("oracle", "top1")),
                ((scores, labels, "--confidence=sure"), ("sure", "top1")),
                ((scores, labels, f"--decision-file={always}"), ("always", "threshold")),
                ((scores, labels, "--confidence=top1", f"--decision-file={always}"), ("one of them",)),
                ((scores, labels, f"--decision-file={other_classes}"), ("10 classes", "of 3")),
                ((scores, labels, "--memory=100", "--horizon=100"), ("--memory", "--horizon")),
                (("--synthetic=sudden", "--feedback=labels"), ("--feedback",)),
                ((scores, labels, "--logits", "--softmax"), ("--logits", "--softmax")),
                ((scores, labels, "--order=sorted"), ("sorted", "by-class")),
                ((scores, labels, "--feedback=all"), ("--feedback", "labels")),
                ((scores, labels, "--repetitions=0"), ("--repetitions",)),
                ((scores, labels, "--memory=1", "--policy=ucb"), ("memory", "2 images")),
                ((scores, labels, "--experts=1"), ("--experts",)),
                ((scores, labels, "--bins=0"), ("--bins",)),
                ((scores, labels, "--exploration=2"), ("--exploration",)),
                ((scores, labels, "--learning-rate=0"), ("--learning-rate",)),
                ((scores, labels, "--images=500"), ("--images", "--synthetic")),
                ((scores, "--synthetic=sudden"), ("--scores",)),
                (("--synthetic=slow",), ("slow", "sudden")),
                (("--synthetic=sudden", "--images=5"), ("--images",)),
                ((scores, labels, "--csv=/nonexistent/a.csv"), ("/nonexistent",)),
                ((scores, labels, "--csv=same", "--svg=same"), ("--csv", "--svg"))):
            with self.subTest(arguments=arguments):
                self.refused(online(*arguments), *words)


class Cifar(unittest.TestCase):
    def test_a_model_that_is_never_in_doubt(self):
        """resnet56's answers as one-hot scores: all of the same confidence, right in 83.45 %, so that
        to keep costs less than to offload at 0.3."""
        data = os.environ.get("HEDGE_DATA", "")
        answers = os.path.join(data, "cifar_predictions.txt")
        if not os.path.exists(answers):
            self.skipTest("no HEDGE_DATA")
        with open(os.path.join(data, "test_batch.bin"), "rb") as file:
            labels = list(file.read()[::3073])
        with open(answers) as file:
            classes = [int(line) for line in file]
        with tempfile.TemporaryDirectory() as folder:
            paths = [os.path.join(folder, name) for name in ("scores.csv", "labels.txt")]
            with open(paths[0], "w") as file:
                for top in classes:
                    row = ["0"] * 10
                    row[top] = "1"
                    file.write(",".join(row) + "\n")
            with open(paths[1], "w") as file:
                file.writelines(f"{label}\n" for label in labels)
            done = online(f"--scores={paths[0]}", f"--labels={paths[1]}", "--cost=0.3", "--json=-",
                          "--repetitions=3")
        self.assertEqual(done.returncode, 0, done.stderr)
        result = json.loads(done.stdout)
        self.assertAlmostEqual(result["local_accuracy"], 0.8345)
        for name in ("hedge", "ucb"):
            policy = Online.policy(result, name)
            self.assertLess(policy["offload_fraction"]["mean"], 0.25)
            self.assertNotIsInstance(policy["threshold"], str)


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
