"""Checks of single hyper-parameters: the message names the parameter and its value."""

import math
from numbers import Integral, Real

__all__ = ["check_flag", "check_number"]


def check_number(name, value, low=-math.inf, high=math.inf, closed="both", integer=False):
    """Raise where ``value`` is not a finite number of the interval from ``low`` to ``high``.

    Parameters
    ----------
    name : str
        Name of the parameter, for messages.
    value : object
        What the user gave. NumPy numbers pass, bools do not.
    low, high : float, default=-inf, inf
        Ends of the interval.
    closed : {"both", "left", "right", "neither"}, default="both"
        Ends that belong to the interval. An infinite end never does.
    integer : bool, default=False
        Whether only whole numbers pass.

    Raises
    ------
    TypeError
        If ``value`` is not a number, or not a whole one where ``integer`` asks for it.
    ValueError
        If it lies outside the interval, is infinite or NaN.
    """
    kind = Integral if integer else Real
    if isinstance(value, bool) or not isinstance(value, kind):
        what = "an integer" if integer else "a number"
        raise TypeError(f"{name} must be {what}; got {value!r}.")
    above = value >= low if closed in ("both", "left") else value > low
    below = value <= high if closed in ("both", "right") else value < high
    if above and below and math.isfinite(value):
        return
    left, right = closed in ("both", "left"), closed in ("both", "right")
    if math.isinf(high) and math.isinf(low):
        rule = "be finite"
    elif math.isinf(high):
        rule = f"be at least {low}" if left else "be positive" if low == 0 else f"exceed {low}"
    else:
        rule = f"be in {'[' if left else '('}{low}, {high}{']' if right else ')'}"
    raise ValueError(f"{name} must {rule}; got {value}.")


def check_flag(name, value):
    """Raise where ``value`` is neither True nor False.

    Parameters
    ----------
    name : str
        Name of the parameter, for the message.
    value : object
        What the user gave; NumPy bools pass.

    Raises
    ------
    TypeError
        If ``value`` is not a bool.
    """
    if type(value).__name__ not in ("bool", "bool_"):
        raise TypeError(f"{name} must be True or False; got {value!r}.")
