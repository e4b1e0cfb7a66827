"""Smooth losses near those with a kink, and smoother ones near those whose slope has one."""

from ._base import MarginLoss, RegressionLoss, within

__all__ = ["SmoothHinge", "SmoothHuber", "SmoothQuantile", "SmoothSquaredHinge", "SmoothTube"]


class _Smooth:
    r"""Mixin: the conjugate of a loss with a kink plus a quadratic.

    .. math:: \ell_\delta(y, \eta) = \max_u \; u \eta - \ell^*(y, u) - \tfrac{\delta}{2} u^2

    It lies below :math:`\ell`, by at most :math:`\delta / 2` times the square of the steepest
    slope, and has the curvature :math:`1 / \delta` in a band about the kink. Its slopes are slopes
    of :math:`\ell` or lie between two of them.

    References
    ----------
    .. [1] Y. Nesterov (2005). "Smooth minimization of non-smooth functions". Mathematical
       Programming 103.
    """

    # Curvature is where the kinks are, and nowhere else; on the edges of a band as in it, since
    # a start often lies there.
    banded = True

    @property
    def spread(self):
        """What a slope rises by one over; the inverse of the curvature."""
        return self.width

    @property
    def curvature(self):
        return 1.0 / self.spread

    def _inside(self, at, low, high, xp):
        """Return the curvature where ``at`` lies in a band, or within ``reach`` times it."""
        middle, half = 0.5 * (low + high), 0.5 * (high - low) * self.reach
        inside = xp.abs(at - middle) <= half * (1 + 1e-12)
        return xp.where(inside, xp.ones_like(at), xp.zeros_like(at)) / self.spread


class SmoothHinge(_Smooth, MarginLoss):
    """`Hinge` with a band of ``width`` below the margin 1.

    Parameters
    ----------
    width : float
        Positive.
    reach : float, default=1.0
        At least 1: how far from its middle a band has a curvature in `hessian`, in halves.
    """

    name = "smooth_hinge"
    _kernel = ("smooth_hinge", ("width",))
    _steepest = 1.0

    def __init__(self, width, reach=1.0):
        self.width = width
        self.reach = reach

    def _share(self, y, eta, xp):
        return xp.clip((1 - y * eta) / self.width, 0, 1)

    def value(self, y, eta, xp):
        u = self._share(y, eta, xp)
        return u * ((1 - y * eta) - 0.5 * self.width * u)

    def gradient(self, y, eta, xp):
        return -y * self._share(y, eta, xp)

    def hessian(self, y, eta, xp):
        return self._inside((1 - y * eta) / self.width, 0.0, 1.0, xp)

    def conjugate(self, y, dual, xp):
        return within(y * dual, -1, 0, y * dual + 0.5 * self.width * dual**2, xp)


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
    below = False
    _kernel = ("smooth_squared_hinge", ("width",))

    def __init__(self, width):
        self.width = width

    def _parts(self, y, eta, xp):
        """Return the softplus and its slope."""
        t = (1 - y * eta) / self.width
        u = xp.exp(-xp.abs(t))
        soft = self.width * (xp.clip(t, 0, None) + xp.log1p(u))
        return soft, xp.where(t > 0, xp.ones_like(u), u) / (1 + u)

    def value(self, y, eta, xp):
        return self._parts(y, eta, xp)[0] ** 2

    def gradient(self, y, eta, xp):
        soft, share = self._parts(y, eta, xp)
        return -2 * y * soft * share

    def hessian(self, y, eta, xp):
        soft, share = self._parts(y, eta, xp)
        return 2 * share * (share + soft / self.width * (1 - share))


class _SmoothLine(_Smooth, RegressionLoss):
    """Mixin of losses with one kink, at the target: slopes rise there, and are cut off."""

    def value(self, y, eta, xp):
        u = self.gradient(y, eta, xp)
        return u * ((eta - y) - 0.5 * self.spread * u)

    def gradient(self, y, eta, xp):
        return xp.clip((eta - y) / self.spread, *self._dual_range(y, xp))

    def hessian(self, y, eta, xp):
        return self._inside((eta - y) / self.spread, *self._dual_range(y, xp), xp)

    def conjugate(self, y, dual, xp):
        least = dual * y + 0.5 * self.spread * dual**2
        return within(dual, *self._dual_range(y, xp), least, xp)


class SmoothHuber(_SmoothLine):
    """`Huber` with a band of more than ``epsilon``, from which it is linear.

    Parameters
    ----------
    width : float
        Residual at which the band ends, at least ``epsilon``; at that it is `Huber`.
    epsilon : float
        As of `Huber`: the steepest slope.
    reach : float, default=1.0
        As of `SmoothHinge`.
    """

    name = "smooth_huber"
    _kernel = ("smooth_huber", ("width", "epsilon"))

    def __init__(self, width, epsilon, reach=1.0):
        self.width = width
        self.epsilon = epsilon
        self.reach = reach

    @property
    def spread(self):
        return self.width / self.epsilon

    def _dual_range(self, y, xp):
        return -self.epsilon, self.epsilon


class SmoothQuantile(_SmoothLine):
    """`Quantile` with a band about the target.

    Parameters
    ----------
    width : float
        Of the band, from a slope of ``-quantile`` to one of ``1 - quantile``; positive.
    quantile : float
        As of `Quantile`.
    reach : float, default=1.0
        As of `SmoothHinge`.
    """

    name = "smooth_quantile"
    _kernel = ("smooth_quantile", ("width", "quantile"))

    def __init__(self, width, quantile, reach=1.0):
        self.width = width
        self.reach = reach
        self.quantile = quantile

    def _dual_range(self, y, xp):
        return -self.quantile, 1 - self.quantile


class SmoothTube(_Smooth, RegressionLoss):
    """`EpsilonInsensitive`, or `AbsoluteError` where ``epsilon`` is 0, with bands.

    Parameters
    ----------
    width : float
        Of the band outside each edge of the tube; positive.
    epsilon : float
        Half the width of the tube.
    reach : float, default=1.0
        As of `SmoothHinge`.
    """

    name = "smooth_tube"
    _kernel = ("smooth_tube", ("width", "epsilon"))

    def __init__(self, width, epsilon, reach=1.0):
        self.width = width
        self.reach = reach
        self.epsilon = epsilon

    def _share(self, y, eta, xp):
        return xp.clip((xp.abs(eta - y) - self.epsilon) / self.width, 0, 1)

    def value(self, y, eta, xp):
        u = self._share(y, eta, xp)
        return u * ((xp.abs(eta - y) - self.epsilon) - 0.5 * self.width * u)

    def gradient(self, y, eta, xp):
        return xp.sign(eta - y) * self._share(y, eta, xp)

    def hessian(self, y, eta, xp):
        over = (xp.abs(eta - y) - self.epsilon) / self.width
        # Without a tube the band goes through the target.
        return self._inside(over, 0.0 if self.epsilon > 0 else -1.0, 1.0, xp)

    def conjugate(self, y, dual, xp):
        least = dual * y + self.epsilon * xp.abs(dual) + 0.5 * self.width * dual**2
        return within(dual, -1, 1, least, xp)

    def _dual_range(self, y, xp):
        return -1.0, 1.0
