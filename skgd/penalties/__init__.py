"""Penalties: what the size of the coefficients costs, at unit strength."""

from functools import partial

from .._component import Component, resolve
from ._base import LazyPenalty, Penalty, soft_threshold, violation_lazy
from ._elastic_net import ElasticNet
from ._l1 import L1
from ._l2 import L2
from ._none import NoPenalty
from ._user import UserPenalty

__all__ = [
    "L1",
    "L2",
    "PENALTIES",
    "ElasticNet",
    "LazyPenalty",
    "NoPenalty",
    "Penalty",
    "UserPenalty",
    "resolve_penalty",
    "soft_threshold",
    "violation_lazy",
]

PENALTIES = {
    "elasticnet": ElasticNet,
    "l1": L1,
    "l2": L2,
}


def resolve_penalty(spec, l1_ratio=0.15):
    """Turn an estimator's ``penalty`` into a checked penalty of its own.

    Parameters
    ----------
    spec : str, None or object
        A name, None for no penalty, a `Penalty`, or any object with ``value`` and
        ``prox``.
    l1_ratio : float, default=0.15
        The estimator's ``l1_ratio``, used where ``spec`` is ``"elasticnet"``.

    Returns
    -------
    Penalty
        A clone where ``spec`` is a penalty, a `UserPenalty` around another object.

    Raises
    ------
    ValueError
        If the name is unknown or ``l1_ratio`` is out of range.
    TypeError
        If ``spec`` is neither a name nor an object with the two methods.

    Examples
    --------
    >>> from skgd.penalties import resolve_penalty
    >>> resolve_penalty("elasticnet", l1_ratio=0.3), resolve_penalty(None)
    (ElasticNet(l1_ratio=0.3), NoPenalty())
    """
    if spec is None:
        return NoPenalty()
    if isinstance(spec, Component) and not isinstance(spec, Penalty):
        spec = UserPenalty(spec)
    registry = {**PENALTIES, "elasticnet": partial(ElasticNet, l1_ratio=l1_ratio)}
    return resolve(spec, registry, "penalty", wrap=UserPenalty)
