# SPDX-License-Identifier: Apache-2.0
"""No program overwrites a file that it reads: every program, every flag that names an input, every
flag that names an output. HEDGE_BUILD is the build folder, HEDGE_SOURCE the checkout."""
import os
import re
import shutil
import subprocess
import tempfile
import unittest

from support import BUILD, DEMO, SOURCE, ProgramTest

MODEL = ["--model", "--labels", "--preprocess", "--dataset"]
CALIBRATION = ["--calib_input", "--calib_preprocessor"]
SCORED = ["--scores", "--server-labels"]

# Of each program the flags (positionals without dashes) that it reads, that it writes, and that it
# does both with.
PROGRAMS = {
    "build_engine": (["--onnx", "--preprocess", "--dataset", *CALIBRATION], ["--engine", "--json"],
                     ["--timing_cache", "--calib_cache"]),
    "cache": (["--onnx", "FILE"], ["--json"], []),
    "compare": (["A", "B", "--a", "--b"], ["--benchmark_out", "--json"], []),
    "export-qdq": (["--onnx", "--preprocess", "--dataset", *CALIBRATION], ["--out", "--json"],
                   ["--calib_cache"]),
    "extract": (["FILE"], ["--out", "--json"], []),
    "fit": ([*MODEL, *SCORED], ["--out", "--diagram", "--json"], []),
    "inference": ([*MODEL, "--server-labels", "--exit-decision", "--net-decision"],
                  ["--predictions", "--scores", "--exit-scores", "--samples", "--benchmark_out",
                   "--json"], []),
    "info": (["FILE"], ["--json"], []),
    "join": (["RESULT", "LOG"], ["--json"], []),
    "logistic_regression": (["--meter"], ["--json"], []),
    "measurements": ([*MODEL, "--meter"], ["--samples", "--benchmark_out", "--json"], []),
    "online": ([*SCORED, "--labels", "--decision-file"], ["--csv", "--svg", "--json"], []),
    "power": ([], ["--json"], ["--state"]),
    "preview": (MODEL, ["--out", "--json"], []),
    "profile": (MODEL, ["--json"], []),
    "sensitivity": (["--onnx", "--preprocess", "--dataset", "--calib_input",
                     "--calib_preprocessor"], ["--json"], ["--calib_cache"]),
    "simulation": ([*MODEL, "--decision-file", "--server-labels", "--server-model",
                    "--server-preprocess"],
                   ["--per-sample", "--samples", "--benchmark_out", "--json"], []),
    "sweep": ([*MODEL, *SCORED, "--decision-file", "--local", "--server"],
              ["--out", "--csv", "--svg", "--json"], []),
}
# These write files of fixed names into a folder, and read none.
WITHOUT_FILES = {"fetch-data", "make-data"}

# How a value is made of the file, where it is not the file.
FORMS = {"--dataset": ["npy:{}", "npy:images.npy,{}"], "--meter": ["csv:{}"],
         "--a": ["--model={}", "--labels={}"], "--b": ["--model={}", "--preprocess={}"]}
# Without which an output or the file in a flag would be refused for another reason.
NEEDED = {
    "build_engine": {"--onnx": "none.onnx"},
    "cache": {"ACTION": "show", "FILE": "none.cache"},
    "compare": {"A": "none.engine", "B": "none.engine"},
    "export-qdq": {"--onnx": "none.onnx"},
    "extract": {"FILE": "none.engine"},
    "inference": {"--exit-decision": "top1:0.5"},
    "join": {"RESULT": "none.json", "LOG": "none.csv"},
    "logistic_regression": {"classes": "10", "measurement": "energy"},
    "sensitivity": {"--onnx": "none.onnx"},
}
ENERGY = {("measurements", "--meter"): ["--energy"]}
POSITIONALS = ["ACTION", "FILE", "RESULT", "LOG", "A", "B", "classes", "measurement"]
# What an output's name must end in, so that it is not refused for that.
ENDINGS = {"--samples": ".csv", "--scores": ".npy", "--exit-scores": ".npy", "--out": ".png"}


def programs():
    return {name.removeprefix("hedge-") for name in os.listdir(BUILD)
            if name.startswith("hedge-") and os.access(os.path.join(BUILD, name), os.X_OK)}


def flags_of(help_text):
    """(flag, type) of each line of --help that describes one; positionals, too."""
    pattern = r"^  (?:-\w,)?(--[\w-]+|[A-Z]+)(?:,--[\w-]+)* ([A-Z][^ ]*)"
    return re.findall(pattern, help_text, re.MULTILINE)


def is_file(flag, kind):
    """Whether a flag of this type may name a file."""
    return (kind in ("FILE", "RECIPE", "FLAGS") or kind.endswith("|FILE") or
            flag in FORMS or flag in CALIBRATION or flag in ("FILE", "RESULT", "LOG"))


class Files(ProgramTest):
    def setUp(self):
        self.root = tempfile.mkdtemp(dir=self.root)

    def path(self, *names):
        return os.path.join(self.root, *names)

    def write(self, *names, content=b"kept as it was\n"):
        os.makedirs(os.path.dirname(self.path(*names)), exist_ok=True)
        with open(self.path(*names), "wb") as file:
            file.write(content)
        return self.path(*names)

    def numbers(self, folder):
        """Of the files of a folder: one that is written anew gets another."""
        return {name: os.stat(self.path(folder, name)).st_ino
                for name in os.listdir(self.path(folder))}

    def call(self, program, *arguments):
        return subprocess.run([os.path.join(BUILD, "hedge-" + program), *arguments], cwd=self.root,
                              text=True, capture_output=True, check=False)

    def refused(self, done, *words):
        """By one line alone."""
        super().refused(done, *words)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertEqual(done.stdout, "")

    def refuses(self, program, values, flags, file):
        """`values` are those of flags and positionals; `flags` the two that name `file`."""
        with open(file, "rb") as stream:
            before = stream.read()
        arguments = [values[name] for name in POSITIONALS if name in values]
        arguments += [f"{flag}={value}" for flag, value in values.items() if flag[0] == "-"]
        for flag in flags:
            arguments += ENERGY.get((program, flag), [])
        with self.subTest(program=program, arguments=arguments):
            self.refused(self.call(program, *arguments), "name the same file", *flags)
            with open(file, "rb") as stream:
                self.assertEqual(stream.read(), before)

    def test_every_input_against_every_output(self):
        for program, (read, written, kept) in PROGRAMS.items():
            for output in written + kept:
                file = self.write("file" + ENDINGS.get(output, ".json"))
                for flag in read + kept + written:
                    if flag == output:
                        continue
                    for form in FORMS.get(flag, ["{}"]):
                        values = {**NEEDED.get(program, {}), flag: form.format(file), output: file}
                        self.refuses(program, values, (flag, output), file)

    def test_the_table_is_complete(self):
        self.assertLessEqual(set(PROGRAMS), programs())
        self.assertLessEqual(programs() - WITHOUT_FILES, set(PROGRAMS))
        for program, files in PROGRAMS.items():
            told = {flag for flag, kind in flags_of(self.call(program, "--help").stdout)
                    if is_file(flag, kind)}
            self.assertEqual(told, {flag for group in files for flag in group}, program)

    def test_two_inputs_may_be_one(self):
        """The labels are a server that is always right."""
        scores = self.write("scores.csv", content=b"0.9,0.1\n0.2,0.8\n0.6,0.4\n0.3,0.7\n" * 50)
        labels = self.write("labels.txt", content=b"0\n1\n1\n0\n" * 50)
        for program in ("fit", "online", "sweep"):
            done = self.call(program, f"--scores={scores}", f"--labels={labels}",
                             f"--server-labels={labels}", "--softmax", "--json=result.json",
                             *{"fit": ["--folds=2"], "sweep": ["--folds=0"]}.get(program, []))
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_other_spellings_of_a_name(self):
        file = self.write("file.json")
        os.symlink(file, self.path("link.json"))
        os.mkdir(self.path("folder"))
        for name in ("./file.json", "folder/../file.json", "link.json"):
            self.refuses("info", {"FILE": file, "--json": name}, ("FILE", "--json"), file)
            self.refuses("info", {"FILE": name, "--json": file}, ("FILE", "--json"), file)

    def test_two_outputs_that_are_not_there_yet(self):
        os.symlink("later.csv", self.path("to_later.csv"))
        for a, b in (("later.csv", "./later.csv"), ("./later.csv", self.path("later.csv")),
                     ("later.csv", "to_later.csv"), ("to_later.csv", "./later.csv")):
            done = self.call("sweep", "--scores=s.npy", "--labels=l.txt", f"--csv={a}", f"--json={b}")
            self.refused(done, "--csv", "--json", "name the same file")
            self.assertFalse(os.path.exists(self.path("later.csv")))

    def test_names_that_follow_from_others(self):
        """Default outputs are outputs."""
        decision = self.write("scores_decision.json")
        self.refuses("fit", {"--scores": "scores.npy", "--labels": decision},
                     ("--labels", "--out"), decision)
        sheet = self.write("preview.png")
        self.refuses("preview", {"--model": sheet}, ("--model", "--out"), sheet)
        exported = self.write("net_qdq.onnx")
        self.refuses("export-qdq", {"--onnx": "net.onnx", "--json": exported},
                     ("--out", "--json"), exported)
        timing = self.write("timing.cache")
        self.refuses("build_engine", {"--onnx": "net.onnx", "--json": timing},
                     ("--timing_cache", "--json"), timing)
        shutil.copy(DEMO, self.path("net_shapes.onnx"))
        for flag, output in (("--engine", "net_shapes_fp32.engine"),
                             ("--calib_cache", "net_shapes.cache")):
            done = self.call("build_engine", "--onnx=net_shapes.onnx", f"--json={output}",
                             "--precision=" + ("fp32" if flag == "--engine" else "int8"))
            self.refused(done, "name the same file", flag)
        self.assertFalse(os.path.exists(self.path("net_shapes_fp32.engine")))

    def test_what_no_flag_names(self):
        """The file of a dataset, which its name and the data folder tell."""
        os.mkdir(self.path("data"))
        done = self.call("make-data", "shapes", "data", "--train", "--images=120")
        self.assertEqual(done.returncode, 0, done.stderr)
        for program, *arguments in (
                ("inference", "--model=" + DEMO, "--predictions=data/shapes_test.bin"),
                ("inference", "--model=" + DEMO, "--json=data/../data/shapes_test.bin"),
                ("fit", "--model=" + DEMO, "--out=data/shapes_test.bin"),
                ("build_engine", "--onnx=" + DEMO, "--int8", "--calib_cache=new.cache",
                 "--engine=data/shapes_train.bin"),
                ("build_engine", "--onnx=" + DEMO, "--int8", "--calib_cache=new.cache", "--report",
                 "--engine=data/shapes_test.bin")):
            before = self.numbers("data")
            with self.subTest(program=program, arguments=arguments):
                self.refused(self.call(program, *arguments, "--data=data"),
                             "this run reads that file and would overwrite it")
                self.assertEqual(self.numbers("data"), before)

    def test_an_image_of_a_folder(self):
        image = b"P6 32 32 255\n" + bytes(range(256)) * 12
        for label in range(10):
            self.write("photos", str(label), "image.ppm", content=image)
        file = self.path("photos", "7", "image.ppm")
        done = self.call("inference", "--model=" + DEMO, "--dataset=folder:photos",
                         f"--predictions={file}")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("--predictions=" + file, done.stderr)
        with open(file, "rb") as stream:
            self.assertEqual(stream.read(), image)

    def test_results_may_be_written_anew(self):
        """Nothing but what is read is spared."""
        self.write("result.json")
        for _ in range(2):
            done = self.call("info", DEMO, "--json=result.json")
            self.assertEqual(done.returncode, 0, done.stderr)
        with open(self.path("result.json")) as text:
            self.assertIn("hedge.info/1", text.read())


if __name__ == "__main__":
    unittest.main()
