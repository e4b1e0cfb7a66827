"""Rows are learnt from as they come: any storage, precision, container; never copied."""

import tracemalloc

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import Ridge

from skgd import GDClassifier, GDRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
SOLVERS = ["gd", "sgd", "adam"]
FORMATS = "csr csc coo bsr dia dok lil".split()


@pytest.fixture
def X(rows):
    return rows(60, 5)


@pytest.fixture
def y(X, target):
    return target(X, "regression")


def fit(X, y, solver="gd", cls=GDRegressor, **params):
    # A rate that is given: then dense and sparse rows are seen in the same variables.
    params = {"eta0": 0.02, "max_iter": 15, "tol": None, "random_state": 0} | params
    return cls(solver=solver, **params).fit(X, y)


# ---- storage ----


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize(
    "change",
    [
        np.asfortranarray,
        lambda X: np.repeat(X, 2, axis=1)[:, ::2],
        lambda X: X[::-1].copy()[::-1],
        lambda X: X.tolist(),
        lambda X: X.astype(object),
        lambda X: X.astype(X.dtype.newbyteorder(">")),
    ],
    ids=["F-ordered", "strided", "reversed", "list", "object", "big-endian"],
)
def test_dense_rows_in_any_order_give_the_same_bits(X, y, solver, change):
    want, got = fit(X, y, solver), fit(change(X), y, solver)
    assert_array_equal(got.coef_, want.coef_)
    assert_array_equal(got.predict(change(X)), want.predict(X))


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("kind", ["array", "matrix"])
@pytest.mark.parametrize("form", FORMATS)
def test_sparse_rows_in_any_format_give_what_dense_rows_give(X, y, solver, form, kind):
    rows = getattr(sp, f"{form}_{kind}")(X)
    want, got = fit(X, y, solver), fit(rows, y, solver)
    assert_allclose(got.coef_, want.coef_, rtol=1e-9, atol=1e-12)
    assert_allclose(got.intercept_, want.intercept_, rtol=1e-9)
    assert_allclose(got.predict(rows), want.predict(X), rtol=1e-9)
    assert isinstance(got.predict(rows), np.ndarray)


@pytest.mark.parametrize("solver", SOLVERS)
def test_int32_and_int64_indices_give_the_same_bits(X, y, solver):
    narrow, wide = sp.csr_array(X), sp.csr_array(X)
    narrow.indices, narrow.indptr = (a.astype(np.int32) for a in (narrow.indices, narrow.indptr))
    wide.indices, wide.indptr = (a.astype(np.int64) for a in (wide.indices, wide.indptr))
    want, got = fit(narrow, y, solver), fit(wide, y, solver)
    assert wide.indices.dtype == wide.indptr.dtype == np.int64
    assert_array_equal(got.coef_, want.coef_)
    assert_array_equal(got.predict(wide), want.predict(narrow))


@pytest.mark.parametrize("solver", SOLVERS)
def test_indices_out_of_order_twice_or_stored_zeros_change_nothing(X, y, solver):
    rows = sp.coo_array(X)
    order = np.random.RandomState(0).permutation(rows.nnz)
    row, col = (c[order] for c in rows.coords)
    data = rows.data[order]
    # Every entry in two halves, in any order within its row, and zeros besides.
    row = np.concatenate([row, row, np.arange(60)])
    col = np.concatenate([col, col, np.zeros(60, int)])
    data = np.concatenate([data / 2, data / 2, np.zeros(60)])
    order = np.argsort(row, kind="stable")
    indptr = np.searchsorted(row[order], np.arange(61))
    messy = sp.csr_array((data[order], col[order], indptr), shape=X.shape)
    assert not messy.has_canonical_format
    before = messy.indices.copy()
    want, got = fit(X, y, solver), fit(messy, y, solver)
    assert_allclose(got.coef_, want.coef_, rtol=1e-9, atol=1e-12)
    assert_array_equal(messy.indices, before)


@pytest.mark.parametrize("solver", ["auto", "saga"])
def test_entries_behind_the_last_row_belong_to_nobody(solver):
    rng = np.random.default_rng(0)
    X = sp.random(2_000, 4_000, 0.01, "csr", random_state=0)
    y = X @ rng.standard_normal(4_000)
    roomy, more = X.copy(), 3 * X.nnz
    roomy.data = np.append(X.data, np.full(more, 7.0))
    roomy.indices = np.append(X.indices, rng.integers(0, 4_000, more).astype(X.indices.dtype))
    # With an l1 part a working set is a copy of some columns.
    params = {"penalty": "l1", "alpha": 1e-3, "solver": solver, "max_iter": 8, "random_state": 0}
    found, wanted = (GDRegressor(**params).fit(rows, y) for rows in (roomy, X))
    assert_array_equal(found.coef_, wanted.coef_)
    assert len(roomy.data) == 4 * X.nnz  # it is as it was


@pytest.mark.parametrize("solver", ["auto", *SOLVERS])
def test_rows_and_columns_without_entries_are_learnt_from(solver, y):
    X = sp.csr_array((60, 5))
    est = GDRegressor(solver=solver).fit(X, y)
    assert_array_equal(est.coef_, 0)
    assert_allclose(est.intercept_, y.mean(), atol=0.1 * y.std())


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.uint16, bool])
@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
def test_whole_numbers_and_flags_are_learnt_from_as_float64(y, dtype, storage):
    X = np.random.RandomState(0).randint(0, 2, (60, 5))
    want, got = fit(X.astype(float), y), fit(storage(X.astype(dtype)), y)
    assert got.coef_.dtype == np.float64
    assert_allclose(got.coef_, want.coef_, rtol=1e-6)


def test_numbers_beyond_float32_do_not_overflow(y):
    X = np.random.RandomState(0).uniform(0.5, 1, (60, 2)).astype(np.float32) * np.float32(1e-38)
    est = GDRegressor(alpha=0.0).fit(X, y)
    assert np.isfinite(est.predict(X)).all()
    assert np.isfinite(est.coef_).all()


# ---- precision ----


@pytest.mark.parametrize("solver", ["gd", "sgd", "adam"])
@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_precision_of_the_rows_is_that_of_the_coefficients(X, y, solver, storage, dtype):
    est = fit(storage(X.astype(dtype)), y, solver)
    assert est.coef_.dtype == est.intercept_.dtype == dtype
    # The rows are the same numbers in both precisions, and sums are in float64.
    assert_allclose(est.coef_, fit(X, y, solver).coef_, rtol=1e-6)
    classes = fit(storage(X.astype(dtype)), y > 0, solver, GDClassifier)
    assert classes.coef_.dtype == dtype
    assert classes.predict_proba(storage(X.astype(dtype))).shape == (60, 2)


# ---- memory ----


def memmap(array, path, name):
    np.save(path / name, array)
    return np.load(path / name, mmap_mode="r")


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("eta0", ["auto", 0.02])
def test_read_only_maps_of_files_are_learnt_from(X, y, solver, eta0, tmp_path):
    s = np.linspace(1, 2, 60)
    files = [memmap(a, tmp_path, f"{i}.npy") for i, a in enumerate((X, y, s))]
    want = GDRegressor(solver=solver, eta0=eta0, max_iter=5, random_state=0)
    want.fit(X, y, sample_weight=s)
    got = GDRegressor(solver=solver, eta0=eta0, max_iter=5, random_state=0)
    got.fit(files[0], files[1], sample_weight=files[2])
    assert_array_equal(got.coef_, want.coef_)
    assert_array_equal(got.predict(files[0]), want.predict(X))


@pytest.mark.parametrize("solver", SOLVERS)
def test_read_only_maps_of_sparse_parts_are_learnt_from(X, y, solver, tmp_path):
    rows = sp.csr_array(X)
    parts = rows.data, rows.indices, rows.indptr
    parts = [memmap(a, tmp_path, f"{i}.npy") for i, a in enumerate(parts)]
    mapped = sp.csr_array(X.shape)
    mapped.data, mapped.indices, mapped.indptr = parts
    assert_array_equal(fit(mapped, y, solver).coef_, fit(rows, y, solver).coef_)


def test_a_model_from_a_read_only_map_goes_on_learning(X, y, tmp_path):
    import joblib

    est = fit(X, y, "adam")
    joblib.dump(est, tmp_path / "model")
    mapped = joblib.load(tmp_path / "model", mmap_mode="r")
    assert not mapped.coef_.flags.writeable
    assert_array_equal(mapped.partial_fit(X, y).coef_, est.partial_fit(X, y).coef_)
    mapped = joblib.load(tmp_path / "model", mmap_mode="r").set_params(warm_start=True)
    assert np.isfinite(mapped.fit(X, y).coef_).all()


def wide(kind):
    """Rows of 20 MB or more, with what a fit may hold in vectors of n and d."""
    rng = np.random.RandomState(0)
    if kind.startswith("csr"):
        # One entry in each block of 20 columns.
        columns = 20 * np.arange(100) + rng.randint(0, 20, (20_000, 100))
        parts = rng.uniform(size=columns.size), columns.ravel(), np.arange(0, 2_000_001, 100)
        X = sp.csr_matrix(parts, shape=(20_000, 2_000))
        X.indices, X.indptr = (a.astype(kind[4:]) for a in (X.indices, X.indptr))
        size = X.data.nbytes + X.indices.nbytes + X.indptr.nbytes
    else:
        X = rng.standard_normal((20_000, 250)).astype(kind)
        size = X.nbytes
    return X, size, 8 * (20 * X.shape[0] + 24 * X.shape[1])


def parts(X):
    return (X.data, X.indices, X.indptr) if sp.issparse(X) else (X,)


@pytest.mark.parametrize("kind", ["float64", "float32", "csr-int32", "csr-int64"])
def test_fit_takes_less_than_5_percent_of_the_rows(kind):
    X, size, vectors = wide(kind)
    y = np.arange(X.shape[0]) % 2
    before = [part.copy() for part in parts(X)]
    for part in parts(X):
        part.flags.writeable = False
    for method, params in (
        ("fit", {"solver": "gd"}),
        ("fit", {"solver": "gd", "penalty": "l1", "alpha": 0.01}),
        ("fit", {"solver": "agd"}),
        ("fit", {"solver": "lbfgs"}),
        ("fit", {"solver": "sgd"}),
        ("fit", {"solver": "sgd", "eta0": 0.01}),
        ("fit", {"solver": "adam"}),
        ("fit", {"solver": "nesterov", "eta0": 0.01, "batch_size": 512, "average": True}),
        ("partial_fit", {"solver": "auto"}),
    ):
        est = GDClassifier(max_iter=2, **params)
        extra = {} if method == "fit" else {"classes": [0, 1]}
        tracemalloc.start()
        try:
            getattr(est, method)(X, y, **extra)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 0.05 * size + vectors, params
        for now, then in zip(parts(X), before, strict=True):
            assert_array_equal(now, then)


@pytest.mark.parametrize("cls", [GDClassifier, GDRegressor])
@pytest.mark.parametrize("kind", ["float64", "csr-int32"])
def test_a_users_own_loss_and_a_prediction_copy_no_rows_either(cls, kind):
    class Squared:
        def value(self, y, eta):
            return (y - eta) ** 2

        def gradient(self, y, eta):
            return 2 * (eta - y)

    X, size, vectors = wide(kind)
    y = np.arange(X.shape[0]) % 2
    est = cls(loss=Squared(), max_iter=2)
    for call in (lambda: est.fit(X, y), lambda: est.predict(X)):
        tracemalloc.start()
        try:
            call()
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 0.05 * size + vectors


@pytest.mark.parametrize("solver", SOLVERS)
def test_nothing_that_is_given_is_written_to(X, y, solver):
    given = {
        "sample_weight": np.linspace(1, 2, 60),
        "coef_init": np.full(5, 0.1),
        "intercept_init": np.array([0.1]),
    }
    before = [a.copy() for a in (X, y, *given.values())]
    for array in (X, y, *given.values()):
        array.flags.writeable = False
    GDRegressor(solver=solver, max_iter=3).fit(X, y, **given)
    for now, then in zip((X, y, *given.values()), before, strict=True):
        assert_array_equal(now, then)


# ---- frames ----


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame], ids=["pandas", "polars"])
@pytest.mark.parametrize("cls", [GDClassifier, GDRegressor])
def test_frames_bring_their_names(X, y, frame, cls):
    names = [f"column {j}" for j in range(5)]
    table = frame(dict(zip(names, X.T, strict=True)))
    if not hasattr(Ridge().fit(table, y), "feature_names_in_"):
        pytest.skip("this version of scikit-learn reads no names from such a frame")
    labels = y > 0 if cls is GDClassifier else y
    est = cls(max_iter=5).fit(table, labels)
    assert est.feature_names_in_.tolist() == names
    assert_array_equal(est.coef_, cls(max_iter=5).fit(X, labels).coef_)
    assert_array_equal(est.predict(table), est.predict(table))
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        est.predict(X)
    with pytest.raises(ValueError, match="feature names should match"):
        est.predict(frame(dict(zip(reversed(names), X.T, strict=True))))
    with pytest.raises(ValueError, match="feature names should match"):
        est.partial_fit(frame({"other": X[:, 0]}), labels)


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame], ids=["pandas", "polars"])
@pytest.mark.parametrize("early_stopping", [True, False])
def test_frames_may_be_validated_on(X, y, frame, early_stopping):
    table = frame(dict(zip("abcde", X.T, strict=True)))
    options = {"max_iter": 5, "early_stopping": early_stopping}
    est = GDRegressor(**options).fit(table, y, X_val=table, y_val=y)
    assert len(est.history_["validation_score"]) == est.n_iter_


@pytest.mark.filterwarnings("error::UserWarning")
@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame], ids=["pandas", "polars"])
def test_no_warning_about_names_comes_from_within(X, y, frame):
    table = frame(dict(zip("abcde", X.T, strict=True)))
    for cls, target in ((GDRegressor, y), (GDClassifier, y > 0)):
        est = cls(early_stopping=True, max_iter=5).fit(table, target)
        est.predict(table)
        est.score(table, target)


def test_series_are_targets_labels_and_weights(X, y):
    s = np.linspace(1, 2, 60)
    want = GDRegressor(max_iter=5).fit(X, y, sample_weight=s)
    for series in (pd.Series, pl.Series):
        got = GDRegressor(max_iter=5).fit(X, series(y), sample_weight=series(s))
        assert_array_equal(got.coef_, want.coef_)
    words = np.where(y > 0, "warm", "cold")
    for series in (pd.Series, pl.Series, pd.Categorical):
        est = GDClassifier(max_iter=5).fit(X, series(words))
        assert est.classes_.tolist() == ["cold", "warm"]
        assert set(est.predict(X)) <= {"cold", "warm"}


def test_nullable_and_boolean_columns_of_a_frame_are_numbers(y):
    table = pd.DataFrame({"a": pd.array(np.arange(60), "Int64"), "b": np.arange(60) % 2 == 0})
    est = GDRegressor(max_iter=5).fit(table, y)
    want = GDRegressor(max_iter=5).fit(table.to_numpy(float), y)
    assert_allclose(est.coef_, want.coef_, rtol=1e-6)


# ---- the shape of the data ----


@pytest.mark.parametrize("solver", ["auto", *SOLVERS])
@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (2, 1), (3, 50), (200, 1)])
def test_any_shape_of_rows_is_learnt_from(solver, shape):
    rng = np.random.RandomState(0)
    X, y = rng.standard_normal(shape), rng.standard_normal(shape[0])
    est = GDRegressor(solver=solver, max_iter=20).fit(X, y)
    assert est.coef_.shape == (shape[1],)
    assert np.isfinite(est.predict(X)).all()


@pytest.mark.parametrize("solver", ["auto", *SOLVERS])
def test_constant_columns_and_targets_are_learnt_from(X, solver):
    X[:, 2] = 7.0
    est = GDRegressor(solver=solver, max_iter=50).fit(X, np.full(60, 3.0))
    assert_allclose(est.predict(X), 3.0, atol=1e-6)


@pytest.mark.parametrize("solver", SOLVERS)
def test_rows_of_weight_zero_are_no_rows(X, y, solver):
    s = np.ones(60)
    s[40:] = 0.0
    X[40:], y[40:] = 1e150, -1e150
    got = GDRegressor(solver=solver, eta0=0.02, max_iter=15, tol=None, shuffle=False).fit(
        X, y, sample_weight=s
    )
    want = fit(X[:40], y[:40], solver, shuffle=False)
    assert_allclose(got.coef_, want.coef_, rtol=1e-9)
