"""LBFGS reaches the optimum with any elastic net, in few readings of X; its line search holds."""

import math
import pickle
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize, rosen, rosen_der
from scipy.special import log_softmax
from sklearn import linear_model
from sklearn.datasets import load_digits
from sklearn.preprocessing import StandardScaler

from skgd import GDClassifier, GDRegressor
from skgd.losses import Huber, LogLoss, Poisson, Softmax, SquaredError
from skgd.penalties import L1, L2, ElasticNet, NoPenalty
from skgd.schedules import Cosine
from skgd.solvers._curvature import Diagonal
from skgd.solvers._lbfgs import LBFGS
from skgd.solvers._line_search import MarginLine, strong_wolfe
from skgd.solvers._orthant import steepest, within

CASES = [
    (SquaredError(), "regression"),
    (SquaredError(), "targets"),
    (Huber(epsilon=0.1), "regression"),
    (Poisson(), "counts"),
    (LogLoss(), "binary"),
    (Softmax(), "classes"),
]
PENALTIES = [(NoPenalty(), 0.0), (L2(), 0.05), (L1(), 0.04), (ElasticNet(0.5), 0.05)]
EACH_LOSS = pytest.mark.parametrize("loss, kind", CASES, ids=lambda v: v if v in CASES else None)
EACH_PENALTY = pytest.mark.parametrize("penalty, alpha", PENALTIES)


def descend(problem, solver=None, n=400, state=None, until=0.0):
    """Step until the violation is small, or the solver can do no more."""
    solver = LBFGS() if solver is None else solver
    state = solver.init(problem, problem.objective.zeros(), None) if state is None else state
    values = [state.value]
    for _ in range(n):
        state = solver.step(problem, state)
        values.append(state.value)
        if "stalled" in state.memory or state.violation <= until:
            break
    return state, np.array(values)


def by_scipy(problem):
    """Minimise F with W = P - Q, both at least 0, so that the l1 part is linear."""
    m, n = problem.objective.n_coef, problem.objective.n_params
    l1 = np.resize(problem.l1 * np.ones(problem.objective.n_features), m)

    def lifted(z):
        theta = np.append(z[:m] - z[m : 2 * m], z[2 * m :])
        value, grad = problem.value_grad(theta)
        if problem.has_l1:
            value += l1 @ (z[:m] + z[m : 2 * m] - np.abs(theta[:m]))
        return value, np.concatenate([grad[:m] + l1, l1 - grad[:m], grad[m:]])

    found = minimize(
        lifted,
        np.zeros(m + n),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0, None)] * (2 * m) + [(None, None)] * (n - m),
        options={"maxiter": 5000, "maxfun": 50000, "ftol": 1e-17, "gtol": 1e-10},
    )
    return np.append(found.x[:m] - found.x[m : 2 * m], found.x[2 * m :]), found.fun


# ---- the optimum ----


@EACH_LOSS
@EACH_PENALTY
@pytest.mark.parametrize("house", ["dense-float64", "csr-int32"], indirect=True)
def test_reaches_the_optimum_of_other_code(make_problem, loss, kind, penalty, alpha):
    problem = make_problem(loss, penalty, alpha, kind=kind, scaled=True)
    reference = problem.violation(
        problem.objective.zeros(), problem.value_grad(problem.objective.zeros())[1]
    )
    state, values = descend(problem, until=1e-8 * reference)
    assert state.violation <= 1e-8 * reference
    assert len(values) < 100
    theta, least = by_scipy(problem)
    assert abs(state.value - least) <= 1e-10 * max(abs(least), 1.0)
    coef, found = problem.objective.split(theta)[0], problem.objective.split(state.theta)[0]
    if kind == "classes" and not alpha:
        coef, found = coef - coef.mean(axis=0), found - found.mean(axis=0)  # softmax sees no more
    assert_allclose(found, coef, atol=2e-4 * np.abs(coef).max())
    if problem.has_l1:
        assert np.array_equal(found == 0, np.abs(coef) < 1e-6)


@EACH_LOSS
@EACH_PENALTY
def test_f_never_rises_and_the_run_ends_where_f_can_go_no_lower(
    make_problem, loss, kind, penalty, alpha
):
    problem = make_problem(loss, penalty, alpha, kind=kind, scaled=True)
    state, values = descend(problem)
    assert state.memory["stalled"]
    assert np.diff(values).max() <= 1e-14 * np.abs(values).max()
    assert state.violation < 1e-9 * problem.violation(
        problem.objective.zeros(), problem.value_grad(problem.objective.zeros())[1]
    )


@EACH_LOSS
def test_value_and_violation_belong_to_the_point(make_problem, loss, kind):
    problem = make_problem(loss, ElasticNet(0.5), 0.05, kind=kind, scaled=True)
    state, _ = descend(problem, n=7)
    value, grad = problem.value_grad(state.point)
    assert state.value == pytest.approx(value, rel=1e-13)
    assert state.violation == pytest.approx(problem.violation(state.point, grad), rel=1e-6)
    assert_allclose(state.memory["eta"], problem.objective.linear(state.theta), rtol=1e-10)


@pytest.mark.parametrize(
    "skgd_, other",
    [
        (
            GDRegressor(penalty="l1", alpha=0.05),
            linear_model.Lasso(0.05, tol=1e-14, max_iter=10000),
        ),
        (
            GDRegressor("poisson", alpha=0.05),
            linear_model.PoissonRegressor(alpha=0.05, tol=1e-12, max_iter=1000),
        ),
        (
            GDClassifier(alpha=0.01),
            linear_model.LogisticRegression(C=1 / (0.01 * 200), tol=1e-12, max_iter=1000),
        ),
    ],
    ids=["lasso", "poisson", "logistic"],
)
def test_raw_columns_give_the_coefficients_of_scikit_learn(rows, target, skgd_, other):
    X = rows(200, 6)
    name = type(other).__name__
    kind = {"Lasso": "regression", "PoissonRegressor": "counts"}.get(name, "binary")
    y = target(X, kind)
    est = skgd_.set_params(solver=LBFGS(), tol=1e-12).fit(X, y)
    other.fit(X, y)
    assert_allclose(est.coef_, other.coef_, atol=1e-5)
    assert_allclose(est.intercept_, other.intercept_, atol=1e-5)


def test_weights_zero_intercept_and_one_pair_do_no_harm(make_problem):
    s = np.arange(60) % 3
    problem = make_problem(LogLoss(), L1(), 0.02, kind="binary", s=s, fit_intercept=False)
    state, _ = descend(problem, LBFGS(memory=1), until=1e-9)
    assert state.theta[-1] == 0.0
    assert state.violation <= 1e-9
    _, least = by_scipy(problem)
    assert state.value == pytest.approx(least, abs=1e-10)


@pytest.mark.parametrize("penalty", [L2(), L1()])
def test_a_start_far_away_is_left_behind(make_problem, penalty):
    # Counts of e^40 and slopes to match; then margins that overflow.
    problem = make_problem(Poisson(), penalty, 0.05, kind="counts")
    solver, far = LBFGS(), np.full(problem.objective.n_params, 8.0)
    state, values = descend(problem, solver, state=solver.init(problem, far, None), until=1e-8)
    assert state.violation <= 1e-8
    assert np.all(np.diff(values) <= 1e-14 * values[:-1])
    assert state.value == pytest.approx(by_scipy(problem)[1], abs=1e-9)


def test_a_start_where_f_is_not_finite_ends_at_once_at_zero(rows, target):
    X = rows()
    est = GDRegressor("poisson", solver=LBFGS())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        est.fit(X, target(X, "counts"), coef_init=np.full(5, 1e4))
    assert est.n_iter_ == 1
    assert not est.coef_.any()


# ---- a step ----


READINGS = ("linear", "adjoint", "look", "sums")


def readings(problem, solver, steps, state):
    """Return how often each way to read the rows is called in some steps."""
    calls = dict.fromkeys(READINGS, 0)

    def counting(name, method):
        def counted(*args):
            calls[name] += 1
            return method(*args)

        return counted

    for name in calls:
        setattr(problem.objective, name, counting(name, getattr(problem.objective, name)))
    for _ in range(steps):
        state = solver.step(problem, state)
    return calls


def test_a_step_reads_the_rows_once_where_its_first_length_will_do(make_problem):
    problem = make_problem(LogLoss(), L2(), 0.02, kind="binary", scaled=True)
    solver = LBFGS()
    state = solver.step(problem, solver.init(problem, problem.objective.zeros(), None))
    calls = readings(problem, solver, 10, state)
    assert calls["look"] == 10
    assert calls["linear"] == calls["sums"] == 0
    # Means of columns at steps 2, 3, 4, 6 and 8, and where a search went on along the margins.
    assert calls["adjoint"] <= 8


def test_a_step_in_an_orthant_reads_the_rows_twice_whatever_the_search_tries(make_problem):
    problem = make_problem(LogLoss(), L1(), 0.02, kind="binary", scaled=True)
    solver = LBFGS()
    state = solver.init(problem, problem.objective.zeros(), None)
    calls = readings(problem, solver, 10, state)
    # And means of columns, looked at after steps 1, 2, 3, 5 and 7 where they matter.
    assert 10 <= calls.pop("adjoint") <= 16
    assert calls == {"linear": 10, "look": 0, "sums": 0}


def test_the_first_pairs_give_the_steps_of_dense_bfgs(make_problem):
    # With fewer steps than pairs nothing has been forgotten: H is that of BFGS, scaled anew.
    problem = make_problem(LogLoss(), L2(), 0.05, kind="binary", scaled=True)
    state, _ = descend(problem, n=4)
    pairs, n = state.memory["pairs"], problem.objective.n_params
    s, y = pairs[-1]
    H = np.eye(n) * (s @ y) / (y @ y)
    for s, y in pairs:
        V = np.eye(n) - np.outer(y, s) / (s @ y)
        H = V.T @ H @ V + np.outer(s, s) / (s @ y)
    grad = state.memory["grad"]
    assert len(pairs) == 4
    assert_allclose(LBFGS._apply(pairs, grad), -H @ grad, rtol=1e-10)


@pytest.mark.parametrize("centred", [None, False, True])
def test_the_model_step_within_an_orthant_is_that_of_dense_bfgs(make_problem, centred):
    problem = make_problem(LogLoss(), ElasticNet(0.5), 0.02, kind="binary", scaled=True)
    state, _ = descend(problem, n=5)
    pairs, n = state.memory["pairs"], problem.objective.n_params
    slope, side = steepest(problem, state.theta, state.memory["grad"])
    free = (slope != 0) | (state.theta != 0)
    s, y = pairs[-1]
    M, metric = np.eye(n), None
    if centred is not None:
        metric = Diagonal(problem)
        rng = np.random.default_rng(0)
        metric.inverse, metric.mean = 1.0 / rng.uniform(0.8, 1.3, n), None
        if centred:
            metric.mean = 0.1 * rng.standard_normal((1, n - 1))
        M = np.linalg.inv(np.column_stack([metric.solve(one) for one in np.eye(n)]))
    B = M * (y @ np.linalg.solve(M, y)) / (s @ y)
    for s, y in pairs:
        B += np.outer(y, y) / (s @ y) - np.outer(B @ s, B @ s) / (s @ B @ s)
    step = np.zeros(n)
    step[free] = -np.linalg.solve(B[np.ix_(free, free)], slope[free])
    assert (side * (state.theta + step) >= 0).all()  # nothing leaves, or the test is void
    got = within(pairs, state.memory["products"], metric, state.theta, slope, side)
    assert_allclose(got, step, rtol=1e-7, atol=1e-12)


def test_coefficients_that_would_leave_an_orthant_stop_at_zero_and_others_know(make_problem):
    problem = make_problem(LogLoss(), ElasticNet(0.5), 0.02, kind="binary", scaled=True)
    state, _ = descend(problem, n=5)
    pairs, n = state.memory["pairs"], problem.objective.n_params
    slope, side = steepest(problem, state.theta, state.memory["grad"])
    theta, most = state.theta.copy(), int(np.argmax(np.abs(state.theta[:-1])))
    theta[most] *= 1e-3
    slope[most] = 0.05 * np.sign(theta[most])
    step = within(pairs, state.memory["products"], None, theta, slope, side)
    assert step[most] == -theta[most]
    # The model is least over the others, given that step.
    y = pairs[-1][1]
    B = np.eye(n) * (y @ y)
    for s, y in pairs:
        B += np.outer(y, y) / (s @ y) - np.outer(B @ s, B @ s) / (s @ B @ s)
    inside = ((slope != 0) | (theta != 0)) & (theta + step != 0)
    inside[-1] = True
    assert_allclose((slope + B @ step)[inside], 0.0, atol=1e-9)


@pytest.mark.parametrize("penalty", [L2(), L1()])
def test_resuming_a_pickled_state_equals_one_run(make_problem, penalty):
    problem = make_problem(LogLoss(), penalty, 0.02, kind="binary")
    once, _ = descend(problem, n=9)
    state, _ = descend(problem, n=4)
    twice, _ = descend(problem, n=5, state=pickle.loads(pickle.dumps(state)))
    assert np.array_equal(once.theta, twice.theta)
    assert (once.t, once.value, once.violation) == (twice.t, twice.value, twice.violation)


def test_a_restart_forgets_the_way_and_goes_on(make_problem):
    problem, solver = make_problem(LogLoss(), kind="binary"), LBFGS()
    state, _ = descend(problem, solver, n=5)
    there = np.ones(problem.objective.n_params)
    solver.restart(state, there, problem.value(there))
    assert np.array_equal(state.point, there)
    fresh = solver.step(problem, solver.init(problem, there, None))
    assert np.array_equal(solver.step(problem, state).theta, fresh.theta)


def test_the_number_of_threads_changes_nothing(rows, target):
    X = rows(4000, 40)
    y = target(X, "binary")
    one, two = (
        GDClassifier(solver=LBFGS(), penalty="l1", n_jobs=n).fit(X, y).coef_ for n in (1, 2)
    )
    assert np.array_equal(one, two)


@pytest.mark.parametrize(
    "params",
    [
        {"eta0": 0.1},
        {"learning_rate": Cosine()},
        {"clip_norm": 1.0},
        {"clip_value": 1.0},
    ],
    ids=lambda p: next(iter(p)),
)
def test_what_a_line_search_decides_is_refused_by_name(rows, target, params):
    X = rows()
    with pytest.raises(ValueError, match=f"line search, so {next(iter(params))} has no meaning"):
        GDRegressor(solver=LBFGS(), **params).fit(X, target(X, "regression"))


@pytest.mark.parametrize("memory", [0, 2.5, True])
def test_memory_must_be_a_positive_integer(memory):
    with pytest.raises((ValueError, TypeError), match="memory must be"):
        LBFGS(memory=memory).check()


# ---- the line search ----


def wolfe(found, phi, c1=1e-4, c2=0.9):
    value0, slope0 = phi(0.0)
    assert found.ok
    assert (found.value, found.slope) == phi(found.t)
    assert found.value <= value0 + c1 * found.t * slope0
    assert abs(found.slope) <= c2 * abs(slope0)


def barrier(t):
    """Return value and slope of ``-log(1 - t) - 5 t``, infinite from 1 on."""
    return (-math.log1p(-t) - 5 * t, 1 / (1 - t) - 5) if t < 1 else (math.inf, math.nan)


def valley(t):
    x, d = np.array([-1.2, 1.0]), -rosen_der(np.array([-1.2, 1.0]))
    return float(rosen(x + t * d)), float(rosen_der(x + t * d) @ d)


def wall(t, steep):
    """Return value and slope of a line that falls slowly up to 0.9, and then turns up at once."""
    z = steep * (t - 0.9)
    part = 1 / (1 + math.exp(-z)) if z > -700 else 0.0
    return np.logaddexp(0, z) / steep - 0.05 * t, part - 0.05


LINES = {
    "quadratic": lambda t: ((t - 3.0) ** 2, 2 * (t - 3.0)),
    "quartic": lambda t: ((t - 1.0) ** 4 - t, 4 * (t - 1.0) ** 3 - 1),
    "valley": valley,
    "barrier": barrier,
    "exponential": lambda t: (math.exp(min(t, 700.0)) - 50 * t, math.exp(min(t, 700.0)) - 50),
}


@pytest.mark.parametrize("first", [1e-6, 1e-2, 1.0, 30.0, 1e4])
@pytest.mark.parametrize("name", ["quadratic", "quartic", "valley", "barrier", "exponential"])
@pytest.mark.parametrize("c2", [0.9, 0.1])
def test_a_step_meets_the_strong_wolfe_conditions(name, first, c2):
    phi = LINES[name]
    value0, slope0 = phi(0.0)
    found = strong_wolfe(phi, slope0, value0, first, c2=c2)
    wolfe(found, phi, c2=c2)
    assert found.n_evaluations <= 25


@pytest.mark.parametrize("steep", [20, 60, 200, 1000])
@pytest.mark.parametrize("c2", [0.9, 0.1])
def test_a_wall_is_not_approached_by_small_steps(steep, c2):
    def phi(t):
        return wall(t, steep)

    found = strong_wolfe(phi, *phi(0.0)[::-1], 1.0, c2=c2)
    wolfe(found, phi, c2=c2)
    assert found.n_evaluations <= 12


def test_a_parabola_takes_at_most_two_evaluations():
    for first in (0.5, 2.0, 3.0, 5.0, 25.0):
        found = strong_wolfe(LINES["quadratic"], -6.0, 9.0, first, c2=0.01)
        assert found.n_evaluations <= 2
        assert found.t == pytest.approx(3.0)


def test_the_longest_step_is_taken_where_the_line_still_falls():
    found = strong_wolfe(LINES["quadratic"], -6.0, 9.0, 1.0, most=1.5, c2=0.1)
    assert found.ok
    assert found.t == 1.5


def test_only_descent_directions_from_finite_points_are_searched():
    for slope0, value0 in ((1.0, 0.0), (0.0, 0.0), (math.nan, 0.0), (-1.0, math.inf)):
        found = strong_wolfe(LINES["quadratic"], slope0, value0)
        assert not found.ok
        assert (found.t, found.n_evaluations) == (0.0, 0)


def test_a_line_without_end_is_given_up_at_its_lowest_point():
    found = strong_wolfe(lambda t: (-t, -1.0), -1.0, 0.0, evaluations=8)
    assert not found.ok
    assert found.value == -found.t < -1.0
    assert found.n_evaluations == 8


def test_a_wrong_slope_ends_in_no_step():
    found = strong_wolfe(lambda t: (t, 1.0), -1.0, 0.0)
    assert not found.ok
    assert found.t == 0.0


def test_inside_the_rounding_slopes_decide():
    # Values are a constant and noise of 1e-15; the parabola under them is a million times less.
    rng = np.random.RandomState(0)

    def phi(t):
        return 1.0 + 1e-21 * (t - 1) ** 2 + 1e-15 * rng.uniform(-1, 1), 2e-21 * (t - 1)

    for first in (0.1, 1.0, 2.5, 40.0):
        found = strong_wolfe(phi, -2e-21, 1.0, first, c2=0.2, noise=4e-15)
        assert found.ok
        assert found.t == pytest.approx(1.0, abs=0.2)


def test_below_the_rounding_of_slopes_nothing_is_tried():
    found = strong_wolfe(lambda t: pytest.fail("evaluated"), -1e-33, 1.0, noise=4e-15)
    assert (found.t, found.n_evaluations, found.ok) == (0.0, 0, False)


@pytest.mark.parametrize("penalty", [L2(), NoPenalty()])
def test_a_line_of_margins_has_the_values_and_slopes_of_f(make_problem, penalty):
    problem = make_problem(Softmax(), penalty, 0.3, kind="classes", scaled=True)
    rng = np.random.RandomState(0)
    theta, d = rng.standard_normal((2, problem.objective.n_params))
    line = MarginLine(problem, theta, problem.objective.linear(theta), d)
    for t in (0.0, 0.7, -2.0):
        value, slope = line(t)
        there, grad = problem.value_grad(theta + t * d)
        assert value == pytest.approx(there, rel=1e-12)
        assert slope == pytest.approx(grad @ d, rel=1e-10)
        assert problem.value(theta + t * d, line.loss_sum) == pytest.approx(there, rel=1e-12)


def test_steps_on_classes_lead_farther_than_those_of_scipy():
    X, y = load_digits(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    n, d = X.shape
    alpha, k, member = 1e-4, 10, np.eye(10)[y]

    def value_grad(t):
        W, b = t[: k * d].reshape(k, d), t[k * d :]
        logits = X @ W.T + b
        log_p = log_softmax(logits, axis=1)
        slopes = (np.exp(log_p) - member) / n
        value = -(member * log_p).sum() / n + 0.5 * alpha * (W * W).sum()
        return value, np.concatenate([(slopes.T @ X + alpha * W).ravel(), slopes.sum(axis=0)])

    start, tight = np.zeros(k * (d + 1)), {"maxiter": 150, "ftol": 0.0, "gtol": 1e-8}
    least = minimize(value_grad, start, jac=True, method="L-BFGS-B", options=tight).fun
    theirs = minimize(value_grad, start, jac=True, method="L-BFGS-B", options={"maxiter": 40}).fun
    est = GDClassifier(solver="lbfgs", tol=None, max_iter=40).fit(X, y)
    assert est.loss_curve_[-1] - least <= 0.8 * (theirs - least)


def test_the_diagonal_of_squared_errors_is_looked_at_once(make_problem, monkeypatch):
    seen, look = [], Diagonal.look
    monkeypatch.setattr(Diagonal, "look", lambda self, *args: seen.append(1) or look(self, *args))
    for loss, times in [(SquaredError(), 1), (LogLoss(), 5)]:
        kind = "binary" if times > 1 else "regression"
        problem = make_problem(loss, L2(), 1e-3, kind=kind)
        seen.clear()
        descend(problem, n=6)
        assert len(seen) == times
