"""Gradient descent that can be trusted, for people who use scikit-learn."""

from ._estimators import GDClassifier, GDRegressor
from ._path import RegularizationPath, regularization_path
from ._summary import summary

__all__ = [
    "GDClassifier",
    "GDRegressor",
    "RegularizationPath",
    "__version__",
    "regularization_path",
    "summary",
]

__version__ = "0.1.0"
