# SPDX-License-Identifier: Apache-2.0
"""The programs for arm64 under an emulator: what they compute is what the host's programs compute.
HEDGE_BUILD and HEDGE_HOST_BUILD are the build folders, HEDGE_EMULATOR the command that runs the first's
programs. No time is looked at: an emulator's says nothing."""
import json
import os
import subprocess
import tempfile
import unittest

BUILD = os.environ["HEDGE_BUILD"]
HOST = os.environ["HEDGE_HOST_BUILD"]
SOURCE = os.environ["HEDGE_SOURCE"]
EMULATOR = os.environ["HEDGE_EMULATOR"].split()
IMAGES = 200


class Arm64(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.data = os.path.join(cls.folder.name, "data")
        cls.run_program([], HOST, "hedge", "make-data", "shapes", cls.data)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @staticmethod
    def run_program(emulator, build, name, *arguments):
        done = subprocess.run([*emulator, os.path.join(build, name), *arguments], text=True,
                              capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def build_engine(self, emulator, build, name, *more):
        engine = os.path.join(self.folder.name, name)
        self.run_program(emulator, build, "build_engine", f"--engine={engine}", "--precision=fp32",
                         f"--onnx={SOURCE}/models/resnet8_shapes.onnx",
                         f"--timing_cache={self.folder.name}/{name}.cache", *more)
        return engine

    def predictions(self, emulator, build, engine):
        path = os.path.join(self.folder.name, "predictions.txt")
        out = self.run_program(emulator, build, "inference", f"--model={engine}", f"--data={self.data}",
                               f"--iterations={IMAGES}", "--warmup=0", f"--predictions={path}", "--json=-",
                               "--quiet")
        with open(path) as lines:
            predicted = lines.read().split()
        self.assertEqual(len(predicted), IMAGES)
        return predicted, json.loads(out)["accuracy"]["correct"]

    def test_same_predictions(self):
        host = self.build_engine([], HOST, "host_shapes_fp32.engine")
        expected = self.predictions([], HOST, host)
        self.assertGreater(expected[1], IMAGES // 2)  # The model does know its images.
        with self.subTest("an engine that the host built"):
            self.assertEqual(self.predictions(EMULATOR, BUILD, host), expected)
        with self.subTest("an engine of its own"):
            own = self.build_engine(EMULATOR, BUILD, "own_shapes_fp32.engine", "--builderOptimizationLevel=0")
            self.assertEqual(self.predictions(EMULATOR, BUILD, own), expected)


if __name__ == "__main__":
    unittest.main()
