"""Other libraries: one small file each, one line here.

A file has ``LIBRARY``, what is imported, and ``solvers(problem, X, y, alpha)``, which yields a
`Peer` for each of its solvers that minimises the same F, or F with a penalised intercept.
"""

import importlib

from . import _celer, _sgd, _skglm, _sklearn, _sklearnex, _snapml

__all__ = ["PEERS", "missing"]

PEERS = {
    "scikit-learn": _sklearn,
    "scikit-learn SGD": _sgd,
    "scikit-learn-intelex": _sklearnex,
    "snapml": _snapml,
    "celer": _celer,
    "skglm": _skglm,
}


def missing(name):
    """Return why a library is left out, or None where it can be imported."""
    try:
        importlib.import_module(PEERS[name].LIBRARY)
    except Exception as error:  # a wheel may be there and fail on this machine's libraries
        return f"{name} is left out: {type(error).__name__}: {str(error)[:80]}"
    return None
