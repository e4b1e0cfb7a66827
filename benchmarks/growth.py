"""Seconds of a pass as the rows double: the exponent of a power law through them.

python -m benchmarks.growth [--dense 100000 1600000] [--stored 1000000 100000000]
"""

import argparse

import numpy as np
import scipy.sparse as sp

from skgd import GDClassifier

SOLVERS = "sgd", "adam", "gd", "saga"


def a_pass(solver, X, y):
    """Return seconds of a pass: a fit of three less a fit of one, halved; the least of three."""
    took = []
    for passes in (1, 3):
        est = GDClassifier(solver=solver, max_iter=passes, tol=None, eta0=1e-3, random_state=0)
        times = []
        for _ in range(3):
            est.fit(X, y)
            times.append(est.history_["seconds"][-1])
        took.append(min(times))
    return (took[1] - took[0]) / 2


def exponent(sizes, seconds):
    """Return the slope of the logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(np.maximum(seconds, 1e-9)), 1)[0])


def sizes(low, high):
    """Return sizes from low to high, doubling."""
    return [low * 2**k for k in range(int(np.log2(high / low) + 1.5))]


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--dense", type=int, nargs=2, default=(100_000, 1_600_000))
    parser.add_argument("--stored", type=int, nargs=2, default=(1_000_000, 64_000_000))
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    for kind, wanted in (("dense rows x 20", options.dense), ("CSR entries", options.stored)):
        table = {solver: [] for solver in SOLVERS}
        for size in sizes(*wanted):
            if kind.startswith("dense"):
                X = rng.standard_normal((size, 20))
            else:
                n = size // 50
                columns = rng.integers(0, 20_000, size).astype(np.int32)
                start = np.arange(0, size + 1, 50, dtype=np.int64).astype(np.int32)
                X = sp.csr_matrix((rng.random(size), columns, start), shape=(n, 20_000))
            y = rng.integers(0, 2, X.shape[0])
            for solver in SOLVERS:
                table[solver].append(a_pass(solver, X, y))
            times = "  ".join(f"{s} {table[s][-1] * 1e3:9.2f} ms" for s in SOLVERS)
            print(f"{kind} {size:>12,}  {times}", flush=True)
        found = {s: exponent(sizes(*wanted), times) for s, times in table.items()}
        print(f"{kind}: exponent " + ", ".join(f"{s} {v:.3f}" for s, v in found.items()))


if __name__ == "__main__":
    main()
