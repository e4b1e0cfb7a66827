"""Dual steps on parts of the rows side by side, and how far their sum may be followed."""

import numpy as np

from .._threads import added, in_turn
from ._order import permuted

__all__ = ["dealt", "side_by_side"]

_BUCKET = 64  # neighbouring rows that go to one replica: their marks of rest share a cache line


def dealt(order, replicas, rng):
    """Deal rows to replicas, in buckets of neighbours.

    Parameters
    ----------
    order : ndarray of intp
        Row numbers, ascending.
    replicas : int
        How many.
    rng : numpy.random.Generator
        Draws who gets a bucket.

    Returns
    -------
    list of ndarray of intp
        For each replica its rows, ascending.
    """
    buckets = order // _BUCKET
    buckets -= buckets[0]
    owners = rng.permutation(int(buckets[-1]) + 1) % replicas
    mine = owners[buckets]
    return [order[mine == r] for r in range(replicas)]


def side_by_side(take, parts, rngs, start, slopes, damping, units, n_threads):
    r"""Take dual steps on each part of the rows from the same start, and add up what they did.

    With :math:`v_r` the changes that part :math:`r` made, in the metric of the penalty, its steps
    reckon with :math:`\sigma` times their own. The dual rises by no less than the parts believe
    after the share

    .. math:: \gamma = \min\Bigl(1, \; \frac{\sigma \sum_r \|v_r\|^2}{\|\sum_r v_r\|^2}\Bigr)

    of all changes: it is quadratic in them but for conjugates of losses, which are convex [1]_.

    Parameters
    ----------
    take : callable
        ``take(z, intercept, rows, damping)`` does steps on rows in this order, in place, with
        ``damping`` times the curvature.
    parts : list of ndarray of intp
        Rows of each replica.
    rngs : list of numpy.random.Generator
        One for each replica, which draws the order of its rows; None keeps it.
    start : tuple of ndarray
        Coefficients and intercepts; changed in place.
    slopes : ndarray
        Of all rows, which ``take`` changes; changed in place.
    damping : float
        :math:`\sigma`, from 1 to the number of parts, which is safe by itself.
    units : tuple of float
        What the squares of the changes of coefficients and of intercepts are divided by.
    n_threads : int
        Threads at most. The result does not depend on them.

    Returns
    -------
    float
        :math:`\|\sum_r v_r\|^2 / \sum_r \|v_r\|^2`, which a damping of the next call may be.

    References
    ----------
    .. [1] C. Ma, V. Smith, M. Jaggi, M. I. Jordan, P. Richtarik, M. Takac (2015). "Adding vs.
       averaging in distributed primal-dual optimization". ICML.
    """
    before = [slopes[rows] for rows in parts]

    def one(_, r):
        mine = [each.copy() for each in start]
        rows = parts[r] if rngs is None else permuted(rngs[r], parts[r])
        take(*mine, rows, damping)
        for each, here in zip(mine, start, strict=True):
            each -= here
            each /= damping
        return mine

    moves = in_turn(one, [(r,) for r in range(len(parts))], n_threads)
    total = [added(each) for each in zip(*moves, strict=True)]

    def square(change):
        return sum(
            float(np.vdot(each, each)) / unit
            for each, unit in zip(change, units, strict=True)
            if unit > 0.0
        )

    apart = sum(square(change) for change in moves)
    ratio = square(total) / apart if apart > 0.0 else 1.0
    share = damping / ratio if ratio > damping else 1.0
    if share < 1.0:
        for rows, there in zip(parts, before, strict=True):
            slopes[rows] = there + share * (slopes[rows] - there)
    for each, change in zip(start, total, strict=True):
        each += share * change
    return ratio
