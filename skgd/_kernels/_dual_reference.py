"""Dual coordinate ascent in NumPy: the oracle of its kernel and the text to read first."""

import numpy as np
from scipy.optimize import brentq
from scipy.special import wrightomega

__all__ = ["awake", "best_slope", "best_slopes", "sdca_block", "sdca_joint_block"]


def awake(still, rests, turn, rows):
    """Return which rows a pass visits: all but those that rest and whose turn it is not."""
    rows = np.arange(len(still)) if rows is None else rows
    return rows[rests[still[rows]] & (np.arange(len(rows)) + turn) == 0]


def best_slope(loss, y, a, q):
    """Return the slope u of ``loss`` at ``a - q u``, by bisection in that predictor."""
    reach = 1.0
    slope = lambda eta: loss.gradient(np.array([y]), np.array([eta]), np)[0]  # noqa: E731
    while slope(a - reach) * q - reach > 0 or slope(a + reach) * q + reach < 0:
        reach *= 2.0
    low, high = a - reach, a + reach
    for _ in range(200):
        eta = 0.5 * (low + high)
        if eta + q * slope(eta) > a:
            high = eta
        else:
            low = eta
    return (a - 0.5 * (low + high)) / q


def sdca_block(X, y, s, order, z, c, u, still, p, p_c, threshold, shift, loss):
    """Dual steps of one output; ``z``, ``u``, ``still`` change in place, c is returned."""
    for i in order:
        if s[i] == 0:
            continue
        x = X[[i]].toarray()[0] if hasattr(X, "toarray") else X[i]
        x = x.astype(float) - shift
        w = np.sign(z) * np.maximum(np.abs(z) - threshold, 0.0)
        q = s[i] * (p * (x @ x) + p_c)
        moved = best_slope(loss, y[i], w @ x + c + q * u[i], q) - u[i]
        still[i] = 0 if abs(moved) > 1e-12 else still[i] + 1
        u[i] += moved
        z -= p * s[i] * moved * x
        c -= p_c * s[i] * moved
    return c


def best_slopes(y, a, q):
    """Return the slopes u of the softmax loss of class ``y`` at ``a - q u``."""
    own = np.arange(len(a)) == y
    # q p_j = omega(.): what is missing makes the probabilities add up to one.
    share = lambda t: wrightomega(a + q * own - t + np.log(q)) / q  # noqa: E731
    top = (a + q * own).max()
    low, high = top - q - 1.0, top + np.log(len(a)) + 1.0
    return share(brentq(lambda t: share(t).sum() - 1.0, low, high, xtol=1e-14)) - own


def sdca_joint_block(X, y, s, order, z, c, u, still, p, p_c, threshold, shift):
    """Dual steps on all outputs of a row; ``z``, ``c``, ``u``, ``still`` change in place."""
    for i in order:
        if s[i] == 0:
            continue
        x = X[[i]].toarray()[0] if hasattr(X, "toarray") else X[i]
        x = x.astype(float) - shift
        w = np.sign(z) * np.maximum(np.abs(z) - threshold, 0.0)
        q = s[i] * (p * (x @ x) + p_c)
        moved = best_slopes(y[i], x @ w + c + q * u[i], q) - u[i]
        still[i] = 0 if np.abs(moved).max() > 1e-12 else still[i] + 1
        u[i] += moved
        z -= p * s[i] * np.outer(x, moved)
        c -= p_c * s[i] * moved
