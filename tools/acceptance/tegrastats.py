# SPDX-License-Identifier: Apache-2.0
"""Samples of NVIDIA's tegrastats, taken while something else runs.

A line is `... VDD_IN 4915mW/4915mW VDD_CPU_GPU_CV 449mW/449mW ...`, the value now and the mean since it began (of Jetson
Linux 39 three values); JetPack 4 leaves out the unit."""
import os
import pty
import re
import shutil
import subprocess
import threading
import time

RAIL = re.compile(r"\b([A-Z][A-Z0-9_]*[A-Z0-9]) (\d+)(?:mW)?/\d+(?:mW)?(?:/\d+(?:mW)?)?(?=\s|$)")


def rails_of(line):
    """{rail: watts} of a line. SWAP and RAM, in MB, have the same form with their unit behind."""
    return {name: int(value) / 1000 for name, value in RAIL.findall(line)
            if name not in ("RAM", "SWAP", "IRAM")}


class Tegrastats:
    """with Tegrastats(interval_ms) as samples: ...; then samples.between(begin, end)."""

    def __init__(self, interval_ms, log):
        self.interval_ms = interval_ms
        self.log = log
        self.samples = []  # (seconds since 1970, {rail: watts})

    @staticmethod
    def program():
        return shutil.which("tegrastats")

    def __enter__(self):
        # A terminal of its own, so that each line comes when it is written.
        ours, its = pty.openpty()
        self.process = subprocess.Popen([self.program(), "--interval", str(self.interval_ms)], stdin=subprocess.DEVNULL,
                                        stdout=its, stderr=subprocess.DEVNULL, start_new_session=True)
        os.close(its)
        self.thread = threading.Thread(target=self._read, args=(ours,), daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.thread.join(10)

    def _read(self, terminal):
        with open(self.log, "ab") as log:
            rest = b""
            while True:
                try:
                    block = os.read(terminal, 4096)
                except OSError:  # EIO: the program has ended.
                    break
                if not block:
                    break
                now = time.time()
                *lines, rest = (rest + block).split(b"\n")
                for line in lines:
                    log.write(b"%.3f %s\n" % (now, line.strip()))
                    rails = rails_of(line.decode(errors="replace"))
                    if rails:
                        self.samples.append((now, rails))
        os.close(terminal)

    def between(self, begin, end):
        """{rail: (mean watts, number of samples)} of those that came within."""
        found = {}
        for when, rails in self.samples:
            if begin <= when <= end:
                for name, watts in rails.items():
                    found.setdefault(name, []).append(watts)
        return {name: (sum(values) / len(values), len(values)) for name, values in found.items()}
