"""Hessians of few rows are factored by way of the rows, and which solver suits many columns."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize

from skgd import GDClassifier, GDRegressor, load_checkpoint
from skgd.callbacks import Checkpoint
from skgd.losses import Hinge, LogLoss, OneVsRest, Softmax, SquaredHinge
from skgd.penalties import L1, L2
from skgd.solvers import LBFGS, SDCA, Newton, Smoothing, _curvature
from skgd.solvers._curvature import ThroughRows, bent_rows, passable

LOSSES = [(SquaredHinge(), "binary"), (LogLoss(), "binary"), (OneVsRest(LogLoss()), "classes")]


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("loss, kind", LOSSES, ids=["squared_hinge", "log_loss", "classes"])
def test_it_is_the_inverse_of_the_hessian(make_problem, loss, kind, fit_intercept, scaled):
    s = np.random.RandomState(1).uniform(0.2, 2.0, 20)
    s[3] = 0.0
    problem = make_problem(
        loss, L2(), 0.05, kind=kind, n=20, d=30, s=s, fit_intercept=fit_intercept, scaled=scaled
    )
    objective = problem.objective
    rng = np.random.RandomState(0)
    eta = objective.linear(0.1 * rng.standard_normal(objective.n_params))
    v = rng.standard_normal(objective.n_params)
    found = ThroughRows(problem, bent_rows(problem, eta), v)
    H = np.zeros((objective.n_params, objective.n_params))
    d, k = objective.n_features, objective.n_outputs
    for (j, _), block in objective.hessian(eta, objective.active()).items():
        at = np.append(j * d + np.arange(d), k * d + j)
        H[np.ix_(at, at)] = block / objective.mass
    H[: k * d, : k * d] += np.diag(np.tile(np.broadcast_to(problem.l2, d), k))
    if not fit_intercept:
        H[k * d :], H[:, k * d :], v[k * d :] = 0.0, 0.0, 0.0
        H[k * d :, k * d :] = np.eye(k)
    assert_allclose(found.solve(v), np.linalg.solve(H, v), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("density", [0.01, 0.5])  # two sparse factors, and blocks of dense rows
@pytest.mark.parametrize("shifted", [True, False])
def test_products_of_rows(density, shifted, monkeypatch):
    from skgd.objectives import _moments

    monkeypatch.setattr(_moments, "_TOGETHER", 7)
    rng = np.random.default_rng(0)
    X = sp.random_array((40, 90), density=density, format="csr", rng=rng)
    w = rng.uniform(0.1, 3.0, 90)
    m = rng.standard_normal(90) if shifted else None
    Z = X.toarray() - (0.0 if m is None else m)
    for rows in (X, X.toarray(), X.astype(np.float32)):
        found = _moments.row_products(rows, w, m)
        assert_allclose(found, (Z * w) @ Z.T, rtol=1e-6, atol=1e-6)
        assert_allclose(found, found.T, atol=1e-12)


def test_where_it_cannot_be(make_problem):
    assert passable(make_problem(Hinge(), L2(), kind="binary"))
    assert not passable(make_problem(Hinge(), L1(), kind="binary"))
    assert not passable(make_problem(Softmax(), L2(), kind="classes"))
    assert not passable(make_problem(Hinge(), L2(), alpha=0.0, kind="binary"))


def test_too_many_rows_with_a_curvature_are_not_taken(make_problem, monkeypatch):
    problem = make_problem(LogLoss(), L2(), kind="binary", n=60)
    eta = np.zeros((60, 1))
    assert bent_rows(problem, eta) is not None
    monkeypatch.setattr(_curvature, "ROWS", 59)
    assert bent_rows(problem, eta) is None


def wide(n=300, d=1800, seed=0, scale=1.0):
    rng = np.random.default_rng(seed)
    X = sp.random_array((n, d), density=0.03, format="csr", rng=rng) * scale
    eta = X @ rng.standard_normal(d)
    return X, eta, rng


@pytest.mark.parametrize("loss", ["squared_error", "huber"])
def test_newton_on_more_columns_than_rows_is_the_optimum(loss):
    X, eta, rng = wide()
    y = eta + 0.3 * rng.standard_normal(len(eta))
    est = GDRegressor(loss, solver="newton", alpha=1e-3, tol=1e-10).fit(X, y)
    D = X.toarray()

    def F(theta):
        r = D @ theta[:-1] + theta[-1] - y
        near = np.clip(r, -0.1, 0.1) if loss == "huber" else r
        value = (
            0.5 * near**2 + (0.1 * (np.abs(r) - np.abs(near)) if loss == "huber" else 0)
        ).mean()
        grad = np.append(D.T @ near / len(y) + 1e-3 * theta[:-1], near.mean())
        return value + 0.5e-3 * theta[:-1] @ theta[:-1], grad

    options = {"maxiter": 20_000, "maxfun": 40_000, "ftol": 1e-15, "gtol": 1e-10}
    want = minimize(F, np.zeros(1801), jac=True, method="L-BFGS-B", options=options)
    ours = F(np.append(est.coef_, est.intercept_))[0]
    assert ours <= want.fun * (1 + 1e-9)
    assert est.converged_
    assert est.n_iter_ <= (2 if loss == "squared_error" else 60)


@pytest.mark.parametrize("loss", ["hinge", "absolute_error", "quantile"])
def test_a_kink_on_many_columns_is_solved_through_the_rows_in_its_band(loss, monkeypatch):
    X, eta, rng = wide(scale=30.0)
    noisy = eta + 3.0 * rng.standard_normal(len(eta))
    kind, y = (GDClassifier, noisy > 0) if loss == "hinge" else (GDRegressor, noisy)
    settings = {"alpha": 1e-3, "tol": 1e-6, "max_iter": 3000}
    solved, made = kind(loss, solver="smoothing", **settings).fit(X, y), []
    assert solved.converged_
    exact = kind(loss, solver="sdca", random_state=0, **settings).fit(X, y)
    # Both are within their own certificate of the same optimum.
    null = kind(loss, alpha=1e9).fit(X, y).loss_curve_[-1]  # no coefficients
    assert_allclose(solved.loss_curve_[-1], exact.loss_curve_[-1], atol=1e-6 * null, rtol=0)
    init = ThroughRows.__init__
    monkeypatch.setattr(ThroughRows, "__init__", lambda *a: (made.append(1), init(*a))[1])
    kind(loss, solver="smoothing", **settings).fit(X, y)
    assert made


@pytest.mark.parametrize("name", ["ROWS", "_LEAST_COPY"])
def test_steps_are_those_of_lbfgs_while_many_rows_lie_in_a_band(monkeypatch, name):
    X, eta, _ = wide()
    monkeypatch.setattr(_curvature, name, 0)
    made, init = [], ThroughRows.__init__
    monkeypatch.setattr(ThroughRows, "__init__", lambda *a: (made.append(1), init(*a))[1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        est = GDClassifier("hinge", solver="smoothing", alpha=1e-2, max_iter=20)
        assert est.fit(X, eta > 0).loss_curve_[-1] < 0.5 * est.loss_curve_[0]
    # All rows need no copy: they lie in the first, wide bands.
    assert bool(made) == (name == "_LEAST_COPY")


@pytest.mark.parametrize(
    "loss, penalty, alpha, solver",
    [
        ("hinge", "l2", 1e-2, SDCA),
        ("hinge", "elasticnet", 1e-2, SDCA),
        ("hinge", "l1", 1e-2, Smoothing),
        ("hinge", "l2", 1e-7, Smoothing),  # rows that do too much to each other
        ("squared_hinge", "l2", 1e-2, SDCA),
        ("squared_hinge", "l2", 1e-7, Smoothing),
        ("squared_hinge", "l1", 1e-2, Smoothing),
        ("squared_hinge", "elasticnet", 1e-7, Smoothing),
        ("squared_hinge", None, 1e-2, LBFGS),
        ("modified_huber", "l1", 1e-2, LBFGS),
        ("log_loss", "l2", 1.0, Newton),  # few steps do, those of L-BFGS that go before
        ("modified_huber", "l2", 1e-7, Newton),  # jumps, and no loss is known that has none
        ("log_loss", None, 1e-2, LBFGS),
        ("log_loss", "l2", 1e-3, SDCA),
        ("log_loss", "elasticnet", 1e-3, SDCA),
        ("log_loss", "l2", 1e-7, Newton),
    ],
)
def test_what_auto_takes_for_many_sparse_columns(loss, penalty, alpha, solver):
    X, eta, _ = wide()
    norms = X.multiply(X).sum() / 300
    steep = norms / (300 * alpha * {"l2": 1.0, "elasticnet": 0.85}.get(penalty, 0.0) + 1e-300)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        est = GDClassifier(loss, penalty=penalty, alpha=alpha, random_state=0, max_iter=3)
        est.fit(X, eta > 0)
    assert type(est.solver_) is solver, steep
    least, most = (0.0, 500.0) if "hinge" in loss else (50.0, 250.0)
    assert (type(est.solver_) is SDCA) == (least <= steep <= most)


@pytest.mark.parametrize(
    "loss, penalty, taken",
    [
        ("squared_error", "l2", SDCA),
        ("squared_error", "elasticnet", LBFGS),
        ("huber", "l2", SDCA),
        ("huber", "l1", LBFGS),
    ],
)
def test_what_auto_takes_for_numbers_on_many_columns(loss, penalty, taken):
    X, eta, _ = wide()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        est = GDRegressor(loss, penalty=penalty, alpha=1e-3, random_state=0, max_iter=3)
        assert type(est.fit(X, eta).solver_) is taken


def test_rows_that_are_alike_are_not_for_dual_ascent():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2500, 1600))  # more rows than columns
    offset = sp.csr_array(np.c_[2020.0 + rng.integers(-5, 5, 300), rng.random((300, 1700)) < 0.05])
    far = rng.standard_normal((300, 1700)) + 100.0
    wide_rows = wide()[0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for rows, params in (
            (X, {"alpha": 1e-2}),
            (offset, {"alpha": 50.0}),
            (far, {"alpha": 0.1, "fit_intercept": False}),
            (wide_rows, {"alpha": 1e-2, "penalty": "elasticnet", "l1_ratio": 0.99}),
        ):
            y = np.asarray(rows[:, [1, 2, 3]].sum(axis=1)).ravel()
            for loss in ("squared_epsilon_insensitive", "squared_error"):
                est = GDRegressor(loss, random_state=0, **params).fit(rows, y)
                l1 = params.get("penalty") == "elasticnet"
                taken = LBFGS if l1 else Newton
                assert type(est.solver_) is taken
                assert est.converged_


@pytest.mark.parametrize("loss", ["squared_error", "log_loss", "huber", "absolute_error"])
def test_rows_that_leave_no_digits_are_not_gone_through(loss):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((120, 1600))
    y = X[:, :5].sum(axis=1)
    kind, y = (GDClassifier, y > 0) if loss == "log_loss" else (GDRegressor, y)
    solver = "smoothing" if loss == "absolute_error" else "newton"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        est = kind(loss, solver=solver).fit(X * 1e6, y)
    assert est.optimality_ <= 1e-4


@pytest.mark.parametrize(
    "params",
    [
        {"loss": "hinge", "solver": "smoothing"},
        {"loss": "log_loss", "solver": "newton"},
        {"loss": "squared_hinge", "solver": "newton", "many": True},
    ],
)
def test_a_run_goes_on_from_a_file_without_rows_of_x(tmp_path, params, monkeypatch):
    X, eta, _ = wide(scale=30.0)
    y = eta + 20.0 > 0
    params = dict(params)
    if params.pop("many", False):
        monkeypatch.setattr(_curvature, "ROWS", 0)  # products
    settings = {**params, "alpha": 1e-3, "tol": 1e-9, "random_state": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = GDClassifier(max_iter=14, **settings).fit(X, y)
        part = GDClassifier(max_iter=14, **settings)
        file = tmp_path / "run"
        part.set_callbacks(Checkpoint(file), lambda event: event.iteration == 6).fit(X, y)
        assert part.n_iter_ < whole.n_iter_
        assert file.stat().st_size < 3_000_000
        going_on = load_checkpoint(file).fit(X, y)
    assert_array_equal(going_on.coef_, whole.coef_)
    assert going_on.n_iter_ == whole.n_iter_


def test_the_certificate_of_dual_ascent_is_asked_for_now_and_then():
    # Nearly all slopes are at a bound, and what `sdca` itself knows of the gap is poor.
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((300, 40)), 1e4 * rng.standard_normal(300)
    est = GDRegressor("huber", alpha=100.0, solver="sdca", random_state=0).fit(X, y)
    assert est.converged_
    assert est.n_iter_ <= 100


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
def test_numbers_whose_squares_overflow_are_refused_in_words(loss, fit_intercept):
    X, eta, _ = wide(scale=1e160)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for rows in (X, X.toarray()):
            with pytest.raises(ValueError, match="squares of such numbers overflow"):
                GDClassifier(loss, fit_intercept=fit_intercept).fit(rows, eta > 0)


def test_auto_leaves_batches_to_solvers_that_take_them():
    X, eta, _ = wide()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        est = GDClassifier("squared_hinge", alpha=1e-2, batch_size=16, max_iter=3)
        assert type(est.fit(X, eta > 0).solver_) is Smoothing


def test_dense_rows_count_about_their_mean():
    X, eta, _ = wide()
    far = X.toarray() + 50.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        est = GDClassifier("squared_hinge", alpha=1e-2, max_iter=3, random_state=0)
        assert type(est.fit(far, eta > 0).solver_) is SDCA


def narrow(seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(2000, 6)) * [1, 100, 1, 0.01, 1, 1]
    return X, 1e4 * (X @ [1.0, 0.01, 0, 30, 0, -2] + rng.standard_t(2, size=2000)) + 5e5


@pytest.mark.parametrize("seed", range(12))
def test_huber_with_a_narrow_band_and_l1_ends_by_its_certificate(seed):
    X, y = narrow(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        est = GDRegressor("huber", penalty="l1", epsilon=0.1).fit(X, y)
    assert type(est.solver_) is Smoothing
    assert est.optimality_ <= 1e-4


@pytest.mark.parametrize("penalty", ["l1", "l2", "elasticnet", None])
@pytest.mark.parametrize("epsilon", [1e-3, 0.3, 3.0, 100.0])
def test_smoothing_of_huber_ends_where_newton_does(penalty, epsilon):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 5))
    Y = X @ rng.normal(size=(5, 2)) + rng.standard_t(2, size=(400, 2))
    for y in (Y[:, 0], Y):
        params = {"penalty": penalty, "alpha": 1e-2 * epsilon, "epsilon": epsilon, "tol": 1e-8}
        one = GDRegressor("huber", solver="smoothing", **params).fit(X, y)
        other = GDRegressor("huber", solver=Newton(), **params).fit(X, y)
        assert one.converged_
        assert_allclose(one.loss_curve_[-1], other.loss_curve_[-1], rtol=1e-7)


def test_a_wide_band_with_l1_is_left_to_newton():
    X, y = narrow(0)
    assert type(GDRegressor("huber", penalty="l1", epsilon=3 * y.std()).fit(X, y).solver_) is Newton
    assert type(GDRegressor("huber", penalty="l2", epsilon=0.1).fit(X, y).solver_) is Newton


@pytest.mark.parametrize("loss", ["hinge", "quantile", "absolute_error"])
def test_kinks_with_a_tiny_l1_part_on_unlike_columns_are_certified(loss):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 8)) * np.logspace(-3, 4, 8)
    eta = X @ (rng.normal(size=8) / np.logspace(-3, 4, 8)) + rng.normal(size=2000)
    kind, y = (GDClassifier, eta > 1.0) if loss == "hinge" else (GDRegressor, eta)
    est = kind(loss, penalty="l1", alpha=1e-6).fit(X, y)
    assert est.stop_reason_ == "converged"
    assert est.optimality_ <= 1e-4


def test_columns_that_were_too_many_are_counted_again(monkeypatch):
    from skgd.solvers import _working_set as working_set

    X, eta, rng = wide(n=200)
    y = eta + 0.1 * rng.standard_normal(200) > 0
    choose, seen = working_set.chosen_columns, []

    def first_none(*args):
        seen.append(None if not seen else choose(*args))
        return seen[-1]

    monkeypatch.setattr(working_set, "chosen_columns", first_none)
    monkeypatch.setattr(working_set, "_AGAIN", 3)
    est = GDClassifier("squared_hinge", penalty="l1", alpha=2e-2, tol=1e-6).fit(X, y)
    assert seen[0] is None
    assert any(found is not None for found in seen[1:])
    assert est.converged_
