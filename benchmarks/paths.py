"""A path of 20 strengths beside 20 fits of the same strengths, on the same rows.

    python -m benchmarks.paths --data PATH [--losses hinge absolute_error quantile]

Times are medians of ``--repeats`` turns, a path and its fits in the same process, turn by turn.
The gap is the largest ``optimality_`` of all points.
"""

import argparse
import time
import warnings

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from skgd import GDClassifier, GDRegressor, regularization_path
from skgd.losses import get_loss_names

from .sets import add_data_arguments, each_set

COUNTS = ("pg15_claims", "pg15_claims_csr", "randhie_visits")


def estimators(name, info, wanted):
    """Yield what to fit: two penalties, and a log link where targets are counts."""
    kind, task, losses = GDClassifier, "classification", ["log_loss"]
    if info["task"] == "regression":
        kind, task, losses = GDRegressor, "regression", ["squared_error"]
        losses += ["poisson"] * (name in COUNTS)
    if wanted:
        losses = [loss for loss in wanted if loss in get_loss_names(task)]
    for loss in losses:
        for penalty in ("l2", "l1"):
            yield kind(loss, penalty=penalty)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_data_arguments(parser)
    parser.add_argument("--losses", nargs="+", help="where they fit the task; else the usual ones")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--limit", type=float, default=60.0, help="seconds for the turns of a line")
    args = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)

    print(
        "set                form          loss           pen   path s   fits s  ratio  gap of path"
    )
    for name, form, X, y, info in each_set(args):
        for est in estimators(name, info, args.losses):
            paths, fits, begin = [], [], time.perf_counter()
            for _ in range(args.repeats):
                start = time.perf_counter()
                path = regularization_path(est, X, y)
                middle = time.perf_counter()
                for alpha in path.alphas:
                    clone(est).set_params(alpha=alpha).fit(X, y)
                paths.append(middle - start)
                fits.append(time.perf_counter() - middle)
                if time.perf_counter() - begin > args.limit:
                    break
            one, many = np.median(paths), np.median(fits)
            print(
                f"{name:18s} {form:13s} {est.loss:14s} {est.penalty:3s} {one:8.3f} {many:8.3f} "
                f"{one / many:6.2f}  {path.gaps.max():.0e}",
                flush=True,
            )


if __name__ == "__main__":
    main()
