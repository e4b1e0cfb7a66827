"""Small data sets, homes of rows, and F written out independently of the package."""

import os

# Workers have a core each: a BLAS that waits on the others' makes tests a fifth slower.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy.special import logsumexp, xlogy
from stream_cases import N as STREAM

from skgd._problem import Problem
from skgd.objectives import Moments, make_objective, make_scaled
from skgd.penalties import L2

# ---- F, from the formulas in the documentation ----

_LOSSES = {
    "squared_error": lambda y, e: (e - y) ** 2 / 2,
    "huber": lambda y, e: np.where(
        np.abs(e - y) <= 0.1, (e - y) ** 2 / 2, 0.1 * np.abs(e - y) - 0.005
    ),
    "absolute_error": lambda y, e: np.abs(e - y),
    "quantile": lambda y, e: 0.5 * np.abs(e - y),
    "epsilon_insensitive": lambda y, e: np.maximum(np.abs(e - y) - 0.1, 0),
    "squared_epsilon_insensitive": lambda y, e: np.maximum(np.abs(e - y) - 0.1, 0) ** 2,
    "log_cosh": lambda y, e: np.logaddexp(e - y, y - e) - np.log(2),
    "poisson": lambda y, e: xlogy(y, y) - y * e - y + np.exp(e),
    "gamma": lambda y, e: e - np.log(y) + y * np.exp(-e) - 1,
    "tweedie": lambda y, e: 4 * np.sqrt(y) * -1 + 2 * y * np.exp(-e / 2) + 2 * np.exp(e / 2),
    "log_loss": lambda y, e: np.logaddexp(0, -y * e),
    "hinge": lambda y, e: np.maximum(1 - y * e, 0),
    "perceptron": lambda y, e: np.maximum(-y * e, 0),
    "squared_hinge": lambda y, e: np.maximum(1 - y * e, 0) ** 2,
    "modified_huber": lambda y, e: np.where(y * e < -1, -4 * y * e, np.maximum(1 - y * e, 0) ** 2),
}


def _penalty(W, alpha, penalty, l1_ratio):
    l1 = {"l1": 1.0, "elasticnet": l1_ratio}.get(penalty, 0.0)
    l2 = {"l2": 1.0, "elasticnet": 1 - l1_ratio}.get(penalty, 0.0)
    return alpha * (l1 * np.abs(W).sum() + l2 * (W**2).sum() / 2)


def full_value(X, y, W, b, *, loss, alpha, penalty="l2", l1_ratio=0.15, s=None):
    """Return F; ``y`` holds numbers, +-1, or class numbers where ``W`` has several rows."""
    X = X.toarray() if sp.issparse(X) else np.asarray(X)
    W, b = np.atleast_2d(np.asarray(W, float)), np.atleast_1d(np.asarray(b, float))
    s = np.ones(len(X)) if s is None else np.asarray(s, float)
    eta = X.astype(float) @ W.T + b
    labels = loss in ("log_loss", "hinge", "perceptron", "squared_hinge", "modified_huber")
    if len(W) == 1:
        rows = _LOSSES[loss](np.reshape(y, -1), eta[:, 0])
    elif loss == "log_loss":
        rows = logsumexp(eta, axis=1) - eta[np.arange(len(X)), y.astype(int)]
    elif labels:
        rows = _LOSSES[loss](np.where(y[:, None] == np.arange(len(W)), 1, -1), eta).sum(axis=1)
    else:
        rows = _LOSSES[loss](y, eta).sum(axis=1)
    return s @ rows / s.sum() + _penalty(W, alpha, penalty, l1_ratio)


@pytest.fixture(scope="session")
def F():
    """F of data, coefficients and intercepts, in plain NumPy."""
    return full_value


# ---- data ----


def make_rows(n=60, d=5, seed=0, dtype=np.float64):
    """Return rows about a third of which are zeros; equal numbers in either precision."""
    rng = np.random.RandomState(seed)
    X = rng.standard_normal((n, d)) * (rng.uniform(size=(n, d)) < 0.7)
    return np.ascontiguousarray(X.astype(np.float32), dtype=dtype)


def make_target(X, kind, seed=1):
    """Return targets that depend on ``X``, with noise.

    ``kind`` is "regression", "targets" (three of them), "counts", "positive", "binary"
    (labels 0 and 1) or "classes" (labels 0, 1 and 2).
    """
    rng = np.random.RandomState(seed)
    n, d = X.shape
    eta = X.astype(float) @ rng.uniform(-1, 1, d) + 0.5
    if kind == "regression":
        return eta + 0.3 * rng.standard_normal(n)
    if kind == "targets":
        return X.astype(float) @ rng.uniform(-1, 1, (d, 3)) + 0.3 * rng.standard_normal((n, 3))
    if kind == "counts":
        return rng.poisson(np.exp(0.5 * eta)).astype(float)
    if kind == "positive":
        return np.exp(0.5 * eta) * rng.gamma(4.0, 0.25, n)
    if kind == "binary":
        return (eta + rng.logistic(size=n) > 0.5).astype(int)
    scores = X.astype(float) @ rng.uniform(-2, 2, (d, 3)) + rng.gumbel(size=(n, 3))
    return scores.argmax(axis=1)


@pytest.fixture(scope="session")
def rows():
    """Maker of rows: ``rows(n, d, seed, dtype)``."""
    return make_rows


@pytest.fixture(scope="session")
def target():
    """Maker of targets: ``target(X, kind)``."""
    return make_target


# ---- a stream ----


@pytest.fixture
def X(rows):
    """Rows of a stream; many modules have their own."""
    return rows(STREAM, 4)


@pytest.fixture
def y(X, target):
    """Two classes for them."""
    return target(X, "binary")


@pytest.fixture
def frame(X, y):
    """The same as a table, with labels and weights."""
    f = pd.DataFrame(X, columns=list("abcd"))
    return f.assign(label=np.where(y > 0, "yes", "no"), w=np.arange(len(y)) % 3 + 0.5)


# ---- homes ----


def _csr(dtype):
    def house(X):
        X = sp.csr_array(X)
        X.indices, X.indptr = X.indices.astype(dtype), X.indptr.astype(dtype)
        return X

    return house


HOMES = {
    "dense-float64": np.ascontiguousarray,
    "dense-float32": lambda X: np.ascontiguousarray(X, dtype=np.float32),
    "csr-int32": _csr(np.int32),
    "csr-int64": _csr(np.int64),
}


@pytest.fixture(params=sorted(HOMES))
def house(request):
    """Put dense rows into one of the homes."""
    return HOMES[request.param]


def _make_problem(house, loss, penalty, alpha, *, kind, n, d, s, fit_intercept, scaled, seed):
    X = make_rows(n, d, seed)
    y = make_target(X, kind)
    k = {"targets": 3, "classes": 3}.get(kind, 1)
    if kind == "binary":
        y = 2 * y - 1
    objective = make_objective(
        house(X),
        np.ascontiguousarray(y, dtype=float),
        np.ones(n) if s is None else np.asarray(s, dtype=float),
        loss,
        n_outputs=k,
        fit_intercept=fit_intercept,
    )
    problem = Problem(objective, penalty, alpha)
    if not scaled:
        return problem
    objective = make_scaled(
        objective,
        Moments.of(objective),
        float(np.max(problem.l2)),
        stochastic=scaled == "stochastic",
        uniform=problem.custom and not penalty.separable,
    )
    return Problem(objective, penalty, alpha)


@pytest.fixture
def make_problem(house):
    """Maker of small problems in one of the homes.

    ``make_problem(loss, penalty, alpha, kind=...)``; ``scaled`` is False, True or
    "stochastic", ``s`` the weights.
    """

    def make(
        loss,
        penalty=None,
        alpha=0.1,
        *,
        kind="regression",
        n=60,
        d=5,
        s=None,
        fit_intercept=True,
        scaled=False,
        seed=0,
    ):
        penalty = L2() if penalty is None else penalty
        options = {"kind": kind, "n": n, "d": d, "s": s, "seed": seed}
        options.update(fit_intercept=fit_intercept, scaled=scaled)
        return _make_problem(house, loss, penalty, alpha, **options)

    return make
