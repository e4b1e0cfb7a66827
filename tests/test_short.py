"""Small calls of partial_fit: what they leave is what long ones would, and nothing slips by."""

import copy
import gc
import pickle
import weakref

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal

from skgd import GDClassifier, GDRegressor
from skgd._short import Short

SOLVERS = ["auto", "sgd", "momentum", "nesterov", "adagrad", "adadelta", "rmsprop", "adam", "adamw"]
SOLVERS += ["amsgrad", "nadam", "ftrl"]


def data(n=400, d=6, kind="binary", seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d)) * np.logspace(-1, 1, d) + np.arange(d)
    eta = (X - np.arange(d)) @ (rng.standard_normal(d) / np.logspace(-1, 1, d))
    noisy = eta + rng.logistic(size=n)
    if kind == "regression":
        return X, noisy
    if kind == "binary":
        return X, (noisy > 0).astype(int)
    return X, np.digitize(noisy, [-1.0, 1.0])


def wide(n=400, d=300, seed=0):
    rng = np.random.default_rng(seed)
    X = sp.random_array((n, d), density=0.02, format="csr", rng=rng)
    units = 10.0 ** rng.integers(-2, 3, d)
    eta = X @ rng.standard_normal(d)
    return sp.csr_array(X.multiply(units)), (eta + 0.1 * rng.logistic(size=n) > 0).astype(int)


def stream(est, X, y, first=100, size=1, last=None):
    est.partial_fit(X[:first], y[:first], **classes(est, y))
    for start in range(first, last or len(y), size):
        est.partial_fit(X[start : start + size], y[start : start + size])
    return est


def classes(est, y):
    return {"classes": np.unique(y)} if isinstance(est, GDClassifier) else {}


def make(kind, **params):
    return (GDRegressor if kind == "regression" else GDClassifier)(random_state=0, **params)


def without_short_calls(monkeypatch):
    monkeypatch.setattr(Short, "after", classmethod(lambda cls, *args: None))


@pytest.fixture
def counted(monkeypatch):
    """Counts the calls that were short."""
    seen, learn = [], Short.learn

    def counting(self, *args):
        seen.append(learn(self, *args))
        return seen[-1]

    monkeypatch.setattr(Short, "learn", counting)
    return seen


@pytest.mark.parametrize("kind", ["binary", "classes", "regression"])
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("size", [1, 7])
def test_given_rates_lead_where_long_calls_do(monkeypatch, counted, solver, kind, size):
    if solver in ("auto", "ftrl"):
        pytest.skip("works in variables of its own whatever the rate")
    X, y = data(kind=kind)
    params = {"eta0": 1e-3, "solver": solver, "shuffle": False}
    short = stream(make(kind, **params), X, y, size=size)
    assert sum(counted) > len(y) // size // 2
    without_short_calls(monkeypatch)
    long = stream(make(kind, **params), X, y, size=size)
    assert_allclose(short.coef_, long.coef_, rtol=1e-9, atol=1e-12)
    assert_allclose(short.intercept_, long.intercept_, rtol=1e-9, atol=1e-12)
    assert short.t_ == long.t_
    assert_allclose(short.loss_curve_, long.loss_curve_, rtol=1e-9)
    assert set(short.history_) == set(long.history_)
    assert_allclose(short.history_["rate"], long.history_["rate"])


@pytest.mark.parametrize("rows", ["dense", "csr"])
@pytest.mark.parametrize("penalty", ["l2", "l1", "elasticnet", None])
def test_penalties_count_as_in_long_calls(monkeypatch, counted, rows, penalty):
    X, y = wide() if rows == "csr" else data()
    params = {"solver": "sgd", "eta0": 1e-3, "penalty": penalty, "alpha": 0.02}
    short = stream(make("binary", **params), X, y)
    assert sum(counted) > 200
    without_short_calls(monkeypatch)
    long = stream(make("binary", **params), X, y)
    assert_allclose(short.coef_, long.coef_, rtol=1e-9, atol=1e-12)
    assert_array_equal(short.coef_ == 0, long.coef_ == 0)


@pytest.mark.parametrize("kind", ["binary", "classes", "regression"])
@pytest.mark.parametrize("solver", SOLVERS)
def test_rates_from_the_data_foresee_as_well(monkeypatch, solver, kind):
    X, y = data(600, kind=kind)

    def progressive():
        est, lost = stream(make(kind, solver=solver), X[:200], y[:200]), 0.0
        for k in range(200, len(y)):
            here = est.predict(X[k : k + 1])[0]
            lost += (here - y[k]) ** 2 if kind == "regression" else here != y[k]
            est.partial_fit(X[k : k + 1], y[k : k + 1])
        return lost

    short = progressive()
    without_short_calls(monkeypatch)
    assert short <= 1.05 * progressive() + 3


@pytest.mark.parametrize("solver", ["sgd", "auto"])
@pytest.mark.parametrize("penalty", ["l2", None])
def test_columns_that_come_late_get_scales(monkeypatch, counted, solver, penalty):
    X, y = wide(600)
    est = stream(make("binary", solver=solver, penalty=penalty), X, y)
    assert sum(counted) > 300
    est._state.settle()
    scaled = abs(X.multiply(est._state.inv_scale)).max()
    assert scaled <= 10.0
    saved = est._state
    assert_allclose(saved.moments.mass, 600)
    assert_allclose(saved.moments.mean, X.mean(axis=0), atol=1e-12)
    dense = X.toarray()
    assert_allclose(saved.moments.var, dense.var(axis=0), rtol=1e-9, atol=1e-12)
    assert_array_equal(saved.moments.high, dense.max(axis=0))
    without_short_calls(monkeypatch)
    long = stream(make("binary", solver=solver, penalty=penalty), X, y)
    lost = [
        np.logaddexp(0, np.where(y, -1, 1) * one.decision_function(X)).mean() for one in (est, long)
    ]
    assert lost[0] <= 1.2 * lost[1]


@pytest.mark.parametrize("rows", ["dense", "csr"])
@pytest.mark.parametrize("solver", ["auto", "sgd", "adam", "ftrl"])
def test_a_pickle_goes_on_as_the_original_does(rows, solver):
    if rows == "csr" and solver in ("adam", "ftrl"):
        pytest.skip("short on dense rows")
    X, y = wide() if rows == "csr" else data()
    est = stream(make("binary", solver=solver), X[:300], y[:300])
    assert est._state.short is not None
    twin = pickle.loads(pickle.dumps(est))
    assert twin._state.short is None
    for one in (est, twin):
        for k in range(300, 400):
            one.partial_fit(X[k : k + 1], y[k : k + 1])
    assert_array_equal(est.coef_, twin.coef_)
    assert_array_equal(est.intercept_, twin.intercept_)


def test_what_was_shown_before_stays():
    X, y = data()
    est = stream(make("binary", solver="sgd"), X[:200], y[:200])
    coef, intercept = est.coef_, est.intercept_
    before = coef.copy(), intercept.copy()
    est.partial_fit(X[200:201], y[200:201])
    assert_array_equal(coef, before[0])
    assert_array_equal(intercept, before[1])
    assert not np.array_equal(est.coef_, coef)


@pytest.mark.parametrize("solver", ["auto", "sgd", "adam", "ftrl"])
def test_coefficients_that_the_user_changes_are_gone_on_from(solver):
    X, y = data()
    est = stream(make("binary", solver=solver), X[:200], y[:200])
    plain = pickle.loads(pickle.dumps(est))  # has no short calls
    est = stream(make("binary", solver=solver), X[:200], y[:200])
    for one in (est, plain):
        one.coef_[:] = 0.1
        one.partial_fit(X[200:201], y[200:201])
    assert_array_equal(est.coef_, plain.coef_)
    assert not np.array_equal(est.coef_, np.full_like(est.coef_, 0.1))
    for one in (est, plain):
        one.intercept_ = one.intercept_ + 1.0
        one.partial_fit(X[201:202], y[201:202])
    assert_allclose(est.intercept_, plain.intercept_, rtol=1e-9)


def test_parameters_that_change_are_followed(counted):
    X, y = data()
    est = stream(make("binary", solver="sgd", eta0=1e-3), X[:200], y[:200])
    n, before = len(counted), est.coef_
    est.set_params(eta0=1e-9).partial_fit(X[200:201], y[200:201])
    assert len(counted) == n
    assert_allclose(est.coef_, before, rtol=1e-5)


@pytest.mark.parametrize("rows", ["dense", "csr"])
def test_bad_rows_change_nothing(rows):
    X, y = wide() if rows == "csr" else data()
    est = stream(make("binary", solver="sgd"), X[:300], y[:300])
    assert est._state.short is not None
    before = est.coef_.copy(), est.intercept_.copy(), est.t_
    row, label = X[300:301], y[300:301]
    bad = row.copy()
    (bad.data if rows == "csr" else bad)[:] = np.nan
    outside = row.copy()
    cases = [(bad, label, "NaN"), (row, np.array([9]), "not among the classes")]
    cases += [(row, y[:2], "inconsistent numbers")]
    cases += [(X[300:301, :-1], label, "features")]
    if rows == "csr":
        outside.indices = outside.indices.copy()
        outside.indices[0] = 10**6
        cases.append((outside, label, "out of range"))
    for x, target, message in cases:
        with pytest.raises(ValueError, match=message):
            est.partial_fit(x, target)
        assert_array_equal(est.coef_, before[0])
        assert_array_equal(est.intercept_, before[1])
        assert est.t_ == before[2]
    with pytest.raises(ValueError, match="classes"):
        est.partial_fit(row, label, classes=[0, 1, 2])
    est.partial_fit(row, label, classes=[0, 1])
    assert est.t_ == before[2] + 1


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("kind", ["binary", "regression"])
def test_rows_far_out_do_no_harm(solver, kind):
    X, y = data(kind=kind)
    est = stream(make(kind, solver=solver), X[:300], y[:300])
    for size in (1e3, 1e6, 1e9):
        est.partial_fit(size * X[300:301], y[300:301])
        assert np.isfinite(est.coef_).all()
    for k in range(301, 400):
        est.partial_fit(X[k : k + 1], y[k : k + 1])
    assert np.isfinite(est.predict(X)).all()
    if kind == "binary":
        assert est.score(X, y) > 0.5


def test_a_column_that_grows_renews_the_variables_seldom(counted):
    rng = np.random.default_rng(0)
    X = np.column_stack([np.arange(2000.0), rng.standard_normal(2000)])
    y = (X[:, 1] + rng.logistic(size=2000) > 0).astype(int)
    stream(make("binary"), X, y)
    assert counted.count(True) > 1800


def test_float32_rows_stay_float32(counted):
    X, y = data()
    est = stream(make("binary", solver="adam"), X.astype(np.float32), y)
    assert sum(counted) > 200
    assert est.coef_.dtype == np.float32


def test_the_memory_of_waiting_rows_is_bounded():
    X, y = data(200, d=3)
    est = stream(make("binary"), X, y)
    most = 0
    for _ in range(30):
        for k in range(200):
            est.partial_fit(X[k : k + 1], y[k : k + 1])
            most = max(most, 0 if est._state.short is None else est._state.short.pending.n_rows)
    assert 0 < most <= 257
    est._state.settle()
    assert_allclose(est._state.moments.mass, 31 * 200)
    assert_allclose(est._state.moments.mean, X.mean(axis=0), rtol=1e-9)
    assert_allclose(est._state.moments.var, X.var(axis=0), rtol=1e-9)


@pytest.mark.parametrize("solver", ["sgd", "auto"])
@pytest.mark.parametrize("size", [1e-310, 1e-200, 1e156, 1e160])
def test_a_first_entry_of_any_size_is_taken_or_refused_at_once(solver, size):
    X, y = wide(d=50)
    X = sp.lil_array(X)
    X[:, 7] = 0
    X = sp.csr_array(X)
    est = stream(make("binary", solver=solver), X[:200], y[:200])
    odd = sp.csr_array(([size], ([0], [7])), shape=(1, 50))
    if size > 1e150:
        with pytest.raises(ValueError, match="Column 7"):
            est.partial_fit(odd, y[:1])
    else:
        est.partial_fit(odd, y[:1])
    for k in range(200, 400):
        est.partial_fit(X[k : k + 1], y[k : k + 1])
    assert np.isfinite(est.coef_).all()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_rate_that_is_too_large_is_lowered_as_in_long_calls(monkeypatch):
    rng = np.random.default_rng(1)
    X = np.exp(2 * rng.standard_normal((600, 5)))
    y = np.log(X) @ np.arange(5) / 3 + rng.standard_normal(600)
    short = stream(make("regression", solver="momentum", eta0=0.02), X, y, first=40)
    without_short_calls(monkeypatch)
    long = stream(make("regression", solver="momentum", eta0=0.02), X, y, first=40)
    assert_allclose(short.coef_, long.coef_, rtol=1e-9)
    assert short._state.state.rate_scale == long._state.state.rate_scale


@pytest.mark.parametrize("eta0", ["auto", 0.01])
@pytest.mark.parametrize("solver", ["auto", "sgd", "adam", "ftrl"])
def test_a_shallow_copy_goes_on_by_itself(solver, eta0):
    if solver == "auto":
        eta0 = "auto"
    X, y = data()
    est = stream(make("binary", solver=solver, eta0=eta0), X[:200], y[:200])
    twin = copy.copy(est)
    for one in (est, twin):
        for k in range(200, 210):
            one.partial_fit(X[k : k + 1], y[k : k + 1])
    assert_array_equal(est.coef_, twin.coef_)
    assert est.t_ == twin.t_


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_rows_that_the_guard_hands_on_keep_their_order():
    X, y = data(kind="regression")
    found = []
    for again in (False, True):
        est = stream(make("regression", solver="sgd", eta0=0.01), X[:200], y[:200], size=10)
        if again:
            est = pickle.loads(pickle.dumps(est))
        far = X[200:210].copy()
        far[3] *= 1e3
        est.partial_fit(far, y[200:210])
        found.append(est.partial_fit(X[210:220], y[210:220]).coef_)
    assert_array_equal(*found)


def test_batches_have_the_size_that_suits_the_call(monkeypatch):
    rng = np.random.default_rng(0)
    X = sp.random_array((6000, 20_000), density=1.5e-4, format="csr", rng=rng)
    y = rng.integers(0, 2, 6000)
    params = {"solver": "rmsprop", "eta0": 0.01, "shuffle": False}

    def learnt():
        est = make("binary", **params).partial_fit(X[:40], y[:40], classes=[0, 1])
        for k in range(40, 6000, 1500):
            est.partial_fit(X[k : k + 1500], y[k : k + 1500])
        return est

    short = learnt()
    without_short_calls(monkeypatch)
    assert short.t_ == learnt().t_


def test_rows_of_a_long_call_are_let_go():
    X, y = data(kind="regression")
    est = make("regression", solver="sgd", eta0=0.01)
    chunk = X.copy()
    alive = weakref.ref(chunk)
    est.partial_fit(chunk[:50], y[:50])
    del chunk
    est.partial_fit(X[50:51], y[50:51])
    gc.collect()
    assert alive() is None


def test_room_behind_the_last_row_belongs_to_none():
    X, y = wide()
    est, plain = (stream(make("binary", solver="sgd"), X[:200], y[:200]) for _ in range(2))
    for k in range(200, 300):
        row = X[k : k + 1]
        plain.partial_fit(row, y[k : k + 1])
        row = row.copy()
        row.data = np.append(row.data, 1e9)
        row.indices = np.append(row.indices, row.indices[:1])
        est.partial_fit(row, y[k : k + 1])
    for one in (est, plain):
        one._state.settle()
    assert_array_equal(est.coef_, plain.coef_)
    assert_array_equal(est._state.moments.var, plain._state.moments.var)


@pytest.mark.parametrize(
    "given, error",
    [
        ({"X": np.array(1.0)}, "2D array"),
        ({"classes": [[0], [1]]}, None),
        ({"classes": np.array([0, 2])}, "not the same"),
    ],
)
def test_odd_calls_get_the_errors_of_long_ones(given, error):
    X, y = data()
    est = stream(make("binary", solver="sgd"), X[:200], y[:200])
    with pytest.raises((ValueError, TypeError), match=error):
        est.partial_fit(**({"X": X[200:201], "y": y[200:201]} | given))
    del est.coef_
    with pytest.raises(ValueError, match="classes"):
        est.partial_fit(X[200:201], y[200:201])


def test_rows_without_entries_do_not_wait_for_ever():
    X, y = wide(d=50)
    est = stream(make("binary", solver="sgd"), X[:200], y[:200])
    empty = sp.csr_array((1, 50))
    most = 0
    for _ in range(9000):
        est.partial_fit(empty, y[:1])
        most = max(most, 0 if est._state.short is None else est._state.short.pending.n_rows)
    assert most <= 8193


@pytest.mark.parametrize("rows", ["dense", "csr"])
@pytest.mark.parametrize("kind", ["binary", "classes", "regression"])
@pytest.mark.parametrize("solver", ["auto", "sgd", "adam", "ftrl"])
def test_one_column(solver, kind, rows):
    X, y = data(400, d=1, kind=kind)
    X = sp.csr_array(X) if rows == "csr" else X
    est = stream(make(kind, solver=solver), X, y)
    assert np.isfinite(est.coef_).all()
    assert np.isfinite(est.predict(X)).all()


def test_a_parameter_that_a_subclass_makes_a_property():
    class Doubled(GDClassifier):
        alpha = property(
            lambda self: self._alpha, lambda self, value: setattr(self, "_alpha", value)
        )

    X, y = data()
    est = stream(Doubled(random_state=0), X, y, last=150)
    assert_allclose(est.coef_, stream(make("binary"), X, y, last=150).coef_, rtol=0.2, atol=0.05)


@pytest.mark.parametrize("rows", ["dense", "csr"])
def test_what_is_not_yet_made_can_be_taken_away(rows):
    X, y = wide() if rows == "csr" else data()
    est = stream(make("binary"), X, y)
    del est.coef_
    assert not hasattr(est, "coef_")
    est = stream(make("binary"), X, y)
    del est._state
    assert est.predict(X).shape == y.shape
