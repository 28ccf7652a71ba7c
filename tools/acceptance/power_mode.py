# SPDX-License-Identifier: Apache-2.0
"""Power modes, held for as long as steps need them.

`hedge power run --mode=M --lock-clocks -- sh -c 'echo held; exec cat'` sets the mode, and restores what was before when
cat ends. Its standard input is ours: should this program end, in whatever way, cat reads the end of the file and the
board is as it was. Should `hedge power` be killed itself, its next call restores (docs/power-modes.md)."""
import os
import subprocess
import sys
import threading
import time

from .commands import Interrupted, POLL_S
from .verdicts import Skipped

BEGIN_S = 90
END_S = 120


class Sudo:
    """Root's rights for `hedge power` alone; the measurements run as the caller."""

    def __init__(self):
        self.prefix = []
        self.reason = None
        self.ended = threading.Event()

    def obtain(self, may_ask):
        # Below another root nothing belongs to root.
        if os.geteuid() == 0 or os.environ.get("HEDGE_SYSFS_ROOT"):
            return
        self.prefix = ["sudo", "-n"]
        try:
            if subprocess.run(["sudo", "-n", "true"], stderr=subprocess.DEVNULL, check=False).returncode != 0:
                if may_ask and sys.stdin.isatty():
                    print("Power modes are set by `sudo hedge power run`; --modes=none does without.", flush=True)
                if not may_ask or not sys.stdin.isatty() or subprocess.run(["sudo", "-v"], check=False).returncode != 0:
                    self.reason = ("power modes need root: run this at a terminal, where sudo asks for the password, or "
                                   "by sudo; --modes=none measures in the mode that is set")
                    return
        except OSError:
            self.reason = "power modes need root, and there is no sudo here: run this as root"
            return
        threading.Thread(target=self._keep, daemon=True).start()

    def _keep(self):
        while not self.ended.wait(60):
            subprocess.run(["sudo", "-n", "-v"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


class PowerModes:
    def __init__(self, build, sudo, stop):
        self.program = os.path.join(build, "hedge-power")
        self.sudo = sudo
        self.stop = stop
        self.current = None
        self.process = None
        self.log = None
        self.failures = []  # of giving modes back, until somebody asks

    def enter(self, mode, log):
        """Holds `mode` (None: none). Raises Skipped where it cannot be set, in the words of `hedge power`."""
        if mode == self.current and (mode is None or self.process.poll() is None):
            return
        self.leave()
        if mode is None:
            return
        if self.sudo.reason:
            raise Skipped(self.sudo.reason)
        argv = [*self.sudo.prefix, self.program, "run", f"--mode={mode}", "--lock-clocks", "--", "sh", "-c",
                "echo held; exec cat"]
        self.log = log
        with open(log, "ab") as out:
            out.write(f"$ {' '.join(argv)}   # until the steps of this mode are done\n".encode())
            out.flush()
            start = out.tell()
            # Of our own session, for sudo's ticket; of a group of its own, so that Ctrl-C ends the measurement first.
            self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=out,
                                            preexec_fn=os.setpgrp)
        os.set_blocking(self.process.stdout.fileno(), False)
        self._await_held(mode, start)
        self.current = mode

    def _await_held(self, mode, start):
        begin = time.monotonic()
        said = b""
        while b"held" not in said:
            said += self.process.stdout.read() or b""
            if self.process.poll() is not None:
                reason = self._last_error(start) or f"hedge power: exit status {self.process.returncode}"
                self.process = None
                raise Skipped(f"power mode {mode}: {reason}")
            if self.stop.count or time.monotonic() - begin > BEGIN_S:
                self.leave()
                if self.stop.count:
                    raise Interrupted()
                raise Skipped(f"power mode {mode}: not set within {BEGIN_S} s")
            time.sleep(POLL_S)

    def _last_error(self, start):
        with open(self.log, "rb") as text:
            text.seek(start)
            lines = text.read().decode(errors="replace").splitlines()
        errors = [line for line in lines if ": error: " in line]
        return (errors or lines or [""])[-1].strip()

    def held(self):
        return self.process is not None and self.process.poll() is None

    def leave(self):
        """Lets go, and waits until what was before is back."""
        process, self.process, mode, self.current = self.process, None, self.current, None
        if process is None:
            return
        try:
            process.stdin.close()
        except OSError:
            pass
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.failures.append(f"power mode {mode}: not given back within {END_S} s")
            return
        finally:
            process.stdout.close()
        if process.returncode != 0:
            self.failures.append(f"power mode {mode}: hedge power ended with status {process.returncode}: "
                                 f"{self._last_error(0)}")
