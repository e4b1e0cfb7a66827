"""The duality gap is never below the truth, tends to zero, and stops fits at their tol."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose
from scipy.optimize import minimize
from sklearn.linear_model import Lasso, LogisticRegression, Ridge
from test_losses import ALL, draw

from skgd import GDClassifier, GDRegressor
from skgd._build import null_point
from skgd._certificate import Certificate
from skgd._dual import has_gap
from skgd._protocols import Event
from skgd.callbacks import Optimality
from skgd.losses import (
    Gamma,
    Hinge,
    Huber,
    LogCosh,
    LogLoss,
    ModifiedHuber,
    OneVsRest,
    Poisson,
    Quantile,
    RegressionLoss,
    Softmax,
    SquaredEpsilonInsensitive,
    SquaredError,
    SquaredHinge,
    Tweedie,
)
from skgd.penalties import L1, L2, ElasticNet, NoPenalty
from skgd.solvers import GD

CONJUGATE = [loss for loss in ALL if loss.has_conjugate]
PENALTIES = {"l2": L2(), "l1": L1(), "elasticnet": ElasticNet(0.5)}
SMOOTH = [
    (SquaredError(), "regression"),
    (SquaredError(), "targets"),
    (Huber(0.3), "regression"),
    (LogCosh(), "regression"),
    (SquaredEpsilonInsensitive(), "regression"),
    (Poisson(), "counts"),
    (Gamma(), "positive"),
    (Tweedie(), "counts"),
    (LogLoss(), "binary"),
    (SquaredHinge(), "binary"),
    (ModifiedHuber(), "binary"),
    (Softmax(), "classes"),
    (OneVsRest(SquaredHinge()), "classes"),
]
KINKED = [
    ("absolute_error", "regression"),
    ("quantile", "regression"),
    ("epsilon_insensitive", "regression"),
    ("hinge", "binary"),
    ("hinge", "classes"),
]
quiet = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def case_name(case):
    loss, kind = case
    return f"{loss.__class__.__name__ if not isinstance(loss, str) else loss}-{kind}"


# ---- conjugates ----


def highest(loss, y, u):
    """Return ``sup u * eta - loss`` over a fine grid, refined where it is highest."""
    low, high = -40.0, 40.0
    for _ in range(12):
        eta = np.linspace(low, high, 201)
        values = u * eta - loss.value(np.full(201, y), eta, np)
        i = int(values.argmax())
        low, high = eta[max(i - 2, 0)], eta[min(i + 2, 200)]
    return values[i]


@pytest.mark.parametrize("loss", CONJUGATE, ids=repr)
@pytest.mark.parametrize("share", [1.0, 0.6, 0.0])
def test_conjugate_is_the_supremum(loss, share):
    y, eta = draw(loss, 40)
    u = share * loss.gradient(y, eta, np)
    want = [highest(loss, *pair) for pair in zip(y, u, strict=True)]
    keep = (share > 0) | (loss.gradient(y, 40 + 0 * eta, np) > 0)  # the supremum is far off
    found = loss.conjugate(y, u, np)
    assert np.isfinite(found).all()
    assert_allclose(found[keep], np.array(want)[keep], atol=1e-8)


@pytest.mark.parametrize("loss", CONJUGATE, ids=repr)
def test_value_and_conjugate_add_up_to_the_product_at_the_slope(loss):
    y, eta = draw(loss)
    u = loss.gradient(y, eta, np)
    assert_allclose(loss.value(y, eta, np) + loss.conjugate(y, u, np), u * eta, atol=1e-12)


@pytest.mark.parametrize("loss", CONJUGATE, ids=repr)
def test_conjugate_is_infinite_beyond_the_slopes_and_finite_where_projected(loss):
    y, eta = draw(loss)
    for far in (1e3, -1e3):
        u = np.full_like(y, far)
        near = loss.project(y, u, np)
        steep = loss.gradient(y, np.sign(far) * 700 + 0 * eta, np)
        bounded = np.abs(steep) < 500
        assert np.isinf(loss.conjugate(y, u, np)[bounded]).all()
        assert_allclose(near[bounded], steep[bounded], atol=1e-12)
        assert np.isfinite(loss.conjugate(y, near, np)).all()
        inside = 0.9 * loss.gradient(y, eta, np)
        assert np.array_equal(loss.project(y, inside, np), inside)


def test_conjugate_of_softmax_is_the_supremum_over_all_outputs():
    loss, rng = Softmax(), np.random.RandomState(0)
    for code in (0.0, 2.0):
        y = np.array([code])
        u = 0.7 * loss.gradient(y, rng.standard_normal((1, 3)), np)
        best = minimize(
            lambda eta, y=y, u=u: float(loss.value(y, eta[None], np)[0] - u[0] @ eta), np.zeros(3)
        )
        assert_allclose(loss.conjugate(y, u, np), [-best.fun], atol=1e-8)
    assert np.isinf(loss.conjugate(y, u + 0.1, np)).all()


def test_one_against_the_rest_has_the_conjugates_of_its_columns():
    y, eta = np.array([0.0, 2.0, 1.0]), np.random.RandomState(0).standard_normal((3, 3))
    loss = OneVsRest(LogLoss())
    u = 0.5 * loss.gradient(y, eta, np)
    for j in range(3):
        want = LogLoss().conjugate(np.where(y == j, 1.0, -1.0), u[:, j], np)
        assert_allclose(loss.conjugate(y, u, np)[:, j], want)


def test_a_loss_derived_from_another_has_no_conjugate_of_its_own():
    class Doubled(Huber):
        def value(self, y, eta, xp):
            return 2 * super().value(y, eta, xp)

    assert Huber().has_conjugate
    assert not Doubled().has_conjugate
    assert not Tweedie(1.3).has_conjugate


# ---- the gap ----


def least(problem):
    """Return the least F that SciPy finds; l1 parts become bounds on two halves."""
    objective = problem.objective
    n, theta = objective.n_coef, objective.zeros()
    l1, l2 = (np.resize(part, n) for part in (problem.l1, problem.l2))

    def halves(x):
        w = x[:n] - x[n : 2 * n]
        value, grad = problem.loss_grad(np.concatenate([w, x[2 * n :]]))
        g = grad[:n] + l2 * w
        value += 0.5 * l2 @ w**2 + l1 @ (x[:n] + x[n : 2 * n])
        return value, np.concatenate([g + l1, l1 - g, grad[n:]])

    bounds = [(0, None)] * (2 * n) + [(None, None)] * (len(theta) - n)
    x, options = np.zeros(n + len(theta)), {"ftol": 0.0, "gtol": 1e-11, "maxiter": 5000}
    for _ in range(2):  # from where the last one stopped, with a memory emptied
        x = minimize(
            halves, x, jac=True, method="L-BFGS-B", bounds=bounds, options={**options, "maxcor": 30}
        ).x
    return min(problem.value(np.concatenate([x[:n] - x[n : 2 * n], x[2 * n :]])), halves(x)[0])


def null_of(problem):
    objective = problem.objective
    user = getattr(objective, "inner", objective)
    return objective.from_user(null_point(type(problem)(user, problem.penalty, problem.alpha)))


def run_of(problem, steps=120):
    """Return theta and F of each step of a gradient descent from the null point."""
    solver, null = GD(), null_of(problem)
    state = solver.init(problem, null, None)
    points = [(null, state.value)]
    for _ in range(steps):
        state = solver.step(problem, state)
        points.append((state.theta.copy(), state.value))
        if "stalled" in state.memory:
            break
    return points


@pytest.fixture(params=["dense", "csr"])
def house(request):
    return sp.csr_array if request.param == "csr" else np.ascontiguousarray


@pytest.mark.parametrize("case", SMOOTH, ids=case_name)
@pytest.mark.parametrize("penalty", sorted(PENALTIES))
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_the_gap_is_never_below_the_truth_and_tends_to_zero(
    make_problem, house, case, penalty, fit_intercept
):
    loss, kind = case
    s = np.random.RandomState(3).uniform(0, 2, 60)
    s[:5] = 0.0
    # Each home is seen with and without weights, in either variables.
    weighted = (house is sp.csr_array) == fit_intercept
    problem = make_problem(
        loss,
        PENALTIES[penalty],
        0.05,
        kind=kind,
        s=s if weighted else None,
        fit_intercept=fit_intercept,
        scaled=house is not sp.csr_array,
    )
    points = run_of(problem)
    null_value, best = points[0][1], least(problem)
    kept = Certificate(problem, null_value)
    for theta, value in [*points[:-1:2], points[-1]]:
        true = (value - best) / (null_value - best)
        alone, before = Certificate(problem, null_value).optimality(theta, value), kept.bound
        assert true <= alone
        assert true <= kept.optimality(theta, value)
        assert before <= kept.bound <= best
    assert alone < 5e-9


@quiet
@pytest.mark.parametrize("case", KINKED, ids=case_name)
@pytest.mark.parametrize("penalty", sorted(PENALTIES))
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_the_gap_of_a_loss_with_a_kink_is_never_below_the_truth(
    rows, target, F, case, penalty, fit_intercept
):
    loss, kind = case
    X = rows(60, 4)
    y = target(X, kind)
    options = {"loss": loss, "penalty": penalty, "alpha": 0.05, "fit_intercept": fit_intercept}
    cls = GDRegressor if kind == "regression" else GDClassifier
    fits = [cls(solver="adam", max_iter=n, tol=None, random_state=0, **options) for n in (3, 60)]
    codes = y if kind != "binary" else 2 * y - 1
    reached = []
    for est in fits:
        est.fit(X, y)
        assert est.optimality_kind_ == "gap"
        value = F(X, codes, est.coef_, est.intercept_, loss=loss, alpha=0.05, penalty=penalty)
        reached.append(value)
        assert np.isfinite(est.optimality_)
    longer = cls(solver="gd", max_iter=600, tol=None, **options).fit(X, y)
    best = min(*reached, longer.loss_curve_.min())
    null = cls(penalty="l1", alpha=1e6, solver="gd", loss=loss, fit_intercept=fit_intercept)
    null.fit(X, y)
    zero = F(X, codes, null.coef_, null.intercept_, loss=loss, alpha=0.0)
    for est, value in zip(fits, reached, strict=True):
        true = (value - best) / (zero - best)
        assert est.optimality_ >= min(true, 1.0) - 1e-12


@pytest.mark.parametrize("loss, kind", [(SquaredError(), "regression"), (LogLoss(), "binary")])
def test_large_means_and_offsets_do_not_drown_the_gap(make_problem, loss, kind):
    problem = make_problem(loss, L2(), 0.05, kind=kind, scaled=True)
    far = problem.objective.inner
    if kind == "regression":
        far.y[:] += 1e6
    points = run_of(problem)
    certificate = Certificate(problem, points[0][1])
    figures = [certificate.optimality(*point) for point in points]
    assert figures[-1] < 1e-7
    assert (np.array(figures) >= 0).all()


@pytest.mark.parametrize("case", [(LogLoss(), "binary"), (Softmax(), "classes")], ids=case_name)
def test_a_class_without_weight_leaves_a_valid_gap(make_problem, rows, target, case):
    loss, kind = case
    y = target(rows(60, 5, 0), kind)
    problem = make_problem(loss, L2(), 0.05, kind=kind, s=(y != 1).astype(float), scaled=True)
    points = run_of(problem, 400)
    best = least(problem)
    for theta, value in points[:: len(points) // 8 or 1]:
        certificate = Certificate(problem, points[0][1])
        certificate.optimality(theta, value)
        assert certificate.bound <= best
    assert points[-1][1] - certificate.bound < 1e-2


def test_a_gap_costs_two_readings_of_the_rows_and_none_at_the_same_point(make_problem):
    problem = make_problem(Huber(0.3), L1(), 0.05, scaled=True)
    objective, calls = problem.objective, []

    def counted(name):
        inner = getattr(objective, name)
        setattr(objective, name, lambda *args: (calls.append(name), inner(*args))[1])

    for name in ("sums", "loss_sum", "linear", "adjoint"):
        counted(name)
    certificate = Certificate(problem, 1.0, tol=0.9)
    for _ in range(2):
        certificate.optimality(objective.zeros(), 1.0)
    assert calls == ["linear", "adjoint"]


@pytest.mark.parametrize("loss", [SquaredError(), Quantile()])
def test_there_is_no_gap_without_a_penalty_or_a_conjugate(make_problem, loss):
    class Own(RegressionLoss):
        def value(self, y, eta, xp):
            return (eta - y) ** 4

        def gradient(self, y, eta, xp):
            return 4 * (eta - y) ** 3

    assert has_gap(make_problem(loss, L2(), 0.1))
    assert not has_gap(make_problem(loss, NoPenalty(), 0.1))
    assert not has_gap(make_problem(loss, L2(), 0.0))
    assert not has_gap(make_problem(Own(), L2(), 0.1))


# ---- when it is asked for ----


class Scripted:
    """A certificate whose figure is ``factor`` times the square of the violation."""

    at_rounding = False

    def __init__(self, factor=1.0, promised=np.nan, improves=True):
        self.factor, self.promised, self.asked = factor, promised, []
        self.improves = improves

    def promise(self, theta, value, grad):
        return self.promised

    def is_known(self, value):
        return False

    def optimality(self, theta, value, eta=None):
        self.asked.append(float(theta[0]))
        return self.factor * theta[0] ** 2


def watch(rule, violations, values=None):
    """Return the reason to stop and the number of events until then."""
    values = np.zeros(len(violations)) if values is None else values
    for i, (violation, value) in enumerate(zip(violations, values, strict=True), start=1):
        stop = rule(Event(i, i, i, 0.0, value, violation, 1.0, np.array([violation])))
        if stop is not None:
            return stop.reason, i
    return None, len(violations)


def test_few_gaps_are_asked_for_and_the_run_stops_soon_after_it_may():
    falling = 0.97 ** np.arange(1000)
    certificate = Scripted()
    reason, n = watch(Optimality(1e-6, 1.0, {}, certificate), falling)
    assert reason == "converged"
    assert len(certificate.asked) <= 12
    assert certificate.asked[0] == falling[19]  # one early look, whatever the violation says
    assert falling[n - 1] ** 2 <= 1e-6 < falling[n - 1 - 12] ** 2


def test_a_violation_that_does_not_fall_is_no_reason_never_to_look():
    certificate = Scripted()
    certificate.optimality = lambda theta, value, eta: certificate.asked.append(1) or 1.0
    assert watch(Optimality(1e-6, 1.0, {}, certificate), np.ones(1000)) == (None, 1000)
    assert 8 <= len(certificate.asked) <= 20


def test_a_promise_brings_the_look_forward():
    memory = {"grad": np.zeros(1)}
    kept = Scripted(1e-9, promised=1e-8)
    assert watch(Optimality(1e-6, 1.0, memory, kept), np.ones(9)) == ("converged", 1)
    assert watch(Optimality(1e-6, 1.0, {}, Scripted(1e-9)), np.ones(9)) == (None, 9)
    # One that is not kept is believed later; 4**-5 of the tolerance is never promised here.
    broken = Scripted(1.0, promised=1e-9)
    assert watch(Optimality(1e-6, 1.0, memory, broken), np.ones(15)) == (None, 15)
    assert len(broken.asked) == 5


def test_with_a_hessian_at_hand_only_a_promise_counts():
    small, large = 1e-3 * np.ones(15), np.ones(15)
    for memory, violations, asked in [
        ({"grad": 0, "model": object()}, small, 0),
        ({"grad": 0, "model": None}, small, 1),
        ({"grad": 0, "model": None}, large, 0),
    ]:
        certificate = Scripted(1e4, promised=1.0)
        watch(Optimality(1e-6, 1.0, memory, certificate), violations)
        assert len(certificate.asked) == asked


@pytest.mark.parametrize("at_rounding, reason", [(False, "no_improvement"), (True, "converged")])
def test_a_solver_that_is_stuck_has_converged_only_at_the_optimum(at_rounding, reason):
    certificate = Scripted()
    certificate.at_rounding = at_rounding
    rule = Optimality(1e-6, 1.0, {"stalled": True}, certificate)
    assert watch(rule, np.ones(3)) == (reason, 1)
    assert watch(Optimality(1e-6, 1.0, {"stalled": True}), np.ones(3)) == ("no_improvement", 1)


# ---- what a fit does with it ----

ORACLES = [
    (GDRegressor, "l2", lambda X, y: Ridge(0.02 * len(X), tol=1e-12).fit(X, y), "regression"),
    (GDRegressor, "l1", lambda X, y: Lasso(0.02, tol=1e-12).fit(X, y), "regression"),
    (
        GDClassifier,
        "l2",
        lambda X, y: LogisticRegression(C=1 / (0.02 * len(X)), tol=1e-12).fit(X, y),
        "binary",
    ),
]


@pytest.mark.parametrize("cls, penalty, oracle, kind", ORACLES)
@pytest.mark.parametrize("tol", [1e-2, 1e-4, 1e-7])
@pytest.mark.parametrize("unit", [1e-3, 1.0, 1e4])
def test_a_fit_stops_within_tol_of_the_optimum_of_others(
    rows, target, F, cls, penalty, oracle, kind, tol, unit
):
    X = rows(80, 5)
    y = target(X, kind)
    other = oracle(X, y)
    if kind == "regression" and penalty == "l2":
        y = unit * y
        other = oracle(X, y)
    est = cls(solver="gd", penalty=penalty, alpha=0.02, tol=tol).fit(X, y)
    assert (est.stop_reason_, est.optimality_kind_) == ("converged", "gap")
    assert est.converged_
    loss = "log_loss" if kind == "binary" else "squared_error"
    codes = 2 * y - 1 if kind == "binary" else y
    share = codes.mean()
    middle = np.log((1 + share) / (1 - share)) if kind == "binary" else share
    at = [
        F(X, codes, w, b, loss=loss, alpha=0.02, penalty=penalty)
        for w, b in (
            (est.coef_, est.intercept_),
            (other.coef_, other.intercept_),
            (np.zeros(5), middle),
        )
    ]
    assert (at[0] - at[1]) / (at[2] - at[1]) <= est.optimality_ <= tol


@quiet
def test_a_fit_that_ends_early_is_told_the_gap_and_warns_of_it(rows, target):
    X = rows(80, 5)
    est = GDRegressor(solver="gd", alpha=1e-3, tol=1e-9, max_iter=2)
    with pytest.warns(UserWarning, match=r"optimality \(duality gap\) .* > tol=1.0e-09"):
        est.fit(X, target(X, "regression"))
    assert (est.stop_reason_, est.optimality_kind_) == ("max_iter", "gap")
    assert est.optimality_ > 1e-9


def test_a_stochastic_fit_has_a_gap_too(rows, target):
    X = rows(80, 5)
    est = GDClassifier(solver="sgd", alpha=0.05, random_state=0).fit(X, target(X, "binary"))
    assert est.optimality_kind_ == "gap"
    assert 0 < est.optimality_ < 1


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("loss", ["squared_error", "hinge", "log_loss"])
def test_coefficients_that_are_best_at_zero_are_known_to_be(rows, target, loss):
    X = rows(80, 5)
    est = GDClassifier(loss, solver="gd", penalty="l1", alpha=10.0).fit(X, target(X, "binary"))
    assert np.count_nonzero(est.coef_) == 0
    assert est.optimality_ <= 1e-4


def test_a_tol_of_zero_ends_where_rounding_begins(rows, target):
    X = rows(80, 5)
    est = GDRegressor(solver="gd", alpha=0.1, tol=0.0).fit(X, target(X, "regression"))
    assert est.stop_reason_ in ("converged", "no_improvement")
    assert 0 <= est.optimality_ < 1e-12


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_the_figure_does_not_depend_on_the_units_of_weights(rows, target, scale):
    X = rows(80, 5)
    y, s = target(X, "regression"), np.random.RandomState(0).uniform(0.5, 2, 80)
    common = {"solver": "gd", "alpha": 0.05, "max_iter": 3, "tol": None}
    one = GDRegressor(**common).fit(X, y, sample_weight=s)
    other = GDRegressor(**common).fit(X, y, sample_weight=scale * s)
    assert_allclose(other.optimality_, one.optimality_, rtol=1e-6)


def test_hinge_slopes_on_one_side_only_are_no_reason_to_fail():
    X, y = np.ones((4, 1)), np.array([0, 0, 0, 1])
    est = GDClassifier(Hinge(), solver="adam", alpha=0.1, max_iter=3, tol=None)
    est.fit(X, y, sample_weight=[1.0, 1.0, 1.0, 0.0])
    assert est.optimality_ >= 0
