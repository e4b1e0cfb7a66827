"""Gaps that are known without a reading of X: from the gradient, or from what was known before."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from test_certificate import Scripted, least, null_of, run_of, watch

from skgd import _certificate
from skgd._certificate import Certificate
from skgd._problem import Problem
from skgd._protocols import Event
from skgd.callbacks import Optimality
from skgd.losses import Hinge, Huber, LogLoss, Poisson
from skgd.objectives import LinearObjective
from skgd.penalties import L1, L2


def test_a_bound_that_is_enough_ends_a_run_whatever_a_promise_was_worth(make_problem):
    problem = make_problem(LogLoss(), L2(), 0.05, kind="binary", scaled=True)
    best, null = least(problem), problem.value(null_of(problem))
    points = run_of(problem, 200)
    certificate = Certificate(problem, null, tol=0.3)
    certificate.bound = best - 0.2 * (null - best)
    rule = Optimality(0.3, 1.0, {"grad": problem.objective.zeros()}, certificate)
    rule._share = 1e-9  # promises have not been kept
    problem.objective.linear = problem.objective.adjoint = None  # nothing is read
    theta, value = points[-1]
    assert rule(Event(1, 1, 1, 0.0, value, 1.0, 1.0, theta)).reason == "converged"
    assert (value - best) / (null - best) <= certificate.optimality(theta, value) <= 0.3


@pytest.mark.parametrize("loss, kind", [(LogLoss(), "binary"), (Poisson(), "counts")])
@pytest.mark.parametrize("shift", [0.0, 1e-7, 1e-4])
def test_a_gradient_saves_a_reading_and_never_makes_a_gap_too_small(
    make_problem, monkeypatch, loss, kind, shift
):
    monkeypatch.setattr(_certificate, "_WIDE", 0)
    problem = make_problem(loss, L2(), 0.05, kind=kind, scaled=True)
    objective, adjoint, calls = problem.objective, problem.objective.adjoint, []
    best, null = least(problem), problem.value(null_of(problem))
    theta = run_of(problem, 6)[-1][0].copy()
    theta[objective.n_coef :] += shift
    value, grad, eta = problem.look(theta)
    objective.adjoint = lambda u: (calls.append(u), adjoint(u))[1]

    def told(grad, tol):
        exact = Certificate(problem, null, tol=tol).optimality(theta, value, eta)
        calls.clear()
        found = Certificate(problem, null, tol=tol).optimality(theta, value, eta, grad=grad)
        assert found >= (value - best) / (null - best) * (1 - 1e-9) - 1e-13
        return exact, found, len(calls)

    exact, found, read = told(grad, 1e-2)
    assert read == 0
    assert exact * (1 - 1e-9) - 1e-13 <= found <= 1e-2
    # Another point's gradient is told from this one's.
    exact, found, read = told(problem.value_grad(theta + 0.01)[1], 1e-2)
    assert read == 1
    assert found == exact
    # Where not even the least that it can be is enough, only a better dual point may be.
    exact, found, _ = told(grad, 1e-12)
    assert found >= exact * (1 - 1e-9) - 1e-13


def test_only_a_promise_counts_where_no_better_dual_point_is_looked_for():
    memory, falling = {"grad": np.zeros(1)}, 0.97 ** np.arange(1000)
    certificate = Scripted(1e4, promised=1.0, improves=False)
    assert watch(Optimality(1e-6, 1.0, memory, certificate), falling[:99]) == (None, 99)
    assert not certificate.asked
    # Promises may be too large, so a look is taken at long last.
    assert watch(Optimality(1e-6, 1.0, memory, certificate), np.ones(1000))[0] is None
    assert 3 <= len(certificate.asked) <= 10
    # Without a gradient nothing is promised, and violations tell.
    certificate = Scripted(improves=False)
    assert watch(Optimality(1e-6, 1.0, {}, certificate), falling)[0] == "converged"


@pytest.mark.parametrize(
    "loss, penalty, case, improves",
    [
        (LogLoss(), L2(), "wide", False),
        (LogLoss(), L2(), "narrow", True),
        (LogLoss(), L1(), "wide", True),
        (Huber(0.1), L2(), "wide", True),
        (Hinge(), L2(), "wide", True),
    ],
)
def test_an_l2_part_alone_on_many_columns_leaves_no_better_dual_point(
    loss, penalty, case, improves
):
    d = {"wide": 600, "narrow": 5}[case]
    rng = np.random.RandomState(0)
    X, y = rng.standard_normal((40, d)), np.where(rng.standard_normal(40) > 0, 1.0, -1.0)
    objective = LinearObjective(X, y, np.ones(40), loss)
    problem = Problem(objective, penalty, 0.1)
    assert Certificate(problem, 2.0).improves is improves
    # What is promised is what is found, where nothing better is.
    if not improves:
        theta = 0.01 * rng.standard_normal(d + 1)
        value, grad = problem.value_grad(theta)
        certificate = Certificate(problem, 2.0)
        found = certificate.optimality(theta, value)
        assert certificate.promise(theta, value, grad) == pytest.approx(found, rel=0.5)


def test_a_promise_is_the_gap_where_nothing_has_to_be_evened_out(make_problem):
    problem = make_problem(LogLoss(), L2(), 0.05, kind="binary", fit_intercept=False)
    theta = np.linspace(-0.3, 0.4, problem.objective.n_params)
    theta[problem.objective.n_coef :] = 0.0
    value, grad = problem.value_grad(theta)
    certificate = Certificate(problem, 2.0)
    gap = certificate.optimality(theta, value)
    assert_allclose(certificate.promise(theta, value, grad), gap, rtol=1e-9)
