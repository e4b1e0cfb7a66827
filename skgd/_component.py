"""What losses, penalties, rules, schedules and solvers share, and how a name becomes one."""

import difflib
import functools

from sklearn.base import BaseEstimator, clone

__all__ = ["Component", "KnownParams", "resolve", "unknown_name"]


class KnownParams:
    """Reads the signature of a constructor once: streams ask for it at every call."""

    @classmethod
    @functools.cache
    def _get_param_names(cls):
        return super()._get_param_names()


class Component(KnownParams, BaseEstimator):
    """Hyper-parameters only: what changes during a run lives in `State`.

    Being a scikit-learn estimator gives ``get_params`` and ``set_params``, so a grid
    search reaches inside (``solver__beta_2``), ``clone``, and a readable ``repr``.
    """

    # No diagram in notebooks: a component is a parameter, not a model.
    _repr_html_ = None

    def __init_subclass__(cls):
        """Skip scikit-learn's search for metadata of ``fit``, which no component has."""

    def check(self):
        """Raise ValueError or TypeError where a hyper-parameter is out of range."""


def unknown_name(name, known, kind):
    """Return the ValueError for a name that no registry has, the nearest names first."""
    near = difflib.get_close_matches(str(name), known, n=len(known), cutoff=0.0)
    listed = near + [k for k in known if k not in near]
    return ValueError(f"Unknown {kind}={name!r}. Known: {', '.join(map(repr, listed))}.")


def resolve(spec, registry, kind, wrap=None):
    """Turn a parameter, a string or an object, into a checked object of its own.

    Parameters
    ----------
    spec : str or object
        A name of ``registry``, or an object of the family. Objects are cloned, so
        that a fit never changes what the user holds.
    registry : dict of str to class
        Names and the classes they stand for; called without arguments.
    kind : str
        Name of the parameter, for messages.
    wrap : callable, default=None
        Adapts an object that is not a `Component` (a user's plain class), or raises
        TypeError.

    Returns
    -------
    Component
        Ready for use; its ``check`` has passed.

    Raises
    ------
    ValueError
        If the name is unknown (the message lists the known ones, nearest first) or a
        hyper-parameter is out of range.
    TypeError
        If ``spec`` is neither a string nor an object of the family.
    """
    if isinstance(spec, str):
        if spec not in registry:
            raise unknown_name(spec, sorted(registry), kind)
        made = registry[spec]()
    elif isinstance(spec, type):
        raise TypeError(
            f"{kind} takes an instance; got the class {spec.__name__}. "
            f"Write {kind}={spec.__name__}()."
        )
    elif isinstance(spec, Component):
        made = clone(spec)
    elif wrap is not None:
        made = wrap(spec)
    else:
        raise TypeError(f"{kind} must be a name or an object; got {spec!r}.")
    made.check()
    return made
