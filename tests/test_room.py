"""Slopes that an l1 part has no room for are moved, not scaled, and the bound stays a bound."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose

from skgd import GDClassifier, GDRegressor, _certificate, _room
from skgd._certificate import Certificate
from skgd._problem import Problem
from skgd._room import lacks_room, nearer, solved_part
from skgd.losses import AbsoluteError, Hinge, Huber, LogLoss, OneVsRest, Softmax, SquaredHinge
from skgd.objectives import LinearObjective, Moments, make_scaled
from skgd.penalties import L1, L2, ElasticNet
from skgd.solvers import LBFGS
from skgd.solvers._composite import conjugate_gradients

CASES = [
    (LogLoss(), "binary"),
    (SquaredHinge(), "binary"),
    (Huber(0.3), "regression"),
    (Softmax(), "classes"),
    (OneVsRest(LogLoss()), "classes"),
]


@pytest.fixture(autouse=True)
def few_are_many(monkeypatch):
    monkeypatch.setattr(_room, "FACTORED", 100)


def words(n=300, d=900):
    """Return counts of words, most of which a handful of rows have."""
    rng = np.random.RandomState(0)
    often = 2.0 / (1.0 + np.arange(d)) ** 0.8
    X = sp.csr_matrix(rng.poisson(np.broadcast_to(often, (n, d))).astype(float))
    X.indices, X.indptr = X.indices.astype(np.int32), X.indptr.astype(np.int32)
    return X[:, np.asarray((X != 0).sum(axis=0)).ravel() > 0]


def words_problem(loss, kind, *, dense=False, penalty=None, alpha=2e-3, fit_intercept=True):
    X = words()
    rng = np.random.RandomState(1)
    score = X[:, :40] @ rng.standard_normal(40) + 0.3 * rng.standard_normal(X.shape[0])
    y = {
        "binary": np.where(score > np.median(score), 1.0, -1.0),
        "regression": score,
        "classes": np.digitize(score, np.quantile(score, [0.3, 0.7])).astype(float),
    }[kind]
    k = 3 if kind == "classes" else 1
    X = np.ascontiguousarray(X.toarray()) if dense else X
    plain = LinearObjective(X, y, np.ones(len(y)), loss, n_outputs=k, fit_intercept=fit_intercept)
    scaled = make_scaled(plain, Moments.of(plain), alpha, stochastic=False, uniform=False)
    return Problem(scaled, penalty or L1(), alpha)


class OnAllColumns(LBFGS):
    """Without steps on the columns that matter, after which there is nothing to move."""

    @staticmethod
    def _on_columns(problem, state):
        return None


def descended(problem, steps, until=lambda state: False):
    solver = OnAllColumns()
    state = solver.init(problem, problem.objective.zeros(), None)
    for _ in range(steps):
        if "stalled" in state.memory or until(state):
            break
        state = solver.step(problem, state)
    return state


def gradient(problem, eta):
    objective = problem.objective
    return objective.split(objective.adjoint(objective.slopes(eta)[1]))[0] / -objective.mass


@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("loss, kind", CASES, ids=lambda value: str(value))
def test_the_bound_comes_near_the_optimum_long_before_slopes_need_no_scaling(
    monkeypatch, loss, kind, dense
):
    problem = words_problem(loss, kind, dense=dense, alpha=5e-4)
    null = problem.value(problem.objective.zeros())

    def solved(state):
        v = gradient(problem, problem.objective.linear(state.theta))
        bend = loss.curvature or 1.0
        return solved_part(problem, state.theta, v, bend) <= 3e-5 * (null - state.value)

    state = descended(problem, 1000, solved)
    monkeypatch.setattr(_certificate, "_FACTORED", 0)  # no Newton steps of the whole
    monkeypatch.setattr(_certificate, "_SMOOTHINGS", 0)
    found = []
    for rooms in (0, 12):
        monkeypatch.setattr(_certificate, "_ROOMS", rooms)
        certificate = Certificate(problem, null, 1e-4)
        figure = certificate.optimality(state.theta, state.value)
        found.append((certificate.bound, figure))
    best = descended(problem, 3000).value
    scaled, moved = (bound for bound, _ in found)
    assert scaled <= best
    assert moved <= best
    assert found[1][1] <= 1e-4 < found[0][1]
    assert found[1][1] >= (state.value - best) / (null - best)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("loss, kind", [CASES[0], CASES[3], CASES[4]], ids=lambda v: str(v))
def test_linear_predictors_move_as_the_second_derivatives_along_columns_say(
    monkeypatch, loss, kind, fit_intercept
):
    problem = words_problem(loss, kind, fit_intercept=fit_intercept)
    objective = problem.objective
    monkeypatch.setattr("skgd._room._PRODUCTS", 500)
    monkeypatch.setattr("skgd._room._ENOUGH", 1e-9)
    eta = objective.linear(descended(problem, 8).theta)
    v = gradient(problem, eta)
    beyond = np.sign(v) * np.maximum(np.abs(v) - problem.l1, 0.0)
    assert 0 < (beyond != 0).sum() < v.size
    # The Hessian by finite differences of gradients, one coefficient that moves at a time.
    moving = np.append(beyond.ravel() != 0, np.full(objective.n_outputs, fit_intercept))
    at = np.flatnonzero(moving)

    def whole(eta):
        return objective.adjoint(objective.slopes(eta)[1]) / objective.mass

    H, Z, h = [], [], 1e-4
    for i in at:
        one = np.zeros(objective.n_params)
        one[i] = 1.0
        Z.append(objective.linear(one))
        H.append((whole(eta + h * Z[-1]) - whole(eta - h * Z[-1]))[at] / (2 * h))
    H = np.array(H).T
    if loss.joint:  # a softmax does not see a shift of all classes alike
        H[np.diag_indices(len(H))] *= 1.0 + 1e-3
    right = np.append(beyond.ravel(), np.zeros(objective.n_outputs))[at]
    x = np.linalg.solve(H, right)
    moved = nearer(problem, eta, v) - eta
    expected = np.tensordot(x, np.array(Z), axes=1)
    assert_allclose(moved, expected, rtol=2e-3, atol=2e-4 * np.abs(expected).max())


def test_only_an_l1_part_alone_and_second_derivatives_ask_for_room(monkeypatch):
    assert lacks_room(words_problem(LogLoss(), "binary"))
    assert lacks_room(words_problem(Softmax(), "classes"))
    assert not lacks_room(words_problem(LogLoss(), "binary", penalty=L2()))
    assert not lacks_room(words_problem(LogLoss(), "binary", penalty=ElasticNet(0.5)))
    assert not lacks_room(words_problem(Hinge(), "binary"))
    assert not lacks_room(words_problem(AbsoluteError(), "regression"))
    monkeypatch.setattr(_room, "FACTORED", 1500)
    assert lacks_room(words_problem(Softmax(), "classes"))
    assert not lacks_room(words_problem(LogLoss(), "binary"))


def test_what_is_solved_is_the_part_of_the_gap_that_columns_leave_with_what_moving_them_gains():
    problem = words_problem(LogLoss(), "binary")
    theta = problem.objective.zeros()
    W, d = problem.objective.split(theta)[0], problem.objective.n_features
    W[0, :3] = 2.0, -1.0, 4.0
    l1 = np.broadcast_to(problem.l1, (1, d))
    v = np.zeros((1, d))
    v[0, :4] = 5.0 * l1[0, 0], -0.5 * l1[0, 1], l1[0, 2], 9.0
    bend = np.full((1, d), 2.0)
    gain = ((4.0 * l1[0, 0]) ** 2 + (9.0 - l1[0, 3]) ** 2) / 4.0
    assert_allclose(solved_part(problem, theta, v, bend), 0.5 * l1[0, 1] + gain, rtol=1e-12)


def test_conjugate_gradients_solve_and_stop_where_they_may():
    rng = np.random.RandomState(0)
    A = rng.standard_normal((30, 12))
    A = A.T @ A
    r, calls = rng.standard_normal(12), []

    def apply(p):
        calls.append(p)
        return A @ p

    x = conjugate_gradients(apply, lambda r: r / np.diag(A), r, 1e-10, 100)
    assert_allclose(A @ x, r, rtol=1e-7)
    full = len(calls)
    left = r - A @ conjugate_gradients(apply, lambda r: r / np.diag(A), r, 0.1, 100)
    assert left @ (left / np.diag(A)) <= 0.01 * (r @ (r / np.diag(A)))
    assert len(calls) - full < full
    assert not conjugate_gradients(lambda p: 0.0 * p, lambda r: r, r, 0.1, 100).any()


def test_a_fit_on_words_stops_sooner_and_certified():
    X = words(800, 3000)
    rng = np.random.RandomState(2)
    score = X[:, :60] @ rng.standard_normal(60)
    est = GDClassifier(penalty="l1", alpha=2e-5, solver="lbfgs", max_iter=2000)
    est.fit(X, score > np.median(score))
    assert est.converged_
    assert est.optimality_ <= 1e-4
    est = GDRegressor("huber", penalty="l1", alpha=2e-4, solver="lbfgs").fit(X, score)
    assert est.converged_
