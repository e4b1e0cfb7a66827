"""Hinge loss: that of the linear support vector machine."""

from ._base import MarginLoss, within
from ._smoothed import SoftHinge

__all__ = ["Hinge"]


class Hinge(MarginLoss):
    r"""Distance of the margin :math:`z = y\eta` below 1.

    .. math:: \ell(y, \eta) = \max(0, 1 - z)

    Notes
    -----
    The slope is ``-y`` up to ``z = 1`` included and 0 beyond, as in scikit-learn.

    References
    ----------
    .. [1] C. Cortes, V. Vapnik (1995). "Support-vector networks". Machine Learning 20.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.losses import Hinge
    >>> Hinge().gradient(np.ones(3), np.array([0.0, 1.0, 2.0]), np)
    array([-1., -1.,  0.])
    """

    name = "hinge"
    smooth = False
    _kernel = ("hinge", ())
    _steepest = 1.0

    def value(self, y, eta, xp):
        return xp.clip(1 - y * eta, 0, None)

    def gradient(self, y, eta, xp):
        z = y * eta
        return xp.where(z <= 1, -y, xp.zeros_like(z))

    def conjugate(self, y, dual, xp):
        return within(y * dual, -1, 0, y * dual, xp)

    def _smoothed(self, width, reach):
        return SoftHinge(width)

    def _start(self, y, s, xp):
        # Between the kinks at -1 and 1 the slope is constant: the heavier class wins.
        share = self._share(y > 0, s, xp)
        return float(share > 0.5) - float(share < 0.5)
