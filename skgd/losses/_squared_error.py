"""Squared error: least squares, halved as in scikit-learn."""

from ._base import RegressionLoss
from ._start import weighted_mean

__all__ = ["SquaredError"]


class SquaredError(RegressionLoss):
    r"""Half the squared residual; its best constant is the mean.

    .. math:: \ell(y, \eta) = \tfrac12 (\eta - y)^2

    Attributes
    ----------
    curvature : float
        Second derivative in ``eta``: 1 everywhere.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.losses import SquaredError
    >>> SquaredError().value(np.array([1.0, 1.0]), np.array([1.0, 4.0]), np)
    array([0. , 4.5])
    """

    name = "squared_error"
    curvature = 1.0
    _kernel = ("squared_error", ())

    def value(self, y, eta, xp):
        return 0.5 * (eta - y) ** 2

    def gradient(self, y, eta, xp):
        return eta - y

    def hessian(self, y, eta, xp):
        """Return the second derivative of `value` in ``eta``, of its shape."""
        return xp.ones_like(eta)

    def conjugate(self, y, dual, xp):
        return dual * y + 0.5 * dual**2

    def _start(self, y, s, xp):
        return weighted_mean(y, s, xp)
