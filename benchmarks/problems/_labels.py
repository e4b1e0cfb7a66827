"""Logistic regression and softmax."""

import numpy as np

from ._base import Problem, signs

__all__ = ["L1_LOGISTIC", "LOGISTIC", "SOFTMAX"]


def _log_loss(eta, sign):
    return np.logaddexp(0.0, -sign * eta)[:, 0]


def _softmax(eta, codes):
    if eta.shape[1] == 1:  # a library that keeps one of two
        eta = np.hstack([-eta / 2, eta / 2])
    return np.logaddexp.reduce(eta, axis=1) - eta[np.arange(len(eta)), codes]


def _codes(y):
    return np.unique(y, return_inverse=True)[1]


LOGISTIC = Problem("logistic", "binary", _log_loss, signs, {"loss": "log_loss"})
SOFTMAX = Problem("softmax", "multiclass", _softmax, _codes, {"loss": "log_loss"})
L1_LOGISTIC = Problem(
    "l1_logistic", "binary", _log_loss, signs, {"loss": "log_loss", "penalty": "l1"}, 1.0, 1e-3
)
