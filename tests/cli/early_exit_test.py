# SPDX-License-Identifier: Apache-2.0
"""Early exit as a user meets it: build_engine --exit, inference --exit-decision, measurements --stem.
HEDGE_BUILD is the build folder, HEDGE_SOURCE the checkout."""
import math
import os
import shutil
import threading
import time
import unittest

from support import SANITIZED, SHARED, SOURCE, ProgramTest, call, read_json

DEMO = os.path.join(SOURCE, "models", "EE_resnet20w_shapes.onnx")
PLAIN = os.path.join(SOURCE, "models", "resnet8_shapes.onnx")
IMAGES = 200 if SANITIZED else 1000


def read_rows(path):
    with open(path) as text:
        return [[float(x) for x in line.split(",")] for line in text]


def arg_max(row):
    return row.index(max(row))


class EarlyExit(ProgramTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data = os.path.join(cls.root, "data")
        assert call("hedge", "make-data", "shapes", cls.data, "--images=1000").returncode == 0
        cls.engine = cls.path("EE_resnet20w_shapes_fp32.engine")
        built = cls.build(DEMO, f"--engine={cls.engine}")
        assert built.returncode == 0, built.stderr
        cls.built = built.stdout

    @classmethod
    def path(cls, name):
        return os.path.join(cls.root, name)

    @classmethod
    def build(cls, onnx, *arguments, precision="fp32"):
        return call("build_engine", f"--onnx={onnx}", f"--precision={precision}", f"--data={cls.data}",
                    "--builderOptimizationLevel=0", f"--timing_cache={cls.path('timing.cache')}", *arguments)

    def infer(self, decision, *arguments, engine=None, iterations=IMAGES):
        return call("inference", f"--model={engine or self.engine}", f"--data={self.data}",
                    f"--iterations={iterations}", f"--exit-decision={decision}", *arguments)

    def result(self, decision, *arguments, **options):
        path = self.path("result.json")
        done = self.infer(decision, f"--json={path}", *arguments, **options)
        self.assertEqual(done.returncode, 0, done.stderr)
        return read_json(path), done.stdout

    # ---- building

    def test_an_ee_model_with_two_outputs_has_its_exit_by_itself(self):
        self.assertIn("early exit exit after 37823424 multiply-accumulates (39.1 %)", self.built)
        self.assertIn("stage0.block2 1x24x32x32", self.built)
        info = call("hedge", "info", self.engine)
        self.assertIn("early exit exit after 37823424", info.stdout)

    def test_a_model_of_another_name_is_told_its_exit(self):
        other = self.path("net_shapes.onnx")
        shutil.copy(DEMO, other)
        plain = self.build(other, f"--engine={self.path('plain.engine')}")
        self.assertNotIn("early exit", plain.stdout)
        told = self.build(other, "--exit=exit", f"--engine={self.path('told.engine')}")
        self.assertIn("early exit exit after 37823424", told.stdout)
        # Both outputs in one inference, exit or not.
        scores = [self.path("a.npy"), self.path("b.npy")]
        for engine, file in (("plain", scores[0]), ("told", scores[1])):
            done = call("inference", f"--model={self.path(engine + '.engine')}", f"--data={self.data}",
                        "--iterations=50", f"--scores={file}")
            self.assertEqual(done.returncode, 0, done.stderr)
        with open(scores[0], "rb") as a, open(scores[1], "rb") as b:
            self.assertEqual(a.read(), b.read())

    def test_exits_that_are_none_are_explained(self):
        def build(tensor, onnx=DEMO):
            return self.build(onnx, f"--exit={tensor}", f"--engine={self.path('no.engine')}")

        self.refused(build("exitt"), "no tensor of this name", "did you mean 'exit'", "would do: 'exit'")
        self.refused(build("stage0.block2"), "1x24x32x32", "float32 1x10", "would do: 'exit'")
        self.refused(build("scores"), "saves nothing")
        self.refused(build("logits", PLAIN), "saves nothing", "needs a head of its own")
        self.refused(build("scores", PLAIN), "is what the model ends in")
        self.assertFalse(os.path.exists(self.path("no.engine")))

    # ---- running

    def test_answers_are_those_of_the_exit_or_of_the_net(self):
        files = {name: self.path(f"{name}.csv") for name in ("exit", "net")}
        predictions = self.path("predictions.txt")
        result, _ = self.result("margin:2e-1", f"--exit-scores={files['exit']}", f"--scores={files['net']}",
                                f"--predictions={predictions}")
        def margin(row):
            top = sorted((math.exp(x - max(row)) for x in row), reverse=True)
            return (top[0] - top[1]) / sum(top)

        exit_rows, net_rows = read_rows(files["exit"]), read_rows(files["net"])
        self.assertEqual(len(exit_rows), IMAGES)
        with open(predictions) as text:
            answers = [int(line) for line in text]
        exits = 0
        for exit_row, net_row, answer in zip(exit_rows, net_rows, answers):
            if abs(margin(exit_row) - 0.2) < 1e-5:
                continue
            leaves = margin(exit_row) >= 0.2
            exits += leaves
            self.assertEqual(answer, arg_max(exit_row if leaves else net_row))
        self.assertAlmostEqual(result["early_exit"]["exits"], exits, delta=2)
        self.assertEqual(result["early_exit"]["decision"], "margin")

    def test_the_bounds_are_the_exit_alone_and_the_net_alone(self):
        all_leave, text = self.result("top1:0")
        none_leaves, _ = self.result("top1:1")
        early = all_leave["early_exit"]
        self.assertEqual(early["exit_fraction"], 1)
        self.assertEqual(all_leave["accuracy"]["correct"], early["accuracy_exit"]["correct"])
        self.assertNotIn("continued_us", early)
        self.assertNotIn("continued", text)
        self.assertLess(none_leaves["early_exit"]["exit_fraction"], 0.2)
        self.assertEqual(early["accuracy_net"]["correct"], none_leaves["early_exit"]["accuracy_net"]["correct"])
        # What was trained: the exit is good, the net better.
        self.assertGreater(early["accuracy_exit"]["top1"], 0.88)
        self.assertGreater(early["accuracy_net"]["top1"], early["accuracy_exit"]["top1"] + 0.02)

    def test_the_tail_does_not_run(self):
        # The least time of each, since the machine may be busy.
        result, text = self.result("top1:0.9")
        early = result["early_exit"]
        self.assertLess(early["exited_us"]["min"], 0.75 * early["whole_us"]["min"])
        self.assertLess(early["whole_us"]["min"], 1.25 * early["continued_us"]["min"])
        self.assertIn("saved", text)
        counts = early["exited_us"]["count"], early["continued_us"]["count"]
        self.assertEqual(sum(counts), IMAGES)
        self.assertEqual(counts[0], early["exits"])
        self.assertEqual(result["latency_us"]["scope"], "stem+decide+tail")

    def test_most_leave_and_hardly_any_answer_is_lost(self):
        early = self.result("top1:0.9")[0]["early_exit"]
        self.assertGreater(early["exit_fraction"], 0.6)
        self.assertGreater(early["accuracy_exited"]["top1"], 0.97)
        self.assertLess(early["lost"] - early["won"], 0.02 * IMAGES)

    def test_more_images_than_there_are_count_once(self):
        few = self.path("few")
        self.assertEqual(call("hedge", "make-data", "shapes", few, "--images=60").returncode, 0)
        path = self.path("few.json")
        done = call("inference", f"--model={self.engine}", f"--data={few}", "--iterations=130",
                    "--exit-decision=top1:0.9", f"--json={path}")
        self.assertEqual(done.returncode, 0, done.stderr)
        result = read_json(path)
        self.assertEqual(result["accuracy"]["total"], 60)
        self.assertEqual(result["latency_us"]["count"], 130)

    def test_other_precisions(self):
        for precision in ("bf16", "int8"):
            engine = self.path(f"EE_resnet20w_shapes_{precision}.engine")
            built = self.build(DEMO, f"--engine={engine}", f"--calib_cache={self.path('ee.cache')}",
                               f"--calib_input={self.data}/shapes_test.bin", "--calib_num_images=200",
                               precision=precision)
            if precision == "bf16" and built.returncode == 2:
                self.assertIn("no bf16", built.stderr)
                continue
            self.assertEqual(built.returncode, 0, built.stderr)
            self.assertIn("early exit exit after 37823424", built.stdout)
            early = self.result("top1:0.9", engine=engine)[0]["early_exit"]
            self.assertGreater(early["accuracy_exited"]["top1"], 0.95, precision)
            self.assertGreater(early["accuracy_net"]["top1"], 0.93, precision)
            self.assertLess(early["exited_us"]["min"], 0.85 * early["whole_us"]["min"], precision)

    def test_doubtful_images_are_offloaded_by_the_policy(self):
        labels = self.path("server.txt")
        with open(os.path.join(self.data, "shapes_test.bin"), "rb") as records:
            truth = [record[0] for record in iter(lambda: records.read(3073), b"")]
        with open(labels, "w") as file:
            file.writelines(f"{label}\n" for label in truth)
        # At the exit: all that do not leave, and the tail never runs.
        result, text = self.result("top1:0.9", "--offload-at-exit", f"--server-labels={labels}")
        early = result["early_exit"]
        self.assertEqual(early["offloads"], IMAGES - early["exits"])
        self.assertEqual(result["accuracy"]["correct"], early["accuracy_exited"]["correct"] + early["offloads"])
        self.assertNotIn("continued_us", early)
        self.assertLess(early["offloaded_us"]["min"], 0.75 * early["whole_us"]["min"])
        self.assertIn("offloaded", text)
        # Behind the whole net: those of which it is unsure too, so fewer.
        result, _ = self.result("top1:0.9", "--net-decision=top1:0.9", f"--server-labels={labels}")
        behind = result["early_exit"]
        self.assertEqual(behind["exits"], early["exits"])
        self.assertGreater(behind["offloads"], 0)
        self.assertLess(behind["offloads"], early["offloads"])
        self.assertEqual(behind["accuracy_server"]["top1"], 1)
        self.assertGreater(result["accuracy"]["top1"], behind["accuracy_net"]["top1"])
        self.assertEqual(behind["continued_us"]["count"], IMAGES - behind["exits"])
        # And what makes no sense.
        self.refused(self.infer("top1:0.9", "--offload-at-exit"), "--server-labels")
        self.refused(self.infer("top1:0.9", f"--server-labels={labels}"), "nothing is offloaded")
        self.refused(self.infer("top1:0.9", "--offload-at-exit", "--net-decision=top1:0.9",
                                f"--server-labels={labels}"), "--net-decision")
        with open(labels, "a") as file:
            file.write("3\n")
        self.refused(self.infer("top1:0.9", "--offload-at-exit", f"--server-labels={labels}"), labels)

    def test_bad_flags_are_refused(self):
        self.refused(self.infer("top1"), "--exit-decision=top1", "top1:THRESHOLD")
        self.refused(self.infer("top1:2"), "between 0 and 1")
        self.refused(self.infer("nothing"), "neither a file nor")
        self.refused(self.infer("top1:0.9", "--batch=2"), "--batch=1")
        plain = self.path("resnet8_shapes_fp32.engine")
        self.assertEqual(self.build(PLAIN, f"--engine={plain}").returncode, 0)
        self.refused(self.infer("top1:0.9", engine=plain), plain, "no early exit", "--exit=TENSOR")
        self.refused(call("inference", f"--model={plain}", f"--data={self.data}",
                          f"--exit-scores={self.path('s.npy')}"), "no early exit")
        self.refused(call("measurements", f"--model={plain}", f"--data={self.data}", "--stem"), "no early exit")

    # ---- what an image costs that leaves

    def test_measurements_of_the_stem(self):
        least = {}
        for part in ("", "--stem"):
            path = self.path("m.json")
            done = call("measurements", f"--model={self.engine}", f"--data={self.data}", "--iterations=300",
                        f"--json={path}", *([part] if part else []))
            self.assertEqual(done.returncode, 0, done.stderr)
            result = read_json(path)
            self.assertEqual(result["config"].get("part"), "stem" if part else None)
            least[part] = result["per_iteration_us"]["min"]
        self.assertLess(least["--stem"], 0.75 * least[""])

    def test_energy_of_the_stem_is_less(self):
        # A counter that runs at 20 W while anything runs: energy goes with time.
        energy = {}
        machine = self.path("machine")
        folder = os.path.join(machine, "sys/class/powercap/intel-rapl:0")
        os.makedirs(folder)
        for name, text in (("name", "package-0\n"), ("max_energy_range_uj", "262143328850\n"),
                           ("energy_uj", "0\n")):
            with open(os.path.join(folder, name), "w") as file:
                file.write(text)
        stopped = threading.Event()

        def count():
            file = os.open(os.path.join(folder, "energy_uj"), os.O_WRONLY)
            begin = time.monotonic()
            while not stopped.wait(0.002):
                os.pwrite(file, b"%-16d\n" % int((time.monotonic() - begin) * 20e6), 0)
            os.close(file)

        thread = threading.Thread(target=count)
        thread.start()
        try:
            for part in ("", "--stem"):
                path = self.path("e.json")
                done = call("measurements", f"--model={self.engine}", f"--data={self.data}", "--energy",
                            "--duration=1s", "--idle=0.2s", f"--json={path}", *([part] if part else []),
                            env=dict(os.environ, HEDGE_SYSFS_ROOT=machine,
                                     HEDGE_NVML_LIBRARY="/nonexistent/libnvidia-ml.so.1"))
                self.assertEqual(done.returncode, 0, done.stderr)
                energy[part] = read_json(path)["energy"]["mj_per_inference"]
        finally:
            stopped.set()
            thread.join()
        self.assertLess(energy["--stem"], 0.85 * energy[""])

    # ---- the published models, which have one path each

    @unittest.skipUnless(os.path.exists(os.path.join(SHARED, "models", "EE_resnet8.onnx")), "no shared data")
    def test_published_models_hold_no_exit(self):
        model = os.path.join(SHARED, "models", "EE_resnet8.onnx")
        built = self.build(model, "--dataset=cifar", f"--engine={self.path('p.engine')}")
        self.assertEqual(built.returncode, 0, built.stderr)
        self.assertNotIn("early exit", built.stdout)
        self.refused(self.build(model, "--dataset=cifar", "--exit=output"), "is what the model ends in",
                     "needs a head of its own")


if __name__ == "__main__":
    unittest.main()
