"""Newton steps by products with the Hessian, where it is too large to be formed."""

import pickle
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize

from skgd import GDClassifier, GDRegressor
from skgd._problem import Problem
from skgd.losses import Huber, LogLoss, OneVsRest, Softmax, SquaredHinge
from skgd.objectives import LinearObjective
from skgd.penalties import L2
from skgd.solvers import Newton, _applied, _curvature
from skgd.solvers._applied import Applied

LOSSES = [
    (LogLoss(), "binary"),
    (SquaredHinge(), "binary"),
    (Huber(0.5), "numbers"),
    (OneVsRest(LogLoss()), "classes"),
    (Softmax(), "classes"),
]


def hessian(problem, eta):
    """The whole matrix, one product of the reference with each unit vector at a time."""
    objective = problem.objective
    H = np.empty((objective.n_params, objective.n_params))
    for j, unit in enumerate(np.eye(objective.n_params)):
        H[:, j] = objective.adjoint(objective.bent(eta, objective.linear(unit))) / objective.mass
    H[: objective.n_coef, : objective.n_coef] += np.diag(
        np.tile(np.broadcast_to(problem.l2, objective.n_features), objective.n_outputs)
    )
    return H


def point(problem, seed=0):
    rng = np.random.default_rng(seed)
    theta = 0.3 * rng.standard_normal(problem.objective.n_params)
    return theta, problem.objective.linear(theta), rng.standard_normal(len(theta))


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("loss, kind", LOSSES, ids=lambda a: getattr(a, "name", a))
def test_products_and_solutions(make_problem, monkeypatch, loss, kind, fit_intercept, scaled):
    monkeypatch.setattr(_applied, "_LEFT", 1e-10)
    s = np.random.RandomState(1).uniform(0.2, 2.0, 40)
    s[3] = 0.0
    problem = make_problem(
        loss, L2(), 0.05, kind=kind, n=40, d=6, s=s, fit_intercept=fit_intercept, scaled=scaled
    )
    theta, eta, v = point(problem)
    objective, found = problem.objective, Applied(problem, theta, eta)
    H = hessian(problem, eta)
    if not fit_intercept:
        v[objective.n_coef :] = 0.0
    elif loss.joint:
        v[objective.n_coef :] -= v[objective.n_coef :].mean()  # no change is seen by all classes
    assert_allclose(found.apply(v), H @ v, rtol=1e-8, atol=1e-8)
    x = found.solve(v)
    assert_allclose(H @ x, v, rtol=1e-6, atol=1e-6)


def few_bent(make_problem):
    problem = make_problem(SquaredHinge(), L2(), 0.05, kind="binary", n=200)
    theta, eta, v = point(problem)
    far = np.where(np.arange(200)[:, None] % 3 > 0, 9.0, 0.0)  # most are fitted well
    return problem, theta, eta + far * problem.objective.y[:, None], v


def test_rows_without_a_curvature_are_left_out(make_problem):
    problem, theta, eta, v = few_bent(make_problem)
    found = Applied(problem, theta, eta)
    bent = problem.objective.curvatures(eta)[:, 0] > 0
    assert 0 < bent.sum() < 100
    assert found.rows.n_rows == bent.sum()
    assert_allclose(found.apply(v), hessian(problem, eta) @ v, rtol=1e-8, atol=1e-10)
    # Where a copy would be large beside X, all of them are read.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_curvature, "_LEAST_COPY", 0)
        assert Applied(problem, theta, eta).rows is problem.objective


def test_it_is_pickled_without_rows(make_problem):
    problem, theta, eta, v = few_bent(make_problem)
    found = Applied(problem, theta, eta)
    assert found.numbers is not None
    kept = pickle.loads(pickle.dumps(found))
    assert kept.rows is None
    kept.attach(problem)
    assert_array_equal(kept.solve(v), found.solve(v))


def test_of_very_many_rows_some_say_enough(make_problem):
    problem = make_problem(LogLoss(), L2(), 0.05, kind="binary", n=2000, d=3)
    theta, eta, v = point(problem)
    found = Applied(problem, theta, eta)
    assert not found.whole
    assert found.rows.n_rows < 200
    assert np.linalg.norm(found.apply(v) - hessian(problem, eta) @ v) < 0.5 * np.linalg.norm(v)


def test_the_diagonal_makes_up_for_rare_columns(make_problem):
    """Columns whose curvatures differ by powers of ten, as after rows have come and gone."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 40)) * np.logspace(-3, 2, 40)
    y = np.where(X[:, -1] > 0, 1.0, -1.0)
    problem = Problem(LinearObjective(X, y, np.ones(400), LogLoss()), L2(), 1e-8)
    calls, model = [], Applied(problem, np.zeros(41), np.zeros((400, 1)))
    apply = model.apply
    model.apply = lambda v: (calls.append(1), apply(v))[1]
    v = rng.standard_normal(41)
    x = model.solve(v)
    left = v - apply(x)
    assert left @ (left * model.inverse) <= 0.011 * (v @ (v * model.inverse))
    assert len(calls) <= 60


def wide(n, d, seed=0):
    rng = np.random.default_rng(seed)
    X = sp.random_array((n, d), density=0.01, format="csr", rng=rng)
    X = X @ sp.diags_array(rng.lognormal(0.0, 2.0, d))
    return X.tocsr(), X @ rng.standard_normal(d), rng


@pytest.mark.parametrize("form", ["csr", "dense"])
def test_log_loss_on_many_unlike_columns_is_the_optimum_of_scipy(form, monkeypatch):
    monkeypatch.setattr(_curvature, "ROWS", 0)  # products, though rows are few
    X, eta, rng = wide(700, 1600)
    y = eta + rng.logistic(size=len(eta)) > 0
    D, sign = X.toarray(), np.where(y, 1.0, -1.0)
    est = GDClassifier(alpha=1e-5, tol=1e-8).fit(X if form == "csr" else D, y)
    assert type(est.solver_) is Newton
    assert est.converged_
    assert est.n_iter_ <= 60

    def F(theta):
        z = sign * (D @ theta[:-1] + theta[-1])
        pull = -sign / (1.0 + np.exp(np.clip(z, -700, 700))) / len(y)
        grad = np.append(D.T @ pull + 1e-5 * theta[:-1], pull.sum())
        return np.logaddexp(0.0, -z).mean() + 0.5e-5 * theta[:-1] @ theta[:-1], grad

    start = np.append(est.coef_, est.intercept_)
    options = {"maxiter": 500, "ftol": 1e-16, "gtol": 1e-12}
    best = minimize(F, start, jac=True, method="L-BFGS-B", options=options).fun
    null = est.loss_curve_[0]
    assert F(start)[0] - best <= 1e-8 * (null - best) + 1e-12


@pytest.mark.parametrize("loss", ["huber", "squared_hinge"])
def test_losses_whose_curvature_jumps_are_certified_without_a_warning(loss):
    X, eta, rng = wide(2500, 1700)
    y = eta + rng.standard_t(2, size=len(eta))
    kind, y = (GDRegressor, y) if loss == "huber" else (GDClassifier, y > 0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        est = kind(loss, alpha=1e-6).fit(X, y)
    assert est.optimality_ <= 1e-4
    assert est.n_iter_ <= 450
