"""celer: working sets and dual extrapolation for the l1 norm."""

from ._base import Peer

__all__ = ["LIBRARY", "solvers"]

LIBRARY = "celer"


def solvers(problem, X, y, alpha):
    """Yield solvers for a problem."""
    import celer

    if problem.name == "lasso":
        yield Peer("Lasso", lambda tol, most: celer.Lasso(alpha, tol=tol, max_iter=most))
    elif problem.name == "elastic_net":
        ratio = problem.l1_ratio
        yield Peer(
            "ElasticNet",
            lambda tol, most: celer.ElasticNet(alpha, l1_ratio=ratio, tol=tol, max_iter=most),
        )
