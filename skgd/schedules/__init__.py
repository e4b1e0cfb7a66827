"""Learning-rate schedules: the rate of every step, known before the step is done.

A schedule is a pure function of the pass, the step and a few numbers of the estimator.
It never sees the run, so a run can be replayed; what reacts to progress is a callback
that multiplies the rates.
"""

from .._component import Component, resolve, unknown_name
from .._schedule import Schedule, UserSchedule
from ._by_pass import Adaptive, Constant, Cosine, Exponential, Linear, OneCycle, Step
from ._by_step import AutoDecay, InvScaling, Optimal

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

    Examples
    --------
    >>> from skgd.schedules import resolve_schedule
    >>> resolve_schedule("cosine"), resolve_schedule("auto")
    (Cosine(), None)
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
