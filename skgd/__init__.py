"""Gradient descent that can be trusted, for people who use scikit-learn."""

import importlib

from ._estimators import GDClassifier, GDRegressor

__all__ = [
    "GDClassifier",
    "GDClassifierCV",
    "GDRegressor",
    "GDRegressorCV",
    "RegularizationPath",
    "__version__",
    "history_frame",
    "load_checkpoint",
    "regularization_path",
    "summary",
]

__version__ = "0.1.0"

# Imported when they are first asked for: `import skgd` is felt in every script.
_LATER = {
    "GDClassifierCV": "._cv",
    "GDRegressorCV": "._cv",
    "RegularizationPath": "._path",
    "history_frame": "._summary",
    "load_checkpoint": "._resume",
    "regularization_path": "._path",
    "summary": "._summary",
}


def __getattr__(name):
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(_LATER[name], __name__), name)
    globals()[name] = found
    return found


def __dir__():
    return sorted({*globals(), *__all__})
