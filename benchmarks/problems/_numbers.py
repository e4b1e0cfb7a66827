"""Regression: squares, with l2, l1 and both; Huber; a quantile. Targets have deviation one."""

import numpy as np

from skgd.losses import Quantile

from ._base import Problem, column

__all__ = ["ELASTIC_NET", "HUBER", "LASSO", "QUANTILE", "RIDGE"]

_Q = 0.9


def _scaled(y):
    y = column(y)
    return (y - y.mean()) / y.std()


def _squares(eta, y):
    return 0.5 * (eta - y)[:, 0] ** 2


def _huber(eta, y, epsilon=0.1):
    r = np.abs(eta - y)[:, 0]
    return np.where(r <= epsilon, r**2 / 2, epsilon * (r - epsilon / 2))


def _quantile(eta, y):
    r = (y - eta)[:, 0]
    return np.maximum(_Q * r, (_Q - 1) * r)


def _made(name, of_rows, ratio, alpha, **skgd):
    return Problem(name, "regression", of_rows, _scaled, skgd, ratio, alpha)


RIDGE = _made("ridge", _squares, 0.0, 1e-4, loss="squared_error")
LASSO = _made("lasso", _squares, 1.0, 1e-2, loss="squared_error", penalty="l1")
ELASTIC_NET = _made("elastic_net", _squares, 0.5, 1e-2, loss="squared_error", penalty="elasticnet")
HUBER = _made("huber", _huber, 0.0, 1e-4, loss="huber")

QUANTILE = _made("quantile", _quantile, 1.0, 1e-3, loss=Quantile(_Q), penalty="l1")
