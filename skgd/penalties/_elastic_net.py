"""Elastic net penalty: a mixture of lasso and ridge."""

from .._ranges import check_number
from ._base import LazyPenalty

__all__ = ["ElasticNet"]


class ElasticNet(LazyPenalty):
    r"""Sets coefficients to zero, and keeps groups of correlated ones together.

    .. math:: R(w) = \rho \|w\|_1 + \frac{1 - \rho}{2} \|w\|_2^2

    Parameters
    ----------
    l1_ratio : float, default=0.15
        Share :math:`\rho` of the l1 part, in ``[0, 1]``: 0 is `L2`, 1 is `L1`.

    References
    ----------
    .. [1] H. Zou, T. Hastie (2005). "Regularization and variable selection via the
       elastic net". Journal of the Royal Statistical Society B 67(2).

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.penalties import ElasticNet
    >>> ElasticNet(l1_ratio=0.5).value(np.array([3.0, -4.0]), np)
    9.75
    """

    name = "elasticnet"

    def __init__(self, l1_ratio=0.15):
        self.l1_ratio = l1_ratio

    def check(self):
        check_number("l1_ratio", self.l1_ratio, low=0, high=1)

    def lazy(self):
        return float(self.l1_ratio), 1.0 - float(self.l1_ratio)
