"""Speed and memory of skgd beside its peers, on made-up rows, in one process.

    python -m benchmarks.speed                     # everything, the full sizes
    python -m benchmarks.speed --only sgd adam     # some tables
    python -m benchmarks.speed --scale 0.1         # a tenth of the rows

A pass is (a fit with 5 passes - a fit with 1) / 4, so that what a fit does once does not
count. Times are medians of ``--repeats`` runs; both sides take turns, so that a slow moment
of the machine hits both. One thread each, except where the table says two.
"""

import argparse
import sys
import tempfile
import time
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, SGDClassifier
from threadpoolctl import threadpool_limits

from skgd import GDClassifier

ALPHA = 1e-4
DENSE = [(1_000_000, 20), (300_000, 100), (50_000, 1_000)]
SPARSE = (200_000, 100_000, 75)  # rows, columns, entries a row


# -- data ---------------------------------------------------------------------------


def labels(eta, rng):
    return (eta + rng.logistic(size=len(eta)) > 0).astype(np.int64)


def dense_rows(n, d, dtype=np.float64):
    """Standard normal columns, and labels from a logistic model."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d), dtype=dtype)
    return X, labels(X @ rng.normal(size=d).astype(dtype) / np.sqrt(d), rng)


def sparse_rows(n, d, per_row):
    """CSR rows whose columns are popular by a power law, as words are."""
    rng = np.random.default_rng(0)
    # Columns may repeat within a row; summing them leaves a little less than ``per_row``.
    columns = (d * rng.random((n, per_row)) ** 3).astype(np.int32)
    X = sp.csr_matrix(
        (rng.random(n * per_row) + 0.5, columns.ravel(), np.arange(0, n * per_row + 1, per_row)),
        shape=(n, d),
    )
    X.sum_duplicates()
    return X, labels(X @ rng.normal(size=d) / np.sqrt(per_row), rng)


def cases(scale):
    """Name and maker of each set of rows; made one at a time, so that memory stays small."""
    for n, d in DENSE:
        n = max(1_000, int(n * scale))
        yield f"{n:,} x {d:,}", lambda n=n, d=d: dense_rows(n, d)
    n, d, per_row = SPARSE
    n = max(1_000, int(n * scale))
    yield f"CSR {n:,} x {d:,}", lambda: sparse_rows(n, d, per_row)


# -- timing -------------------------------------------------------------------------


def seconds(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def medians(functions, repeats):
    """Median seconds of each function; they take turns, after one unmeasured round."""
    for function in functions:
        function()
    return np.median([[seconds(f) for f in functions] for _ in range(repeats)], axis=0)


def passes(fits, repeats):
    """Seconds of one pass of each ``fit(n_passes)``."""
    runs = [lambda fit=fit, k=k: fit(k) for fit in fits for k in (1, 5)]
    times = medians(runs, repeats)
    return (times[1::2] - times[::2]) / 4


def table(title, header, rows):
    """Print rows of strings under a header, in aligned columns."""
    print(f"\n{title}\n")
    lines = [header, *rows]
    widths = [max(len(line[j]) for line in lines) for j in range(len(header))]
    for line in lines:
        cells = [
            c.ljust(w) if j == 0 else c.rjust(w)
            for j, (c, w) in enumerate(zip(line, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())
    sys.stdout.flush()


def ns(t, n):
    return f"{1e9 * t / n:.0f} ns"


# -- tables -------------------------------------------------------------------------


def vowpal_wabbit(X, y, folder):
    """Return ``fit(n_passes)`` of Vowpal Wabbit, which reads the rows from its own cache."""
    from vowpalwabbit import Workspace

    rows, cache = Path(folder, "rows"), Path(folder, "cache")
    with rows.open("w") as out:
        for start, stop, sign in zip(X.indptr[:-1], X.indptr[1:], 2 * y - 1, strict=True):
            pairs = zip(X.indices[start:stop].tolist(), X.data[start:stop].tolist(), strict=True)
            out.write(f"{sign} | {' '.join(f'{j}:{v:.9g}' for j, v in pairs)}\n")
    more = f"-d {rows} --cache_file {cache} --holdout_off --quiet"

    def fit(n_passes):
        # It learns while it is made: the first time from the rows, then from the cache.
        Workspace(f"--loss_function logistic {more} --passes {n_passes}").finish()

    return fit


def from_cache(args):
    """One pass over sparse rows, beside Vowpal Wabbit with its own rates, from its cache."""
    try:
        import vowpalwabbit
    except ImportError:
        print("\nVowpal Wabbit is not installed; table left out")
        return
    name, make = list(cases(args.scale))[-1]
    X, y = make()
    ours = {"solver": "sgd", "batch_size": 1, "alpha": ALPHA, "tol": None, "n_jobs": 1}
    constant = {"learning_rate": "constant", "eta0": 1e-3}
    with tempfile.TemporaryDirectory() as folder:
        fits = [
            lambda k: GDClassifier(**ours, **constant, max_iter=k, random_state=0).fit(X, y),
            lambda k: GDClassifier(**ours, max_iter=k, random_state=0).fit(X, y),
            vowpal_wabbit(X, y, folder),
        ]
        a, auto, b = passes(fits, args.repeats)
    n = len(y)
    row = [name, ns(a, n), ns(auto, n), ns(b, n), f"{b / a:.2f}x", f"{b / auto:.2f}x"]
    header = ["one row a step", "skgd", "skgd, auto", f"VW {vowpalwabbit.__version__}", "", ""]
    table("One pass beside Vowpal Wabbit's cache: time per row", header, [row])


def sgd(args):
    """One pass, one row a step, log loss, l2, a constant rate; and the default rates."""
    rows = []
    for name, make in cases(args.scale):
        X, y = make()
        common = {"loss": "log_loss", "alpha": ALPHA, "tol": None, "random_state": 0}
        ours = {**common, "solver": "sgd", "batch_size": 1, "n_jobs": 1}
        rate = {"learning_rate": "constant", "eta0": 1e-3}
        fits = [
            lambda k: GDClassifier(**ours, **rate, max_iter=k).fit(X, y),
            lambda k: GDClassifier(**ours, max_iter=k).fit(X, y),
            lambda k: SGDClassifier(**common, **rate, max_iter=k).fit(X, y),
            lambda k: SGDClassifier(**common, max_iter=k).fit(X, y),
        ]
        a, auto, b, optimal = passes(fits, args.repeats)
        n = len(y)
        row = [name, ns(a, n), ns(b, n), f"{b / a:.2f}x", ns(auto, n), ns(optimal, n)]
        rows.append([*row, f"{optimal / auto:.2f}x"])
    header = [
        "one row a step",
        "skgd",
        "SGDClassifier",
        "ratio",
        "skgd, auto",
        "SGD*, optimal",
        "ratio",
    ]
    table("One pass, one row a step: time per row, 1 thread", header, rows)


def torch_adam(torch, X, y, n_passes):
    """Minimise the same F with torch's ``Linear`` and ``Adam``, batches of 256."""
    torch.manual_seed(0)
    X, y = torch.from_numpy(X), torch.from_numpy(y.astype(X.dtype))
    model = torch.nn.Linear(X.shape[1], 1).to(X.dtype)
    groups = [{"params": [model.weight], "weight_decay": ALPHA}, {"params": [model.bias]}]
    optimizer = torch.optim.Adam(groups, lr=1e-3)
    criterion = torch.nn.BCEWithLogitsLoss()
    for _ in range(n_passes):
        order = torch.randperm(len(y))
        for start in range(0, len(y), 256):
            batch = order[start : start + 256]
            optimizer.zero_grad(set_to_none=True)
            criterion(model(X[batch]).squeeze(1), y[batch]).backward()
            optimizer.step()
    return model


def adam(args):
    """One pass of Adam in batches of 256."""
    try:
        import torch
    except ImportError:
        print("\nAdam: torch is not installed; table left out")
        return
    torch.set_num_threads(1)
    rows = []
    for n, d in DENSE:
        n = max(1_000, int(n * args.scale))
        for dtype in (np.float64, np.float32):
            X, y = dense_rows(n, d, dtype)
            ours = {"solver": "adam", "batch_size": 256, "alpha": ALPHA, "tol": None, "n_jobs": 1}
            ours |= {"random_state": 0, "learning_rate": "constant", "eta0": 1e-3}
            fits = [
                lambda k: GDClassifier(**ours, max_iter=k).fit(X, y),
                lambda k: torch_adam(torch, X, y, k),
            ]
            a, b = passes(fits, args.repeats)
            name = f"{n:,} x {d:,} {np.dtype(dtype).name}"
            rows.append([name, ns(a, n), ns(b, n), f"{b / a:.2f}x"])
    header = ["Adam, batches of 256", "skgd", f"torch {torch.__version__}", "ratio"]
    table("One pass of Adam: time per row, 1 thread", header, rows)


def full(args):
    """Value and gradient of all rows: skgd on two threads, scikit-learn on one."""
    # Private on both sides: neither library offers the bare evaluation to users.
    from sklearn._loss import HalfBinomialLoss
    from sklearn.linear_model._linear_loss import LinearModelLoss

    from skgd.losses import LogLoss
    from skgd.objectives import make_objective

    rows = []
    for name, make in cases(args.scale):
        X, y = make()
        n, d = X.shape
        peer = LinearModelLoss(HalfBinomialLoss(), fit_intercept=True)
        theta = np.random.default_rng(1).normal(size=d + 1) / np.sqrt(d)
        s, target = np.ones(n), y.astype(np.float64)

        def ours(n_threads, X=X, s=s, signs=2 * target - 1, theta=theta):
            objective = make_objective(X, signs, s, LogLoss(), n_threads=n_threads)
            return lambda: objective.sums(theta)

        functions = [
            ours(2),
            ours(1),
            lambda: peer.loss_gradient(theta, X, target, l2_reg_strength=0.0, n_threads=1),
            lambda: X @ theta[:-1],
        ]
        two, one, b, dot = medians(functions, 4 * args.repeats)
        value, gradient = functions[0]()
        expected = functions[2]()
        np.testing.assert_allclose(value / n, expected[0], rtol=1e-9)
        np.testing.assert_allclose(gradient / n, expected[1], rtol=1e-6, atol=1e-9)
        ms = [f"{1e3 * t:.1f} ms" for t in (two, one, b, dot)]
        rows.append([name, *ms[:3], f"{b / two:.2f}x", f"{b / one:.2f}x", ms[3]])
    header = ["value and gradient", "skgd, 2 threads", "skgd, 1", "scikit-learn, 1"]
    header += ["ratio, 2", "ratio, 1", "X @ w, 1"]
    table("Value and gradient of all rows, log loss", header, rows)


SOLVERS = "gd agd newton lbfgs sgd adam sag saga svrg sdca ftrl hedge".split()


def peak_rss(reset=False):
    """Largest resident size of the process in bytes since the last reset, Linux only."""
    try:
        if reset:
            with open("/proc/self/clear_refs", "w") as f:
                f.write("5")
        with open("/proc/self/status") as f:
            sizes = dict(line.split(":", 1) for line in f)
        return 1024 * int(sizes["VmHWM"].split()[0])
    except OSError:
        return None


def memory(args):
    """Memory that ``fit`` takes beyond X and y, as a share of X."""
    rows = []
    for name, make in cases(args.scale):
        X, y = make()
        size = (
            X.data.nbytes
            if not sp.issparse(X)
            else sum(a.nbytes for a in (X.data, X.indices, X.indptr))
        )
        vectors = 8 * (X.shape[0] + X.shape[1])  # one vector of length n and one of length d
        for solver in SOLVERS:
            model = GDClassifier(solver=solver, max_iter=2, tol=None, random_state=0)
            model.fit(X[:1000], y[:1000])  # what is imported and compiled once does not count
            before = peak_rss(reset=True)
            model.fit(X, y)
            resident = None if before is None else peak_rss() - before
            tracemalloc.start()
            model.fit(X, y)
            traced = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            row = [f"{name} {solver}", f"{size / 1e6:.0f} MB", f"{traced / 1e6:.1f} MB"]
            row += [f"{traced / size:.1%}", f"{traced / vectors:.1f}"]
            rows.append([*row, "-" if resident is None else f"{resident / size:.1%}"])
    header = ["extra memory of fit", "X", "extra", "of X", "in vectors", "resident, of X"]
    table("Extra memory (a vector: n + d float64)", header, rows)


def small(args):
    """``fit`` on 150 x 4 rows: skgd's gradient descent, and LogisticRegression."""
    X, species = load_iris(return_X_y=True)
    rows = []
    for name, y in [
        ("iris, 3 classes", species),
        ("iris, 1 against 2", (species == 2).astype(int)),
    ]:
        ours = GDClassifier(solver="gd", alpha=1 / len(y))  # C = 1 / (alpha n) = 1
        peer = LogisticRegression()
        a, b = medians([lambda: ours.fit(X, y), lambda: peer.fit(X, y)], 10 * args.repeats)
        values = [objective(model, X, y, 1 / len(y)) for model in (ours, peer)]
        steps = [str(np.max(model.n_iter_)) for model in (ours, peer)]
        times = [f"{1e3 * t:.2f} ms" for t in (a, b)]
        rows.append([name, *times, f"{b / a:.2f}x", *(f"{v:.6f}" for v in values), *steps])
    header = [
        "fit on 150 x 4",
        "skgd gd",
        "LogisticRegression",
        "ratio",
        "F",
        "F",
        "steps",
        "steps",
    ]
    table("A small fit, the same F", header, rows)


def objective(model, X, y, alpha):
    """F of a fitted classifier, from its coefficients alone."""
    eta = model.decision_function(X)
    if eta.ndim == 1:
        loss = np.logaddexp(0, np.where(y == model.classes_[1], -eta, eta)).mean()
    else:
        picked = eta[np.arange(len(y)), np.searchsorted(model.classes_, y)]
        loss = (np.logaddexp.reduce(eta, axis=1) - picked).mean()
    return loss + alpha / 2 * (model.coef_**2).sum()


TABLES = {
    "sgd": sgd,
    "cache": from_cache,
    "adam": adam,
    "full": full,
    "memory": memory,
    "small": small,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--scale", type=float, default=1.0, help="factor on the numbers of rows")
    parser.add_argument("--repeats", type=int, default=5, help="runs behind each median")
    args = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)  # fixed numbers of passes are meant
    with threadpool_limits(1):
        for name in args.only:
            TABLES[name](args)


if __name__ == "__main__":
    main()
