"""Dual coordinate ascent: the kernel is its twin, and the optimum that of other solvers."""

import numpy as np
import pytest
from kernel_cases import EMPTY, SEPARABLE
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.special import logsumexp
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.svm import SVC, SVR

from skgd import GDClassifier, GDRegressor, _kernels
from skgd._kernels import _dual_reference, awake, get_pointwise, sdca_block, sdca_joint_block
from skgd._protocols import Rows
from skgd.solvers import SDCA, Smoothing

LOSSES = [name for name, loss in SEPARABLE.items() if loss.has_dual_step]


def rows(n=120, d=5):
    rng = np.random.RandomState(3)
    X = rng.standard_normal((n, d))
    X[4] = 0.0
    return X, rng


@pytest.mark.parametrize("threshold", [0.0, 0.05])
@pytest.mark.parametrize("storage", ["dense", "csr"])
@pytest.mark.parametrize("name", LOSSES)
def test_the_kernel_is_its_twin(name, storage, threshold):
    X, rng = rows(30)
    loss, n = SEPARABLE[name], len(X)
    y = rng.choice([-1.0, 1.0], n) if loss.kinds == {"classification"} else rng.standard_normal(n)
    s = rng.uniform(0.5, 2.0, n)
    s[7] = 0.0
    shift = X.mean(axis=0) if storage == "dense" else None
    norms = ((X - (0.0 if shift is None else shift)) ** 2).sum(axis=1)
    order = rng.permutation(np.repeat(np.arange(n), 3)).astype(np.intp)
    C = sparse.csr_matrix(X)
    table = (
        Rows(True, X.ravel(), EMPTY, EMPTY, 5, y, False, s)
        if storage == "dense"
        else Rows(False, C.data, C.indices, C.indptr, 5, y, False, s)
    )
    numbers = 0.3, 0.1, threshold
    z, u, still = np.zeros(5), np.zeros(n), np.zeros(n, dtype=np.uint8)
    params = tuple(float(getattr(loss, p)) for p in loss._kernel[1])
    pointwise = get_pointwise(name, params)
    c = sdca_block(table, order, 0, z, 0.2, u, still, norms, *numbers, shift, pointwise)
    z2, u2, still2 = np.zeros(5), np.zeros(n), np.zeros(n, dtype=np.uint8)
    center = np.zeros(5) if shift is None else shift
    c2 = _dual_reference.sdca_block(X, y, s, order, z2, 0.2, u2, still2, *numbers, center, loss)
    assert np.abs(z).max() > 0.01
    assert_allclose(c, c2, rtol=1e-9, atol=1e-9)
    assert_allclose(z, z2, rtol=1e-9, atol=1e-9)
    assert_allclose(u, u2, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("k", [2, 5])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("threshold", [0.0, 0.05])
@pytest.mark.parametrize("storage", ["dense", "csr"])
def test_the_joint_kernel_is_its_twin(storage, threshold, dtype, k):
    X, rng = rows(30)
    X, n = X.astype(dtype), 30
    y = rng.choice(k, n).astype(float)
    s = rng.uniform(0.5, 2.0, n)
    s[7] = 0.0
    shift = X.mean(axis=0, dtype=float) if storage == "dense" else None
    norms = ((X - (0.0 if shift is None else shift)).astype(float) ** 2).sum(axis=1)
    order = rng.permutation(np.repeat(np.arange(n), 3)).astype(np.intp)
    C = sparse.csr_matrix(X)
    table = (
        Rows(True, X.ravel(), EMPTY, EMPTY, 5, y, False, s)
        if storage == "dense"
        else Rows(False, C.data, C.indices, C.indptr, 5, y, False, s)
    )
    numbers = 0.3, 0.1, threshold
    found = []
    for center in (shift, np.zeros(5) if shift is None else shift):
        z, c, u = np.zeros((5, k)), np.linspace(-1.0, 1.0, k), np.zeros((n, k))
        still = np.zeros(n, dtype=np.uint8)
        if not found:
            softmax = get_pointwise("softmax", ())
            sdca_joint_block(table, order, z, c, u, still, norms, *numbers, center, softmax)
        else:
            _dual_reference.sdca_joint_block(X, y, s, order, z, c, u, still, *numbers, center)
        found.append((z, c, u))
    assert np.abs(found[0][0]).max() > 0.01
    for one, other in zip(*found, strict=True):
        assert_allclose(one, other, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("q", [1e-150, 1e-9, 1e-3, 1.0, 50.0, 1e6])
@pytest.mark.parametrize("a", [[0.0, 0.0, 0.0], [40.0, -3.0, 1.0], [-900.0, 900.0, 0.0]])
def test_a_joint_step_is_the_slope_at_where_it_leads(a, q):
    # One row of one column, whose squared norm is q: after the step, eta = a - q (u - 0).
    z, c, u = np.zeros((1, 3)), np.array(a), np.zeros((1, 3))
    x = np.sqrt([q])
    table = Rows(True, x, EMPTY, EMPTY, 1, np.ones(1), False, np.ones(1))
    state = np.zeros(1, dtype=np.uint8), np.array([q]), 1.0, 0.0, 0.0, None
    softmax = get_pointwise("softmax", ())
    sdca_joint_block(table, np.zeros(1, dtype=np.intp), z, c, u, *state, softmax)
    eta = c + x[0] * z[0]
    p = np.exp(eta - logsumexp(eta))
    assert_allclose(u[0], p - [0, 1, 0], atol=1e-9 * max(1.0, q))
    assert abs(u.sum()) < 1e-12


def test_class_numbers_are_checked_by_the_joint_kernel():
    z, c, u, still = np.zeros((1, 2)), np.zeros(2), np.zeros((1, 2)), np.zeros(1, dtype=np.uint8)
    table = Rows(True, np.ones(1), EMPTY, EMPTY, 1, np.full(1, 2.0), False, np.ones(1))
    rest = np.ones(1), 1.0, 0.0, 0.0, None, get_pointwise("softmax", ())
    with pytest.raises(ValueError, match="class numbers"):
        sdca_joint_block(table, np.zeros(1, dtype=np.intp), z, c, u, still, *rest)


@pytest.mark.parametrize("some", [True, False])
def test_rows_that_rest_are_left_out_as_by_the_twin(some):
    rng = np.random.RandomState(0)
    still = rng.choice([0, 1, 3, 5, 9, 255], 300).astype(np.uint8)
    rests = np.minimum(np.arange(256) // 4 * 4, 15).astype(np.uint8)
    rows = np.flatnonzero(rng.uniform(size=300) < 0.6) if some else None
    for turn in (0, 3, 254, 1000):
        found = awake(still, rests, turn, rows)
        assert_array_equal(found, _dual_reference.awake(still, rests, turn, rows))
        assert 0 < len(found) < 300
    with pytest.raises(ValueError, match="row 300"):
        awake(still, rests, 0, np.array([1, 300]))
    with pytest.raises(ValueError, match="256"):
        awake(still, rests[:9], 0, None)


def fitted(cls, loss, X, y, **params):
    return cls(
        loss, solver=SDCA(), tol=1e-9, max_iter=2000, random_state=0, **{"alpha": 0.01, **params}
    ).fit(X, y)


@pytest.mark.parametrize("storage", [np.asarray, sparse.csr_matrix])
def test_reaches_the_optimum_of_others(storage):
    X, rng = rows()
    y = X @ rng.standard_normal(5) + rng.standard_normal(len(X))
    labels, C = (y > 0.3).astype(int), 1 / (0.01 * len(X))
    A = storage(X)
    ridge = Ridge(0.01 * len(X)).fit(X, y)
    assert_allclose(fitted(GDRegressor, "squared_error", A, y).coef_, ridge.coef_, atol=2e-4)
    tube = SVR(kernel="linear", C=C, epsilon=0.1, tol=1e-8).fit(X, y)
    est = fitted(GDRegressor, "epsilon_insensitive", A, y)
    assert_allclose(est.coef_, tube.coef_[0], atol=2e-4)
    log = LogisticRegression(C=C, tol=1e-10).fit(X, labels)
    assert_allclose(fitted(GDClassifier, "log_loss", A, labels).coef_, log.coef_, atol=2e-4)
    three = np.digitize(y, [-0.5, 0.5])
    softmax = LogisticRegression(C=C, tol=1e-10).fit(X, three)
    assert_allclose(fitted(GDClassifier, "log_loss", A, three).coef_, softmax.coef_, atol=2e-4)
    svm = SVC(kernel="linear", C=C, tol=1e-8).fit(X, labels)
    assert_allclose(fitted(GDClassifier, "hinge", A, labels).coef_, svm.coef_, atol=2e-4)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("penalty", ["l2", "elasticnet"])
@pytest.mark.parametrize("loss", ["hinge", "squared_hinge", "log_loss"])
def test_the_gap_is_never_below_the_truth(loss, penalty, fit_intercept):
    X, rng = rows()
    y = X @ rng.standard_normal(5) + rng.standard_normal(len(X)) > 0.3
    params = {"penalty": penalty, "alpha": 0.01, "fit_intercept": fit_intercept}
    best = GDClassifier(loss, tol=1e-9, max_iter=500, **params).fit(X, y).loss_curve_[-1]
    null = GDClassifier(loss, tol=1e-12, fit_intercept=fit_intercept).fit(0.0 * X, y)
    worst = null.loss_curve_[-1]
    for k in (1, 2, 5):
        with pytest.warns(UserWarning, match="max_iter"):
            est = GDClassifier(
                loss, solver=SDCA(), tol=1e-14, max_iter=k, random_state=0, **params
            ).fit(X, y)
        assert est.optimality_ >= (est.loss_curve_[-1] - best) / (worst - best) * (1 - 1e-6) - 1e-9


def test_one_seed_is_one_result_whatever_the_threads():
    X, rng = rows()
    y = rng.choice(3, len(X))
    one, two = (fitted(GDClassifier, "hinge", X, y, n_jobs=n) for n in (1, 2))
    assert_array_equal(one.coef_, two.coef_)


def test_auto_takes_it_for_a_kink_on_many_columns_with_an_l2_part():
    X = sparse.random_array((60, 2000), density=0.02, format="csr", random_state=0)
    y = np.arange(60) % 2
    params = {"loss": "hinge", "alpha": 1e-3, "random_state": 0}
    solvers = {
        penalty: type(GDClassifier(penalty=penalty, **params).fit(X, y).solver_)
        for penalty in ("l2", "elasticnet", "l1")
    }
    assert solvers == {"l2": SDCA, "elasticnet": SDCA, "l1": Smoothing}
    est = GDClassifier(**params).fit(X, y)
    assert est.converged_
    assert est.optimality_kind_ == "gap"


@pytest.mark.parametrize(
    "params, message",
    [
        ({"penalty": "l1"}, "SDCA needs a penalty with an l2 part"),
        ({"penalty": None}, "SDCA needs a penalty with an l2 part"),
        ({"loss": "modified_huber"}, "SDCA has no step for"),
        ({"eta0": 0.1}, "solver='sdca' .*eta0=0.1"),
        ({"batch_size": 4}, "solver='sdca' .*batch_size=4"),
        ({"average": True}, "solver='sdca' .*average="),
        ({"clip_norm": 1.0}, "solver='sdca' .*clip_norm=1.0"),
    ],
)
def test_what_it_cannot_do_is_named(params, message):
    X = rows()[0]
    with pytest.raises(ValueError, match=message):
        GDClassifier(**{"loss": "hinge", "solver": SDCA(), **params}).fit(X, X[:, 0] > 0)


def test_every_row_that_rests_has_its_turn(monkeypatch):
    X, rng = rows(203)
    y = np.where(X[:, 0] + 0.3 * rng.standard_normal(203) > 0, 1, 0)
    visited = []

    def resting(still, rests, turn, rows):
        visited.append(awake(np.full_like(still, 255), rests, turn, rows))
        return np.arange(len(still))

    monkeypatch.setattr(_kernels, "awake", resting)
    est = GDClassifier("hinge", solver="sdca", max_iter=11, tol=0.0, random_state=0)
    with pytest.warns(Warning, match="max_iter"):
        est.fit(X, y)
    assert_array_equal(np.sort(np.concatenate(visited[:16])), np.arange(203))


def test_text_with_few_rows_at_the_kink_is_solved():
    # Rows that rest for good would leave F where it is, and the bound of it too.
    rng = np.random.RandomState(0)
    n, d = 3000, 4000
    X = sparse.random(n, d, density=0.005, random_state=rng, format="csr")
    y = np.where(X @ rng.standard_normal(d) + 0.05 * rng.standard_normal(n) > 0, 1, 0)
    est = GDClassifier("hinge", solver="sdca", alpha=1e-5, tol=1e-6, random_state=0).fit(X, y)
    assert est.converged_
    assert est.optimality_ <= 1e-6


@pytest.mark.parametrize("alpha", [1e-4, 1e-2])
def test_light_rows_do_not_wait_for_an_intercept_that_follows_heavy_ones(alpha):
    rng = np.random.default_rng(0)
    X = sparse.random_array((600, 3000), density=0.01, rng=rng, data_sampler=rng.standard_normal)
    X = sparse.csr_array(sparse.diags_array(10 ** rng.uniform(-1.5, 1.5, 600)) @ X)
    y = (rng.random(600) < 0.3).astype(int)
    est = GDClassifier("hinge", solver="sdca", alpha=alpha, random_state=0).fit(X, y)
    assert est.converged_
    # With a share of what the mean row does to itself it took hundreds of passes or thousands.
    assert est.t_ < 80 * 600
    K = (X @ X.T).toarray() / (alpha * 600)
    oracle = SVC(kernel="precomputed", C=1.0, tol=1e-8).fit(K, y)
    eta = oracle.decision_function(K)
    a = np.zeros(600)
    a[oracle.support_] = oracle.dual_coef_[0]
    F = np.maximum(0, 1 - (2 * y - 1) * eta).mean() + a @ K @ a / (2 * 600)
    assert F * (1 - 1e-7) <= est.loss_curve_[-1] <= F + 1e-4


@pytest.mark.parametrize("alpha", [1.0, 1e-2])
@pytest.mark.parametrize("loss", ["hinge", "squared_hinge", "log_loss"])
def test_rows_that_hardly_change_themselves_do_not_leave_the_intercept_behind(loss, alpha):
    # A share of what a row does to itself is next to nothing then, and has to grow.
    X, rng = rows(2000)
    y = (X[:, 0] + rng.logistic(size=2000) > 1.5).astype(int)
    est = GDClassifier(loss, solver="sdca", alpha=alpha, random_state=0).fit(X, y)
    assert est.converged_
    assert est.n_iter_ <= 60


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
def test_a_bound_that_meets_F_where_zeros_are_best_is_asked_for(loss):
    # F has nothing to fall by, and rounding must not be compared with that.
    X, rng = rows(400, 30)
    y = (rng.random(400) < 0.4).astype(int)
    est = GDClassifier(loss, solver="sdca", penalty="elasticnet", l1_ratio=0.5, alpha=10.0)
    est.set_params(random_state=0).fit(X, y)
    assert not est.coef_.any()
    assert est.converged_
    assert est.n_iter_ < 20
