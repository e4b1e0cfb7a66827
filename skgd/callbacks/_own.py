"""Rules to stop that users set: a time limit, and no more progress."""

import math
import time

from .._protocols import Stop
from .._ranges import check_number
from ._base import Callback

__all__ = ["EarlyStopping", "TimeLimit"]


class TimeLimit(Callback):
    """Ends a fit after some seconds, at the point that it has reached.

    ``stop_reason_`` is then ``"time_limit"``; there is no warning, since it was asked for.

    Parameters
    ----------
    seconds : float
        From the start of the fit. Above 0. The iteration that is on the way is finished
        first, so a fit takes at least one.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressor
    >>> from skgd.callbacks import TimeLimit
    >>> X, y = load_diabetes(return_X_y=True)
    >>> est = GDRegressor(solver="sgd", tol=None, max_iter=10**9).set_callbacks(TimeLimit(0.1))
    >>> est.fit(X, y).stop_reason_
    'time_limit'
    """

    def __init__(self, seconds):
        check_number("seconds", seconds, low=0, closed="neither")
        self.seconds = seconds

    def start(self, fit):
        end = time.monotonic() + self.seconds
        return lambda event: Stop("time_limit") if time.monotonic() >= end else None


class EarlyStopping(Callback):
    """Ends a fit when a figure of it has got no better for some iterations.

    ``stop_reason_`` is then ``"early_stopping"``.

    Parameters
    ----------
    monitor : {"value", "violation", "validation_score"}, default="value"
        F, the violation of its optimality conditions, or the score of validation rows
        (``fit(..., X_val=, y_val=)`` or ``early_stopping=True``), of which more is better.
    patience : int, default=5
        Iterations without an improvement after which the fit ends. At least 1.
    min_delta : float, default=0.0
        What counts as an improvement, in the units of the figure. At least 0.
    restore_best : bool, default=True
        Whether the model is that of the best iteration, not of the last.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressor
    >>> from skgd.callbacks import EarlyStopping
    >>> X, y = load_diabetes(return_X_y=True)
    >>> est = GDRegressor(solver="sgd", max_iter=500, tol=None, random_state=0)
    >>> est.set_callbacks(EarlyStopping(patience=3, min_delta=1.0)).fit(X, y).stop_reason_
    'early_stopping'
    """

    def __init__(self, monitor="value", *, patience=5, min_delta=0.0, restore_best=True):
        if monitor not in ("value", "violation", "validation_score"):
            raise ValueError(
                f"monitor must be 'value', 'violation' or 'validation_score'; got {monitor!r}."
            )
        check_number("patience", patience, low=1, integer=True)
        check_number("min_delta", min_delta, low=0)
        self.monitor, self.patience = monitor, patience
        self.min_delta, self.restore_best = min_delta, restore_best

    def start(self, fit):
        if self.monitor == "validation_score" and fit.scores is None:
            raise ValueError(
                "EarlyStopping(monitor='validation_score') needs validation rows: pass X_val and "
                "y_val to fit, or set early_stopping=True."
            )
        return _Patience(self, fit.scores)


class _Patience:
    def __init__(self, rule, scores):
        self.rule, self.scores = rule, scores
        self.best, self.theta, self.value, self.waited = math.inf, None, math.nan, 0

    def __call__(self, event):
        rule = self.rule
        if rule.monitor == "validation_score":
            figure = -self.scores[-1]
        else:
            figure = getattr(event, rule.monitor)
        if figure < self.best - rule.min_delta or self.theta is None:
            self.waited = 0
        else:
            self.waited += 1
        if figure < self.best or self.theta is None:
            self.best, self.theta, self.value = min(figure, math.inf), event.theta, event.value
        if self.waited < rule.patience:
            return None
        return Stop("early_stopping", *((self.theta, self.value) if rule.restore_best else ()))
