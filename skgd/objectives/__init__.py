"""Where rows live: the smooth part of F as sums over rows."""

from ._compressed import compressed
from ._function import FunctionObjective
from ._linear import LinearObjective
from ._make import (
    Pending,
    Scales,
    are_finite,
    are_plain,
    check_sparse,
    is_long,
    linear_predictor,
    make_objective,
    make_scaled,
    reach,
    renumbered,
    stored,
)
from ._scaled import Moments, ScaledObjective, to_user

__all__ = [
    "FunctionObjective",
    "LinearObjective",
    "Moments",
    "Pending",
    "ScaledObjective",
    "Scales",
    "are_finite",
    "are_plain",
    "check_sparse",
    "compressed",
    "is_long",
    "linear_predictor",
    "make_objective",
    "make_scaled",
    "reach",
    "renumbered",
    "stored",
    "to_user",
]
