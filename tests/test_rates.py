"""With no rate given, every rule comes near the optimum in twenty passes, whatever the data."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import minimize
from scipy.special import logsumexp
from sklearn import datasets
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import ElasticNet, Ridge

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


def rates_of(max_iter, **params):
    X, y = SETS["breast_cancer"]()
    params = {"solver": "sgd", "tol": None, "random_state": 0, **params}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # ends at max_iter, as is meant
        return GDClassifier(max_iter=max_iter, **params).fit(X, y).history_["rate"]


@pytest.mark.parametrize("penalty", ["l2", "l1"])
def test_rates_of_a_fit_cool_down_where_it_has_passes_for_it(penalty):
    warm, cold = rates_of(19, penalty=penalty), rates_of(20, penalty=penalty)
    assert warm[-1] > 0.5 * warm[11]
    assert 0.0 < cold[-1] < 0.05 * cold[11]
    # A run that a rule may end sooner begins as a longer one does.
    stopped = rates_of(20, penalty=penalty, tol=1e-12, n_iter_no_change=20)
    longer = rates_of(60, penalty=penalty, tol=1e-12, n_iter_no_change=60)
    np.testing.assert_array_equal(stopped[:12], longer[:12])
    assert 0.0 < stopped[-1] < 0.05 * stopped[11]


def test_beside_a_mean_rates_fall_slowly_and_those_of_adagrad_not_at_all():
    assert (np.diff(rates_of(20, solver="adagrad")[:12]) == 0).all()
    for solver, power in (("sgd", 0.75), ("amsgrad", 0.25)):
        by_itself = rates_of(12, solver=solver, penalty="l1")
        beside = rates_of(12, solver=solver)
        falls = [np.log(rates[0] / rates[-1]) for rates in (by_itself, beside)]
        assert RULES[solver].auto_power == power
        assert 0.0 < falls[1] < 0.4 * falls[0]


def test_a_stream_never_cools_down():
    X, y = SETS["breast_cancer"]()
    est = GDClassifier(solver="sgd", max_iter=20, random_state=0)
    rates = []
    for _ in range(25):
        rates.append(est.partial_fit(X, y, classes=[0, 1])._state.state.rate)
    assert rates[-1] > 0.5 * rates[11]


@pytest.mark.parametrize(
    "solver, ratio",
    [("momentum", 0.0), ("adam", 0.0), ("sgd", 0.5), ("momentum", 0.5), ("adam", 0.5)],
)
def test_a_fit_that_cools_down_ends_nearer(solver, ratio, monkeypatch):
    rng = np.random.default_rng(3)
    X = rng.standard_normal((3000, 20)) @ (np.eye(20) + 0.5) * np.geomspace(0.1, 10, 20)
    y = X @ (rng.standard_normal(20) / X.std(axis=0)) + 3.0 * rng.standard_normal(3000)
    params = {"penalty": "elasticnet" if ratio else "l2", "l1_ratio": ratio, "alpha": 1e-3}

    def F(coef, intercept):
        size = ratio * np.abs(coef).sum() + (1 - ratio) / 2 * (coef @ coef)
        return np.mean((y - X @ coef - intercept) ** 2) / 2 + 1e-3 * size

    if ratio:
        oracle = ElasticNet(alpha=1e-3, l1_ratio=ratio, tol=1e-12, max_iter=100_000).fit(X, y)
    else:
        oracle = Ridge(alpha=1e-3 * len(y), solver="svd").fit(X, y)
    best, ends = F(oracle.coef_, oracle.intercept_), []
    for least in (20, 10**9):
        monkeypatch.setattr("skgd._params._PASSES", least)
        est = GDRegressor(solver=solver, max_iter=20, tol=None, random_state=0, **params)
        est.fit(X, y)
        ends.append(F(est.coef_, est.intercept_) - best)
        np.testing.assert_allclose(est.loss_curve_[-1], F(est.coef_, est.intercept_), rtol=1e-9)
    assert ends[0] < 0.7 * ends[1]


@pytest.mark.parametrize("solver", ["sgd", "momentum", "adam", "adadelta"])
def test_rows_that_are_learnt_on_do_not_throw_the_model_back(solver):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((3000, 30))
    y = (X @ rng.standard_normal(30) / 3 + 0.5 * rng.standard_normal(3000) > 0).astype(int)
    F, best, null = classification(X, y)
    est = GDClassifier(alpha=ALPHA, solver=solver, max_iter=20, tol=None, random_state=0).fit(X, y)
    ends = [F(est.coef_, est.intercept_) - best]
    for _ in range(3):
        est.partial_fit(X, y)
        ends.append(F(est.coef_, est.intercept_) - best)
    # Rates are warm again, but the mean remembers.
    assert max(ends) < 1.5 * ends[0] + 1e-5 * (null - best)


def rare_words(n_rows, n_features, length):
    """Words, all of one scale: the rare ones are learnt slowly at the rate of the frequent."""
    rng = np.random.default_rng(0)
    often = 1 / np.arange(3, n_features + 3)
    X = rng.poisson(length * often / often.sum(), size=(n_rows, n_features)).astype(float)
    X /= np.where(X.std(axis=0) > 0, X.std(axis=0), 1)
    eta = X @ rng.standard_normal(n_features)
    return sp.csr_array(X), (eta > np.median(eta)).astype(int)


def end_of(X, y, solver, **constants):
    """F after twenty passes with other constants of the pilot, and the rate then and at first."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in constants.items():
            patch.setattr(f"skgd.solvers._pilot.{name}", value)
        est = GDClassifier(solver=solver, max_iter=20, tol=None, random_state=0).fit(X, y)
    assert not len(est.restarts_)
    memory = est._state.state.memory
    return est.loss_curve_[-1], memory["eta0"], memory["mean_eta0"]


@pytest.mark.parametrize("solver", ["sgd", "momentum"])
def test_rates_are_raised_where_the_iterate_is_better_than_the_mean(solver):
    X, y = rare_words(1500, 3000, 40)
    without, raised = end_of(X, y, solver, _LOOKS=()), end_of(X, y, solver)
    assert raised[0] < 0.6 * without[0]
    assert raised[1] / without[1] in (2, 4, 8)


@pytest.mark.parametrize("solver", ["sgd", "adagrad"])
def test_rates_are_raised_where_noise_is_little_beside_what_f_falls_by(solver):
    X, y = rare_words(8192, 2000, 20)
    without, raised = end_of(X, y, solver, _SLIGHT=0.0), end_of(X, y, solver)
    assert without[1] == without[2]
    assert raised[0] < 0.8 * without[0]
    assert raised[1] / raised[2] in (2, 4)
    # Fewer rows leave more noise in the end.
    few = end_of(X[:8191], y[:8191], solver)
    assert few[1] == few[2]


def test_rates_that_were_raised_too_far_are_taken_back():
    X, y = rare_words(1500, 3000, 40)
    without, far = end_of(X, y, "sgd", _LOOKS=()), end_of(X, y, "sgd", _BOLDER=512.0)
    assert far[1] == far[2] == without[1]
    # Passes that were undone are lost, and no more.
    assert without[0] < far[0] < 2.0 * without[0]
