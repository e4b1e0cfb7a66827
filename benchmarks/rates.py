"""How far every solver gets with its defaults in a few passes, on real data, raw and scaled.

    python benchmarks/rates.py --data PATH
    python benchmarks/rates.py --data PATH --sets htru2 diamonds --solvers adam sgd

``PATH`` holds ``load.py`` with ``names()`` and ``load(name) -> (X, y, info)``, where
``info["task"]`` is ``"binary"``, ``"multiclass"`` or ``"regression"``. Printed is the excess

    (F - F*) / (F0 - F*)

of each run: 0 at the optimum, 1 at the model that is an intercept alone. F is computed here
from ``coef_`` and ``intercept_``; F* comes from SciPy's L-BFGS in centred, scaled variables.
The column ``SGD*`` is scikit-learn's SGDClassifier(loss="log_loss") or SGDRegressor().
"""

import argparse
import importlib.util
import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from scipy.optimize import minimize
from scipy.special import expit, softmax
from sklearn.linear_model import SGDClassifier, SGDRegressor
from sklearn.preprocessing import StandardScaler

from skgd import GDClassifier, GDRegressor
from skgd.solvers import get_solver_names


def loader(folder):
    """Import ``load.py`` of the data folder."""
    spec = importlib.util.spec_from_file_location("load", Path(folder) / "load.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Objective:
    """F of a linear model in float64, and its gradient, in plain NumPy."""

    def __init__(self, X, y, task, alpha):
        self.X = X.astype(np.float64)
        self.task, self.alpha, self.n = task, alpha, len(y)
        if task == "regression":
            self.target, self.k = y.astype(np.float64)[:, None], 1
        else:
            classes, codes = np.unique(y, return_inverse=True)
            self.k = 1 if len(classes) == 2 else len(classes)
            self.target = 2.0 * codes[:, None] - 1 if self.k == 1 else codes

    def loss(self, eta):
        """Mean loss and its derivative in ``eta``, of shape (n, k)."""
        if self.task == "regression":
            r = eta - self.target
            return 0.5 * np.mean(r**2), r / self.n
        if self.k == 1:
            z = self.target * eta
            return np.mean(np.logaddexp(0, -z)), -self.target * expit(-z) / self.n
        rows = np.arange(self.n)
        value = np.mean(np.logaddexp.reduce(eta, axis=1) - eta[rows, self.target])
        slope = softmax(eta, axis=1)
        slope[rows, self.target] -= 1
        return value, slope / self.n

    def value(self, coef, intercept):
        """F; infinite where a coefficient is not a number."""
        coef = np.atleast_2d(np.asarray(coef, dtype=np.float64))
        with np.errstate(all="ignore"):
            eta = np.asarray(self.X @ coef.T) + np.asarray(intercept, dtype=np.float64)
            F = self.loss(eta)[0] + self.alpha / 2 * np.sum(coef**2)
        return F if np.isfinite(F) else np.inf

    def null(self):
        """F of the best model without coefficients, and its intercepts."""
        if self.task == "regression":
            b = self.target.mean(axis=0)
        elif self.k == 1:
            share = (self.target > 0).mean()
            b = np.array([np.log(share / (1 - share))])
        else:
            b = np.log(np.bincount(self.target) / self.n)
        return self.loss(np.tile(b, (self.n, 1)))[0], b

    def optimum(self):
        """F*, by L-BFGS over ``u = std * w`` and the intercept at the columns' means."""
        X, k, d = self.X, self.k, self.X.shape[1]
        mean = np.asarray(X.mean(axis=0)).ravel()
        if sp.issparse(X):
            square = np.asarray(X.multiply(X).mean(axis=0)).ravel()
            std = np.sqrt(np.maximum(square - mean**2, 0))
        else:
            std = X.std(axis=0)
        std[std <= 1e-12 * np.abs(mean)] = 1.0
        F0, b = self.null()

        def function(theta):
            W, c = theta[: k * d].reshape(k, d) / std, theta[k * d :]
            value, slope = self.loss(np.asarray(X @ W.T) + (c - W @ mean))
            total = slope.sum(axis=0)
            grad = (np.asarray(X.T @ slope).T - np.outer(total, mean) + self.alpha * W) / std
            value += self.alpha / 2 * np.sum(W**2)
            return value / F0, np.concatenate([grad.ravel(), total]) / F0

        options = {"maxiter": 20_000, "maxfun": 50_000, "ftol": 1e-15, "gtol": 1e-10, "maxcor": 30}
        start = np.concatenate([np.zeros(k * d), b])
        return F0 * minimize(function, start, jac=True, method="L-BFGS-B", options=options).fun


def standardised(X):
    """Columns of unit standard deviation, and of mean zero where X is dense."""
    return StandardScaler(with_mean=not sp.issparse(X)).fit_transform(X)


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


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", required=True, help="folder with load.py")
    parser.add_argument("--sets", nargs="+", help="names; all of the folder when left out")
    parser.add_argument("--skip", nargs="+", default=[], help="names to leave out")
    parser.add_argument("--solvers", nargs="+", default=get_solver_names())
    parser.add_argument("--passes", type=int, default=20)
    parser.add_argument("--alpha", type=float, default=1e-4)
    parser.add_argument("--rows", type=int, help="at most so many rows of each set")
    parser.add_argument("--cache", help="JSON file that keeps F* between runs")
    args = parser.parse_args()
    warnings.simplefilter("ignore")  # divergence of the peer and unfinished runs are meant

    load = loader(args.data)
    cache = Path(args.cache) if args.cache else None
    optima = json.loads(cache.read_text()) if cache and cache.exists() else {}
    columns = [*args.solvers, "SGD*"]
    width = max(8, *(len(c) + 1 for c in columns))
    print(f"(F - F*) / (F0 - F*) after {args.passes} passes, alpha={args.alpha:g}")
    print(f"{'set':<28}" + "".join(f"{c:>{width}}" for c in columns) + "   seconds")

    found = {"raw": [], "standardised": []}
    for name in args.sets or [n for n in load.names() if n not in args.skip]:
        raw, y, info = load.load(name)
        raw, y = raw[: args.rows], y[: args.rows]
        for form, rows in found.items():
            X = raw if form == "raw" else standardised(raw)
            F = Objective(X, y, info["task"], args.alpha)
            key = f"{name} {form} {args.alpha:g} {args.rows}"
            if key not in optima:
                optima[key] = F.optimum()
                if cache:
                    cache.write_text(json.dumps(optima, indent=1))
            best, null = optima[key], F.null()[0]
            row, start = [], time.perf_counter()
            for solver, model in models(info["task"], args.solvers, args.passes, args.alpha):
                try:
                    model.fit(X, y)
                    row.append((F.value(model.coef_, model.intercept_) - best) / (null - best))
                except ValueError as error:
                    print(f"{name} {form} {solver}: {error}", file=sys.stderr)
                    row.append(np.inf)
            row += [np.nan] * (len(columns) - len(row))
            rows.append(row)
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
