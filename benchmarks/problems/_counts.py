"""Counts: Poisson regression with a log link."""

import numpy as np
from scipy.special import xlogy

from ._base import Problem, column

__all__ = ["POISSON"]


def _half_deviance(eta, y):
    with np.errstate(over="ignore"):
        return (np.exp(eta) - y * eta + xlogy(y, y) - y)[:, 0]


POISSON = Problem("poisson", "counts", _half_deviance, column, {"loss": "poisson"})
