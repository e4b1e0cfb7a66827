"""Linear support vector machines."""

import numpy as np

from ._base import Problem, signs

__all__ = ["HINGE", "SQUARED_HINGE"]


def _hinge(eta, sign):
    return np.maximum(0.0, 1.0 - sign * eta)[:, 0]


def _squared_hinge(eta, sign):
    return _hinge(eta, sign) ** 2


HINGE = Problem("hinge", "binary", _hinge, signs, {"loss": "hinge"})
SQUARED_HINGE = Problem("squared_hinge", "binary", _squared_hinge, signs, {"loss": "squared_hinge"})
