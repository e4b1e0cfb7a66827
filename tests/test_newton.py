"""Newton reaches the optimum in few steps, whatever columns, penalty, sample or home."""

from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize
from sklearn import linear_model
from sklearn.base import clone

from skgd import GDClassifier, GDRegressor
from skgd._problem import Problem
from skgd.losses import (
    Gamma,
    Huber,
    LogCosh,
    LogLoss,
    ModifiedHuber,
    Poisson,
    Softmax,
    SquaredEpsilonInsensitive,
    SquaredError,
    SquaredHinge,
    Tweedie,
)
from skgd.objectives import LinearObjective, Moments, make_scaled
from skgd.penalties import L1, L2, ElasticNet, NoPenalty, UserPenalty
from skgd.solvers import Newton, _curvature, _newton

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

CASES = [
    (SquaredError(), "regression"),
    (Huber(0.5), "regression"),
    (Huber(1e-4), "regression"),
    (LogCosh(0.5), "regression"),
    (SquaredEpsilonInsensitive(0.3), "regression"),
    (Poisson(), "counts"),
    (Gamma(), "positive"),
    (Tweedie(1.5), "positive"),
    (LogLoss(), "binary"),
    (SquaredHinge(), "binary"),
    (ModifiedHuber(), "binary"),
    (Softmax(), "classes"),
    (SquaredHinge().multiclass(), "classes"),
    (SquaredError(), "targets"),
    (LogCosh(), "targets"),
]
PENALTIES = [L2(), L1(), ElasticNet(0.5), NoPenalty()]


def label(value):
    return value if isinstance(value, str) else repr(value)


def run(problem, steps=60, memory=5):
    """Return the state after ``steps``, and F after each."""
    solver = Newton(memory)
    state = solver.init(problem, problem.objective.zeros(), None)
    values = [state.value]
    for _ in range(steps):
        if state.memory.get("stalled"):
            break
        state = solver.step(problem, state)
        values.append(state.value)
    return state, np.array(values)


def margins(problem, theta):
    """Return predictors, of softmax about their mean: the rest is nobody's business."""
    eta = problem.objective.linear(theta)
    return eta - eta.mean(axis=1, keepdims=True) if eta.shape[1] > 1 else eta


def scipy_optimum(problem):
    """Return the least F that L-BFGS-B finds with W = P - Q, both at least zero."""
    k, zero = problem.objective.n_coef, problem.objective.zeros()
    l1 = np.broadcast_to(problem.l1, (problem.objective.n_outputs, problem.objective.n_features))

    def lifted(z):
        theta = np.append(z[:k] - z[k : 2 * k], z[2 * k :])
        value, grad = problem.value_grad(theta)
        value -= (l1.ravel() * np.abs(theta[:k])).sum()
        value += (l1.ravel() * (z[:k] + z[k : 2 * k])).sum()
        G = grad[:k]
        return value, np.concatenate([G + l1.ravel(), l1.ravel() - G, grad[k:]])

    found = minimize(
        lifted,
        np.concatenate([zero[:k], zero]),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0, None)] * (2 * k) + [(None, None)] * (len(zero) - k),
        options={"maxiter": 5000, "maxfun": 10**5, "ftol": 1e-16, "gtol": 1e-10},
    )
    return found.fun


@pytest.mark.parametrize("penalty", PENALTIES, ids=repr)
@pytest.mark.parametrize("loss, kind", CASES, ids=label)
def test_f_falls_to_that_of_scipy_and_never_rises(make_problem, loss, kind, penalty):
    problem = make_problem(loss, penalty, 0.03, kind=kind, scaled=True)
    state, values = run(problem, 200)
    assert (np.diff(values) <= 1e-14 * np.abs(values[1:])).all()
    least = scipy_optimum(problem)
    assert values[-1] - least < 1e-9 * (values[0] - least)
    # F that cannot be told apart leaves slopes of the root of its rounding.
    assert state.violation < 1e-6 * max(1.0, values[0])


@pytest.mark.parametrize("fit_intercept", [False, True])
def test_squared_error_takes_one_step(make_problem, fit_intercept):
    problem = make_problem(SquaredError(), NoPenalty(), kind="targets", fit_intercept=fit_intercept)
    objective = problem.objective
    state, _ = run(problem, 1)
    X = objective.X.toarray() if objective.sparse else objective.X
    X = np.column_stack([X, np.ones(60)]) if fit_intercept else X
    best = np.linalg.lstsq(X.astype(float), objective.y, rcond=None)[0]
    W, b = objective.split(state.theta)
    # The Hessian is damped by a ten-thousandth of a millionth, and no more.
    assert_allclose(W, best[:5].T, rtol=1e-7, atol=1e-8)
    assert_allclose(b, best[5] if fit_intercept else 0.0, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("kind", ["regression", "binary", "classes", "targets"])
@pytest.mark.parametrize("penalty", ["l2", "l1", "elasticnet", None])
def test_dense_and_csr_rows_give_the_same_steps(rows, target, kind, penalty):
    X = rows(120, 6) + np.array([0, 0, 3, 0, 0, 0])
    y = target(rows(120, 6), kind)
    cls = GDClassifier if kind in ("binary", "classes") else GDRegressor
    est = cls(solver="newton", penalty=penalty, alpha=0.01, tol=1e-10)
    dense, sparse = (clone(est).fit(home(X), y) for home in (np.asarray, sp.csr_array))
    assert dense.converged_
    assert sparse.n_iter_ == dense.n_iter_
    assert_allclose(sparse.loss_curve_, dense.loss_curve_, rtol=1e-10)
    # Without a penalty coefficients of a softmax may all move together.
    W, V = (est.coef_ - (kind == "classes") * est.coef_.mean(axis=0) for est in (dense, sparse))
    assert_allclose(V, W, rtol=1e-7, atol=1e-8)


# ---- the other ways to a Hessian ----


@pytest.mark.parametrize("penalty", [L2(), L1(), NoPenalty()], ids=repr)
@pytest.mark.parametrize("loss, kind", [CASES[3], CASES[8], CASES[11], CASES[13]], ids=label)
def test_a_sample_of_rows_leads_to_the_same_optimum(make_problem, monkeypatch, loss, kind, penalty):
    problem = make_problem(loss, penalty, 0.01, kind=kind, n=400, scaled=True)
    all_rows, _ = run(problem)
    monkeypatch.setattr(_newton, "_CHEAP", 0)
    monkeypatch.setattr(_newton, "_PER_COLUMN", 2)
    monkeypatch.setattr(_newton, "_BALANCE", 0)
    first = Newton().init(problem, problem.objective.zeros(), None)
    assert first.memory["sample"] < 100
    state, values = run(problem)
    assert (np.diff(values) <= 1e-14 * np.abs(values[1:])).all()
    assert_allclose(margins(problem, state.theta), margins(problem, all_rows.theta), atol=1e-5)


@pytest.mark.parametrize("penalty", [*PENALTIES, UserPenalty(L1())], ids=repr)
def test_a_softmax_class_by_class_leads_to_the_same_optimum(make_problem, monkeypatch, penalty):
    problem = make_problem(Softmax(), penalty, 0.01, kind="classes", n=100, scaled=True)
    whole, _ = run(problem)
    monkeypatch.setattr(_curvature, "FACTORED", problem.objective.n_features + 1)
    monkeypatch.setattr(_newton, "_CLASSES", 5)  # steps of L-BFGS, which would do
    state, values = run(problem, 200)
    assert len(state.memory["model"].blocks) == problem.objective.n_outputs
    assert (np.diff(values) <= 1e-14 * np.abs(values[1:])).all()
    assert_allclose(margins(problem, state.theta), margins(problem, whole.theta), atol=5e-5)


@pytest.mark.parametrize("part, fast", [(0.6, True), (1e-9, False)])
def test_hessians_of_classes_wait_while_steps_without_go_fast(
    make_problem, monkeypatch, part, fast
):
    for name, value in (("_CLASSES", 12), ("_SPAN", 4), ("_FAST", part)):
        monkeypatch.setattr(_newton, name, value)
    problem = make_problem(Softmax(), L2(), 0.1, kind="classes", n=100, scaled=True)
    monkeypatch.setattr(_curvature, "FACTORED", problem.objective.n_features + 1)
    state, values = run(problem, 14)
    assert (values[8] - values[12] < part * (values[4] - values[8])) == fast
    assert (state.memory["wait"] > 12) == fast
    assert (state.memory["model"] is None) == fast


@pytest.mark.parametrize("penalty", [*PENALTIES, UserPenalty(L1())], ids=repr)
@pytest.mark.parametrize("loss, kind", [CASES[5], CASES[8], CASES[11], CASES[13]], ids=label)
def test_conjugate_gradients_lead_to_the_same_optimum(
    make_problem, monkeypatch, loss, kind, penalty
):
    problem = make_problem(loss, penalty, 0.01, kind=kind, n=100, scaled=True)
    factored, _ = run(problem)
    monkeypatch.setattr(_newton, "FACTORED", 1)
    monkeypatch.setattr(_curvature, "ROWS", 0)
    monkeypatch.setattr(_newton, "_FIRST", 0)  # steps of L-BFGS
    state, values = run(problem, 200)
    assert type(state.memory["model"]).__name__ == "Applied"
    assert (np.diff(values) <= 1e-14 * np.abs(values[1:])).all()
    assert_allclose(margins(problem, state.theta), margins(problem, factored.theta), atol=5e-5)


def test_steps_without_a_hessian_come_first_where_it_is_dear(make_problem, monkeypatch):
    problem = make_problem(LogLoss(), L2(), 0.01, kind="binary", scaled=True)
    at_once, _ = run(problem)
    monkeypatch.setattr(_newton, "_NOTHING", 0)
    monkeypatch.setattr(_newton, "_PRODUCTS", 1e-3)
    state, _ = run(problem, 3)
    assert state.memory["wait"] > 3
    assert state.memory["model"] is None
    assert_allclose(run(problem)[0].theta, at_once.theta, atol=1e-6)


@pytest.mark.parametrize("penalty", [L2(), L1()], ids=repr)
def test_many_rows_begin_where_a_sample_of_them_ends(penalty, monkeypatch):
    monkeypatch.setattr(_newton, "_MANY", 0)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40_000, 5)) * [1e-3, 1, 1, 1, 1e3]
    y = np.where(X @ [500.0, 1, -1, 0, 1e-3] + rng.logistic(size=40_000) > 0, 1.0, -1.0)
    plain = LinearObjective(X, y, np.ones(40_000), LogLoss())
    problem = Problem(
        make_scaled(plain, Moments.of(plain), 1e-4, stochastic=False, uniform=False), penalty, 1e-4
    )
    zero, solver = problem.objective.zeros(), Newton()
    state = solver.init(problem, zero, None)
    began = state.value
    for _ in range(5):
        state = solver.step(problem, state)
    assert 0 <= began - state.value < 0.03 * (problem.value(zero) - state.value)
    if penalty.smooth:
        best = minimize(problem.value_grad, zero, jac=True, method="L-BFGS-B")
        assert_allclose(state.value, best.fun, rtol=1e-9)
    # Who names a start means it, and a sample that leads nowhere is left alone.
    named = problem.objective.zeros()
    named[0] = 0.1
    assert_array_equal(solver.init(problem, named, None).theta, named)


# ---- penalties of the user's ----


class NonNegative:
    separable = True

    def value(self, coef):
        return 0.0 if coef.min() >= 0 else np.inf

    def prox(self, coef, t):
        return np.maximum(coef, 0.0)


class GroupLasso:
    """All coefficients of a row of W shrink together: not separable."""

    def value(self, coef):
        return float(np.sqrt((coef**2).sum(axis=-1)).sum())

    def prox(self, coef, t):
        norms = np.sqrt((coef**2).sum(axis=-1, keepdims=True))
        return coef * np.maximum(0, 1 - t / np.maximum(norms, 1e-300))


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("loss, kind", [CASES[0], CASES[8]], ids=label)
def test_coefficients_of_at_least_zero_are_those_of_scipy(make_problem, loss, kind, scaled):
    problem = make_problem(loss, UserPenalty(NonNegative()), 1.0, kind=kind, scaled=scaled)
    state, _ = run(problem)
    plain = make_problem(loss, NoPenalty(), kind=kind)
    best = minimize(
        plain.value_grad,
        plain.objective.zeros(),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0, None)] * 5 + [(None, None)],
        options={"ftol": 1e-16, "gtol": 1e-10, "maxiter": 5000},
    )
    got = problem.objective.to_user(state.theta)
    assert_allclose(got, best.x, atol=1e-5)
    assert_array_equal(got[:5] == 0, best.x[:5] == 0)


@pytest.mark.parametrize("alpha", [0.02, 0.2, 5.0])
@pytest.mark.parametrize("scaled", [False, True])
def test_a_penalty_that_is_not_separable_reaches_the_optimum_of_scipy(make_problem, alpha, scaled):
    problem = make_problem(SquaredError(), UserPenalty(GroupLasso()), alpha, scaled=scaled)
    values = run(problem)[1]
    # Away from zero the penalty is smooth; zero itself is tried too.
    zero = problem.objective.zeros()
    zero[-1] = problem.objective.from_user(zero)[-1] + problem.objective.y.mean()
    found = minimize(problem.value, 0.1 + zero, tol=1e-12)
    least = min(found.fun, problem.value(zero))
    assert values[-1] - least < 1e-8 * (values[0] - least)


# ---- hard columns ----


@pytest.mark.parametrize("penalty, alpha", [("l2", 1e-4), ("l1", 0.01), (None, 0.0)])
@pytest.mark.parametrize("home", [np.asarray, sp.csr_array])
def test_dependent_and_constant_columns_are_no_obstacle(rows, target, home, penalty, alpha):
    X = rows(200, 5)
    y = target(X, "binary")
    # A copy, a sum, a constant and a column of zeros; raw scales.
    hard = np.column_stack([X, X[:, 0], X[:, 1] + X[:, 2], np.full(200, 7.0), np.zeros(200)])
    hard = hard * np.logspace(-2, 2, 9)
    est = GDClassifier(solver="newton", penalty=penalty, alpha=alpha, tol=1e-9, max_iter=100)
    est.fit(home(hard), y)
    assert est.stop_reason_ in ("converged", "no_improvement")
    other = GDClassifier(solver="lbfgs", penalty=penalty, alpha=alpha, tol=1e-9, max_iter=5000)
    other.fit(home(hard), y)
    # Measured against the optimum by other code where columns do not depend on each other.
    assert est.loss_curve_[-1] <= other.loss_curve_[-1] * (1 + 1e-7)
    if penalty is None:
        exact = linear_model.LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(X, y)
        assert_allclose(est.decision_function(home(hard)), exact.decision_function(X), atol=1e-4)


def test_correlated_columns_take_few_steps():
    rng = np.random.RandomState(0)
    X = rng.standard_normal((500, 1)) + 1e-3 * rng.standard_normal((500, 20))
    y = (X @ rng.standard_normal(20) * 300 + rng.logistic(size=500) > 0).astype(int)
    est = GDClassifier(solver="newton", alpha=1e-6, tol=1e-8).fit(X, y)
    assert est.converged_
    assert est.n_iter_ <= 25
    exact = linear_model.LogisticRegression(C=1 / (1e-6 * 500), tol=1e-12, max_iter=10**4)
    exact.fit(X, y)
    assert_allclose(est.predict_proba(X), exact.predict_proba(X), atol=1e-3)


@pytest.mark.parametrize("penalty", ["l2", "l1"])
def test_weights_are_repetitions(rows, target, penalty):
    X = rows(60, 5)
    y = target(X, "counts")
    s = np.random.RandomState(0).randint(0, 4, 60)
    est = GDRegressor("poisson", solver="newton", penalty=penalty, alpha=0.01, tol=1e-10)
    weighted = est.fit(X, y, sample_weight=s).coef_.copy()
    assert_allclose(est.fit(np.repeat(X, s, axis=0), np.repeat(y, s)).coef_, weighted, rtol=1e-6)


def test_what_an_estimator_of_scikit_learn_finds_is_found(rows, target):
    X = rows(300, 5) * [1, 100, 1, 0.01, 1] + 5
    y = target(rows(300, 5), "classes")
    oracle = linear_model.LogisticRegression(
        C=1 / (0.01 * 300), tol=1e-12, max_iter=10**4, solver="newton-cholesky"
    ).fit(X, y)
    est = GDClassifier(solver="newton", alpha=0.01, tol=1e-12).fit(X, y)
    assert_allclose(est.predict_proba(X), oracle.predict_proba(X), atol=1e-6)
    assert est.n_iter_ <= 20


# ---- beside a penalty with a kink ----


def test_a_hessian_that_is_off_is_not_tried_again_beside_an_l1_part(monkeypatch):
    # No pairs correct it: a step with an old one was 1e-10 of what it should be, as often as not.
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 40)) * (rng.random((300, 40)) < 0.1)
    y = np.sign(X @ rng.normal(size=40) + 0.1 * rng.normal(size=300))
    step, steps = Newton.step, []

    def watched(self, problem, state):
        old, before = state.memory["model"] is not None, state.violation
        state = step(self, problem, state)
        steps.append((old, state.violation / before))
        return state

    monkeypatch.setattr(Newton, "step", watched)
    est = GDClassifier("squared_hinge", penalty="l1", alpha=1e-5, solver="newton").fit(X, y)
    assert est.converged_
    assert all(shrank <= _newton._SLOW for (_, shrank), (old, _) in pairwise(steps) if old)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("alpha", [1e-2, 1.0])
def test_rows_far_from_the_bend_of_a_loss_are_no_end(seed, alpha):
    # Second derivatives are zero to the last digit where residuals are thousands of deltas.
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(300, 6)) * [1, 100, 1, 0.01, 1, 1]
    y = 1e4 * (X @ [1.0, 0.01, 0, 30, 0, -2] + rng.standard_t(2, size=300)) + 5e5
    est = GDRegressor("log_cosh", penalty="l1", alpha=alpha, max_iter=300).fit(X, y)
    line = linear_model.QuantileRegressor(quantile=0.5, alpha=alpha / 2).fit(X, y)
    above = np.abs(y - line.predict(X)).mean() + alpha * np.abs(line.coef_).sum()
    # F lies between that of the absolute error and log 2 below it.
    assert est.loss_curve_[-1] <= above


# ---- what is asked of it ----


@pytest.mark.parametrize("memory", [0, -1, 2.5, "many"])
def test_a_memory_that_is_no_positive_integer_is_refused(rows, target, memory):
    with pytest.raises((TypeError, ValueError), match="memory"):
        GDRegressor(solver=Newton(memory)).fit(rows(20, 3), target(rows(20, 3), "regression"))


@pytest.mark.parametrize("memory", [1, 3])
def test_any_memory_reaches_the_optimum(make_problem, memory):
    problem = make_problem(LogLoss(), L2(), 0.01, kind="binary")
    assert_allclose(run(problem, 60, memory)[0].theta, run(problem)[0].theta, atol=1e-6)


@pytest.mark.parametrize(
    "params, message",
    [
        ({"eta0": 0.1}, r"solver='newton' .*eta0=0.1"),
        ({"learning_rate": "cosine"}, "solver='newton' .*learning_rate"),
        ({"clip_norm": 1.0}, "solver='newton' .*clip_norm"),
        ({"clip_value": 1.0}, "solver='newton' .*clip_value"),
        ({"loss": "absolute_error"}, "needs a smooth loss"),
    ],
)
def test_what_it_cannot_follow_is_refused(rows, target, params, message):
    est = GDRegressor(solver="newton", **params)
    with pytest.raises(ValueError, match=message):
        est.fit(rows(20, 3), target(rows(20, 3), "regression"))
    assert not hasattr(est, "coef_")


def test_it_learns_from_no_stream(rows, target):
    assert not hasattr(GDRegressor(solver="newton"), "partial_fit")
    with pytest.raises(AttributeError, match="partial_fit"):
        GDRegressor(solver="newton").partial_fit(rows(20, 3), target(rows(20, 3), "regression"))


def test_a_hessian_that_overflows_is_waited_out(monkeypatch):
    calls, whole = [], _newton.Factored

    def factored(*args):
        calls.append(args)
        if len(calls) == 1:
            raise np.linalg.LinAlgError
        return whole(*args)

    monkeypatch.setattr(_newton, "Factored", factored)
    rng = np.random.RandomState(0)
    X, y = rng.standard_normal((200, 8)), rng.poisson(2.0, size=200)
    for penalty in ("l2", "l1"):
        calls.clear()
        est = GDRegressor("poisson", penalty=penalty, solver="newton", tol=1e-8).fit(X, y)
        assert est.converged_
        assert len(calls) > 1
