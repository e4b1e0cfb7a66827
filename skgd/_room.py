"""Slopes of losses moved to where an l1 part, or their own bounds, allow them."""

import numpy as np

from ._dual import penalty_gap, targets
from .solvers._composite import conjugate_gradients
from .solvers._curvature import FACTORED, block_size, coupled

__all__ = ["lacks_room", "nearer", "roomy", "solved_part"]

_PRODUCTS, _FEW = 30, 10  # few where second derivatives there are others, as they jump
_ENOUGH = 0.1  # of what is beyond, in the metric of the diagonal
_DAMPING = 1e-3  # of the diagonal: a softmax does not see a shift of all classes
_LEAST = 1e-12  # of the largest entry of a diagonal, that every other one is taken for


def lacks_room(problem):
    """Return whether slopes are scaled for an l1 part, and better ones can be had near them.

    Where a Hessian is formed, its next step is nearer and costs less.
    """
    if not problem.has_l1 or problem.has_l2 or block_size(problem.objective) <= FACTORED:
        return False
    loss = problem.objective.loss
    return loss.smooth and hasattr(loss, "hessian")


def solved_part(problem, theta, v, bend):
    """Return about the gap that is left once no column pulls more than its l1 part allows.

    Parameters
    ----------
    problem : Problem
        With an l1 part.
    theta : ndarray of shape (n_params,)
        The point.
    v : ndarray of shape (n_outputs, n_features)
        Minus the gradient of the losses there.
    bend : float or ndarray of shape (n_outputs, n_features)
        Second derivatives of the losses along each column: what moving the columns gains.

    Returns
    -------
    float
        Not below zero but for rounding.
    """
    held = np.clip(v, -problem.l1, problem.l1)
    left = float(penalty_gap(problem, problem.objective.split(theta)[0], held).sum())
    return left + 0.5 * float(((v - held) ** 2 / np.maximum(bend, 1e-300)).sum())


def nearer(problem, eta, v):
    r"""Return linear predictors whose slopes an l1 part allows more nearly.

    Only the columns that pull too much move, as in a Newton step: with :math:`r_j` what is beyond,

    .. math::

        \eta + Z_V x, \qquad \frac1m Z_V^T H Z_V \, x \approx r_V, \qquad
        V = \{j : |v_j| > \lambda_j\}, \quad r_j = v_j - \lambda_j \operatorname{sign}(v_j)

    to a tenth, or 10 to 30 steps of conjugate gradients with the diagonal as preconditioner; the
    intercept goes with them. To scale all slopes instead costs the bound as much as the worst
    column, mostly one that a handful of rows have, which may take the descent of F very long.

    Parameters
    ----------
    problem : Problem
        With an l1 part, and a loss that has second derivatives.
    eta : ndarray of shape (n_rows, n_outputs)
        Linear predictors, whose slopes add up to zero.
    v : ndarray of shape (n_outputs, n_features)
        Minus the gradient of the losses there.

    Returns
    -------
    ndarray of shape (n_rows, n_outputs)
        A new array. At most 32 times two readings of X, or of the columns that move.
    """
    beyond = v - np.clip(v, -problem.l1, problem.l1)
    columns = np.flatnonzero(beyond.any(axis=0))
    part = problem.columns(columns) if len(columns) < problem.objective.n_features else None
    objective = problem.objective if part is None else part.objective
    beyond = beyond if part is None else beyond[:, columns]
    r = np.append(beyond, np.zeros(objective.n_outputs))
    moves = r != 0.0
    moves[objective.n_coef :] = objective.fit_intercept
    diagonal = objective.hessian_diagonal(eta) / objective.mass
    diagonal = np.maximum(diagonal, max(_LEAST * diagonal.max(initial=0.0), 1e-300))
    damping = _DAMPING * diagonal if coupled(objective) else 0.0
    inverse = np.where(moves, 1.0 / diagonal, 0.0)

    def apply(p):
        product = objective.adjoint(objective.bent(eta, objective.linear(p))) / objective.mass
        return np.where(moves, product + damping * p, 0.0)

    most = _FEW if objective.loss.jumps else _PRODUCTS
    x = conjugate_gradients(apply, lambda r: inverse * r, r, _ENOUGH, most)
    return eta + objective.linear(x)


def roomy(objective, eta, pull):
    """Return curvatures, less where slopes are near their bounds; None if none is zero.

    Slopes that are moved in proportion to these stay within their bounds where others
    would be cut off.
    """
    loss, y, s = objective.loss, targets(objective), objective.s
    if not (loss.flat or loss.banded):
        return None  # enough rows are bent for some of them to come or go
    h = loss.hessian(y, eta, np)
    seen = h > 0
    if seen.all() or not seen.any():
        return None
    u = np.divide(pull, s[:, None], out=np.zeros_like(pull), where=s[:, None] > 0)
    far = np.full_like(u, np.inf)
    room = np.minimum(u - loss.project(y, -far, np), loss.project(y, far, np) - u)
    bounded = seen & np.isfinite(room)
    usual = np.maximum(room, 0.0)[bounded].mean() if bounded.any() else 0.0
    return h * np.clip(room / usual, 0.0, 1.0) if usual > 0 else h
