"""Newton steps of the slopes make the gap tight where alpha is small, and leave it a bound."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.linear_model import QuantileRegressor
from test_certificate import PENALTIES, case_name, least, run_of

from skgd import GDRegressor, _certificate, _smoother
from skgd._certificate import Certificate
from skgd._dual import balanced
from skgd._problem import Problem
from skgd._room import roomy
from skgd.losses import Huber, LogLoss, OneVsRest, Poisson, Softmax, SquaredError, SquaredHinge
from skgd.objectives import Moments, make_objective, make_scaled
from skgd.penalties import L1, L2
from skgd.solvers import Newton
from skgd.solvers._curvature import Factored

LOOSE = [
    (SquaredError(), "regression"),
    (Huber(0.05), "regression"),
    (LogLoss(), "binary"),
    (SquaredHinge(), "binary"),
    (Poisson(), "counts"),
    (Softmax(), "classes"),
    (OneVsRest(LogLoss()), "classes"),
]


def raw_problem(loss, kind, target, penalty, *, alpha=1e-4, fit_intercept=True):
    """Return a problem of columns of unlike sizes, some of them sums of others, in one house."""
    rng = np.random.RandomState(0)
    Z = rng.standard_normal((300, 4))
    y = target(Z, kind)
    codes = (rng.uniform(size=300)[:, None] < [0.3, 0.7]) & (Z[:, :1] > 0)
    X = np.column_stack([Z * [1.0, 30.0, 1e3, 0.1], codes, codes[:, 0] * 1.0 + codes[:, 1]])
    y = 2 * y - 1 if kind == "binary" else y
    objective = make_objective(
        np.ascontiguousarray(X),
        y.astype(float),
        rng.uniform(0.5, 2, 300),
        loss,
        n_outputs=3 if kind == "classes" else 1,
        fit_intercept=fit_intercept,
    )
    user = Problem(objective, penalty, alpha)
    moments = Moments.of(objective)
    l2 = float(np.max(user.l2))
    scaled = make_scaled(objective, moments, l2, stochastic=False, uniform=False)
    return Problem(scaled, penalty, alpha)


@pytest.mark.parametrize("case", LOOSE, ids=case_name)
@pytest.mark.parametrize("penalty", sorted(PENALTIES))
def test_a_point_near_the_optimum_is_known_to_be_however_small_alpha_is(target, case, penalty):
    problem = raw_problem(*case, target, PENALTIES[penalty])
    points = run_of(problem, 500)
    best, null_value = min(least(problem), points[-1][1]), points[0][1]
    near = 0
    for theta, value in [*points[1:40:3], *points[40::40], points[-1]]:
        true = (value - best) / (null_value - best)
        certificate = Certificate(problem, null_value, tol=1e-4)
        found = certificate.optimality(theta, value)
        assert certificate.bound <= best
        assert found >= true
        if true <= 5e-5:
            near += 1
            assert found <= 1e-4
    assert near > 2


@pytest.mark.parametrize("case", [LOOSE[0], LOOSE[4]], ids=case_name)
def test_the_bound_of_slopes_alone_is_loose_for_an_l1_penalty(target, monkeypatch, case):
    problem = raw_problem(*case, target, L1())
    points = run_of(problem, 12)  # later ones depend on the last bits of sums
    plain = []
    for largest in (0, 500):
        monkeypatch.setattr(_certificate, "_FACTORED", largest)
        plain.append(Certificate(problem, points[0][1], tol=1e-4).optimality(*points[-1]))
    assert plain[0] > 1e-2 > 1e-4 >= plain[1]


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_least_squares_has_its_bound_from_one_projection(target, monkeypatch, fit_intercept):
    problem = raw_problem(
        SquaredError(), "regression", target, L1(), alpha=0.01, fit_intercept=fit_intercept
    )
    points = run_of(problem, 30)
    made = []
    monkeypatch.setattr(_certificate, "Factored", lambda *args: made.append(1) or Factored(*args))
    monkeypatch.setattr(_certificate, "_NEAR", np.inf)
    best = least(problem)
    for i, (theta, value) in enumerate(points[1:], start=1):
        certificate = Certificate(problem, points[0][1])
        certificate.optimality(theta, value)
        assert len(made) == i
        assert abs(best - certificate.bound) <= 1e-5 * (points[0][1] - best)


def test_slopes_that_are_moved_stay_within_their_bounds_and_add_up_to_zero(make_problem):
    rng = np.random.RandomState(0)
    for loss in (Huber(0.05), Huber(0.5)):
        problem = make_problem(loss, L1(), 0.01, scaled=True)
        objective, certificate = problem.objective, Certificate(problem, 1.0)
        eta = objective.linear(run_of(problem, 20)[-1][0])
        pull = balanced(eta, objective)
        bend = roomy(objective, eta, pull)
        y = objective.y[:, None]
        assert (bend >= 0).all()
        assert (bend <= loss.hessian(y, eta, np)).all()
        moved = certificate._along(pull, 10 * rng.standard_normal(pull.shape) * bend)
        assert np.isfinite(loss.conjugate(y, moved, np)).all()
        assert abs(moved.sum()) <= 1e-12
        # Where there is room for all, nothing is cut off and nothing has to be evened.
        change = 1e-3 * bend * (rng.standard_normal(pull.shape))
        change -= bend * change.sum() / bend.sum()
        assert_allclose(certificate._along(pull, change), pull + change, atol=1e-9)


def test_second_derivatives_of_a_sum_may_be_replaced_by_weights(make_problem):
    for scaled in (False, True):
        problem = make_problem(Huber(0.3), L2(), 0.1, scaled=scaled)
        objective, rng = problem.objective, np.random.RandomState(0)
        bend, eta = rng.uniform(size=(60, 1)), np.zeros((60, 1))
        H = objective.hessian(eta, objective.active(), bend=bend)[0, 0]
        v = rng.standard_normal(objective.n_params)
        assert_allclose(H @ v, objective.adjoint(bend * objective.linear(v)), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("loss", ["squared_error", "huber", "poisson"])
def test_a_fit_with_a_small_l1_penalty_on_raw_columns_ends_by_the_gap(target, loss):
    rng = np.random.RandomState(0)
    Z = rng.standard_normal((300, 5))
    y = target(Z, "counts")
    X = Z * [1.0, 30.0, 1e3, 0.1, 1e-2]
    est = GDRegressor(loss, solver="gd", penalty="l1", alpha=1e-4).fit(X, y)
    assert (est.stop_reason_, est.optimality_kind_) == ("converged", "gap")
    assert est.n_iter_ <= 150


@pytest.mark.parametrize("penalty", ["l1", "l2", "elasticnet"])
def test_a_loss_that_bends_nearly_nowhere_is_certified_through_a_smoother_one(penalty):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(2000, 6)) * [1, 100, 1, 0.01, 1, 1]
    y = 1e4 * (X @ [1.0, 0.01, 0, 30, 0, -2] + rng.standard_t(2, size=2000)) + 5e5
    epsilon, alpha = 0.1, 1e-4
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        est = GDRegressor("huber", penalty=penalty, epsilon=epsilon, alpha=alpha).fit(X, y)
    assert (est.stop_reason_, est.optimality_kind_) == ("converged", "gap")
    if penalty == "l1":
        # The absolute error is Huber's loss over epsilon, to epsilon / 2; linear programming
        # finds its optimum.
        other = QuantileRegressor(quantile=0.5, alpha=alpha / (2 * epsilon)).fit(X, y)
        near = alpha * np.abs(other.coef_).sum() + epsilon * np.abs(y - other.predict(X)).mean()
        ours = alpha * np.abs(est.coef_).sum() + epsilon * np.abs(y - est.predict(X)).mean()
        null = epsilon * np.abs(y - np.median(y)).mean()
        assert (ours - near) / (null - near) <= est.optimality_ + 1e-6


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("penalty", sorted(PENALTIES))
def test_the_bound_of_a_smoother_loss_is_a_bound(target, penalty, fit_intercept):
    problem = raw_problem(
        Huber(1e-3), "regression", target, PENALTIES[penalty], fit_intercept=fit_intercept
    )
    solver = Newton()
    state = solver.init(problem, problem.objective.zeros(), None)
    null_value = state.value
    for _ in range(200):
        state = solver.step(problem, state)
    for tol in (1e-2, 1e-3):
        certificate = Certificate(problem, null_value, tol)
        eta = problem.objective.linear(state.point)
        certificate._smooth(state.point, state.value, eta)
        assert certificate.bound <= state.value
        assert state.value - certificate.bound <= tol * (null_value - certificate.bound)


@pytest.mark.parametrize(
    "params", [{"solver": "sgd", "max_iter": 3}, {"solver": "newton", "tol": None, "max_iter": 3}]
)
def test_a_figure_that_nobody_waits_for_solves_no_other_problem(target, monkeypatch, params):
    monkeypatch.setattr(_smoother, "Newton", None)
    X = np.random.default_rng(0).normal(size=(300, 4))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        est = GDRegressor("huber", epsilon=1e-6, random_state=0, **params)
        est.fit(X, target(X, "regression"))
    assert est.optimality_kind_ == "gap"
