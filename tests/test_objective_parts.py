"""The parts of a pass, predictors, slopes, gradient and curvature, are those of F."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from skgd import GDClassifier
from skgd._problem import Problem
from skgd.losses import (
    Gamma,
    Huber,
    LogCosh,
    LogLoss,
    ModifiedHuber,
    Poisson,
    Softmax,
    SquaredError,
    SquaredHinge,
    UserLoss,
)
from skgd.objectives import LinearObjective, _linear
from skgd.penalties import L2, NoPenalty
from skgd.solvers import LBFGS, _curvature
from skgd.solvers._curvature import Diagonal, centred_solve


class Quartic:
    """A loss of the user's that says nothing of its second derivative."""

    def value(self, y, eta):
        return (eta - y) ** 4

    def gradient(self, y, eta):
        return 4 * (eta - y) ** 3


S = np.linspace(0.5, 3, 60) * (np.arange(60) % 7 > 0)
SMOOTH = [
    (SquaredError(), "regression"),
    (LogCosh(0.5), "regression"),
    (Poisson(), "counts"),
    (Gamma(), "positive"),
    (LogLoss(), "binary"),
    (UserLoss(Quartic()), "regression"),
    (Softmax(), "classes"),
    (LogLoss().multiclass(), "classes"),
    (SquaredError(), "targets"),
    (UserLoss(Quartic()).multiclass(), "classes"),
]
# Their second derivative jumps; at these points no row is near a jump.
BENT = [
    (Huber(0.5), "regression"),
    (SquaredHinge(), "binary"),
    (ModifiedHuber(), "binary"),
    (SquaredHinge().multiclass(), "classes"),
]


def label(value):
    return value if isinstance(value, str) else type(getattr(value, "loss", value)).__name__


def every_loss(function):
    return pytest.mark.parametrize("loss, kind", SMOOTH + BENT, ids=label)(function)


def make(make_problem, loss, kind, **options):
    """Return an objective with weights, a point and a direction."""
    objective = make_problem(loss, NoPenalty(), kind=kind, s=S, **options).objective
    rng = np.random.RandomState(3)
    theta, v = 0.4 * rng.standard_normal((2, objective.n_params))
    return objective, theta, v


@pytest.mark.parametrize("scaled", [False, True])
@every_loss
def test_a_pass_is_its_parts(make_problem, loss, kind, scaled):
    objective, theta, _ = make(make_problem, loss, kind, scaled=scaled)
    eta = objective.linear(theta)
    assert eta.shape == (60, objective.n_outputs)
    value, u = objective.slopes(eta)
    grad = objective.adjoint(u)
    want_value, want_grad = objective.sums(theta)
    assert_allclose(value, want_value, rtol=1e-12)
    assert_allclose(grad, want_grad, rtol=1e-11, atol=1e-12 * np.abs(want_grad).max())
    assert_array_equal(u[S == 0], 0.0)


@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("scaled", [False, True])
@every_loss
def test_one_look_gives_sums_and_predictors(make_problem, loss, kind, scaled, fit_intercept):
    objective, theta, v = make(make_problem, loss, kind, scaled=scaled, fit_intercept=fit_intercept)
    value, grad, eta = objective.look(theta)
    want, want_grad = objective.sums(theta)
    assert_allclose(value, want, rtol=1e-12)
    assert_allclose(grad, want_grad, rtol=1e-11, atol=1e-12 * np.abs(want_grad).max())
    assert_allclose(eta, objective.linear(theta), rtol=1e-12, atol=1e-12)
    moved = objective.linear(v)
    total, along, there, u = objective.slopes_along(eta, moved, 0.3)
    assert_allclose(there, eta + 0.3 * moved, rtol=1e-13, atol=1e-13)
    assert_allclose(total, objective.slopes(there)[0], rtol=1e-12)
    assert_allclose(u, objective.slopes(there)[1], rtol=1e-11, atol=1e-12)
    assert_allclose(along, np.vdot(u, moved), rtol=1e-10, atol=1e-12)


def test_intercepts_alone_read_no_rows(make_problem, monkeypatch):
    objective, theta, _ = make(make_problem, SquaredError(), "targets")
    theta[: objective.n_coef] = 0.0
    monkeypatch.setattr(_linear._kernels, "linear_map", None)
    eta = objective.linear(theta)
    assert_array_equal(eta, np.broadcast_to(theta[objective.n_coef :], eta.shape))


def large(n_threads, n=20_000, d=40):
    rng = np.random.default_rng(3)
    X = rng.normal(5.0, 2.0, (n, d))
    s = np.arange(n) % 3.0
    y = np.sign(X[:, 0] - 5 + rng.normal(size=n))
    return LinearObjective(X, y, s, LogLoss(), n_threads=n_threads)


def test_threads_change_no_bit_of_moments_and_hessians():
    one, two = large(1), large(2)
    assert len(one._ranges()) > 1
    for a, b in zip(one.moments(), two.moments(), strict=True):
        assert_array_equal(a, b)
    eta = one.linear(np.linspace(-0.1, 0.1, 41))
    for rows in (one.active(), one.active()[::7]):
        a, b = one.hessian(eta, rows), two.hessian(eta, rows)
        assert_array_equal(a[0, 0], b[0, 0])
        z = np.column_stack([one.X, np.ones(one.n_rows)])[rows]
        h = one.curvatures(eta)[rows]
        assert_allclose(a[0, 0], z.T @ (h * z), rtol=1e-10)


def test_moments_of_parts_are_those_of_all_rows():
    objective = large(2)
    objective.X[:, 7] = 0.1
    objective.s[: objective.n_rows // 2] = 0.0  # whole parts without a row that counts
    mean, var, low, high = objective.moments()
    held = objective.s > 0
    X, s = objective.X[held], objective.s[held]
    assert_allclose(mean, np.average(X, axis=0, weights=s), rtol=1e-12)
    assert_allclose(var, np.average((X - mean) ** 2, axis=0, weights=s), rtol=1e-10, atol=1e-30)
    assert (mean[7], var[7]) == (0.1, 0.0)
    assert_array_equal(low, X.min(axis=0))
    assert_array_equal(high, X.max(axis=0))


@pytest.mark.parametrize("loss", ["log_loss", "squared_hinge"])
def test_a_fit_of_wide_rows_reads_their_moments_once(monkeypatch, loss):
    # `auto` asks for them, then the scaling of columns, then what the steps begin from.
    X = sparse.random_array((1700, 1600), density=0.01, rng=np.random.default_rng(0)).tocsr()
    read, reads = LinearObjective._read_moments, []
    monkeypatch.setattr(
        LinearObjective, "_read_moments", lambda self: reads.append(self.n_rows) or read(self)
    )
    GDClassifier(loss).fit(X, (X.sum(axis=1) > 8).astype(int))
    assert reads == [1700]


@pytest.mark.parametrize("scaled", [False, True])
def test_predictors_are_linear_and_the_gradient_is_their_transpose(make_problem, scaled):
    objective, theta, v = make(make_problem, SquaredError(), "targets", scaled=scaled)
    eta, moved = objective.linear(theta), objective.linear(v)
    assert_allclose(objective.linear(theta + 3 * v), eta + 3 * moved, atol=1e-12)
    assert_allclose(np.vdot(moved, eta), v @ objective.adjoint(eta), rtol=1e-12)


@pytest.mark.parametrize("scaled", [False, True])
def test_an_intercept_that_is_not_fitted_has_no_gradient(make_problem, scaled):
    objective, theta, _ = make(
        make_problem, SquaredError(), "targets", scaled=scaled, fit_intercept=False
    )
    grad = objective.adjoint(objective.slopes(objective.linear(theta))[1])
    assert_array_equal(grad[objective.n_coef :], 0.0)
    assert grad[: objective.n_coef].all()


@every_loss
def test_curvatures_are_the_derivatives_of_slopes(make_problem, loss, kind):
    objective, theta, v = make(make_problem, loss, kind)
    eta, moved = objective.linear(theta), objective.linear(v)
    h = objective.curvatures(eta)
    assert (h >= 0).all()
    assert_array_equal(h[S == 0], 0.0)
    step = 1e-6
    for j in range(eta.shape[1]):
        one = step * np.eye(eta.shape[1])[j]
        ahead, behind = objective.slopes(eta + one)[1], objective.slopes(eta - one)[1]
        assert_allclose(h[:, j], ((ahead - behind) / (2 * step))[:, j], rtol=1e-5, atol=1e-7)
    ahead, behind = (objective.slopes(eta + t * moved)[1] for t in (step, -step))
    want = (ahead - behind) / (2 * step)
    assert_allclose(objective.bent(eta, moved), want, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("loss, kind", SMOOTH, ids=label)
def test_the_hessian_is_the_derivative_of_the_gradient(make_problem, loss, kind, scaled):
    objective, theta, _ = make(make_problem, loss, kind, scaled=scaled)
    d, k = objective.n_features, objective.n_outputs
    found = objective.hessian(objective.linear(theta), objective.active())
    joint = k > 1 and loss.joint
    assert set(found) == {(j, i) for j in range(k) for i in range(j, k) if joint or i == j}
    step, size = 1e-5, max(np.abs(part).max() for part in found.values())
    for (j, i), part in found.items():
        if i == j:
            assert_allclose(part, part.T, rtol=1e-12, atol=1e-14 * size)
        for column, at in enumerate([*range(i * d, (i + 1) * d), k * d + i]):
            one = np.zeros(objective.n_params)
            one[at] = step
            change = objective.sums(theta + one)[1] - objective.sums(theta - one)[1]
            G, g = objective.split(change / (2 * step))
            assert_allclose(part[:, column], np.append(G[j], g[j]), atol=1e-5 * size)


def test_the_hessian_of_some_rows_is_theirs_alone(make_problem):
    objective, theta, _ = make(make_problem, LogLoss(), "binary", scaled=True)
    eta, rows = objective.linear(theta), np.array([1, 4, 9, 33])
    parts = [objective.hessian(eta, rows[i : i + 1])[0, 0] for i in range(4)]
    assert_allclose(objective.hessian(eta, rows)[0, 0], sum(parts), rtol=1e-10, atol=1e-12)
    inner = objective.inner
    X = inner.X.toarray() if inner.sparse else inner.X
    z = np.append((X[9].astype(float) - objective.shift) * objective.inv_scale, 1.0)
    assert_allclose(parts[2], inner.curvatures(eta)[9, 0] * np.outer(z, z), atol=1e-10)


@pytest.mark.parametrize("scaled", [False, True])
@every_loss
def test_the_diagonal_of_the_hessian_is_that_of_the_whole(make_problem, loss, kind, scaled):
    objective, theta, _ = make(make_problem, loss, kind, scaled=scaled)
    eta, k = objective.linear(theta), objective.n_outputs
    whole = objective.hessian(eta, np.arange(objective.n_rows))
    D, d = objective.split(objective.hessian_diagonal(eta))
    for j in range(k):
        assert_allclose(np.append(D[j], d[j]), np.diag(whole[j, j]), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("scaled", [False, True])
@every_loss
def test_about_the_diagonal_that_lbfgs_begins_with(make_problem, loss, kind, scaled):
    objective, theta, _ = make(make_problem, loss, kind, scaled=scaled)
    problem = Problem(objective, L2(), 1e-3)
    eta = objective.linear(theta)
    found = Diagonal(problem)
    found.look(problem, eta)
    inner = objective.inner if scaled else objective
    Z = np.asarray(inner.X.toarray() if inner.sparse else inner.X, dtype=float)
    if scaled:
        Z = (Z - (0.0 if objective.shift is None else objective.shift)) * objective.inv_scale
    D, d = objective.split(1.0 / found.inverse)
    h = objective.curvatures(eta)
    squares = objective.s @ (Z * Z) / objective.mass
    bend = h.sum(axis=0) / objective.mass
    assert_allclose(D, bend[:, None] * squares + problem.l2, rtol=1e-5)
    assert_allclose(d, bend, rtol=1e-12)


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_a_diagonal_in_centred_columns_is_solved_in_those_that_are_not(n_outputs):
    rng = np.random.default_rng(n_outputs)
    d = 5
    D, h = rng.uniform(0.5, 2.0, (n_outputs, d)), rng.uniform(0.5, 2.0, n_outputs)
    mean = rng.standard_normal((n_outputs, d))
    grad = rng.standard_normal(n_outputs * (d + 1))
    found = centred_solve(1.0 / np.append(D, h), mean, grad)
    W, b = found[:-n_outputs].reshape(n_outputs, d), found[-n_outputs:]
    G, g = grad[:-n_outputs].reshape(n_outputs, d), grad[-n_outputs:]
    for j in range(n_outputs):
        # The Hessian of rows whose mean is `mean` and whose columns are independent about it.
        whole = np.diag(np.append(D[j], 0.0))
        along = np.append(mean[j], 1.0)
        whole += h[j] * np.outer(along, along)
        assert_allclose(whole @ np.append(W[j], b[j]), np.append(G[j], g[j]), rtol=1e-10)


def test_columns_are_centred_where_the_intercept_hangs_together_with_them():
    # Half of the rows are fitted so well that they have no curvature; the others have all words.
    rng = np.random.default_rng(0)
    X = (rng.random((200, 30)) < 0.05).astype(float)
    X[:100] = rng.random((100, 30)) < 0.9
    y = np.repeat([1.0, -1.0], 100)
    problem = Problem(LinearObjective(X, y, np.ones(200), LogLoss()), L2(), 1e-4)
    eta = np.repeat([0.0, -30.0], 100)[:, None]
    found = Diagonal(problem)
    found.look(problem, eta)
    assert_allclose(found.mean[0], X[:100].mean(axis=0), rtol=1e-9)
    assert found.uneven
    # No more of X is read before the step at which it is due.
    problem.objective.adjoint = None
    found.due = 5
    found.look(problem, eta, 4)
    # Columns that say nothing about the intercept are left as they are.
    X = rng.standard_normal((200, 3))
    problem = Problem(LinearObjective(X, y, np.ones(200), LogLoss()), L2(), 1e-4)
    found = Diagonal(problem)
    found.look(problem, np.zeros((200, 1)))
    assert found.mean is None


@pytest.mark.parametrize("home", ["csr", "dense"])
def test_classes_of_words_have_their_diagonal_from_the_tenth_step_on(monkeypatch, home):
    rng = np.random.default_rng(0)
    X = sparse.random_array((90, 40), density=0.2, format="csr", rng=rng)
    y = rng.integers(0, 3, 90).astype(float)
    X = X if home == "csr" else X.toarray()
    problem = Problem(LinearObjective(X, y, np.ones(90), Softmax(), n_outputs=3), L2(), 1e-4)
    solver = LBFGS()
    monkeypatch.setattr(_curvature, "FACTORED", 39)
    state = solver.init(problem, problem.objective.zeros(), None)
    for _ in range(9):
        state = solver.step(problem, state)
    eta, found = state.memory["eta"].copy(), state.memory["diagonal"]
    assert (found is None) == (home == "csr")  # of dense columns it reads nothing
    state = solver.step(problem, state)
    if home == "csr":
        D = problem.objective.hessian_diagonal(eta) / 90.0
        problem.objective.split(D)[0][:] += problem.l2
        assert_allclose(state.memory["diagonal"].inverse, 1.0 / D, rtol=1e-9)
    monkeypatch.setattr(_curvature, "FACTORED", 40)
    assert not Diagonal.is_exact(problem.objective)


@pytest.mark.parametrize("scaled", [False, True])
def test_a_class_by_itself_leaves_rows_of_no_curvature_to_the_diagonal(make_problem, scaled):
    objective, theta, _ = make(make_problem, Softmax(), "classes", scaled=scaled)
    rows = np.arange(0, objective.n_rows, 2)
    for far in (1.0, 60.0):  # rows that are fitted ever better
        eta = far * objective.linear(theta)
        whole = objective.hessian(eta, rows)
        own = objective.hessian(eta, rows, own=True)
        assert set(own) == {(j, j) for j in range(objective.n_outputs)}
        h = objective.curvatures(eta)[rows]
        for (j, _), part in own.items():
            want, slight = whole[j, j], h[:, j] <= 1e-3 * h[:, j].mean()
            assert (slight & (S[rows] > 0)).any() == (far > 1.0)
            assert_allclose(np.diag(part), np.diag(want), rtol=1e-9, atol=1e-13)
            assert_allclose(part, want, atol=2e-3 * np.diag(want).max())
            assert_allclose(part, part.T)


@pytest.mark.parametrize("k", [2, 3, 20])
def test_outputs_of_sparse_rows_do_not_know_of_each_other(k, rows):
    X = sparse.csr_array(rows(3000, 200))
    rng = np.random.RandomState(0)
    y, s = rng.standard_normal((3000, k)), rng.uniform(0.5, 2.0, 3000)
    theta = rng.standard_normal(k * 201)
    found = []
    for n_threads in (1, 2, 3):
        objective = LinearObjective(X, y, s, SquaredError(), n_outputs=k, n_threads=n_threads)
        found.append(objective.look(theta))
        for a, b in zip(found[0], found[-1], strict=True):
            assert_array_equal(a, b)
    value, grad, eta = found[0]
    W, b = theta[: 200 * k].reshape(k, 200), theta[200 * k :]
    want = X @ W.T + b
    assert_allclose(eta, want, rtol=1e-9, atol=1e-9)
    assert_allclose(value, 0.5 * (s[:, None] * (want - y) ** 2).sum(), rtol=1e-12)
    u = s[:, None] * (want - y)
    assert_allclose(grad, np.append((X.T @ u).T.ravel(), u.sum(axis=0)), rtol=1e-9, atol=1e-7)


def test_a_model_of_many_rows_sees_a_curvature_that_few_rows_show(make_problem):
    objective, theta, _ = make(make_problem, Huber(1e-6), "regression")
    assert not objective.curvatures(objective.linear(theta)).any()
    h = objective.hessian(objective.linear(theta), objective.active())[0, 0]
    assert np.linalg.eigvalsh(h)[0] > 0


def test_threads_change_no_bit_of_the_parts(rows, target):
    X = rows(60_000, 20)
    y = target(X, "regression")
    found = []
    for n_threads in (1, 2, 5):
        objective = LinearObjective(X, y, np.ones(len(y)), SquaredError(), n_threads=n_threads)
        eta = objective.linear(np.linspace(-1, 1, 21))
        value, u = objective.slopes(eta)
        found.append((eta, value, u, objective.adjoint(u)))
        assert len(objective._prepared()) > 2
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            assert_array_equal(a, b)
