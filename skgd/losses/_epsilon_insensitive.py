"""Epsilon-insensitive loss: that of support vector regression."""

from .._ranges import check_number
from ._base import RegressionLoss, within
from ._smoothed import SoftTube
from ._start import weighted_quantile

__all__ = ["EpsilonInsensitive"]


class EpsilonInsensitive(RegressionLoss):
    r"""Absolute residual beyond a tube in which errors are free.

    .. math:: \ell(y, \eta) = \max(0, |\eta - y| - \epsilon)

    Parameters
    ----------
    epsilon : float, default=0.1
        Half the width of the tube, in the units of ``y``. At least 0.

    Notes
    -----
    The slope is +1 or -1 strictly outside the tube and 0 in it, edges included.

    References
    ----------
    .. [1] A. J. Smola, B. Schoelkopf (2004). "A tutorial on support vector
       regression". Statistics and Computing 14.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.losses import EpsilonInsensitive
    >>> EpsilonInsensitive(epsilon=0.5).value(np.zeros(2), np.array([0.5, 2.0]), np)
    array([0. , 1.5])
    """

    name = "epsilon_insensitive"
    smooth = False
    _kernel = ("epsilon_insensitive", ("epsilon",))

    def __init__(self, epsilon=0.1):
        self.epsilon = epsilon

    def check(self):
        check_number("epsilon", self.epsilon, low=0)

    def value(self, y, eta, xp):
        return xp.clip(xp.abs(eta - y) - self.epsilon, 0, None)

    def gradient(self, y, eta, xp):
        r = eta - y
        return xp.where(xp.abs(r) > self.epsilon, xp.sign(r), xp.zeros_like(r))

    def conjugate(self, y, dual, xp):
        return within(dual, -1, 1, dual * y + self.epsilon * xp.abs(dual), xp)

    def _dual_range(self, y, xp):
        return -1.0, 1.0

    def _smoothed(self, width, reach):
        return SoftTube(width, self.epsilon)

    def _start(self, y, s, xp):
        # The loss is half of |eta - y - epsilon| + |eta - y + epsilon| less a
        # constant, so a median of both edges of every tube is least.
        edges = xp.stack([y - self.epsilon, y + self.epsilon])
        return weighted_quantile(
            xp.reshape(edges, (-1,)), xp.reshape(xp.stack([s, s]), (-1,)), 0.5, xp
        )
