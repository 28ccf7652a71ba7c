# SPDX-License-Identifier: Apache-2.0
"""Runs `measurements --energy` and its like beside power meters of our own. HEDGE_BUILD is the build
folder, HEDGE_SOURCE the checkout."""
import datetime
import json
import os
import pty
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from support import BUILD, DEMO, SANITIZED, Background, ProgramTest, build_demo

RAPL = "sys/class/powercap/intel-rapl:0"
RANGE_UJ = 262143328850


class Counter(Background):
    """A RAPL counter that runs at `watts` in the background, from `start_uj` on."""

    def __init__(self, root, watts, start_uj=0):
        self.folder = os.path.join(root, RAPL)
        os.makedirs(self.folder, exist_ok=True)
        for name, text in (("name", "package-0\n"), ("max_energy_range_uj", f"{RANGE_UJ}\n"),
                           ("energy_uj", f"{start_uj}\n")):
            with open(os.path.join(self.folder, name), "w") as file:
                file.write(text)
        self.watts = watts
        self.start_uj = start_uj

    def run(self):
        file = os.open(os.path.join(self.folder, "energy_uj"), os.O_WRONLY)
        begin = time.monotonic()
        while not self.stopped.wait(0.002):
            value = self.start_uj + (time.monotonic() - begin) * self.watts * 1e6
            os.pwrite(file, b"%-16d\n" % (int(value) % RANGE_UJ), 0)
        os.close(file)


class Energy(ProgramTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        os.chmod(cls.root, 0o755)
        cls.data, cls.engine = build_demo(cls.root, "--backend=null")

    def setUp(self):
        self.machine = tempfile.mkdtemp(dir=self.root)
        os.chmod(self.machine, 0o755)

    def environment(self):
        return dict(os.environ, HEDGE_SYSFS_ROOT=self.machine,
                    HEDGE_NVML_LIBRARY="/nonexistent/libnvidia-ml.so.1")

    def call(self, name, *arguments, **options):
        return subprocess.run([os.path.join(BUILD, name), *arguments], text=True, capture_output=True,
                              check=False, env=self.environment(), **options)

    def measure(self, *arguments, **options):
        return self.call("measurements", f"--model={self.engine}", f"--data={self.data}", "--energy",
                         *arguments, **options)

    def result(self, *arguments):
        path = os.path.join(self.machine, "result.json")
        done = self.measure(f"--json={path}", *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(path) as text:
            return json.load(text), done

    def file(self, name, text):
        path = os.path.join(self.machine, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as out:
            out.write(text)
        return path

    # ---- a meter that is there

    def test_bounded_by_duration(self):
        with Counter(self.machine, watts=20):
            result, done = self.result("--duration=2s", "--idle=500ms")
        energy = result["energy"]
        self.assertEqual(energy["meter"], "rapl")
        self.assertEqual(energy["rails"], ["package-0"])
        self.assertLess(abs(energy["mean_watts"] - 20), 1)
        self.assertLess(abs(energy["idle_watts"] - 20), 1)
        self.assertLess(abs(energy["joules_total"] - 20 * energy["seconds"]), 2)
        low, high = energy["ci95"]
        self.assertTrue(low < energy["mj_per_inference"] < high)
        self.assertLess(abs(energy["mj_per_inference_net"]), 0.1 * energy["mj_per_inference"])
        # Energy and latency of one run.
        latency = result["latency_us"]
        self.assertEqual(latency["scope"], "loop")
        self.assertLess(abs(energy["mj_per_inference"] / (20 * latency["mean"] * 1e-3) - 1), 0.1)
        self.assertGreater(result["throughput_per_s"], 0)
        low, high = latency["mean_ci95"]
        self.assertTrue(low <= latency["mean"] <= high)
        self.assertGreaterEqual(latency["stretches"], 20)
        self.assertIn("segments", result["regimes"])
        self.assertGreater(result["warmup"]["runs"], 0)
        timeline = result["config"]["timeline"]
        self.assertLess(timeline["idle_before"][1], timeline["load"][0])
        self.assertGreater(timeline["load"][1] - timeline["load"][0], 1.99)
        for text in ("energy ", "above idle", "W mean [", "W idle", "gain error"):
            self.assertIn(text, done.stdout)

    def test_bounded_by_iterations(self):
        with Counter(self.machine, watts=5):
            result, _ = self.result("--iterations=1000", "--idle=0")
        self.assertEqual(result["config"]["iterations"], 1000)
        self.assertEqual(result["latency_us"]["count"], 1000)
        # The null backend's thousand are over before the counter ticks: unknown, never zero.
        self.assertNotIn("mj_per_inference_net", result["energy"])
        self.assertNotEqual(result["energy"].get("mj_per_inference"), 0)

    def test_a_load_shorter_than_the_meters_ticks(self):
        """Its samples would be of the rest before and after: no figure, and for how long to run."""
        path = os.path.join(self.machine, "short.json")
        with Counter(self.machine, watts=30):
            runs = [self.measure("--iterations=20", "--idle=300ms", f"--json={path}"),
                    self.call("LogisticRegression", "10", "energy", "20000", "--idle=300ms", f"--json={path}2")]
        for done, file, count in zip(runs, (path, f"{path}2"), (20, 20000)):
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("energy     unknown", done.stdout)
            self.assertNotIn("stuck", done.stdout)
            self.assertRegex(done.stdout, r"energy: unknown: package-0: the load of [0-9.]+ ms is shorter than 6 ticks of the "
                                          r"meter \([0-9.]+ ms\): run it for at least [0-9.]+ m?s")
            with open(file) as text:
                energy = json.load(text)["energy"]
            self.assertAlmostEqual(energy["inferences"], count)
            self.assertLess(abs(energy["idle_watts"] - 30), 3)
            for key in ("joules_total", "mean_watts", "mj_per_inference", "mj_per_inference_net", "ci95", "net_ci95",
                        "joules_total_ci95", "mean_watts_ci95"):
                self.assertNotIn(key, energy)
            self.assertNotIn("joules", energy["rail_details"]["package-0"])

    def test_at_a_rate(self):
        """A device that sleeps between two inferences: its energy holds the idle time."""
        with Counter(self.machine, watts=8):
            result, done = self.result("--rate=10/s", "--duration=2s", "--idle=300ms")
        energy = result["energy"]
        self.assertEqual(energy["inferences"], 20)
        self.assertLess(abs(energy["seconds"] - 2), 0.1)
        self.assertLess(abs(energy["mj_per_inference"] - 800), 40)
        self.assertEqual(result["paced"]["requests"], 20)
        self.assertLess(result["latency_us"]["p50"], 50_000)
        self.assertIn("verdict", done.stdout)

    def test_verdict(self):
        result, done = self.result("--iterations=100")
        self.assertEqual(result["validity"]["verdict"], "INVALID")
        self.assertIn("energy: no meter", " ".join(result["validity"]["reasons"]))
        self.assertEqual(self.measure("--iterations=100", "--strict").returncode, 3)

    def test_energies_are_compared(self):
        paths = []
        for watts in (10, 20):
            folder = os.path.join(self.machine, str(watts))
            with Counter(folder, watts=watts):
                path = os.path.join(self.machine, f"{watts}.json")
                done = subprocess.run(
                    [os.path.join(BUILD, "measurements"), f"--model={self.engine}", f"--data={self.data}",
                     "--energy", "--duration=1s", "--idle=0", f"--json={path}"], text=True, capture_output=True,
                    check=False, env=dict(self.environment(), HEDGE_SYSFS_ROOT=folder))
            self.assertEqual(done.returncode, 0, done.stderr)
            paths.append(path)
        # Of one latency, so that power alone tells them apart.
        with open(paths[0]) as text:
            first = json.load(text)
        with open(paths[1]) as text:
            second = json.load(text)
        second["energy"]["mj_per_inference"] = 2 * first["energy"]["mj_per_inference"]
        second["energy"]["ci95"] = [2 * end for end in first["energy"]["ci95"]]
        # Of a latency that is known well, whatever the machine does now.
        for path, result in zip(paths, (first, second)):
            mean = result["latency_us"]["mean"]
            result["latency_us"]["mean_ci95"] = [0.99 * mean, 1.01 * mean]
            result["validity"] = {"verdict": "VALID"}
            with open(path, "w") as text:
                json.dump(result, text)
        out = os.path.join(self.machine, "compared.json")
        done = self.call("hedge", "compare", *paths, f"--json={out}")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"A to B     [0-9.]+ of the time \(98 %: ")
        self.assertRegex(done.stdout, r"A to B     0.5000 of the energy \(98 %: .*\), gross, an inference: A takes less")
        self.assertIn("net, above 0, is not known of both", done.stdout)
        with open(out) as text:
            energy = json.load(text)["energy"]["gross"]
        self.assertAlmostEqual(energy["ratio"], 0.5)
        self.assertLess(energy["ratio_ci98"][1], 0.6)
        self.assertEqual(energy["verdict"], "A takes less")
        # What is INVALID is said, and is no success under --strict.
        second["validity"] = {"verdict": "INVALID", "reasons": ["throttled"]}
        with open(paths[1], "w") as text:
            json.dump(second, text)
        done = self.call("hedge", "compare", *paths, "--strict", f"--json={out}")
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("B is INVALID: throttled", done.stderr)
        self.assertIn("A takes less (INVALID measurements)", done.stdout)
        with open(out) as text:
            self.assertEqual(json.load(text)["validity"], {"verdict": "INVALID", "reasons": ["B: throttled"]})
        # Without the loop's interval nobody knows.
        del second["latency_us"]["mean_ci95"]
        with open(paths[1], "w") as text:
            json.dump(second, text)
        done = self.call("hedge", "compare", *paths)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("of the energy, gross, an inference: no verdict", done.stdout)
        for flag in ("--benchmark_out=x.json", "--iterations=5", "--a=--threads=2"):
            self.refused(self.call("hedge", "compare", *paths, flag), flag.split("=")[0] + ": is for engines")

    def test_wrap_around(self):
        with Counter(self.machine, watts=30, start_uj=RANGE_UJ - 40_000_000):
            result, _ = self.result("--duration=2s", "--idle=300ms")
        self.assertLess(abs(result["energy"]["mean_watts"] - 30), 1.5)

    def interrupt(self, *arguments, after=1.5):
        program = subprocess.Popen(
            [os.path.join(BUILD, "measurements"), f"--model={self.engine}", f"--data={self.data}",
             "--energy", *arguments], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=self.environment())
        time.sleep(after)
        program.send_signal(signal.SIGINT)
        out, err = program.communicate(timeout=60)
        return program.returncode, out, err

    def test_ctrl_c_ends_the_endless_loop_well(self):
        path = os.path.join(self.machine, "result.json")
        with Counter(self.machine, watts=10):
            status, out, err = self.interrupt("--idle=300ms", f"--json={path}",
                                              after=6 if SANITIZED else 2.5)
        self.assertEqual(status, 0, err)
        self.assertIn("until Ctrl-C", err)
        self.assertIn("W mean", out)
        with open(path) as text:
            result = json.load(text)
        self.assertLess(abs(result["energy"]["mean_watts"] - 10), 1)
        self.assertIn("idle_after", result["config"]["timeline"])

    def test_ctrl_c_cuts_a_bounded_run_short(self):
        with Counter(self.machine, watts=10):
            status, out, err = self.interrupt("--duration=1h", "--idle=0",
                                              after=6 if SANITIZED else 2)
        self.assertEqual(status, 130, err)
        self.assertIn("W mean", out)

    def test_live_line_on_a_terminal(self):
        terminal, end = pty.openpty()
        with Counter(self.machine, watts=10):
            program = subprocess.Popen(
                [os.path.join(BUILD, "measurements"), f"--model={self.engine}", f"--data={self.data}",
                 "--energy", "--duration=2s", "--idle=0"], stdout=subprocess.DEVNULL, stderr=end,
                env=self.environment())
            os.close(end)
            seen = b""
            try:
                while part := os.read(terminal, 4096):
                    seen += part
            except OSError:  # The terminal's other end is closed.
                pass
            self.assertEqual(program.wait(), 0)
        os.close(terminal)
        lines = [line for line in seen.decode().split("\r\x1b[K") if "inferences/s" in line]
        self.assertGreater(len(lines), 2, seen)
        self.assertRegex(lines[-1], r"^[0-9.]+ inferences/s  [0-9.]+ W  [0-9.]+ [mun]J each  [12] s$")

    def test_logistic_regression(self):
        with Counter(self.machine, watts=10):
            done = self.call("LogisticRegression", "1000", "energy", "--duration=1500ms", "--idle=300ms")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertRegex(done.stdout, r"energy     [0-9.]+ [un]J \[.*\] a decision; above idle")
        path = os.path.join(self.machine, "decisions.json")
        done = self.call("LogisticRegression", "2", "latency", f"--json={path}")
        self.assertIn("the loop of 20000 decisions", done.stdout)
        self.assertIn("verdict    ", done.stdout)
        with open(path) as text:
            result = json.load(text)
        latency = result["latency_us"]
        self.assertEqual(latency["count"], 20000 * result["config"]["repetitions"])
        self.assertLessEqual(latency["mean_ci95"][0], latency["mean"])
        self.assertGreaterEqual(latency["stretches"], 20)
        self.assertIn("settled", result["warmup"])
        self.assertIn("before", result["conditions"])
        status = 0 if result["validity"]["verdict"] == "VALID" else 3
        done = self.call("LogisticRegression", "2", "latency", "--strict", f"--json={path}")
        with open(path) as text:
            status = 0 if json.load(text)["validity"]["verdict"] == "VALID" else 3
        self.assertEqual(done.returncode, status, done.stdout)
        done = self.call("LogisticRegression", "3", "energy", "50", "--idle=0", "--strict")
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("too few stretches", done.stdout)
        done = self.call("LogisticRegression", "3", "energy", "5000", "--idle=0")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("amortised: 5000 decisions in 1 stretch\n", done.stdout)
        self.refused(self.call("LogisticRegression", "1", "energy"), "2 to")
        self.refused(self.call("LogisticRegression", "10", "power"), "latency and energy")

    def test_meters_are_listed(self):
        path = os.path.join(self.machine, "info.json")
        with Counter(self.machine, watts=10):
            done = self.call("hedge", "info", "--meters", f"--json={path}")
        self.assertEqual(done.returncode, 0, done.stderr)
        for name in ("ina3221", "rapl", "nvml", "battery"):
            self.assertIn(f"meter      {name}: ", done.stdout)
        with open(path) as text:
            meters = {meter["name"]: meter for meter in json.load(text)["meters"]}
        self.assertTrue(meters["rapl"]["available"])
        self.assertLess(abs(meters["rapl"]["rails"][0]["watts"] - 10), 1)
        self.assertFalse(meters["nvml"]["available"])
        self.assertIn("libnvidia-ml", meters["nvml"]["reason"])
        self.refused(self.call("hedge", "info", "--watch"), "--meters")

    # ---- no meter

    def test_without_a_meter_the_run_goes_on(self):
        for arguments, names in (((), "INA3221"), (("--meter=nvml",), "libnvidia-ml"),
                                 (("--meter=rapl+nvml",), "rapl: not there; nvml: not there")):
            with self.subTest(arguments=arguments):
                result, done = self.result("--iterations=1000", *arguments)
                self.assertIn("warning: no meter", done.stderr)
                # Once, in a line that can be read, and where to ask for more.
                lines = [line for line in (done.stderr + done.stdout).splitlines() if names in line]
                self.assertEqual(len(lines), 1, done.stderr + done.stdout)
                self.assertLess(len(lines[0]), 160)
                self.assertIn("hedge info --meters", lines[0])
                self.assertIn("energy     unknown: no meter", done.stdout)
                self.assertNotIn("energy", result)
                self.assertEqual(result["latency_us"]["count"], 1000)
                self.assertTrue(any("no meter" in warning for warning in result["warnings"]))
        result, done = self.result("--iterations=1000", "--meter=none", "--idle=0")
        self.assertNotIn("warning", done.stderr)
        self.assertNotIn("energy", result)

    def test_no_permission(self):
        Counter(self.machine, watts=1)
        counter = os.path.join(self.machine, RAPL, "energy_uj")
        options = {}
        if os.geteuid() == 0:
            os.chmod(counter, 0o400)
            options = {"user": 65534, "group": 65534, "extra_groups": []}
        else:
            os.chmod(counter, 0)
        try:
            done = self.measure("--iterations=100", "--idle=0", **options)
        except PermissionError:
            self.skipTest("nobody else may run programs of this folder")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr.count("chmod a+r"), 1, done.stderr)
        done = self.call("hedge", "info", "--meters", **options)
        self.assertIn("meter      rapl: there, but cannot be read: RAPL's counters are for root only", done.stdout)
        self.assertIn("meter      battery: not there: ", done.stdout)

    def test_usage(self):
        for arguments, *words in ((["--meter=wattmeter"], "no meter 'wattmeter'", "rapl"),
                                  (["--meter=rapl+foo"], "--meter=rapl+foo", "rapl+nvml can"),
                                  (["--meter=csv:"], "csv:FILE"),
                                  (["--meter=csv:/nonexistent/p.csv"], "no folder"),
                                  (["--idle=2"], "--idle=2", "30s"),
                                  (["--duration=0s"], "--duration"),
                                  (["--marker=1h"], "--marker"),
                                  (["--sample-rate=0"], "--sample-rate"),
                                  (["--preset=quick"], "--preset", "latency"),
                                  (["--samples=s.csv"], "--samples", "latency")):
            with self.subTest(arguments=arguments):
                self.refused(self.measure(*arguments), *words)
        self.refused(self.call("measurements", f"--model={self.engine}", "--idle=1s"), "--energy")
        self.refused(self.call("LogisticRegression", "10", "latency", "--meter=rapl"), "LogisticRegression 10 energy")

    # ---- an external meter

    @staticmethod
    def log(path, header, row, stop):
        """Writes a row every 20 ms until `stop`."""
        with open(path, "w") as out:
            out.write(header + "\n")
            while not stop.wait(0.02):
                out.write(row() + "\n")
                out.flush()

    def measure_logged(self, header, row, *arguments):
        path = os.path.join(self.machine, "power.csv")
        stop = threading.Event()
        logger = threading.Thread(target=self.log, args=(path, header, row, stop))
        logger.start()
        time.sleep(0.5)
        try:
            return self.measure(f"--meter=csv:{path}", f"--json={self.machine}/r.json", *arguments)
        finally:
            stop.set()
            logger.join()

    def test_csv_by_the_time_of_day(self):
        def row():
            now = datetime.datetime.now(datetime.timezone(datetime.timedelta(hours=2)))
            return f"{now.isoformat()},12.5,{800 + now.microsecond % 7}"
        done = self.measure_logged("timestamp,voltage_V,current_mA", row, "--duration=1500ms",
                                   "--idle=500ms")
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(f"{self.machine}/r.json") as text:
            energy = json.load(text)["energy"]
        self.assertEqual(energy["meter"], "csv")
        self.assertLess(abs(energy["mean_watts"] - 10.04), 0.1)
        self.assertLess(abs(energy["idle_watts"] - 10.04), 0.1)

    def test_csv_of_a_meter_without_noise(self):
        """Each row is a sample; rows without a value are told once, and so is that nothing ever changed."""
        count = iter(range(10**6))

        def row():
            return f"{time.time():.6f},{'nan' if next(count) % 10 == 9 else '5.00'}"
        done = self.measure_logged("time_unix_s,power_W", row, "--duration=1500ms", "--idle=500ms")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stderr, r"warning: external: \d+ of \d+ rows of the log hold no power")
        self.assertEqual(done.stderr.count("hold no power"), 1)
        self.assertIn("hold the same power", done.stderr)
        with open(f"{self.machine}/r.json") as text:
            energy = json.load(text)["energy"]
        # 20 ms apart, or more where the logger had no CPU.
        self.assertGreater(energy["distinct_samples"], 10)
        self.assertTrue(0.018 < energy["refresh_seconds"] < 0.1, energy["refresh_seconds"])
        self.assertAlmostEqual(energy["mean_watts"], 5, places=9)
        low, high = energy["mean_watts_ci95"]
        self.assertTrue(4.99 < low < 5 < high < 5.01)

    def test_rail_that_falls_silent(self):
        folder = "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1/"
        for name, text in (("name", "ina3221"), ("in1_label", "VDD_IN"), ("in1_input", "5040"), ("curr1_input", "1200")):
            self.file(folder + name, text + "\n")
        current = os.path.join(self.machine, folder, "curr1_input")
        stop = threading.Event()

        def drive():
            begin = time.monotonic()
            while not stop.wait(0.02):
                # A sensor's file that answers nothing, as one that is gone.
                alive = time.monotonic() - begin < 1.5
                with open(current, "r+") as file:
                    file.truncate(0) if not alive else file.write(f"{1200 + int(time.monotonic() * 50) % 9 * 8}\n")
        driver = threading.Thread(target=drive)
        driver.start()
        try:
            result, done = self.result("--duration=3s", "--idle=300ms")
        finally:
            stop.set()
            driver.join()
        self.assertRegex(done.stderr, r"VDD_IN: \d+ of \d+ readings failed, the last ones all: it fell silent")
        self.assertEqual(result["validity"]["verdict"], "INVALID")
        self.assertIn("fell silent", done.stdout)

    def test_a_sensor_that_is_stuck(self):
        folder = "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1/"
        for name, text in (("name", "ina3221"), ("in1_label", "VDD_IN"), ("in1_input", "5040"), ("curr1_input", "1200")):
            self.file(folder + name, text + "\n")
        result, done = self.result("--duration=500ms", "--idle=300ms")
        self.assertIn("energy     unknown", done.stdout)
        self.assertNotIn("above idle", done.stdout)
        self.assertRegex(done.stdout, r"VDD_IN: its \d+ readings are all the same: the sensor is stuck")
        self.assertNotIn("idle_watts", result["energy"])

    def test_gpu_clocks_are_conditions(self):
        library = os.path.join(BUILD, "lib", "libfake-nvml.so")
        if not os.path.exists(library):
            self.skipTest("the tests' own NVML is not built")
        environment = dict(self.environment(), HEDGE_NVML_LIBRARY=library, FAKE_NVML="counter")
        path = os.path.join(self.machine, "gpu.json")
        done = subprocess.run([os.path.join(BUILD, "measurements"), f"--model={self.engine}", f"--data={self.data}",
                               "--energy", "--duration=300ms", "--idle=0", f"--json={path}"], text=True,
                              capture_output=True, check=False, env=environment)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(path) as text:
            result = json.load(text)
        self.assertEqual(result["energy"]["meter"], "nvml")
        for when in ("before", "after"):
            gpu = result["conditions"][when]["gpu_clocks"][0]
            self.assertEqual((gpu["name"], gpu["mhz"], gpu["memory_mhz"]), ("GPU 0: Fake H200", 1980, 2619))

    def test_join_by_the_marker(self):
        """A log of relative times, written afterwards from what the load did."""
        _, done = self.result("--duration=1s", "--idle=500ms", "--marker=100ms", "--meter=none")
        self.assertIn("energy     unknown", done.stdout)
        run = os.path.join(self.machine, "result.json")
        with open(run) as text:
            timeline = json.load(text)["config"]["timeline"]
        self.assertEqual(len(timeline["markers"]), 2 * 15)
        busy = [tuple(timeline["load"])] + [(b, e) for b, e, works in timeline["markers"] if works]
        begin = timeline["idle_before"][0] - 1
        end = timeline["idle_after"][1] + 1
        rows = []
        for i in range(int((end - begin) * 100)):
            t = begin + i * 0.01
            works = any(b <= t < e for b, e in busy)
            rows.append(f"{i * 10 + 77000};{'9' if works else '4'},{i % 3}")
        log = self.file("power.csv", "Time [ms];Power [W]\n" + "\n".join(rows) + "\n")
        joined = os.path.join(self.machine, "joined.json")
        done = self.call("hedge", "join", run, log, f"--json={joined}")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("the marker of the load was found", done.stdout)
        with open(joined) as text:
            result = json.load(text)
        energy = result["energy"]
        self.assertLess(abs(energy["mean_watts"] - 9.1), 0.05)
        self.assertLess(abs(energy["idle_watts"] - 4.1), 0.05)
        self.assertNotIn("energy:", " ".join(result["validity"].get("reasons", [])))
        self.assertIn(f"verdict    {result['validity']['verdict']}", done.stdout)
        # The same with a log that is silent for most of the load: judged anew, in place of before.
        begin, end = timeline["load"]
        silent = [row for row in rows
                  if not begin + 0.1 < (int(row.split(";")[0]) - 77000) / 1000 + timeline["idle_before"][0] - 1
                  < end - 0.1]
        gap = self.file("gap.csv", "Time [ms];Power [W]\n" + "\n".join(silent) + "\n")
        for before in (run, joined):
            again = os.path.join(self.machine, "again.json")
            done = self.call("hedge", "join", before, gap, f"--json={again}", "--strict")
            self.assertEqual(done.returncode, 3, done.stderr)
            with open(again) as text:
                doubtful = json.load(text)["validity"]
            self.assertEqual(doubtful["verdict"], "INVALID")
            self.assertEqual(sum(r.startswith("energy: unknown") for r in doubtful["reasons"]), 1, doubtful)
            self.assertIn("verdict    INVALID", done.stdout)
        done = self.call("hedge", "join", again, log, f"--json={again}")
        self.assertEqual(done.returncode, 2)  # The result would be written over.
        done = self.call("hedge", "join", again, log, f"--json={again}.json")
        self.assertNotIn("energy: ", done.stdout.split("verdict")[1])
        ratio = energy["mj_per_inference"] / (energy["mean_watts"] * result["latency_us"]["mean"] * 1e-3)
        self.assertLess(abs(ratio - 1), 0.01)
        # Without the marker in it, there is nothing to join by.
        flat = self.file("flat.csv", "time_s,power_W\n" + "\n".join(f"{i / 100},{i % 7}" for i in range(2000)))
        self.refused(self.call("hedge", "join", run, flat), "the marker of the load is not in it")
        self.refused(self.call("hedge", "join", log, run), "is no JSON")
        self.refused(self.call("hedge", "join", run, log, f"--json={log}"), "LOG and --json")
        self.refused(self.measure("--iterations=9", "--marker=auto", f"--meter=csv:{log}", f"--json={log}"), "--meter and --json")
        plain = self.file("plain.json", '{"schema": "hedge.result/1", "program": "x", "time_utc": "x", "hedge_version": "0"}')
        self.refused(self.call("hedge", "join", plain, log), "does not tell when the load ran")

    def test_bad_csv_is_found_before_the_load(self):
        rows = {
            "unit": ("time_unix_s,power\n0,1\n1,2\n", "no unit"),
            "header": ("time_unix_s,power\n", "no unit"),
            "local": ("timestamp,power_W\n2026-01-01 00:00:00,1\n2026-01-01 00:00:01,1\n", "local time"),
            "order": ("time_unix_s,power_W\n5,1\n3,1\n", "line 3", "sort the rows"),
            "relative": ("time_s,power_W\n0,1\n1,1\n", "--marker"),
        }
        for name, (text, *words) in rows.items():
            with self.subTest(name):
                path = self.file(f"{name}.csv", text)
                done = self.measure(f"--meter=csv:{path}")  # would run until Ctrl-C
                self.refused(done, *words)
                self.assertEqual(done.stdout, "")
        self.refused(self.measure(f"--meter=csv:{self.machine}"), "is a directory")

    def test_bad_csv_that_comes_later(self):
        rows = {
            "other": ("time_unix_s,power_W\n1000,1\n1001,1\n", "the load ran from"),
            "empty": ("", "is empty"),
            "absent": (None, "No such file"),
        }
        for name, (text, *words) in rows.items():
            with self.subTest(name):
                path = os.path.join(self.machine, f"{name}.csv")
                if text is not None:
                    self.file(f"{name}.csv", text)
                done = self.measure("--iterations=100", "--idle=0", f"--meter=csv:{path}",
                                    f"--json={self.machine}/bad.json")
                self.refused(done, *words)
                self.assertEqual("is not there yet" in done.stderr, text is None)
                # The latency is not lost for it.
                self.assertIn("latency", done.stdout)
                with open(f"{self.machine}/bad.json") as result:
                    result = json.load(result)
                self.assertNotIn("energy", result)
                self.assertEqual(result["latency_us"]["count"], 100)
    def test_csv_with_a_gap(self):
        now = time.time()
        # A hole over more than a fifth of the load.
        lines = [f"{now + i * 0.1:.3f},{5 + i % 3}" for i in range(-100, 600) if not 0 < i < 500]
        path = self.file("gap.csv", "time_unix_s,power_W\n" + "\n".join(lines) + "\n")
        done = self.measure("--duration=1s", "--idle=0", f"--meter=csv:{path}")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("energy     unknown", done.stdout)
        self.assertIn("without a reading", done.stdout)
        self.assertNotIn("filled in", done.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
