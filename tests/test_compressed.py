"""As few rows as columns have the squared errors of all rows; a gradient foretells the gap."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.linear_model import Ridge

from skgd import GDRegressor
from skgd._certificate import Certificate
from skgd.losses import LogLoss, SquaredError
from skgd.objectives import Moments, compressed, make_objective
from skgd.penalties import L1, L2, ElasticNet
from skgd.solvers import Newton


def mean_errors(X, y, s, W, b):
    return 0.5 * s @ ((X @ W.T + b - y) ** 2).sum(axis=1) / s.sum()


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_few_rows_have_the_squared_errors_of_all(n_outputs, fit_intercept, known, house, rows):
    rng = np.random.RandomState(0)
    X = rows(n=200, d=6) * np.float32([1, 1e-3, 1e3, 1, 1, 1]) + 2.0
    X[:, 5] = X[:, 4]  # dependent
    X = np.ascontiguousarray(X.astype(np.float32), dtype=float)
    Y = rng.standard_normal((200, n_outputs)) + 7.0
    s = rng.uniform(size=200) * (rng.uniform(size=200) < 0.8)
    y = Y[:, 0].copy() if n_outputs == 1 else Y
    loss = SquaredError()
    objective = make_objective(
        house(X), y, s, loss, n_outputs=n_outputs, fit_intercept=fit_intercept
    )
    if known:
        Moments.of(objective)
    found = compressed(objective)
    few = found.objective
    assert few.n_rows <= 6 + n_outputs
    for _ in range(3):
        W = rng.standard_normal((n_outputs, 6)) / [1, 1e-3, 1e3, 1, 1, 1]
        theta = np.append(W, np.zeros(n_outputs))
        b = np.zeros(n_outputs)
        if fit_intercept:
            b = (s @ (Y - X @ W.T)) / s.sum()
        whole, ours = mean_errors(X, Y, s, W, b), few.loss_sum(theta) / few.mass
        assert_allclose(ours, whole, rtol=1e-8)
        assert abs(ours - whole) <= 100 * found.noise(theta)
        assert_allclose(found.with_intercepts(theta), np.append(W, b), rtol=1e-9, atol=1e-9)


def test_moments_that_are_not_known_are_found_on_the_way(monkeypatch):
    rng = np.random.RandomState(0)
    n = 5000
    X = rng.standard_normal((n, 5)) + [0.0, 1e6, 0.0, 0.0, 3.0]
    X[:, 0] = 1e6 + 0.1  # of which an average is off by rounding
    X[:, 2] = np.sort(X[:, 2])
    X[:, 3] = 0.0
    X[rng.choice(n, 40, replace=False), 3] = 1e9  # which few rows know nothing of
    y = X[:, 1] - X[:, 2] + rng.standard_normal(n)
    objective = make_objective(X, y, np.ones(n), SquaredError())
    read = []
    monkeypatch.setattr(Moments, "of", lambda objective: read.append(1))
    found = compressed(objective)
    assert not read
    assert_allclose(found.mean, X.mean(axis=0), rtol=1e-12)
    assert_allclose(found.scale[1:], X.std(axis=0)[1:], rtol=1e-12)
    assert not found.objective.X[:, 0].any()
    W = np.array([[5.0, 1.0, -1.0, 1e-9, 0.1]])
    whole = mean_errors(X, y[:, None], np.ones(n), W, y.mean() - W @ X.mean(axis=0))
    ours = found.objective.loss_sum(np.append(W, 0.0)) / found.objective.mass
    assert_allclose(ours, whole, rtol=1e-9)


def test_a_sample_far_from_the_mean_is_not_relied_on():
    rng = np.random.RandomState(0)
    n = 64 * 63 + 1
    X = rng.standard_normal((n, 3))
    X[::64, 1] += 1e8  # the very rows that are looked at
    objective = make_objective(X, X[:, 0] + X[:, 1], np.ones(n), SquaredError())
    assert_allclose(compressed(objective).scale, X.std(axis=0), rtol=1e-12)
    X[::64, 1] -= 1e8
    X[:-1, 1] += 1e8
    X[-1, 1] = 0.0
    objective = make_objective(X, X[:, 0] + X[:, 2], np.ones(n), SquaredError())
    assert_allclose(compressed(objective).mean, X.mean(axis=0), rtol=1e-12)


def test_a_sample_that_knows_nothing_of_a_column_is_not_relied_on():
    # Bumps that few of the rows are near: in the sample 1e-300, elsewhere up to 1.
    for seed in (13, 16, 25):
        rng = np.random.RandomState(seed)
        x = rng.uniform(size=2000)
        X = np.exp(-3e6 * (x[:, None] - rng.uniform(size=20)) ** 2)
        y = np.sin(9 * x) + 0.1 * rng.standard_normal(2000)
        est, ridge = GDRegressor(tol=1e-9).fit(X, y), Ridge(alpha=1e-4 * 2000).fit(X, y)
        assert_allclose(est.coef_, ridge.coef_, atol=1e-6)


def test_columns_whose_squares_overflow_are_named():
    rng = np.random.RandomState(0)
    X = rng.standard_normal((2000, 3)) * [1.0, 1e155, 1.0]
    with pytest.raises(ValueError, match=r"Column 1 of X goes from -\d.*e\+155 to"):
        GDRegressor().fit(X, X[:, 0])


def test_second_moments_that_overflow_are_none():
    X = np.array([[1e160, 1.0], [-1e160, 2.0], [1e160, 3.0]])
    objective = make_objective(X, np.arange(3.0) * 1e160, np.ones(3), SquaredError())
    with np.errstate(over="ignore"):
        assert compressed(objective) is None
        Moments.of(objective)
        assert compressed(objective) is None


@pytest.mark.parametrize("penalty", [L1(), L2(), ElasticNet(l1_ratio=0.5)])
@pytest.mark.parametrize("kind", ["binary", "regression"])
def test_a_gradient_foretells_the_gap(penalty, kind, make_problem):
    loss = LogLoss() if kind == "binary" else SquaredError()
    problem = make_problem(loss, penalty, 0.03, kind=kind, n=300, scaled=True)
    solver, theta = Newton(), problem.objective.zeros()
    certificate = Certificate(problem, problem.value(theta))
    best = solver.init(problem, theta, None)
    for _ in range(20):
        best = solver.step(problem, best)
    told = []
    for part in (0.1, 0.03, 0.01):
        point = best.theta * (1.0 + part)
        value, grad, eta = problem.look(point)
        promise = certificate.promise(point, value, grad)
        found = Certificate(problem, certificate.null_value)
        found._promising = lambda *args: False  # the slopes as they are, and no better ones
        told.append(promise / found.optimality(point, value, eta))
    assert all(0.2 < ratio < 3.0 for ratio in told), told
