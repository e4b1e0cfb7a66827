"""Log-cosh regression loss: quadratic near zero, linear far away, smooth everywhere."""

from .._ranges import check_number
from ._base import RegressionLoss, within, x_log_x

__all__ = ["LogCosh"]

_LOG2 = 0.6931471805599453


class LogCosh(RegressionLoss):
    r"""Smooth robust loss for regression.

    With the residual :math:`r = (\eta - y) / \delta`, one row costs

    .. math:: \ell(y, \eta) = \delta^2 \log\cosh r .

    Parameters
    ----------
    delta : float, default=1.0
        Residual at which the loss turns from quadratic to linear, in the units of
        ``y``. Must be positive.

    Attributes
    ----------
    curvature : float
        Largest second derivative in ``eta``; 1 for every ``delta``.

    Notes
    -----
    ``log(cosh(r))`` overflows near ``r = 710`` in double precision. The code uses
    ``|r| + log1p(exp(-2|r|)) - log(2)``, which cannot; its absolute error stays near
    machine epsilon, so values below 1e-15 are noise. The slope is bounded by ``delta``.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.losses import LogCosh
    >>> LogCosh().value(np.array([0.0, 0.0]), np.array([0.0, 1e4]), np)
    array([   0.        , 9999.30685282])
    """

    name = "log_cosh"
    flat = True
    curvature = 1.0
    _kernel = ("log_cosh", ("delta",))

    def __init__(self, delta=1.0):
        self.delta = delta

    def check(self):
        check_number("delta", self.delta, low=0, closed="neither")

    def value(self, y, eta, xp):
        r = xp.abs(eta - y) / self.delta
        # Near zero cosh(r) - 1 keeps the digits that r - log(2) would cancel.
        near, m = r < 1, xp.expm1(-r)
        one = xp.ones_like(r)
        excess = xp.where(near, 0.5 * m**2 / xp.where(near, 1 + m, one), (1 + m) ** 2)
        return self.delta**2 * (xp.where(near, 0 * one, r - _LOG2) + xp.log1p(excess))

    def gradient(self, y, eta, xp):
        return self.delta * xp.tanh((eta - y) / self.delta)

    def hessian(self, y, eta, xp):
        """Return the second derivative of `value` in ``eta``, of its shape."""
        # 4 e / (1 + e)^2 keeps the tail that 1 - tanh^2 rounds to zero.
        e = xp.exp(-2 * xp.abs(eta - y) / self.delta)
        return 4 * e / (1 + e) ** 2

    def conjugate(self, y, dual, xp):
        t = dual / self.delta
        entropy = x_log_x(1 + t, xp) + x_log_x(1 - t, xp)
        value = dual * y + 0.5 * self.delta**2 * entropy
        return within(dual, *self._dual_range(y, xp), value, xp)

    def _dual_range(self, y, xp):
        return -self.delta, self.delta
