# SPDX-License-Identifier: Apache-2.0
"""Engines, and how often they are right."""
import os
import re
import shutil

from . import board, expected
from .commands import CommandFailed
from .models import FLAGS, VARIANTS, is_gpu
from .steps import Step
from .verdicts import Failed, Outcome, Skipped


def build_name(backend, model, variant):
    return f"build/{backend}/{model.name}/{variant}"


def accuracy_name(backend, model, variant):
    return f"accuracy/{backend}/{model.name}/{variant}"


# In what TensorRT's inspector says of a tensor, as "Thirty-two wide channel vectorized row major Int8 format".
DATATYPE = re.compile(r"\b(?:(int8)|(fp16|half)|(bf16|bfloat16)|(fp32|float|float32))\b", re.I)
DATATYPES = ("int8", "fp16", "bf16", "fp32")


def _inspected(layer):
    """The precision of a layer of TensorRT's: int8 where it reads int8, else that of its output; None where not told."""
    if not isinstance(layer, dict):
        return None
    found = []
    for side in ("Inputs", "Outputs"):
        types = []
        for tensor in layer.get(side) or []:
            match = DATATYPE.search(str(tensor.get("Format/Datatype", ""))) if isinstance(tensor, dict) else None
            if match:
                types.append(DATATYPES[match.lastindex - 1])
        found.append(types)
    read, written = found
    if "int8" in read:
        return "int8"
    return (written or read or [None])[0]


def precisions(layers):
    """How many layers run in each precision, where the backend tells."""
    if isinstance(layers, dict):  # {"tensorrt": {"Layers": [...]}}
        inspected = layers.get("tensorrt")
        entries = inspected.get("Layers", []) if isinstance(inspected, dict) else []
        names = [_inspected(layer) for layer in entries]
    else:
        names = [layer.get("precision") for layer in layers or [] if isinstance(layer, dict)]
    found = {}
    for name in names:
        if name:
            found[name] = found.get(name, 0) + 1
    return found


def _build(backend, model, variant):
    def action(running):
        quick = running.options.quick
        engine = model.engine(running.work, backend, variant)
        os.makedirs(os.path.dirname(engine), exist_ok=True)
        flags = [*FLAGS[variant], *model.flags, f"--timing_cache={os.path.join(running.work, backend + '.timing')}"]
        if is_gpu(backend) and not quick:
            flags.append("--builderOptimizationLevel=99")  # the original's
        if variant == "int8":
            flags += [f"--data={model.data}", f"--calib_cache={engine}.cache",
                      f"--calib_num_images={1000 if quick else 10000}"]
            if not quick and backend != "null":
                flags.append("--report")
        result = running.result("", "hedge-build_engine", f"--onnx={model.onnx}", f"--engine={engine}",
                                f"--backend={backend}", *flags, limit_s=3600)
        figures = {"target": result["engine"].get("target"), "layers": precisions(result.get("layers")),
                   "bytes": os.path.getsize(engine)}
        quantization = result.get("quantization")
        if quantization:
            figures["int8_correct"] = quantization.get("int8_correct")
            figures["fp32_correct"] = quantization.get("fp32_correct")
        if variant == "int8" and figures["layers"] and not figures["layers"].get("int8"):
            raise Failed("no layer of it runs in int8", figures)
        layers = ", ".join(f"{count} {name}" for name, count in sorted(figures["layers"].items()))
        return Outcome(f"{figures['bytes'] / 1e6:.2f} MB{', layers: ' + layers if layers else ''}", figures)
    return action


def _infer(running, engine, model, limit_s=1800, flags=()):
    result = running.result("", "hedge-inference", f"--model={engine}", f"--data={model.data}", "--iterations=10000",
                            f"--predictions={os.path.join(running.work, running.step.stem + '.txt')}", *flags,
                            limit_s=limit_s)
    figures = {"correct": result["accuracy"]["correct"], "total": result["accuracy"]["total"],
               "top1": result["accuracy"]["top1"], "top1_ci95": result["accuracy"].get("top1_ci95"),
               "p50_us": result["latency_us"].get("p50")}
    for key in ("memory_mode", "wait", "cuda_graph"):
        if key in result.get("config", {}):
            figures[key] = result["config"][key]
    return figures


def _reference(model):
    """The same images by the cpu backend in fp32: what all else is held against."""
    def action(running):
        try:
            figures = _infer(running, model.onnx, model, 3600, ["--backend=cpu", "--precision=fp32", *model.flags])
        except CommandFailed as failed:
            if failed.refused:  # No data, a recipe that nobody knows, an operator that Hedge has not.
                raise Skipped(str(failed))
            raise
        return Outcome(f"{100 * figures['top1']:.2f} % ({figures['correct']} of {figures['total']})", figures)
    return action


def _agreement(running, first, second):
    """The share of images that two runs give the same class; None where one left no predictions."""
    paths = [os.path.join(running.work, name.replace("/", "-") + ".txt") for name in (first, second)]
    if not all(os.path.exists(path) for path in paths):
        return None
    lines = []
    for path in paths:
        with open(path) as text:
            lines.append(text.read().split())
    if len(lines[0]) != len(lines[1]) or not lines[0]:
        return None
    return sum(a == b for a, b in zip(*lines)) / len(lines[0])


def _known(running, model):
    """(right, of how many, by whom), or None."""
    correct = expected.CORRECT.get((model.sha256, model.test_set))
    if correct is not None:
        return correct, 10000, "documented"
    figures = running.figures(f"reference/{model.name}")
    if figures:
        return figures["correct"], figures["total"], "by the cpu backend"
    return None


def _judge(running, model, figures, tolerance, variant):
    """Holds a top-1 against what is known of the model."""
    known = _known(running, model)
    text = f"{100 * figures['top1']:.2f} % ({figures['correct']} of {figures['total']})"
    if known is None:
        return Outcome(text, figures, ["nothing to hold it against: neither is the test set known, nor has the cpu backend "
                                       "run"])
    correct, total, whose = known
    figures["expected_top1"], figures["expected_by"] = correct / total, whose
    difference = 100 * (figures["top1"] - correct / total)
    figures["difference_points"] = difference
    text += f", {difference:+.2f} points from {100 * correct / total:.2f} % {whose}"
    if figures["total"] != total:
        raise Failed(f"{text}: of {figures['total']} images, not {total}", figures)
    if abs(difference) > tolerance:
        raise Failed(f"{text}; {tolerance} are allowed in {variant}", figures)
    return Outcome(text, figures)


def _accuracy(backend, model, variant):
    def action(running):
        figures = _infer(running, model.engine(running.work, backend, variant), model)
        agreement = _agreement(running, running.step.name, f"reference/{model.name}")
        if agreement is not None:
            figures["same_class_as_reference"] = agreement
        return _judge(running, model, figures, expected.TOLERANCE[variant], variant)
    return action


def trtexec():
    """TensorRT's own program, or Skipped."""
    path = shutil.which("trtexec") or board.TRTEXEC
    if not os.path.exists(path):
        raise Skipped("trtexec is not here (package libnvinfer-bin)")
    return path


def _foreign_plan(model):
    """A plan that trtexec builds of the original ONNX file, as the original's README has it, run by Hedge."""
    def action(running):
        program = trtexec()
        plan = model.engine(running.work, "trtexec", "fp32")
        os.makedirs(os.path.dirname(plan), exist_ok=True)
        running.call(program, f"--onnx={model.onnx}", f"--saveEngine={plan}", "--skipInference", limit_s=3600)
        return _judge(running, model, _infer(running, plan, model), expected.TOLERANCE["fp32"], "fp32")
    return action


def engine_steps(session):
    """Builds and accuracies, in the power mode that the board is in."""
    for backend in session.backends:
        for model in session.models:
            data = ["data/shapes"] if model.made else []
            for variant in VARIANTS[backend]:
                yield Step(build_name(backend, model, variant), f"build {model.name} {variant}, {backend}",
                           _build(backend, model, variant), data,
                           seconds=20 if session.options.quick else 120)


def accuracy_steps(session):
    for model in session.models:
        data = ["data/shapes"] if model.made else []
        documented = (model.sha256, model.test_set) in expected.CORRECT
        reference = session.backends != ["cpu"] and not (session.options.quick and documented)
        if reference:
            yield Step(f"reference/{model.name}", f"{model.name} on the cpu backend", _reference(model), data, seconds=40)
        needs = [f"reference/{model.name}"] if reference else data
        for backend in session.backends:
            for variant in VARIANTS[backend]:
                yield Step(accuracy_name(backend, model, variant), f"accuracy of {model.name} {variant}, {backend}",
                           _accuracy(backend, model, variant), [build_name(backend, model, variant), *needs], seconds=15)
        if "tensorrt" in session.backends and model is session.models[0]:
            yield Step("trtexec/plan", f"a plan of {model.name} by trtexec", _foreign_plan(model), needs, seconds=60)
