"""Logistic loss: the negative log-likelihood of logistic regression."""

import math

from ._base import MarginLoss, within, x_log_x
from ._softmax import Softmax
from ._start import half_count

__all__ = ["LogLoss"]


def _sigmoid(z, xp):
    """Return ``1 / (1 + exp(-z))`` without overflow at either end."""
    e = xp.exp(-xp.abs(z))
    return xp.where(z >= 0, xp.ones_like(e), e) / (1 + e)


class LogLoss(MarginLoss):
    r"""Logistic loss on targets of +1 and -1; softmax beyond two classes.

    .. math:: \ell(y, \eta) = \log(1 + e^{-y \eta})

    Attributes
    ----------
    curvature : float
        Largest second derivative in ``eta``: 1/4.

    Notes
    -----
    Neither the value nor the slope overflows, however large ``eta`` is. Beyond two
    classes one `Softmax` model takes its place.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.losses import LogLoss
    >>> LogLoss().value(np.array([1.0, -1.0]), np.array([1000.0, 1000.0]), np)
    array([   0., 1000.])
    """

    name = "log_loss"
    curvature = 0.25
    has_proba = True
    _kernel = ("log_loss", ())
    _steepest = 1.0

    def value(self, y, eta, xp):
        z = y * eta
        return xp.clip(-z, 0, None) + xp.log1p(xp.exp(-xp.abs(z)))

    def gradient(self, y, eta, xp):
        return -y * _sigmoid(-y * eta, xp)

    def hessian(self, y, eta, xp):
        """Return the second derivative of `value` in ``eta``, of its shape."""
        e = xp.exp(-xp.abs(y * eta))
        return e / (1 + e) ** 2

    def conjugate(self, y, dual, xp):
        p = -y * dual
        return within(p, 0, 1, x_log_x(p, xp) + x_log_x(1 - p, xp), xp)

    def inverse_link(self, eta, xp):
        return _sigmoid(eta, xp)

    def proba(self, eta, xp):
        """Return the probabilities of both classes.

        Parameters
        ----------
        eta : array of shape (n_rows,)
            Linear predictor.
        xp : namespace
            Array namespace of ``eta``.

        Returns
        -------
        array of shape (n_rows, 2)
            Those of -1 and of +1; each is accurate where it is tiny.
        """
        return xp.stack([_sigmoid(-eta, xp), _sigmoid(eta, xp)], axis=1)

    def multiclass(self):
        return Softmax()

    def _start(self, y, s, xp):
        # Each class by itself: beside the other its share may vanish in one.
        up, down = self._share(y > 0, s, xp), self._share(y < 0, s, xp)
        if not (up > 0.0 and down > 0.0):
            half = half_count(s, xp)
            up, down = max(up - half, half), max(down - half, half)
        return math.log(up) - math.log(down)
