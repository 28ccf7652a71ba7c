# SPDX-License-Identifier: Apache-2.0
"""How a step can end."""

PASS = "pass"
DOUBTFUL = "doubtful"  # measured, but the program itself calls the figure INVALID (docs/measuring.md)
FAIL = "fail"
SKIP = "skip"
INTERRUPTED = "interrupted"

GOOD = (PASS, DOUBTFUL)  # is not run again, and others may build upon it
ALL = (PASS, DOUBTFUL, FAIL, SKIP, INTERRUPTED)


class Failed(Exception):
    """What was looked for is not so; the figures that say it may come along."""

    def __init__(self, reason, figures=None):
        super().__init__(reason)
        self.figures = figures or {}


class Skipped(Exception):
    """It cannot be looked for here, and why."""


class Outcome:
    def __init__(self, summary, figures=None, doubts=()):
        self.summary = summary
        self.figures = figures or {}
        self.doubts = list(doubts)


def validity_of(result):
    """Why a result is INVALID by its own account; empty where it is VALID."""
    validity = result.get("validity", {})
    if validity.get("verdict") != "INVALID":
        return []
    return validity.get("reasons") or ["INVALID"]
