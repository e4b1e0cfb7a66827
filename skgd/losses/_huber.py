"""Huber loss: quadratic near zero, linear far away."""

from .._ranges import check_number
from ._base import RegressionLoss, within
from ._smoothed import SmoothHuber

__all__ = ["Huber"]


class Huber(RegressionLoss):
    r"""Robust loss for regression, less moved by outliers than least squares.

    With the residual :math:`r = \eta - y`, one row costs

    .. math::

        \ell(y, \eta) = \begin{cases}
            \tfrac12 r^2 & |r| \le \epsilon \\
            \epsilon |r| - \tfrac12 \epsilon^2 & |r| > \epsilon
        \end{cases}

    Parameters
    ----------
    epsilon : float, default=0.1
        Residual at which the loss turns from quadratic to linear, in the units of
        ``y``. Must be positive.

    Attributes
    ----------
    curvature : float
        Largest second derivative in ``eta``; 1 for every ``epsilon``.

    References
    ----------
    .. [1] P. J. Huber (1964). "Robust estimation of a location parameter". Annals of
       Mathematical Statistics 35(1).

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.losses import Huber
    >>> Huber(epsilon=1.0).value(np.zeros(2), np.array([1.0, 3.0]), np)
    array([0.5, 2.5])
    """

    name = "huber"
    curvature = 1.0
    flat = True
    jumps = True
    _kernel = ("huber", ("epsilon",))

    def __init__(self, epsilon=0.1):
        self.epsilon = epsilon

    @property
    def band(self):
        return self.epsilon

    def check(self):
        check_number("epsilon", self.epsilon, low=0, closed="neither")

    def value(self, y, eta, xp):
        r = xp.abs(eta - y)
        # Beyond epsilon the clipped square is constant and the rest grows linearly.
        near = xp.clip(r, None, self.epsilon)
        return 0.5 * near**2 + self.epsilon * (r - near)

    def gradient(self, y, eta, xp):
        return xp.clip(eta - y, -self.epsilon, self.epsilon)

    def hessian(self, y, eta, xp):
        """Return the second derivative of `value` in ``eta``, of its shape."""
        one = xp.ones_like(eta)
        return xp.where(xp.abs(eta - y) <= self.epsilon, one, 0 * one)

    def conjugate(self, y, dual, xp):
        return within(dual, *self._dual_range(y, xp), dual * y + 0.5 * dual**2, xp)

    def _dual_range(self, y, xp):
        return -self.epsilon, self.epsilon

    def _smoothed(self, width, reach):
        return SmoothHuber(max(width, self.epsilon), self.epsilon, reach)
