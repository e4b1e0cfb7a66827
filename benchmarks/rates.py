"""How far every solver gets with its defaults in a few passes, on real data, raw and scaled.

    python -m benchmarks.rates --data PATH
    python -m benchmarks.rates --data PATH --sets htru2 diamonds --solvers adam sgd

``PATH`` holds ``load.py`` with ``names()`` and ``load(name) -> (X, y, info)``, where
``info["task"]`` is ``"binary"``, ``"multiclass"`` or ``"regression"``. Printed is the excess

    (F - F*) / (F0 - F*)

of each run: 0 at the optimum, 1 at the model that is an intercept alone. F is computed here
from ``coef_`` and ``intercept_``; F* comes from `optimum.py`, with a certificate.
The column ``SGD*`` is scikit-learn's SGDClassifier(loss="log_loss") or SGDRegressor().
"""

import argparse
import sys
import time
import warnings

import numpy as np
from sklearn.linear_model import SGDClassifier, SGDRegressor

from skgd import GDClassifier, GDRegressor
from skgd.solvers import get_solver_names

from .optimum import Objective
from .sets import Optima, add_data_arguments, each_set


def models(task, solvers, passes, alpha):
    """Name and model of each column of the table."""
    common = {"alpha": alpha, "max_iter": passes, "tol": None, "random_state": 0}
    for solver in solvers:
        make = GDRegressor if task == "regression" else GDClassifier
        yield solver, make(solver=solver, **common)
    if task == "regression":
        yield "SGD*", SGDRegressor(**common)
    elif task == "binary":  # beyond two classes it minimises another F, one class against the rest
        yield "SGD*", SGDClassifier(loss="log_loss", **common)


def main(models=models):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add_data_arguments(parser)
    parser.add_argument("--solvers", nargs="+", default=get_solver_names())
    parser.add_argument("--passes", type=int, default=20)
    parser.add_argument("--cache", help="JSON file that keeps F* between runs")
    args = parser.parse_args()
    warnings.simplefilter("ignore")  # divergence of the peer and unfinished runs are meant

    optima = Optima(args.cache)
    columns = [*args.solvers, "SGD*"]
    width = max(8, *(len(c) + 1 for c in columns))
    print(f"(F - F*) / (F0 - F*) after {args.passes} passes, alpha={args.alpha:g}")
    print(f"{'set':<28}" + "".join(f"{c:>{width}}" for c in columns) + "   seconds")

    found = {form: [] for form in args.forms}
    for name, form, X, y, info in each_set(args):
        F = Objective(X, y, info["task"], args.alpha)
        label = f"{name} {form} {F.name} l2"
        best = optima.get(f"{label} {args.alpha:g} {args.rows}", F).value
        null = F.null()[0]
        row, start = [], time.perf_counter()
        for solver, model in models(info["task"], args.solvers, args.passes, args.alpha):
            try:
                model.fit(X, y)
                row.append((F.value(model.coef_, model.intercept_) - best) / (null - best))
            except ValueError as error:
                print(f"{name} {form} {solver}: {error}", file=sys.stderr)
                row.append(np.inf)
        row += [np.nan] * (len(columns) - len(row))
        found[form].append(row)
        cells = "".join(f"{e:>{width}.1e}" for e in row)
        print(f"{name + ' ' + form:<28}{cells}{time.perf_counter() - start:>10.1f}", flush=True)

    for form, rows in found.items():
        excess = np.array(rows)
        lines = {
            "1e-4 or less": (excess <= 1e-4).sum(axis=0),
            "1e-2 or less": (excess <= 1e-2).sum(axis=0),
            "worse than intercept": (excess > 1 + 1e-9).sum(axis=0),
        }
        print(f"\n{form}: sets of {len(rows)}")
        for what, counts in lines.items():
            print(f"{what:<28}" + "".join(f"{c:>{width}d}" for c in counts))
        worst = "".join(f"{e:>{width}.1e}" for e in np.nanmax(excess, axis=0))
        print(f"{'largest':<28}{worst}")


if __name__ == "__main__":
    main()
