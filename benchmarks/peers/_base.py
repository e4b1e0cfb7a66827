"""A solver of another library."""

from typing import NamedTuple

__all__ = ["Peer"]


class Peer(NamedTuple):
    """``make(tol, max_iter)`` gives a model to fit; one not iterative has no use for them."""

    name: str
    make: object
    iterative: bool = True
