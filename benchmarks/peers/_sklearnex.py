"""scikit-learn-intelex, by its own classes, so that scikit-learn stays as it is."""

from ._base import Peer

__all__ = ["LIBRARY", "solvers"]

LIBRARY = "sklearnex.linear_model"


def solvers(problem, X, y, alpha):
    """Yield solvers for a problem."""
    from sklearnex import linear_model

    n = X.shape[0]
    if problem.name in ("logistic", "softmax"):
        C = 1 / (alpha * n)
        yield Peer(
            "lbfgs", lambda tol, most: linear_model.LogisticRegression(C=C, tol=tol, max_iter=most)
        )
    elif problem.name == "ridge":
        yield Peer("Ridge", lambda tol, most: linear_model.Ridge(alpha=alpha * n), False)
