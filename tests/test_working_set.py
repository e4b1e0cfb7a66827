"""l1 problems on many columns: steps on those that matter lead to the optimum of all."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import ElasticNet, Lasso, LogisticRegression

from skgd import GDClassifier, GDRegressor
from skgd._problem import Problem
from skgd.losses import SquaredError
from skgd.objectives import _linear as linear
from skgd.objectives import make_objective
from skgd.penalties import L1
from skgd.solvers import LBFGS
from skgd.solvers import _lbfgs as lbfgs
from skgd.solvers import _working_set as working_set
from skgd.solvers._by_column import OnColumns
from skgd.solvers._working_set import BY_DESCENT

pytestmark = pytest.mark.filterwarnings("error::sklearn.exceptions.ConvergenceWarning")
WIDE = 2000


def rows(home="csr", n=300, d=WIDE, seed=0):
    rng = np.random.default_rng(seed)
    X = sp.random_array((n, d), density=0.05, format="csr", rng=rng)
    w = np.zeros(d)
    w[rng.choice(d, 12, replace=False)] = rng.choice([-4.0, 4.0], 12)
    eta = X @ w
    return (X.toarray() if home == "dense" else X), eta, rng


@pytest.fixture
def counted(monkeypatch):
    """Collects how many columns steps have chosen; None where there were too many."""
    seen, choose = [], working_set.chosen_columns

    def counting(*args):
        found = choose(*args)
        seen.append(None if found is None else len(found))
        return found

    monkeypatch.setattr(working_set, "chosen_columns", counting)
    return seen


@pytest.mark.parametrize("home", ["dense", "csr"])
@pytest.mark.parametrize("share", [0.5, 0.1, 0.03])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("solver", ["auto", "newton"])
def test_the_lasso_is_that_of_coordinate_descent(counted, home, share, intercept, solver):
    X, eta, rng = rows(home)
    y = 3.0 + eta + 0.1 * rng.standard_normal(len(eta))
    alpha = share * np.abs(X.T @ (y - intercept * y.mean())).max() / len(y)
    options = {"alpha": alpha, "fit_intercept": intercept}
    est = GDRegressor(penalty="l1", tol=1e-10, solver=solver, **options).fit(X, y)
    want = Lasso(tol=1e-14, max_iter=10**5, **options).fit(X, y)
    assert_allclose(est.coef_, want.coef_, atol=1e-6)
    assert_array_equal(est.coef_ != 0, want.coef_ != 0)
    assert counted[0] is not None
    assert est.n_iter_ <= 12
    assert np.all(np.diff(est.loss_curve_) <= 1e-12)


@pytest.mark.parametrize("home", ["dense", "csr"])
@pytest.mark.parametrize("options", [{}, {"batch_size": 8}, {"shuffle": False}])
@pytest.mark.parametrize("solver", ["sag", "saga", "svrg"])
def test_steps_of_rows_find_the_lasso_on_few_columns(counted, home, options, solver):
    X, eta, rng = rows(home)
    y = 3.0 + eta + 0.1 * rng.standard_normal(len(eta))
    alpha = 0.1 * np.abs(X.T @ (y - y.mean())).max() / len(y)
    est = GDRegressor(penalty="l1", alpha=alpha, tol=1e-8, solver=solver, random_state=0, **options)
    est.fit(X, y)
    want = Lasso(alpha=alpha, tol=1e-14, max_iter=10**5).fit(X, y)
    assert_allclose(est.coef_, want.coef_, atol=1e-3)
    assert_allclose(est.intercept_, want.intercept_, atol=1e-4)
    assert counted[-1] < WIDE / 10
    assert est.n_iter_ <= len(counted) + 5  # hardly a pass over all columns


@pytest.mark.parametrize("solver", ["sag", "saga", "svrg"])
def test_steps_of_rows_go_over_all_columns_where_nearly_all_want_in(counted, solver):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((240, 390)) * (rng.uniform(size=(240, 390)) < 0.3)
    y = X @ rng.standard_normal(390) + rng.standard_normal(240)
    options = {"penalty": "elasticnet", "alpha": 1e-4, "solver": solver, "random_state": 0}
    est = GDRegressor(tol=1e-5, **options).fit(X, y)
    assert est.converged_
    assert set(counted) == {None}
    # And a rate of the user's is followed as it stands.
    counted.clear()
    GDRegressor(eta0=1e-3, tol=None, max_iter=3, **{**options, "alpha": 1.0}).fit(X, y)
    assert not counted


@pytest.mark.parametrize("solver", ["sag", "saga", "svrg"])
def test_steps_of_rows_leave_what_columns_cannot_lower(counted, solver):
    X, eta, _ = rows()
    alpha = 1.01 * np.abs(X.T @ (eta - eta.mean())).max() / len(eta)
    start = {"intercept_init": [0.5]}
    est = GDRegressor(penalty="l1", alpha=alpha, tol=None, solver=solver, max_iter=30)
    est.fit(X, eta, **start)
    assert_array_equal(est.coef_, 0.0)
    assert_allclose(est.intercept_, eta.mean(), atol=1e-9)
    assert len(counted) <= 12  # of 30 passes: no column has anything to give


def test_an_elastic_net_is_that_of_coordinate_descent(counted):
    X, eta, _ = rows()
    options = {"alpha": 0.002, "l1_ratio": 0.7}
    est = GDRegressor(penalty="elasticnet", tol=1e-10, **options).fit(X, eta)
    want = ElasticNet(tol=1e-12, max_iter=10**5, **options).fit(X, eta)
    assert_allclose(est.coef_, want.coef_, atol=1e-5)  # where F is level to rounding
    assert counted


@pytest.mark.parametrize("home", ["dense", "csr"])
def test_logistic_coefficients_are_those_of_liblinear(counted, home):
    X, eta, rng = rows(home)
    y = (eta + 0.3 * rng.logistic(size=len(eta)) > 0).astype(int)
    alpha = 0.003
    est = GDClassifier(penalty="l1", alpha=alpha, tol=1e-10, fit_intercept=False).fit(X, y)
    want = LogisticRegression(
        l1_ratio=1, C=1 / (alpha * len(y)), solver="liblinear", fit_intercept=False, tol=1e-8,
        max_iter=10**5,
    ).fit(X, y)  # fmt: skip
    assert_allclose(est.coef_, want.coef_, atol=1e-5)
    assert counted


@pytest.mark.parametrize(
    "loss, alpha",
    [("softmax", 0.02), ("huber", 0.0025), ("poisson", 0.02), ("squared_hinge", 0.02)],
)
def test_other_losses_meet_the_conditions_of_an_optimum(counted, loss, alpha):
    X, eta, rng = rows(d=400)
    if loss == "softmax":
        est, y = GDClassifier(), np.digitize(eta, [-0.5, 0.5])
    elif loss == "squared_hinge":
        est, y = GDClassifier(loss), (eta > 0).astype(int)
    else:
        est = GDRegressor(loss)
        y = rng.poisson(np.exp(np.clip(eta, -2, 2))).astype(float)
        y += 0.1 * rng.standard_normal(len(y)) ** 2
    est.set_params(penalty="l1", alpha=alpha, solver="lbfgs", tol=1e-8).fit(X, y)
    assert counted
    assert counted[0] is not None
    assert est.optimality_ <= 1e-8
    assert 0 < np.count_nonzero(est.coef_) < est.coef_.size / 4


def test_scales_and_weights_change_nothing_of_that():
    X, eta, rng = rows()
    s = rng.uniform(0.5, 2.0, len(eta))
    units = 10.0 ** rng.integers(-3, 4, WIDE)
    X = sp.csr_array(X.multiply(units))
    alpha = 0.05 * np.abs(X.T @ (s * (eta - np.average(eta, weights=s)))).max() / s.sum()
    est = GDRegressor(penalty="l1", alpha=alpha, tol=1e-10).fit(X, eta, sample_weight=s)
    want = Lasso(alpha=alpha, tol=1e-14, max_iter=10**6).fit(X.toarray(), eta, sample_weight=s)
    assert_allclose(est.predict(X), want.predict(X.toarray()), atol=1e-5)


@pytest.mark.parametrize("loss", ["log_loss", "squared_hinge", "softmax"])
def test_late_iterations_go_over_the_columns_that_are_left(monkeypatch, loss):
    X, eta, _ = rows(n=200, d=300)
    X = X.toarray() if loss == "log_loss" else X  # sparse columns go by coordinate descent
    y = np.digitize(eta, [-0.5, 0.5]) if loss == "softmax" else (eta > 0).astype(int)
    options = {"loss": "log_loss" if loss == "softmax" else loss, "penalty": "l1", "alpha": 1e-4}
    options |= {"solver": "lbfgs", "tol": 1e-8, "max_iter": 3000}
    monkeypatch.setattr(working_set, "_LEAST", 1)
    monkeypatch.setattr(working_set, "_PASSES", 0.0)  # no column is few enough for a Hessian
    monkeypatch.setattr(lbfgs, "_LATE", 10**6)
    by_steps = GDClassifier(**options).fit(X, y)
    monkeypatch.setattr(lbfgs, "_LATE", 20)
    est = GDClassifier(**options).fit(X, y)
    assert est.converged_
    assert est.optimality_ <= 1e-8
    assert 20 < est.n_iter_ < 0.5 * by_steps.n_iter_
    assert abs(est.loss_curve_[-1] - by_steps.loss_curve_[-1]) <= 1e-7
    assert np.all(np.diff(est.loss_curve_) <= 1e-12)


def test_where_most_columns_are_needed_they_are_all_taken(counted, monkeypatch):
    monkeypatch.setattr(working_set, "_FIRST", 8)
    monkeypatch.setattr(working_set, "_PASSES", 0.0)
    monkeypatch.setattr(working_set, "_LEAST", 50)
    X, _, rng = rows(n=800, d=300)
    y = X @ rng.standard_normal(300)
    est = GDRegressor(penalty="l1", alpha=1e-5, tol=1e-8, solver="lbfgs").fit(X, y)
    assert est.converged_
    assert counted[-1] is None
    assert counted.count(None) == 1  # once is enough
    assert np.count_nonzero(est.coef_) > 200


@pytest.mark.parametrize("home, whole_is_kept", [("dense", True), ("csr", True), ("csr", False)])
def test_an_objective_of_some_columns_is_that_of_the_slices(home, whole_is_kept, monkeypatch):
    X, eta, rng = rows(home, d=300)
    if not whole_is_kept:
        monkeypatch.setattr(linear, "_LEAST_COPY", X.nnz - 1)
    s, some = rng.uniform(size=len(eta)), np.array([3, 50, 299])
    whole = make_objective(X, eta, s, SquaredError())
    part = whole.columns(some)
    theta = rng.standard_normal(4)
    wide = np.zeros(301)
    wide[some], wide[-1] = theta[:3], theta[3]
    (value, grad), (want, all_slopes) = part.sums(theta), whole.sums(wide)
    assert_allclose(value, want)
    assert_allclose(grad, all_slopes[[*some, 300]], atol=1e-12)
    if home == "csr":
        inv_scale = np.array([2.0, 0.5, -3.0])
        for _ in range(2):  # what is kept is not changed
            assert_allclose(part.by_column(inv_scale).toarray(), X[:, some].toarray() * inv_scale)
            assert_allclose(part.by_column().toarray(), X[:, some].toarray())
            assert ("entries" in whole._of_rows) is whole_is_kept
        assert_allclose(part.columns(np.array([1])).X.toarray(), X[:, [50]].toarray())


def test_a_step_takes_more_columns_where_rows_are_as_many():
    chosen = []
    for n in (150, 300):
        X, eta, _ = rows(n=n, d=300)
        problem = Problem(make_objective(X, eta, np.ones(n), SquaredError()), L1(), 1e-6)
        grad = np.append(np.linspace(0.0, 2e-6, 300), 0.0)  # half of the columns want to be there
        zero = problem.objective.zeros()
        chosen.append(working_set.chosen_columns(problem, zero, grad, np.inf, BY_DESCENT))
    assert_array_equal(chosen[0], np.arange(300 - 64, 300))
    assert_array_equal(chosen[1], np.arange(300 - 112, 300))


def test_a_restricted_step_reads_no_rows_to_begin(monkeypatch):
    X, eta, _ = rows(d=300)
    problem = Problem(make_objective(X, eta, np.ones(len(eta)), SquaredError()), L1(), 1e-3)
    state = LBFGS().init(problem, problem.objective.zeros(), None)
    before = state.value

    def begin(part, start):
        monkeypatch.setattr(part.objective, "look", None)
        monkeypatch.setattr(part.objective, "linear", None)
        inner = OnColumns().init(part, start, None)
        monkeypatch.undo()
        assert_allclose(inner.value, part.value(start), rtol=1e-14)
        assert_allclose(inner.memory["grad"], part.value_grad(start)[1], atol=1e-14)
        return OnColumns(), inner

    found = working_set.restricted_step(begin, problem, state, 0.0, BY_DESCENT)
    assert found.value < before
    # Margins that were moved with the step are those of the point.
    assert found.moved
    assert_allclose(found.eta, problem.objective.linear(found.theta), atol=1e-12)
    assert_allclose(found.value, problem.value(found.theta), rtol=1e-12)
    assert_allclose(found.grad, problem.value_grad(found.theta)[1], atol=1e-12)


@pytest.mark.parametrize("home", ["dense", "csr"])
def test_a_copy_that_would_be_large_is_not_made(home, monkeypatch):
    monkeypatch.setattr(linear, "_LEAST_COPY", 10)
    X, eta, _ = rows(home, d=300)
    whole = make_objective(X, eta, np.ones(len(eta)), SquaredError())
    assert whole.columns(np.arange(150)) is None
    assert whole.columns(np.arange(3)) is not None
