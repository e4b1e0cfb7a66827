"""scikit-learn's exact solvers."""

import numpy as np
from sklearn.linear_model import (
    ElasticNet,
    Lasso,
    LogisticRegression,
    PoissonRegressor,
    QuantileRegressor,
    Ridge,
)
from sklearn.svm import LinearSVC

from ._base import Peer

__all__ = ["LIBRARY", "solvers"]

LIBRARY = "sklearn"
_HESSIAN = 2_500  # parameters beyond which newton-cholesky is left out: it cannot be cut short
_SMALL = 20_000  # rows beyond which the linear program of a quantile takes minutes


def solvers(problem, X, y, alpha):
    """Yield solvers for a problem."""
    yield from _KINDS.get(problem.name, _none)(problem, X, y, alpha)


def _none(problem, X, y, alpha):
    return ()


def _logistic(problem, X, y, alpha):
    n, d = X.shape
    k = 1 if problem.task == "binary" else len(np.unique(y))
    ratio = {"l1_ratio": 1.0} if problem.l1_ratio else {}
    names = ["saga"] if ratio else ["lbfgs", "newton-cg", "saga", "sag"]
    if problem.task == "binary":
        names.append("liblinear")
    if not ratio and (d + 1) * k <= _HESSIAN:
        names.append("newton-cholesky")
    for name in names:
        yield Peer(
            name,
            lambda tol, most, name=name: LogisticRegression(
                C=1 / (alpha * n), solver=name, tol=tol, max_iter=most, random_state=0, **ratio
            ),
        )


def _ridge(problem, X, y, alpha):
    a = alpha * X.shape[0]
    for name in ("cholesky", "svd") if isinstance(X, np.ndarray) else ():
        yield Peer(name, lambda tol, most, name=name: Ridge(alpha=a, solver=name), False)
    for name in ("lsqr", "sparse_cg", "sag", "saga"):
        yield Peer(
            name,
            lambda tol, most, name=name: Ridge(
                alpha=a, solver=name, tol=tol, max_iter=most, random_state=0
            ),
        )


def _lasso(problem, X, y, alpha):
    if problem.l1_ratio == 1.0:
        yield Peer("Lasso", lambda tol, most: Lasso(alpha, tol=tol, max_iter=most))
    else:
        ratio = problem.l1_ratio
        yield Peer(
            "ElasticNet",
            lambda tol, most: ElasticNet(alpha, l1_ratio=ratio, tol=tol, max_iter=most),
        )


def _quantile(problem, X, y, alpha):
    if X.shape[0] <= _SMALL:
        yield Peer("highs", lambda tol, most: QuantileRegressor(quantile=0.9, alpha=alpha), False)


def _poisson(problem, X, y, alpha):
    for name in ("lbfgs", "newton-cholesky") if X.shape[1] <= _HESSIAN else ("lbfgs",):
        yield Peer(
            name,
            lambda tol, most, name=name: PoissonRegressor(
                alpha=alpha, solver=name, tol=tol, max_iter=most
            ),
        )


def _svm(problem, X, y, alpha):
    C = 1 / (alpha * X.shape[0])
    for dual in (True, False) if problem.name == "squared_hinge" else (True,):
        yield Peer(
            f"liblinear {'dual' if dual else 'primal'}",
            lambda tol, most, dual=dual: LinearSVC(
                loss=problem.name, C=C, dual=dual, tol=tol, max_iter=most, random_state=0
            ),
        )


_KINDS = {
    "logistic": _logistic,
    "l1_logistic": _logistic,
    "softmax": _logistic,
    "ridge": _ridge,
    "lasso": _lasso,
    "elastic_net": _lasso,
    "quantile": _quantile,
    "poisson": _poisson,
    "hinge": _svm,
    "squared_hinge": _svm,
}
