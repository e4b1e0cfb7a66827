"""Solvers follow their recurrences, whatever the home, the threads or the interpreter."""

import pickle
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from solver_names import ANY_PENALTY, BATCH, FIT_ONLY, RULED, STREAMING, TAKE_RATES

from skgd import GDClassifier, GDRegressor
from skgd._protocols import Settings
from skgd.losses import LogLoss, SquaredError
from skgd.penalties import L1, L2
from skgd.schedules import Constant, InvScaling
from skgd.solvers import (
    GD,
    SOLVERS,
    Adam,
    Momentum,
    Solver,
    Stochastic,
    get_solver_names,
    resolve_solver,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

# Every solver with rates of its own; those that take one, with a given rate too.
RATED = [(name, "auto") for name in get_solver_names()]
RATED += [(name, 0.003) for name in TAKE_RATES]


def soft(w, t):
    return np.sign(w) * np.maximum(np.abs(w) - t, 0)


def run(solver, problem, n, rng=None, state=None):
    """Return the state after ``n`` iterations, from zero or from ``state``."""
    if state is None:
        state = solver.init(problem, problem.objective.zeros(), rng or np.random.RandomState(0))
    for _ in range(n):
        state = solver.step(problem, state)
    return state


def made(name, **settings):
    found = resolve_solver(name)
    solver = found if isinstance(found, Solver) else Stochastic(found)
    return solver.with_settings(Settings(**settings))


# ---- gd ----


def test_gd_with_a_rate_is_the_recurrence(make_problem):
    problem, rate = make_problem(LogLoss(), L1(), 0.05, kind="binary"), 0.3
    theta = problem.objective.zeros()
    for _ in range(5):
        moved = theta - rate * problem.value_grad(theta)[1]
        theta = np.append(soft(moved[:-1], rate * 0.05), moved[-1])
    got = run(made("gd", eta0=rate), problem, 5)
    assert_allclose(got.theta, theta, rtol=1e-14, atol=1e-16)


def test_gd_on_a_quadratic_is_a_geometric_series():
    # With x = 1, y = 1, no intercept and rate g: w_t = 1 - (1 - g)^t.
    est = GDRegressor(solver="gd", eta0=0.25, penalty=None, fit_intercept=False)
    est.set_params(max_iter=6, tol=None).fit([[1.0]], [1.0])
    assert_allclose(est.coef_, [1 - 0.75**6], rtol=1e-15)
    assert_allclose(est.loss_curve_, [0.75 ** (2 * t) / 2 for t in range(1, 7)], rtol=1e-14)


@pytest.mark.parametrize("clip", [{"clip_value": 0.01}, {"clip_norm": 0.02}])
def test_gd_clips_the_whole_gradient(make_problem, clip):
    problem, rate = make_problem(SquaredError()), 0.5
    theta = problem.objective.zeros()
    for _ in range(4):
        grad = problem.value_grad(theta)[1]
        if "clip_value" in clip:
            grad = np.clip(grad, -0.01, 0.01)
        else:
            grad *= min(1, 0.02 / np.linalg.norm(grad))
        theta = theta - rate * grad
    assert_allclose(run(made("gd", eta0=rate, **clip), problem, 4).theta, theta, rtol=1e-13)


@pytest.mark.parametrize("kind, loss", [("binary", LogLoss()), ("regression", SquaredError())])
@pytest.mark.parametrize("penalty", [L1(), L2()], ids=repr)
@pytest.mark.parametrize("name", ["gd", "lbfgs", "newton"])
def test_f_never_rises_where_a_search_finds_the_step(make_problem, name, kind, loss, penalty):
    problem, solver = make_problem(loss, penalty, 0.02, kind=kind), made(name)
    state = run(solver, problem, 0)
    for _ in range(30):
        before, after = state.value, solver.step(problem, state).value
        assert after <= before * (1 + (1e-14 if name != "gd" else 0))  # a rise within rounding


@pytest.mark.parametrize("name", ANY_PENALTY)
def test_value_and_violation_belong_to_the_point(make_problem, name):
    problem = make_problem(SquaredError(), L1(), 0.02)
    state = run(made("newton" if name == "auto" else name, violation=True), problem, 3)
    value, grad = problem.value_grad(state.point)
    assert state.value == pytest.approx(value, rel=1e-14)
    assert state.violation == pytest.approx(problem.violation(state.point, grad), rel=1e-12)


# ---- steps on batches, against recurrences written out ----


class HeavyBall:
    def __init__(self, size):
        self.v = np.zeros(size)

    def __call__(self, g, t):
        self.v = 0.9 * self.v + g
        return self.v, (1 - 0.9**t) / (1 - 0.9) * np.ones_like(g)


class TextbookAdam:
    def __init__(self, size):
        self.m, self.v = np.zeros(size), np.zeros(size)

    def __call__(self, g, t):
        self.m = 0.9 * self.m + 0.1 * g
        self.v = 0.999 * self.v + 0.001 * g**2
        metric = 1 / (np.sqrt(self.v / (1 - 0.999**t)) + 1e-8)
        return self.m / (1 - 0.9**t) * metric, metric


class Plain:
    def __init__(self, size):
        pass

    def __call__(self, g, t):
        return g, np.ones_like(g)


RULES = {"sgd": Plain, "momentum": HeavyBall, "adam": TextbookAdam}


def by_hand(problem, rule, rates, size, passes, *, clip_value=np.inf, clip_norm=np.inf):
    """Return all iterates of passes in storage order."""
    theta = problem.objective.zeros()
    n, k = problem.objective.n_rows, problem.objective.n_coef
    rule, t, path = rule(len(theta)), 0, []
    for _ in range(passes):
        for start in range(0, n, size):
            batch = np.arange(start, min(start + size, n))
            t += 1
            grad = np.clip(problem.value_grad(theta, batch)[1], -clip_value, clip_value)
            grad *= min(1.0, clip_norm / max(np.linalg.norm(grad), 1e-300))
            rate = rates(t)
            move, metric = rule(grad, t)
            theta = theta - rate * move
            l1 = np.ravel(problem.l1)[0] if problem.has_l1 else 0.0
            theta[:k] = soft(theta[:k], rate * metric[:k] * l1)
            path.append(theta)
    return np.array(path)


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize(
    "penalty, settings",
    [
        (L2(), {}),
        (L1(), {}),
        (L2(), {"clip_value": 0.3}),
        (L1(), {"clip_norm": 0.5}),
        (L2(), {"clip_value": 0.4, "clip_norm": 0.5}),
    ],
    ids=str,
)
def test_batches_follow_the_recurrence(make_problem, name, penalty, settings):
    problem = make_problem(SquaredError(), penalty, 0.05, s=np.linspace(0.5, 1.5, 60))
    solver = made(name, eta0=0.01, batch_size=8, shuffle=False, schedule=Constant(), **settings)
    path = by_hand(problem, RULES[name], lambda t: 0.01, 8, 3, **settings)
    assert_allclose(run(solver, problem, 3).theta, path[-1], rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("size", [1, 7, 60])
@pytest.mark.parametrize("average", [1, 20, 1000])
@pytest.mark.parametrize("name", RULES)
def test_average_is_the_mean_of_the_iterates(make_problem, name, average, size):
    problem = make_problem(LogLoss(), L2(), 1e-3, kind="binary")
    options = {"eta0": 0.05, "batch_size": size, "shuffle": False, "schedule": InvScaling(0.5)}
    path = by_hand(problem, RULES[name], lambda t: 0.05 / t**0.5, size, 3)
    state = run(made(name, average=average, **options), problem, 3)
    # The shrink of one-row steps comes before the move: it differs in the second order.
    tolerance = {"rtol": 1e-10} if size > 1 or name != "sgd" else {"atol": 1e-6}
    assert_allclose(state.theta, path[-1], **tolerance)
    averaged = path[average - 1 :].mean(axis=0) if len(path) >= average else path[-1]
    assert_allclose(state.point, averaged, **tolerance)


def test_one_row_steps_clip_as_batches_of_one_do(make_problem):
    problem = make_problem(SquaredError(), L2(), 1e-3)
    path = by_hand(problem, Plain, lambda t: 0.05, 1, 2, clip_norm=0.2)
    solver = made("sgd", eta0=0.05, shuffle=False, schedule=Constant(), clip_norm=0.2)
    assert_allclose(run(solver, problem, 2).theta, path[-1], atol=1e-12)


@pytest.mark.parametrize("name", RULED)
def test_a_batch_of_all_rows_is_a_step_of_the_full_gradient(make_problem, name):
    problem = make_problem(SquaredError(), L2(), 0.1)
    solver = made(name, eta0=0.01, batch_size=60, schedule=Constant())
    theta = problem.objective.zeros()
    rule = resolve_solver(name)
    memory = rule.init(theta, np)
    for t in (1, 2, 3):
        grad = problem.loss_grad(theta)[1] if rule.decoupled else problem.value_grad(theta)[1]
        shrink = 0.01 * 0.1 * np.append(theta[:-1], 0) if rule.decoupled else 0.0
        theta = theta - 0.01 * rule.update(grad, *memory, t, np)[0] - shrink
    assert_allclose(run(solver, problem, 3).theta, theta, rtol=1e-9)


@pytest.mark.parametrize("batch_size", [1, 7])
@pytest.mark.parametrize("name", ["sgd", "momentum"])
def test_every_row_is_taken_once_a_pass(house, name, batch_size):
    # With the unit vectors as rows, a row moves its own coefficient and no other.
    X, y = house(np.eye(60)), np.arange(1.0, 61.0)
    est = GDRegressor(solver=name, eta0=1e-9, batch_size=batch_size, fit_intercept=False)
    est.set_params(penalty=None, max_iter=1, tol=None, random_state=0)
    if name == "momentum":
        est.set_params(solver=Momentum(0.0))
    est.fit(X, y)
    shares = np.sort(est.coef_ / (1e-9 * y))
    # Sixty rows make eight batches of seven and one of four.
    expected = np.ones(60) if batch_size == 1 else np.repeat([1 / 7, 1 / 4], [56, 4])
    assert_allclose(shares, expected, rtol=1e-6)


# ---- same seed, same bits ----


def fitted(X, y, **params):
    cls = GDClassifier if y.dtype.kind == "i" else GDRegressor
    return cls(**{"random_state": 0, "max_iter": 5, "tol": None, **params}).fit(X, y)


def assert_same_bits(a, b):
    assert_array_equal(a.coef_, b.coef_)
    assert_array_equal(a.intercept_, b.intercept_)
    assert_array_equal(a.loss_curve_, b.loss_curve_)
    assert (a.n_iter_, a.t_, a.stop_reason_) == (b.n_iter_, b.t_, b.stop_reason_)


@pytest.mark.parametrize("solver, eta0", RATED)
def test_same_seed_same_bits(rows, target, house, solver, eta0):
    X = house(rows(70, 5))
    y = target(rows(70, 5), "classes")
    first, second = (fitted(X, y, solver=solver, eta0=eta0) for _ in range(2))
    assert_same_bits(first, second)


@pytest.mark.parametrize("solver", STREAMING)
def test_another_seed_gives_another_order(rows, target, solver):
    X = rows(70, 5)
    y = target(X, "regression")
    a, b = (fitted(X, y, solver=solver, random_state=seed) for seed in (0, 1))
    assert not np.array_equal(a.coef_, b.coef_)
    a, b = (fitted(X, y, solver=solver, random_state=seed, shuffle=False) for seed in (0, 1))
    assert_same_bits(a, b)


def test_the_global_generator_is_neither_read_nor_moved(rows, target):
    X = rows(70, 5)
    y = target(X, "regression")
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    fitted(X, y, solver="sgd", random_state=3, early_stopping=True)
    assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


@pytest.mark.parametrize("home", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("solver", [*FIT_ONLY, "sgd", "adam"])
def test_threads_change_no_bit(rows, target, solver, home):
    # Large enough for several parts, or there would be nothing to share out.
    X = rows(60_000, 8)
    y = target(X, "regression")
    X = home(X)
    fits = [fitted(X, y, solver=solver, n_jobs=n, max_iter=3) for n in (1, 2, 3)]
    assert_same_bits(fits[0], fits[1])
    assert_same_bits(fits[0], fits[2])


# ---- homes ----


@pytest.mark.parametrize("penalty", ["l2", "l1"])
@pytest.mark.parametrize("kind", ["regression", "binary", "classes", "targets"])
def test_gd_takes_the_same_steps_for_dense_and_csr(rows, target, kind, penalty):
    X = rows(120, 6)
    y = target(X, kind)
    options = {"solver": "gd", "penalty": penalty, "alpha": 0.01, "max_iter": 500, "tol": 1e-6}
    dense = fitted(X, y, **options)
    for dtype in (np.int32, np.int64):
        S = sp.csr_array(X)
        S.indices, S.indptr = S.indices.astype(dtype), S.indptr.astype(dtype)
        sparse = fitted(S, y, **options)
        assert (sparse.n_iter_, sparse.stop_reason_) == (dense.n_iter_, "converged")
        assert_allclose(sparse.loss_curve_, dense.loss_curve_, rtol=1e-9)
        # A rate is a quotient of differences, which shrink as the run converges.
        assert_allclose(sparse.history_["rate"], dense.history_["rate"], rtol=1e-5)
        assert_allclose(sparse.coef_, dense.coef_, rtol=1e-6, atol=1e-10)


@pytest.mark.parametrize("params", [{}, {"penalty": "l1"}, {"average": True}, {"batch_size": 1}])
@pytest.mark.parametrize("kind", ["regression", "classes"])
@pytest.mark.parametrize("solver", RULED)
def test_stochastic_solvers_take_the_same_steps_for_dense_and_csr(
    rows, target, solver, kind, params
):
    X = rows(80, 6)
    y = target(X, kind)
    rate = {"adadelta": 1.0, "momentum": 1e-3, "nesterov": 1e-3}.get(solver, 0.01)
    options = {"solver": solver, "eta0": rate, "max_iter": 40, "tol": 0.01, **params}
    if params == {"average": True}:
        options["penalty"] = None
    dense, sparse = fitted(X, y, **options), fitted(sp.csr_array(X), y, **options)
    assert (sparse.n_iter_, sparse.stop_reason_) == (dense.n_iter_, dense.stop_reason_)
    assert_allclose(sparse.loss_curve_, dense.loss_curve_, rtol=1e-10)
    assert_allclose(sparse.coef_, dense.coef_, rtol=1e-7, atol=1e-11)


@pytest.mark.parametrize("solver", get_solver_names())
def test_float32_rows_are_kept_and_summed_in_float64(rows, target, solver):
    X = rows(100, 5)
    y = target(X, "regression")
    wide, narrow = (fitted(X.astype(t), y, solver=solver) for t in (np.float64, np.float32))
    assert narrow.coef_.dtype == narrow.intercept_.dtype == np.float32
    assert wide.coef_.dtype == wide.intercept_.dtype == np.float64
    assert narrow.predict(X.astype(np.float32)).dtype == np.float32
    # The rows are equal numbers in either type, and so is everything but the last rounding.
    assert_allclose(narrow.loss_curve_, wide.loss_curve_, rtol=1e-9)
    assert_allclose(narrow.coef_, wide.coef_, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("solver", get_solver_names())
def test_the_order_of_storage_changes_nothing(rows, target, solver):
    X = rows(60, 5)
    y = target(X, "regression")
    fits = [fitted(home(X), y, solver=solver) for home in (np.asfortranarray, lambda X: X)]
    assert_same_bits(*fits)
    csr, csc = (fitted(home(X), y, solver=solver) for home in (sp.csr_array, sp.csc_array))
    assert_same_bits(csr, csc)


@pytest.mark.parametrize("solver", get_solver_names())
def test_read_only_rows_are_left_alone(rows, target, house, solver):
    X, y = house(rows(60, 5)), target(rows(60, 5), "binary")
    arrays = [y, *([X.data, X.indices, X.indptr] if sp.issparse(X) else [X])]
    before = [a.copy() for a in arrays]
    for a in arrays:
        a.flags.writeable = False
    fitted(X, y, solver=solver)
    for a, b in zip(arrays, before, strict=True):
        assert_array_equal(a, b)


# ---- weights ----


@pytest.mark.parametrize("params", [{}, {"penalty": "l1"}, {"eta0": 0.1}, {"loss": "huber"}])
def test_a_row_of_weight_two_is_two_rows_to_gd(rows, target, house, params):
    X = rows(60, 5)
    y = target(X, "regression")
    s = np.random.RandomState(0).randint(0, 4, 60)
    options = {"solver": "gd", "alpha": 0.01, "max_iter": 400, "tol": 1e-9, **params}
    weighted = GDRegressor(**options).fit(house(X), y, sample_weight=s)
    repeated = GDRegressor(**options).fit(house(np.repeat(X, s, axis=0)), np.repeat(y, s))
    # Near the optimum the search for a rate tells values of F apart to rounding only.
    tolerance = 1e-7 if weighted.coef_.dtype == np.float64 else 2e-6
    assert_allclose(weighted.coef_, repeated.coef_, rtol=tolerance, atol=tolerance)
    assert_allclose(weighted.loss_curve_[-1], repeated.loss_curve_[-1], rtol=1e-12)
    assert_allclose(weighted.loss_curve_[:5], repeated.loss_curve_[:5], rtol=1e-9)


@pytest.mark.parametrize("solver, eta0", RATED)
def test_a_row_of_weight_zero_is_no_row(rows, target, house, solver, eta0):
    X = rows(80, 5)
    y = target(X, "regression")
    s = np.ones(80)
    s[::5] = 0
    wild = X.copy()
    wild[::5] = 1e6
    options = {"solver": solver, "eta0": eta0, "shuffle": False}
    with_rows = GDRegressor(max_iter=4, tol=None, **options).fit(house(wild), y, sample_weight=s)
    without = GDRegressor(max_iter=4, tol=None, **options).fit(house(X[s > 0]), y[s > 0])
    assert_allclose(with_rows.coef_, without.coef_, rtol=1e-6)


@pytest.mark.parametrize("solver, eta0", RATED)
def test_only_ratios_of_weights_matter_to_fit(rows, target, solver, eta0):
    X = rows(60, 5)
    y = target(X, "regression")
    s = np.linspace(1, 2, 60)
    options = {"solver": solver, "eta0": eta0, "random_state": 0, "max_iter": 5, "tol": None}
    a, b = (GDRegressor(**options).fit(X, y, sample_weight=c * s) for c in (1.0, 1024.0))
    assert_allclose(a.coef_, b.coef_, rtol=1e-10)


# ---- states ----


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("name", sorted(SOLVERS))
def test_a_pickled_state_resumes_to_the_bit(make_problem, name, scaled):
    kind_of_scale = scaled and (name in BATCH or "stochastic")
    problem = make_problem(LogLoss(), kind="binary", scaled=kind_of_scale)
    eta0 = "auto" if scaled or name not in TAKE_RATES else 0.01
    average = 3 if name in RULED else 0
    solver = made(name, eta0=eta0, average=average)
    once = run(solver, problem, 9)
    half = run(solver, problem, 4)
    solver, half = pickle.loads(pickle.dumps((solver.with_settings(solver.settings), half)))
    solver = made(name, eta0=eta0, average=average)
    twice = run(solver, problem, 5, state=half)
    assert_array_equal(once.theta, twice.theta)
    assert_array_equal(once.point, twice.point)
    assert (once.t, once.passes, once.value) == (twice.t, twice.passes, twice.value)


@pytest.mark.parametrize("name", sorted(SOLVERS))
def test_a_fit_changes_nothing_that_the_user_holds(rows, target, name):
    solver = SOLVERS[name]()
    before = solver.get_params(), dict(vars(solver))
    X = rows(60, 5)
    est = GDRegressor(solver=solver, random_state=0, max_iter=3).fit(X, target(X, "regression"))
    assert (solver.get_params(), vars(solver)) == before
    assert est.solver_ is not solver
    assert type(est.solver_) is type(solver)
    named = clone(est).set_params(solver=name).fit(X, target(X, "regression"))
    assert_array_equal(named.coef_, est.coef_)


def test_hyper_parameters_of_a_solver_are_used(rows, target):
    X = rows(60, 5)
    y = target(X, "regression")
    a, b = (fitted(X, y, solver=Adam(beta_1=b), eta0=0.01) for b in (0.9, 0.1))
    assert not np.allclose(a.coef_, b.coef_)
    est = GDRegressor(solver=Adam()).set_params(solver__beta_1=0.1, eta0=0.01, random_state=0)
    assert_array_equal(est.set_params(max_iter=5, tol=None).fit(X, y).coef_, b.coef_)


def test_history_has_one_entry_per_iteration(rows, target):
    X = rows(60, 5)
    y = target(X, "regression")
    for solver in get_solver_names():
        est = fitted(X, y, solver=solver, max_iter=7, tol=None)
        assert {len(column) for column in est.history_.values()} == {est.n_iter_}
        assert_array_equal(est.loss_curve_, est.history_["value"])
        assert (np.diff(est.history_["seconds"]) >= 0).all()


def test_no_warning_leaves_a_fit_that_converged(rows, target):
    X = rows(200, 5)
    y = target(X, "binary")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for solver in get_solver_names():
            assert GDClassifier(solver=solver, tol=1e-3, random_state=0).fit(X, y).converged_


def test_gd_and_hinge_keep_the_best_point(rows, target):
    X = rows(100, 5)
    est = GDClassifier("hinge", solver=GD(), max_iter=50, tol=None).fit(X, target(X, "binary"))
    assert (np.diff(est.loss_curve_) <= 0).all()
