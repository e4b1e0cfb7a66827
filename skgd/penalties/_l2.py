"""Ridge penalty: half the squared Euclidean norm."""

from ._base import LazyPenalty

__all__ = ["L2"]


class L2(LazyPenalty):
    r"""Shrinks every coefficient in proportion to its size.

    .. math:: R(w) = \tfrac12 \|w\|_2^2

    References
    ----------
    .. [1] A. E. Hoerl, R. W. Kennard (1970). "Ridge regression: biased estimation for
       nonorthogonal problems". Technometrics 12(1).

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.penalties import L2
    >>> L2().value(np.array([3.0, 4.0]), np)
    12.5
    """

    name = "l2"

    def lazy(self):
        return 0.0, 1.0
