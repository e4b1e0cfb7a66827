"""Compiled kernels: arithmetic on rows, nothing else; NumPy twins in `_reference`."""

try:
    from ._across import adjoint_across, linear_across, table_width
    from ._blocks import column_moments, full_pass, minibatch_block, row_norms
    from ._checks import is_csr, is_finite
    from ._dual import awake, sdca_block, sdca_joint_block
    from ._ftrl import ftrl_block
    from ._gram import gram_block
    from ._hedge import hedge_block
    from ._late import (
        decay_all,
        distinct,
        outgrown,
        products,
        put_columns,
        set_scales,
        take_columns,
    )
    from ._maps import adjoint_map, linear_map, losses_along, losses_at
    from ._order import swap_down
    from ._pointwise import Move, Pointwise, get_move, get_pointwise
    from ._quadratic import column_sums, descend_columns, descend_quadratic
    from ._steps import sgd_block
    from ._variance import sag_block
except ModuleNotFoundError as error:
    if error.name is None or not error.name.startswith(__name__):
        raise
    raise ImportError(
        "The kernels of skgd are not compiled in this folder. Python takes the sources here for "
        "the installed package: run it from another folder, or install with pip install -e ."
    ) from error

__all__ = [
    "Move",
    "Pointwise",
    "adjoint_across",
    "adjoint_map",
    "awake",
    "column_moments",
    "column_sums",
    "decay_all",
    "descend_columns",
    "descend_quadratic",
    "distinct",
    "ftrl_block",
    "full_pass",
    "get_move",
    "get_pointwise",
    "gram_block",
    "hedge_block",
    "is_csr",
    "is_finite",
    "linear_across",
    "linear_map",
    "losses_along",
    "losses_at",
    "minibatch_block",
    "outgrown",
    "products",
    "put_columns",
    "row_norms",
    "sag_block",
    "sdca_block",
    "sdca_joint_block",
    "set_scales",
    "sgd_block",
    "swap_down",
    "table_width",
    "take_columns",
]
