"""Losses with a kink, and those that jump: the optimum that smooth ones lead to."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import linprog, minimize_scalar
from sklearn.datasets import load_iris, make_classification, make_regression
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import QuantileRegressor
from sklearn.svm import SVC

from skgd import GDClassifier, GDRegressor
from skgd._protocols import State
from skgd.losses import (
    EpsilonInsensitive,
    Hinge,
    LogLoss,
    OneVsRest,
    Perceptron,
    Quantile,
)
from skgd.solvers import Newton, Smoothing, Solver, _curvature, _narrowing, _newton, _smoothing


def test_who_knows_no_smooth_loss_says_so():
    class Mine(Hinge):
        def value(self, y, eta, xp):
            return 2.0 * super().value(y, eta, xp)

    assert Perceptron().smoothed(1.0) is None
    assert Mine().smoothed(1.0) is None
    assert LogLoss().smoothed(1.0) is None
    several = OneVsRest(Hinge()).smoothed(0.3)
    assert isinstance(several, OneVsRest)
    assert several.loss.width == 0.3
    assert OneVsRest(Perceptron()).smoothed(1.0) is None
    with pytest.raises(ValueError, match="Smoothing needs a smooth loss near Perceptron"):
        GDClassifier("perceptron", solver="smoothing").fit(*classes())


# -- the optimum --------------------------------------------------------------------------


def classes(n=300, d=6, k=2):
    X, y = make_classification(n, d, n_informative=4, n_classes=k, flip_y=0.1, random_state=0)
    return X * np.logspace(-2, 2, d) + np.logspace(0, 3, d), y


def numbers(n=300, d=6):
    X, y = make_regression(n, d, noise=20.0, random_state=0)
    X = X * np.logspace(-2, 2, d) + np.logspace(0, 3, d)
    return X, y + 3.0 * np.random.default_rng(0).standard_cauchy(n)


def F(est, X, y, loss, alpha, penalty="l2"):
    """F of a fitted model, by the formulas alone."""
    W, b = np.atleast_2d(est.coef_), np.atleast_1d(est.intercept_)
    eta = X @ W.T + b
    sizes = {"l2": 0.5 * (W**2).sum(), "l1": np.abs(W).sum(), None: 0.0}
    return float(np.mean(loss(y, eta[:, 0]))) + alpha * sizes[penalty]


def hinge(y, eta):
    return np.maximum(0.0, 1.0 - np.where(y > 0, eta, -eta))


@pytest.mark.parametrize("form", [np.asarray, sp.csr_matrix], ids=["dense", "csr"])
@pytest.mark.parametrize("alpha", [1e-4, 1e-2])
def test_the_support_vector_machine_is_that_of_libsvm(form, alpha):
    X, y = classes()
    X = (X - X.mean(axis=0)) / X.std(axis=0)  # libsvm wants it so
    exact = SVC(C=1 / (alpha * len(y)), kernel="linear", tol=1e-8).fit(X, y)
    est = GDClassifier("hinge", alpha=alpha, tol=1e-7).fit(form(X), y)
    assert isinstance(est.solver_, Smoothing)
    assert est.converged_
    assert est.optimality_kind_ == "gap"
    least, found = (F(m, X, y, hinge, alpha) for m in (exact, est))
    null = min(y.mean(), 1 - y.mean()) * 2
    assert abs(found - least) / (null - least) <= est.optimality_ + 1e-6


@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.8])
def test_quantiles_with_l1_are_those_of_a_linear_program(quantile):
    X, y = numbers()
    exact = QuantileRegressor(quantile=quantile, alpha=0.05, solver="highs").fit(X, y)
    loss = Quantile(quantile)
    est = GDRegressor(loss, penalty="l1", alpha=0.05, tol=1e-7).fit(X, y)
    assert est.converged_

    def value(target, eta):
        return loss.value(target, eta, np)

    least, found = (F(m, X, y, value, 0.05, "l1") for m in (exact, est))
    null = value(y, np.quantile(y, quantile)).mean()
    assert -1e-9 <= (found - least) / (null - least) <= est.optimality_ + 1e-9
    assert_array_equal(est.coef_ == 0.0, np.abs(exact.coef_) < 1e-12)


@pytest.mark.parametrize("loss", ["hinge", "absolute_error", "quantile", "epsilon_insensitive"])
def test_few_steps_lead_from_a_soft_loss_to_the_one_with_a_kink(loss):
    X, y = (classes if loss == "hinge" else numbers)(3_000, 20)
    kind = GDClassifier if loss == "hinge" else GDRegressor
    est = kind(loss, alpha=1e-3, tol=1e-6).fit(X, y)
    assert est.converged_
    assert type(est.solver_) is Smoothing
    assert est.n_iter_ <= 45  # bands whose rows come and go once took 60 to 300


def test_steps_on_a_sample_first_are_fewer_and_lead_to_the_same(monkeypatch):
    X, y = classes(20_000, 6)
    est = GDClassifier("hinge", alpha=1e-3, tol=1e-6).fit(X, y)
    monkeypatch.setattr(_smoothing, "_PER_COLUMN", 10_000)
    other = GDClassifier("hinge", alpha=1e-3, tol=1e-6).fit(X, y)
    assert est.n_iter_ < other.n_iter_
    assert_allclose(est.loss_curve_[-1], other.loss_curve_[-1], rtol=2e-6)


def test_absolute_errors_without_a_penalty_are_least():
    X, y = numbers()
    n, d = X.shape
    # Variables: coefficients, intercept, and what targets lie above and below.
    cost = np.r_[np.zeros(d + 1), np.ones(2 * n) / n]
    A = sp.hstack([sp.csr_matrix(np.c_[X, np.ones(n)]), sp.eye(n), -sp.eye(n)])
    bounds = [(None, None)] * (d + 1) + [(0, None)] * (2 * n)
    least = linprog(cost, A_eq=A, b_eq=y, bounds=bounds, method="highs").fun
    est = GDRegressor("absolute_error", penalty=None, tol=1e-6).fit(X, y)
    found = np.abs(y - est.predict(X)).mean()
    assert est.converged_
    assert found <= least * (1 + 1e-4)


def test_two_rows_that_a_line_parts_without_a_penalty():
    X, y = np.array([[0.125], [-0.132]]), ["a", "b"]  # the loss itself comes to zero
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        est = GDClassifier("squared_hinge", solver="smoothing", penalty=None, max_iter=20).fit(X, y)
    assert (est.predict(X) == y).all()
    assert est.loss_curve_[-1] <= 1e-10


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("first", [True, False])  # of steps on the loss itself
def test_squared_hinges_on_many_columns_by_way_of_rounded_ones(monkeypatch, k, first):
    X, y = classes(d=8, k=k)
    X = X / np.abs(X).max(axis=0)
    exact = GDClassifier("squared_hinge", solver="newton", alpha=1e-4, tol=1e-10).fit(X, y)
    monkeypatch.setattr(_smoothing, "FACTORED", 1)
    monkeypatch.setattr(_newton, "FACTORED", 1)
    monkeypatch.setattr(_curvature, "ROWS", 0)
    if not first:
        monkeypatch.setattr(_smoothing, "_TRIES", 1)
        monkeypatch.setattr(_narrowing, "_NEWTON_TRIES", 1)
    widths, narrow = set(), _narrowing.Narrowing.narrow
    monkeypatch.setattr(
        _narrowing.Narrowing,
        "narrow",
        lambda run, band: (narrow(run, band), widths.add(run.width))[0],
    )
    est = GDClassifier("squared_hinge", solver="smoothing", alpha=1e-4, tol=1e-6).fit(X, y)
    assert est.converged_
    assert len(widths - {0.0}) > 1 or first
    p = np.bincount(y)[-1 if k == 2 else 0 :] / len(y)
    null = float((1.0 - (2.0 * p - 1.0) ** 2).sum())  # the best intercepts, in closed form
    least, found = exact.loss_curve_[-1], est.loss_curve_[-1]
    assert -1e-10 * null <= found - least <= est.optimality_ * null + 1e-10
    # What it says early is never below the truth.
    for steps in (1, 2, 4, 7):
        with pytest.warns(ConvergenceWarning):
            early = GDClassifier(
                "squared_hinge", solver="smoothing", alpha=1e-4, tol=1e-12, max_iter=steps
            ).fit(X, y)
        excess = (early.loss_curve_.min() - least) / (null - least)
        assert excess <= early.optimality_ + 1e-9


@pytest.mark.parametrize("rows", [0, 2000])  # with a curvature, beyond which nothing is rounded
@pytest.mark.parametrize("penalty", ["l1", "elasticnet"])
@pytest.mark.parametrize("k", [2, 3])
def test_rounded_squared_hinges_within_an_orthant(monkeypatch, k, penalty, rows):
    X, y = classes(d=8, k=k)
    X = X / np.abs(X).max(axis=0)
    params = {"penalty": penalty, "alpha": 3e-4}
    exact = GDClassifier("squared_hinge", solver="newton", tol=1e-10, **params).fit(X, y)
    monkeypatch.setattr(_smoothing, "FACTORED", 1)
    monkeypatch.setattr(_narrowing, "_MANY_BENT", rows)
    monkeypatch.setattr(_smoothing, "_TRIES", 2)
    monkeypatch.setattr(_smoothing, "_NET_TRIES", 2)
    widths, narrow = [], _narrowing.Narrowing.narrow
    monkeypatch.setattr(
        _narrowing.Narrowing,
        "narrow",
        lambda run, band: (narrow(run, band), widths.append(run.width))[0],
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        est = GDClassifier("squared_hinge", solver="smoothing", tol=1e-6, **params).fit(X, y)
    assert (len(set(widths)) > 1) == (rows > 0)
    assert_array_equal(est.coef_ == 0.0, exact.coef_ == 0.0)
    p = np.bincount(y)[-1 if k == 2 else 0 :] / len(y)
    null = float((1.0 - (2.0 * p - 1.0) ** 2).sum())
    excess = (est.loss_curve_[-1] - exact.loss_curve_[-1]) / null
    assert -1e-10 <= excess <= est.optimality_ <= 1e-6


def test_classes_beside_each_other_take_newton_steps_of_their_own():
    # One length for all would be that of the class whose rows come and go most.
    X, y = classes(d=8, k=3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        est = GDClassifier("squared_hinge", alpha=1e-4, tol=1e-8).fit(X, y)
    assert type(est.solver_) is Smoothing
    assert type(GDClassifier("squared_hinge").fit(X, y == 0).solver_) is Newton
    alone = GDClassifier("squared_hinge", alpha=1e-4, tol=1e-10)
    least = sum(alone.fit(X, y == label).loss_curve_[-1] for label in est.classes_)
    assert_allclose(est.loss_curve_[-1], least, rtol=1e-7)


@pytest.mark.parametrize("penalty", ["l2", "l1", "elasticnet"])
@pytest.mark.parametrize("loss", ["absolute_error", "epsilon_insensitive", "hinge"])
def test_the_certificate_is_never_below_the_truth(loss, penalty):
    kind, data = (GDClassifier, classes) if loss == "hinge" else (GDRegressor, numbers)
    X, y = data()
    options = {"penalty": penalty, "alpha": 0.01}
    best = kind(loss, tol=1e-7, **options).fit(X, y)
    assert best.optimality_ <= 1e-7
    # F at zero coefficients: a convex function of the intercept, by brute force.
    values = {"hinge": hinge, "absolute_error": lambda y, eta: np.abs(eta - y)}
    values["epsilon_insensitive"] = lambda y, eta: np.maximum(np.abs(eta - y) - 0.1, 0.0)
    ends = (-2.0, 2.0) if loss == "hinge" else (y.min(), y.max())
    null = minimize_scalar(
        lambda b: values[loss](y, np.full(len(y), b)).mean(), bounds=ends, options={"xatol": 1e-10}
    ).fun
    least = best.loss_curve_.min()
    for steps in (1, 3, 8, 15):
        with pytest.warns(ConvergenceWarning):
            early = kind(loss, tol=0.0, max_iter=steps, **options).fit(X, y)
        excess = early.loss_curve_[-1] - least
        assert early.optimality_ >= excess / (null - least) - 1e-7


def test_several_classes_and_weights_that_repeat_rows():
    X, y = classes(200, k=3)
    s = np.random.default_rng(0).integers(0, 3, len(y))
    est = GDClassifier("hinge", tol=1e-8).fit(X, y, sample_weight=s)
    again = GDClassifier("hinge", tol=1e-8).fit(np.repeat(X, s, axis=0), np.repeat(y, s))
    assert est.coef_.shape == (3, X.shape[1])
    assert est.converged_
    assert_allclose(est.loss_curve_[-1], again.loss_curve_[-1], rtol=1e-6)


def test_many_coefficients_are_found_by_lbfgs():
    rng = np.random.default_rng(0)
    X = sp.random(400, 3_000, 0.02, "csr", random_state=0)
    y = (X @ rng.standard_normal(3_000) > 0).astype(int)
    est = GDClassifier("hinge", alpha=1e-3).fit(X, y)
    assert est.converged_
    exact = SVC(C=1 / (1e-3 * 400), kernel="linear", tol=1e-6).fit(X, y)
    coef = exact.coef_.toarray()
    least = np.mean(hinge(y, exact.decision_function(X))) + 0.5e-3 * (coef**2).sum()
    null = 2 * min(y.mean(), 1 - y.mean())
    assert F(est, X.toarray(), y, hinge, 1e-3) - least <= 1e-4 * (null - least)


def test_a_smooth_loss_is_left_as_it_is():
    X, y = classes()
    one = GDClassifier(solver=Newton()).fit(X, y)
    other = GDClassifier(solver="smoothing").fit(X, y)
    assert_allclose(other.coef_, one.coef_, rtol=1e-12)
    assert_array_equal(other.loss_curve_, one.loss_curve_)


def test_rates_are_refused_and_a_given_one_leaves_the_choice_to_adam():
    X, y = classes()
    with pytest.raises(ValueError, match="eta0"):
        GDClassifier("hinge", solver="smoothing", eta0=0.1).fit(X, y)
    with pytest.warns(ConvergenceWarning, match="max_iter"):
        est = GDClassifier("hinge", eta0=0.1, max_iter=2).fit(X, y)
    assert type(est.solver_).__name__ == "Adam"


def test_a_warm_start_goes_on_from_the_optimum():
    X, y = numbers()
    est = GDRegressor("absolute_error", warm_start=True).fit(X, y)
    value = est.loss_curve_[-1]
    assert est.fit(X, y).loss_curve_[-1] <= value * (1 + 1e-4)


def test_outputs_are_problems_of_their_own():
    X, y = classes(300, k=3)
    every = GDClassifier("hinge", alpha=1e-3, tol=1e-8).fit(X, y)
    assert every.converged_
    for j, label in enumerate(every.classes_):
        one = GDClassifier("hinge", alpha=1e-3, tol=1e-9).fit(X, y == label)
        assert_allclose(every.coef_[j], one.coef_[0], rtol=1e-3, atol=1e-4)
    X, t = numbers()
    T = np.column_stack([t, -3.0 * t, np.full(len(t), 7.0)])
    both = GDRegressor("absolute_error", alpha=1e-3, tol=1e-8).fit(X, T)
    alone = GDRegressor("absolute_error", alpha=1e-3, tol=1e-9).fit(X, t)
    assert both.converged_
    assert_allclose(both.coef_[0], alone.coef_, rtol=1e-3, atol=1e-4)
    assert_allclose(both.predict(X)[:, 2], 7.0)


def test_a_band_beside_an_elastic_net_is_looked_beyond():
    # A step that is not found widens the reach of a band: small steps in its place lead nowhere.
    rng = np.random.default_rng(0)
    X = rng.normal(size=(333, 6))
    y = 3e4 * (X @ rng.normal(size=6) + rng.standard_t(2, size=333))
    params = {"penalty": "elasticnet", "alpha": 0.7}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        est = GDRegressor("quantile", **params).fit(X, y)
    assert est.stop_reason_ == "converged"
    assert est.n_iter_ <= 100


def test_a_band_without_rows_is_no_end():
    # The iris' classes once left a width without a row in a band.
    X, y = load_iris(return_X_y=True)
    est = GDClassifier("hinge").fit(X, y)
    assert est.converged_
    W, b = est.coef_, est.intercept_
    least = 0.0
    for j in range(3):
        exact = SVC(C=1 / (1e-4 * 150), kernel="linear", tol=1e-8).fit(X, y == j)
        least += F(exact, X, y == j, hinge, 1e-4)
    signs = np.where(y[:, None] == np.arange(3), 1.0, -1.0)
    found = np.maximum(0.0, 1.0 - signs * (X @ W.T + b)).sum() / 150 + 0.5e-4 * (W**2).sum()
    assert found <= least + 1e-4 * (2.0 - least)


@pytest.mark.parametrize("penalty", ["l2", "l1", None])
def test_targets_far_from_where_the_run_begins(penalty):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((5, 8))
    y = np.full(5, 1e4)  # no spread, and no intercept to start from
    options = {"penalty": penalty, "alpha": 1e-6, "fit_intercept": False}
    est = GDRegressor("absolute_error", **options).fit(X, y)
    assert est.converged_
    assert est.loss_curve_[-1] <= 0.01 * 1e4


def test_steps_go_on_where_slopes_do():
    # With a share of l1 steps once had the length of a band's curvature on a slope without one.
    rng = np.random.default_rng(3)
    X, y = rng.standard_normal((5, 3)), rng.standard_normal(5)
    est = GDRegressor(
        "epsilon_insensitive", penalty="elasticnet", alpha=0.3, l1_ratio=0.5, tol=1e-6
    ).fit(X, y)
    assert est.converged_


@pytest.mark.parametrize("penalty", ["l1", None])
@pytest.mark.parametrize("quantile", [0.02, 0.98])
def test_rows_far_from_a_kink_lead_there(penalty, quantile):
    rng = np.random.default_rng(1)
    X = np.abs(rng.normal(size=(50, 3)))
    y = 1e3 + X @ np.ones(3) + 0.5 * rng.normal(size=50)  # and no intercept
    options = {"penalty": penalty, "alpha": 1e-4, "fit_intercept": False}
    est = GDRegressor(Quantile(quantile), **options).fit(X, y)
    assert est.stop_reason_ == "converged"
    cost = np.r_[np.zeros(3), np.full(50, quantile), np.full(50, 1 - quantile)] / 50
    A = sp.hstack([sp.csr_matrix(X), sp.eye(50), -sp.eye(50)])
    bounds = [(None, None)] * 3 + [(0, None)] * 100
    least = linprog(cost, A_eq=A, b_eq=y, bounds=bounds, method="highs").fun
    loss = Quantile(quantile).value(y, est.predict(X), np).mean()
    assert loss <= least + 1e-3 * quantile * (1 - quantile) * 1e3 * 4


@pytest.mark.parametrize("loss", [Quantile(0.3), EpsilonInsensitive(5.0)], ids=["kink", "tube"])
def test_no_loss_is_below_zero(loss):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 3))
    est = GDRegressor(loss, penalty=None).fit(X, 0.1 * X @ [1.0, 2.0, 3.0])
    assert est.stop_reason_ == "converged"
    assert est.n_iter_ <= 60
    assert est.loss_curve_[-1] <= 1e-10


@pytest.mark.parametrize("seed", [0, 4])
def test_rows_that_are_fitted_all_but_exactly(seed):
    X = np.random.default_rng(seed).standard_t(1.5, size=(8, 12))
    est = GDClassifier("hinge", penalty="l1", alpha=1e-6, tol=1e-8).fit(X, np.arange(8) % 2)
    assert est.stop_reason_ == "converged"
    assert est.optimality_ <= 1e-8


@pytest.mark.parametrize("penalty", ["l2", "l1", None])
def test_widths_end_where_smoothing_hides_nothing(penalty):
    X, y = numbers()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        est = GDRegressor("absolute_error", penalty=penalty, alpha=1e-3, tol=0.0).fit(X, y)
        other = GDRegressor("absolute_error", penalty=penalty, alpha=1e-3, tol=1e-6).fit(X, y)
    assert est.n_iter_ < 400
    assert est.loss_curve_.min() <= other.loss_curve_.min() * (1 + 1e-12)


class Stays(Solver):
    """Ends where it began."""

    def init(self, problem, theta, rng):
        state = State(theta.copy())
        state.point, state.violation = state.theta, 0.0
        state.value = problem.value(theta)
        return state

    def step(self, problem, state):
        state.t, state.passes = state.t + 1, state.passes + 1
        return state


def test_zeros_that_are_as_near_as_was_asked_for_are_returned_without_a_warning():
    # As where F falls by less than rounding: a certified point may be a little above zeros.
    X, y = numbers()
    y = y - np.median(y)
    worse = -1e-6 * np.sign(X.T @ np.sign(y))
    assert np.abs(y - X @ worse).mean() > np.abs(y).mean()
    params = {"loss": "absolute_error", "solver": Stays(), "fit_intercept": False}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        est = GDRegressor(**params, tol=5.0).fit(X, y, coef_init=worse)
    assert est.stop_reason_ == "converged"
    assert_array_equal(est.coef_, 0.0)
    est = GDRegressor(**params, max_iter=2)
    with pytest.warns(ConvergenceWarning, match="above F at zero coefficients"):
        est.fit(X, y, coef_init=worse)
    assert_array_equal(est.coef_, 0.0)
