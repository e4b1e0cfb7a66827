"""Rates that stay the same throughout a pass."""

import math

from .._ranges import check_number
from .._schedule import Schedule

__all__ = ["Adaptive", "Constant", "Cosine", "Exponential", "Linear", "OneCycle", "Step"]


def _progress(k, context):
    """Return the share of the run that lies behind pass ``k``; 1 from the horizon on."""
    return min(1.0, k / context.horizon)


def _half_cosine(x):
    """Return a smooth descent from 1 at ``x = 0`` to 0 at ``x = 1``."""
    return 0.5 * (1 + math.cos(math.pi * x))


class Constant(Schedule):
    r"""The initial rate throughout.

    .. math:: \gamma = \eta_0

    Parameters
    ----------
    warmup : float, default=0
        Passes over which the rate rises linearly from near 0. At least 0.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressor
    >>> from skgd.schedules import Constant
    >>> X, y = load_diabetes(return_X_y=True)
    >>> rate = Constant(warmup=2)
    >>> est = GDRegressor(solver="gd", eta0=0.1, learning_rate=rate, max_iter=5, tol=None)
    >>> est.fit(X, y).history_["rate"].round(3)
    array([0.05, 0.1 , 0.1 , 0.1 , 0.1 ])
    """

    def base_rates(self, k, t, n_steps, context):
        return context.eta0


class Adaptive(Schedule):
    r"""The initial rate, divided whenever progress stops.

    Parameters
    ----------
    factor : float, default=5
        What the rate is divided by. Above 1.
    patience : int, default=5
        Passes without progress after which it is divided. At least 1.
    warmup : float, default=0
        Passes over which the rate rises linearly from near 0. At least 0.

    Notes
    -----
    The rates of the schedule itself are constant, :math:`\gamma = \eta_0`; a callback
    of the estimator watches the progress and divides.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressor
    >>> from skgd.schedules import Adaptive
    >>> X, y = load_diabetes(return_X_y=True)
    >>> rate = Adaptive(factor=2, patience=1)
    >>> est = GDRegressor(solver="sgd", eta0=0.05, learning_rate=rate, max_iter=50, tol=1e-3)
    >>> rates = est.fit(X, y).history_["rate"]
    >>> bool(rates[-1] < rates[0])
    True
    """

    def __init__(self, factor=5, patience=5, warmup=0):
        super().__init__(warmup)
        self.factor = factor
        self.patience = patience

    def check(self):
        super().check()
        check_number("factor", self.factor, low=1, closed="neither")
        check_number("patience", self.patience, low=1, integer=True)

    def base_rates(self, k, t, n_steps, context):
        return context.eta0


class Linear(Schedule):
    r"""Rate that moves along a straight line over the run.

    In pass :math:`k` of :math:`T`,

    .. math:: \gamma = \eta_0 + (e - \eta_0) \, k / T

    Parameters
    ----------
    end : float, default=0.0
        Rate :math:`e` at the end of the run and after it, at least 0.
    warmup : float, default=0
        Passes over which the rate rises linearly from near 0. At least 0.

    Notes
    -----
    :math:`T` is the estimator's ``max_iter``.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressor
    >>> from skgd.schedules import Linear
    >>> X, y = load_diabetes(return_X_y=True)
    >>> est = GDRegressor(solver="gd", eta0=0.1, learning_rate=Linear(), max_iter=5, tol=None)
    >>> est.fit(X, y).history_["rate"].round(3)
    array([0.1 , 0.08, 0.06, 0.04, 0.02])
    """

    def __init__(self, end=0.0, warmup=0):
        super().__init__(warmup)
        self.end = end

    def check(self):
        super().check()
        check_number("end", self.end, low=0)

    def base_rates(self, k, t, n_steps, context):
        x = _progress(k, context)
        return (1 - x) * context.eta0 + x * self.end


class Step(Schedule):
    r"""Rate that is multiplied by a factor at regular passes.

    In pass :math:`k`,

    .. math:: \gamma = \eta_0 \, f^{\lfloor k / K \rfloor}

    Parameters
    ----------
    every : int, default=10
        Passes :math:`K` between two changes. At least 1.
    factor : float, default=0.5
        Factor :math:`f`, in ``(0, 1]``.
    warmup : float, default=0
        Passes over which the rate rises linearly from near 0. At least 0.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressor
    >>> from skgd.schedules import Step
    >>> X, y = load_diabetes(return_X_y=True)
    >>> est = GDRegressor(solver="gd", eta0=0.1, learning_rate=Step(every=2), max_iter=5, tol=None)
    >>> est.fit(X, y).history_["rate"].round(3)
    array([0.1  , 0.1  , 0.05 , 0.05 , 0.025])
    """

    def __init__(self, every=10, factor=0.5, warmup=0):
        super().__init__(warmup)
        self.every = every
        self.factor = factor

    def check(self):
        super().check()
        check_number("every", self.every, low=1, integer=True)
        check_number("factor", self.factor, low=0, high=1, closed="right")

    def base_rates(self, k, t, n_steps, context):
        return context.eta0 * self.factor ** (k // self.every)


class Exponential(Schedule):
    r"""Rate that falls by the same factor every pass.

    In pass :math:`k`,

    .. math:: \gamma = \eta_0 \, d^k

    Parameters
    ----------
    decay : float, default=0.95
        Factor :math:`d` per pass, in ``(0, 1]``.
    warmup : float, default=0
        Passes over which the rate rises linearly from near 0. At least 0.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressor
    >>> from skgd.schedules import Exponential
    >>> X, y = load_diabetes(return_X_y=True)
    >>> rate = Exponential(0.5)
    >>> est = GDRegressor(solver="gd", eta0=0.1, learning_rate=rate, max_iter=5, tol=None)
    >>> est.fit(X, y).history_["rate"].round(3)
    array([0.1  , 0.05 , 0.025, 0.012, 0.006])
    """

    def __init__(self, decay=0.95, warmup=0):
        super().__init__(warmup)
        self.decay = decay

    def check(self):
        super().check()
        check_number("decay", self.decay, low=0, high=1, closed="right")

    def base_rates(self, k, t, n_steps, context):
        return context.eta0 * self.decay**k


class Cosine(Schedule):
    r"""Rate that falls along half a cosine, once or again and again.

    In pass :math:`k` of :math:`T`,

    .. math:: \gamma = e + (\eta_0 - e) \, \frac{1 + \cos(\pi k / T)}{2}

    Parameters
    ----------
    end : float, default=0.0
        Rate :math:`e` at the end of the run and after it, at least 0.
    restart_every : int or None, default=None
        Passes after which the rate jumps back to ``eta0`` and falls again; then
        :math:`T` is this number and :math:`k` counts from the jump. None falls once,
        over the whole run.
    warmup : float, default=0
        Passes over which the rate rises linearly from near 0. At least 0.

    Notes
    -----
    Without restarts :math:`T` is the estimator's ``max_iter``.

    References
    ----------
    .. [1] I. Loshchilov, F. Hutter (2017). "SGDR: stochastic gradient descent with warm
       restarts". ICLR.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressor
    >>> from skgd.schedules import Cosine
    >>> X, y = load_diabetes(return_X_y=True)
    >>> est = GDRegressor(solver="gd", eta0=0.1, learning_rate=Cosine(), max_iter=5, tol=None)
    >>> est.fit(X, y).history_["rate"].round(3)
    array([0.1  , 0.09 , 0.065, 0.035, 0.01 ])
    """

    def __init__(self, end=0.0, restart_every=None, warmup=0):
        super().__init__(warmup)
        self.end = end
        self.restart_every = restart_every

    def check(self):
        super().check()
        check_number("end", self.end, low=0)
        if self.restart_every is not None:
            check_number("restart_every", self.restart_every, low=1, integer=True)

    def base_rates(self, k, t, n_steps, context):
        if self.restart_every is None:
            x = _progress(k, context)
        else:
            x = (k % self.restart_every) / self.restart_every
        return self.end + (context.eta0 - self.end) * _half_cosine(x)


class OneCycle(Schedule):
    r"""Rate that rises to a peak, then falls far below its start.

    Over the first 30 % of the :math:`T` passes from :math:`\eta_0` to
    :math:`p \, \eta_0`, then down to :math:`\eta_0 / 100`, both along half cosines:

    .. math::

        \gamma / \eta_0 = \begin{cases}
            p + (1 - p) \, c(x / 0.3) & x = k / T \le 0.3 \\
            0.01 + (p - 0.01) \, c((x - 0.3) / 0.7) & x > 0.3
        \end{cases} \qquad c(u) = \frac{1 + \cos \pi u}{2}

    Parameters
    ----------
    peak : float, default=10.0
        Highest rate :math:`p`, as a multiple of ``eta0``. At least 1.
    warmup : float, default=0
        Passes over which the rate rises linearly from near 0. At least 0.

    Notes
    -----
    :math:`T` is the estimator's ``max_iter``; after it the last rate stays.

    References
    ----------
    .. [1] L. N. Smith, N. Topin (2019). "Super-convergence: very fast training of neural
       networks using large learning rates". SPIE.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressor
    >>> from skgd.schedules import OneCycle
    >>> X, y = load_diabetes(return_X_y=True)
    >>> est = GDRegressor(solver="gd", eta0=0.1, learning_rate=OneCycle(), max_iter=5, tol=None)
    >>> est.fit(X, y).history_["rate"].round(3)
    array([0.1  , 0.775, 0.951, 0.612, 0.189])
    """

    def __init__(self, peak=10.0, warmup=0):
        super().__init__(warmup)
        self.peak = peak

    def check(self):
        super().check()
        check_number("peak", self.peak, low=1)

    def base_rates(self, k, t, n_steps, context):
        x = _progress(k, context)
        if x <= 0.3:
            return context.eta0 * (self.peak + (1 - self.peak) * _half_cosine(x / 0.3))
        return context.eta0 * (0.01 + (self.peak - 0.01) * _half_cosine((x - 0.3) / 0.7))
