"""Small calls on sparse rows: their cost follows the entries, and what is late is never missed."""

import threading
import time

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.utils.validation import check_is_fitted

from skgd import GDClassifier, GDRegressor, _kernels
from skgd._short import ON_SIGHT, Short
from skgd.solvers import _hedge, _late, _stochastic
from skgd.solvers._few_rows import Mixture, Singly


def data(n=500, d=400, classes=2, seed=0, density=0.02):
    rng = np.random.default_rng(seed)
    X = sp.random_array((n, d), density=density, format="csr", rng=rng)
    X = sp.csr_array(X.multiply(10.0 ** rng.integers(-1, 2, d)))
    eta = X @ rng.standard_normal((d, classes)) + rng.gumbel(size=(n, classes))
    return X, eta.argmax(axis=1)


def learnt(est, X, y, first=100, size=1, last=None):
    est.partial_fit(X[:first], y[:first], classes=np.unique(y))
    for start in range(first, last or len(y), size):
        est.partial_fit(X[start : start + size], y[start : start + size])
    return est


def eager(monkeypatch):
    monkeypatch.setattr(_stochastic, "LateSingly", Singly)
    monkeypatch.setattr(_hedge, "LateMixture", Mixture)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("alpha", [0.0, 1e-4, 0.3])
@pytest.mark.parametrize("size", [1, 5])
@pytest.mark.parametrize("params", [{}, {"solver": "sgd"}, {"solver": "sgd", "eta0": 0.01}])
def test_late_calls_lead_where_eager_ones_do(monkeypatch, params, size, alpha, classes):
    X, y = data(classes=classes)
    made = {"alpha": alpha, "random_state": 0} | params
    late = learnt(GDClassifier(**made), X, y, size=size)
    assert isinstance(late._state.short.few, (_late.LateSingly, _late.LateMixture))
    eager(monkeypatch)
    want = learnt(GDClassifier(**made), X, y, size=size)
    assert not hasattr(want._state.short.few, "late")
    assert_allclose(late.coef_, want.coef_, rtol=1e-9, atol=1e-12)
    assert_allclose(late.intercept_, want.intercept_, rtol=1e-9)
    assert_allclose(late.loss_curve_, want.loss_curve_, rtol=1e-9)


@pytest.mark.parametrize("params", [{}, {"solver": "sgd"}])
def test_calls_with_many_entries_change_all_columns_in_place(monkeypatch, params):
    X, y = data(d=60, density=0.1)
    sizes = []
    begin = _late._Touching.begin

    def counting(self, rows):
        found = begin(self, rows)
        sizes.append(found.n_features)
        return found

    monkeypatch.setattr(_late._Touching, "begin", counting)
    late = learnt(GDClassifier(random_state=0, **params), X, y, size=3)
    learnt_alone = late.coef_.copy()
    assert sizes.count(60) > 50
    eager(monkeypatch)
    want = learnt(GDClassifier(random_state=0, **params), X, y, size=3)
    assert_allclose(learnt_alone, want.coef_, rtol=1e-9, atol=1e-12)


def test_a_decay_of_all_there_was(monkeypatch):
    X, y = data()
    X = X / 100.0
    params = {"solver": "sgd", "eta0": 0.5, "learning_rate": "constant", "alpha": 2.0}
    found = learnt(GDClassifier(**params, random_state=0), X, y)
    eager(monkeypatch)
    want = learnt(GDClassifier(**params, random_state=0), X, y)
    assert_allclose(found.coef_, want.coef_, rtol=1e-9, atol=1e-12)
    assert (found.coef_ == 0).mean() > 0.5


@pytest.mark.parametrize("params", [{}, {"solver": "sgd"}, {"solver": "adam"}])
@pytest.mark.parametrize("rows", ["dense", "csr"])
def test_attributes_are_made_when_they_are_looked_at(params, rows):
    X, y = data(d=30, density=0.2)
    X = X.toarray() if rows == "dense" else X
    est = learnt(GDClassifier(random_state=0, **params), X, y)
    assert not set(ON_SIGHT) & set(vars(est))
    check_is_fitted(est)
    twin = learnt(GDClassifier(random_state=0, **params), X, y)
    for name in ON_SIGHT:
        assert hasattr(est, name)
        assert name in vars(est)
    assert est.coef_ is est.coef_
    assert_array_equal(est.coef_, twin.coef_)
    assert est.history_["value"][0] == est.loss_curve_[0]
    assert np.isfinite(est.loss_curve_[0])
    with pytest.raises(AttributeError, match="nothing_"):
        est.nothing_
    with pytest.raises(AttributeError, match="coef_"):
        GDClassifier().coef_
    with pytest.raises(AttributeError, match="partial_fit"):
        GDClassifier(solver="gd").partial_fit


def test_one_attribute_that_is_set_unseen_is_kept():
    X, y = data()
    est = learnt(GDClassifier(solver="sgd", random_state=0), X, y, last=400)
    twin = learnt(GDClassifier(solver="sgd", random_state=0), X, y, last=400)
    est.coef_ = np.zeros((1, X.shape[1]))
    assert_array_equal(est.intercept_, twin.intercept_)
    assert not est.coef_.any()
    twin.coef_ = np.zeros_like(twin.coef_)
    for one in (est, twin):
        one.partial_fit(X[400:401], y[400:401])
    assert_array_equal(est.coef_, twin.coef_)
    changed = np.flatnonzero(est.coef_[0])
    assert set(changed) <= set(X[400:401].indices)


@pytest.mark.parametrize("params", [{}, {"solver": "sgd"}])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("classes", [2, 3])
def test_predictions_between_calls_are_those_of_the_coefficients(params, dtype, classes):
    X, y = data(classes=classes)
    X = sp.csr_array(X.astype(dtype))
    est = learnt(GDClassifier(random_state=0, **params), X, y)
    few = X[5:9]
    assert few.nnz < X.shape[1]
    got = est.decision_function(few)
    assert "coef_" not in vars(est)
    want = few @ est.coef_.T + est.intercept_
    rtol = 1e-5 if dtype == np.float32 else 1e-12
    assert_allclose(got, want[:, 0] if classes == 2 else want, rtol=rtol)
    assert_array_equal(est.decision_function(few), got)  # now from coef_
    other = X[5:9].astype(np.float64 if dtype == np.float32 else np.float32)
    assert_allclose(est.decision_function(other), got, rtol=1e-5, atol=1e-6)


def test_regressors_predict_between_calls():
    X, y = data()
    est = GDRegressor(solver="sgd", random_state=0).partial_fit(X[:100], 1.0 * y[:100])
    for k in range(100, 300):
        est.partial_fit(X[k : k + 1], 1.0 * y[k : k + 1])
    got = est.predict(X[5:9])
    assert "coef_" not in vars(est)
    assert got.shape == (4,)
    assert est.coef_.shape == (X.shape[1],)
    assert_allclose(got, X[5:9] @ est.coef_ + est.intercept_, rtol=1e-12)


@pytest.mark.parametrize("params", [{}, {"solver": "sgd"}])
def test_rows_that_are_not_learnt_leave_all_as_it_was(monkeypatch, params):
    X, y = data()
    est = learnt(GDClassifier(random_state=0, **params), X, y)
    twin = learnt(GDClassifier(random_state=0, **params), X, y)
    few = est._state.short.few
    monkeypatch.setattr(type(few), "_mean", lambda self, rows, W, b: np.inf)
    saved, odd = est._state, X[3:4].copy()
    odd.data *= 100.0  # some columns get another scale before that
    assert not saved.short.learn(est, saved, odd, y[3:4])
    assert_allclose(est.coef_, twin.coef_, rtol=1e-12)
    assert_array_equal(est.intercept_, twin.intercept_)
    assert est.t_ == twin.t_


@pytest.mark.parametrize("alpha", [1e-4, 50.0])
def test_the_guard_knows_the_penalty(alpha):
    X, y = data()
    est = GDClassifier(solver="sgd", alpha=alpha, random_state=0)
    learnt(est, X, y, last=300)
    for k in range(300, 500):
        est.partial_fit(X[k : k + 1], y[k : k + 1])
        short = est._state.short
        if short is None:
            continue
        few = short.few
        lost = few.penalty_of(few.model()[0])
        assert 0.5 * alpha * few.late.gram[0, 0] >= lost * (1.0 - 1e-9) - 1e-12
        few.late.settle()
        assert_allclose(0.5 * alpha * few.late.gram[0, 0], lost, rtol=1e-6, atol=1e-12)


def test_column_numbers_of_eight_bytes():
    X, y = data()
    wide = X.copy()
    wide.indices, wide.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    found = [learnt(GDClassifier(random_state=0), one, y).coef_ for one in (X, wide)]
    assert_allclose(*found, rtol=1e-9)


def test_labels_of_any_kind_are_found():
    X, y = data(classes=3)
    want = learnt(GDClassifier(random_state=0), X, y).coef_
    for labels in (np.array(["a", "b", "c"]), np.array([-5, 3, 70]), np.array([0.0, 1.0, 2.0])):
        est = learnt(GDClassifier(random_state=0), X, labels[y])
        assert est._state.short is not None
        assert_array_equal(est.coef_, want)
        with pytest.raises(ValueError, match="not among the classes"):
            est.partial_fit(X[:1], np.array(["z"] if labels.dtype.kind == "U" else [99]))


@pytest.mark.slow
def test_the_cost_of_a_call_does_not_follow_the_columns():
    rng = np.random.default_rng(0)
    took = {}
    for d in (10_000, 1_000_000):
        X = sp.random_array((1500, d), density=50 / d, format="csr", rng=rng)
        y = rng.integers(0, 2, 1500)
        est = GDClassifier(random_state=0).partial_fit(X[:1000], y[:1000], classes=[0, 1])
        rows, each = [X[k : k + 1] for k in range(1000, 1500)], []
        for k, row in enumerate(rows):
            begin = time.perf_counter()
            est.partial_fit(row, y[1000 + k : 1001 + k])
            each.append(time.perf_counter() - begin)
        took[d] = np.median(each)
    assert took[1_000_000] < 5 * took[10_000]


def test_long_calls_go_on_from_late_ones(monkeypatch):
    X, y = data()
    weights = np.ones(1)
    est = learnt(GDClassifier(solver="sgd", eta0=0.01, random_state=0), X, y, last=300)
    est.partial_fit(X[300:301], y[300:301], sample_weight=weights)
    monkeypatch.setattr(Short, "after", classmethod(lambda cls, *args: None))
    want = learnt(GDClassifier(solver="sgd", eta0=0.01, random_state=0), X, y, last=301)
    assert_allclose(est.coef_, want.coef_, rtol=1e-9, atol=1e-12)
    assert est.t_ == want.t_


def progressive(est, X, y, first):
    est.partial_fit(X[:first], y[:first], classes=[0, 1])
    lost = 0.0
    for k in range(first, len(y)):
        eta = est.decision_function(X[k : k + 1])[0]
        lost += np.logaddexp(0.0, -eta if y[k] else eta)
        est.partial_fit(X[k : k + 1], y[k : k + 1])
    return lost / (len(y) - first)


@pytest.mark.parametrize("solver", ["auto", "sgd"])
def test_a_small_first_chunk_foresees_as_well(monkeypatch, solver):
    X, y = data(n=500, d=300, density=0.03, seed=3)
    short = progressive(GDClassifier(solver=solver, random_state=0), X, y, 40)
    monkeypatch.setattr(Short, "after", classmethod(lambda cls, *args: None))
    assert short <= 1.03 * progressive(GDClassifier(solver=solver, random_state=0), X, y, 40)


def test_coefficients_set_by_hand_are_what_predicts():
    X, y = data()
    for name in ("coef_", "intercept_"):
        est = learnt(GDClassifier(random_state=0), X, y)
        setattr(est, name, np.full_like(getattr(est, name), 3.0))
        est.partial_fit(X[:1], y[:1])
        est = learnt(GDClassifier(random_state=0), X, y)
        assert "coef_" not in vars(est)
        setattr(est, name, np.full((1, X.shape[1]) if name == "coef_" else 1, 3.0))
        want = X[:2] @ est.coef_.T + est.intercept_
        assert_allclose(est.decision_function(X[:2]), want[:, 0])


@pytest.mark.parametrize("params", [{}, {"solver": "sgd"}, {"solver": "sgd", "eta0": 0.01}])
@pytest.mark.parametrize("name", ["distinct", "take_columns", "put_columns", "products"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_an_interrupt_leaves_the_model_of_before(monkeypatch, params, name, when):
    if name == "products" and not params:
        pytest.skip("hedge asks for no penalty")
    X, y = data()
    made = [learnt(GDClassifier(random_state=0, alpha=0.01, **params), X, y) for _ in range(2)]
    est, twin = made
    kernel, stopped = getattr(_kernels, name), []

    def stop(*args):
        if stopped:
            return kernel(*args)
        stopped.append(True)
        if when == "after":
            kernel(*args)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(_kernels, name, stop)
        with pytest.raises(KeyboardInterrupt):
            est.partial_fit(X[:1], y[:1])
    assert est.t_ == twin.t_
    for one in made:
        one.partial_fit(X[1:2], y[1:2])
    assert_allclose(est.coef_, twin.coef_, rtol=1e-10)
    assert_allclose(est.intercept_, twin.intercept_, rtol=1e-10)


@pytest.mark.parametrize("params", [{}, {"solver": "sgd"}])
def test_a_look_changes_nothing(params):
    X, y = data()
    est, twin = (learnt(GDClassifier(random_state=0, alpha=0.1, **params), X, y) for _ in range(2))
    for k in range(20):
        assert np.isfinite(est.coef_).all()
        for one in (est, twin):
            one.partial_fit(X[k : k + 1], y[k : k + 1])
    assert_array_equal(est.coef_, twin.coef_)


def test_threads_may_look_at_the_same_time():
    X, y = data(d=4000, density=0.01)
    rows = [X[k : k + 2] for k in range(20)]
    for _ in range(5):
        est, twin = (learnt(GDClassifier(random_state=0), X, y, last=300) for _ in range(2))
        want = [twin.decision_function(row) for row in rows]
        wrong = []

        def look(est=est, twin=twin, want=want, wrong=wrong):
            for row, eta in zip(rows, want, strict=True):
                if not np.allclose(est.decision_function(row), eta):
                    wrong.append(row)
            if not np.allclose(est.coef_, twin.coef_):
                wrong.append("coef_")

        threads = [threading.Thread(target=look) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong


def test_parts_that_are_not_contiguous_are_read():
    X, y = data()
    est = learnt(GDClassifier(random_state=0), X, y)
    row = X[:3].copy()
    want = est.decision_function(row)
    row.indices = np.repeat(row.indices, 2)[::2]
    assert_allclose(est.decision_function(row), want)
