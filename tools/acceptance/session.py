# SPDX-License-Identifier: Apache-2.0
"""Goes through the steps, keeps what is done, and always lets go of the power mode."""
import hashlib
import json
import os
import sys
import tempfile
import time
import traceback

from . import board, report
from .commands import CommandFailed, Interrupted, Stop, run
from .models import GPU_BACKENDS, Model
from .plan import all_steps, chosen, first_steps, split_modes
from .power_mode import PowerModes, Sudo
from .steps import Running
from .verdicts import DOUBTFUL, FAIL, GOOD, INTERRUPTED, PASS, SKIP, Failed, Skipped


class UsageError(Exception):
    """Exit status 2, in one line."""


def identity_of(build):
    """Changes when something is built anew."""
    digest = hashlib.sha256()
    for folder in (build, os.path.join(build, "lib")):
        for name in sorted(os.listdir(folder) if os.path.isdir(folder) else []):
            path = os.path.join(folder, name)
            if os.path.isfile(path) and (name.startswith("hedge-") or ".so" in name):
                state = os.stat(path)
                digest.update(f"{name} {state.st_size} {state.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


class Session:
    def __init__(self, options):
        self.options = options
        self.work = os.path.join(options.out, "work")
        for folder in ("logs", "results", "work"):
            os.makedirs(os.path.join(options.out, folder), exist_ok=True)
        self.stop = Stop()
        self.sudo = Sudo()
        self.modes = PowerModes(options.build, self.sudo, self.stop)
        self.models = [Model(path, options, self.work) for path in options.onnx]
        self.backends = []
        self.board = {}
        self.records = {}
        self.previous = {}
        self.steps = []
        self.entered = False
        self.finished = False
        self.begin = time.time()

    # ---- what was done before

    def fingerprint(self):
        options = self.options
        return {"quick": options.quick, "backends": self.backends, "modes": options.modes, "data": options.data,
                "dataset": options.dataset, "energy_time": options.energy_time, "idle_time": options.idle_time,
                "models": {model.name: model.sha256 for model in self.models}, "build": identity_of(options.build),
                # By the version of Jetson Linux in it, which is the finer one.
                "JetPack": board.jetson_linux(board.read("/etc/nv_tegra_release")), "driver": board.driver()}

    def take_up(self):
        path = os.path.join(self.options.out, "report.json")
        if self.options.fresh or not os.path.exists(path):
            return
        try:
            with open(path) as text:
                before = json.load(text)
            steps, fingerprint = before["steps"], before["fingerprint"]
        except (ValueError, KeyError, OSError) as error:
            raise UsageError(f"{path}: is no report ({error}); --fresh writes a new one over it") from error
        other = [key for key, value in self.fingerprint().items() if fingerprint.get(key) != value]
        if other:
            raise UsageError(f"{self.options.out} holds a report of other {' and '.join(other)}; --out=DIR begins another, "
                             "--fresh writes over it")
        self.previous = {step["name"]: step for step in steps}

    # ---- the steps

    def find_backends(self):
        """Those asked for, else the first there is. Leaves nothing in the folder of the report."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "backends.json")
            done = run([os.path.join(self.options.build, "hedge-info"), f"--json={path}"], os.path.join(folder, "log"), 600,
                       self.stop)
            if done.status != 0 or not os.path.exists(path):
                raise UsageError(f"the programs in {self.options.build} do not tell of this machine: {done.reason()}")
            with open(path) as text:
                found = json.load(text)["backends"]
        available = [backend["name"] for backend in found if backend["available"]]
        wanted = self.options.backends or [next((name for name in (*GPU_BACKENDS, "cpu") if name in available), "cpu")]
        for name in wanted:
            if name not in available:
                reason = next((backend["what"] for backend in found if backend["name"] == name), "not installed")
                raise UsageError(f"--backend={name}: {reason}")
        return wanted

    def prepare(self):
        """Compares with the report that is there before a file of it is touched; looks at the board, and makes the plan."""
        self.backends = self.find_backends()
        self.take_up()
        record = self.run_step(first_steps(self)[0])
        if record["verdict"] != PASS:
            raise UsageError(f"the programs in {self.options.build} do not tell of this machine: {record.get('reason')}")
        has_modes = bool(self.board.get("power", {}).get("power_modes"))
        if self.options.modes and has_modes and not self.options.list:
            self.sudo.obtain(may_ask=True)
        usable, refused = split_modes(self.options.modes, self.board, self.sudo.reason)
        try:
            self.steps = chosen(all_steps(self, usable, refused), self.options)
        except ValueError as error:
            raise UsageError(str(error)) from error
        # Of what is not asked for this time, what is known stays.
        for name, step in self.previous.items():
            if name not in self.records:
                self.records[name] = step

    def is_kept(self, step):
        previous = self.previous.get(step.name)
        if previous is None or previous["verdict"] not in GOOD:
            return False
        if not step.cheap:
            return True
        # A mode is looked at again where something is to be measured in it.
        if step.name == "restored":
            return not self.entered
        return all(self.is_kept(other) for other in self.steps if other.mode == step.mode and not other.cheap)

    def run_step(self, step):
        running = Running(step, self)
        if os.path.exists(running.log):
            os.remove(running.log)
        record = {"name": step.name, "title": step.title, "verdict": FAIL,
                  "time_utc": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
        begin = time.monotonic()
        try:
            self.check_needs(step)
            self.modes.enter(step.mode, os.path.join(self.options.out, "logs", f"held-{step.mode}.log"))
            self.entered = self.entered or step.mode is not None
            outcome = step.action(running)
            record.update(verdict=DOUBTFUL if outcome.doubts else PASS, summary=outcome.summary, figures=outcome.figures)
            if outcome.doubts:
                record["reason"] = "; ".join(outcome.doubts)
        except Skipped as skipped:
            record.update(verdict=SKIP, reason=str(skipped))
        except Failed as failed:
            record.update(reason=str(failed), figures=failed.figures)
        except CommandFailed as failed:
            record.update(reason=str(failed))
        except Interrupted:
            record.update(verdict=INTERRUPTED, reason="interrupted; what was measured until then is in the results")
        except Exception as error:  # pylint: disable=broad-except
            running.note(traceback.format_exc())
            record.update(reason=f"{type(error).__name__}: {error} (the log has more)")
        record["seconds"] = round(time.monotonic() - begin, 2)
        record["commands"] = running.commands
        record["results"] = running.results
        if os.path.exists(running.log):
            record["log"] = os.path.relpath(running.log, self.options.out)
        self.records[step.name] = record
        return record

    def check_needs(self, step):
        for need in step.needs:
            record = self.records.get(need)
            if record is None:
                raise Skipped(f"needs {need}, which was not run")
            if record["verdict"] not in GOOD:
                raise Skipped(f"needs {need}: {record['verdict']}")

    def run(self):
        to_run = [step for step in self.steps if step.name != "board" and not self.is_kept(step)]
        minutes = sum(step.seconds for step in to_run) / 60
        kept = len(self.steps) - 1 - len(to_run)
        print(f"{len(to_run)} steps, some {max(1, round(minutes))} min{f'; {kept} are kept' if kept else ''}; "
              f"report in {self.options.out}", flush=True)
        report.tell(1, len(self.steps), self.steps[0], self.records["board"])
        for number, step in enumerate(self.steps[1:], 2):
            if self.is_kept(step):
                continue
            if self.stop.count:
                break
            report.announce(number, len(self.steps), step)
            record = self.run_step(step)
            report.tell(number, len(self.steps), step, record, announced=True)
            report.write(self)
            if record["verdict"] == INTERRUPTED:
                break
        self.finished = not self.stop.count
        self.let_go()

    def let_go(self):
        """The mode is given back, and after Ctrl-C that is looked at too."""
        interrupted, self.stop.count = self.stop.count, 0
        self.modes.leave()
        restored = next((step for step in self.steps if step.name == "restored"), None)
        if interrupted and restored and self.entered:
            report.tell(len(self.steps), len(self.steps), restored, self.run_step(restored))
        self.stop.count = interrupted


def main(options):
    session = None
    try:
        if options.list:
            return list_steps(options)
        session = Session(options)
        session.stop.install()
        session.prepare()
        session.run()
    except UsageError as error:
        print(f"jetson-acceptance: error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"jetson-acceptance: error: {error}", file=sys.stderr)
        return 1
    finally:
        if session:
            session.sudo.ended.set()
            session.modes.leave()
    report.write(session)
    archive = report.pack(session)
    report.conclude(session, archive)
    if session.stop.count:
        return 130
    return 1 if any(record["verdict"] == FAIL for record in session.records.values()) else 0


def list_steps(options):
    with tempfile.TemporaryDirectory() as folder:
        options.out = folder
        session = Session(options)
        session.prepare()
    for step in session.steps:
        print(f"{step.name:<58} {step.title}")
    minutes = sum(step.seconds for step in session.steps) / 60
    print(f"{len(session.steps)} steps, some {max(1, round(minutes))} min")
    return 0
