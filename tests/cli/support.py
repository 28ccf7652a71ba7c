# SPDX-License-Identifier: Apache-2.0
"""What the tests of programs share. HEDGE_BUILD is the build folder, HEDGE_SOURCE the checkout."""
import json
import os
import subprocess
import unittest

BUILD = os.environ["HEDGE_BUILD"]
SOURCE = os.environ["HEDGE_SOURCE"]
SHARED = os.path.join(SOURCE, "..", "shared")
DEMO = os.path.join(SOURCE, "models", "resnet8_shapes.onnx")
STRONG = os.path.join(SOURCE, "models", "resnet20w_shapes.onnx")
SANITIZED = bool(os.environ.get("HEDGE_SANITIZED"))


def call(name, *arguments, **options):
    return subprocess.run([os.path.join(BUILD, name), *arguments], text=True, capture_output=True, check=False,
                          **options)


def read_json(path):
    with open(path) as text:
        return json.load(text)


class ProgramTest(unittest.TestCase):
    def refused(self, done, *words, status=2):
        """By one line that has the words; warnings may stand before it."""
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        errors = [line for line in done.stderr.splitlines() if ": error: " in line]
        self.assertEqual(len(errors), 1, done.stderr)
        for word in words:
            self.assertIn(word, errors[0])
