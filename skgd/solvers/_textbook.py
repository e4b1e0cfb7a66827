"""What solvers on all rows share: first rates, rates of a schedule, clipping."""

import numpy as np

from .._protocols import RateContext
from ..schedules import Constant
from ._base import wants_scaling

__all__ = ["clipped", "first_rate", "is_scheduled", "scheduled_rate"]


def is_scheduled(settings):
    """Whether the rates are those of the user, to be followed as they stand."""
    return not isinstance(settings.eta0, str) or settings.schedule is not None


def first_rate(settings, smoothness):
    """Return the rate to begin with: the user's, or one from the curvature.

    Parameters
    ----------
    settings : Settings
        Its ``eta0`` and ``schedule`` decide.
    smoothness : callable
        Gives the smoothness constant without arguments; asked only where it is needed.

    Returns
    -------
    float
        Positive; NaN where the schedule gives rates of its own.
    """
    if not isinstance(settings.eta0, str):
        return float(settings.eta0)
    if not wants_scaling(settings):
        return np.nan
    constant = smoothness()
    # No curvature at all: every step is as good as another.
    return 1.0 / constant if 0 < constant < np.inf else 1.0


def scheduled_rate(problem, state, settings):
    """Return the rate of the next step: the schedule's times ``rate_scale``.

    ``state.memory["rate"]`` is the schedule's initial rate.
    """
    context = RateContext(
        state.memory["rate"],
        settings.horizon,
        problem.alpha,
        problem.objective.loss,
        settings.power_t,
    )
    schedule = Constant() if settings.schedule is None else settings.schedule
    return state.rate_scale * float(schedule.rates(state.passes, state.t, 1, context)[0])


def clipped(grad, settings):
    """Return ``grad`` within the bounds on its entries and, after that, on its norm."""
    value, norm = settings.clip_value, settings.clip_norm
    if value is not None:
        grad = np.clip(grad, -value, value)
    if norm is not None:
        size = np.linalg.norm(grad)
        if size > norm:
            grad = grad * (norm / size)
    return grad
