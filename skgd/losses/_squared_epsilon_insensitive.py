"""Squared epsilon-insensitive loss: support vector regression's, made smooth."""

from .._ranges import check_number
from ._base import RegressionLoss

__all__ = ["SquaredEpsilonInsensitive"]


class SquaredEpsilonInsensitive(RegressionLoss):
    r"""Squared residual beyond a tube in which errors are free.

    .. math:: \ell(y, \eta) = \max(0, |\eta - y| - \epsilon)^2

    Parameters
    ----------
    epsilon : float, default=0.1
        Half the width of the tube, in the units of ``y``. At least 0.

    Attributes
    ----------
    curvature : float
        Largest second derivative in ``eta``: 2, since the square is not halved (as in
        scikit-learn).

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.losses import SquaredEpsilonInsensitive
    >>> SquaredEpsilonInsensitive(epsilon=0.5).value(np.zeros(2), np.array([0.5, 2.0]), np)
    array([0.  , 2.25])
    """

    name = "squared_epsilon_insensitive"
    curvature = 2.0
    jumps = True
    _kernel = ("squared_epsilon_insensitive", ("epsilon",))

    def __init__(self, epsilon=0.1):
        self.epsilon = epsilon

    def check(self):
        check_number("epsilon", self.epsilon, low=0)

    def value(self, y, eta, xp):
        return xp.clip(xp.abs(eta - y) - self.epsilon, 0, None) ** 2

    def gradient(self, y, eta, xp):
        r = eta - y
        return 2 * xp.sign(r) * xp.clip(xp.abs(r) - self.epsilon, 0, None)

    def hessian(self, y, eta, xp):
        """Return the second derivative of `value` in ``eta``, of its shape."""
        two = 2 * xp.ones_like(eta)
        return xp.where(xp.abs(eta - y) > self.epsilon, two, 0 * two)

    def conjugate(self, y, dual, xp):
        return dual * y + self.epsilon * xp.abs(dual) + 0.25 * dual**2
