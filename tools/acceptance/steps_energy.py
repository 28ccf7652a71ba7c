# SPDX-License-Identifier: Apache-2.0
"""Power modes, and energy in each."""
import time

from .models import VARIANTS
from .steps import Step
from .steps_board import settings, show_power
from .steps_engines import build_name
from .tegrastats import Tegrastats
from .verdicts import Failed, Outcome, Skipped, validity_of

TEGRASTATS_MS = 100
AGREE = 0.05  # of two means of one sensor over nearly the same time
STEP_W = 0.04  # of an INA3221 with 5 mOhm at 5 V
GPU_LAG = 0.02  # a clock that is locked sits within that of its cap
SETTLE_S = 0.5


def mode_name(mode):
    return f"mode/{mode}"


def _loose_clocks(power):
    """Which clocks are free to move, though locked."""
    loose = [f"CPU {c['cpus']} {c['min_mhz']:g} to {c['max_mhz']:g} MHz" for c in power.get("cpu_clocks", [])
             if c.get("min_mhz") != c.get("max_mhz")]
    return loose + [f"{g['name']} at {g['mhz']:g} of {g['max_mhz']:g} MHz" for g in power.get("gpu_clocks", [])
                    if "mhz" in g and "max_mhz" in g and abs(g["mhz"] - g["max_mhz"]) > GPU_LAG * g["max_mhz"]]


def _check_mode(mode):
    """While it is held: the board says that it is in it, and that its clocks are still."""
    def action(running):
        for last in (False, False, True):
            power, reason = show_power(running)
            if power is None:
                raise Failed(reason)
            loose = _loose_clocks(power)
            if not loose or last:
                break
            time.sleep(SETTLE_S)
        figures = settings(power)
        if (power.get("power_mode") or "").lower() not in (mode.lower(), f"mode_{mode.lower()}"):
            raise Failed(f"asked for {mode}, the board is in {power.get('power_mode')}", figures)
        clocks = [f"{g['name']} {g['max_mhz']:g} MHz" for g in power.get("gpu_clocks", []) if "max_mhz" in g]
        clocks += [f"CPUs {c['max_mhz']:g} MHz" for c in power.get("cpu_clocks", [])[:1] if "max_mhz" in c]
        # Measured in it all the same: the conditions of each result tell what the clocks did.
        return Outcome(f"{power['power_mode']}, held at {', '.join(clocks) or 'no clock that is told'}", figures,
                       [f"clocks are not held: {'; '.join(loose)}"] if loose else [])
    return action


def _check_restored(running):
    failures, running.session.modes.failures = running.session.modes.failures, []
    power, reason = show_power(running)
    if power is None:
        raise Failed(reason)
    before, after = running.session.board["settings"], settings(power)
    if failures or before != after:
        changed = [f"{key}: {before[key]} before, {after[key]} now" for key in before if before[key] != after[key]]
        raise Failed("; ".join(failures + changed), {"before": before, "after": after})
    return Outcome(f"{after['power_mode']} again, clocks as before", after)


def _energy(running, program, arguments, needs_rails=True):
    """(figures, doubts) of a run beside the meter; Failed where the energy is unknown."""
    result = running.result("", program, *arguments, limit_s=600 + 4 * running.options.energy_time)
    energy = result["energy"]
    keys = ("meter", "rails", "mj_per_inference", "ci95", "mj_per_inference_net", "net_ci95", "mean_watts", "idle_watts",
            "seconds", "inferences", "distinct_samples", "refresh_seconds", "joules_total")
    figures = {key: energy[key] for key in keys if key in energy}
    figures["mean_us"] = result["latency_us"]["mean"]
    figures["rail_watts"] = {name: rail["mean_watts"] for name, rail in energy.get("rail_details", {}).items()
                             if "mean_watts" in rail}
    figures["load"] = result.get("config", {}).get("timeline", {}).get("load")
    doubts = validity_of(result)
    if "mj_per_inference" not in figures:
        raise Failed("energy unknown: " + "; ".join(doubts or ["no reason given"]), figures)
    if needs_rails:
        check_parts(figures)
    return figures, doubts


def check_parts(figures):
    """What feeds the module cannot be less than its parts."""
    rails = figures["rail_watts"]
    whole = [name for name in figures.get("rails", []) if name in ("VDD_IN", "POM_5V_IN", "5V_IN")]
    parts = [watts for name, watts in rails.items() if name not in figures.get("rails", [])]
    if not whole or not parts or whole[0] not in rails:
        return
    figures["parts_of_whole"] = sum(parts) / rails[whole[0]]
    if sum(parts) > rails[whole[0]] + STEP_W * (len(parts) + 1):
        raise Failed(f"{whole[0]} shows {rails[whole[0]]:.2f} W, its parts {sum(parts):.2f} W together", figures)


def _quantity(millijoules):
    for unit, factor in (("mJ", 1), ("uJ", 1e3), ("nJ", 1e6)):
        if abs(millijoules) * factor >= 1:
            return f"{millijoules * factor:.4g} {unit}"
    return f"{millijoules * 1e9:.4g} pJ"


def _text(figures, what):
    text = f"{_quantity(figures['mj_per_inference'])} {what}"
    if "mj_per_inference_net" in figures:
        text += f", {_quantity(figures['mj_per_inference_net'])} above idle"
    return f"{text}; {figures['mean_watts']:.2f} W ({figures['meter']})"


def _times(options):
    return [f"--duration={options.energy_time:g}s", f"--idle={options.idle_time:g}s"]


def _no_meter(session):
    """Why there is none, if so."""
    meters = session.board.get("meters", [])
    if any(meter.get("available") for meter in meters):
        return None
    return "no power meter: " + "; ".join(f"{meter['name']}: {meter['reason'].split(' (')[0]}" for meter in meters)


def _require_meter(running):
    reason = _no_meter(running.session)
    if reason:
        raise Skipped(reason)


def _model_energy(backend, model, variant):
    def action(running):
        _require_meter(running)
        figures, doubts = _energy(running, "hedge-measurements",
                                  [f"--model={model.engine(running.work, backend, variant)}", f"--data={model.data}",
                                   "--energy", *_times(running.options)])
        return Outcome(_text(figures, "an inference"), figures, doubts)
    return action


def _decision_energy(classes):
    def action(running):
        _require_meter(running)
        figures, doubts = _energy(running, "hedge-logistic_regression", [classes, "energy", *_times(running.options)])
        return Outcome(_text(figures, f"a decision on {classes} scores"), figures, doubts)
    return action


def _beside_tegrastats(backend, model, variant):
    """Two programs read one sensor at the same time: units, rails and the window are right where their means agree. The
    shunt is the same, so its error is not seen."""
    def action(running):
        _require_meter(running)
        if not Tegrastats.program():
            raise Skipped("no tegrastats on PATH")
        with Tegrastats(TEGRASTATS_MS, running.log + ".tegrastats") as samples:
            figures, doubts = _energy(running, "hedge-measurements",
                                      [f"--model={model.engine(running.work, backend, variant)}", f"--data={model.data}",
                                       "--energy", *_times(running.options)])
        theirs = samples.between(*figures["load"]) if figures.get("load") else {}
        compared = {name: {"hedge_watts": watts, "tegrastats_watts": theirs[name][0], "tegrastats_samples": theirs[name][1]}
                    for name, watts in figures["rail_watts"].items() if name in theirs}
        if not compared:
            raise Failed(f"tegrastats told none of the rails {', '.join(figures['rail_watts']) or 'that were read'} while the "
                         f"load ran ({len(samples.samples)} lines with power)", figures)
        figures = {"rails": compared, "seconds": figures["seconds"]}
        apart = [f"{name}: Hedge {rail['hedge_watts']:.2f} W, tegrastats {rail['tegrastats_watts']:.2f} W"
                 for name, rail in compared.items()
                 if abs(rail["hedge_watts"] - rail["tegrastats_watts"]) > max(AGREE * rail["hedge_watts"], 2 * STEP_W)]
        if apart:
            raise Failed("; ".join(apart), figures)
        text = "; ".join(f"{name} {rail['hedge_watts']:.2f} W, tegrastats {rail['tegrastats_watts']:.2f} W"
                         for name, rail in compared.items())
        return Outcome(text, figures, doubts)
    return action


def mode_step(mode):
    return Step(mode_name(mode), f"power mode {mode}", _check_mode(mode), mode=mode, cheap=True)


def restored_step():
    return Step("restored", "power mode and clocks as before", _check_restored, cheap=True)


def energy_steps(session, mode, label, needs):
    seconds = session.options.energy_time + 2 * session.options.idle_time + 3
    for backend in session.backends:
        for model in session.models:
            for variant in VARIANTS[backend]:
                if variant == "fp32-full":  # Its latency is told; the original's fp32 is the other.
                    continue
                yield Step(f"energy/{label}/{backend}/{model.name}/{variant}",
                           f"energy of {model.name} {variant}, {backend}, {label}", _model_energy(backend, model, variant),
                           [build_name(backend, model, variant), *needs], mode=mode, seconds=seconds)
    for classes in ("10", "1000"):
        yield Step(f"energy/{label}/decision/{classes}", f"energy of the decision on {classes} scores, {label}",
                   _decision_energy(classes), needs, mode=mode, seconds=seconds)
    backend, model = session.backends[0], session.models[0]
    variant = "fp16" if "fp16" in VARIANTS[backend] else VARIANTS[backend][0]
    yield Step(f"tegrastats/{label}", f"the rails beside tegrastats, {label}", _beside_tegrastats(backend, model, variant),
               [build_name(backend, model, variant), *needs], mode=mode, seconds=seconds)
