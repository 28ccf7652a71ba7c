# SPDX-License-Identifier: Apache-2.0
"""Runs measurements and inference as a user does who wants figures that can be defended. HEDGE_BUILD is
the build folder, HEDGE_SOURCE the checkout. How good the figures are is not asked: the machine may be
busy, so a verdict is held against its reasons, never expected."""
import csv
import json
import os
import pty
import signal
import subprocess
import time
import unittest

from support import BUILD, SOURCE, ProgramTest, build_demo


class Measurements(ProgramTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data, cls.engine = build_demo(cls.root)

    def command(self, *arguments, program="measurements"):
        return [os.path.join(BUILD, program), f"--model={self.engine}", f"--data={self.data}", *arguments]

    def call(self, *arguments, program="measurements"):
        return subprocess.run(self.command(*arguments, program=program), text=True, capture_output=True,
                              check=False)

    def measure(self, *arguments, program="measurements"):
        """The result, and what was printed."""
        done = self.call("--json=-", *arguments, program=program)
        self.assertEqual(done.returncode, 0, done.stderr)
        result = json.loads(done.stdout)
        verdict = result["validity"]["verdict"]
        self.assertEqual(verdict == "INVALID", bool(result["validity"].get("reasons")), result["validity"])
        self.assertIn(f"verdict    {verdict}\n", done.stderr)
        return result, done.stderr

    def refused(self, arguments, *words, program="measurements"):
        done = self.call(*arguments, program=program)
        super().refused(done, *words)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)

    def test_default(self):
        result, text = self.measure("--iterations=2000")
        self.assertEqual(result["latency_us"]["scope"], "loop")
        self.assertEqual(result["latency_us"]["count"], 2000)
        self.assertIn("amortised: 2000 inferences in ", text)
        each = result["per_iteration_us"]
        self.assertEqual(each["count"], 2000)
        self.assertLessEqual(each["min"], each["p50"])
        self.assertLessEqual(each["p50"], each["max"])
        self.assertGreaterEqual(each["autocorrelation_time"], 1)
        self.assertEqual(each["needed_samples"]["p999"], 3688)
        self.assertIn("p99.9 needs 3688", text)
        self.assertGreater(result["cold_us"], 0)
        self.assertGreaterEqual(result["warmup"]["runs"], 100)
        self.assertEqual(result["warmup"]["runs"], result["config"]["warmup_iterations"])
        self.assertIn("settled", result["warmup"])
        self.assertGreater(result["usage"]["cpu_seconds"], 0)
        self.assertEqual(result["headline"], {"statistic": "mean", "us": result["latency_us"]["mean"]})
        for moment in ("before", "during", "after"):
            self.assertTrue(result["conditions"][moment], moment)
        self.assertEqual(sum(s["count"] for s in result["regimes"]["segments"]), 2000)

    def test_presets_and_what_overrides_them(self):
        result, text = self.measure("--preset=trtexec", "--duration=50ms")
        self.assertIn("preset     trtexec: 200 ms of warm-up; 50 ms and 10 iterations at least; each timed", text)
        self.assertEqual(result["config"]["preset"], "trtexec")
        self.assertEqual(result["config"]["timing"], "each")
        self.assertEqual(result["config"]["least_seconds"], 0.05)
        self.assertGreaterEqual(result["warmup"]["seconds"], 0.2)
        self.assertNotIn("settled", result["warmup"])
        latency = result["latency_us"]
        self.assertEqual(latency["scope"], "infer")
        self.assertGreaterEqual(latency["count"], 10)
        self.assertGreaterEqual(latency["count"] * latency["mean"], 40_000)

        result, text = self.measure("--preset=single-stream", "--duration=50ms", "--warmup=20", "--iterations=500")
        self.assertEqual(result["headline"]["statistic"], "p90")
        self.assertEqual(result["headline"]["us"], result["latency_us"]["p90"])
        self.assertGreaterEqual(result["headline"]["upper99_us"], result["headline"]["us"])
        self.assertEqual(result["warmup"]["runs"], 20)
        self.assertIn("at 99 % confidence", text)

        result, text = self.measure("--preset=tiny", "--duration=60ms", "--warmup=10")
        self.assertEqual(len(result["repetitions_us"]), 5)
        self.assertEqual(result["headline"]["us"], sorted(result["repetitions_us"])[2])
        self.assertEqual(result["headline"]["statistic"], "median of 5 means")
        self.assertNotIn("p50", result["latency_us"])
        for name in ("quick", "trtexec", "single-stream", "tiny"):
            self.assertNotIn("MLPerf", self.measure(f"--preset={name}", "--duration=10ms", "--iterations=10",
                                                    "--warmup=1")[1])

    def test_samples(self):
        for name in ("s.csv", "s.json"):
            path = os.path.join(self.root, name)
            result, _ = self.measure("--timing=each", "--iterations=50", "--repetitions=2", f"--samples={path}")
            self.assertEqual(result["latency_us"]["samples_file"], path)
            with open(path) as text:
                if name.endswith(".csv"):
                    rows = list(csv.DictReader(text))
                    samples = [int(row["latency_ns"]) for row in rows]
                    self.assertEqual([row["repetition"] for row in rows], ["0"] * 50 + ["1"] * 50)
                else:
                    samples = json.load(text)["latency_ns"]
            self.assertEqual(len(samples), 100)
            self.assertAlmostEqual(sum(samples) / 1e5, result["latency_us"]["mean"], places=6)
            self.assertEqual(min(samples) / 1000, result["latency_us"]["min"])

    def test_paced(self):
        path = os.path.join(self.root, "paced.csv")
        result, text = self.measure("--rate=100/s", "--iterations=30", f"--samples={path}")
        paced = result["paced"]
        self.assertEqual((paced["requests"], paced["arrivals"], paced["rate_per_s"]), (30, "periodic", 100))
        self.assertGreaterEqual(paced["seconds"], 0.3)
        self.assertLess(paced["busy"], 1)
        self.assertEqual(paced["response_us"]["count"], 30)
        self.assertIn(f"missed     {paced['missed']} of 30 requests", text)
        self.assertLess(result["usage"]["cpu_seconds"], result["usage"]["wall_seconds"])
        with open(path) as rows:
            rows = list(csv.DictReader(rows))
        self.assertEqual([int(row["scheduled_ns"]) for row in rows], [i * 10_000_000 for i in range(30)])
        first, _ = self.measure("--rate=6000/min", "--arrivals=poisson", "--seed=3", "--duration=200ms")
        self.assertEqual(first["paced"]["seed"], 3)
        again, _ = self.measure("--rate=100", "--arrivals=poisson", "--seed=3", "--duration=200ms")
        self.assertEqual(first["paced"]["requests"], again["paced"]["requests"])

    def test_an_overloaded_device_is_called_so(self):
        done = self.call("--rate=1000000/s", "--iterations=200", "--strict", "--json=-")
        self.assertEqual(done.returncode, 3, done.stderr)
        result = json.loads(done.stdout)
        self.assertGreater(result["paced"]["missed"], 100)
        self.assertIn("cannot be kept up with", " ".join(result["validity"]["reasons"]))

    def test_strict(self):
        """Ten samples are too few on any machine."""
        for program in ("measurements", "inference"):
            flags = ("--iterations=10", "--warmup=1")
            self.assertEqual(self.call(*flags, program=program).returncode, 0)
            done = self.call(*flags, "--strict", program=program)
            self.assertEqual(done.returncode, 3, done.stderr)
            self.assertIn("too few samples: 10 count as 10", done.stdout)

    def test_inference(self):
        path = os.path.join(self.root, "i.csv")
        result, text = self.measure("--iterations=300", f"--samples={path}", program="inference")
        split = result["split_us"]
        self.assertEqual(set(split), {"preprocess", "compute", "decide"})
        self.assertEqual(split["compute"], result["latency_us"]["p50"])
        self.assertIn("split      preprocess", text)
        self.assertGreater(result["cold_us"], 0)
        self.assertEqual(result["regimes"]["segments"][0]["first"], 0)
        with open(path) as rows:
            self.assertEqual(len(rows.readlines()), 301)

    def test_streams(self):
        for streams in (1, 2):
            result, text = self.measure(f"--streams={streams}", "--iterations=600", "--warmup=5")
            self.assertEqual(result["config"]["streams"], streams)
            counts = result["config"]["stream_inferences"]
            self.assertEqual(len(counts), streams)
            latency = result["latency_us"]
            self.assertEqual(sum(counts), latency["count"])
            self.assertGreater(latency["count"], 400)
            self.assertEqual(latency["scope"], "infer")
            self.assertIn("mean_ci95", latency)
            # No more than streams that take the least time each; no less than all over the whole run.
            self.assertLess(result["throughput_per_s"], streams * 1e6 / latency["min"] * 1.01)
            self.assertGreater(result["throughput_per_s"], latency["count"] / result["usage"]["wall_seconds"])
            if streams == 1:
                self.assertLessEqual(result["throughput_per_s"], 1e6 / latency["mean"] * 1.0001)
            self.assertIn(f"streams    {streams} side by side", text)
            self.assertIn("throughput ", text)
        self.assertNotIn("streams", self.measure("--iterations=100", "--warmup=1")[0]["config"])
        batched, _ = self.measure("--streams=2", "--batch=3", "--iterations=600", "--warmup=2")
        self.assertLess(batched["throughput_per_s"], 2 * 3e6 / batched["latency_us"]["min"] * 1.1)
        self.assertGreater(batched["throughput_per_s"],
                           3 * batched["latency_us"]["count"] / batched["usage"]["wall_seconds"])
        self.refused(["--streams=0"], "--streams")
        self.refused(["--streams=many"], "--streams")
        for flag in ("--rate=10/s", "--preset=quick", "--repetitions=2", "--timing=each", "--samples=s.csv",
                     "--benchmark_out=b.json", "--energy", "--stem"):
            self.refused(["--streams=2", flag], "--streams", flag.split("=")[0])

    def test_where_preprocessing_is_done(self):
        """The null backend takes images as they are and looks at none; the cpu backend takes tensors."""
        idle = os.path.join(self.root, "idle.engine")
        subprocess.run([os.path.join(BUILD, "build_engine"), f"--onnx={SOURCE}/models/resnet8_shapes.onnx",
                        f"--engine={idle}", "--backend=null"], check=True, capture_output=True)
        for flags in (["--preprocess=gpu"], ["--preprocess-on=gpu"], ["--preprocess=gpu", "--preprocess-on=gpu"],
                      ["--preprocess-on=gpu", "--preprocess=scale=1/2"]):
            flags = [f"--model={idle}", "--iterations=300", "--warmup=1", *flags]
            for program in ("measurements", "inference"):
                done = subprocess.run([os.path.join(BUILD, program), f"--data={self.data}", "--json=-", *flags],
                                      text=True, capture_output=True, check=True)
                result = json.loads(done.stdout)
                self.assertEqual(result["config"]["preprocess_on"], "gpu")
                each = result["per_iteration_us"] if program == "measurements" else result["latency_us"]
                self.assertEqual(each["scope"], "preprocess+infer")
                self.assertIn("timed      infer(), preprocessing on the GPU included", done.stderr)
                if program == "inference":  # It is in infer().
                    self.assertEqual(set(result["split_us"]), {"compute", "decide"})
            self.assertEqual(result["config"]["preprocess"].startswith("scale=0.5,"), "scale=1/2" in flags[-1])
        for flags in (["--rate=1000/s"], ["--streams=1"], ["--energy", "--idle=0s"]):
            done = subprocess.run([os.path.join(BUILD, "measurements"), f"--model={idle}", f"--data={self.data}",
                                   "--iterations=300", "--warmup=1", "--preprocess=gpu", "--json=-", *flags],
                                  text=True, capture_output=True, check=True)
            self.assertIn("timed      infer(), preprocessing on the GPU included", done.stderr)
            self.assertEqual(json.loads(done.stdout)["config"]["preprocess_on"], "gpu")
        for program in ("measurements", "inference"):
            result, text = self.measure("--preprocess=cpu", "--iterations=100", "--warmup=1", program=program)
            self.assertNotIn("preprocess_on", result["config"])
            self.assertNotIn("preprocessing on the GPU", text)
            self.refused(["--preprocess=gpu"], "backend cpu preprocesses on the CPU alone", program=program)
            done = subprocess.run([os.path.join(BUILD, program), f"--model={SOURCE}/models/resnet8_shapes.onnx",
                                   "--backend=cpu", "--preprocess=gpu"], text=True, capture_output=True, check=False)
            self.assertEqual((done.returncode, done.stderr.count("\n")), (2, 1), done.stderr)
            self.assertIn("backend cpu", done.stderr)
            self.refused(["--preprocess=gpu", "--preprocess-on=cpu"], "--preprocess-on=cpu", program=program)
            self.refused(["--preprocess-on=tpu"], "--preprocess-on=tpu", program=program)
        self.refused(["--preprocess=gpu", "--stem"], "--stem")
        self.refused(["--preprocess=gpu", "--exit-decision=top1:0.9"], "--exit-decision", program="inference")
        self.refused(["--preprocess=gpu", "--iterations=10"], "--preprocess=gpu", "measurements and inference",
                     program="simulation")
        # A recipe may be in a file of any name.
        with open(os.path.join(self.root, "gpu"), "w") as recipe:
            recipe.write("scale=1/3\n")
        done = subprocess.run(self.command("--preprocess=gpu", "--iterations=10", "--warmup=1", "--json=-"), text=True,
                              capture_output=True, check=True, cwd=self.root)
        self.assertIn("scale=0.333", json.loads(done.stdout)["config"]["preprocess"])

    def test_bad_flags(self):
        self.refused(["--preset=trtexek"], "--preset", "trtexec")
        self.refused(["--warmup=-1"], "--warmup")
        self.refused(["--warmup=soon"], "--warmup", "200ms")
        self.refused(["--duration=3"], "--duration", "30s")
        self.refused(["--duration=0s"], "--duration=0s: give 1us to 720h")
        self.refused(["--duration=1h", "--energy", "--idle=2h"], "--idle=2h: give 0s to 1h")
        self.refused(["--duration=1e99s"], "--duration")
        self.refused(["--repetitions=0"], "--repetitions")
        self.refused(["--timing=some"], "--timing")
        self.refused(["--samples=s.txt"], "--samples", ".csv")
        self.refused(["--samples=/no/such/folder/s.csv"], "/no/such/folder")
        self.refused(["--samples=s.csv", "--timing=loop"], "--samples")
        self.refused(["--preset=single-stream", "--timing=loop"], "--timing")
        for rate in ("0/s", "-1/s", "nan/s", "2000000/s", "1 /s", "/s"):
            self.refused([f"--rate={rate}"], f"--rate={rate}: ", "above 0 and at most 1000000/s", "10/s")
        self.refused(["--rate=10/day"], "--rate", "10/s")
        self.refused(["--rate=often"], "--rate")
        self.refused(["--rate=10/s", "--preset=quick"], "--rate", "--preset")
        self.refused(["--rate=10/s", "--arrivals=weekly"], "--arrivals", "poisson")
        self.refused(["--rate=10/s", "--seed=3"], "--seed", "poisson")
        self.refused(["--arrivals=poisson"], "--arrivals", "--rate")
        self.refused(["--seed=3"], "--seed", "--rate")
        self.refused(["--samples=s.csv", "--batch=1,2"], "--samples", program="inference")

    def test_ctrl_c_keeps_what_was_measured(self):
        for flags in (["--duration=60s"], ["--rate=50/s", "--duration=60s"], ["--preset=tiny"]):
            process = subprocess.Popen(self.command("--json=-", "--warmup=1", *flags), text=True,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            time.sleep(1)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
            self.assertEqual(process.returncode, 130, err)
            result = json.loads(out)
            self.assertGreater(result["latency_us"]["mean"], 0)
            self.assertIn("Ctrl-C", " ".join(result["validity"]["reasons"]))

    def test_progress_on_a_terminal(self):
        ours, theirs = pty.openpty()
        done = subprocess.run(self.command("--duration=600ms", "--timing=each"), stdout=subprocess.PIPE,
                              stderr=theirs, check=False)
        os.close(theirs)
        self.assertEqual(done.returncode, 0)
        self.assertIn(b"measuring, ms [", os.read(ours, 100_000))
        os.close(ours)


if __name__ == "__main__":
    unittest.main()
