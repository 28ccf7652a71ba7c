# SPDX-License-Identifier: Apache-2.0
"""What the tests of programs share. HEDGE_BUILD is the build folder, HEDGE_SOURCE the checkout."""
import functools
import json
import os
import re
import subprocess
import unittest

BUILD = os.environ["HEDGE_BUILD"]
SOURCE = os.environ["HEDGE_SOURCE"]
SHARED = os.path.join(SOURCE, "..", "shared")
DEMO = os.path.join(SOURCE, "models", "resnet8_shapes.onnx")
STRONG = os.path.join(SOURCE, "models", "resnet20w_shapes.onnx")
FLAG = re.compile(r"(?<![\w-])--[A-Za-z][\w-]*")
# With the flags behind it; build_engine's of the same model are always named in full.
OTHER_PROGRAM = r"(?<![\w./])(hedge [a-z-]+|build_engine|inference|measurements|simulation|trtexec|nvidia-smi)( --[\w-]+(=[^ ]*)?)+"
SANITIZED = bool(os.environ.get("HEDGE_SANITIZED"))


def call(name, *arguments, **options):
    return subprocess.run([os.path.join(BUILD, name), *arguments], text=True, capture_output=True, check=False,
                          **options)


def read_json(path):
    with open(path) as text:
        return json.load(text)


@functools.lru_cache(maxsize=None)
def flags_of(*program):
    """All flags that its --help names."""
    done = subprocess.run([*program, "--help"], text=True, capture_output=True, check=True)
    return set(FLAG.findall(done.stdout))


def missing_flags(done):
    """Flags that the error of a program speaks of and neither it nor whoever called it has. What is said of another
    program (behind its name, or in backquotes) does not count, nor what a shell or a file has behind a dash."""
    program = done.args[:2] if os.path.basename(done.args[0]) == "hedge" else done.args[:1]
    if len(program) == 2 and str(program[1]).startswith("-"):
        program = program[:1]
    text = " ".join(line for line in done.stderr.splitlines() if ": error: " in line)
    for argument in done.args[1:]:
        text = text.replace(str(argument), " ")
    text = re.sub(r"`[^`]*`", " ", re.sub(OTHER_PROGRAM, " ", text))
    given = set(FLAG.findall(" ".join(map(str, done.args))))
    return set(FLAG.findall(text)) - given - flags_of(*program)


class ProgramTest(unittest.TestCase):
    def refused(self, done, *words, status=2):
        """By one line that has the words; warnings may stand before it."""
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        errors = [line for line in done.stderr.splitlines() if ": error: " in line]
        self.assertEqual(len(errors), 1, done.stderr)
        for word in words:
            self.assertIn(word, errors[0])
        self.assertEqual(missing_flags(done), set(), errors[0])
