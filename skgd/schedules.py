"""Learning-rate schedules: the rate of every step, known before the step is done.

A schedule is a pure function of the pass, the step and a few numbers of the estimator.
It never sees the run, so a run can be replayed; what reacts to progress is a callback
that multiplies the rates.
"""

import math

import numpy as np

from ._component import Component, resolve, unknown_name
from ._ranges import check_number
from ._schedule import Schedule, UserSchedule

__all__ = [
    "SCHEDULES",
    "Adaptive",
    "AutoDecay",
    "Constant",
    "Cosine",
    "Exponential",
    "InvScaling",
    "Linear",
    "OneCycle",
    "Optimal",
    "Schedule",
    "Step",
    "UserSchedule",
    "get_schedule_names",
    "resolve_schedule",
]


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
    """

    def base_rates(self, k, t, n_steps, context):
        return context.eta0


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


class AutoDecay(Schedule):
    r"""Rate that falls with a power of the number of steps.

    What ``learning_rate="auto"`` stands for beside ``eta0="auto"``. After :math:`t` steps

    .. math:: \gamma = \eta_0 / (1 + t / T)^p

    with :math:`t` rounded down to a multiple of :math:`T / 8`.

    Parameters
    ----------
    power : float, default=0.75
        Exponent :math:`p`, at least 0.
    span : int, default=1
        Steps :math:`T` after which the rate has fallen by :math:`2^{-p}`. At least 1.
    warmup : float, default=0
        Passes over which the rate rises linearly from near 0. At least 0.

    Notes
    -----
    The rate changes in stairs because a kernel that shrinks coordinates late, or shares
    one factor among steps, is fastest while the rate stays the same.
    """

    def __init__(self, power=0.75, span=1, warmup=0):
        super().__init__(warmup)
        self.power = power
        self.span = span

    def check(self):
        super().check()
        check_number("power", self.power, low=0)
        check_number("span", self.span, low=1)

    def base_rates(self, k, t, n_steps, context):
        stair = max(1, self.span // 8)
        done = (t + np.arange(n_steps)) // stair * stair
        return context.eta0 / (1.0 + done / self.span) ** self.power


SCHEDULES = {
    "adaptive": Adaptive,
    "constant": Constant,
    "cosine": Cosine,
    "exponential": Exponential,
    "invscaling": InvScaling,
    "linear": Linear,
    "one_cycle": OneCycle,
    "optimal": Optimal,
    "step": Step,
}


def get_schedule_names():
    """Return the strings that ``learning_rate`` takes.

    Returns
    -------
    list of str
        Sorted names, ``"auto"`` among them.

    Examples
    --------
    >>> from skgd.schedules import get_schedule_names
    >>> "one_cycle" in get_schedule_names()
    True
    """
    return sorted(["auto", *SCHEDULES])


def resolve_schedule(spec):
    """Turn an estimator's ``learning_rate`` into a checked schedule of its own.

    Parameters
    ----------
    spec : str, Schedule or callable
        A name, a schedule, or a function of the step number.

    Returns
    -------
    Schedule or None
        None for ``"auto"``: the solver chooses.

    Raises
    ------
    ValueError
        If the name is unknown or a hyper-parameter is out of range.
    TypeError
        If ``spec`` is none of these.
    """
    if isinstance(spec, str):
        if spec == "auto":
            return None
        if spec not in SCHEDULES:
            raise unknown_name(spec, get_schedule_names(), "learning_rate")
    # A rule or solver can be called too, but gives no rates.
    elif not isinstance(spec, (Schedule, type)) and (
        isinstance(spec, Component) or not callable(spec)
    ):
        raise TypeError(
            f"learning_rate must be a name, a schedule or a function of the step number; "
            f"got {spec!r}."
        )
    return resolve(spec, SCHEDULES, "learning_rate", wrap=UserSchedule)
