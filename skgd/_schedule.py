"""What schedules share, and the adapter for a function of the step number."""

import math
from numbers import Real

import numpy as np

from ._component import Component
from ._ranges import check_number

__all__ = ["Schedule", "UserSchedule"]


class Schedule(Component):
    """Rates of the steps of a pass.

    A new schedule subclasses this class and writes `base_rates`.

    Parameters
    ----------
    warmup : float, default=0
        Passes over which the rate rises linearly, step by step, from near 0 to what the
        schedule says. At least 0.

    Attributes
    ----------
    absolute : bool
        Whether the rates stand for themselves, so that ``eta0`` is not used.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressor
    >>> from skgd.schedules import Schedule
    >>> class Halves(Schedule):
    ...     def base_rates(self, k, t, n_steps, context):
    ...         return context.eta0 / 2**k
    >>> X, y = load_diabetes(return_X_y=True)
    >>> est = GDRegressor(solver="gd", eta0=0.1, learning_rate=Halves(), max_iter=3, tol=None)
    >>> est.fit(X, y).history_["rate"]
    array([0.1  , 0.05 , 0.025])
    """

    absolute = False

    def __init__(self, warmup=0):
        self.warmup = warmup

    def check(self):
        check_number("warmup", self.warmup, low=0)

    def rates(self, k, t, n_steps, context):
        """Return the rates of one pass, warm-up included.

        Parameters
        ----------
        k : int
            Number of the pass, from 0.
        t : int
            Updates done before it: its first step has number ``t + 1``.
        n_steps : int
            Steps of the pass.
        context : RateContext
            ``eta0``, ``horizon`` (passes of the whole run), ``alpha``, ``loss`` and
            ``power_t`` of the estimator.

        Returns
        -------
        ndarray of shape (n_steps,)
            Rates, float64, at least 0.

        Raises
        ------
        ValueError
            If the schedule has no rate for this context or step.
        """
        rates = np.empty(n_steps)
        rates[:] = self.base_rates(k, t, n_steps, context)
        if k < self.warmup:
            done = k + np.arange(1, n_steps + 1) / n_steps
            rates *= np.minimum(1.0, done / self.warmup)
        return rates

    def base_rates(self, k, t, n_steps, context):
        """Return the rates of one pass without the warm-up.

        Parameters
        ----------
        k, t, n_steps : int
            As in `rates`.
        context : RateContext
            As in `rates`.

        Returns
        -------
        float or ndarray of shape (n_steps,)
            One rate for the whole pass, or one per step.
        """
        raise NotImplementedError


class UserSchedule(Schedule):
    """Adapter for a function of the step number.

    Parameters
    ----------
    function : callable
        Called with the step number 1, 2, ... since the first fit; returns the rate
        itself, a finite number of at least 0. ``eta0`` is not used.
    warmup : float, default=0
        Passes over which the rate rises linearly from near 0. At least 0.

    Notes
    -----
    A model that holds the schedule pickles if the function does: one defined in a
    module, not a lambda.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> est = GDRegressor(solver="gd", learning_rate=lambda t: 1 / (t + 9), max_iter=3, tol=None)
    >>> est.fit(X, y).history_["rate"].round(3)
    array([0.1  , 0.091, 0.083])
    """

    absolute = True

    def __init__(self, function, warmup=0):
        super().__init__(warmup)
        self.function = function

    def check(self):
        super().check()
        if not callable(self.function):
            raise TypeError(f"function must be callable; got {self.function!r}.")

    def base_rates(self, k, t, n_steps, context):
        return np.array([self._rate(step) for step in range(t + 1, t + n_steps + 1)])

    def _rate(self, step):
        """Return the function's rate for one step, or raise with both."""
        rate = self.function(step)
        # A NumPy array of one number passes; it is what indexing often returns.
        number = rate.item() if getattr(rate, "size", None) == 1 else rate
        if not isinstance(number, Real) or not (math.isfinite(number) and number >= 0):
            raise ValueError(
                f"learning_rate returned {rate!r} at step {step}; a rate must be a finite "
                "number of at least 0."
            )
        return float(number)
