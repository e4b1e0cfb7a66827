"""The figure of the README: F less its optimum against seconds, beside other libraries.

    python -m benchmarks.readme_figure --data PATH [--set adult_raw] [--out docs/figures/race.png]

Logistic regression with alpha = 1e-4 on columns as they come. Of skgd the line is what one default
fit went through. A peer is run anew with ever more iterations, each run a point: its time, and F at
the coefficients that it returns, computed here for all alike. The best of three times is taken.
"""

import argparse
import time
import warnings

import numpy as np
from matplotlib import pyplot as plt

from skgd import GDClassifier

from .data import find
from .figure import style
from .peers import _sgd, _sklearn
from .problems import PROBLEMS

LOGISTIC = PROBLEMS["logistic"]

ALPHA = 1e-4
SHOWN = ("lbfgs", "newton-cholesky", "newton-cg", "saga")


def peers(X, y):
    """Return by name a function from a number of iterations to an estimator."""
    found = {
        f"scikit-learn {peer.name}": lambda k, peer=peer: peer.make(1e-12, k)
        for peer in _sklearn.solvers(LOGISTIC, X, y, ALPHA)
        if peer.name in SHOWN
    }
    (sgd,) = _sgd.solvers(LOGISTIC, X, y, ALPHA)
    return found | {"SGDClassifier": lambda k: sgd.make(None, k)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--set", default="adult_raw")
    parser.add_argument("--out", default="docs/figures/race.png")
    parser.add_argument("--limit", type=float, default=5.0, help="seconds of a run at most")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    fig, axes = plt.subplots(1, 2, figsize=(8.4, 3.8), layout="constrained", sharey=True)
    titles = {"raw": "columns as they come", "standardised": "standardised columns"}
    for ax, (form, title) in zip(axes, titles.items(), strict=True):
        print(title)
        X, y, _ = find(options.set, options.data, form)
        draw(ax, title, curves(X, y, options.limit))
    axes[0].set_ylabel("part of the way to the optimum left")
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncols=3, frameon=False)
    fig.savefig(options.out, dpi=110)


def curves(X, y, limit):
    """Return seconds and the part of the way left, by name."""
    sign = LOGISTIC.code(y)

    def value(model):
        return LOGISTIC.value(X, sign, ALPHA, model.coef_, model.intercept_)

    least = value(GDClassifier(alpha=ALPHA, tol=1e-13).fit(X, y))
    share = np.mean(sign > 0)
    start = -(share * np.log(share) + (1 - share) * np.log(1 - share))
    runs = []
    for _ in range(3):
        begin = time.perf_counter()
        est = GDClassifier(alpha=ALPHA, tol=1e-9).fit(X, y)
        whole = time.perf_counter() - begin
        # The checks of the rows come before the first step.
        seconds = est.history_["seconds"]
        runs.append((whole - seconds[-1] + seconds, est.loss_curve_))
    found = {"skgd, default": min(runs, key=lambda run: run[0][-1])}
    for name, make in peers(X, y).items():
        points = []
        for k in (1, 2, 3, 5, 8, 12, 20, 35, 60, 100, 200, 400, 1000, 3000):
            took, model = np.inf, None
            for _ in range(3):
                begin = time.perf_counter()
                model = make(k).fit(X, y)
                took = min(took, time.perf_counter() - begin)
            points.append((took, value(model)))
            if took > limit:
                break
        found[name] = tuple(np.array(points).T)
    # Far beyond the null model a line says no more.
    return {
        name: (seconds, np.clip((values - least) / (start - least), 1e-10, 1e3))
        for name, (seconds, values) in found.items()
    }


def draw(ax, title, found):
    """Draw one race, and print how each ended."""
    for n, (name, (seconds, gap)) in enumerate(found.items()):
        ax.loglog(seconds, gap, marker="o", markersize=3, label=name, **style(n))
        print(f"  {name:30s} {seconds[-1]:8.2f} s, part of the way left {gap[-1]:.1e}")
    ax.axhline(1.0, color="0.6", linewidth=0.8)
    ax.annotate(
        "no better than no columns",
        (0.99, 1.0),
        xycoords=("axes fraction", "data"),
        xytext=(0, 3),
        textcoords="offset points",
        ha="right",
        fontsize="small",
        color="0.35",
    )
    ax.set(xlabel="seconds", ylim=(3e-11, 3e3))
    ax.set_title(title, fontsize="medium")


if __name__ == "__main__":
    main()
