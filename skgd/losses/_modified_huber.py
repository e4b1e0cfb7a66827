"""Modified Huber loss: a smooth margin loss that outliers move little."""

from ._base import MarginLoss, within

__all__ = ["ModifiedHuber"]


class ModifiedHuber(MarginLoss):
    r"""Squared hinge loss that turns linear on the far wrong side.

    With the margin :math:`z = y\eta`, one row costs

    .. math:: \ell(y, \eta) = \begin{cases}
            0 & z \ge 1 \\ (1 - z)^2 & -1 \le z < 1 \\ -4z & z < -1
        \end{cases}

    Attributes
    ----------
    curvature : float
        Largest second derivative in ``eta``: 2.

    Notes
    -----
    The minimiser of the expected loss is ``2 P(y = 1) - 1``, so that
    ``(clip(eta, -1, 1) + 1) / 2`` estimates the probability [1]_.

    References
    ----------
    .. [1] T. Zhang (2004). "Solving large scale linear prediction problems using
       stochastic gradient descent algorithms". ICML.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.losses import ModifiedHuber
    >>> ModifiedHuber().value(np.ones(3), np.array([-2.0, 0.0, 2.0]), np)
    array([8., 1., 0.])
    """

    name = "modified_huber"
    curvature = 2.0
    jumps = True
    has_proba = True
    _kernel = ("modified_huber", ())
    _steepest = 4.0

    def value(self, y, eta, xp):
        z = y * eta
        # Beyond -1 the clipped square is constant, 4, and the rest is linear.
        return xp.clip(1 - z, 0, 2) ** 2 + 4 * xp.clip(-1 - z, 0, None)

    def gradient(self, y, eta, xp):
        return -2 * y * xp.clip(1 - y * eta, 0, 2)

    def hessian(self, y, eta, xp):
        """Return the second derivative of `value` in ``eta``, of its shape."""
        two = 2 * xp.ones_like(eta)
        return xp.where((y * eta < 1) & (y * eta >= -1), two, 0 * two)

    def conjugate(self, y, dual, xp):
        z = y * dual
        return within(z, -4, 0, z + 0.25 * z**2, xp)

    def proba(self, eta, xp):
        """Return the estimated probabilities of both classes.

        Parameters
        ----------
        eta : array of shape (n_rows,)
            Linear predictor.
        xp : namespace
            Array namespace of ``eta``.

        Returns
        -------
        array of shape (n_rows, 2)
            Those of -1 and of +1. Exact zeros and ones occur.
        """
        p = (xp.clip(eta, -1, 1) + 1) / 2
        return xp.stack([1 - p, p], axis=1)

    def _start(self, y, s, xp):
        # Both classes lie on their parabolas between -1 and 1, where the minimum is.
        return 2 * self._share(y > 0, s, xp) - 1
