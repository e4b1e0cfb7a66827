"""With no rate given, every rule comes near the optimum in twenty passes, whatever the data."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import minimize
from scipy.special import logsumexp
from sklearn import datasets
from sklearn.linear_model import Ridge

from skgd import GDClassifier, GDRegressor
from skgd.rules import RULES

ALPHA = 1e-4
# A decay apart from the gradient has another limit than the optimum of F.
NAMES = sorted(set(RULES) - {"adamw"})


def words(n_rows=2000, n_features=300):
    """Rows of a few counts, as of words, and the classes that a linear model gives."""
    rng = np.random.default_rng(0)
    often = 1 / np.arange(3, n_features + 3)
    X = sp.csr_matrix(rng.poisson(4 * often / often.sum() * 3, size=(n_rows, n_features)) * 1.0)
    eta = X @ rng.normal(size=n_features)
    return X, (eta + rng.logistic(size=n_rows) > np.median(eta)).astype(int)


def regression(X, y):
    """F and its least value, by scikit-learn's direct solver on standardised columns."""
    X = X.toarray() if sp.issparse(X) else X
    oracle = Ridge(alpha=ALPHA * len(y), solver="svd").fit(X, y)

    def F(coef, intercept):
        return np.mean((y - X @ coef - intercept) ** 2) / 2 + ALPHA / 2 * np.sum(coef**2)

    return F, F(oracle.coef_, oracle.intercept_), F(np.zeros(X.shape[1]), y.mean())


def classification(X, y):
    """F, its least value by SciPy in standardised columns, and that of intercepts alone."""
    X = X.toarray() if sp.issparse(X) else X
    hot = np.eye(y.max() + 1)[y]
    if hot.shape[1] == 2:
        hot = hot[:, ::-1]
    k, d = hot.shape[1], X.shape[1]
    mean, std = X.mean(axis=0), X.std(axis=0)
    std[std == 0] = 1

    def F(coef, intercept):
        eta = X @ np.atleast_2d(coef).T + intercept
        if k == 2:
            eta = np.column_stack([eta, np.zeros(len(y))])
        loss = np.mean(logsumexp(eta, axis=1) - np.sum(hot * eta, axis=1))
        return loss + ALPHA / 2 * np.sum(np.square(coef))

    Z, outputs = (X - mean) / std, 1 if k == 2 else k

    def scaled(theta):
        U, c = theta[: outputs * d].reshape(outputs, d), theta[outputs * d :]
        eta = Z @ U.T + c
        full = np.column_stack([eta, np.zeros(len(y))]) if k == 2 else eta
        slope = (np.exp(full - logsumexp(full, axis=1, keepdims=True)) - hot)[:, :outputs]
        slope /= len(y)
        grad = slope.T @ Z + ALPHA * U / std**2
        value = np.mean(logsumexp(full, axis=1) - np.sum(hot * full, axis=1))
        value += ALPHA / 2 * np.sum((U / std) ** 2)
        return value, np.concatenate([grad.ravel(), slope.sum(axis=0)])

    def curved(theta, v):
        """Second derivative of F along v."""
        U, c = theta[: outputs * d].reshape(outputs, d), theta[outputs * d :]
        V, e = v[: outputs * d].reshape(outputs, d), v[outputs * d :]
        eta, moved = Z @ U.T + c, Z @ V.T + e
        if k == 2:
            eta, moved = (np.column_stack([a, np.zeros(len(y))]) for a in (eta, moved))
        p = np.exp(eta - logsumexp(eta, axis=1, keepdims=True))
        bent = (p * (moved - (p * moved).sum(axis=1, keepdims=True)))[:, :outputs] / len(y)
        return np.concatenate([(bent.T @ Z + ALPHA * V / std**2).ravel(), bent.sum(axis=0)])

    start = np.zeros(outputs * (d + 1))
    options = {"maxiter": 5000, "gtol": 1e-9}
    best = minimize(scaled, start, jac=True, hessp=curved, method="trust-ncg", options=options).fun
    share = hot.mean(axis=0)
    return F, best, -np.sum(share * np.log(share))


SETS = {
    "diabetes": lambda: datasets.load_diabetes(return_X_y=True, scaled=False),
    "breast_cancer": lambda: datasets.load_breast_cancer(return_X_y=True),
    "wine": lambda: datasets.load_wine(return_X_y=True),
    "iris": lambda: datasets.load_iris(return_X_y=True),
    "digits": lambda: tuple(a[:900] for a in datasets.load_digits(return_X_y=True)),
    "words": words,
}
_MADE = {}


@pytest.fixture(params=SETS)
def case(request):
    """Model class, rows, target, F, its least value, and its value at an intercept alone."""
    name = request.param
    if name not in _MADE:
        X, y = SETS[name]()
        regress = name == "diabetes"
        model = GDRegressor if regress else GDClassifier
        _MADE[name] = (model, X, y, *(regression if regress else classification)(X, y))
    return _MADE[name]


def excess(case, **params):
    """Where a fit of twenty passes ends: 0 at the optimum, 1 at an intercept alone."""
    model, X, y, F, best, null = case
    fitted = model(alpha=ALPHA, max_iter=20, tol=None, random_state=0, **params).fit(X, y)
    return (F(fitted.coef_, fitted.intercept_) - best) / (null - best)


@pytest.mark.parametrize("solver", NAMES)
def test_twenty_passes_end_near_the_optimum(case, solver):
    assert -1e-6 < excess(case, solver=solver) < 7e-2


@pytest.mark.parametrize("solver", ["sgd", "momentum", "adam"])
def test_the_model_is_a_mean_of_the_iterates_that_favours_late_ones(solver):
    X, y = SETS["diabetes"]()
    params = {"solver": solver, "batch_size": len(y), "tol": None, "random_state": 0}
    # One step a pass, so that runs of 1, 2, ... passes end in the iterates of the longest.
    ends = [GDRegressor(max_iter=t, **params).fit(X, y)._state.state for t in range(1, 6)]
    weights = np.diff(np.arange(6.0) ** 4) / 5**4
    mean = weights @ [state.theta for state in ends]
    np.testing.assert_allclose(ends[-1].point, mean, rtol=1e-10)


@pytest.mark.parametrize("params", [{"penalty": "l1"}, {"eta0": 1e-3}])
def test_with_zeros_to_keep_or_a_rate_given_the_model_is_the_iterate(params):
    X, y = SETS["diabetes"]()
    fitted = GDRegressor(solver="sgd", max_iter=3, tol=None, random_state=0, **params)
    state = fitted.fit((X - X.mean(axis=0)) / X.std(axis=0), y)._state.state
    assert state.memory["average"] is None
    assert np.array_equal(state.point, state.theta)
