"""Gradient descent that can be trusted, for people who use scikit-learn."""

from ._cv import GDClassifierCV, GDRegressorCV
from ._estimators import GDClassifier, GDRegressor
from ._path import RegularizationPath, regularization_path
from ._resume import load_checkpoint
from ._summary import history_frame, summary

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
