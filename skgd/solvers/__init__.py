"""Solvers: ways of descending, by name or as objects."""

from .._component import resolve
from .._protocols import State
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
from ._agd import AGD
from ._auto import automatic, automatic_stream
from ._base import Solver
from ._ftrl import FTRL
from ._gd import GD
from ._hedge import Hedge
from ._lbfgs import LBFGS
from ._newton import Newton
from ._sdca import SDCA
from ._smoothing import Smoothing
from ._stochastic import Stochastic
from ._variance import SAG, SAGA, SVRG

__all__ = [
    "AGD",
    "FTRL",
    "GD",
    "LBFGS",
    "SAG",
    "SAGA",
    "SDCA",
    "SGD",
    "SOLVERS",
    "SVRG",
    "AMSGrad",
    "AdaDelta",
    "AdaGrad",
    "Adam",
    "AdamW",
    "Hedge",
    "Momentum",
    "NAdam",
    "Nesterov",
    "Newton",
    "RMSProp",
    "Rule",
    "Smoothing",
    "Solver",
    "State",
    "Stochastic",
    "automatic",
    "automatic_stream",
    "get_solver_names",
    "resolve_solver",
]

SOLVERS = {
    "agd": AGD,
    "ftrl": FTRL,
    "gd": GD,
    "hedge": Hedge,
    "lbfgs": LBFGS,
    "newton": Newton,
    "sag": SAG,
    "saga": SAGA,
    "sdca": SDCA,
    "smoothing": Smoothing,
    "svrg": SVRG,
    **RULES,
}


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


def resolve_solver(spec):
    """Turn ``solver``, a name or an object, into a checked solver or rule.

    Parameters
    ----------
    spec : str, Rule or Solver
        What the user gave. ``"auto"`` becomes what it stands for in a stream; `automatic`
        tells what it stands for where all rows are known.

    Returns
    -------
    Rule or Solver
        The user's object is cloned, never changed.

    Examples
    --------
    >>> from skgd.solvers import resolve_solver
    >>> resolve_solver("newton")
    Newton()
    """
    if isinstance(spec, str) and spec == "auto":
        spec = "hedge"
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
