# SPDX-License-Identifier: Apache-2.0
"""tools/jetson-acceptance on a fake board: a tree of /sys, and programs nvpmodel, jetson_clocks and tegrastats on PATH."""
import glob
import os
import shutil
import signal
import struct
import subprocess
import sys
import tarfile
import tempfile
import time
import types
import unittest
import unittest.mock

from onnx_writer import field, node, onnx_model
from power_test import CPU0, Board
from support import BUILD, SOURCE, Background, ProgramTest, read_json

sys.path.insert(0, os.path.join(SOURCE, "tools"))
sys.dont_write_bytecode = True
from acceptance import board as board_facts  # noqa: E402
from acceptance import commands, power_mode, steps_board, steps_energy, steps_engines, tegrastats, verdicts  # noqa: E402
from acceptance import options as acceptance_options  # noqa: E402
from acceptance import plan as acceptance_plan  # noqa: E402
from acceptance import session as acceptance_session  # noqa: E402

TOOL = os.path.join(SOURCE, "tools", "jetson-acceptance")
EMULATED = os.path.join(BUILD, "emulated", "libhedge-backend-cuda.so")
HWMON = "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon3/"
RAILS = (("VDD_IN", 1200), ("VDD_CPU_GPU_CV", 400), ("VDD_SOC", 300))  # mA, at 5 V

# What it shows in place of VDD_IN's power is TEGRASTATS_FACTOR times that.
TEGRASTATS = f"""#!{sys.executable}
import os, time
folder = os.path.join(os.environ["HEDGE_SYSFS_ROOT"], "{HWMON}")
factor = float(os.environ.get("TEGRASTATS_FACTOR", "1"))
def watts(channel):
    return int(int(open(folder + f"curr{{channel}}_input").read()) * 5 * factor)
while True:
    time.sleep(0.05)
    print("11-26-2026 17:00:00 RAM 2493/7620MB (lfb 1x4MB) SWAP 0/3810MB (cached 0MB) CPU [5%@729,off] GR3D_FREQ 37% "
          f"cpu@45.5C tj@45.5C VDD_IN {{watts(1)}}mW/4000mW VDD_CPU_GPU_CV {{watts(2)}}mW/400mW VDD_SOC {{watts(3)}}mW/1200mW")
"""


class Rails(Background):
    """An INA3221 whose currents go to and fro by one per cent, a new value every 4 ms."""

    def __init__(self, board, currents=RAILS):
        self.board = board
        self.currents = currents
        self.files = []
        board.write(HWMON + "name", "ina3221\n")
        for channel, (label, milliamperes) in enumerate(currents, 1):
            board.write(f"{HWMON}in{channel}_label", f"{label}\n")
            board.write(f"{HWMON}in{channel}_input", "5000\n")
            board.write(f"{HWMON}shunt{channel}_resistor", "5000\n")
            self.files.append(os.open(board.write(f"{HWMON}curr{channel}_input", f"{milliamperes:<8}\n"), os.O_WRONLY))

    def __exit__(self, *_):
        super().__exit__()
        for file in self.files:
            os.close(file)

    def run(self):
        step = 0
        while not self.stopped.wait(0.004):
            step += 1
            for file, (_, milliamperes) in zip(self.files, self.currents):
                os.pwrite(file, b"%-8d\n" % (milliamperes + milliamperes // 100 * ((step % 3) - 1)), 0)


def orin():
    board = Board().jetson()
    board.write("etc/nv_tegra_release", "# R36 (release), REVISION: 4.3, GCID: 1, BOARD: generic, EABI: aarch64\n")
    board.write("proc/device-tree/model", "NVIDIA Jetson Orin Nano Developer Kit\0")
    board.write("proc/driver/nvidia/version", "NVRM version: NVIDIA UNIX Open Kernel Module for aarch64  540.4.0  Release Build\n"
                "GCC version:  collect2: error: ld returned 1 exit status\n")
    board.program("tegrastats", TEGRASTATS)
    return board


class Acceptance(ProgramTest):
    @classmethod
    def setUpClass(cls):
        cls.root = tempfile.mkdtemp()
        cls.data = os.path.join(cls.root, "data")
        subprocess.run([os.path.join(BUILD, "hedge-make-data"), "shapes", cls.data], check=True, capture_output=True)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.root)

    def setUp(self):
        self.board = orin()
        self.out = os.path.join(self.board.root, "report")
        self.before = self.settings()

    def tearDown(self):
        shutil.rmtree(self.board.root)

    def settings(self):
        return {name: value for name, value in self.board.settings().items() if "ina3221" not in name}

    def argv(self, *arguments, backend="null"):
        return [sys.executable, TOOL, f"--build={BUILD}", f"--backend={backend}", f"--data={self.data}", "--quick",
                f"--out={self.out}", *arguments]

    def accept(self, *arguments, status=0, factor=1, **options):
        done = subprocess.run(self.argv(*arguments, **options), text=True, capture_output=True, check=False,
                              env=dict(self.board.environment, TEGRASTATS_FACTOR=str(factor)))
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done

    def report(self):
        return read_json(os.path.join(self.out, "report.json"))

    def records(self):
        return {step["name"]: step for step in self.report()["steps"]}

    def test_a_board(self):
        """The null backend is always wrong: its accuracy fails, all else goes on."""
        short = ("--energy-time=0.5", "--idle-time=0.2", "--modes=15W,7W,25W",
                 "--skip=simulation,unit-tests,decision,energy/15W/decision,energy/7W/decision/10,tegrastats/15W")
        with Rails(self.board):
            done = self.accept(*short, status=1)
        report = self.report()
        steps = self.records()
        self.assertEqual(report["schema"], "hedge.acceptance/1")
        self.assertTrue(report["finished"])
        ended = {name: step["verdict"] for name, step in steps.items()}
        self.assertEqual([name for name, verdict in ended.items() if verdict == "fail"],
                         ["accuracy/null/resnet8_shapes/fp32"])
        self.assertIn("-79.49 points from 89.49 % documented", steps["accuracy/null/resnet8_shapes/fp32"]["reason"])
        self.assertIn("failed: accuracy/null/resnet8_shapes/fp32", done.stdout)

        # The board, and its power modes: set, looked at, given back.
        facts = steps["board"]["figures"]["facts"]
        self.assertEqual((facts["model"], facts["jetson_linux"], facts["jetpack"], facts["driver"]),
                         ("NVIDIA Jetson Orin Nano Developer Kit", "36.4.3", "6.2", "540.4.0"))
        self.assertEqual([rail["label"] for rail in facts["rails"]], [label for label, _ in RAILS])
        self.assertEqual(steps["mode/25W"]["verdict"], "skip")
        self.assertIn("there are 15W, 7W, MAXN", steps["mode/25W"]["reason"])
        self.assertEqual(steps["mode/7W"]["summary"], "7W, held at 17000000.gpu 408 MHz, CPUs 960 MHz")
        self.assertEqual(self.board.calls(), ["jetson_clocks --store", "jetson_clocks", "jetson_clocks --restore",
                                              "nvpmodel -m 3", "jetson_clocks --store", "jetson_clocks",
                                              "jetson_clocks --restore", "nvpmodel -m 0"])
        self.assertEqual(self.settings(), self.before)
        self.assertEqual(ended["restored"], "pass")

        # The three figures, in both modes.
        self.assertEqual([row["mode"] for row in report["figures"]], ["15W", "7W"])
        for row in report["figures"]:
            self.assertLess(abs(row["mean_watts"] - 6), 0.1)
            self.assertGreater(row["mj_per_inference"], 0)
            self.assertGreater(row["mean_us"], 0)
            self.assertEqual(row["correct"], 1000)
        energy = steps["energy/7W/null/resnet8_shapes/fp32"]
        self.assertEqual(energy["figures"]["rails"], ["VDD_IN"])
        self.assertLess(abs(energy["figures"]["parts_of_whole"] - 700 / 1200), 0.01)
        self.assertEqual(steps["latency/7W/null/resnet8_shapes/fp32"]["figures"]["power_mode"], "7W")
        self.assertIn(ended["energy/7W/decision/1000"], ("pass", "doubtful"))
        beside = steps["tegrastats/7W"]["figures"]["rails"]["VDD_IN"]
        self.assertLess(abs(beside["tegrastats_watts"] - 6), 0.1)
        self.assertGreaterEqual(beside["tegrastats_samples"], 3)

        asked = {entry["question"]: entry for entry in report["questions"]}
        self.assertEqual(asked["Are power modes set, held and given back?"]["verdict"], "pass")
        self.assertIn(asked["Does VDD_IN agree with tegrastats at the same time?"]["verdict"], ("pass", "doubtful"))
        question = "Does trtexec run Hedge's plans, and Hedge trtexec's?"
        self.assertEqual(asked[question], {"question": question, "verdict": "skip", "answer": "not looked at"})
        with open(os.path.join(self.out, "report.md")) as text:
            self.assertIn("| 7W | null | resnet8_shapes | fp32 | 10 |", text.read())
        with tarfile.open(self.out + ".tar.gz") as archive:
            names = archive.getnames()
        for name in ("report.md", "report.json", f"logs/{'latency/7W/null/resnet8_shapes/fp32'.replace('/', '-')}.log",
                     "results/energy-7W-null-resnet8_shapes-fp32.json", "logs/tegrastats-7W.log.tegrastats"):
            self.assertIn(f"report/{name}", names)
        self.assertFalse([name for name in names if "/work" in name])

        # Called again: what went well is kept, what failed is run again, and no mode is set for that.
        calls = self.board.calls()
        again = self.accept(*short, status=1)
        self.assertEqual(self.board.calls(), calls)
        self.assertEqual(self.records()["energy/7W/null/resnet8_shapes/fp32"], energy)
        self.assertIn("2 steps, some 1 min; 10 are kept", again.stdout)
        self.assertIn("accuracy of resnet8_shapes fp32, null ... fail", again.stdout)

    def test_accuracy_is_held_against_what_is_known(self):
        name = "cpu/resnet8_shapes/fp32"
        self.accept(f"--only=build/{name},accuracy/{name}", "--modes=none", backend="cpu")
        record = self.records()[f"accuracy/{name}"]
        self.assertEqual(record["verdict"], "pass")
        self.assertEqual(record["figures"]["correct"], 8949)
        self.assertEqual(self.board.calls(), [])

    def test_what_is_another_board_or_another_question_leaves_a_report_alone(self):
        self.accept("--modes=none", "--only=board")

        def files():
            return {path: (os.stat(path).st_mtime_ns, os.stat(path).st_ino)
                    for path in glob.glob(os.path.join(self.out, "**"), recursive=True) if os.path.isfile(path)}
        before = files()
        self.assertIn(os.path.join(self.out, "logs", "board.log"), before)
        self.assertIn(os.path.join(self.out, "results", "board-backends.json"), before)
        for arguments, word in ((["--energy-time=2"], "energy_time"), (["--dataset=shapes"], "dataset")):
            done = self.accept("--modes=none", "--only=board", *arguments, status=2)
            self.refused(done, f"holds a report of other {word};", "--fresh")
        for name, text, word in (("etc/nv_tegra_release", "# R36 (release), REVISION: 4.4, GCID: 1\n", "JetPack"),
                                 ("proc/driver/nvidia/version",
                                  "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar\n", "driver")):
            kept = self.board.read(name)
            self.board.write(name, text)
            self.refused(self.accept("--modes=none", "--only=board", status=2), f"holds a report of other {word};")
            self.board.write(name, kept)
        self.assertEqual(files(), before)
        self.accept("--modes=none", "--only=board")

    @unittest.skipUnless(glob.glob(EMULATED), "the cuda backend on an emulated GPU is not built")
    def test_a_gpu(self):
        """How one runs against another way, on the cuda backend with an emulated GPU; a small net, for it is slow."""
        modules, models = (os.path.join(self.board.root, name) for name in ("modules", "models"))
        for folder in (modules, models):
            os.makedirs(folder)
        for path in glob.glob(os.path.join(BUILD, "lib", "libhedge-*.so")) + glob.glob(EMULATED):
            link = os.path.join(modules, os.path.basename(path))
            if os.path.lexists(link):  # A real cuda backend.
                os.remove(link)
            os.symlink(path, link)
        with open(os.path.join(models, "tiny_shapes.onnx"), "wb") as out:
            out.write(onnx_model(node("GlobalAveragePool", ["x"], "pooled", "pool") + node("Flatten", ["pooled"], "flat", "flatten") +
                                 node("MatMul", ["flat", "w"], "y", "product"),
                                 field(5, field(1, 3) + field(1, 10) + field(2, 1) + field(8, "w") +
                                       field(9, struct.pack("<30f", *[(7 * i % 11 - 5) / 5 for i in range(30)])))))
        self.board.environment["HEDGE_MODULE_PATH"] = modules
        self.accept("--modes=none", f"--models={models}", "--only=build/cuda/tiny_shapes/fp16,compare/as-is/cuda/graph,"
                    "compare/as-is/cuda/memory-managed,same-scores/cuda/managed,latency/as-is/cuda/tiny_shapes/fp16", backend="cuda")
        steps = self.records()
        self.assertEqual(steps["same-scores/cuda/managed"]["verdict"], "pass")
        self.assertEqual(steps["latency/as-is/cuda/tiny_shapes/fp16"]["figures"]["memory_mode"], "mapped")
        graph = steps["compare/as-is/cuda/graph"]["figures"]
        self.assertEqual((graph["a_cuda_graph"], graph["b_cuda_graph"]), (True, False))
        self.assertEqual(steps["compare/as-is/cuda/memory-managed"]["figures"]["b_memory_mode"], "managed")
        asked = {entry["question"]: entry["answer"] for entry in self.report()["questions"]}
        self.assertEqual(asked["Is an inference captured as a CUDA graph?"], "captured")
        self.assertEqual(asked["Which memory does `auto` take?"], "mapped")

    def start(self, *arguments):
        process = subprocess.Popen(self.argv(*arguments), env=self.board.environment, text=True, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        # Until the load runs in the mode.
        log = os.path.join(self.out, "logs", "energy-7W-null-resnet8_shapes-fp32.log")
        for _ in range(1000):
            if os.path.exists(log) and os.path.getsize(log):
                break
            time.sleep(0.02)
        else:
            process.kill()
            self.fail(f"the load did not begin: {process.communicate()}")
        time.sleep(1.2)
        self.assertEqual(self.board.read(CPU0 + "scaling_min_freq"), "960000")
        return process

    def test_ctrl_c_keeps_what_was_measured(self):
        with Rails(self.board):
            process = self.start("--modes=7W", "--only=build,energy", "--energy-time=60", "--idle-time=0.2")
            process.send_signal(signal.SIGINT)
            out, errors = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 130, out + errors)
        self.assertEqual(self.settings(), self.before)
        steps = self.records()
        self.assertFalse(self.report()["finished"])
        cut = steps["energy/7W/null/resnet8_shapes/fp32"]
        self.assertEqual(cut["verdict"], "interrupted")
        partial = read_json(os.path.join(self.out, cut["results"][0]))
        self.assertLess(abs(partial["energy"]["mean_watts"] - 6), 0.2)
        self.assertEqual(steps["build/null/resnet8_shapes/fp32"]["verdict"], "pass")
        self.assertEqual(steps["restored"]["verdict"], "pass")
        self.assertNotIn("energy/7W/decision/10", steps)
        self.assertTrue(os.path.exists(self.out + ".tar.gz"))

    def test_killed_it_gives_the_mode_back(self):
        with Rails(self.board):
            process = self.start("--modes=7W", "--only=build,energy", "--energy-time=3", "--idle-time=0.2")
            process.kill()
            process.communicate(timeout=30)
            for _ in range(500):
                if self.settings() == self.before and not self.board.exists("run/hedge/power.json"):
                    break
                time.sleep(0.02)
        self.assertEqual(self.settings(), self.before)

    def test_a_mode_that_does_not_take(self):
        self.board.write("gpu_sticks", "")
        # Nor does it move when it is locked.
        self.board.program("jetson_clocks", "#!/bin/sh\ncase $1 in --store) : > \"$2\" ;; esac\n")
        self.accept("--modes=7W", "--only=build,latency")
        steps = self.records()
        self.assertEqual(steps["mode/7W"]["verdict"], "doubtful")
        self.assertIn("17000000.gpu at 624.75 of 408 MHz", steps["mode/7W"]["reason"])
        self.assertIn("mean_us", steps["latency/7W/null/resnet8_shapes/fp32"]["figures"])

    def test_a_mode_that_needs_a_reboot(self):
        self.board.write("nvpmodel_reboots", "")
        self.accept("--modes=7W", "--only=build,latency")
        steps = self.records()
        self.assertEqual(steps["mode/7W"]["verdict"], "skip")
        self.assertIn("needs a reboot", steps["mode/7W"]["reason"])
        self.assertIn("needs mode/7W: skip", steps["latency/7W/null/resnet8_shapes/fp32"]["reason"])

    def test_rails_that_contradict(self):
        figures = {"rails": ["VDD_IN"], "rail_watts": {"VDD_IN": 2.0, "VDD_CPU_GPU_CV": 2.0, "VDD_SOC": 1.5}}
        with self.assertRaisesRegex(verdicts.Failed, "VDD_IN shows 2.00 W, its parts 3.50 W together"):
            steps_energy.check_parts(figures)
        figures["rail_watts"]["VDD_IN"] = 3.45  # Within the sensor's steps.
        steps_energy.check_parts(figures)
        # Boards whose rails are added have no whole.
        steps_energy.check_parts({"rails": ["VDD_GPU_SOC", "VDD_CPU_CV"], "rail_watts": {"VDD_GPU_SOC": 2.0, "VIN_SYS_5V0": 4.0}})

    def test_tegrastats_that_contradicts(self):
        with Rails(self.board):
            self.accept("--modes=none", "--only=build,tegrastats", "--energy-time=0.5", "--idle-time=0.2", status=1, factor=1.2)
        self.assertRegex(self.records()["tegrastats/as-is"]["reason"], r"VDD_IN: Hedge (6.0|5.9)\d W, tegrastats 7.\d+ W")

    def test_tegrastats_that_tells_of_other_rails(self):
        self.board.program("tegrastats", TEGRASTATS.replace("VDD_", "VIN_"))
        with Rails(self.board):
            self.accept("--modes=none", "--only=build,tegrastats", "--energy-time=0.5", "--idle-time=0.2", status=1)
        reason = self.records()["tegrastats/as-is"]["reason"]
        self.assertIn("told none of the rails VDD_CPU_GPU_CV, VDD_IN, VDD_SOC while the load ran", reason)
        self.assertRegex(reason, r"\([1-9]\d* lines with power\)")

    def test_bad_usage(self):
        for arguments, words in ((["--backend=abacus"], ["--backend=abacus", "not installed"]),
                                 (["--only=energie"], ["no step 'energie'", "energy, latency"])):
            self.refused(self.accept(*arguments, status=2), *words)
        self.refused(self.accept("--build=/nonexistent", status=2), "holds no programs of Hedge")
        self.refused(self.accept("--models=/nonexistent", status=2), "no *.onnx in that folder")
        self.assertIn("energy/7W/null/resnet8_shapes/fp32", self.accept("--list").stdout)

    def test_the_plan_of_a_whole_board(self):
        """Names are unique, and what a step needs comes before it, also for backends that are not here."""
        for arguments in ([], ["--quick"]):
            session = acceptance_session.Session(acceptance_options.parse([f"--build={BUILD}", f"--out={self.out}", *arguments]))
            session.backends = ["tensorrt", "cuda"]
            steps = acceptance_plan.all_steps(session, ["15W", "7W"], {"25W": "there is none"})
            names = [step.name for step in steps]
            self.assertEqual(len(names), len(set(names)))
            for number, step in enumerate(steps):
                self.assertEqual([need for need in step.needs if need not in names[:number]], [], step.name)
            for name in ("build/tensorrt/resnet8_shapes/int8", "trtexec/plan", "trtexec/15W", "compare/15W/tensorrt/graph",
                         "compare/15W/cuda/memory-managed-original", "compare/15W/tensorrt-cuda/fp16", "energy/7W/decision/10",
                         "tegrastats/7W", "latency/7W/cuda/resnet8_shapes/fp32-full"):
                self.assertIn(name, names)
            # A mode is entered once.
            modes = [step.mode for step in steps if step.mode]
            self.assertEqual(modes, sorted(modes))

    def test_parts(self):
        for line, watts in (("VDD_IN 4915mW/4800mW VDD_SOC 1431mW/1431mW", {"VDD_IN": 4.915, "VDD_SOC": 1.431}),
                            ("RAM 2/7MB SWAP 0/38MB (cached 0MB) VDD_IN 9761mW/9761mW/9761mW", {"VDD_IN": 9.761}),
                            ("RAM 1/3MB EMC_FREQ 0% POM_5V_IN 2345/2300", {"POM_5V_IN": 2.345}),
                            ("CPU [5%@729] GR3D_FREQ 37%@305 cpu@45.5C", {})):
            self.assertEqual(tegrastats.rails_of(line), watts)
        tensor = "Format/Datatype"
        inspected = [{"Name": "conv1", "Inputs": [{tensor: "Four wide channel vectorized row major Int8 format"}],
                      "Outputs": [{tensor: "Channel major FP16 format where channel % 4 == 0"}]},
                     {"Name": "conv2", "Inputs": [{tensor: "Row major linear FP32"}], "Outputs": [{tensor: "Row major linear Half"}]},
                     {"Name": "softmax", "Inputs": [], "Outputs": []}, "a name alone"]
        self.assertEqual(steps_engines.precisions({"tensorrt": {"Layers": inspected}}), {"int8": 1, "fp16": 1})
        self.assertEqual(steps_engines.precisions([{"precision": "tf32"}, {"precision": "tf32"}]), {"tf32": 2})
        for untold in ({"tensorrt": "no JSON"}, {}, None):
            self.assertEqual(steps_engines.precisions(untold), {})
        self.assertEqual(board_facts.jetson_linux("# R35 (release), REVISION: 4.1, GCID: 3"), "35.4.1")
        self.assertIsNone(board_facts.jetson_linux(None))
        self.assertEqual([board_facts.jetpack_of(linux) for linux in ("36.4.3", "36.3.0", "35.4.1", None)],
                         ["6.2", "6.0", "5", None])

    def test_without_ctest(self):
        self.board.write("CTestTestfile.cmake", "")
        running = types.SimpleNamespace(options=types.SimpleNamespace(build=self.board.root))
        session = acceptance_session.Session(acceptance_options.parse([f"--build={BUILD}", f"--out={self.out}"]))
        steps = {step.name: step for step in steps_board.board_steps(session)}
        with unittest.mock.patch.dict(os.environ, PATH=self.board.programs):
            for name in ("unit-tests/tensorrt", "unit-tests/others"):
                with self.assertRaisesRegex(verdicts.Skipped, "no ctest on PATH"):
                    steps[name].action(running)

    def test_a_program_that_does_not_end(self):
        """Is asked to, and killed where it does not listen; what it said is kept."""
        log = os.path.join(self.board.root, "log")
        saved, commands.GRACE_S = commands.GRACE_S, 0.2
        try:
            for trap, status in (("", -signal.SIGINT), ("trap '' INT; ", -signal.SIGKILL)):
                done = commands.run(["sh", "-c", f"{trap}echo begun; sleep 30 & wait; exec sleep 30"], log, 0.3, commands.Stop())
                self.assertEqual((done.status, done.output, bool(done.timed_out)), (status, "begun\n", True))
                self.assertLess(done.seconds, 10)
                self.assertIn("not done within 0 s", done.reason())
        finally:
            commands.GRACE_S = saved

    def test_without_root_and_without_sudo(self):
        """Nothing is set, and how to allow it is said."""
        for said, status in (("sudo: a password is required", 1), (None, 0)):
            self.board.program("sudo", f"#!/bin/sh\nexit {status}\n")
            sudo = power_mode.Sudo()
            saved = os.environ["PATH"], os.geteuid
            os.environ["PATH"], os.geteuid = self.board.environment["PATH"], lambda: 1000
            try:
                sudo.obtain(may_ask=False)
            finally:
                os.environ["PATH"], os.geteuid = saved
                sudo.ended.set()
            self.assertEqual(sudo.prefix, ["sudo", "-n"])
            self.assertEqual(bool(sudo.reason), said is not None)
            if said:
                self.assertIn("need root", sudo.reason)


if __name__ == "__main__":
    unittest.main()
