"""Tweedie regression: from counts to amounts by one power, with a log link."""

import math

import numpy as np

from .._ranges import check_number
from ._base import LogLinkLoss, exp, within
from ._gamma import Gamma
from ._poisson import Poisson

__all__ = ["Tweedie"]


class Tweedie(LogLinkLoss):
    r"""Half the Tweedie deviance, with mean :math:`\mu = e^\eta`.

    .. math:: \ell(y, \eta) = \frac{y^{2-p}}{(1-p)(2-p)} - \frac{y \mu^{1-p}}{1-p}
        + \frac{\mu^{2-p}}{2-p}

    Parameters
    ----------
    power : float, default=1.5
        Power :math:`p` of the mean to which the variance is proportional: 0 (constant
        variance, least squares of ``exp(eta)``), 1 (`Poisson`), between 1 and 2
        (compound Poisson: amounts with exact zeros), 2 (`Gamma`), above 2.

    Attributes
    ----------
    y_domain : tuple
        Any target for power 0, at least 0 below power 2, positive from 2 on.

    Notes
    -----
    Convex in ``eta`` for powers of 1 to 2 only; outside, solvers find a stationary point.

    References
    ----------
    .. [1] B. Jorgensen (1987). "Exponential dispersion models". Journal of the Royal
       Statistical Society B 49(2).

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.losses import Tweedie
    >>> Tweedie(1.5).value(np.array([0.0, 1.0]), np.zeros(2), np)
    array([2., 0.])
    """

    name = "tweedie"
    _kernel = ("tweedie", ("power",))

    def __init__(self, power=1.5):
        self.power = power

    @property
    def y_domain(self):
        if self.power == 0:
            return (-math.inf, math.inf, True)
        return (0.0, math.inf, self.power < 2)

    def check(self):
        check_number("power", self.power)
        if self.power != 0 and self.power < 1:
            raise ValueError(f"power must be 0 or at least 1; got {self.power}.")

    def value(self, y, eta, xp):
        p = self.power
        if p == 1 or p == 2:
            return (Poisson if p == 1 else Gamma)().value(y, eta, xp)
        with np.errstate(over="ignore", invalid="ignore"):
            if p == 0:
                return 0.5 * (exp(eta, xp) - y) ** 2
            top = y ** (2 - p) / ((1 - p) * (2 - p))
            if p > 2:
                # One factor in front: the two powers of mu overflow together, and
                # infinity minus infinity has no value.
                return top + exp((2 - p) * eta, xp) * (1 / (2 - p) - y * exp(-eta, xp) / (1 - p))
            return top + exp((2 - p) * eta, xp) / (2 - p) - self._pull(y, eta, xp) / (1 - p)

    def gradient(self, y, eta, xp):
        p = self.power
        if p == 1 or p == 2:
            return (Poisson if p == 1 else Gamma)().gradient(y, eta, xp)
        with np.errstate(over="ignore", invalid="ignore"):
            if p == 0:
                mu = exp(eta, xp)
                return mu * (mu - y)
            if p > 2:
                return exp((2 - p) * eta, xp) * (1 - y * exp(-eta, xp))
            return exp((2 - p) * eta, xp) - self._pull(y, eta, xp)

    def hessian(self, y, eta, xp):
        """Return the second derivative of `value` in ``eta``, of its shape."""
        p = self.power
        if p == 1 or p == 2:
            return (Poisson if p == 1 else Gamma)().hessian(y, eta, xp)
        with np.errstate(over="ignore", invalid="ignore"):
            if p == 0:
                mu = exp(eta, xp)
                return mu * (2 * mu - y)
            if p > 2:
                return exp((2 - p) * eta, xp) * ((2 - p) - (1 - p) * y * exp(-eta, xp))
            return (2 - p) * exp((2 - p) * eta, xp) - (1 - p) * self._pull(y, eta, xp)

    @property
    def has_conjugate(self):
        return self.power in (1, 1.5, 2)

    def conjugate(self, y, dual, xp):
        p = self.power
        if p == 1 or p == 2:
            return (Poisson if p == 1 else Gamma)().conjugate(y, dual, xp)
        if p != 1.5:
            raise NotImplementedError("The conjugate has a formula for powers 1, 1.5 and 2 only.")
        # With a = sqrt(mu) the slope is a - y / a, which is u at a root of a quadratic;
        # written so that nothing cancels, whatever the sign of u.
        far = 0.5 * (xp.abs(dual) + xp.sqrt(dual**2 + 4 * y))
        none = far == 0  # then so are y and u, and the conjugate is 0
        far = xp.where(none, xp.ones_like(far), far)
        a = xp.where(dual >= 0, far, y / far)
        a = xp.where(a > 0, a, xp.ones_like(a))
        pull = xp.where(dual >= 0, y / far, far)
        value = 2 * dual * xp.log(a) + 4 * xp.sqrt(y) - 2 * pull - 2 * a
        value = xp.where(none, xp.zeros_like(value), value)
        return within(dual, *self._dual_range(y, xp), value, xp)

    def _dual_range(self, y, xp):
        p = self.power
        if p == 1 or p == 2:
            return (Poisson if p == 1 else Gamma)()._dual_range(y, xp)
        zero = xp.zeros_like(y)
        return (xp.where(y > 0, zero - math.inf, zero) if p == 1.5 else -math.inf), math.inf

    def _pull(self, y, eta, xp):
        """Return ``y * mu^(1 - p)``, which is 0 where y is, even if the power overflows."""
        return xp.where(y > 0, y * exp((1 - self.power) * eta, xp), xp.zeros_like(y))
