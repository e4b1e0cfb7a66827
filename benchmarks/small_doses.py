"""What a call of partial_fit costs, by rows a call, beside SGDClassifier.

    python -m benchmarks.small_doses [--calls 300]

Microseconds of a call, medians; dense rows of 20 numbers, and CSR rows of 75 entries in 100,000
columns. Every solver has learnt 1,000 rows before.
"""

import argparse
import time

import numpy as np
import scipy.sparse as sp
from sklearn.linear_model import SGDClassifier

from skgd import GDClassifier

DOSES = 1, 10, 100, 1000
DENSE = "auto", "sgd", "momentum", "adam", "adagrad", "ftrl"
SPARSE = "auto", "sgd"


def call(make, X, y, rows, calls):
    """Return microseconds of a call on so many rows."""
    est = make().partial_fit(X[:1000], y[:1000], classes=[0, 1])
    took = []
    for k in range(calls):
        start = 1000 + rows * k % (len(y) - 1000 - rows + 1)
        some, labels = X[start : start + rows], y[start : start + rows]
        begin = time.perf_counter()
        est.partial_fit(some, labels)
        took.append(time.perf_counter() - begin)
    return 1e6 * float(np.median(took))


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--calls", type=int, default=300)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 4_000)
    dense = rng.standard_normal((4_000, 20)) + y[:, None]
    wide = sp.random_array((4_000, 100_000), density=75e-5, format="csr", random_state=0)
    for name, X, solvers in (("dense", dense, DENSE), ("CSR", wide, SPARSE)):
        makers = {"SGDClassifier": lambda: SGDClassifier(loss="log_loss")}
        makers |= {s: lambda s=s: GDClassifier(solver=s, random_state=0) for s in solvers}
        print(f"{name:<16}" + "".join(f"{rows:>9} rows" for rows in DOSES))
        for label, make in makers.items():
            times = [call(make, X, y, rows, options.calls // (1 + rows // 500)) for rows in DOSES]
            print(f"{label:<16}" + "".join(f"{t:>14.0f}" for t in times), flush=True)


if __name__ == "__main__":
    main()
