"""What a call costs that learns few rows, by rows a call, beside other learners of streams.

    python -m benchmarks.small_doses [--calls 300]

Microseconds of a call, medians; learners take blocks of calls in turn. Dense rows of 20 numbers,
and CSR rows of 75 entries in 100,000 columns. Every model has learnt 1,000 rows before. Each is
given rows as it likes them best, made beforehand: arrays and CSR matrices; for River dicts, a row a
call of ``learn_one``, and DataFrames for ``learn_many`` (behind its StandardScaler where rows are
dense); lines of text for Vowpal Wabbit, a row a call. Peers that are not installed are left out
with a line.
"""

import argparse
import time

import numpy as np
import scipy.sparse as sp
from sklearn.linear_model import SGDClassifier

from skgd import GDClassifier

from .streams import River, VowpalWabbit

BLOCKS = 5
DOSES = 1, 10, 100, 1000
DENSE = "auto", "sgd", "momentum", "adam", "adagrad", "ftrl"
SPARSE = "auto", "sgd"


class Arrays:
    """An estimator with ``partial_fit``."""

    def __init__(self, est):
        self.est, self.more = est, {"classes": [0, 1]}

    def prepared(self, X, y):
        return X, y

    def learn(self, X, y):
        self.est.partial_fit(X, y, **self.more)
        self.more = {}


class Dicts:
    """River, a row a call, in a loop where there are more."""

    def __init__(self, scaled):
        self.model = River("binary", scaled).model

    def prepared(self, X, y):
        return list(River.rows(X)), (y > 0).tolist()

    def learn(self, rows, y):
        for x, target in zip(rows, y, strict=True):
            self.model.learn_one(x, target)


class Frames(Dicts):
    """River, DataFrames."""

    def prepared(self, X, y):
        import pandas as pd

        return pd.DataFrame(X, columns=[f"x{j}" for j in range(X.shape[1])]), pd.Series(y > 0)

    def learn(self, rows, y):
        self.model.learn_many(rows, y)


class Lines:
    """Vowpal Wabbit, a line a row."""

    def __init__(self):
        self.model = VowpalWabbit("binary").model

    def prepared(self, X, y):
        lines = zip(VowpalWabbit.lines(X), (2 * y - 1).tolist(), strict=True)
        return [f"{target} {line}" for line, target in lines], None

    def learn(self, lines, _):
        for line in lines:
            self.model.learn(line)


def measured(made, X, y, rows, calls):
    """Return microseconds of a call on so many rows for each learner; blocks of calls in turn."""
    for learner in made.values():
        learner.learn(*learner.prepared(X[:1000], y[:1000]))
    took = {label: [] for label in made}
    for block in np.array_split(np.arange(calls), BLOCKS):
        for label, learner in made.items():
            for k in block:
                start = 1000 + rows * k % (len(y) - 1000 - rows + 1)
                given = learner.prepared(X[start : start + rows], y[start : start + rows])
                begin = time.perf_counter()
                learner.learn(*given)
                took[label].append(time.perf_counter() - begin)
    return {label: 1e6 * float(np.median(each)) for label, each in took.items()}


def learners(name, solvers):
    """Return what makes each learner, by name."""
    found = {"SGDClassifier": lambda: Arrays(SGDClassifier(loss="log_loss"))}
    found |= {s: lambda s=s: Arrays(GDClassifier(solver=s, random_state=0)) for s in solvers}
    found["River one"] = lambda: Dicts(scaled=name == "dense")
    if name == "dense":
        found["River many"] = lambda: Frames(scaled=True)
    return found | {"Vowpal Wabbit": Lines}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--calls", type=int, default=300)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 4_000)
    dense = rng.standard_normal((4_000, 20)) + y[:, None]
    wide = sp.random_array((4_000, 100_000), density=75e-5, format="csr", random_state=0)
    for name, X, solvers in (("dense", dense, DENSE), ("CSR", wide, SPARSE)):
        makers = {}
        for label, make in learners(name, solvers).items():
            try:
                make()
                makers[label] = make
            except ImportError as error:
                print(f"{label:<16}left out: {error}")
        columns = []
        for rows in DOSES:
            made = {label: make() for label, make in makers.items()}
            columns.append(measured(made, X, y, rows, options.calls // (1 + rows // 50)))
        print(f"{name:<16}" + "".join(f"{rows:>9} rows" for rows in DOSES))
        for label in makers:
            print(f"{label:<16}" + "".join(f"{times[label]:>14.0f}" for times in columns))


if __name__ == "__main__":
    main()
