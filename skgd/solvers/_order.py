"""Rows in random order."""

import numpy as np

from .. import _kernels

__all__ = ["permuted"]

_MANY = 2**16  # rows, whose numbers no longer stay in a processor's nearest caches
_DRAWN = 4096  # random numbers at a time


def permuted(rng, rows):
    """Return rows in random order, each order as likely as any other.

    NumPy's ``permutation`` waits for memory at each swap: of a million rows it takes as long as
    steps on them do. Of many rows what a swap needs is on its way before, in the method of [1]_.

    Parameters
    ----------
    rng : numpy.random.Generator or numpy.random.RandomState
        Source of the order.
    rows : ndarray of intp of shape (n,)
        Their numbers.

    Returns
    -------
    ndarray of intp of shape (n,)
        A copy.

    References
    ----------
    .. [1] R. Durstenfeld (1964). "Algorithm 235: random permutation". Communications of the ACM 7.
    """
    if len(rows) < _MANY:
        return rng.permutation(rows)
    out = np.array(rows, dtype=np.intp)
    for top in range(len(out), 1, -_DRAWN):
        _kernels.swap_down(out, top, rng.random(min(_DRAWN, top - 1)))
    return out
