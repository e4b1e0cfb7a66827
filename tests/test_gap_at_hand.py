"""Gaps that are known without a reading of X: from the gradient, or from what was known before."""

import pytest
from test_certificate import least, null_of, run_of

from skgd import _certificate
from skgd._certificate import Certificate
from skgd._protocols import Event
from skgd.callbacks import Optimality
from skgd.losses import LogLoss, Poisson
from skgd.penalties import L2


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
