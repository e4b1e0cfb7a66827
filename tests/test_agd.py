"""AGD follows its recurrence, never lets F rise, and ends where other people's code does."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize
from sklearn import linear_model

from skgd import GDClassifier, GDRegressor
from skgd._driver import run as drive
from skgd._problem import Problem
from skgd._protocols import Settings
from skgd.losses import Hinge, Huber, LogLoss, Poisson, Softmax, SquaredError
from skgd.objectives import make_objective
from skgd.objectives._scaled import ScaledObjective
from skgd.penalties import L1, L2, ElasticNet, UserPenalty
from skgd.schedules import Step
from skgd.solvers import GD
from skgd.solvers._agd import AGD

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


one_home = pytest.mark.parametrize("house", [np.ascontiguousarray], ids=["dense"])


class NonNegative:
    """Coefficients of at least zero: infinite elsewhere."""

    def value(self, coef):
        return np.inf if (coef < 0).any() else 0.0

    def prox(self, coef, t):
        return np.maximum(coef, 0.0)


class Together:
    """A penalty that is not separable: the Euclidean norm."""

    def value(self, coef):
        return float(np.linalg.norm(coef))

    def prox(self, coef, t):
        norm = np.linalg.norm(coef)
        return coef * (max(0.0, 1 - t / norm) if norm > 0 else 0.0)


class Counted:
    """A problem that counts its passes, and interrupts the one that is asked for."""

    def __init__(self, problem, interrupt=None):
        self.problem, self.passes, self.interrupt = problem, 0, interrupt

    def __getattr__(self, name):
        return getattr(self.problem, name)

    def value_grad(self, theta):
        self.passes += 1
        if self.passes == self.interrupt:
            raise KeyboardInterrupt
        return self.problem.value_grad(theta)


def made(**settings):
    return AGD().with_settings(Settings(**settings))


def begun(solver, problem):
    return solver.init(problem, problem.objective.zeros(), None)


def run(solver, problem, n, state=None):
    """Return the state after ``n`` steps, from zero or from ``state``."""
    state = begun(solver, problem) if state is None else state
    for _ in range(n):
        state = solver.step(problem, state)
    return state


def soft(w, t):
    return np.sign(w) * np.maximum(np.abs(w) - t, 0)


def fista(problem, rates, l1=0.0, clip=lambda grad: grad):
    """Return the iterates x of Beck and Teboulle's method, written out."""
    x = y = problem.objective.zeros()
    t, path = 1.0, []
    for rate in rates:
        moved = y - rate * clip(problem.value_grad(y)[1])
        last, x = x, np.append(soft(moved[:-1], rate * l1), moved[-1])
        t, before = (1 + np.sqrt(1 + 4 * t**2)) / 2, t
        y = x + (before - 1) / t * (x - last)
        path.append(x)
    return np.array(path)


# ---- with a rate of the user's ----


@pytest.mark.parametrize("penalty, l1", [(L2(), 0.0), (L1(), 0.05)], ids=repr)
def test_a_given_rate_is_followed_as_fista_has_it(make_problem, penalty, l1):
    problem = make_problem(LogLoss(), penalty, 0.05, kind="binary")
    path = fista(problem, [0.7] * 12, l1)
    solver, state = made(eta0=0.7), None
    for x in path:
        state = run(solver, problem, 1, state)
        assert_allclose(state.point, x, rtol=1e-12, atol=1e-15)
        assert state.value == problem.value_grad(state.point)[0]


def test_a_schedule_gives_the_rates_of_the_steps(make_problem):
    problem = make_problem(SquaredError(), L1(), 0.05)
    path = fista(problem, [0.5, 0.5, 0.25, 0.25, 0.125], l1=0.05)
    state = run(made(eta0=0.5, schedule=Step(every=2, factor=0.5)), problem, 5)
    assert_allclose(state.point, path[-1], rtol=1e-12)
    assert state.rate == 0.125


@pytest.mark.parametrize("clip", [{"clip_value": 0.01}, {"clip_norm": 0.02}])
def test_the_whole_gradient_is_clipped(make_problem, clip):
    def clipped(grad):
        if "clip_value" in clip:
            return np.clip(grad, -0.01, 0.01)
        return grad * min(1.0, 0.02 / np.linalg.norm(grad))

    problem = make_problem(SquaredError())
    path = fista(problem, [0.5] * 5, clip=clipped)
    assert_allclose(run(made(eta0=0.5, **clip), problem, 5).point, path[-1], rtol=1e-12)


def test_clipping_leaves_the_optimum_where_it_is(make_problem):
    problem = make_problem(SquaredError(), scaled=True)
    free, held = (run(made(**clip), problem, 300) for clip in ({}, {"clip_norm": 0.1}))
    assert_allclose(held.point, free.point, atol=1e-7)


def test_a_rate_that_is_too_large_is_lowered_with_a_warning(rows, target):
    X, y = rows(100, 5), target(rows(100, 5), "regression")
    with pytest.warns(match="The rate is too large for these data"):
        est = GDRegressor(solver=AGD(), eta0=1e3, max_iter=300).fit(X, y)
    assert est.score(X, y) > 0.5


# ---- the optimum ----


def least_value(problem, l1):
    """Return SciPy's minimum of F, with coefficients as P - Q, both of at least 0."""
    m, n = problem.objective.n_coef, problem.objective.n_params

    def lifted(z):
        theta = np.append(z[:m] - z[m : 2 * m], z[2 * m :])
        value, grad = problem.value_grad(theta)
        value += float(np.sum(l1 * (z[:m] + z[m : 2 * m] - np.abs(theta[:m]))))
        return value, np.concatenate([grad[:m] + l1, l1 - grad[:m], grad[m:]])

    bounds = [(0, None)] * (2 * m) + [(None, None)] * (n - m)
    options = {"maxiter": 5000, "maxfun": 20_000, "ftol": 1e-16, "gtol": 1e-11}
    start = np.zeros(n + m)
    return minimize(lifted, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options).fun


@pytest.mark.parametrize(
    "loss, kind",
    [
        (SquaredError(), "regression"),
        (SquaredError(), "targets"),
        (Huber(0.2), "regression"),
        (Poisson(), "counts"),
        (LogLoss(), "binary"),
        (Softmax(), "classes"),
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "penalty, alpha, l1",
    [(L2(), 0.05, 0.0), (L1(), 0.05, 0.05), (ElasticNet(0.5), 0.1, 0.05), (L2(), 0.0, 0.0)],
    ids=str,
)
@one_home
def test_f_falls_to_that_of_scipy_and_never_rises(make_problem, loss, kind, penalty, alpha, l1):
    problem = make_problem(loss, penalty, alpha, kind=kind, n=120, d=4)
    state = begun(made(), problem)
    for _ in range(600):
        before = state.value
        state = made().step(problem, state)
        assert state.value <= before
        if "stalled" in state.memory:
            break
    least = least_value(problem, l1)
    assert abs(state.value - least) < 1e-12 * max(1.0, abs(least))
    assert state.violation < 1e-6


@pytest.mark.parametrize("penalty", ["l2", "l1", "elasticnet"])
def test_raw_columns_are_fitted_as_scikit_learn_fits_them(rows, target, house, penalty):
    scale = np.logspace(-1, 2, 5)
    X = rows(300, 5) * scale + 7 * scale
    y = target(rows(300, 5), "regression")
    oracle = {
        "l2": linear_model.Ridge(0.1 * 300, solver="svd"),
        "l1": linear_model.Lasso(0.1, tol=1e-12, max_iter=10**6),
        "elasticnet": linear_model.ElasticNet(0.1, l1_ratio=0.15, tol=1e-12, max_iter=10**6),
    }[penalty].fit(X, y)
    est = GDRegressor(penalty=penalty, alpha=0.1, solver=AGD(), tol=1e-10).fit(house(X), y)
    single = house(X).dtype == np.float32
    tolerance = 1e-3 if single else 1e-5
    assert_allclose(est.coef_, oracle.coef_, rtol=tolerance, atol=tolerance * 1e-2)
    if not single:
        assert np.array_equal(est.coef_ == 0, oracle.coef_ == 0)


def test_probabilities_are_those_of_logistic_regression(rows, target):
    X, y = rows(300, 5), target(rows(300, 5), "classes")
    C = 1 / (0.02 * 300)
    oracle = linear_model.LogisticRegression(C=C, tol=1e-10, max_iter=1000).fit(X, y)
    est = GDClassifier(alpha=0.02, solver=AGD(), tol=1e-12).fit(X, y)
    assert_allclose(est.predict_proba(X), oracle.predict_proba(X), atol=1e-5)


@one_home
@pytest.mark.parametrize("penalty", [L2(), L1()], ids=repr)
@pytest.mark.parametrize("kind, loss", [("binary", LogLoss()), ("regression", SquaredError())])
def test_the_end_of_what_floating_point_can_tell_is_noticed(make_problem, kind, loss, penalty):
    problem = make_problem(loss, penalty, 0.02, kind=kind, n=200, scaled=True)
    state = run(made(), problem, 1000)
    assert state.memory["stalled"]
    least = least_value(problem, problem.l1 if problem.has_l1 else 0.0)
    assert state.value - least < 1e-12 * least


def test_a_tolerance_out_of_reach_ends_the_run(rows, target):
    X, y = rows(100, 5), target(rows(100, 5), "regression")
    est = GDRegressor(solver=AGD(), tol=1e-30, max_iter=5000).fit(X, y)
    assert est.stop_reason_ in ("no_improvement", "converged")  # to rounding
    assert est.n_iter_ < 500


# ---- what the momentum and its restarts bring ----


def stiff(make_problem):
    """Return a quadratic whose curvatures go from about 0.01 to 1."""
    problem = make_problem(SquaredError(), L2(), 1e-6, n=200, d=30, fit_intercept=False)
    objective = ScaledObjective(problem.objective, None, np.logspace(0, 1, 30))
    return type(problem)(objective, problem.penalty, problem.alpha)


@one_home
def test_a_stiff_quadratic_takes_far_fewer_steps_than_plain_descent(make_problem):
    problem = stiff(make_problem)
    start = run(made(), problem, 0)
    bound = 1e-6 * start.violation
    rate = 1 / problem.smoothness()
    steps = {}
    for name, solver in {
        "agd": made(),
        "plain": GD().with_settings(Settings(eta0=rate)),
        "no restart": made(eta0=rate),
    }.items():
        state, steps[name] = begun(solver, problem), 0
        while state.violation > bound and steps[name] < 4000:
            state, steps[name] = solver.step(problem, state), steps[name] + 1
    assert 10 * steps["agd"] < steps["plain"]
    assert 2 * steps["agd"] < steps["no restart"]


@one_home
def test_the_momentum_is_dropped_when_the_move_turns_against_the_gradient(make_problem):
    problem, solver = Counted(make_problem(SquaredError())), made()
    state = run(solver, problem, 3)
    memory = state.memory
    forward = state.theta - memory["rate"] * memory["grad"]
    memory["last"] = forward + 3 * (forward - state.theta)
    before = problem.passes
    state = solver.step(problem, state)
    assert_array_equal(state.point, forward)
    assert problem.passes == before + 1


@one_home
def test_the_momentum_is_dropped_now_and_then(make_problem):
    problem, solver = stiff(make_problem), made()
    state, weights = begun(solver, problem), []
    for _ in range(200):
        state = solver.step(problem, state)
        weights.append(state.memory["weight"])
    assert max(weights) > 5
    assert 1 < np.count_nonzero(np.diff(weights) < 0) < 60


@one_home
def test_a_first_rate_that_is_too_large_is_halved_until_f_falls(make_problem):
    problem, solver = make_problem(SquaredError()), made()
    state = begun(solver, problem)
    before = state.value
    state.memory["rate"] *= 1e6
    state = solver.step(problem, state)
    assert state.value < before
    state = run(solver, problem, 300, state)
    assert_allclose(state.value, least_value(problem, 0.0), rtol=1e-12)


@one_home
def test_a_rate_that_is_too_small_grows(make_problem):
    problem, solver = make_problem(LogLoss(), kind="binary"), made()
    state = begun(solver, problem)
    state.memory["rate"] *= 1e-6
    state = run(solver, problem, 120, state)
    assert_allclose(state.value, least_value(problem, 0.0), rtol=1e-12)


@one_home
def test_a_step_costs_little_more_than_a_pass(make_problem):
    problem = Counted(stiff(make_problem))
    run(made(), problem, 300)
    assert problem.passes <= 1.05 * 300


# ---- penalties of the user's ----


@one_home
@pytest.mark.parametrize("scaled", [False, True])
def test_coefficients_of_at_least_zero_are_those_of_scipy(make_problem, scaled):
    penalty = UserPenalty(NonNegative())
    problem = make_problem(SquaredError(), penalty, 1.0, scaled=scaled)
    plain = make_problem(SquaredError(), L2(), 0.0)
    bounds = [(0, None)] * 5 + [(None, None)]
    options = {"ftol": 1e-16, "gtol": 1e-12}
    oracle = minimize(plain.value_grad, np.zeros(6), jac=True, bounds=bounds, options=options)
    assert (oracle.x[:5] == 0).any()
    solver, state = made(), None
    for _ in range(200):
        state = run(solver, problem, 1, state)
        assert np.isfinite(state.value)
    assert_allclose(problem.objective.to_user(state.point), oracle.x, atol=1e-7)


def test_momentum_into_a_constraint_is_brought_back_at_no_cost():
    # F = (w + 0.1)^2 / 2 for w >= 0, from w = 1 in short steps.
    one = np.ones(1)
    objective = make_objective(
        np.ones((1, 1)), -0.1 * one, one, SquaredError(), fit_intercept=False
    )
    problem, solver = Counted(Problem(objective, UserPenalty(NonNegative()), 1.0)), made()
    state = solver.init(problem, np.array([1.0, 0.0]), None)
    state.memory["rate"] = 0.02
    while state.point[0] > 0:
        weight = state.memory["weight"]
        state = solver.step(problem, state)
    assert weight > 2
    assert problem.passes == state.passes + 1


@pytest.mark.parametrize("max_iter", [2, 3, 6])
def test_a_constraint_whose_value_does_not_tell_holds_at_every_step(max_iter):
    class Silent(NonNegative):
        def value(self, coef):
            return 0.0

    for seed in range(30):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal((27, 4))
        y = X @ rng.standard_normal(4) + rng.standard_normal(27)
        est = GDRegressor(solver="agd", penalty=Silent(), max_iter=max_iter, tol=None).fit(X, y)
        assert (est.coef_ >= 0).all()


@one_home
@pytest.mark.parametrize("settings", [{}, {"eta0": 0.8}])
def test_a_penalty_that_is_not_separable_reaches_the_optimum_of_scipy(make_problem, settings):
    problem = make_problem(SquaredError(), UserPenalty(Together()), 0.1)

    def smooth(theta):
        value, grad = problem.value_grad(theta)
        unit = theta[:-1] / np.linalg.norm(theta[:-1])
        return value, grad + 0.1 * np.append(unit, 0.0)

    oracle = minimize(smooth, np.ones(6), jac=True, method="BFGS", options={"gtol": 1e-10})
    assert_allclose(run(made(**settings), problem, 400).point, oracle.x, atol=1e-7)


# ---- states ----


@pytest.mark.parametrize("settings", [{}, {"eta0": 0.4}])
@pytest.mark.parametrize("penalty", [L2(), L1()], ids=repr)
def test_a_run_goes_on_from_a_pickled_state(make_problem, settings, penalty):
    problem = make_problem(LogLoss(), penalty, 0.02, kind="binary", scaled=not settings)
    solver = made(**settings)
    once = run(solver, problem, 20)
    half = pickle.loads(pickle.dumps(run(solver, problem, 9)))
    twice = run(pickle.loads(pickle.dumps(solver)), problem, 11, half)
    assert_array_equal(once.point, twice.point)
    assert (once.t, once.value, once.rate) == (twice.t, twice.value, twice.rate)


@pytest.mark.parametrize("settings", [{}, {"eta0": 0.4}])
@pytest.mark.parametrize("penalty", [L2(), L1()], ids=repr)
def test_value_and_violation_belong_to_the_point_of_agd(make_problem, settings, penalty):
    problem = make_problem(SquaredError(), penalty, 0.02)
    solver, state = made(**settings), None
    for _ in range(8):
        state = run(solver, problem, 1, state)
        value, grad = problem.value_grad(state.point)
        assert state.value == value
        assert state.violation == problem.violation(state.point, grad)


@one_home
@pytest.mark.parametrize("settings", [{}, {"eta0": 0.4}])
def test_an_interrupted_step_leaves_the_last_point_done_whole(make_problem, settings):
    problem = make_problem(LogLoss(), L1(), 0.02, kind="binary")
    solver = made(**settings)
    ended = []
    for k in (2, 3, 7, 12):
        state = begun(solver, problem)
        watched = Counted(problem, interrupt=k)
        result = drive(watched, solver, state, [], 50)
        assert result.reason == "interrupted"
        whole = run(solver, problem, result.n_iter)
        assert_array_equal(result.state.point, whole.point)
        assert result.state.value == whole.value
        # The run goes on from there, without the momentum that was lost.
        go_on = run(solver, problem, 200, result.state)
        assert_allclose(go_on.value, least_value(problem, 0.02), rtol=1e-8)
        ended.append(result.n_iter)
    assert max(ended) > 4


def test_the_start_is_left_as_it_is(make_problem):
    problem = make_problem(SquaredError())
    theta = np.linspace(-1, 1, problem.objective.n_params)
    kept = theta.copy()
    state = made().init(problem, theta, None)
    run(made(), problem, 5, state)
    assert_array_equal(theta, kept)


def test_a_loss_with_a_kink_is_refused_with_a_way_out(rows, target):
    X, y = rows(40, 3), target(rows(40, 3), "binary")
    with pytest.raises(ValueError, match=r"AGD needs a smooth loss.*solver='gd'"):
        GDClassifier(loss=Hinge(), solver=AGD()).fit(X, y)
