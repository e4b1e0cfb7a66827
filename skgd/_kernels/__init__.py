"""Compiled kernels: arithmetic on rows, nothing else; NumPy twins in `_reference`."""

from ._blocks import column_moments, full_pass, minibatch_block, row_norms
from ._pointwise import Move, Pointwise, get_move, get_pointwise
from ._steps import sgd_block

__all__ = [
    "Move",
    "Pointwise",
    "column_moments",
    "full_pass",
    "get_move",
    "get_pointwise",
    "minibatch_block",
    "row_norms",
    "sgd_block",
]
