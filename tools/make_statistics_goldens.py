#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/stats/goldens.json: what NumPy and SciPy make of samples and of binomials.

    python3 tools/make_statistics_goldens.py

Needs: pip install numpy scipy.
"""
import json
import os

import numpy as np
import scipy
from scipy import stats

PERCENTS = (0, 1, 25, 50, 75, 90, 95, 99, 99.9, 100)
CONFIDENCES = (0.8, 0.95, 0.99)


def series(seed, count):
    """Whole nanoseconds with a long tail and spikes, as latencies are."""
    random = np.random.default_rng(seed)
    ns = 100_000 + random.gamma(2.0, 1500.0, count) + 40_000 * (random.random(count) < 0.01)
    return np.rint(ns).astype(np.int64)


def of_samples(seed, count):
    ns = series(seed, count)
    mean, stddev = float(ns.mean()), float(ns.std(ddof=1))
    student = {str(c): stats.t.interval(c, count - 1, loc=mean, scale=stddev / np.sqrt(count))
               for c in CONFIDENCES}
    return {"ns": ns.tolist(), "mean": mean, "stddev": stddev, "variation": float(stats.variation(ns, ddof=1)),
            "percentiles": {str(p): int(np.percentile(ns, p, method="inverted_cdf")) for p in PERCENTS},
            "student": {c: [float(x) for x in i] for c, i in student.items()}}


def ranks(count, quantile, confidence):
    """By the definition in src/stats/intervals.h, rank after rank."""
    tail = (1 - confidence) / 2
    k = np.arange(1, count + 1)
    low = k[stats.binom.cdf(k - 1, count, quantile) <= tail]
    high = k[stats.binom.sf(k - 1, count, quantile) <= tail]
    return [int(low[-1]), int(high[0])] if len(low) and len(high) else None


def upper_rank(count, quantile, confidence):
    t = np.arange(1, count)
    holds = t[stats.binom.cdf(t, count, 1 - quantile) <= 1 - confidence]
    return int(count - holds[-1]) if len(holds) else None


def least(holds):
    count = 1
    while holds(count) is None:
        count += 1
    return count


quantiles = []
for quantile in (0.5, 0.9, 0.95, 0.97, 0.99):
    for confidence in (0.95, 0.99):
        counts = [n for n in (2, 6, 11, 64, 130, 368, 1000, 4321)]
        quantiles.append({"quantile": quantile, "confidence": confidence,
                          "ranks": [[n, ranks(n, quantile, confidence)] for n in counts],
                          "upper_ranks": [[n, upper_rank(n, quantile, confidence)] for n in counts],
                          "fewest": least(lambda n: ranks(n, quantile, confidence)),
                          "fewest_upper": least(lambda n: upper_rank(n, quantile, confidence))})

goldens = {"made_by": f"NumPy {np.__version__}, SciPy {scipy.__version__}",
           "samples": [of_samples(seed, count) for seed, count in ((1, 2), (2, 31), (3, 100), (4, 1001))],
           "quantiles": quantiles}
target = os.path.join(os.path.dirname(__file__), "..", "tests", "stats", "goldens.json")
with open(target, "w") as out:
    json.dump(goldens, out)
    out.write("\n")
