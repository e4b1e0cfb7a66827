"""Dual ascent on parts of the rows side by side: visits and seconds by replicas and threads.

    python -m benchmarks.replicas [--scale 1] [--repeats 3]

Standard normal columns that hang together a little, alpha 1e-4. Seconds are medians of
``--repeats`` turns over all settings, in the same process.
"""

import argparse
import time

import numpy as np

from skgd import GDClassifier
from skgd.solvers import SDCA

# loss, rows, classes, tol
PROBLEMS = (
    ("log_loss", 1_000_000, 2, 1e-4),
    ("log_loss", 1_000_000, 2, 1e-6),
    ("log_loss", 200_000, 4, 1e-4),
    ("hinge", 1_000_000, 2, 1e-6),
)
SETTINGS = (1, 2), (2, 2), (4, 2), (1, 1), (2, 1)  # replicas, threads


def rows(n, classes, d=20):
    """Return X and labels."""
    rng = np.random.default_rng(0)
    mix = np.eye(d) + 0.3 * rng.standard_normal((d, d)) / np.sqrt(d)
    X = rng.standard_normal((n, d)) @ mix
    y = X @ rng.standard_normal(d) + 2.0 * rng.standard_normal(n)
    return X, np.digitize(y, [0.0] if classes == 2 else [-3.0, 0.0, 3.0])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--scale", type=float, default=1.0, help="factor on the numbers of rows")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    print("loss      rows x 20  classes  tol    replicas threads  visits a row  seconds  gap")
    for loss, n, classes, tol in PROBLEMS:
        n = max(20_000, int(n * options.scale))
        X, y = rows(n, classes)
        times = {setting: [] for setting in SETTINGS}
        found = {}
        for _ in range(options.repeats):
            for replicas, threads in SETTINGS:
                est = GDClassifier(loss, solver=SDCA(replicas), tol=tol, random_state=0)
                begin = time.perf_counter()
                found[replicas, threads] = est.set_params(n_jobs=threads).fit(X, y)
                times[replicas, threads].append(time.perf_counter() - begin)
        for setting, est in found.items():
            what = f"{loss:9} {n:9,}  {classes:7}  {tol:.0e}  {setting[0]:7} {setting[1]:7}"
            visits, seconds = est.t_ / n, np.median(times[setting])
            print(f"{what}  {visits:12.1f}  {seconds:7.3f}  {est.optimality_:.0e}", flush=True)


if __name__ == "__main__":
    main()
