"""The order of the rows of a pass."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

__all__ = ["shuffled"]

_MANY = 2**20  # rows from which swaps miss the cache
_PARTS = 512


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
        Each of them once. Many are cut into parts, as they are given, and of each few hundred in a
        row every one comes from another part, and from anywhere in it.
    """
    n = len(order)
    if n < _MANY:
        return rng.permutation(order)
    # Parts go through one permutation, each from a place of its own: only that is drawn by
    # swaps, and the cache holds it.
    size = n // _PARTS
    places = np.tile(rng.permutation(size), 2)
    begins, parts = rng.integers(size, size=_PARTS), rng.permutation(_PARTS)
    places = sliding_window_view(places, size)[begins]
    places += parts[:, None] * size
    drawn = np.empty(n, dtype=order.dtype)
    # Those left over come last: others each time, since parts begin anywhere.
    whole, begin = size * _PARTS, rng.integers(n)
    turned = np.concatenate([order[begin:], order[:begin]])
    np.take(turned, places.T, out=drawn[:whole].reshape(size, _PARTS), mode="clip")
    drawn[whole:] = rng.permutation(turned[whole:])
    return drawn
