"""snapml; it penalises the intercept, so that F ends a little above the least."""

from ._base import Peer

__all__ = ["LIBRARY", "solvers"]

LIBRARY = "snapml"


def solvers(problem, X, y, alpha):
    """Yield solvers for a problem."""
    import snapml

    common = {"regularizer": alpha * X.shape[0], "fit_intercept": True, "random_state": 0}
    common["n_jobs"] = 2
    if problem.name == "logistic":
        for dual in (True, False):
            yield Peer(
                "dual" if dual else "primal",
                lambda tol, most, dual=dual: snapml.LogisticRegression(
                    **common, dual=dual, tol=tol, max_iter=most
                ),
            )
    elif problem.name == "l1_logistic":
        yield Peer(
            "primal",
            lambda tol, most: snapml.LogisticRegression(
                **common, penalty="l1", dual=False, tol=tol, max_iter=most
            ),
        )
    elif problem.name == "ridge":
        yield Peer(
            "dual",
            lambda tol, most: snapml.LinearRegression(**common, dual=True, tol=tol, max_iter=most),
        )
    elif problem.name == "hinge":
        yield Peer(
            "dual",
            lambda tol, most: snapml.SupportVectorMachine(
                **common, loss="hinge", tol=tol, max_iter=most
            ),
        )
