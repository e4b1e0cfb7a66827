"""Coordinate descent on sparse columns, and the Newton steps that are made of it."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from scipy.linalg import LinAlgError
from scipy.optimize import minimize
from sklearn.base import clone

from skgd import GDClassifier, GDRegressor, _kernels
from skgd._kernels import _reference
from skgd._problem import Problem
from skgd.losses import Huber, LogLoss, Poisson, SquaredError
from skgd.objectives import LinearObjective, ScaledObjective, _linear
from skgd.penalties import L1, ElasticNet
from skgd.solvers import _by_column, _lbfgs
from skgd.solvers._by_column import ByColumns, Columns, OnColumns

N, D = 60, 12


def columns_of(d=D, seed=0, n=N):
    rng = np.random.RandomState(seed)
    X = sp.random(n, d, 0.3, "csc", random_state=rng, data_rvs=rng.standard_normal)
    X.indices, X.indptr = X.indices.astype(np.int32), X.indptr.astype(np.int32)
    bent = rng.uniform(0.0, 2.0, n) * (rng.uniform(size=n) < 0.8)
    l1, l2 = rng.uniform(0.5, 2.0, d), rng.uniform(0.01, 0.1, d)
    l1[0] = 0.0
    return X, bent, 3.0 * rng.standard_normal(d), l1, l2, rng.standard_normal(d)


def descend(X, bent, x, base, l1, l2, free, sweeps, everything, tol):
    """Call the kernel from slopes of zero."""
    sums, diagonal, slopes = np.empty(len(x)), np.empty(len(x)), np.zeros(len(bent))
    _kernels.column_sums(X.indptr, X.indices, X.data, bent, sums, diagonal)
    total = float(bent.sum()) if free else 0.0
    diagonal += l2 - (sums**2 / total if free else 0.0)
    at, trail = x.copy(), np.full((sweeps, len(x)), np.nan)
    fixed = base, sums, diagonal, l1, l2
    level, largest, done = _kernels.descend_columns(
        *(X.indptr, X.indices, X.data, bent, slopes, at),
        *fixed,
        *(0.0, total, trail, everything, tol),
    )
    assert_allclose(slopes, bent * (X @ (at - x)), rtol=1e-9, atol=1e-12)
    assert_allclose(trail[done - 1], at)
    return at, level, largest, done, trail


def test_sums_of_columns_are_those_of_the_twin():
    X, bent, *_ = columns_of()
    sums, squares = np.empty(D), np.empty(D)
    _kernels.column_sums(X.indptr, X.indices, X.data, bent, sums, squares)
    for got, wanted in zip((sums, squares), _reference.column_sums(X, bent), strict=True):
        assert_allclose(got, wanted, rtol=1e-12)


@pytest.mark.parametrize("free", [True, False])
@pytest.mark.parametrize("everything", [True, False])
@pytest.mark.parametrize("sweeps", [1, 3, 200])
def test_sweeps_take_the_steps_of_their_twin(sweeps, everything, free):
    X, bent, base, l1, l2, x = columns_of()
    x[::2] = 0.0
    rest = base, l1, l2, free, sweeps, everything, 1e-10
    at, level, largest, *_ = descend(X, bent, x, *rest)
    wanted = _reference.descend_columns(X, bent, x, *rest)
    assert_allclose(at, wanted[0], rtol=1e-8, atol=1e-10)
    assert_allclose([level, largest], wanted[1:], rtol=1e-6, atol=1e-10)


def test_sweeps_end_at_the_minimum_with_a_free_intercept():
    X, bent, base, l1, l2, start = columns_of()
    at, level, *_ = descend(X, bent, start, base, l1, l2, True, 5000, True, 1e-13)

    def model(z):
        # Halves of positive and negative parts make absolute values smooth.
        x, b = z[:D] - z[D:-1], z[-1]
        eta = X @ (x - start) + b
        smooth = 0.5 * bent @ eta**2 + base @ x + 0.5 * l2 @ (x * x) + l1 @ (z[:D] + z[D:-1])
        slope = X.T @ (bent * eta) + base + l2 * x
        return smooth, np.r_[slope + l1, -slope + l1, bent @ eta]

    bounds = [(0, None)] * (2 * D) + [(None, None)]
    start_z = np.r_[np.maximum(start, 0), np.maximum(-start, 0), 0.0]
    options = {"maxiter": 20_000, "maxfun": 50_000, "ftol": 1e-15, "gtol": 1e-11}
    found = minimize(model, start_z, jac=True, bounds=bounds, method="L-BFGS-B", options=options)
    best = found.x[:D] - found.x[D:-1]
    assert_allclose(at, best, atol=1e-5)
    assert_allclose(level, found.x[-1], atol=1e-5)
    assert (at[1:] == 0.0).any()
    assert (at != 0.0).any()


def test_sweeps_over_what_is_not_zero_leave_zeros():
    X, bent, base, l1, l2, x = columns_of()
    x[3:] = 0.0
    at, *_, trail = descend(X, bent, x, base, l1, l2, True, 4, False, 0.0)
    assert not at[3:].any()
    assert at[0] != x[0]
    assert len(np.unique(trail[:, 0])) == 4


def test_arrays_that_do_not_fit_are_told():
    X, bent, base, l1, l2, x = columns_of()
    with pytest.raises(ValueError, match="must fit x, which has 12 entries"):
        descend(X, bent, x, base, l1[:5], l2, False, 1, True, 0.0)
    with pytest.raises(ValueError, match="indptr does not fit 11 columns"):
        _kernels.column_sums(X.indptr, X.indices, X.data, bent, np.empty(11), np.empty(11))


# -- the model ----------------------------------------------------------------------------


def problem_of(loss, penalty, alpha, *, n=300, d=60, k=1, scaled=True, fit_intercept=True, seed=1):
    rng = np.random.RandomState(seed)
    X = sp.random(n, d, 0.1, "csr", random_state=rng, data_rvs=lambda m: rng.poisson(2.0, m) + 1.0)
    signal = X[:, :5] @ rng.standard_normal((5, k)) + 0.1 * rng.standard_normal((n, k))
    if isinstance(loss, LogLoss):
        y = np.where(signal > 0, 1.0, -1.0)
    elif isinstance(loss, Poisson):
        y = rng.poisson(np.exp(np.clip(signal, -3, 3))).astype(float)
    else:
        y = signal
    y = y[:, 0].copy() if k == 1 else y
    s = rng.uniform(0.5, 1.5, n)
    objective = LinearObjective(X, y, s, loss, n_outputs=k, fit_intercept=fit_intercept)
    if scaled:
        shift = rng.uniform(-1.0, 1.0, d) if fit_intercept else None
        objective = ScaledObjective(objective, shift, rng.uniform(0.5, 2.0, d))
    return Problem(objective, penalty, alpha)


CASES = {
    "squares": (SquaredError(), L1(), 0.02, {}),
    "no intercept": (SquaredError(), L1(), 0.02, {"fit_intercept": False}),
    "elastic net": (LogLoss(), ElasticNet(0.7), 0.01, {}),
    "users' variables": (LogLoss(), L1(), 0.01, {"scaled": False}),
    "three targets": (SquaredError(), L1(), 0.05, {"k": 3}),
    "huber": (Huber(5.0), L1(), 0.02, {}),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("factored", [True, False])
def test_a_model_is_lowered_to_where_its_slopes_are_within_the_l1_part(case, factored, monkeypatch):
    loss, penalty, alpha, given = CASES[case]
    problem = problem_of(loss, penalty, alpha, **given)
    monkeypatch.setattr(_by_column, "_LEFT", 1e-9)
    monkeypatch.setattr(_by_column, "_LEFT_HELD", 0.0)
    monkeypatch.setattr(_by_column, "_ROUNDS", 400)
    if factored:
        monkeypatch.setattr(_by_column, "_PAIRED", 0.0)
        monkeypatch.setattr(_by_column, "_CUBED", 0.0)
    else:
        monkeypatch.setattr(_by_column, "FACTORED", 0)
        monkeypatch.setattr(_by_column, "_FEW", 400)
    theta = 0.1 * np.random.RandomState(2).standard_normal(problem.objective.n_params)
    if not problem.objective.fit_intercept:
        theta[problem.objective.n_coef :] = 0.0
    _, grad, eta = problem.look(theta)
    there = ByColumns(problem, Columns(problem), eta).minimum(problem, theta, grad)
    # Slopes of the model, through the Hessian that kernels form.
    objective, slopes, step = problem.objective, grad.copy(), there - theta
    for (j, _), H in objective.hessian(eta, objective.active()).items():
        at = np.append(j * objective.n_features + np.arange(objective.n_features), -1)
        at[-1] = objective.n_coef + j
        slopes[at] += H @ step[at] / objective.mass
    if problem.has_l2:
        objective.split(slopes)[0][:] += problem.l2 * objective.split(step)[0]
    if not objective.fit_intercept:
        slopes[objective.n_coef :] = 0.0
        assert not step[objective.n_coef :].any()
    size = np.abs(grad).max()
    assert problem.violation(there, slopes) < 1e-6 * size
    W = objective.split(there)[0]
    assert (W == 0).any()
    assert (W != 0).any()


def test_curvatures_that_overflow_are_refused():
    problem = problem_of(Poisson(), L1(), 0.01)
    eta = np.full((300, 1), 800.0)
    with np.errstate(all="ignore"), pytest.raises(LinAlgError, match="not finite"):
        ByColumns(problem, Columns(problem), eta)


# -- steps --------------------------------------------------------------------------------


def words(n=400, d=2000, seed=0):
    rng = np.random.RandomState(seed)
    X = sp.random(n, d, 0.01, "csr", random_state=rng, data_rvs=lambda m: rng.poisson(1.0, m) + 1.0)
    signal = X[:, :40] @ rng.standard_normal(40)
    return X, signal, rng


def others(X, y, loss, alpha):
    """Return F of one more descent, written out here: FISTA with the best intercept in it."""
    n, d = X.shape
    A = sp.hstack([X, np.ones((n, 1))]).tocsr()
    step = n / (0.25 * sp.linalg.norm(A, 2) ** 2 if loss == "log" else sp.linalg.norm(A, 2) ** 2)
    pay = np.append(np.full(d, alpha), 0.0)

    def value(w):
        eta = A @ w
        part = np.logaddexp(0.0, -y * eta) if loss == "log" else 0.5 * (y - eta) ** 2
        return part.mean() + pay @ np.abs(w)

    w = z = np.zeros(d + 1)
    t, last = 1.0, np.inf
    for i in range(60_000):
        eta = A @ z
        u = -y / (1.0 + np.exp(y * eta)) if loss == "log" else eta - y
        new = z - step * (A.T @ u) / n
        new = np.sign(new) * np.maximum(np.abs(new) - step * pay, 0.0)
        if (z - new) @ (new - w) > 0:
            t = 1.0
        later = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * t * t))
        z, w, t = new + (t - 1.0) / later * (new - w), new, later
        if i % 1000 == 999:
            now = value(w)
            if last - now < 1e-13 * abs(now):
                break
            last = now
    return value(w)


@pytest.mark.parametrize("loss", ["log", "squares"])
def test_a_fit_of_words_with_l1_ends_at_the_optimum_of_another_descent(loss):
    X, signal, rng = words()
    alpha = 2e-3
    if loss == "log":
        y = np.where(signal + rng.standard_normal(400) > 0, 1.0, -1.0)
        est = GDClassifier(penalty="l1", alpha=alpha, solver="lbfgs", tol=1e-8).fit(X, y)
    else:
        y = signal + rng.standard_normal(400)
        est = GDRegressor(penalty="l1", alpha=alpha, solver="lbfgs", tol=1e-8).fit(X, y)
    assert est.converged_
    assert est.n_iter_ < 15
    eta = X @ est.coef_.ravel() + est.intercept_
    part = np.logaddexp(0.0, -y * eta) if loss == "log" else 0.5 * (y - eta) ** 2
    value = part.mean() + alpha * np.abs(est.coef_).sum()
    assert abs(value - others(X, y, loss, alpha)) < 1e-7 * value


def test_columns_that_are_nearly_alike_are_factored_where_sweeps_crawl():
    rng = np.random.RandomState(0)
    one = sp.random(400, 1100, 0.003, "csr", random_state=rng, data_rvs=rng.standard_normal)
    other = one.copy()
    other.data *= 1.0 + 1e-6 * rng.standard_normal(other.nnz)
    signal = 2.0 * one[:, :20] @ rng.standard_normal(20)
    y = rng.poisson(np.exp(np.clip(signal, -4.0, 4.0))).astype(float)
    X = sp.hstack([one, other]).tocsr()
    options = {"penalty": "l1", "alpha": 1e-3, "tol": 1e-7, "fit_intercept": False}
    est = GDRegressor(**options, max_iter=300).fit(X, y)
    assert est.converged_
    assert est.n_iter_ < 15


def taken(est, X, y, monkeypatch):
    """Return which kinds of inner solvers a fit began."""
    seen = set()
    for kind in (_by_column.OnColumns, _lbfgs.LBFGS):
        init = kind.__dict__["init"]

        def begin(self, *args, _init=init):
            seen.add(type(self).__name__)
            return _init(self, *args)

        monkeypatch.setattr(kind, "init", begin)
    est.fit(X, y)
    return seen


def test_sparse_columns_go_by_descent_where_outputs_and_curvatures_allow(monkeypatch):
    X, signal, rng = words()
    y = signal + rng.standard_normal(400)
    labels = np.digitize(signal, [-1.0, 1.0])
    l1 = {"penalty": "l1", "alpha": 2e-3, "solver": "lbfgs"}
    assert "OnColumns" in taken(GDRegressor(**l1), X, y, monkeypatch)
    assert "OnColumns" in taken(GDRegressor("log_cosh", **l1), X, y, monkeypatch)
    assert "OnColumns" in taken(GDClassifier("log_cosh", **l1), X, labels, monkeypatch)
    assert "OnColumns" not in taken(GDClassifier(**l1), X, labels, monkeypatch)
    assert "OnColumns" not in taken(GDRegressor("huber", **l1), X, y, monkeypatch)
    assert "OnColumns" not in taken(GDRegressor(**l1), X.toarray(), y, monkeypatch)


def test_curvatures_that_overflow_leave_the_step_to_another(monkeypatch):
    problem = problem_of(SquaredError(), L1(), 0.02)

    def refuse(*_):
        raise LinAlgError

    monkeypatch.setattr(_by_column, "_Output", refuse)
    solver = OnColumns()
    state = solver.init(problem, problem.objective.zeros(), None)
    first = state.value
    for _ in range(3):
        state = solver.step(problem, state)
    assert state.value < first


def test_copies_count_together(monkeypatch):
    problem = problem_of(SquaredError(), L1(), 0.02)
    monkeypatch.setattr("skgd.objectives._linear._LEAST_COPY", 0)
    one = np.array([3])
    stored = problem.objective.inner.X[:, one].nnz
    whole = problem.objective.n_stored // 20
    assert stored <= whole < 5 * stored
    assert problem.columns(one) is not None
    assert problem.columns(one, 5) is None


@pytest.mark.parametrize("kept", [True, False])
def test_wide_indices_are_no_other_rows(kept, monkeypatch):
    X, signal, rng = words()
    X, y = sp.csr_array(X), signal + rng.standard_normal(400)
    if not kept:
        monkeypatch.setattr(_linear, "_LEAST_COPY", X.nnz - 1)
    est = GDRegressor(penalty="l1", alpha=2e-3, solver="lbfgs")
    want = clone(est).fit(X, y)
    wide = X.copy()
    wide.indices, wide.indptr = (part.astype(np.int64) for part in (X.indices, X.indptr))
    assert_array_equal(est.fit(wide, y).coef_, want.coef_)
    assert wide.indices.dtype == wide.indptr.dtype == np.int64
