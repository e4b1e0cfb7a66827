"""No penalty at all."""

from ._base import LazyPenalty

__all__ = ["NoPenalty"]


class NoPenalty(LazyPenalty):
    """What ``penalty=None`` stands for: zero everywhere.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.penalties import NoPenalty
    >>> NoPenalty().value(np.array([3.0, 4.0]), np)
    0.0
    """

    name = "none"

    def lazy(self):
        return 0.0, 0.0
