"""How many rows a step takes where the user does not say."""

import math

import numpy as np

__all__ = ["kurtosis", "suitable_size", "tailed_size"]

_FEW_ROWS = 32
_FULL = 0.75  # of a step's rows, that the last of a pass has too, where that can be
_LEAST = 0.75  # of the rows that a step should have
_TAILED = 20  # steps of a pass, where a few rows have most of the gradient


def suitable_size(rule, n_rows, stored, n_features):
    """Return the rows of a step that suit a rule.

    Parameters
    ----------
    rule : Rule
        Says how few rows, and how few and many steps a pass, are good for it.
    n_rows : int
        Of a pass.
    stored : float
        Entries of a row, in the mean.
    n_features : int
        Columns.

    Returns
    -------
    int
        At least 1.
    """
    # The gradient of a row costs its stored entries, an update all the coefficients.
    size = max(rule.least_batch, math.ceil(rule.least_entries * n_features / max(stored, 1.0)))
    size = max(size, n_rows // rule.most_steps)
    return _even(int(min(size, max(_FEW_ROWS, n_rows // rule.least_steps))), n_rows)


def tailed_size(n_rows):
    """Return the rows of a step where a few rows have most of the gradient."""
    return _even(max(1, n_rows // _TAILED), n_rows)


def _even(size, n_rows):
    """Return at most ``size``, such that the last step of a pass has nearly as many rows."""
    # Few rows would give as long a step as many, with much more noise.
    if size >= n_rows or n_rows % size == 0:
        return size
    first = -(-n_rows // -(-n_rows // size))
    sizes = np.arange(first, int(_LEAST * first), -1)
    full = (n_rows - 1) % sizes + 1 >= _FULL * sizes
    return int(sizes[np.argmax(full)])  # the first if there is none


def kurtosis(slopes):
    """Return the largest kurtosis about zero of the slopes of an output."""
    largest = float(np.abs(slopes).max(initial=0.0))
    if not 0.0 < largest < math.inf:
        return 0.0
    squares = (slopes / largest) ** 2
    mean = np.mean(squares, axis=0)
    return float(np.max(np.mean(squares**2, axis=0) / np.maximum(mean**2, 1e-300)))
