# SPDX-License-Identifier: Apache-2.0
"""Which steps there are, in which order."""
from .steps import Step
from .steps_board import board_steps
from .steps_energy import energy_steps, mode_name, mode_step, restored_step
from .steps_engines import accuracy_steps, engine_steps
from .steps_latency import comparison_steps, latency_steps
from .steps_simulation import decision_steps, simulation_steps
from .verdicts import Skipped

AS_IS = "as-is"  # the label of the mode that the board is in, where none is set


def _refusal(reason):
    def action(_):
        raise Skipped(reason)
    return action


def split_modes(wanted, board, sudo_reason):
    """([those that can be set], {the others: why not})."""
    there = [mode["name"] for mode in board.get("power", {}).get("power_modes", [])]
    known = {name.lower() for name in there} | {name.lower().replace("mode_", "", 1) for name in there}
    usable, refused = [], {}
    for mode in wanted:
        if not there:
            refused[mode] = "no power modes here: " + board.get("no_power_modes", "nvpmodel is not there")
        elif mode.lower() not in known:
            refused[mode] = f"this board has no power mode {mode}; there are {', '.join(there)}"
        elif sudo_reason:
            refused[mode] = sudo_reason
        else:
            usable.append(mode)
    return usable, refused


def first_steps(session):
    """The board: what there is decides on the rest."""
    return list(board_steps(session))[:1]


def all_steps(session, usable, refused):
    steps = list(board_steps(session))
    steps += engine_steps(session)
    steps += accuracy_steps(session)
    steps += simulation_steps(session)
    for mode, reason in refused.items():
        steps.append(Step(mode_name(mode), f"power mode {mode}", _refusal(reason)))
    contexts = [(mode, mode, [mode_name(mode)]) for mode in usable] or [(None, AS_IS, [])]
    for number, (mode, label, needs) in enumerate(contexts):
        if mode:
            steps.append(mode_step(mode))
        steps += latency_steps(session, mode, label, needs)
        steps += decision_steps(mode, label, needs)
        if number == 0:
            steps += comparison_steps(session, mode, label, needs)
        steps += energy_steps(session, mode, label, needs)
    if usable:
        steps.append(restored_step())
    return steps


def matches(step, words):
    return any(step.name == word or step.name.startswith(word + "/") for word in words)


def chosen(steps, options):
    """By --only and --skip; the board is always looked at, and what was set is always checked."""
    if not options.only and not options.skip:
        return steps
    unknown = [word for word in options.only + options.skip if not any(matches(step, [word]) for step in steps)]
    if unknown:
        kinds = sorted({step.kind for step in steps})
        raise ValueError(f"no step '{unknown[0]}'; there are {', '.join(kinds)}, and by full name those of --list")
    return [step for step in steps if step.cheap or
            ((not options.only or matches(step, options.only)) and not matches(step, options.skip))]
