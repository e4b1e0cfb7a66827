"""Gradient descent that can be trusted, for people who use scikit-learn."""

from ._cv import GDClassifierCV, GDRegressorCV
from ._estimators import GDClassifier, GDRegressor
from ._path import RegularizationPath, regularization_path
from ._summary import summary

__all__ = [
    "GDClassifier",
    "GDClassifierCV",
    "GDRegressor",
    "GDRegressorCV",
    "RegularizationPath",
    "__version__",
    "regularization_path",
    "summary",
]

__version__ = "0.1.0"
