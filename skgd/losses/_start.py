"""Best constants: where a convex loss of one intercept is least."""

import math

import numpy as np
from scipy.optimize import brentq

__all__ = [
    "constant_slope",
    "deviation",
    "half_count",
    "least_point",
    "weighted_mean",
    "weighted_quantile",
]


def half_count(s, xp):
    """Return the share of all rows that half a row has; never above one half."""
    # What is left beside it must differ from one.
    return max(0.5 / max(float(xp.sum(s)), s.shape[0], 1), float(np.finfo(float).eps))


def weighted_mean(y, s, xp):
    """Return ``sum(s * y) / sum(s)`` as a float."""
    return float(xp.sum(s * y)) / float(xp.sum(s))


def deviation(y, s, xp):
    """Return the weighted standard deviation of targets, 1.0 where there is none.

    Parameters
    ----------
    y : array of shape (n_rows,) or (n_rows, n_outputs)
        Targets; of several columns, the root mean square is returned.
    s : array of shape (n_rows,)
        Weights.
    xp : namespace
        Array namespace of both.

    Returns
    -------
    float
        Positive and finite.
    """
    columns = [y] if y.ndim == 1 else [y[:, j] for j in range(y.shape[1])]
    variances = [weighted_mean((c - weighted_mean(c, s, xp)) ** 2, s, xp) for c in columns]
    size = math.sqrt(sum(variances) / len(variances))
    return size if size > 0 and math.isfinite(size) else 1.0


def weighted_quantile(y, s, q, xp):
    """Return a minimiser of the weighted pinball loss; of several, the middle one.

    Parameters
    ----------
    y, s : array of shape (n_rows,)
        Values and weights; ``sum(s)`` is positive.
    q : float
        Level, in ``(0, 1)``.
    xp : namespace
        Array namespace of both.

    Returns
    -------
    float
        A value of ``y``, or the mean of two neighbours between which the loss is flat.
    """
    order = xp.argsort(y)
    # NumPy before 2.1 lacks the standard's name of the running sum.
    running = getattr(xp, "cumulative_sum", None) or (lambda a: xp.cumsum(a, 0))
    below = running(s[order])
    target = q * float(below[-1])
    last = y.shape[0] - 1
    low = min(int(xp.count_nonzero(below < target)), last)
    high = min(int(xp.count_nonzero(below <= target)), last)
    return 0.5 * (float(y[order[low]]) + float(y[order[high]]))


def least_point(slope, size):
    """Return where a convex function of one variable is least.

    Parameters
    ----------
    slope : callable
        Its derivative, or any subgradient: not decreasing.
    size : float
        Length of the first step away from zero; it doubles until the sign changes.

    Returns
    -------
    float
        The minimiser, or 0.0 where none can be bracketed: a start, never an error.
    """
    if not (size > 0 and math.isfinite(size)):
        size = 1.0
    first = slope(0.0)
    if not math.isfinite(first) or first == 0:
        return 0.0
    near, far = 0.0, -math.copysign(size, first)
    for _ in range(40):
        here = slope(far)
        if not math.isfinite(here):
            return 0.0
        if here == 0:
            return far
        if (here > 0) != (first > 0):
            return float(brentq(slope, near, far, xtol=1e-13 * size, rtol=1e-13, maxiter=200))
        near, far = far, 2 * far
    return 0.0


def constant_slope(loss, y, s, xp):
    """Return the function that maps a constant ``eta`` to the slope of the summed loss."""

    def slope(c):
        # A user's formula may leave its domain while the minimum is bracketed.
        with np.errstate(all="ignore"):
            return float(xp.sum(s * loss.gradient(y, xp.zeros_like(y) + c, xp)))

    return slope
