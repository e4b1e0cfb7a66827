"""Quantile loss, also called pinball loss."""

from .._ranges import check_number
from ._base import RegressionLoss, within
from ._smoothed import SoftQuantile
from ._start import weighted_quantile

__all__ = ["Quantile"]


class Quantile(RegressionLoss):
    r"""Tilted absolute residual; its best constant is a quantile.

    .. math:: \ell(y, \eta) = \begin{cases}
            q \, (y - \eta) & \eta < y \\
            (1 - q) \, (\eta - y) & \eta \ge y
        \end{cases}

    Parameters
    ----------
    quantile : float, default=0.5
        Level :math:`q` that the model estimates, in ``(0, 1)``. The default gives half
        the absolute error: the median.

    Notes
    -----
    The slope is ``-q`` below the target, ``1 - q`` above it and 0 on it.

    References
    ----------
    .. [1] R. Koenker, G. Bassett (1978). "Regression quantiles". Econometrica 46(1).

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.losses import Quantile
    >>> Quantile(0.75).value(np.zeros(2), np.array([-1.0, 1.0]), np)
    array([0.75, 0.25])
    """

    name = "quantile"
    smooth = False
    _kernel = ("quantile", ("quantile",))

    def __init__(self, quantile=0.5):
        self.quantile = quantile

    def check(self):
        check_number("quantile", self.quantile, low=0, high=1, closed="neither")

    def value(self, y, eta, xp):
        r = eta - y
        return xp.where(r < 0, -self.quantile * r, (1 - self.quantile) * r)

    def gradient(self, y, eta, xp):
        sign = xp.sign(eta - y)
        return xp.where(sign < 0, self.quantile * sign, (1 - self.quantile) * sign)

    def conjugate(self, y, dual, xp):
        return within(dual, *self._dual_range(y, xp), dual * y, xp)

    def _dual_range(self, y, xp):
        return -self.quantile, 1 - self.quantile

    def _smoothed(self, width, reach):
        return SoftQuantile(width, self.quantile)

    def _start(self, y, s, xp):
        return weighted_quantile(y, s, self.quantile, xp)
