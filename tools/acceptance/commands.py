# SPDX-License-Identifier: Apache-2.0
"""Runs programs: each with a log, a time limit, and an end that Ctrl-C brings about without losing what was measured."""
import os
import shlex
import signal
import subprocess
import time

POLL_S = 0.05
GRACE_S = 30  # of a program that was asked to end, before it is killed


class Interrupted(Exception):
    """Ctrl-C, SIGTERM, or the terminal is gone."""


class CommandFailed(Exception):
    """A program ended otherwise than it should: its own words, else its status."""

    def __init__(self, done, reason):
        super().__init__(reason)
        self.done = done
        self.refused = done.status == 2  # bad usage or bad input, by all programs of Hedge


class Stop:
    """Signals set a flag, so that nothing is cut in half but the program that runs."""

    def __init__(self):
        self.count = 0

    def install(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self.note)

    def note(self, *_):
        self.count += 1


class Done:
    def __init__(self, argv, status, output, seconds, timed_out, interrupted):
        self.argv = argv
        self.status = status
        self.output = output
        self.seconds = seconds
        self.timed_out = timed_out
        self.interrupted = interrupted

    def reason(self):
        """Why it failed, in one line: what it says itself, if it does."""
        if self.timed_out:
            return f"{os.path.basename(self.argv[0])}: not done within {self.timed_out:.0f} s, and ended"
        for line in reversed(self.output.splitlines()):
            if ": error: " in line:
                return line.strip()
        tail = [line.strip() for line in self.output.splitlines() if line.strip()]
        said = f": {tail[-1][:200]}" if tail else ""
        return f"{os.path.basename(self.argv[0])}: exit status {self.status}{said}"


def _end(process, number):
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        pass


def _wait(process, limit_s, stop):
    """(timed out, interrupted): asks it to end after the limit or a signal; kills what does not, or at a second signal."""
    begin = time.monotonic()
    asked_at = None
    timed_out = interrupted = False
    count = stop.count
    while True:
        try:
            process.wait(POLL_S)
            return timed_out, interrupted
        except subprocess.TimeoutExpired:
            pass
        now = time.monotonic()
        if asked_at is None:
            timed_out = now - begin > limit_s
            interrupted = stop.count > 0
            if timed_out or interrupted:
                asked_at = now
                count = stop.count
                _end(process, signal.SIGINT)
        elif now - asked_at > GRACE_S or stop.count > count:
            _end(process, signal.SIGKILL)


def run(argv, log, limit_s, stop, environment=None, cwd=None):
    """Runs argv, its output appended to the file `log`. Never raises for how it ends; OSError where it cannot begin."""
    with open(log, "ab") as out:
        out.write(f"$ {' '.join(shlex.quote(word) for word in argv)}\n".encode())
        out.flush()
        start = out.tell()
        begin = time.monotonic()
        try:
            # A session of its own: Ctrl-C reaches it by us alone, once.
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment,
                                       cwd=cwd, start_new_session=True)
        except OSError as error:
            out.write(f"{error}\n".encode())
            raise
        timed_out, interrupted = _wait(process, limit_s, stop)
        seconds = time.monotonic() - begin
    with open(log, "rb") as text:
        text.seek(start)
        output = text.read().decode(errors="replace")
    with open(log, "ab") as out:
        out.write(f"[exit status {process.returncode}, {seconds:.1f} s]\n\n".encode())
    return Done(argv, process.returncode, output, seconds, limit_s if timed_out else None, interrupted)
