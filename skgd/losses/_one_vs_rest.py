"""One output per class, each learning its class against all others."""

import numpy as np

from ._base import Loss
from ._classes import class_weights, is_class

__all__ = ["OneVsRest"]


class OneVsRest(Loss):
    r"""A loss of two classes, applied to every class against the rest.

    .. math:: \ell(y, \eta)_j = \ell_2(y_j, \eta_j), \qquad
        y_j = +1 \text{ where } y = j \text{, else } -1

    Here ``y`` of shape (n_rows,) holds class numbers 0, 1, ... and ``eta`` has shape
    (n_rows, n_classes); `value` and `gradient` have the shape of ``eta``.

    Parameters
    ----------
    loss : Loss
        Loss :math:`\ell_2` on targets of +1 and -1.

    Notes
    -----
    Losses other than `LogLoss` become this beyond two classes; it is not named by a
    string.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.losses import Hinge, OneVsRest
    >>> OneVsRest(Hinge()).value(np.array([1.0]), np.zeros((1, 3)) - 2, np)
    array([[0., 3., 0.]])
    """

    codes = True

    def __init__(self, loss):
        self.loss = loss

    def check(self):
        self.loss.check()

    @property
    def name(self):
        return self.loss.name

    @property
    def smooth(self):
        return self.loss.smooth

    @property
    def curvature(self):
        return self.loss.curvature

    @property
    def has_proba(self):
        return self.loss.has_proba

    @property
    def least_at_zero(self):
        return self.loss.least_at_zero

    def _targets(self, y, eta, xp):
        """Return +1 in the column of each row's class and -1 elsewhere."""
        one = xp.ones_like(eta)
        return xp.where(is_class(y, eta, xp), one, -one)

    def value(self, y, eta, xp):
        return self.loss.value(self._targets(y, eta, xp), eta, xp)

    def gradient(self, y, eta, xp):
        return self.loss.gradient(self._targets(y, eta, xp), eta, xp)

    def hessian(self, y, eta, xp):
        """Return the second derivative of `value` in ``eta``, of its shape."""
        return self.loss.hessian(self._targets(y, eta, xp), eta, xp)

    @property
    def has_conjugate(self):
        return self.loss.has_conjugate

    @property
    def has_dual_step(self):
        return self.loss.has_dual_step

    def conjugate(self, y, dual, xp):
        return self.loss.conjugate(self._targets(y, dual, xp), dual, xp)

    def project(self, y, dual, xp):
        return self.loss.project(self._targets(y, dual, xp), dual, xp)

    @property
    def banded(self):
        return self.loss.banded

    @property
    def jumps(self):
        return self.loss.jumps

    @property
    def band(self):
        return self.loss.band

    def smoothed(self, width, reach=1.0):
        made = self.loss.smoothed(width, reach)
        return None if made is None else OneVsRest(made)

    def inverse_link(self, eta, xp):
        return self.loss.inverse_link(eta, xp)

    def proba(self, eta, xp):
        """Return each class's own probability, divided by their sum.

        Parameters
        ----------
        eta : array of shape (n_rows, n_classes)
            Linear predictors.
        xp : namespace
            Array namespace of ``eta``.

        Returns
        -------
        array of shape (n_rows, n_classes)
            Rows add up to 1; where every class has probability 0, all are equal.

        References
        ----------
        .. [1] B. Zadrozny, C. Elkan (2002). "Transforming classifier scores into
           accurate multiclass probability estimates". KDD.
        """
        k = eta.shape[1]
        own = xp.stack([self.loss.proba(eta[:, j], xp)[:, 1] for j in range(k)], axis=1)
        total = xp.sum(own, axis=1)[:, None]
        none = total == 0
        own = xp.where(none, xp.ones_like(own), own)
        return own / xp.where(none, k * xp.ones_like(total), total)

    def multiclass(self):
        return self

    def pointwise(self):
        return self.loss.pointwise()

    def slope_at(self, y, eta):
        return self.loss.slope_at(y, eta)

    def start(self, y, s, xp, n_outputs=None):
        weights = class_weights(y, s, xp, n_outputs)
        total = weights.sum()
        # Two rows stand for all of them; their weights still count rows, so that half
        # a row remains what it is.
        scale = max(total, y.shape[0]) / total
        sides = np.array([1.0, -1.0])
        return np.array(
            [self.loss.start(sides, scale * np.array([w, total - w]), np) for w in weights]
        )
