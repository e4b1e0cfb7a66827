"""Poisson regression: counts and rates, with a log link."""

import math

from ._base import LogLinkLoss, exp, within, x_log_x

__all__ = ["Poisson"]


class Poisson(LogLinkLoss):
    r"""Half the Poisson deviance, with mean :math:`\mu = e^\eta`.

    .. math:: \ell(y, \eta) = y \log\frac{y}{\mu} - y + \mu ,
        \qquad 0 \log 0 = 0

    Notes
    -----
    Targets are at least 0 and need not be whole. The curvature, :math:`\mu`, has no
    bound, so solvers take steps by line search where they can.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.losses import Poisson
    >>> Poisson().value(np.array([0.0, 1.0]), np.zeros(2), np)
    array([1., 0.])
    """

    name = "poisson"
    y_domain = (0.0, math.inf, True)
    _kernel = ("poisson", ())

    def value(self, y, eta, xp):
        # log(y / mu) = log(y) - eta, which neither overflows nor divides.
        log_y = xp.log(xp.where(y > 0, y, xp.ones_like(y)))
        return y * (log_y - eta) - y + exp(eta, xp)

    def gradient(self, y, eta, xp):
        return exp(eta, xp) - y

    def hessian(self, y, eta, xp):
        """Return the second derivative of `value` in ``eta``, of its shape."""
        return exp(eta, xp)

    def conjugate(self, y, dual, xp):
        mu = dual + y
        return within(mu, 0, math.inf, x_log_x(mu, xp) - x_log_x(y, xp) - dual, xp)

    def _dual_range(self, y, xp):
        return -y, math.inf
