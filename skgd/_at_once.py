"""Squared errors with an l2 or l1 penalty, from their second moments: no run, no rows."""

from dataclasses import dataclass

import numpy as np
from scipy.linalg.lapack import dposv, dpotrf, dpotrs

from .penalties import violation_lazy
from .solvers._composite import lasso
from .solvers._curvature import DAMPING

__all__ = ["Solution", "elastic_net", "ridge"]

_SLIGHT = 1e-2  # part of an l1 penalty that rounding of F may be
_ROUNDS = 4  # solutions of a model that is damped a little, each from the one before


@dataclass(frozen=True)
class Solution:
    """The least F, about."""

    theta: np.ndarray  # (n_params,)  in the user's variables, intercepts zero
    value: float  # F there
    gap: float  # how far it is above the least one, at most
    violation: float  # of the optimality conditions, in scaled columns


def ridge(small, decay):
    r"""Minimise squared errors and an l2 penalty by the normal equations.

    Parameters
    ----------
    small : Compressed
        The rows.
    decay : float
        Strength of the penalty. Above 0.

    Returns
    -------
    Solution or None
        None where coefficients hang on rounding or are not finite.

    Notes
    -----
    What is left of the equations, :math:`r`, bounds the gap by
    :math:`\frac{1}{2} \sum_j r_j^2 / \lambda_j`, with the penalty's own second derivatives
    :math:`\lambda_j`: that of the dual point which the errors are. Costs :math:`O(d^3)`.
    """
    with np.errstate(all="ignore"):
        _, C, Y, bend, whole = _equations(small, decay)
        factor, z, failed = dposv(whole, C, lower=1)
        if failed or not small.tells(factor):
            return None
        left = C - whole @ z
        more, _ = dpotrs(factor, left, lower=1)
        gaps = 0.5 * np.maximum(left**2 / bend[:, None], left * more).sum(axis=0)
        # Nor less than the penalty, when nothing is left of the errors but rounding.
        values = np.maximum(Y - (z * (C + left)).sum(axis=0), np.square(z).T @ bend)
        return _solution(small, z, 0.5 * values, gaps, np.abs(left).max(axis=0))


def elastic_net(small, decay, pull, enough, start=None):
    r"""Minimise squared errors and an l1 penalty, beside an l2 one or alone.

    Parameters
    ----------
    small : Compressed
        The rows.
    decay, pull : float
        Strength of the l2 part, at least 0, and of the l1 part, above 0.
    enough : float
        Gap, as a part of F at zero coefficients, from which on no work is spent on a smaller one.
    start : ndarray of shape (n_params,), default=None
        Where to begin, in the user's variables.

    Returns
    -------
    Solution or None
        None where coefficients hang on rounding or are not finite.

    Notes
    -----
    Coordinate descent finds which coefficients are not zero, and normal equations what they are
    (`lasso`). The gap is that of the dual point which the errors are, or these scaled so that no
    column pulls more than the l1 part allows (Fercoq, Gramfort & Salmon 2015), whichever is
    less.
    """
    d, k = len(small.scale), len(small.unit)
    z = np.zeros((d, k))
    if start is not None:
        z[:] = (small.rows.split(start)[0] * small.scale / small.unit[:, None]).T
    gaps, values, violations, alike = np.zeros(k), np.zeros(k), np.zeros(k), False
    with np.errstate(all="ignore"):
        A, C, Y, bend, whole = _equations(small, decay)
        idle = ~(np.diagonal(whole) > 0.0)  # constant columns, about which nothing is known
        whole[idle, idle] = 1.0
        # Dependent columns are no reason to fail.
        damped = whole + np.diag(np.full(d, DAMPING * np.trace(whole) / max(d, 1)))
        for q in range(k):
            l1 = pull / small.weight / small.scale / small.unit[q]
            c, x = C[:, q], z[:, q]
            for _ in range(_ROUNDS):
                x = lasso(damped, x, whole @ x - c, l1)
                v = c - A @ x
                errors = max(float(Y[q] - x @ (c + v)), 0.0)
                kept = float(l1 @ np.abs(x)) + 0.5 * float(bend @ x**2)
                gaps[q] = _gap(x, v, errors, kept, l1, bend)
                if gaps[q] <= 0.5 * enough * Y[q]:
                    break
            z[:, q], values[q] = x, 0.5 * errors + kept
            violations[q] = violation_lazy(x, -v, l1, bend, np)
            held = np.flatnonzero(x)
            if len(held):
                factor, failed = dpotrf(whole[np.ix_(held, held)], lower=1)
                alike |= bool(failed) or not small.tells(factor, held)
        found = _solution(small, z, values, gaps, violations)
        if found is not None and alike:
            # Columns that rounding does not tell apart: what the l1 part says does.
            said = pull * float(np.abs(small.rows.split(found.theta)[0]).sum())
            if not small.weight * small.noise(found.theta) <= _SLIGHT * said:
                return None
        return found


def _gap(x, v, errors, kept, l1, bend):
    """Return the duality gap, of whichever dual point is nearer."""
    share = float(np.min(l1 / np.abs(v), initial=1.0, where=v != 0.0))
    gap = 0.5 * (1.0 - share) ** 2 * errors + kept - share * float(v @ x)
    if bend.all():
        over = np.maximum(np.abs(v) - l1, 0.0)
        gap = min(gap, kept + 0.5 * float((over**2 / bend).sum()) - float(v @ x))
    return max(gap, 0.0)


def _equations(small, decay):
    """Return second moments of scaled columns, these with targets, and of targets alone.

    Then the second derivatives of the l2 part, and those of columns and l2 part together.
    """
    d = len(small.scale)
    A, C, Y = small.central[:d, :d], small.central[:d, d:], np.diagonal(small.central)[d:]
    bend = decay / small.weight / small.scale**2
    return A, C, Y, bend, A + np.diag(bend)


def _solution(small, z, values, gaps, violations):
    """Return what was found for each output, in units of its own, as one; None if not finite."""
    unit = small.unit
    theta = np.append(z.T * unit[:, None] / small.scale, np.zeros(len(unit)))
    value, gap = (small.weight * float(part @ unit**2) for part in (values, gaps))
    violation = small.weight * float((violations * unit).max(initial=0.0))
    found = np.isfinite(theta).all() and value < np.inf and 0.0 <= gap < np.inf
    return Solution(theta, value, gap, violation) if found else None
