# SPDX-License-Identifier: Apache-2.0
"""Latency as the original takes it, and one way of running against another."""
import json
import os

from .commands import CommandFailed
from .models import VARIANTS, is_gpu
from .steps import Step
from .steps_engines import build_name, trtexec
from .verdicts import Failed, Outcome, Skipped, validity_of

MEMORY = ("mapped", "pinned", "managed", "managed-original", "device")


def _measured(result):
    latency, each = result["latency_us"], result.get("per_iteration_us", {})
    figures = {"mean_us": latency["mean"], "mean_us_ci95": latency.get("mean_ci95"), "cold_us": result.get("cold_us")}
    for key in ("p50", "p90", "p99", "max"):
        if key in each:
            figures[f"{key}_us"] = each[key]
    for key in ("memory_mode", "wait", "cuda_graph"):
        if key in result.get("config", {}):
            figures[key] = result["config"][key]
    during = result.get("conditions", {}).get("during", {})
    for key in ("busiest_cpu_mhz", "gpu_mhz", "temperatures_c"):
        if key in during:
            figures[key] = during[key]
    figures["power_mode"] = result.get("machine", {}).get("power_mode")
    figures["split_us"] = result.get("split_us")
    return {key: value for key, value in figures.items() if value is not None}


def _latency(backend, model, variant):
    def action(running):
        how = "--preset=quick" if running.options.quick else "--iterations=10000"  # the original's default
        result = running.result("", "hedge-measurements", f"--model={model.engine(running.work, backend, variant)}",
                                f"--data={model.data}", "--latency", how)
        figures = _measured(result)
        text = f"{figures['mean_us']:.2f} us in a loop"
        if "p50_us" in figures:
            text += f"; one by one p50 {figures['p50_us']:.2f}, p99 {figures['p99_us']:.2f} us"
        return Outcome(text, figures, validity_of(result))
    return action


def _compare(first, second, first_model, flags):
    """Two engines, or one with two sets of flags, in turn. A is the first: a ratio above 1 says that B is faster."""
    def action(running):
        quick = running.options.quick
        files = [first(running), second(running)] if second else [first(running)]
        try:
            result = running.result("", "hedge-compare", *files, *flags, f"--iterations={300 if quick else 2000}",
                                    f"--rounds={3 if quick else 20}", limit_s=1800,
                                    environment=dict(os.environ, HEDGE_DATA=first_model.data))
        except CommandFailed as failed:
            if failed.refused:  # What the backend has not, or the GPU.
                raise Skipped(str(failed))
            raise
        figures = {"ratio": result["ratio"], "ratio_ci98": result["ratio_ci98"], "verdict": result["verdict"]}
        for side in ("a", "b"):
            figures[f"{side}_us"] = result[side]["latency_us"]["mean"]
            for key in ("memory_mode", "wait", "cuda_graph"):
                if key in result[side].get("config", {}):
                    figures[f"{side}_{key}"] = result[side]["config"][key]
        low, high = figures["ratio_ci98"]
        return Outcome(f"{figures['ratio']:.4f} ({low:.4f} to {high:.4f}): {figures['verdict']}", figures, validity_of(result))
    return action


def _same_scores(engine, model, memory):
    """The scores of one memory mode to the byte those of the default."""
    def action(running):
        scores = {}
        for name in ("auto", memory):
            path = os.path.join(running.work, f"{running.step.stem}-{name}.npy")
            try:
                running.call("hedge-inference", f"--model={engine(running)}", f"--data={model.data}", "--iterations=1000",
                             f"--memory={name}", f"--scores={path}")
            except CommandFailed as failed:
                if failed.refused:
                    raise Skipped(str(failed))
                raise
            with open(path, "rb") as data:
                scores[name] = data.read()
        if scores["auto"] != scores[memory]:
            raise Failed(f"the scores of --memory={memory} are others than those of auto, on the same 1,000 images")
        return Outcome("1,000 images give the same scores to the bit")
    return action


def _trtexec_times(engine, model):
    """trtexec runs the plan of one of our engines; its latency against ours."""
    def action(running):
        program = trtexec()
        plan = os.path.join(running.work, "extracted.plan")
        times = os.path.join(running.options.out, "results", f"{running.step.stem}-trtexec.json")
        ours = os.path.join(running.options.out, "results", f"{running.step.stem}-hedge.json")
        running.call("hedge-extract", engine(running), f"--out={plan}")
        running.call(program, f"--loadEngine={plan}", "--useCudaGraph", "--useSpinWait", "--warmUp=500", "--duration=3",
                     "--noDataTransfers", f"--exportTimes={times}")
        running.call("hedge-measurements", f"--model={engine(running)}", f"--data={model.data}", "--latency",
                     "--preset=trtexec", f"--json={ours}")
        running.results += [os.path.relpath(path, running.options.out) for path in (times, ours)]
        with open(times) as text:
            theirs = [entry["computeMs"] * 1000 for entry in json.load(text)]
        with open(ours) as text:
            result = json.load(text)
        figures = {"trtexec_compute_us": sorted(theirs)[len(theirs) // 2], "hedge_us": result["latency_us"]["p50"]}
        return Outcome(f"trtexec: {figures['trtexec_compute_us']:.2f} us on the GPU alone; Hedge: {figures['hedge_us']:.2f} us, "
                       "input and output included (medians)", figures, validity_of(result))
    return action


def latency_steps(session, mode, label, needs):
    for backend in session.backends:
        for model in session.models:
            for variant in VARIANTS[backend]:
                yield Step(f"latency/{label}/{backend}/{model.name}/{variant}",
                           f"latency of {model.name} {variant}, {backend}, {label}", _latency(backend, model, variant),
                           [build_name(backend, model, variant), *needs], mode=mode, seconds=5)


def comparison_steps(session, mode, label, needs):
    """With one model and precision, in the first power mode: each is about a mechanism, not about a model."""
    model = session.models[0]
    quick = session.options.quick
    for backend in session.backends:
        variant = "fp16" if "fp16" in VARIANTS[backend] else VARIANTS[backend][0]
        build = build_name(backend, model, variant)

        def engine(running, backend=backend, variant=variant):
            return model.engine(running.work, backend, variant)

        def compare(name, title, flags, needed=build, second=None, engine=engine):
            return Step(f"compare/{label}/{backend}/{name}", f"{title}, {backend}, {label}",
                        _compare(engine, second, model, flags), [*([needed] if isinstance(needed, str) else needed), *needs],
                        mode=mode, seconds=10 if quick else 60)

        others = [name for name in VARIANTS[backend] if name not in (variant, "fp32-full")]
        for other in others:
            yield compare(f"{variant}-{other}", f"{variant} against {other}", [], [build, build_name(backend, model, other)],
                          lambda running, backend=backend, other=other: model.engine(running.work, backend, other))
        if not is_gpu(backend):
            continue
        yield compare("graph", "CUDA graph against none", ["--b=--no-cuda-graph"])
        yield compare("wait", "spin against block", ["--b=--wait=block"])
        for memory in MEMORY if not quick else ("managed", "managed-original"):
            yield compare(f"memory-{memory}", f"memory auto against {memory}", [f"--b=--memory={memory}"])
        for memory in ("managed", "managed-original"):
            yield Step(f"same-scores/{backend}/{memory}", f"scores of --memory={memory}, {backend}",
                       _same_scores(engine, model, memory), [build, *needs], mode=mode, seconds=10)
        if backend == "tensorrt":
            yield Step(f"trtexec/{label}", f"the plan in trtexec, {label}", _trtexec_times(engine, model), [build, *needs],
                       mode=mode, seconds=20)
    if len(session.backends) > 1:
        first, second = session.backends[:2]
        for variant in sorted(set(VARIANTS[first]) & set(VARIANTS[second])):
            yield Step(f"compare/{label}/{first}-{second}/{variant}", f"{first} against {second}, {variant}, {label}",
                       _compare(lambda running, v=variant: model.engine(running.work, first, v),
                                lambda running, v=variant: model.engine(running.work, second, v), model, []),
                       [build_name(first, model, variant), build_name(second, model, variant), *needs], mode=mode,
                       seconds=10 if quick else 60)
