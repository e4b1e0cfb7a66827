"""Rules to stop that users set: a time limit, and no more progress."""

import math
import time

from .._protocols import Stop
from .._ranges import check_number
from ._base import Callback

__all__ = ["BestSoFar", "EarlyStopping", "TimeLimit"]


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
        return _Patience(self, fit)


class BestSoFar:
    """Keeps what was best, and counts since when nothing has been better.

    Parameters
    ----------
    min_delta : float, default=0.0
        By how much a figure must fall for the count to begin anew.
    """

    def __init__(self, min_delta=0.0):
        self.min_delta = min_delta
        self.figure, self.kept, self.waited = math.inf, None, 0

    def look(self, figure, what):
        """Take in a figure, of which less is better and nan is worst, and what it is of.

        Parameters
        ----------
        figure : float
            Of ``what``.
        what : callable
            Gives what is to be kept where nothing before was as good.
        """
        figure = math.inf if math.isnan(figure) else figure
        first = self.kept is None
        self.waited = 0 if first or figure < self.figure - self.min_delta else self.waited + 1
        if first or figure < self.figure:
            self.figure, self.kept = figure, what()


class _Patience:
    def __init__(self, rule, fit):
        self.rule, self.scores, self.solver = rule, fit.scores, fit.estimator.solver
        self.best = BestSoFar(rule.min_delta)

    def __call__(self, event):
        rule = self.rule
        if rule.monitor == "validation_score":
            figure = -self.scores[-1]
        else:
            figure = getattr(event, rule.monitor)
        if rule.monitor == "violation" and math.isnan(figure):
            raise ValueError(
                f"solver={self.solver!r} does not compute the violation at each step, which costs "
                "a reading of all rows: set verbose=1, which asks for it, or watch another figure."
            )
        self.best.look(figure, lambda: (event.theta, event.value))
        if self.best.waited < rule.patience:
            return None
        return Stop("early_stopping", *(self.best.kept if rule.restore_best else ()))
