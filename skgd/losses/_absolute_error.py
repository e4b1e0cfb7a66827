"""Absolute error: least absolute deviations."""

from ._base import RegressionLoss, within
from ._smoothed import SoftTube
from ._start import weighted_quantile

__all__ = ["AbsoluteError"]


class AbsoluteError(RegressionLoss):
    r"""Absolute residual; its best constant is the median.

    .. math:: \ell(y, \eta) = |\eta - y|

    Notes
    -----
    The slope is the sign of the residual, and 0 where the residual is 0. It jumps
    there, so solvers that need a smooth loss refuse this one; `LogCosh` and `Huber`
    are close to it and smooth.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.losses import AbsoluteError
    >>> AbsoluteError().gradient(np.zeros(3), np.array([-2.0, 0.0, 5.0]), np)
    array([-1.,  0.,  1.])
    """

    name = "absolute_error"
    smooth = False
    _kernel = ("absolute_error", ())

    def value(self, y, eta, xp):
        return xp.abs(eta - y)

    def gradient(self, y, eta, xp):
        return xp.sign(eta - y)

    def conjugate(self, y, dual, xp):
        return within(dual, -1, 1, dual * y, xp)

    def _dual_range(self, y, xp):
        return -1.0, 1.0

    def _smoothed(self, width, reach):
        return SoftTube(width, 0.0)

    def _start(self, y, s, xp):
        return weighted_quantile(y, s, 0.5, xp)
