"""Data of the races: a folder of sets, scikit-learn's own small ones, and made-up rows."""

from sklearn import datasets

from .sets import loader, standardised
from .speed import dense_rows, sparse_rows

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
    n = max(1_000, int(n * scale))
    X, y = sparse_rows(n, d, 74) if sparse else dense_rows(n, d)
    return X, (y > 0).astype(int)
