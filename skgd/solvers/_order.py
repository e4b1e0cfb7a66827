"""The order of the rows of a pass."""

import numpy as np

__all__ = ["shuffled"]

_SORTED = 2**18  # rows from which swaps may miss the cache


def shuffled(order, rng):
    """Return row numbers in an order drawn anew.

    Parameters
    ----------
    order : ndarray of intp
        Row numbers; may be changed.
    rng : numpy.random.Generator
        Draws the order.

    Returns
    -------
    ndarray of intp
        Each of them once.
    """
    if len(order) < _SORTED:
        return rng.permutation(order)
    # Sorted by random numbers of two bytes, which needs no comparisons. Rows that drew the
    # same number come as stored: a second draw mixes places within blocks of several such.
    keys = rng.integers(0, 2**16, size=len(order), dtype=np.uint16)
    order = order[keys.argsort(kind="stable")]
    width = max(64, len(order) // 2**14)
    whole = len(order) // width * width
    blocks = order[:whole].reshape(-1, width)
    blocks[:] = blocks[:, rng.permutation(width)]
    rng.shuffle(order[whole:])
    return order
