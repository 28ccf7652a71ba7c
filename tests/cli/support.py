# SPDX-License-Identifier: Apache-2.0
"""What the tests of programs share. HEDGE_BUILD is the build folder, HEDGE_SOURCE the checkout."""
import functools
import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
import unittest

BUILD = os.environ["HEDGE_BUILD"]
SOURCE = os.environ["HEDGE_SOURCE"]
# Further models and images, which need not be there.
SHARED = os.environ.get("HEDGE_SHARED") or os.path.join(SOURCE, "..", "shared")
DEMO = os.path.join(SOURCE, "models", "resnet8_shapes.onnx")
STRONG = os.path.join(SOURCE, "models", "resnet20w_shapes.onnx")
FLAG = re.compile(r"(?<![\w-])--[A-Za-z][\w-]*")
# With the flags behind it.
OTHER_PROGRAM = r"(?<![\w./])(hedge [a-z-]+|build_engine|inference|measurements|simulation|trtexec|nvidia-smi)( --[\w-]+(=[^ ]*)?)+"
SANITIZED = bool(os.environ.get("HEDGE_SANITIZED"))


def call(name, *arguments, **options):
    return subprocess.run([os.path.join(BUILD, name), *arguments], text=True, capture_output=True, check=False,
                          **options)


def read_json(path):
    with open(path) as text:
        return json.load(text)


@functools.lru_cache(maxsize=None)
def flags_of(program):
    """All that its --help lists; for compare those of inference, too, which it takes for either side."""
    script = os.path.join(SOURCE, "tools", program)
    done = call(script if os.path.exists(script) else "hedge" if program == "hedge" else "hedge-" + program, "--help")
    assert done.returncode == 0, done.stderr
    lines = re.findall(r"^ +(?:-\w,)?(--\w.*)", done.stdout, re.MULTILINE)
    own = {flag for line in lines for flag in FLAG.findall(line.split(" ", 1)[0])} | {"--help"}
    return own | flags_of("inference") if program == "compare" else own


def missing_flags(done, error):
    """Flags that an error speaks of and neither the program nor who called it has. What is said of another program
    (behind its name, or in backquotes) does not count."""
    given = set(FLAG.findall(done.args if isinstance(done.args, str) else " ".join(map(str, done.args))))
    program, text = error.split(": error: ", 1)
    text = re.sub(r"`[^`]*`", " ", re.sub(OTHER_PROGRAM, " ", text))
    return set(FLAG.findall(text)) - given - flags_of(program)


def build_demo(root, *flags):
    """Images of the shapes in root/data and the demo model's engine, made in `root`. Returns both paths."""
    data, engine = os.path.join(root, "data"), os.path.join(root, "resnet8_shapes_fp32.engine")
    # A timing cache of its own: tests that run at the same time would read each other's.
    for arguments in (("hedge", "make-data", "shapes", data),
                      ("build_engine", f"--onnx={DEMO}", f"--engine={engine}",
                       "--timing_cache=" + os.path.join(root, "timing.cache"), *flags)):
        done = call(*arguments)
        assert done.returncode == 0, done.stderr
    return data, engine


class Background:
    """Within `with`, run() of a class made of it runs in a thread, which is to end when `stopped` is set."""
    def __enter__(self):
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join()


class ProgramTest(unittest.TestCase):
    """`root` is a folder for all tests of the class."""
    @classmethod
    def setUpClass(cls):
        cls.root = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.root)

    def refused(self, done, *words, status=2):
        """By one line that has the words; warnings may stand before it."""
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        errors = [line for line in done.stderr.splitlines() if ": error: " in line]
        self.assertEqual(len(errors), 1, done.stderr)
        for word in words:
            self.assertIn(word, errors[0])
        self.assertEqual(missing_flags(done, errors[0]), set(), errors[0])
