"""Test functions to descend on, with gradients, Hessians, and what is known of them."""

from ._base import Landscape
from ._functions import (
    Beale,
    DoubleWell,
    Himmelblau,
    MonkeySaddle,
    Quadratic,
    Rastrigin,
    Rosenbrock,
    Saddle,
)
from ._points import check_gradient, classify_point

__all__ = [
    "Beale",
    "DoubleWell",
    "Himmelblau",
    "Landscape",
    "MonkeySaddle",
    "Quadratic",
    "Rastrigin",
    "Rosenbrock",
    "Saddle",
    "check_gradient",
    "classify_point",
]
