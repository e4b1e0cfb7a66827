"""Lasso penalty: the sum of absolute values."""

from ._base import LazyPenalty

__all__ = ["L1"]


class L1(LazyPenalty):
    r"""Sets coefficients to exactly zero.

    .. math:: R(w) = \|w\|_1

    Its proximal step moves every coefficient towards zero by the same distance.

    References
    ----------
    .. [1] R. Tibshirani (1996). "Regression shrinkage and selection via the lasso".
       Journal of the Royal Statistical Society B 58(1).

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.penalties import L1
    >>> L1().prox(np.array([3.0, -0.5]), 1.0, np)
    array([2., 0.])
    """

    name = "l1"

    def lazy(self):
        return 1.0, 0.0
