# SPDX-License-Identifier: Apache-2.0
"""The board itself, the unit tests on it, and the data."""
import os
import re
import shutil

from . import board
from .commands import CommandFailed
from .steps import Step
from .verdicts import Failed, Outcome, Skipped


def settings(power):
    """Of `hedge power show`, what a power mode changes and its end has to bring back."""
    return {"power_mode": power.get("power_mode"),
            "cpu": [[c["cpus"], c.get("governor"), c.get("min_mhz"), c.get("max_mhz")] for c in power.get("cpu_clocks", [])],
            "gpu": [[g["name"], g.get("governor"), g.get("min_mhz"), g.get("max_mhz")] for g in power.get("gpu_clocks", [])]}


def show_power(running, name="power"):
    """`hedge power show`, or None with the reason where nothing can be set here."""
    try:
        return running.result(name, "hedge-power", "show"), None
    except CommandFailed as failed:
        return None, str(failed)


def look_at_board(running):
    facts = board.facts()
    backends = running.result("backends", "hedge-info")["backends"]
    meters = running.result("meters", "hedge-info", "--meters")["meters"]
    power, reason = show_power(running)
    figures = {"facts": facts, "backends": backends, "meters": meters}
    if power:
        figures["power"] = {key: power[key] for key in ("power_mode", "power_modes") if key in power}
        figures["settings"] = settings(power)
    else:
        figures["no_power_modes"] = reason
    running.session.board = figures
    summary = facts.get("model") or f"no Jetson ({facts['architecture']})"
    if facts.get("jetson_linux"):
        summary += f", Jetson Linux {facts['jetson_linux']}"
        if facts.get("jetpack"):
            summary += f" (JetPack {facts['jetpack']})"
    available = [backend["name"] for backend in backends if backend["available"] and backend["name"] != "null"]
    return Outcome(f"{summary}; backends {', '.join(available)}", figures)


def _counts(output):
    """Of GoogleTest's last lines: passed, skipped, failed."""
    found = {}
    for key, pattern in (("passed", r"\[  PASSED  \] (\d+) test"), ("skipped", r"\[  SKIPPED \] (\d+) test"),
                         ("failed", r"\[  FAILED  \] (\d+) test")):
        match = re.search(pattern, output)
        if match:
            found[key] = int(match.group(1))
    return found


def _gpu_tests(running):
    program = os.path.join(running.options.build, "test-cuda")
    if not os.path.exists(program):
        raise Skipped("test-cuda is not built: cmake -DHEDGE_TESTS=ON, with nvcc")
    try:
        done = running.call("test-cuda", "--gtest_brief=1", limit_s=1800)
    except CommandFailed as failed:
        raise Failed(str(failed), _counts(failed.done.output))
    figures = _counts(done.output)
    # Where no GPU is seen, all that needs one is skipped: that is no pass.
    if figures.get("skipped") and not figures.get("passed"):
        raise Skipped("all of test-cuda's tests were skipped: no GPU is seen")
    return Outcome(f"{figures.get('passed', 0)} passed, {figures.get('skipped', 0)} skipped", figures)


def _ctest(arguments, limit_s):
    def action(running):
        if not os.path.exists(os.path.join(running.options.build, "CTestTestfile.cmake")):
            raise Skipped("the unit tests are not built: cmake -DHEDGE_TESTS=ON")
        program = shutil.which("ctest")
        if program is None:
            raise Skipped("no ctest on PATH; it comes with cmake")
        jobs = max(1, (os.cpu_count() or 2) // 2)
        done = running.call(program, "--test-dir", running.options.build, f"-j{jobs}", "--output-on-failure", *arguments,
                            limit_s=limit_s, allow=(0, 8))
        match = re.search(r"(\d+)% tests passed, (\d+) tests failed out of (\d+)", done.output)
        if not match or match.group(3) == "0":
            raise Skipped("no such tests are built")
        failed, total = int(match.group(2)), int(match.group(3))
        figures = {"failed": failed, "passed": total - failed}
        if failed:
            raise Failed(f"{failed} of {total} failed; the log names them", figures)
        return Outcome(f"{total} passed", figures)
    return action


def _make_shapes(running):
    folder = os.path.join(running.work, "data")
    running.call("hedge-make-data", "shapes", folder, "--train")
    return Outcome("10,000 test and 100,000 training images drawn")


def board_steps(session):
    yield Step("board", "the board", look_at_board, cheap=True)
    yield Step("unit-tests/cuda", "test-cuda", _gpu_tests, seconds=60)
    yield Step("unit-tests/tensorrt", "test-tensorrt", _ctest(["-R", r"^(tensorrt|cli-tensorrt)"], 900), seconds=60)
    if not session.options.quick:
        yield Step("unit-tests/others", "the other unit tests", _ctest(["-LE", "programs", "-E", r"^(cuda|tensorrt)"], 1800),
                   seconds=300)
    if any(model.made for model in session.models):
        yield Step("data/shapes", "the dataset `shapes`", _make_shapes, seconds=15)
