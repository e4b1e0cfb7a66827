"""Do the untouched defaults reach the optimum, and do they say so when they do not?

    python -m benchmarks.trust --data PATH --cache optima.json
    python -m benchmarks.trust --data PATH --sets htru2 diamonds --loss squared_hinge huber
    python -m benchmarks.trust --data PATH --loss poisson --penalty l1 elasticnet

``PATH`` holds ``load.py`` with ``names()`` and ``load(name) -> (X, y, info)``, where
``info["task"]`` is ``"binary"``, ``"multiclass"`` or ``"regression"``. Every set is fitted as it
comes and standardised. Printed is the excess (F - F*) / (F0 - F*) of each model: 0 at the
optimum, 1 at the model that is an intercept alone; F is computed here from ``coef_`` and
``intercept_``, F* by `optimum.py` with a certificate. A star marks a fit that warned. The
figure that skgd states itself, ``optimality_``, stands beside the truth.

Peers run with their defaults too, where they minimise the same F: SGD*, LogisticRegression with
``C = 1 / (alpha n)``, Ridge with ``alpha n``, PoissonRegressor, Lasso and ElasticNet.
"""

import argparse
import sys
import time
import warnings
from typing import NamedTuple

import numpy as np
from sklearn.linear_model import (
    ElasticNet,
    Lasso,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    SGDClassifier,
    SGDRegressor,
)

from skgd import GDClassifier, GDRegressor

from .optimum import L1_RATIOS, Objective
from .sets import Optima, add_data_arguments, each_set

CLASSIFIER_LOSSES = ["log_loss", "squared_hinge"]
REGRESSOR_LOSSES = ["squared_error", "huber", "poisson"]
PEERS = ["SGD*", "LogReg", "Ridge", "Poisson", "Lasso", "ElasticNet"]
SOLVED = 1e-4


class Fit(NamedTuple):
    """What one fit gave."""

    excess: float
    warned: int
    seconds: float
    model: object


def suits(loss, y, info):
    """Whether a loss applies to a set: its kind of target, counts for ``poisson``."""
    if loss in CLASSIFIER_LOSSES:
        return info["task"] == "binary" or (info["task"] == "multiclass" and loss == "log_loss")
    if info["task"] != "regression":
        return False
    return loss != "poisson" or bool(np.all(y >= 0) and np.all(y == np.round(y)))


def models(loss, penalty, task, n, alpha):
    """Name and untouched model of each column; a peer that minimises another F is left out."""
    own = {} if alpha == 1e-4 else {"alpha": alpha}
    if loss not in ("log_loss", "squared_error"):
        own["loss"] = loss
    if penalty != "l2":
        own["penalty"] = penalty
    same = {"loss": loss, "penalty": penalty, "alpha": alpha, "random_state": 0}
    if loss in CLASSIFIER_LOSSES:
        yield "skgd", GDClassifier(**own)
        if task == "binary":  # beyond two classes it minimises another F, one against the rest
            yield "SGD*", SGDClassifier(**same)
        if loss == "log_loss" and penalty == "l2":
            yield "LogReg", LogisticRegression(C=1 / (alpha * n))
        return
    yield "skgd", GDRegressor(**own)
    if loss != "poisson":
        yield "SGD*", SGDRegressor(**same)
    elif penalty == "l2":
        yield "Poisson", PoissonRegressor(alpha=alpha)
    if loss == "squared_error" and penalty == "l2":
        yield "Ridge", Ridge(alpha=alpha * n)
    elif loss == "squared_error" and penalty == "l1":
        yield "Lasso", Lasso(alpha=alpha)
    elif loss == "squared_error":
        yield "ElasticNet", ElasticNet(alpha=alpha, l1_ratio=L1_RATIOS[penalty])


def fitted(model, X, y, F, best, null):
    """Fit a model, count its warnings, and measure how far it got."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        start = time.perf_counter()
        try:
            model.fit(X, y)
        except ValueError as error:
            # SGD* raises where its coefficients overflow: that is telling, not silent.
            print(f"{type(model).__name__}: {str(error)[:150]}", file=sys.stderr)
            return Fit(np.inf, 1, time.perf_counter() - start, model)
        seconds = time.perf_counter() - start
    value = F.value(model.coef_, model.intercept_)
    return Fit((value - best) / (null - best), len(caught), seconds, model)


def states_less(fit, slack):
    """Whether the figure that a model states is below the truth by more than ``slack``."""
    stated = getattr(fit.model, "optimality_", np.nan)
    return bool(stated < fit.excess - slack)


def cell(fit):
    return "-" if fit is None else f"{fit.excess:.1e}{'*' if fit.warned else ' '}"


def summary(form, rows):
    """Print the counts of one form of the data, a column for each model."""
    names = [name for name in ["skgd", *PEERS] if any(name in row for row, _ in rows)]
    print(f"\n{form}: {len(rows)} problems" + "".join(f"{n:>12}" for n in names))

    def line(what, count):
        values = [count([row[n] for row, _ in rows if n in row]) for n in names]
        print(f"  {what:<26}" + "".join(f"{v:>12}" for v in values))

    unsolved = lambda f: not f.excess <= SOLVED  # noqa: E731
    worse = lambda f: not f.excess <= 1 + 1e-9  # noqa: E731
    line("fits", len)
    line(f"solved, excess <= {SOLVED:g}", lambda fits: sum(not unsolved(f) for f in fits))
    line("fits that warned", lambda fits: sum(f.warned > 0 for f in fits))
    line("warned though solved", lambda fits: sum(f.warned > 0 and not unsolved(f) for f in fits))
    line("unsolved and silent", lambda fits: sum(unsolved(f) and not f.warned for f in fits))
    line("worse than the null model", lambda fits: sum(worse(f) for f in fits))
    line("  of them silent", lambda fits: sum(worse(f) and not f.warned for f in fits))
    line("largest excess", lambda fits: f"{max(f.excess for f in fits):.1e}")
    line("seconds, median", lambda fits: f"{np.median([f.seconds for f in fits]):.3f}")
    line("seconds, longest", lambda fits: f"{max(f.seconds for f in fits):.2f}")
    for kind in ("gap", "violation"):
        ours = [(row["skgd"], slack) for row, slack in rows]
        ours = [p for p in ours if getattr(p[0].model, "optimality_kind_", None) == kind]
        low = sum(states_less(*pair) for pair in ours)
        print(f"  optimality_ by {kind}: {len(ours)} fits, stated below the truth {low}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add_data_arguments(parser)
    losses = [*CLASSIFIER_LOSSES, *REGRESSOR_LOSSES]
    parser.add_argument("--loss", nargs="+", choices=losses, default=["log_loss", "squared_error"])
    parser.add_argument("--penalty", nargs="+", choices=L1_RATIOS, default=["l2"])
    parser.add_argument("--alone", action="store_true", help="skgd without its peers")
    parser.add_argument("--cache", help="JSON file that keeps F* between runs")
    args = parser.parse_args()

    optima, found = Optima(args.cache), {form: [] for form in args.forms}
    print(f"excess (F - F*) / (F0 - F*) with untouched defaults, alpha={args.alpha:g}; * warned")
    columns = [] if args.alone else PEERS
    head = f"{'problem':<48}{'skgd':>9}{'stated':>9} kind      {'solver':<8}{'steps':>6}{'s':>8}"
    print(head + "".join(f"{c:>11}" for c in columns) + "   F* sure to")
    keep = lambda y, info: any(suits(loss, y, info) for loss in args.loss)  # noqa: E731
    for name, form, X, y, info in each_set(args, keep):
        for loss, penalty in [(a, b) for a in args.loss if suits(a, y, info) for b in args.penalty]:
            F = Objective(X, y, info["task"], args.alpha, loss, penalty)
            label = f"{name} {form} {loss} {penalty}"
            star = optima.get(f"{label} {args.alpha:g} {args.rows}", F)
            null, row = F.null()[0], {}
            for column, model in models(loss, penalty, info["task"], len(y), args.alpha):
                if column == "skgd" or not args.alone:
                    row[column] = fitted(model, X, y, F, star.value, null)
            # F* is known to its gap; the rest is rounding, of coefficients in float32 first.
            slack = star.gap + (1e-9 if X.dtype == np.float32 else 1e-12)
            found[form].append((row, slack))
            ours = row["skgd"]
            attribute = lambda a, m=ours.model: getattr(m, a, np.nan)  # noqa: E731
            solver = str(attribute("solver_")).partition("(")[0].lower()
            low = "!" if states_less(ours, slack) else " "
            print(
                f"{label:<48}{cell(ours):>9}{attribute('optimality_'):>8.1e}{low} "
                f"{attribute('optimality_kind_'):<10}{solver:<8}{attribute('n_iter_'):>6}"
                f"{ours.seconds:>8.2f}"
                + "".join(f"{cell(row.get(c)):>11}" for c in columns)
                + f"{star.gap:>13.0e}",
                flush=True,
            )
    for form, rows in found.items():
        if rows:
            summary(form, rows)


if __name__ == "__main__":
    main()
