"""A problem is F in every home of rows, and in scaled variables it is the same F."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import approx_fprime, minimize

from skgd.losses import LOSSES, Hinge, Huber, LogLoss, Poisson, Softmax, SquaredError
from skgd.objectives import LinearObjective, check_sparse, linear_predictor, make_objective
from skgd.penalties import L1, L2, ElasticNet, NoPenalty, UserPenalty
from skgd.solvers import GD, resolve_solver
from skgd.solvers._stochastic import Stochastic

PENALTIES = {"l1": L1(), "l2": L2(), "elasticnet": ElasticNet(0.15), None: NoPenalty()}
MARGINS = {"log_loss", "hinge", "perceptron", "squared_hinge", "modified_huber"}
KINDS = {"poisson": "counts", "gamma": "positive", "tweedie": "positive"}
KINDS.update(dict.fromkeys(MARGINS, "binary"))


class GroupLasso:
    """All coefficients of a row of W shrink together: not separable."""

    def value(self, coef):
        return float(np.sqrt((coef**2).sum(axis=-1)).sum())

    def prox(self, coef, t):
        norms = np.sqrt((coef**2).sum(axis=-1, keepdims=True))
        return coef * np.maximum(0, 1 - t / np.maximum(norms, 1e-300))


GROUPED = UserPenalty(GroupLasso())


def class_name(value):
    return type(value).__name__


def point(problem, seed=3):
    return 0.4 * np.random.RandomState(seed).standard_normal(problem.objective.n_params)


@pytest.mark.parametrize("penalty", list(PENALTIES), ids=str)
@pytest.mark.parametrize("name", sorted(LOSSES))
def test_value_is_f(make_problem, F, name, penalty):
    s = np.linspace(0.5, 3, 60)
    loss = LOSSES[name]() if name != "huber" else Huber(0.1)
    problem = make_problem(loss, PENALTIES[penalty], 0.3, kind=KINDS.get(name, "regression"), s=s)
    objective, theta = problem.objective, point(problem)
    W, b = objective.split(theta)
    expected = F(objective.X, objective.y, W, b, loss=name, alpha=0.3, penalty=penalty, s=s)
    assert_allclose(problem.value(theta), expected, rtol=1e-12)
    assert_allclose(problem.value_grad(theta)[0], expected, rtol=1e-12)


@pytest.mark.parametrize(
    "name, loss, kind",
    [
        ("log_loss", Softmax(), "classes"),
        ("hinge", Hinge().multiclass(), "classes"),
        ("squared_error", SquaredError(), "targets"),
        ("poisson", Poisson(), "targets"),
    ],
)
def test_value_of_several_outputs_is_f(make_problem, F, name, loss, kind):
    problem = make_problem(loss, kind=kind)
    objective, theta = problem.objective, point(problem)
    if name == "poisson":
        objective.y[:] = np.abs(objective.y)
    W, b = objective.split(theta)
    expected = F(objective.X, objective.y, W, b, loss=name, alpha=0.1)
    assert_allclose(problem.value(theta), expected, rtol=1e-12)


@pytest.mark.parametrize("scaled", [False, True, "stochastic"])
@pytest.mark.parametrize(
    "loss, kind",
    [
        (SquaredError(), "regression"),
        (LogLoss(), "binary"),
        (Poisson(), "counts"),
        (Softmax(), "classes"),
        (SquaredError(), "targets"),
        (LogLoss().multiclass(), "classes"),
    ],
    ids=class_name,
)
def test_gradient_is_the_derivative_of_value(make_problem, loss, kind, scaled):
    problem = make_problem(loss, L2(), 0.3, kind=kind, scaled=scaled)
    theta = point(problem)
    grad = problem.value_grad(theta)[1]
    assert_allclose(grad, approx_fprime(theta, problem.value), atol=3e-6)


@pytest.mark.parametrize("scaled", [False, True])
def test_a_look_with_predictors_at_hand_is_the_same_one(make_problem, scaled):
    problem = make_problem(LogLoss(), ElasticNet(0.5), 0.3, kind="binary", scaled=scaled)
    theta = point(problem)
    want, want_grad = problem.value_grad(theta)
    eta = problem.objective.linear(theta)
    for value, grad, there in (problem.look(theta), problem.look(theta, eta)):
        assert_allclose(value, want, rtol=1e-13)
        assert_allclose(grad, want_grad, atol=1e-13)
        assert_allclose(there, eta, atol=1e-13)


def test_what_a_problem_knows_it_does_not_read(make_problem):
    problem = make_problem(LogLoss(), L2(), 0.3, kind="binary")
    theta = point(problem)
    value, grad, eta = problem.look(theta)
    problem.know(theta, value, grad, eta)
    elsewhere = problem.look(theta + 1.0)
    assert elsewhere[0] != value
    problem.objective.look = None
    found = problem.look(theta)
    assert found[0] == value
    found[1][:] = found[2][:] = np.nan  # which are copies
    assert_allclose(problem.look(theta)[1], grad)
    assert_allclose(problem.look(theta)[2], eta)


@pytest.mark.parametrize("penalty", [L2(), L1(), ElasticNet(0.5), GROUPED], ids=class_name)
@pytest.mark.parametrize("scaled", [True, "stochastic"])
def test_scaled_variables_name_the_same_points(make_problem, penalty, scaled):
    plain = make_problem(SquaredError(), penalty, kind="targets")
    other = make_problem(SquaredError(), penalty, kind="targets", scaled=scaled)
    theta = point(plain)
    u = other.objective.from_user(theta)
    assert not np.allclose(u, theta)
    assert_allclose(other.objective.to_user(u), theta, rtol=1e-13, atol=1e-14)
    assert_allclose(other.value(u), plain.value(theta), rtol=1e-12)
    assert_allclose(other.penalty_value(u), plain.penalty_value(theta), rtol=1e-12)


@pytest.mark.parametrize("penalty", [L1(), ElasticNet(0.5), GROUPED], ids=class_name)
@pytest.mark.parametrize("scaled", [False, True])
def test_prox_solves_its_own_problem(make_problem, penalty, scaled):
    problem = make_problem(SquaredError(), penalty, 0.7, kind="targets", scaled=scaled)
    theta = point(problem)
    there = problem.prox(theta, 0.4)

    def cost(u):
        # The l2 part is in the gradient, so the prox must leave it out.
        l2 = 0.5 * float((problem.l2 * problem.objective.split(u)[0] ** 2).sum())
        return (u - theta) @ (u - theta) / 2 + 0.4 * (problem.penalty_value(u) - l2)

    rng = np.random.RandomState(0)
    for size in (1e-3, 1e-2, 0.3):
        for _ in range(50):
            assert cost(there) <= cost(there + size * rng.standard_normal(len(theta))) + 1e-14
    k = problem.objective.n_coef
    assert_array_equal(there[k:], theta[k:])


def test_prox_takes_a_step_for_each_coordinate(make_problem):
    problem = make_problem(SquaredError(), L1(), 0.7)
    theta, steps = point(problem), np.linspace(0.1, 0.9, 6)
    expected = [problem.prox(theta, t)[j] for j, t in enumerate(steps)]
    assert_array_equal(problem.prox(theta, steps), expected)


def test_prox_does_not_change_its_argument(make_problem):
    problem = make_problem(SquaredError(), L1(), 0.7)
    theta = point(problem)
    before = theta.copy()
    problem.prox(theta, 0.5)
    assert_array_equal(theta, before)


def test_batches_add_up_to_all_rows(make_problem):
    problem = make_problem(LogLoss(), NoPenalty(), kind="binary", s=np.linspace(1, 2, 60))
    theta = point(problem)
    batches = problem.objective.batches(20, np.random.RandomState(0).permutation(60))
    parts = [problem.value_grad(theta, rows) for rows in batches]
    value, grad = problem.value_grad(theta)
    assert_allclose(np.mean([p[0] for p in parts]), value, rtol=1e-12)
    assert_allclose(np.mean([p[1] for p in parts], axis=0), grad, rtol=1e-11, atol=1e-14)


def test_violation_is_zero_at_the_optimum_and_nowhere_else(make_problem):
    problem = make_problem(SquaredError())
    found = minimize(problem.value_grad, problem.objective.zeros(), jac=True, tol=1e-10)
    assert problem.violation(found.x, problem.value_grad(found.x)[1]) < 1e-7
    away = found.x + 0.1
    assert problem.violation(away, problem.value_grad(away)[1]) > 1e-3


def test_violation_of_l1_is_the_excess_of_the_gradient_over_alpha(make_problem):
    # At zero coefficients, the least alpha for which zero is the optimum.
    problem = make_problem(SquaredError(), L1(), 0.0)
    theta = problem.objective.zeros()
    theta[-1] = problem.objective.y.mean()
    largest = np.abs(problem.value_grad(theta)[1]).max()
    for alpha, expected in ((0.25 * largest, 0.75 * largest), (1.01 * largest, 0.0)):
        problem = make_problem(SquaredError(), L1(), alpha)
        got = problem.violation(theta, problem.value_grad(theta)[1])
        assert_allclose(got, expected, atol=1e-12)


@pytest.mark.parametrize("scaled", [False, True])
def test_smoothness_is_the_largest_eigenvalue(make_problem, scaled):
    problem = make_problem(SquaredError(), L2(), 0.5, scaled=scaled, d=4)
    theta = problem.objective.zeros()
    base = problem.value_grad(theta)[1]
    hessian = np.array([problem.value_grad(theta + e)[1] - base for e in np.eye(5)])
    largest = np.linalg.eigvalsh(hessian)[-1]
    assert 0.85 * largest <= problem.smoothness() <= 1.0001 * largest


def test_no_intercept_means_no_gradient_of_it(make_problem):
    problem = make_problem(LogLoss(), kind="binary", fit_intercept=False)
    assert problem.value_grad(point(problem))[1][-1] == 0.0


def test_rows_of_weight_zero_are_no_rows_even_where_they_overflow(make_problem, house):
    s = np.ones(60)
    s[::7] = 0.0
    problem = make_problem(Poisson(), kind="counts", s=s)
    objective = problem.objective
    X = objective.X.toarray() if sp.issparse(objective.X) else objective.X.copy()
    X[::7] = 1e9
    wild = make_objective(house(X), objective.y, s, Poisson())
    theta = np.abs(point(problem))
    assert_array_equal(wild.sums(theta)[0], objective.sums(theta)[0])
    assert_array_equal(wild.sums(theta)[1], objective.sums(theta)[1])
    assert_array_equal(wild.active(), np.flatnonzero(s))
    kept = make_objective(house(X[s > 0]), objective.y[s > 0], s[s > 0], Poisson())
    assert_allclose(wild.sums(theta)[1], kept.sums(theta)[1], rtol=1e-13)


def test_moments_are_those_of_the_active_rows(make_problem):
    s = np.arange(60) % 4.0
    objective = make_problem(SquaredError(), s=s).objective
    X = objective.X.toarray() if sp.issparse(objective.X) else objective.X
    X = np.repeat(X.astype(float), s.astype(int), axis=0)
    expected = X.mean(axis=0), X.var(axis=0), X.min(axis=0), X.max(axis=0)
    for got, want in zip(objective.moments(), expected, strict=True):
        assert_allclose(got, want, rtol=1e-12, atol=1e-13)


def test_a_sample_is_spread_over_the_rows_and_keeps_the_mean_weight(make_problem):
    objective = make_problem(SquaredError(), s=np.full(60, 2.0)).objective
    sample = objective.sample(10)
    assert sample.n_rows == 10
    assert_allclose(sample.mass, 20.0)
    assert objective.sample(60) is objective


def test_homes_are_used_without_a_copy(make_problem):
    objective = make_problem(SquaredError()).objective
    rows, X = objective.memory(), objective.X
    if sp.issparse(X):
        assert np.shares_memory(rows.data, X.data)
        assert np.shares_memory(rows.indices, X.indices)
    else:
        assert np.shares_memory(rows.data, X)


def test_threads_do_not_change_a_bit(rows, target):
    X = rows(40_000, 20)
    y = target(X, "regression")
    results = []
    for n_threads in (1, 2, 5):
        objective = LinearObjective(X, y, np.ones(len(y)), SquaredError(), n_threads=n_threads)
        assert len(objective._prepared()) > 2
        value, grad = objective.sums(np.linspace(-1, 1, 21))
        assert objective.loss_sum(np.linspace(-1, 1, 21)) == value
        results.append(np.append(grad, value))
    assert_array_equal(results[0], results[1])
    assert_array_equal(results[0], results[2])


@pytest.mark.parametrize("rule", ["adam", "adagrad", "rmsprop", "adadelta", "nadam", "amsgrad"])
def test_check_refuses_a_metric_where_the_penalty_is_not_separable(make_problem, rule):
    problem = make_problem(SquaredError(), GROUPED)
    with pytest.raises(ValueError, match=r"separable.*'gd', 'sgd', 'momentum' or 'nesterov'"):
        problem.check(Stochastic(resolve_solver(rule)))
    problem.check(Stochastic(resolve_solver("sgd")))
    problem.check(GD())


def test_check_refuses_a_kink_where_the_solver_needs_a_smooth_loss(make_problem):
    class Picky(GD):
        needs = frozenset({"smooth_loss"})

    problem = make_problem(Hinge(), kind="binary")
    with pytest.raises(ValueError, match=r"Picky needs a smooth loss; Hinge\(\) has a kink"):
        problem.check(Picky())


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda X: X.indices.__setitem__(0, 5), r"column indices from \d+ to 5, out of range"),
        (lambda X: X.indices.__setitem__(0, -1), "column indices from -1"),
        (lambda X: X.indptr.__setitem__(2, 0), "indptr decreases"),
        (lambda X: X.indptr.__setitem__(-1, 10**6), "indptr does not match"),
    ],
)
def test_broken_csr_is_told(rows, change, message):
    X = sp.csr_array(rows(20, 5) + 1)
    change(X)
    with pytest.raises(ValueError, match=message):
        check_sparse(X)


def test_linear_predictor_is_dense_whatever_is_sparse(rows):
    X = rows(7, 5)
    W = rows(2, 5, seed=4)
    expected = X @ W.T + [1.0, 2.0]
    for x in (X, sp.csr_array(X), sp.csr_matrix(X)):
        for w in (W, sp.csr_array(W), sp.csr_matrix(W)):
            got = linear_predictor(x, w, np.array([1.0, 2.0]))
            assert type(got) is np.ndarray
            assert_allclose(got, expected, rtol=1e-12)


def test_values_beyond_all_bounds_are_infinite_without_a_warning(make_problem):
    problem = make_problem(Poisson(), kind="counts")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert problem.value(np.full(6, 1e5)) == np.inf
