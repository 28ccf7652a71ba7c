# SPDX-License-Identifier: Apache-2.0
"""What a step is, and what it can call upon while it runs."""
import json
import os

from .commands import CommandFailed, Interrupted, run


class Step:
    """name: unique, `kind/...`, by which it is found again; needs: names of steps that must have gone well;
    mode: power mode that is held for it (None: as the board is set); seconds: about how long it takes;
    cheap: told again at each call, never kept."""

    def __init__(self, name, title, action, needs=(), mode=None, seconds=5, cheap=False):
        self.name = name
        self.title = title
        self.action = action
        self.needs = list(needs)
        self.mode = mode
        self.seconds = seconds
        self.cheap = cheap

    @property
    def kind(self):
        return self.name.split("/")[0]

    @property
    def stem(self):
        return self.name.replace("/", "-")


class Running:
    """Handed to a step's action: runs programs, and keeps what they wrote."""

    def __init__(self, step, session):
        self.step = step
        self.session = session
        self.options = session.options
        self.work = session.work
        self.records = session.records
        self.log = os.path.join(session.options.out, "logs", f"{step.stem}.log")
        self.commands = []
        self.results = []

    def call(self, program, *arguments, limit_s=600, allow=(0,), environment=None):
        """Runs a program of the build folder, or any other by its path; raises CommandFailed where its status is not of
        `allow`, and Interrupted after a signal."""
        path = program if os.path.isabs(program) else os.path.join(self.session.options.build, program)
        argv = [path, *[str(argument) for argument in arguments]]
        self.commands.append(argv)
        done = run(argv, self.log, limit_s, self.session.stop, environment=environment, cwd=self.work)
        if done.interrupted:
            raise Interrupted()
        if done.timed_out or done.status not in allow:
            raise CommandFailed(done, done.reason())
        return done

    def result(self, name, program, *arguments, **options):
        """The same with --json: its content. The file goes into the report, also where the program failed or was cut
        short after it was written."""
        path = os.path.join(self.session.options.out, "results", f"{self.step.stem}{'-' if name else ''}{name}.json")
        if os.path.exists(path):
            os.remove(path)
        try:
            self.call(program, *arguments, f"--json={path}", **options)
        finally:
            if os.path.exists(path):
                self.results.append(os.path.relpath(path, self.session.options.out))
        with open(path) as text:
            return json.load(text)

    def figures(self, name):
        """What another step has found; empty where it has not run."""
        return self.records.get(name, {}).get("figures", {})

    def note(self, text):
        with open(self.log, "a") as out:
            out.write(text.rstrip("\n") + "\n")
