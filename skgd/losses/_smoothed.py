"""Smooth losses near those with a kink, and smoother ones near those whose slope has one."""

from ._base import MarginLoss, RegressionLoss, within

__all__ = ["SmoothHuber", "SmoothSquaredHinge", "SoftHinge", "SoftQuantile", "SoftTube"]

# Of the largest curvature, below which a row shows none: where only such rows have a column,
# steps along it would be too long.
_SEEN = 1e-5
_FAR = 1e-3  # curvatures up to this, of a quarter at most, are those of rows far from every kink
_FARTHEST = 57.0  # widths from a kink, beyond which slopes are as there: 1e-25 from the loss's own


def _far_less(t, xp):
    return xp.exp(-xp.clip(xp.abs(t), None, _FARTHEST))


def _softplus(t, xp):
    return xp.clip(t, 0, None) + xp.log1p(_far_less(t, xp))


def _sigmoid(t, xp):
    u = _far_less(t, xp)
    return xp.where(t > 0, xp.ones_like(u), u) / (1 + u)


class _Soft:
    r"""Mixin: a loss whose kinks are rounded by softplus functions.

    .. math::

        \ell_\delta(y, \eta) = \max_u \; u \eta - \ell^*(y, u) + \delta H(u), \qquad
        \max(0, t) \to \delta \log(1 + e^{t / \delta})

    with :math:`H` the entropy of a slope between the two beside a kink. It lies above
    :math:`\ell`, by at most :math:`\delta \log 2` at a kink that the slope rises by one at. Its
    slopes are slopes of :math:`\ell` or lie between two of them, and all its derivatives are
    smooth: few steps of Newton lead from one width to the next, since no row comes or goes.

    References
    ----------
    .. [1] C. Chen, O. L. Mangasarian (1996). "A class of smoothing functions for nonlinear and
       mixed complementarity problems". Computational Optimization and Applications 5.
    """

    below = False
    banded = True  # curvatures count where the kinks are, and nowhere else

    def _bend(self, t, xp, other=None):
        """Return the second derivative of the softplus at ``t`` widths, 0 where it is small."""
        u = _far_less(t, xp)
        h = u / (1 + u) ** 2
        if other is not None:
            u = _far_less(other, xp)
            h = h + u / (1 + u) ** 2
        most = float(xp.max(h)) if len(h) else 0.25
        # Where all are far from a kink, those that are nearest lead there.
        least = _SEEN * (0.25 if most > _FAR else most)
        return xp.where(h >= least, h / self.width, xp.zeros_like(h))

    def _turn(self, t, xp):
        """Return the derivative of the sigmoid at ``t`` widths in the width."""
        return -xp.clip(t, -_FARTHEST, _FARTHEST) * self._bend(t, xp)

    def turn(self, y, eta, xp):
        """Return the derivative of `gradient` in the width.

        Parameters
        ----------
        y, eta : array of shape (n_rows,)
            Targets and linear predictors.
        xp : namespace
            Array namespace of both.

        Returns
        -------
        array of shape (n_rows,)
            0 where `hessian` is.
        """
        raise NotImplementedError


class SoftHinge(_Soft, MarginLoss):
    r"""`Hinge` with a softplus in place of the kink.

    .. math:: \ell_\delta(y, \eta) = \delta \log(1 + e^{(1 - y \eta) / \delta})

    Parameters
    ----------
    width : float
        :math:`\delta`, positive.
    """

    name = "soft_hinge"
    _kernel = ("soft_hinge", ("width",))
    _steepest = 1.0

    def __init__(self, width):
        self.width = width

    @property
    def curvature(self):
        return 0.25 / self.width

    def _below(self, y, eta):
        return (1 - y * eta) / self.width

    def value(self, y, eta, xp):
        return self.width * _softplus(self._below(y, eta), xp)

    def gradient(self, y, eta, xp):
        return -y * _sigmoid(self._below(y, eta), xp)

    def hessian(self, y, eta, xp):
        return self._bend(self._below(y, eta), xp)

    def turn(self, y, eta, xp):
        return -y * self._turn(self._below(y, eta), xp)


class SmoothSquaredHinge(MarginLoss):
    r"""`SquaredHinge` of a softplus, so that curvatures do not come and go.

    .. math::

        \ell_\delta(y, \eta) = \left(\delta \log(1 + e^{m / \delta})\right)^2, \qquad
        m = 1 - y \eta

    It lies above `SquaredHinge`, by at most :math:`3 \delta^2 / 4`. All its derivatives are smooth:
    Newton steps with a curvature that jumps are short, because rows cross the jump.

    Parameters
    ----------
    width : float
        :math:`\delta`, positive.
    """

    name = "smooth_squared_hinge"
    curvature = 2.1  # 2 but for a bump beside the margin 1
    below = banded = False
    _kernel = ("smooth_squared_hinge", ("width",))

    def __init__(self, width):
        self.width = width

    def _parts(self, y, eta, xp):
        """Return the softplus and its slope."""
        t = (1 - y * eta) / self.width
        return self.width * _softplus(t, xp), _sigmoid(t, xp)

    def value(self, y, eta, xp):
        return self._parts(y, eta, xp)[0] ** 2

    def gradient(self, y, eta, xp):
        soft, share = self._parts(y, eta, xp)
        return -2 * y * soft * share

    def hessian(self, y, eta, xp):
        soft, share = self._parts(y, eta, xp)
        return 2 * share * (share + soft / self.width * (1 - share))


class SmoothHuber(RegressionLoss):
    r"""`Huber` with a wider band, below which it lies.

    .. math::

        \ell_w(y, \eta) = \max_{|u| \le \epsilon} \; u (\eta - y) - \frac{w}{2 \epsilon} u^2

    Parameters
    ----------
    width : float
        :math:`w`, the residual at which the band ends, at least ``epsilon``; at that it is `Huber`.
    epsilon : float
        As of `Huber`: the steepest slope.
    reach : float, default=1.0
        At least 1: how far from its middle a band has a curvature in `hessian`, in halves.

    References
    ----------
    .. [1] Y. Nesterov (2005). "Smooth minimization of non-smooth functions". Mathematical
       Programming 103.
    """

    name = "smooth_huber"
    # Curvature is in the band, and nowhere else; on its edges as in it, since a start often
    # lies there.
    banded = True
    _kernel = ("smooth_huber", ("width", "epsilon"))

    def __init__(self, width, epsilon, reach=1.0):
        self.width = width
        self.epsilon = epsilon
        self.reach = reach

    @property
    def curvature(self):
        return self.epsilon / self.width

    def _dual_range(self, y, xp):
        return -self.epsilon, self.epsilon

    def value(self, y, eta, xp):
        u = self.gradient(y, eta, xp)
        return u * ((eta - y) - 0.5 / self.curvature * u)

    def gradient(self, y, eta, xp):
        return xp.clip((eta - y) * self.curvature, -self.epsilon, self.epsilon)

    def hessian(self, y, eta, xp):
        inside = xp.abs(eta - y) <= self.width * self.reach * (1 + 1e-12)
        return xp.where(inside, xp.ones_like(eta), xp.zeros_like(eta)) * self.curvature

    def conjugate(self, y, dual, xp):
        least = dual * y + 0.5 / self.curvature * dual**2
        return within(dual, -self.epsilon, self.epsilon, least, xp)


class SoftQuantile(_Soft, RegressionLoss):
    r"""`Quantile` with a softplus in place of the kink.

    .. math:: \ell_\delta(y, \eta) = \delta \log(1 + e^{(\eta - y) / \delta}) - q (\eta - y)

    Parameters
    ----------
    width : float
        :math:`\delta`, positive.
    quantile : float
        :math:`q`, as of `Quantile`.
    """

    name = "soft_quantile"
    _kernel = ("soft_quantile", ("width", "quantile"))

    def __init__(self, width, quantile):
        self.width = width
        self.quantile = quantile

    @property
    def curvature(self):
        return 0.25 / self.width

    def value(self, y, eta, xp):
        r = eta - y
        return self.width * _softplus(r / self.width, xp) - self.quantile * r

    def gradient(self, y, eta, xp):
        return _sigmoid((eta - y) / self.width, xp) - self.quantile

    def hessian(self, y, eta, xp):
        return self._bend((eta - y) / self.width, xp)

    def turn(self, y, eta, xp):
        return self._turn((eta - y) / self.width, xp)


class SoftTube(_Soft, RegressionLoss):
    r"""`EpsilonInsensitive`, or `AbsoluteError` where ``epsilon`` is 0, with softplus functions.

    .. math::

        \ell_\delta(y, \eta) = \delta \log(1 + e^{(r - \epsilon) / \delta})
            + \delta \log(1 + e^{(-r - \epsilon) / \delta}), \qquad r = \eta - y

    Parameters
    ----------
    width : float
        :math:`\delta`, positive.
    epsilon : float
        Half the width of the tube.
    """

    name = "soft_tube"
    _kernel = ("soft_tube", ("width", "epsilon"))

    def __init__(self, width, epsilon):
        self.width = width
        self.epsilon = epsilon

    @property
    def curvature(self):
        return 0.5 / self.width

    def _over(self, y, eta, xp):
        """Return how far beyond either edge, in widths."""
        far = xp.abs(eta - y)
        return (far - self.epsilon) / self.width, -(far + self.epsilon) / self.width

    def value(self, y, eta, xp):
        near, across = self._over(y, eta, xp)
        return self.width * (_softplus(near, xp) + _softplus(across, xp))

    def gradient(self, y, eta, xp):
        near, across = self._over(y, eta, xp)
        return xp.sign(eta - y) * (_sigmoid(near, xp) - _sigmoid(across, xp))

    def hessian(self, y, eta, xp):
        near, across = self._over(y, eta, xp)
        return self._bend(near, xp, across)

    def turn(self, y, eta, xp):
        near, across = self._over(y, eta, xp)
        return xp.sign(eta - y) * (self._turn(near, xp) - self._turn(across, xp))
