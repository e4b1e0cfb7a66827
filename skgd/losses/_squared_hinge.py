"""Squared hinge loss: the support vector machine's, made smooth."""

import math

from ._base import MarginLoss, within
from ._smoothed import SmoothSquaredHinge

__all__ = ["SquaredHinge"]


class SquaredHinge(MarginLoss):
    r"""Squared distance of the margin :math:`z = y\eta` below 1.

    .. math:: \ell(y, \eta) = \max(0, 1 - z)^2

    Attributes
    ----------
    curvature : float
        Largest second derivative in ``eta``: 2, since the square is not halved.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.losses import SquaredHinge
    >>> SquaredHinge().value(np.ones(2), np.array([-1.0, 2.0]), np)
    array([4., 0.])
    """

    name = "squared_hinge"
    curvature = 2.0
    jumps = True
    _kernel = ("squared_hinge", ())

    def value(self, y, eta, xp):
        return xp.clip(1 - y * eta, 0, None) ** 2

    def gradient(self, y, eta, xp):
        return -2 * y * xp.clip(1 - y * eta, 0, None)

    def hessian(self, y, eta, xp):
        """Return the second derivative of `value` in ``eta``, of its shape."""
        two = 2 * xp.ones_like(eta)
        return xp.where(y * eta < 1, two, 0 * two)

    def conjugate(self, y, dual, xp):
        z = y * dual
        return within(z, -math.inf, 0, z + 0.25 * z**2, xp)

    def _smoothed(self, width, reach):
        return SmoothSquaredHinge(width)  # no band: every row has its curvature

    def _start(self, y, s, xp):
        # Both classes lie on their parabolas between -1 and 1, where the minimum is.
        return 2 * self._share(y > 0, s, xp) - 1
