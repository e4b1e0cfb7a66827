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
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.preprocessing import StandardScaler

from skgd import GDClassifier

from .sets import loader

ALPHA = 1e-4
STYLES = (
    ("#000000", "-"),
    ("#0072B2", "--"),
    ("#D55E00", "-."),
    ("#009E73", ":"),
    ("#CC79A7", (0, (5, 1))),
    ("#E69F00", (0, (3, 1, 1, 1))),
)


def peers(n_rows):
    """Return by name a function from a number of iterations to an estimator."""
    C = 1.0 / (ALPHA * n_rows)

    def logistic(solver):
        return lambda k: LogisticRegression(C=C, solver=solver, tol=1e-12, max_iter=k)

    return {
        "scikit-learn lbfgs": logistic("lbfgs"),
        "scikit-learn newton-cholesky": logistic("newton-cholesky"),
        "scikit-learn newton-cg": logistic("newton-cg"),
        "scikit-learn saga": logistic("saga"),
        "SGDClassifier": lambda k: SGDClassifier(
            loss="log_loss", alpha=ALPHA, max_iter=k, tol=None, random_state=0
        ),
    }


def objective(X, sign, coef, intercept):
    """Return F of a model."""
    eta = X @ np.ravel(coef) + np.ravel(intercept)[0]
    loss = np.logaddexp(0.0, -sign * eta).mean()
    return loss + 0.5 * ALPHA * float(np.sum(np.square(coef)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--set", default="adult_raw")
    parser.add_argument("--out", default="docs/figures/race.png")
    parser.add_argument("--limit", type=float, default=5.0, help="seconds of a run at most")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    X, y = loader(options.data).load(options.set)[:2]
    fig, axes = plt.subplots(1, 2, figsize=(8.4, 3.8), layout="constrained", sharey=True)
    kinds = {"columns as they come": X, "standardised columns": StandardScaler().fit_transform(X)}
    for ax, (title, rows) in zip(axes, kinds.items(), strict=True):
        print(title)
        draw(ax, title, curves(rows, y, options.limit))
    axes[0].set_ylabel("part of the way to the optimum left")
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncols=3, frameon=False)
    fig.savefig(options.out, dpi=110)


def curves(X, y, limit):
    """Return seconds and the part of the way left, by name."""
    sign = np.where(y == y.max(), 1.0, -1.0)
    best = GDClassifier(alpha=ALPHA, tol=1e-13).fit(X, y)
    least = objective(X, sign, best.coef_, best.intercept_)
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
    for name, make in peers(len(y)).items():
        points = []
        for k in (1, 2, 3, 5, 8, 12, 20, 35, 60, 100, 200, 400, 1000, 3000):
            took, model = np.inf, None
            for _ in range(3):
                begin = time.perf_counter()
                model = make(k).fit(X, y)
                took = min(took, time.perf_counter() - begin)
            points.append((took, objective(X, sign, model.coef_, model.intercept_)))
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
    for (name, (seconds, gap)), (colour, dash) in zip(found.items(), STYLES, strict=True):
        ax.loglog(seconds, gap, color=colour, linestyle=dash, marker="o", markersize=3, label=name)
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
