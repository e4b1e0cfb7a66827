"""Data of the races: a folder of sets, scikit-learn's own small ones, and made-up rows."""

import numpy as np
import scipy.sparse as sp
from sklearn import datasets

from .sets import loader, standardised

__all__ = ["find", "names"]

MADE_UP = {
    "made_up_1000000x20": (1_000_000, 20),
    "made_up_300000x100": (300_000, 100),
    "made_up_50000x1000": (50_000, 1_000),
    "made_up_csr_200000x100000": (200_000, 100_000),
}
_TOYS = {
    "breast_cancer": ("load_breast_cancer", "binary"),
    "digits": ("load_digits", "multiclass"),
    "diabetes": ("load_diabetes", "regression"),
    "wine": ("load_wine", "multiclass"),
}


def names(folder=None):
    """Return what ``--data`` takes."""
    own = list(loader(folder).names()) if folder else []
    return [*own, *_TOYS, *MADE_UP]


def find(name, folder, form, scale=1.0):
    """Return X, y and the task of a data set."""
    if name in _TOYS:
        make, task = _TOYS[name]
        X, y = getattr(datasets, make)(return_X_y=True)
    elif name in MADE_UP:
        X, y, task = *_made_up(*MADE_UP[name], "csr" in name, scale), "binary"
    else:
        X, y, info = loader(folder).load(name)
        task = info["task"]
    return (standardised(X) if form == "standardised" else X), y, task


def _made_up(n, d, sparse, scale):
    n, rng = max(1_000, int(n * scale)), np.random.default_rng(0)
    if sparse:
        stored = 74
        columns = np.sort(rng.zipf(1.3, (n, stored)) % d, axis=1).astype(np.int32)
        start = np.arange(0, n * stored + 1, stored, dtype=np.int32)
        X = sp.csr_matrix((rng.random(n * stored), columns.ravel(), start), shape=(n, d))
        X.sum_duplicates()
        eta = X @ (rng.standard_normal(d) * (rng.random(d) < 0.1))
    else:
        X = rng.standard_normal((n, d))
        eta = X @ rng.standard_normal(d) / np.sqrt(d)
    return X, (eta + rng.logistic(size=n) > 0).astype(int)
