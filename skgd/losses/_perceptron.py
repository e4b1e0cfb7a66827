"""Perceptron loss: only rows on the wrong side cost anything."""

from ._base import MarginLoss, within

__all__ = ["Perceptron"]


class Perceptron(MarginLoss):
    r"""Distance of the margin :math:`z = y\eta` below 0.

    .. math:: \ell(y, \eta) = \max(0, -z)

    Notes
    -----
    The slope is ``-y`` up to ``z = 0`` included and 0 beyond, as in scikit-learn: at
    zero coefficients, where the loss is least, the recurrence still moves.

    References
    ----------
    .. [1] F. Rosenblatt (1958). "The perceptron". Psychological Review 65(6).

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.losses import Perceptron
    >>> Perceptron().gradient(np.ones(3), np.array([-1.0, 0.0, 1.0]), np)
    array([-1., -1.,  0.])
    """

    name = "perceptron"
    smooth = False
    least_at_zero = True
    _kernel = ("perceptron", ())
    _steepest = 1.0

    def value(self, y, eta, xp):
        return xp.clip(-y * eta, 0, None)

    def gradient(self, y, eta, xp):
        z = y * eta
        return xp.where(z <= 0, -y, xp.zeros_like(z))

    def conjugate(self, y, dual, xp):
        return within(y * dual, -1, 0, xp.zeros_like(dual), xp)

    def _start(self, y, s, xp):
        return 0.0
