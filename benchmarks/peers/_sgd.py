"""scikit-learn's SGD, which never arrives, to show how near it comes."""

from sklearn.linear_model import SGDClassifier, SGDRegressor

from ._base import Peer

__all__ = ["LIBRARY", "solvers"]

LIBRARY = "sklearn"


def solvers(problem, X, y, alpha):
    """Yield solvers for a problem."""
    loss = problem.skgd["loss"]
    if problem.task in ("multiclass", "counts") or not isinstance(loss, str):
        return  # one against the rest is another F
    kind = SGDClassifier if problem.task == "binary" else SGDRegressor
    penalty = problem.skgd.get("penalty", "l2")
    yield Peer(
        "SGD",
        lambda tol, most: kind(
            loss=loss, penalty=penalty, alpha=alpha, l1_ratio=problem.l1_ratio, tol=tol,
            max_iter=most, random_state=0,
        ),
    )  # fmt: skip
