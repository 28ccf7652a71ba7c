# SPDX-License-Identifier: Apache-2.0
"""The original's way of building, in a checkout of its own. HEDGE_BUILD is the build under test, HEDGE_SOURCE the
checkout that it was built from."""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

BUILD = os.environ["HEDGE_BUILD"]
SOURCE = os.environ["HEDGE_SOURCE"]
DEMO = os.path.join(SOURCE, "models", "resnet8_shapes.onnx")


@unittest.skipIf(os.environ.get("HEDGE_SANITIZED"), "once is enough: the build without sanitizers does it")
class OriginalBuild(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.root)
        self.data = os.path.join(self.root, "data")
        self.engine = os.path.join(self.root, "resnet8_shapes_fp32.engine")
        for line in (["hedge", "make-data", "shapes", self.data, "--images=100"],
                     ["build_engine", f"--onnx={DEMO}", f"--engine={self.engine}",
                      "--timing_cache=" + os.path.join(self.root, "timing.cache")]):
            subprocess.run([os.path.join(BUILD, line[0]), *line[1:]], check=True, capture_output=True)

    def test_configure_and_make_of_the_original(self):
        """mkdir build; cd build; cmake -DLATENCY=1 -DENERGY=0 ..; make, word for word. What the build under test
        compiled by the same commands is not compiled again."""
        tree = os.path.join(self.root, "tree")
        os.makedirs(tree)
        for name in os.listdir(SOURCE):
            if not name.startswith((".", "build", "data")):
                os.symlink(os.path.join(SOURCE, name), os.path.join(tree, name))
        build = os.path.join(tree, "build")
        log = os.path.join(self.root, "reuse.log")
        launcher = os.path.join(SOURCE, "tests", "cli", "reuse_objects.py")
        with open(os.path.join(BUILD, "CMakeCache.txt")) as cache:
            flags = next(line.split("=", 1)[1].strip() for line in cache if line.startswith("CMAKE_CXX_FLAGS:"))
        environment = {**os.environ, "MAKEFLAGS": f"-j{os.cpu_count()}", "CXXFLAGS": flags,
                       "CMAKE_CXX_COMPILER_LAUNCHER": f"{sys.executable};-I;-S;{launcher}",
                       "CMAKE_CUDA_COMPILER_LAUNCHER": f"{sys.executable};-I;-S;{launcher}",
                       "HEDGE_REUSE_BUILD": os.path.realpath(BUILD), "HEDGE_REUSE_LOG": log,
                       "HEDGE_REUSE_SOURCE": os.path.realpath(SOURCE), "HEDGE_REUSE_SECOND": build}

        def call(line, **options):
            done = subprocess.run(line, shell=True, cwd=build, text=True, capture_output=True, check=False,
                                  env=environment, **options)
            self.assertEqual(done.returncode, 0, done.stdout[-2000:] + done.stderr[-2000:])
            return done.stdout

        def compiled():
            with open(log) as lines:
                return [os.path.basename(line.split()[1]) for line in lines if line.startswith("compiled")]

        os.mkdir(build)
        call("cmake -DLATENCY=1 -DENERGY=0 ..")
        call("make")
        again = compiled()
        for name in ("inference", "measurements", "logistic_regression", "LogisticRegression",
                     "build_engine", "hedge"):
            self.assertIn("Hedge", call(f"./{name} --version"))
        measure = f"./measurements --model={self.engine} --data={self.data} --iterations=20"
        self.assertNotIn("energy ", call(measure))
        # The other way round: of all only `measurements` is another then.
        call("cmake -DLATENCY=0 -DENERGY=1 ..")
        call("make")
        self.assertEqual(compiled()[len(again):], ["measurements.cpp"])
        self.assertIn("energy ", call(f"{measure} --meter=none"))
        self.assertNotIn("energy ", call(f"{measure} --latency"))


if __name__ == "__main__":
    unittest.main()
