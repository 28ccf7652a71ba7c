# SPDX-License-Identifier: Apache-2.0
"""Flags about how a GPU runs a model, where there is none. HEDGE_BUILD is the build folder,
HEDGE_SOURCE the checkout."""
import os
import unittest

from support import BUILD, DEMO, ProgramTest, build_demo, call, read_json

FLAGS = ["--wait=spin", "--memory=pinned", "--no-cuda-graph"]


class GpuFlags(ProgramTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data, cls.engine = build_demo(cls.root, "--backend=cpu", "--builderOptimizationLevel=0")

    def model(self, *arguments, model=None):
        return [f"--model={model or self.engine}", f"--data={self.data}", *arguments]

    def test_every_program_refuses_what_it_would_ignore(self):
        """The backend has no GPU: exit status 2, and one line that names the flag."""
        programs = {"measurements": ["--iterations=10"], "inference": ["--iterations=10"],
                    "simulation": ["--iterations=10", "--server-model=" + self.engine],
                    "hedge-profile": ["--iterations=10"],
                    "hedge-fit": ["--iterations=100"], "hedge-sweep": ["--iterations=100"]}
        for program, arguments in programs.items():
            for flag in FLAGS:
                with self.subTest(program=program, flag=flag):
                    self.refused(call(program, *self.model(*arguments, flag)),
                                 flag.split("=")[0] + ":", "cpu", "--backend")

    def test_all_flags_are_named_at_once(self):
        self.refused(call("measurements", *self.model(*FLAGS)),
                     "--wait, --memory and --no-cuda-graph")

    def test_an_onnx_file_is_refused_before_it_is_built(self):
        for backend in ("cpu", "null"):
            done = call("measurements", *self.model("--wait=block", f"--backend={backend}",
                                                    model=DEMO))
            self.refused(done, "--wait", backend)
            self.assertNotIn("building", done.stderr)

    def test_sides_of_a_comparison(self):
        plain = f"--data={self.data}"
        for a, b in ((plain + " --memory=mapped", plain), (plain, plain + " --memory=mapped")):
            self.refused(call("hedge", "compare", self.engine, f"--a={a}", f"--b={b}"), "--memory")

    def test_unknown_names_are_refused_with_those_there_are(self):
        self.refused(call("measurements", *self.model("--wait=never")), "--wait=never",
                     "spin, yield and block")
        self.refused(call("measurements", *self.model("--memory=shared")), "--memory=shared",
                     "managed-original")

    def test_a_program_that_infers_nothing_does_not_take_them(self):
        self.assertEqual(call("hedge-preview", *self.model("--wait=spin")).returncode, 2)

    def test_results_of_a_cpu_say_nothing_about_a_gpu(self):
        path = os.path.join(self.root, "result.json")
        done = call("measurements", *self.model("--iterations=10", "--warmup=1", f"--json={path}"))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("\ngpu ", done.stdout)
        config = read_json(path)["config"]
        for key in ("cuda_graph", "memory_mode", "wait"):
            self.assertNotIn(key, config)


EMULATED = os.path.join(BUILD, "emulated")


@unittest.skipUnless(os.path.exists(os.path.join(EMULATED, "libhedge-backend-cuda.so")), "no emulated GPU in this build")
class EmulatedGpu(ProgramTest):
    """Of the cuda backend what needs no figures, by kernels compiled for the CPU."""

    def test_the_split_says_where_input_and_output_lie(self):
        folder = self.root
        environment = {**os.environ, "HEDGE_MODULE_PATH": f"{EMULATED}:{os.path.join(BUILD, 'lib')}"}
        engine, data = os.path.join(folder, "resnet8_shapes_fp16.engine"), os.path.join(folder, "data")
        for arguments in (["hedge", "make-data", "shapes", data],
                          ["build_engine", f"--onnx={DEMO}", f"--engine={engine}", "--backend=cuda",
                           "--builderOptimizationLevel=0"]):
            done = call(*arguments, env=environment, cwd=folder)
            self.assertEqual(done.returncode, 0, done.stderr)
        for memory, words in (("mapped", "kernels use the host's memory"), ("device", "copies are left out"),
                              ("managed", "managed memory")):
            done = call("measurements", f"--model={engine}", f"--data={data}", f"--memory={memory}",
                        "--iterations=1", "--warmup=0", "--quiet", env=environment)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertRegex(done.stdout, f"split +on the GPU compute [0-9.]+ us \\({words}")


if __name__ == "__main__":
    unittest.main()
