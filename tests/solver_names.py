"""The names of the solvers by what they can do."""

from skgd._protocols import Settings
from skgd.solvers import Rule, get_solver_names, resolve_solver

__all__ = ["ANY_PENALTY", "BATCH", "FIT_ONLY", "RULED", "STREAMING", "TAKE_RATES"]


def _streams(found):
    return isinstance(found, Rule) or found.streams


def _takes_rates(found):
    try:
        return isinstance(found, Rule) or found.with_settings(Settings(eta0=0.1)) is not None
    except ValueError:
        return False


_FOUND = {name: resolve_solver(name) for name in get_solver_names() if name != "auto"}

STREAMING = [name for name, found in _FOUND.items() if _streams(found)]
# Update rules: any rate, schedule, batch and mean.
RULED = [name for name, found in _FOUND.items() if isinstance(found, Rule)]
FIT_ONLY = [name for name in _FOUND if name not in STREAMING]
# Those that draw nothing.
BATCH = [name for name in FIT_ONLY if not _FOUND[name].stochastic]
# Dual ascent makes coefficients from slopes by way of an l2 part.
ANY_PENALTY = [name for name in get_solver_names() if name != "sdca"]
# "auto" takes a rate as well, and another solver with it.
TAKE_RATES = ["auto", *(name for name, found in _FOUND.items() if _takes_rates(found))]
