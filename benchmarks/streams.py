"""Progressive loss of models that learn from a stream: test, then train, one pass, no tuning.

Each chunk of rows is predicted first and learnt afterwards. Printed are the mean log loss
of the probabilities, or the root of the mean squared error; the first chunk is predicted
by probability one half, or by zero. Every model has its defaults. Peers that are not
installed are left out with a note::

    python -m benchmarks.streams --data FOLDER --solvers auto sgd adam --batches 1 32 256

``FOLDER`` holds ``load.py``, which gives rows, target and ``info["order"]`` of each set;
those with order ``"time"`` are taken. ``--peers-only`` runs where skgd is not installed.
"""

import argparse
import sys
import time
import warnings
from itertools import count

import numpy as np
import scipy.sparse as sp
from scipy.special import expit
from sklearn.linear_model import SGDClassifier, SGDRegressor
from sklearn.preprocessing import StandardScaler

from .sets import loader

_TINY = np.finfo(float).eps
_WIDE = 1000  # columns from which a sparse set is given to River without its scaler


class RunningMean:
    """The mean of the targets so far."""

    def __init__(self, task):
        self.total, self.rows = 0.0, 0

    def predict(self, X):
        return np.full(X.shape[0], self.total / self.rows)

    def learn(self, X, y):
        self.total += y.sum()
        self.rows += len(y)


class Sklearn:
    """A model with ``partial_fit``: probabilities of the second class, or predictions."""

    def __init__(self, model, task, scaler=None):
        self.model, self.task, self.scaler = model, task, scaler

    def predict(self, X):
        X = X if self.scaler is None else self.scaler.transform(X)
        if self.task == "regression":
            return self.model.predict(X)
        return expit(self.model.decision_function(X))

    def learn(self, X, y):
        if self.scaler is not None:
            X = self.scaler.partial_fit(X).transform(X)
        more = {} if self.task == "regression" else {"classes": [0, 1]}
        self.model.partial_fit(X, y, **more)


class River:
    """River's linear model behind its scaler, row by row."""

    def __init__(self, task, scaled):
        from river import linear_model, preprocessing

        name = "LinearRegression" if task == "regression" else "LogisticRegression"
        self.model, self.task = getattr(linear_model, name)(), task
        if scaled:
            self.model = preprocessing.StandardScaler() | self.model

    @staticmethod
    def rows(X):
        if not sp.issparse(X):
            return (dict(enumerate(x)) for x in X.tolist())
        parts = zip(X.indptr[:-1], X.indptr[1:], strict=True)
        indices, values = X.indices.tolist(), X.data.tolist()
        return (dict(zip(indices[a:b], values[a:b], strict=True)) for a, b in parts)

    def predict(self, X):
        if self.task == "regression":
            return np.array([self.model.predict_one(x) for x in self.rows(X)])
        return np.array([self.model.predict_proba_one(x).get(True, 0.5) for x in self.rows(X)])

    def learn(self, X, y):
        y = y.tolist() if self.task == "regression" else (y > 0).tolist()
        for x, target in zip(self.rows(X), y, strict=True):
            self.model.learn_one(x, target)


class VowpalWabbit:
    """Vowpal Wabbit with its defaults, row by row."""

    def __init__(self, task):
        from vowpalwabbit import Workspace

        self.task = task
        more = "" if task == "regression" else "--loss_function logistic --link logistic"
        self.model = Workspace(f"--quiet {more}")

    @staticmethod
    def lines(X):
        X = sp.csr_matrix(X)
        for a, b in zip(X.indptr[:-1], X.indptr[1:], strict=True):
            row = zip(X.indices[a:b], X.data[a:b], strict=True)
            yield "| " + " ".join(f"{j}:{v:.9g}" for j, v in row)

    def predict(self, X):
        return np.array([self.model.predict(line) for line in self.lines(X)])

    def learn(self, X, y):
        y = y if self.task == "regression" else 2 * y - 1
        for line, target in zip(self.lines(X), y.tolist(), strict=True):
            self.model.learn(f"{target} {line}")


def peers(task, sparse_wide):
    """Name and maker of each peer."""

    def sgd(scaled, sparse):
        model = SGDRegressor() if task == "regression" else SGDClassifier(loss="log_loss")
        model.set_params(random_state=0)
        return Sklearn(model, task, StandardScaler(with_mean=not sparse) if scaled else None)

    return {
        "mean": lambda sparse: RunningMean(task),
        "River": lambda sparse: River(task, scaled=not sparse_wide),
        "VW": lambda sparse: VowpalWabbit(task),
        "SGD": lambda sparse: sgd(False, sparse),
        "SGD scaled": lambda sparse: sgd(True, sparse),
    }


def ours(task, solver):
    """A model of skgd with its defaults, but for the solver."""
    from skgd import GDClassifier, GDRegressor

    make = GDRegressor if task == "regression" else GDClassifier
    return Sklearn(make(solver=solver, random_state=0), task)


def progressive(model, X, y, task, batch):
    """Loss of predicting each chunk before learning it, and seconds in all."""
    lost, start = 0.0, time.perf_counter()
    with np.errstate(all="ignore"):
        for i in range(0, len(y), batch):
            rows, target = X[i : i + batch], y[i : i + batch]
            first = 0.0 if task == "regression" else 0.5
            p = model.predict(rows) if i else np.full(len(target), first)
            if task == "regression":
                lost += np.sum((p - target) ** 2)
            else:
                p = np.clip(np.nan_to_num(p, nan=0.5), _TINY, 1 - _TINY)
                lost -= np.sum(np.log(np.where(target > 0, p, 1 - p)))
            model.learn(rows, target)
    seconds = time.perf_counter() - start
    mean = lost / len(y)
    return (np.sqrt(mean) if task == "regression" else mean), seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", required=True, help="folder with load.py")
    parser.add_argument("--sets", nargs="+", help="names; all in order of time when left out")
    parser.add_argument("--solvers", nargs="+", default=["auto"])
    parser.add_argument("--batches", nargs="+", type=int, default=[32, 256])
    parser.add_argument("--rows", type=int, help="at most so many rows of each set")
    parser.add_argument("--peers", nargs="*", help="all when left out, none when empty")
    parser.add_argument("--peers-only", action="store_true", help="no model of skgd")
    args = parser.parse_args()
    warnings.simplefilter("ignore")  # peers that diverge are meant to be seen in the table

    load, missing, header = loader(args.data), set(), count()
    for name in args.sets or load.names():
        X, y, info = load.load(name)
        if info["order"] != "time" and not args.sets:
            continue
        X, y, task = X[: args.rows], y[: args.rows], info["task"]
        made = peers(task, sp.issparse(X) and X.shape[1] > _WIDE)
        made = {k: v for k, v in made.items() if args.peers is None or k in args.peers}
        for solver in [] if args.peers_only else args.solvers:
            made[solver] = lambda sparse, solver=solver: ours(task, solver)
        if next(header) == 0:
            print(f"{'set':<14}{'batch':>6}" + "".join(f"{k:>12}" for k in made))
        for batch in args.batches:
            cells, spent = "", ""
            for key, make in made.items():
                try:
                    model = make(sp.issparse(X))
                except ImportError as error:
                    missing.add(f"{key}: {error}")
                    value, seconds = np.nan, np.nan
                else:
                    value, seconds = progressive(model, X, y, task, batch)
                cells += f"{value:>12.4g}"
                spent += f"{seconds:>12.1f}"
            print(f"{name:<14}{batch:>6}{cells}\n{'':<13}seconds{spent}", flush=True)
    for note in sorted(missing):
        print(f"left out, {note}", file=sys.stderr)


if __name__ == "__main__":
    main()
