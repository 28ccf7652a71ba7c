# SPDX-License-Identifier: Apache-2.0
"""Hierarchical inference, and what its decision costs."""
import os

from . import expected
from .commands import CommandFailed
from .models import VARIANTS
from .options import bundled
from .steps import Step
from .steps_engines import build_name
from .verdicts import Failed, Outcome, Skipped, validity_of

# Points of accuracy and of offloads: an image near the threshold may go either way.
TOLERANCE = {"fp32": 0.5, "int8": 2.0}


def _simulate(backend, model, variant):
    def action(running):
        flags = []
        if model.dataset == "shapes":
            flags = [f"--server-model={bundled('resnet20w_shapes')}", "--decision=top1", "--threshold=0.8"]
        elif not os.path.exists(os.path.join(model.data, f"{model.dataset}_predictions.txt")):
            raise Skipped(f"no server's answers: {model.dataset}_predictions.txt is not in {model.data}")
        try:
            result = running.result("", "hedge-simulation", f"--model={model.engine(running.work, backend, variant)}",
                                    f"--data={model.data}", "--iterations=10000", *flags, limit_s=3600)
        except CommandFailed as failed:
            if failed.refused:  # No coefficients were published for the model.
                raise Skipped(str(failed))
            raise
        hi = result["hi"]
        figures = {key: hi[key] for key in ("correct", "images", "accuracy", "accuracy_ci95", "offloads", "offload_fraction",
                                            "accuracy_local", "accuracy_server", "server") if key in hi}
        figures["decision_us"] = hi.get("decision_us", {}).get("p50")
        text = (f"{100 * hi['accuracy']:.2f} % right, {100 * hi['offload_fraction']:.2f} % offloaded; all-local "
                f"{100 * hi['accuracy_local']:.2f} %, all-server {100 * hi['accuracy_server']:.2f} %")
        known = expected.SIMULATED.get((model.sha256, model.test_set))
        if known:
            figures["expected_correct"], figures["expected_offloads"] = known
            apart = [abs(100 * (hi["correct"] - known[0]) / hi["images"]), abs(100 * (hi["offloads"] - known[1]) / hi["images"])]
            if hi["images"] != 10000 or max(apart) > TOLERANCE[variant]:
                raise Failed(f"{text}; documented in fp32: {known[0] / 100:.2f} % and {known[1] / 100:.2f} %, "
                             f"{TOLERANCE[variant]} points are allowed in {variant}", figures)
        return Outcome(text, figures)
    return action


def _decision(classes):
    def action(running):
        result = running.result("", "hedge-logistic_regression", classes, "latency")
        mean = result["latency_us"]["mean"]
        return Outcome(f"{1000 * mean:.2f} ns a decision on {classes} scores",
                       {"mean_us": mean, "mean_us_ci95": result["latency_us"].get("mean_ci95")}, validity_of(result))
    return action


def simulation_steps(session):
    for backend in session.backends:
        for model in session.models:
            if model.name.startswith("EE_"):  # No decision was published for them.
                continue
            for variant in VARIANTS[backend]:
                if variant in TOLERANCE:
                    yield Step(f"simulation/{backend}/{model.name}/{variant}",
                               f"hierarchical inference with {model.name} {variant}, {backend}",
                               _simulate(backend, model, variant),
                               [build_name(backend, model, variant)] + (["data/shapes"] if model.made else []), seconds=30)


def decision_steps(mode, label, needs):
    for classes in ("10", "1000"):
        yield Step(f"decision/{label}/{classes}", f"the decision on {classes} scores, {label}", _decision(classes), needs,
                   mode=mode, seconds=3)
