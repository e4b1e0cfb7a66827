"""Gradient descent that can be trusted, for people who use scikit-learn."""

from ._estimators import GDClassifier, GDRegressor
from ._summary import summary

__all__ = ["GDClassifier", "GDRegressor", "__version__", "summary"]

__version__ = "0.1.0"
