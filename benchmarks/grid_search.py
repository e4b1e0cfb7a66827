"""Wall time of a GridSearchCV of 48 fits, beside SGDClassifier and LogisticRegression.

    python -m benchmarks.grid_search [--data PATH] [--set adult_raw] [--repeats 3]

Twelve strengths of the penalty in four folds, the same for all, on standardised columns (the
peers need them), with one worker and with two. Medians; the score is that of the best strength.
"""

import argparse
import statistics
import time
import warnings

import numpy as np
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import GridSearchCV

from skgd import GDClassifier

from .data import find
from .sets import standardised

ALPHAS = np.logspace(-5, 0, 12)


def searches(n_rows):
    """Return the searches by name."""
    strengths = 1.0 / (ALPHAS * n_rows * 0.75)
    return {
        "GDClassifier": (GDClassifier(), {"alpha": ALPHAS}),
        "GDClassifier(solver='sgd')": (
            GDClassifier(solver="sgd", random_state=0),
            {"alpha": ALPHAS},
        ),
        "SGDClassifier(loss='log_loss')": (
            SGDClassifier(loss="log_loss", random_state=0),
            {"alpha": ALPHAS},
        ),
        "LogisticRegression": (LogisticRegression(), {"C": strengths}),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder with the data sets; made-up rows without")
    parser.add_argument("--set", default="adult_raw")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if options.data:
        X, y, _ = find(options.set, options.data, "standardised")
    else:
        X, y = make_classification(20_000, 40, n_informative=10, random_state=0)
        X = standardised(X)
    print(f"{X.shape[0]} x {X.shape[1]}, 48 fits")
    for n_jobs in (1, 2):
        seconds = {name: [] for name in searches(len(y))}
        scores = {}
        for _ in range(options.repeats):
            for name, (est, grid) in searches(len(y)).items():
                search = GridSearchCV(est, grid, cv=4, n_jobs=n_jobs)
                begin = time.perf_counter()
                search.fit(X, y)
                seconds[name].append(time.perf_counter() - begin)
                scores[name] = search.best_score_
        ours = statistics.median(seconds["GDClassifier"])
        for name, found in seconds.items():
            median = statistics.median(found)
            print(
                f"  n_jobs={n_jobs}  {name:32s}{median:8.2f} s{median / ours:8.2f}x"
                f"   best score {scores[name]:.4f}"
            )


if __name__ == "__main__":
    main()
