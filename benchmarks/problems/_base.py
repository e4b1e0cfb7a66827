"""A problem: its F in plain NumPy, which shares no code with skgd, and skgd's estimator for it."""

from typing import NamedTuple

import numpy as np

from skgd import GDClassifier, GDRegressor

__all__ = ["Problem"]


class Problem(NamedTuple):
    """Mean loss plus alpha times a penalty; intercepts are free.

    Attributes
    ----------
    name : str
        For ``--only``.
    task : str
        ``"binary"``, ``"multiclass"``, ``"regression"`` or ``"counts"``: which data suit it.
    loss : callable
        From ``eta`` of shape (n, k) and coded targets to one number a row.
    code : callable
        From targets as they are to what ``loss`` takes.
    skgd : dict
        Loss and penalty of the estimator.
    l1_ratio : float
        Share of the l1 norm in the penalty.
    alpha : float
        Strength where the user gives none.
    """

    name: str
    task: str
    loss: object
    code: object
    skgd: dict
    l1_ratio: float = 0.0
    alpha: float = 1e-4

    def value(self, X, coded, alpha, coef, intercept):
        """Return F of a model."""
        W = np.atleast_2d(np.asarray(coef, dtype=float))
        eta = X @ W.T + np.ravel(intercept)
        norms = self.l1_ratio * np.abs(W).sum() + (1 - self.l1_ratio) / 2 * np.sum(W**2)
        return float(np.mean(self.loss(eta, coded)) + alpha * norms)

    def ours(self, solver, alpha, tol, max_iter):
        """Return skgd's estimator."""
        kind = GDClassifier if self.task in ("binary", "multiclass") else GDRegressor
        options = {"alpha": alpha, "solver": solver, "tol": tol, "max_iter": max_iter}
        return kind(**self.skgd, l1_ratio=self.l1_ratio, random_state=0, **options)

    def fits(self, y, task):
        """Whether targets of a data set suit the problem."""
        if self.task == "counts":
            whole = y.dtype.kind in "iuf" and np.all((y >= 0) & (y == np.rint(y)))
            return task == "regression" and bool(whole)
        return task == self.task


def signs(y):
    """Return +1 for the larger of two labels, -1 for the other, as a column."""
    return np.where(y == np.max(y), 1.0, -1.0)[:, None]


def column(y):
    """Return numbers as a column."""
    return np.asarray(y, dtype=float)[:, None]
