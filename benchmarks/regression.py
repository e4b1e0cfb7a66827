"""Whether skgd has become slower beside scikit-learn than it was when this was last looked at.

    python -m benchmarks.regression            # compare; fails where something is slower
    python -m benchmarks.regression --record   # write the ratios of today

Each piece of work is timed in turn with what scikit-learn does for the same, and the ratio of the
least times is compared with the one in ``regression.json``: ratios of one run, since seconds
depend on the machine. Slower means by 30 % and by 20 ms, in each of three attempts.
"""

import argparse
import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier

from skgd import GDClassifier, GDRegressor

RECORD = Path(__file__).with_suffix(".json")
SHARE, SECONDS = 1.3, 0.02
REPEATS, ATTEMPTS = 5, 3


def rows(n, d, seed=0):
    """Return standard normal rows, labels and numbers."""
    rng = np.random.RandomState(seed)
    X = rng.standard_normal((n, d))
    eta = X @ rng.standard_normal(d) / np.sqrt(d)
    return X, (eta + rng.logistic(size=n) > 0).astype(int), eta + rng.standard_normal(n)


def work():
    """Yield a name, skgd's function and scikit-learn's for the same work."""
    X, labels, numbers = rows(100_000, 20)
    one = {"max_iter": 3, "tol": None, "random_state": 0, "learning_rate": "optimal"}
    plain = SGDClassifier(loss="log_loss", **one)
    ours = GDClassifier(solver="sgd", **one)
    yield (
        "three passes of one row a step",
        lambda: ours.fit(X, labels),
        lambda: plain.fit(X, labels),
    )
    logistic = LogisticRegression(C=1e4 / len(X))
    yield (
        "a default logistic fit",
        lambda: GDClassifier().fit(X, labels),
        lambda: logistic.fit(X, labels),
    )
    yield (
        "a default least squares fit",
        lambda: GDRegressor().fit(X, numbers),
        lambda: Ridge(alpha=1e-4 * len(X)).fit(X, numbers),
    )
    few, classes = X[:150, :4], np.arange(150) % 3
    small = LogisticRegression()
    yield (
        "a hundred small fits",
        lambda: [GDClassifier().fit(few, classes) for _ in range(100)],
        lambda: [small.fit(few, classes) for _ in range(100)],
    )
    words = sp.random_array((20_000, 20_000), density=2e-3, rng=np.random.default_rng(0)).tocsr()
    topics = (words @ np.sin(np.arange(20_000.0)) > 0).astype(int)
    sparse = LogisticRegression(C=1e4 / 20_000)
    yield (
        "a default fit of sparse rows",
        lambda: GDClassifier().fit(words, topics),
        lambda: sparse.fit(words, topics),
    )


def measured(ours, theirs):
    """Return the least seconds of each, taken in turn."""
    least = [np.inf, np.inf]
    for _ in range(REPEATS):
        for k, function in enumerate((ours, theirs)):
            start = time.perf_counter()
            function()
            least[k] = min(least[k], time.perf_counter() - start)
    return least


def is_slower(ours, theirs, recorded):
    """Return whether a time is beyond what the recorded ratio allows.

    Parameters
    ----------
    ours, theirs : float
        Seconds of the same work.
    recorded : float
        Ratio of the first to the second that is known.

    Returns
    -------
    bool
        True where it is more by both a share and a fixed time.
    """
    expected = recorded * theirs
    return ours > SHARE * expected and ours > expected + SECONDS


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--record", action="store_true", help="write the ratios of today")
    args = parser.parse_args(arguments)
    warnings.simplefilter("ignore")  # three passes are meant, and a peer that does not converge

    known = {} if args.record else json.loads(RECORD.read_text(encoding="utf-8"))
    found, slower = {}, []
    print(f"{'work':<34}{'skgd ms':>10}{'peer ms':>10}{'ratio':>8}{'known':>8}")
    for name, ours, theirs in work():
        for _ in range(1 if args.record else ATTEMPTS):
            a, b = measured(ours, theirs)
            found[name] = round(a / b, 3)
            late = name in known and is_slower(a, b, known[name])
            shown = f"{known[name]:>8.2f}" if name in known else ""
            print(f"{name:<34}{1e3 * a:>10.1f}{1e3 * b:>10.1f}{a / b:>8.2f}{shown}", flush=True)
            if not late:
                break
        else:
            if not args.record:
                slower.append(name)
    if args.record:
        RECORD.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if slower:
        sys.exit("slower than it was, beside scikit-learn: " + "; ".join(slower))


if __name__ == "__main__":
    main()
