"""Solvers: ways of descending, by name or as objects."""

from .._component import resolve
from ..rules import (
    RULES,
    SGD,
    AdaDelta,
    AdaGrad,
    Adam,
    AdamW,
    AMSGrad,
    Momentum,
    NAdam,
    Nesterov,
    RMSProp,
    Rule,
)
from ._base import Solver
from ._gd import GD
from ._stochastic import Stochastic

__all__ = [
    "GD",
    "SGD",
    "SOLVERS",
    "AMSGrad",
    "AdaDelta",
    "AdaGrad",
    "Adam",
    "AdamW",
    "Momentum",
    "NAdam",
    "Nesterov",
    "RMSProp",
    "Rule",
    "Solver",
    "Stochastic",
    "get_solver_names",
    "resolve_solver",
]

SOLVERS = {"gd": GD, **RULES}


def get_solver_names():
    """Return the strings that ``solver`` accepts, sorted.

    Returns
    -------
    list of str
        ``"auto"`` included.

    Examples
    --------
    >>> from skgd.solvers import get_solver_names
    >>> "adam" in get_solver_names()
    True
    """
    return sorted(["auto", *SOLVERS])


def automatic(method, loss):
    """Return the name that ``solver="auto"`` stands for.

    Parameters
    ----------
    method : {"fit", "partial_fit"}
        Who asks.
    loss : Loss
        A loss with a kink gives gradient descent on all rows nothing to hold on to.

    Returns
    -------
    str
        A key of ``SOLVERS``.
    """
    return "gd" if method == "fit" and loss.smooth else "adam"


def resolve_solver(spec, method="fit", loss=None):
    """Turn ``solver``, a name or an object, into a checked solver or rule.

    Parameters
    ----------
    spec : str, Rule or Solver
        What the user gave.
    method, loss : str, Loss
        What ``"auto"`` decides on.

    Returns
    -------
    Rule or Solver
        The user's object is cloned, never changed.
    """
    if isinstance(spec, str) and spec == "auto":
        spec = automatic(method, loss)
    if isinstance(spec, str) and spec not in SOLVERS:
        # "auto" is a name too, and may be the one that was meant.
        resolve(spec, dict.fromkeys([*SOLVERS, "auto"]), "solver")
    found = resolve(spec, SOLVERS, "solver")
    if not isinstance(found, (Rule, Solver)):
        raise TypeError(
            f"solver must be a name or an object of skgd.solvers; got {spec!r}. "
            "A rule of your own is a subclass of skgd.rules.Rule."
        )
    return found


def as_solver(found, settings):
    """Return the `Solver` of a rule or solver, following ``settings``."""
    solver = Stochastic(found) if isinstance(found, Rule) else found
    return solver.with_settings(settings)
