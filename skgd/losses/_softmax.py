"""Softmax loss: logistic regression beyond two classes, as one model."""

import numpy as np

from ._base import Loss, within, x_log_x
from ._classes import class_weights, is_class
from ._start import half_count

__all__ = ["Softmax"]


class Softmax(Loss):
    r"""Negative log-likelihood of the multinomial model, one output per class.

    .. math:: \ell(y, \eta) = \log \sum_j e^{\eta_j} - \eta_y

    Here ``y`` of shape (n_rows,) holds class numbers 0, 1, ... and ``eta`` has shape
    (n_rows, n_classes). `value` has shape (n_rows,), `gradient` that of ``eta``.

    Attributes
    ----------
    curvature : float
        Largest eigenvalue of the second derivative in ``eta``: 1/2.

    Notes
    -----
    `LogLoss` becomes this loss beyond two classes; it is not named by a string.
    ``hessian`` gives the diagonal of the second derivative only.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.losses import Softmax
    >>> Softmax().gradient(np.array([2.0]), np.array([[0.0, 0.0, 1000.0]]), np)
    array([[0., 0., 0.]])
    """

    name = "softmax"
    curvature = 0.5
    has_proba = True
    joint = True
    _kernel = ("softmax", ())

    def value(self, y, eta, xp):
        # The class's own output is subtracted first: what remains is exact where the
        # row is fitted well and large numbers would cancel.
        own = xp.sum(xp.where(is_class(y, eta, xp), eta, xp.zeros_like(eta)), axis=1)
        top = xp.max(eta, axis=1)
        total = xp.sum(xp.exp(eta - top[:, None]), axis=1)
        return (top - own) + xp.log(total)

    def gradient(self, y, eta, xp):
        p = self.proba(eta, xp)
        return xp.where(is_class(y, eta, xp), p - 1, p)

    def hessian(self, y, eta, xp):
        """Return the second derivative of `value` in ``eta``, of its shape."""
        p = self.proba(eta, xp)
        return p * (1 - p)

    def conjugate(self, y, dual, xp):
        # Slopes are probabilities, less one in the column of the row's class. That they
        # add up to one is known to rounding only.
        p = xp.where(is_class(y, dual, xp), dual + 1, dual)
        off = xp.abs(xp.sum(p, axis=1) - 1)
        off = xp.where(xp.min(p, axis=1) < 0, off + 1, off)
        return within(off, 0, 1e-9, xp.sum(x_log_x(p, xp), axis=1), xp)

    def inverse_link(self, eta, xp):
        return self.proba(eta, xp)

    def proba(self, eta, xp):
        """Return the probability of each class.

        Parameters
        ----------
        eta : array of shape (n_rows, n_classes)
            Linear predictors.
        xp : namespace
            Array namespace of ``eta``.

        Returns
        -------
        array of shape (n_rows, n_classes)
            Rows add up to 1.
        """
        e = xp.exp(eta - xp.max(eta, axis=1)[:, None])
        return e / xp.sum(e, axis=1)[:, None]

    def multiclass(self):
        return self

    def slope_at(self, y, eta):
        # The slope for two classes, of which only the first has a predictor.
        return -float(y) / (1.0 + float(np.exp(np.clip(y * eta, -700, 700))))

    def start(self, y, s, xp, n_outputs=None):
        weights = class_weights(y, s, xp, n_outputs)
        share = weights / weights.sum()
        share = np.where(share > 0.0, share, half_count(s, xp))
        # Only differences count; centred, the intercepts are the smallest such ones.
        return np.log(share) - np.log(share).mean()
