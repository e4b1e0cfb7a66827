"""How far to go along a direction: strong Wolfe steps, and F along a line of margins."""

import math
from typing import Any, NamedTuple

import numpy as np

from ._given import BOUNDS, RATES, given, refuse

__all__ = ["Arrival", "LinePoint", "MarginLine", "refuse_rates", "strong_wolfe"]

_FEWEST, _MOST = 0.01, 0.9  # part of a bracket that the next trial may lie in
_BACK = 0.1  # the same, where its far end is not finite
_SHRINKS = 0.66  # what two trials leave of a bracket at most, or the next one halves it
_GROWTH = 10.0  # largest ratio of two trials before a bracket is known
_NOTHING = 1e-16  # parts of the rounding that a whole step would bring
_APPROXIMATE = 0.8  # part of the first slope that a step inside the rounding may end with


class Arrival(NamedTuple):
    """Where a step has led.

    Parameters
    ----------
    t : float
        Its length.
    theta : ndarray of shape (n_params,)
        The point.
    value, grad : float, ndarray of shape (n_params,)
        F there, and the gradient of its smooth part.
    eta : ndarray of shape (n_rows, n_outputs)
        Linear predictors there.
    moved : bool
        Whether these were moved along a line, which adds up rounding.
    """

    t: float
    theta: Any
    value: float
    grad: Any
    eta: Any
    moved: bool


class LinePoint(NamedTuple):
    """Where a line search ended.

    Parameters
    ----------
    t : float
        Step length; 0 where no step lowers the function.
    value, slope : float
        Of the function at ``t``.
    n_evaluations : int
        Points that were looked at.
    ok : bool
        Whether the step meets both conditions, or is the longest one allowed.
    """

    t: float
    value: float
    slope: float
    n_evaluations: int
    ok: bool


def _finite(point):
    return math.isfinite(point[1]) and math.isfinite(point[2])


def _cubic(a, b):
    """Return the minimiser of the cubic with the values and slopes of two points, or nan."""
    (ta, fa, sa), (tb, fb, sb) = a, b
    d1 = sa + sb - 3.0 * (fb - fa) / (tb - ta)
    square = d1 * d1 - sa * sb
    if not 0.0 <= square < math.inf:
        return math.nan
    d2 = math.copysign(math.sqrt(square), tb - ta)
    below = sb - sa + 2.0 * d2
    return tb - (tb - ta) * (sb + d2 - d1) / below if below != 0.0 else math.nan


def _secant(a, b):
    """Return where the slope is zero if it is linear between two points, or nan."""
    (ta, _, sa), (tb, _, sb) = a, b
    return ta - sa * (tb - ta) / (sb - sa) if sb != sa else math.nan


def _beyond(last, here):
    t = _secant(last, here)
    # Not steeper here than before: the function bends down, and nothing bounds the step.
    t = _GROWTH * here[0] if not t > here[0] else t
    return min(max(t, 1.1 * here[0]), _GROWTH * here[0])


def _between(low, high, noise):
    t, width = math.nan, high[0] - low[0]
    if _finite(high):
        # Differences of values within the rounding say nothing; slopes still do.
        flat = abs(high[1] - low[1]) <= 10.0 * noise and high[2] > 0.0
        t = _secant(low, high) if flat else _cubic(low, high)
    if not math.isfinite(t):
        t = low[0] + (0.5 if _finite(high) else _BACK) * width
    return min(max(t, low[0] + _FEWEST * width), low[0] + _MOST * width)


def strong_wolfe(
    phi, slope0, value0, first=1.0, *, most=math.inf, c1=1e-4, c2=0.9, noise=0.0, evaluations=30
):
    r"""Return a step length that meets the strong Wolfe conditions.

    .. math::

        \varphi(t) \le \varphi(0) + c_1 t \varphi'(0), \qquad
        |\varphi'(t)| \le c_2 |\varphi'(0)|

    A step is bracketed from below by a point that has decreased enough and still goes
    down steeply, from above by one that has not decreased enough or goes up: such a
    bracket holds a step that meets both conditions [1]_, chapter 3. It is narrowed by the
    minimiser of the cubic through values and slopes of its ends, and halved where two of these
    have left more than two thirds of it, after [3]_.

    Parameters
    ----------
    phi : callable
        ``phi(t)`` gives value and slope as floats. Infinities and NaN are read as "too
        far".
    slope0, value0 : float
        Slope (negative) and value at zero.
    first : float, default=1.0
        Step to try first.
    most : float, default=inf
        Longest step. It is accepted with any decrease that is large enough, since the
        slope may well be steep where a line is cut off.
    c1, c2 : float, default=1e-4, 0.9
        Parts of the first slope: the least mean decrease, and the largest slope that may
        be left; ``0 < c1 < c2 < 1``.
    noise : float, default=0.0
        Differences of values up to this are rounding. Inside, a step is accepted for its
        slopes alone, which is the approximate Wolfe condition of [2]_.
    evaluations : int, default=30
        Calls of ``phi`` at most.

    Returns
    -------
    LinePoint
        With ``ok=False`` the step is the best one with a sufficient decrease, and zero
        where there is none.

    Notes
    -----
    Pure Python numbers: a call costs its evaluations, one or two where ``first`` suits.

    References
    ----------
    .. [1] J. Nocedal, S. J. Wright (2006). "Numerical Optimization", second edition.
    .. [2] W. W. Hager, H. Zhang (2005). "A new conjugate gradient method with guaranteed
       descent and an efficient line search". SIAM Journal on Optimization 16.
    .. [3] J. J. More, D. J. Thuente (1994). "Line search algorithms with guaranteed sufficient
       decrease". ACM Transactions on Mathematical Software 20.
    """
    low, high, last, widths = (0.0, value0, slope0), None, None, (math.inf, math.inf)
    # Slopes have about as many digits as values, and here nothing is left of them either.
    nothing = -slope0 * min(first, most) < _NOTHING * noise
    if nothing or not (-math.inf < slope0 < 0.0 and math.isfinite(value0) and first > 0.0):
        return LinePoint(*low, 0, False)
    t = min(first, most)
    for n in range(1, evaluations + 1):
        here = (t, *phi(t))
        finite = _finite(here)
        bound = value0 + c1 * t * slope0
        if finite and here[1] <= bound + noise:
            slope = here[2]
            # Inside the rounding a rise may hide: there the slope must have shrunk too.
            most_slope = c2 if here[1] <= bound else min(c2, _APPROXIMATE)
            if -c2 * abs(slope0) <= slope <= most_slope * abs(slope0):
                return LinePoint(*here, n, True)
            if slope < 0.0:
                last, low = low, here
                if t >= most:
                    return LinePoint(*here, n, True)
            else:
                high = here
        else:
            high = here
        if high is None:
            t = min(_beyond(last, low), most)
        elif high[0] - low[0] <= 1e-15 * high[0]:
            break
        else:
            width = high[0] - low[0]
            slow = width > _SHRINKS * widths[0] and _finite(high)
            t = low[0] + 0.5 * width if slow else _between(low, high, noise)
            # A trial may only reckon with those before it that were not halvings.
            widths = (math.inf, math.inf) if slow else (widths[1], width)
    return LinePoint(*low, n, False)


class MarginLine:
    r"""F along :math:`\theta + t d`, from margins.

    The margins of a linear map move along a line too, so a point costs the losses of
    ``n_rows`` margins and no reading of X; the l2 part is a parabola in ``t``, and the l1
    part a line as long as no coefficient changes its sign.

    Parameters
    ----------
    problem : Problem
        What is minimised.
    theta : ndarray of shape (n_params,)
        Where the line begins.
    eta : ndarray of shape (n_rows, n_outputs)
        Margins there.
    direction : ndarray of shape (n_params,)
        Where it goes.
    l1_slope : float, default=0.0
        Slope of the l1 part along ``direction``.
    moved : ndarray of shape (n_rows, n_outputs), default=None
        Margins of ``direction``, where they are known.

    Attributes
    ----------
    moved : ndarray of shape (n_rows, n_outputs)
        Margins of ``direction``.
    t, eta, u : float, ndarray, ndarray
        The point looked at last, its margins and the weighted slopes of the loss there.
    loss_sum : float
        Sum of the weighted losses there.

    Notes
    -----
    Construction reads X once, unless ``moved`` is given. Holds four arrays of the shape of ``eta``.
    """

    def __init__(self, problem, theta, eta, direction, l1_slope=0.0, moved=None):
        objective = problem.objective
        self._objective, self._from = objective, eta
        self.moved = objective.linear(direction) if moved is None else moved
        self._start, self._linear, self._square = problem.penalty_value(theta), l1_slope, 0.0
        if problem.has_l2:
            W, D = objective.split(theta)[0], objective.split(direction)[0]
            bent = problem.l2 * D
            self._linear += float(np.vdot(bent, W))
            self._square = float(np.vdot(bent, D))

    def __call__(self, t):
        """Return value and slope of F at ``t``; sets ``t``, ``eta``, ``u``, ``loss_sum``."""
        with np.errstate(over="ignore", invalid="ignore"):
            found = self._objective.slopes_along(self._from, self.moved, float(t))
        self.loss_sum, along, self.eta, self.u = found
        self.t = t
        mass = self._objective.mass
        value = self.loss_sum / mass + self._start + t * (self._linear + 0.5 * t * self._square)
        return value, along / mass + self._linear + t * self._square


def refuse_rates(name, settings):
    """Raise where the user gave what a line search decides.

    Parameters
    ----------
    name : str
        Of the solver, for the message.
    settings : Settings
        From the estimator.

    Raises
    ------
    ValueError
        If a rate, a schedule or a bound on the gradient is given.
    """
    refuse(
        name,
        "finds the length of each step by a line search",
        given(settings, *RATES, *BOUNDS),
        "solver='gd', which follows it",
    )
