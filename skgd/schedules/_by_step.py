"""Rates that change from step to step."""

import math

import numpy as np

from .._ranges import check_number
from .._schedule import Schedule

__all__ = ["AutoDecay", "InvScaling", "Optimal"]

_COOLING = 0.4  # last part of a run, over which a rate goes to nothing
_STAIRS = 32  # in which it does
_EACH = 1000  # steps up to which each has its rate computed


class Optimal(Schedule):
    r"""Bottou's rate for strongly convex problems, as in scikit-learn's SGD.

    With the steps counted :math:`i = 1, 2, \dots` since the first fit,

    .. math::

        \gamma_i = \frac{1}{\alpha (t_0 + i - 1)}, \qquad
        t_0 = \frac{1}{\alpha \, \eta_{init}}, \qquad
        \eta_{init} = \frac{w}{\max(1, \ell'(1, -w))}, \qquad
        w = \alpha^{-1/4}

    Parameters
    ----------
    warmup : float, default=0
        Passes over which the rate rises linearly from near 0. At least 0.

    Notes
    -----
    :math:`w` is the size expected of a typical coefficient. ``eta0`` is not used, and
    ``alpha`` must be positive.

    References
    ----------
    .. [1] L. Bottou (2012). "Stochastic gradient descent tricks". Neural Networks:
       Tricks of the Trade, Springer.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressor
    >>> from skgd.schedules import Optimal
    >>> X, y = load_diabetes(return_X_y=True)
    >>> est = GDRegressor(solver="gd", alpha=1, learning_rate=Optimal(), max_iter=5, tol=None)
    >>> est.fit(X, y).history_["rate"].round(3)
    array([1.   , 0.5  , 0.333, 0.25 , 0.2  ])
    """

    absolute = True

    def base_rates(self, k, t, n_steps, context):
        alpha = context.alpha
        if not alpha > 0:
            raise ValueError(
                f"learning_rate='optimal' divides by alpha, which must be positive; got "
                f"{alpha}. Take another learning_rate, such as 'invscaling'."
            )
        typical = math.sqrt(1.0 / math.sqrt(alpha))
        first = typical / max(1.0, context.loss.slope_at(1.0, -typical))
        start = 1.0 / (first * alpha)
        return 1.0 / (alpha * (start + t + np.arange(n_steps)))


class InvScaling(Schedule):
    r"""Rate that falls with a power of the step number, as in scikit-learn's SGD.

    With the steps counted :math:`i = 1, 2, \dots` since the first fit,

    .. math:: \gamma_i = \eta_0 / i^p

    Parameters
    ----------
    power_t : float or None, default=None
        Exponent :math:`p`, at least 0. None takes the estimator's ``power_t``.
    warmup : float, default=0
        Passes over which the rate rises linearly from near 0. At least 0.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressor
    >>> from skgd.schedules import InvScaling
    >>> X, y = load_diabetes(return_X_y=True)
    >>> rate = InvScaling(0.5)
    >>> est = GDRegressor(solver="gd", eta0=0.1, learning_rate=rate, max_iter=5, tol=None)
    >>> est.fit(X, y).history_["rate"].round(3)
    array([0.1  , 0.071, 0.058, 0.05 , 0.045])
    """

    def __init__(self, power_t=None, warmup=0):
        super().__init__(warmup)
        self.power_t = power_t

    def check(self):
        super().check()
        if self.power_t is not None:
            check_number("power_t", self.power_t, low=0)

    def base_rates(self, k, t, n_steps, context):
        power = context.power_t if self.power_t is None else self.power_t
        return context.eta0 / np.arange(t + 1.0, t + n_steps + 1.0) ** power


class AutoDecay(Schedule):
    r"""Rate that falls with a power of the number of steps.

    What ``learning_rate="auto"`` stands for beside ``eta0="auto"``. After :math:`t` steps

    .. math:: \gamma = \eta_0 / (1 + t / T)^p

    with :math:`t` rounded down to a multiple of :math:`T / 8`. Where the last step is known it
    falls beside that along a line to next to nothing, over the last two fifths of the steps, in
    32 stairs: the noise of the steps before goes with it.

    Parameters
    ----------
    power : float, default=0.75
        Exponent :math:`p`, at least 0.
    span : int, default=1
        Steps :math:`T` after which the rate has fallen by :math:`2^{-p}`. At least 1.
    last : int, default=None
        Steps of the whole run, at least 1; None where nobody knows.
    warmup : float, default=0
        Passes over which the rate rises linearly from near 0. At least 0.

    Notes
    -----
    The rate changes in stairs because a kernel that shrinks coordinates late, or shares
    one factor among steps, is fastest while the rate stays the same.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressor
    >>> from skgd.schedules import AutoDecay
    >>> X, y = load_diabetes(return_X_y=True)
    >>> rate = AutoDecay(span=2)
    >>> est = GDRegressor(solver="gd", eta0=0.1, learning_rate=rate, max_iter=5, tol=None)
    >>> est.fit(X, y).history_["rate"].round(3)
    array([0.1  , 0.074, 0.059, 0.05 , 0.044])
    """

    def __init__(self, power=0.75, span=1, last=None, warmup=0):
        super().__init__(warmup)
        self.power = power
        self.span = span
        self.last = last

    def check(self):
        super().check()
        check_number("power", self.power, low=0)
        check_number("span", self.span, low=1)
        if self.last is not None:
            check_number("last", self.last, low=1)

    def base_rates(self, k, t, n_steps, context):
        if n_steps <= _EACH:
            return self._at(t if n_steps == 1 else t + np.arange(n_steps), context)
        # Where a stair begins, powers are taken for the whole of it.
        stair, last = max(1, self.span // 8), self.last
        first = -(-t // stair) * stair
        begins = [np.array([t]), np.arange(first, t + n_steps, stair)]
        if last is not None:
            stairs = last - np.arange(_STAIRS, -1, -1) * (_COOLING * last / _STAIRS)
            # One more on each side: rounding may put the edge there.
            begins += [np.ceil(stairs).astype(int) + step for step in (-1, 0, 1)]
        begins = np.unique(np.concatenate(begins))
        begins = begins[(begins >= t) & (begins < t + n_steps)]
        return np.repeat(self._at(begins, context), np.diff(begins, append=t + n_steps))

    def _at(self, t, context):
        stair = max(1, self.span // 8)
        rates = context.eta0 / (1.0 + t // stair * stair / self.span) ** self.power
        if self.last is not None:
            part = np.clip((self.last - t) / (_COOLING * self.last), 0.0, 1.0)
            rates = rates * np.ceil(_STAIRS * part) / _STAIRS
        return rates
