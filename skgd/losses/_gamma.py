"""Gamma regression: positive amounts with constant relative spread, with a log link."""

import math

from ._base import LogLinkLoss, exp, within, x_log_x

__all__ = ["Gamma"]


class Gamma(LogLinkLoss):
    r"""Half the gamma deviance, with mean :math:`\mu = e^\eta`.

    .. math:: \ell(y, \eta) = \log\frac{\mu}{y} + \frac{y}{\mu} - 1

    Notes
    -----
    Targets are positive. The curvature, :math:`y / \mu`, has no bound.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.losses import Gamma
    >>> Gamma().gradient(np.array([1.0, 4.0]), np.zeros(2), np)
    array([ 0., -3.])
    """

    name = "gamma"
    y_domain = (0.0, math.inf, False)
    _kernel = ("gamma", ())

    def value(self, y, eta, xp):
        return eta - xp.log(y) + y * exp(-eta, xp) - 1

    def gradient(self, y, eta, xp):
        return 1 - y * exp(-eta, xp)

    def hessian(self, y, eta, xp):
        """Return the second derivative of `value` in ``eta``, of its shape."""
        return y * exp(-eta, xp)

    def conjugate(self, y, dual, xp):
        ratio = 1 - dual  # of y to mu
        return within(dual, -math.inf, 1, x_log_x(ratio, xp) + dual * (1 + xp.log(y)), xp)

    def _dual_range(self, y, xp):
        return -math.inf, 1.0
