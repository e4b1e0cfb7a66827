"""skglm: working sets for the l1 norm and many losses."""

from ._base import Peer

__all__ = ["LIBRARY", "solvers"]

LIBRARY = "skglm"


def solvers(problem, X, y, alpha):
    """Yield solvers for a problem."""
    import skglm

    if problem.name == "lasso":
        yield Peer("Lasso", lambda tol, most: skglm.Lasso(alpha, tol=tol, max_iter=most))
    elif problem.name == "elastic_net":
        ratio = problem.l1_ratio
        yield Peer(
            "ElasticNet",
            lambda tol, most: skglm.ElasticNet(alpha, l1_ratio=ratio, tol=tol, max_iter=most),
        )
    elif problem.name == "l1_logistic":
        yield Peer(
            "SparseLogisticRegression",
            lambda tol, most: skglm.SparseLogisticRegression(alpha, tol=tol, max_iter=most),
        )
