"""The minimum of a quadratic model plus a penalty with a kink."""

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from .. import _kernels

__all__ = ["accelerated", "conjugate_gradients", "lasso"]

_SWEEPS = 20
_ROUNDS = 30  # of coordinate descent and exact steps in turn
_DROPPED = 32  # entries that become zero, until the others are factored anew
_INNER = 500


def lasso(H, x, grad, l1, left=0.0):
    r"""Return the minimum of a model with weighted absolute values.

    .. math::

        \tfrac{1}{2} (z - x)^T H (z - x) + g^T (z - x) + \sum_j \lambda_j |z_j|

    Coordinate descent finds which entries are not zero and their signs; given these the
    minimum solves a linear system. A step that would carry entries through zero stops where
    the first of them is zero, and sets it there. So dependent columns, on which coordinate
    descent crawls, cost nothing.

    Parameters
    ----------
    H : ndarray of shape (n, n)
        Positive definite.
    x : ndarray of shape (n,)
        Where the model is taken, and the start.
    grad : ndarray of shape (n,)
        Slope of the smooth part there.
    l1 : ndarray of shape (n,)
        Weights :math:`\lambda`, at least 0.
    left : float, default=0.0
        Part of the fall of the model by which a round may lower it, to be the last.

    Returns
    -------
    ndarray of shape (n,)
        The minimum, with ``left=0`` to rounding unless rounds run out.
    """
    z, slope, c = x.copy(), grad.copy(), H @ x - grad
    scale = np.sqrt(np.diag(H))
    tol = 1e-12 * max(float(np.abs(grad / scale).max(initial=0.0)), 1e-300)
    first = last = _model_value(z, slope, c, l1)
    for _ in range(_ROUNDS):
        if _kernels.descend_quadratic(H, z, slope, l1, _SWEEPS, tol) < _SWEEPS:
            break
        if not _exact(H, z, c, l1):
            break
        slope = H @ z - c
        value = _model_value(z, slope, c, l1)
        if last - value < left * (first - value):
            break
        last = value
    return z


def _model_value(z, slope, c, l1):
    return 0.5 * float(z @ (slope - c)) + float(l1 @ np.abs(z))


def _exact(H, z, c, l1):
    """Solve for the entries that are not zero, in place; stop where one becomes zero."""
    held = np.flatnonzero((z != 0.0) | (l1 == 0.0))
    moved = False
    while len(held):
        sign = np.sign(z[held]) * (l1[held] > 0.0)
        try:
            factor = cho_factor(H[np.ix_(held, held)], lower=True, check_finite=False)
        except LinAlgError:
            return moved
        free = target = cho_solve(factor, c[held] - l1[held] * sign, check_finite=False)
        gone, pull = [], np.empty((len(held), _DROPPED))
        while True:
            if not np.isfinite(target).all():
                return moved
            back, moved = target * sign < 0.0, True
            if not back.any():
                z[held] = target
                return True
            step = target - z[held]
            reach = np.where(back, -z[held] / np.where(back, step, 1.0), np.inf)
            first = int(np.argmin(reach))
            z[held] += reach[first] * step
            z[held[first]] = 0.0
            gone.append(first)
            if len(gone) > _DROPPED:
                break
            # The factor stays that of all entries; forces hold at zero those that are gone.
            unit = np.zeros(len(held))
            unit[first] = 1.0
            pull[:, len(gone) - 1] = cho_solve(factor, unit, check_finite=False)
            forces = pull[:, : len(gone)]
            try:
                target = free - forces @ np.linalg.solve(forces[gone], free[gone])
            except LinAlgError:
                break
            target[gone] = 0.0
        held = np.delete(held, gone)
    return moved


def accelerated(apply, prox, x, grad):
    """Return about the minimum of a model with a penalty that has a prox.

    Accelerated proximal gradient steps on the model alone (Beck & Teboulle 2009), with
    restarts where they turn back (O'Donoghue & Candes 2015).

    Parameters
    ----------
    apply : callable
        ``apply(v)`` gives the model's second derivative along ``v``.
    prox : callable
        ``prox(z, step)`` of the penalty.
    x : ndarray of shape (n,)
        Where the model is taken, and the start.
    grad : ndarray of shape (n,)
        Slope of the smooth part there.

    Returns
    -------
    ndarray of shape (n,)
        Moves have shrunk to a thousandth of the first, or 500 steps are done.
    """
    v, size = 1.0 + np.cos(np.arange(len(x))), 1.0
    for _ in range(20):
        v = apply(v / max(np.linalg.norm(v), 1e-300))
        size = float(np.linalg.norm(v))
    if not 0.0 < size < np.inf:
        return prox(x - grad, 1.0)
    rate = 1.0 / (1.05 * size)
    last = y = x
    momentum, first = 1.0, None
    for _ in range(_INNER):
        z = prox(y - rate * (grad + apply(y - x)), rate)
        move = float(np.abs(z - y).max())
        first = move if first is None else first
        if (y - z) @ (z - last) > 0.0:
            momentum = 1.0
        later = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * momentum**2))
        y = z + ((momentum - 1.0) / later) * (z - last)
        last, momentum = z, later
        if move <= 1e-3 * first:
            break
    return last


def conjugate_gradients(apply, precondition, right, left, most):
    r"""Return about the solution of :math:`A x = r` for a positive semidefinite A.

    Parameters
    ----------
    apply, precondition : callable
        Products with A, and with about its inverse, M.
    right : ndarray of shape (n,)
        The right side r.
    left : float
        Part of :math:`r^T M r` by which, squared, that of what is left may be.
    most : int
        Products with A at most.

    Returns
    -------
    ndarray of shape (n,)
        Zero where A is zero along the first direction.
    """
    x, r = np.zeros_like(right), right.copy()
    z = precondition(r)
    p, size = z.copy(), float(r @ z)
    goal = left**2 * size
    for _ in range(most):
        if not size > goal:
            break
        product = apply(p)
        along = float(p @ product)
        if not along > 0.0:
            break
        x += (size / along) * p
        r -= (size / along) * product
        z = precondition(r)
        before, size = size, float(r @ z)
        p *= size / before
        p += z
    return x
