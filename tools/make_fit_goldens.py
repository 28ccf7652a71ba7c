#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes what scikit-learn and statsmodels make of forecasts and of logistic regressions:
tests/stats/calibration_goldens.json and tests/hi/fit_goldens.json.

    python3 tools/make_fit_goldens.py BUILD

BUILD is a folder of built programs: the scores of the demo model on the shapes are among the samples.
Needs: pip install scikit-learn statsmodels.
"""
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import sklearn
import statsmodels
import statsmodels.api
from sklearn.calibration import calibration_curve
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
MADE_BY = f"scikit-learn {sklearn.__version__}, statsmodels {statsmodels.__version__}, NumPy {np.__version__}"


def write(name, goldens):
    with open(os.path.join(ROOT, "tests", name), "w") as out:
        json.dump(dict(made_by=MADE_BY, **goldens), out)
        out.write("\n")


def curve(outcomes, p, bins, strategy):
    frequency, mean = calibration_curve(outcomes, p, n_bins=bins, strategy=strategy)
    edges = np.linspace(0, 1, bins + 1)
    if strategy == "quantile":
        edges = np.percentile(p, edges * 100)
    count = np.bincount(np.searchsorted(edges[1:-1], p), minlength=bins)
    count = count[count > 0]
    return {"bins": bins, "strategy": strategy, "mean": mean.tolist(), "frequency": frequency.tolist(),
            "count": count.tolist(), "ece": float(np.abs(mean - frequency) @ count / len(p))}


def of_forecasts(p, outcomes):
    isotonic = IsotonicRegression(out_of_bounds="clip").fit(p, outcomes)
    at = np.linspace(-0.1, 1.1, 61)
    return {"probabilities": p.tolist(), "outcomes": outcomes.tolist(), "auc": float(roc_auc_score(outcomes, p)),
            "brier": float(brier_score_loss(outcomes, p)), "log_loss": float(log_loss(outcomes, p)),
            "curves": [curve(outcomes, p, bins, strategy) for bins in (7, 10, 15)
                       for strategy in ("uniform", "quantile")],
            "isotonic": {"at": at.tolist(), "value": isotonic.predict(at).tolist(),
                         "fitted": isotonic.predict(p).tolist()}}


def forecasts():
    random = np.random.default_rng(1)
    sets = []
    # Where bins divide count - 1 a quantile is a sample, and rounding says on which side of it.
    for count, digits in ((2, None), (38, None), (200, 2), (300, None), (250, 1)):
        p = random.beta(2, 1, count)
        outcomes = (random.random(count) < p ** 1.5).astype(int)
        outcomes[:2] = 0, 1
        sets.append((p if digits is None else np.round(p, digits), outcomes))  # Rounded: with ties.
    certain = np.array([0, 0, 1, 1, 0.5]), np.array([0, 1, 1, 0, 1])
    return {"forecasts": [of_forecasts(p, outcomes) for p, outcomes in sets + [certain]]}


def demo_scores(build):
    """The two largest scores of the demo model on the shapes, and whether its answer is right."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([os.path.join(build, "hedge"), "make-data", "shapes", folder], check=True)
        scores, classes = os.path.join(folder, "scores.npy"), os.path.join(folder, "classes.txt")
        subprocess.run([os.path.join(build, "inference"), f"--model={ROOT}/models/resnet8_shapes.onnx",
                        "--precision=fp32", f"--data={folder}", "--iterations=all", f"--scores={scores}",
                        f"--predictions={classes}"], check=True, stdout=subprocess.DEVNULL)
        labels = np.fromfile(os.path.join(folder, "shapes_test.bin"), np.uint8).reshape(-1, 3073)[:, 0]
        values = np.load(scores).astype(np.float64)
        if values.min() < 0 or abs(values.sum(1) - 1).max() > 1e-3:
            values = np.exp(values - values.max(1, keepdims=True))
            values /= values.sum(1, keepdims=True)
        right = np.loadtxt(classes, dtype=int) == labels[:len(values)]
        return np.sort(values, 1)[:, [-1, -2]], right.astype(int)


def of_regression(name, x, outcomes):
    fits = []
    for l2 in (0, 0.01, 1, 100):
        model = LogisticRegression(C=np.inf if l2 == 0 else 1 / l2, tol=1e-12, max_iter=100_000,
                                   solver="newton-cholesky").fit(x, outcomes)
        fit = {"l2": l2, "intercept": float(model.intercept_[0]), "weights": model.coef_[0].tolist()}
        if l2 == 0:
            errors = statsmodels.api.Logit(outcomes, statsmodels.api.add_constant(x)).fit(
                method="newton", tol=1e-14, maxiter=100, disp=False).bse
            fit["intercept_error"], fit["weight_errors"] = float(errors[0]), errors[1:].tolist()
        fits.append(fit)
    return {"name": name, "values": x.ravel().tolist(), "features": x.shape[1],
            "outcomes": outcomes.tolist(), "fits": fits}


def regressions(build):
    random = np.random.default_rng(2)
    sets = []
    for count, features in ((60, 1), (150, 2), (200, 5)):
        x = random.normal(size=(count, features)) * 10.0 ** np.arange(features) / 10 - 3
        logit = (x + 3) @ (random.normal(size=features) / 10.0 ** np.arange(features) * 10) + 0.5
        sets.append((f"random {count}x{features}", x, (random.random(count) < 1 / (1 + np.exp(-logit))).astype(int)))
    x, right = demo_scores(build)
    chosen = np.sort(np.concatenate([np.flatnonzero(right == 0)[:150], np.flatnonzero(right == 1)[:250]]))
    sets.append(("demo", x[chosen], right[chosen]))
    return {"regressions": [of_regression(*one) for one in sets]}


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    write("stats/calibration_goldens.json", forecasts())
    write("hi/fit_goldens.json", regressions(sys.argv[1]))
