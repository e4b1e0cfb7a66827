"""Dual ascent on parts of the rows side by side: the same optimum, and a dual that never falls."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

from skgd import GDClassifier, GDRegressor, load_checkpoint
from skgd.callbacks import Checkpoint
from skgd.solvers import SDCA, _sdca
from skgd.solvers._replicas import dealt, side_by_side


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(_sdca, "_PART_ROWS", 8)
    monkeypatch.setattr(_sdca, "_MOSTLY", 0.0)


def problem(n=400, d=6):
    rng = np.random.RandomState(1)
    X = rng.standard_normal((n, d)) + 0.5
    y = X @ rng.standard_normal(d) + rng.standard_normal(n)
    return X, y


def fitted(cls, loss, X, y, replicas, **params):
    more = {"alpha": 0.01, "tol": 1e-9, "max_iter": 3000, "random_state": 0, **params}
    return cls(loss, solver=SDCA(replicas=replicas), **more).fit(X, y)


@pytest.mark.parametrize("storage", [np.asarray, sparse.csr_matrix])
def test_the_optimum_is_that_of_others(storage):
    X, y = problem()
    labels, C = (y > 0.3).astype(int), 1 / (0.01 * len(X))
    svm = SVC(kernel="linear", C=C, tol=1e-8).fit(X, labels)
    assert_allclose(
        fitted(GDClassifier, "hinge", storage(X), labels, 3).coef_, svm.coef_, atol=2e-4
    )
    three = np.digitize(y, [-0.5, 0.5])
    softmax = LogisticRegression(C=C, tol=1e-10).fit(X, three)
    est = fitted(GDClassifier, "log_loss", storage(X), three, 3)
    assert_allclose(est.coef_, softmax.coef_, atol=2e-4)


@pytest.mark.parametrize("penalty", ["l2", "elasticnet"])
@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "epsilon_insensitive"])
def test_regressions_end_where_one_replica_does(loss, penalty):
    X, y = problem()
    one, many = (
        fitted(GDRegressor, loss, X, y, k, penalty=penalty, l1_ratio=0.3, tol=1e-8) for k in (1, 4)
    )
    assert one.converged_
    assert many.converged_
    assert_allclose(one.coef_, many.coef_, atol=3e-4)
    assert not np.array_equal(one.coef_, many.coef_)


def test_one_seed_is_one_result_whatever_the_threads():
    X, y = problem()
    for labels in (y > 0, np.digitize(y, [-0.5, 0.5])):
        for loss in ("hinge", "log_loss"):
            one, two = (
                fitted(GDClassifier, loss, X, labels, 3, n_jobs=n, tol=1e-5) for n in (1, 2)
            )
            assert_array_equal(one.coef_, two.coef_)
            assert one.t_ == two.t_


def dual(X, y, u, z, alpha):
    # Of the hinge: slopes -y a with a in [0, 1], whose conjugate is -a.
    assert ((-y * u >= 0) & (-y * u <= 1)).all()
    assert_allclose(z, -(u @ X) / (len(y) * alpha), rtol=1e-9, atol=1e-12)
    return float(np.mean(-y * u)) - 0.5 * alpha * float(z @ z)


@pytest.mark.parametrize("alike", [True, False])
def test_the_dual_never_falls(alike, monkeypatch):
    # Copies of a row in every part: what each of them does, all others do too.
    X, y = problem(300, 4)
    if alike:
        X[:] = X[0] + 1e-3 * X
    y = np.where(y > np.median(y), 1.0, -1.0)
    alpha, seen, shares = 1e-4, [], []

    def watched(take, parts, rngs, start, slopes, damping, units, n_threads):
        before = dual(X, y, slopes, start[0], alpha)
        # As if changes had nothing to do with each other, which is the boldest there is.
        ratio = side_by_side(take, parts, rngs, start, slopes, 1.0, units, n_threads)
        after = dual(X, y, slopes, start[0], alpha)
        seen.append(after - before)
        shares.append(ratio)
        return ratio

    monkeypatch.setattr(_sdca, "side_by_side", watched)
    with pytest.warns(Warning, match="max_iter"):
        GDClassifier(
            "hinge", solver=SDCA(replicas=4), alpha=alpha, fit_intercept=False, tol=1e-12,
            max_iter=30, random_state=0,
        ).fit(X, y)  # fmt: skip
    assert len(seen) > 20
    assert min(seen) > -1e-13
    assert max(shares) > 1.5
    assert max(seen) > 1e-3


def test_buckets_of_neighbours_stay_together():
    order = np.flatnonzero(np.random.RandomState(0).uniform(size=5000) < 0.7)[100:]
    parts = dealt(order, 3, np.random.default_rng(0))
    assert_array_equal(np.sort(np.concatenate(parts)), order)
    owners = [np.unique(part // 64) for part in parts]
    assert_array_equal(np.sort(np.concatenate(owners)), np.unique(order // 64))
    sizes = [len(part) for part in parts]
    assert max(sizes) < 1.2 * min(sizes)
    again = dealt(order, 3, np.random.default_rng(1))
    assert any(len(a) != len(b) or (a != b).any() for a, b in zip(parts, again, strict=True))


def test_two_where_steps_are_dear_and_rows_many_and_light(monkeypatch):
    monkeypatch.setattr(_sdca, "_ROWS", 300)
    begun = []
    monkeypatch.setattr(
        _sdca, "side_by_side", lambda take, parts, *rest: begun.append(len(parts)) or 1.0
    )
    X, y = problem()

    def used(labels, loss="log_loss", alpha=0.1):
        begun.clear()
        settings = {"max_iter": 2, "tol": None, "alpha": alpha, "random_state": 0}
        GDClassifier(loss, solver="sdca", **settings).fit(X, labels)
        return set(begun)

    assert used(y > 0) == used(np.digitize(y, [-1.0, 1.0])) == {2}
    assert used(y > 0, "hinge") == set()
    assert used(y > 0, alpha=1e-4) == set()  # |x|^2 / (n alpha) is 190
    monkeypatch.setattr(_sdca, "_ROWS", 500)
    assert used(y > 0) == set()


def test_parts_and_passes_are_large_enough(monkeypatch):
    monkeypatch.setattr(_sdca, "_PART_ROWS", 100)
    monkeypatch.setattr(_sdca, "_MOSTLY", 0.5)
    sizes = []

    def watched(take, parts, *rest):
        sizes.append([len(part) for part in parts])
        return side_by_side(take, parts, *rest)

    monkeypatch.setattr(_sdca, "side_by_side", watched)
    X, y = problem()
    est = fitted(GDClassifier, "hinge", X, y > 0, 30, tol=1e-6)
    assert {len(each) for each in sizes} == {4}  # of 400 rows
    assert min(map(sum, sizes)) >= 400  # four parts of 100
    assert est.t_ > 400 * len(sizes) + 400  # and passes over fewer rows besides
    sizes.clear()
    fitted(GDClassifier, "hinge", X, y > 0, 2, tol=1e-6)
    assert {len(each) for each in sizes} == {2}
    assert 200 <= min(map(sum, sizes)) < 400


def test_outputs_on_threads_have_one_each():
    X, y = problem()
    labels = np.digitize(y, [-0.5, 0.5])
    one, many = (fitted(GDClassifier, "hinge", X, labels, k, tol=1e-4) for k in (1, 4))
    assert_array_equal(one.coef_, many.coef_)


def test_a_run_goes_on_bit_for_bit(tmp_path):
    X, y = problem()
    path = tmp_path / "run.skgd"
    params = {"solver": SDCA(replicas=3), "alpha": 1e-3, "tol": 1e-8, "random_state": 0}
    whole = GDClassifier("hinge", **params).fit(X, y > 0)
    assert whole.n_iter_ > 8
    half = GDClassifier("hinge", **params).set_callbacks(
        Checkpoint(path, every=5), lambda event: event.iteration == 5
    )
    half.fit(X, y > 0)
    rest = load_checkpoint(path).set_callbacks().fit(X, y > 0)
    assert_array_equal(rest.coef_, whole.coef_)
    assert rest.t_ == whole.t_
    assert pickle.loads(pickle.dumps(whole)).solver_.replicas == 3


@pytest.mark.parametrize("replicas", [0, -1, 1.5, "many", None, True])
def test_replicas_are_checked(replicas):
    X, y = problem()
    with pytest.raises((ValueError, TypeError), match="replicas must be"):
        fitted(GDClassifier, "hinge", X, y > 0, replicas)
