# SPDX-License-Identifier: Apache-2.0
"""What can be typed."""
import argparse
import glob
import os
import sys

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILDS = ("build-tensorrt", "build", "build-cuda", "build-release")

EPILOG = """\
What it does, each a step with a log, a time limit and a verdict:
  1  board          model, JetPack, CUDA, TensorRT, power modes, rails, clocks, temperatures
  2  unit-tests     test-cuda, test-tensorrt and the other unit tests, where they were built
  3  build          engines in fp32 (with and without TF32), fp16 and int8
  4  accuracy       top-1 of each, held against what the model is known to reach, or against the cpu backend
  5  latency        in a loop and one by one; CUDA graph, memory modes and ways to wait against each other
  6  energy         in each power mode, with the rails; tegrastats beside it
  7  simulation     hierarchical inference, and what its decision costs
  8  verdicts       report.md to read, report.json for programs, and OUT.tar.gz of both and all logs, to send

Examples:
  tools/jetson-acceptance --quick                          is everything there? about a quarter of an hour
  tools/jetson-acceptance                                  all of it with the bundled models, in 15W and 7W
  tools/jetson-acceptance --models=models --data=data      the original's own ONNX files, on CIFAR-10
  tools/jetson-acceptance --modes=none                     without root: in the power mode that is set
  tools/jetson-acceptance --backend=tensorrt,cuda          both, and one against the other
  tools/jetson-acceptance --list                           the steps that there would be

Call it again to go on: steps that are done are kept, those that failed, were skipped or interrupted are run again.
Power modes and clocks are set for as long as they are needed and restored at the end, after Ctrl-C and when this
program is killed. Where that takes root, sudo asks for the password, once, at the start. Exit status: 0 nothing
failed, 1 something did, 2 bad usage, 130 after Ctrl-C. docs/jetson.md tells how a fresh board comes that far, and
what the report holds.
"""


def _positive(text):
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"{text}: is to be above 0")
    return value


def parse(argv):
    parser = argparse.ArgumentParser(
        prog="jetson-acceptance", formatter_class=argparse.RawDescriptionHelpFormatter, epilog=EPILOG, allow_abbrev=False,
        description="Runs all that Hedge claims of a Jetson on one, and writes one report.")
    parser.add_argument("--out", metavar="DIR", default="jetson-acceptance-report",
                        help="folder of the report (default ./jetson-acceptance-report); goes on with what is in it")
    parser.add_argument("--fresh", action="store_true", help="run all steps again, whatever the folder holds")
    parser.add_argument("--build", metavar="DIR",
                        help=f"build folder (default: the first of {', '.join(BUILDS)} beside tools/ that holds programs)")
    parser.add_argument("--backend", metavar="NAME[,NAME]",
                        help="tensorrt, cuda, cpu (default: the first of them that is available)")
    parser.add_argument("--models", metavar="DIR", help="folder of ONNX files (default: the bundled demo models)")
    parser.add_argument("--data", metavar="DIR",
                        help="folder of the datasets (default: $HEDGE_DATA, else data/ beside tools/); `shapes` is made")
    parser.add_argument("--dataset", metavar="NAME", default="cifar",
                        help="of models whose file name tells none (default cifar)")
    parser.add_argument("--modes", metavar="NAME[,NAME]", default="15W,7W",
                        help="power modes to visit, by the names of `hedge power show` (default 15W,7W, the original's); "
                             "none: measure as the board is set")
    parser.add_argument("--quick", action="store_true", help="one model, short measurements: shows what works, not how fast")
    parser.add_argument("--energy-time", metavar="SECONDS", type=_positive, help="of each load (default 60; quick 10)")
    parser.add_argument("--idle-time", metavar="SECONDS", type=_positive, help="of each idle baseline (default 10; quick 3)")
    parser.add_argument("--only", metavar="STEP[,STEP]", help="these steps alone, as `board,build,energy` or by full name")
    parser.add_argument("--skip", metavar="STEP[,STEP]", help="all but these")
    parser.add_argument("--list", action="store_true", help="print the steps and end")
    options = parser.parse_args(argv)
    _complete(parser, options)
    return options


def _words(text):
    return [word for word in (text or "").split(",") if word]


def _complete(parser, options):
    options.build = os.path.abspath(options.build or _find_build(parser))
    if not os.path.exists(os.path.join(options.build, "hedge-info")):
        parser.error(f"--build={options.build}: holds no programs of Hedge (hedge-info is missing); build them first, "
                     "as docs/jetson.md tells")
    options.out = os.path.abspath(options.out)
    options.backends = _words(options.backend)
    options.modes = [] if options.modes == "none" else _words(options.modes)
    options.only = _words(options.only)
    options.skip = _words(options.skip)
    options.data = os.path.abspath(options.data or os.environ.get("HEDGE_DATA") or os.path.join(SOURCE, "data"))
    options.energy_time = options.energy_time or (10 if options.quick else 60)
    options.idle_time = options.idle_time or (3 if options.quick else 10)
    options.onnx = _find_models(parser, options)


def _find_build(parser):
    for name in BUILDS:
        folder = os.path.join(SOURCE, name)
        if os.path.exists(os.path.join(folder, "hedge-info")):
            return folder
    parser.error(f"no build folder: none of {', '.join(BUILDS)} in {SOURCE} holds programs; build first, as "
                 "docs/jetson.md tells, or state --build=DIR")
    return sys.exit(2)


def bundled(name):
    return os.path.join(SOURCE, "models", f"{name}.onnx")


def _find_models(parser, options):
    if options.models is None:
        names = ["resnet8_shapes"] if options.quick else ["resnet8_shapes", "resnet20w_shapes", "EE_resnet20w_shapes"]
        return [bundled(name) for name in names]
    found = sorted(glob.glob(os.path.join(options.models, "*.onnx")))
    if not found:
        parser.error(f"--models={options.models}: no *.onnx in that folder")
    return [os.path.abspath(path) for path in (found[:1] if options.quick else found)]
