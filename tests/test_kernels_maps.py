"""A full pass in its parts, and coordinate descent on a quadratic, equal their NumPy twins."""

import numpy as np
import pytest
from kernel_cases import DTYPES, LAYOUTS, SEPARABLE, draw, make_rows, model, weights
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from skgd import _kernels, losses
from skgd._kernels import _reference
from skgd._protocols import Rows

N = 83  # no multiple of any block
OF_CLASSES = {"softmax": losses.Softmax(), "one_vs_rest": losses.SquaredHinge().multiclass()}


def case(layout, dtype, k, d=7, loss=None):
    """Return rows, the same as a float64 array, a model, and the generator."""
    rng = np.random.RandomState(0)
    s = weights(N, rng)
    loss = losses.SquaredError() if loss is None else loss
    rows, X = make_rows(layout, dtype, draw(loss, N, k, rng), s, rng, d, codes=loss.codes)
    X = np.asarray(X.toarray() if hasattr(X, "toarray") else X, dtype=float)
    return rows, X, *model(k, d, rng), rng


@pytest.mark.parametrize("start, stop", [(0, N), (5, 5), (5, 6), (17, 80)])
@pytest.mark.parametrize("k", [1, 2, 5])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_predictors_are_those_of_numpy(layout, dtype, k, start, stop):
    rows, X, W, b, _ = case(layout, dtype, k)
    eta = np.full((stop - start, k), np.nan)
    _kernels.linear_map(rows, start, stop, W, b, eta)
    assert_allclose(eta, X[start:stop] @ W.T + b, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("start, stop", [(0, N), (5, 5), (5, 6), (17, 80)])
@pytest.mark.parametrize("k", [1, 2, 5])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_way_back_is_the_transpose(layout, dtype, k, start, stop):
    rows, X, W, _, rng = case(layout, dtype, k)
    u = rng.standard_normal((stop - start, k))
    grad = np.full(W.size + k, np.nan)
    _kernels.adjoint_map(rows, start, stop, u, grad)
    want = np.append((u.T @ X[start:stop]).ravel(), u.sum(axis=0))
    assert_allclose(grad, want, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_wide_rows_are_mapped_in_tiles(layout):
    rows, X, W, b, rng = case(layout, np.float64, 2, d=9001)
    eta, grad = np.empty((N, 2)), np.empty(W.size + 2)
    _kernels.linear_map(rows, 0, N, W, b, eta)
    assert_allclose(eta, X @ W.T + b, rtol=1e-11, atol=1e-11)
    u = rng.standard_normal((N, 2))
    _kernels.adjoint_map(rows, 0, N, u, grad)
    assert_allclose(grad[:-2].reshape(2, -1), u.T @ X, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("k", [2, 3, 5, 6, 11])
@pytest.mark.parametrize("dtype", DTYPES)
def test_tiles_of_outputs_have_edges_anywhere(dtype, k):
    for d in range(1, 71):
        rows, X, W, b, rng = case("dense", dtype, k, d)
        stop = 10 + d % 9  # rows that are no multiple of four
        eta, grad = np.full((stop - 10, k), np.nan), np.full(W.size + k, np.nan)
        _kernels.linear_map(rows, 10, stop, W, b, eta)
        assert_allclose(eta, X[10:stop] @ W.T + b, rtol=1e-12, atol=1e-13)
        u = rng.standard_normal(eta.shape)
        _kernels.adjoint_map(rows, 10, stop, u, grad)
        want = np.append((u.T @ X[10:stop]).ravel(), u.sum(axis=0))
        assert_allclose(grad, want, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("share", [0.05, 0.6])
@pytest.mark.parametrize("d", [0, 1, 7, 8, 40, 129])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_second_moments_are_those_of_numpy(layout, dtype, d, share):
    rng = np.random.RandomState(0)
    rows, X = make_rows(layout, dtype, np.zeros(N), np.ones(N), rng, d)
    if layout != "dense":
        # Few entries are multiplied with each other; many are written out with the zeros.
        X = sparse.random(N, d, share, "csr", dtype, rng)
        ends = X.indptr.astype(rows.indptr.dtype)
        rows = rows._replace(data=X.data, indices=X.indices.astype(ends.dtype), indptr=ends)
    order = rng.permutation(N)[:70]
    h = rng.standard_normal((70, 3))
    shift, inv_scale = rng.standard_normal(d), rng.uniform(0.5, 2.0, d)
    for by in [(None, None), (shift, None), (None, inv_scale), (shift, inv_scale)]:
        out = np.full((3, d + 1, d + 1), 0.5)
        _kernels.gram_block(rows, order, h, *by, out)
        m, inv = (one if a is None else a for a, one in zip(by, (0.0, 1.0), strict=True))
        want = 0.5 + np.triu(_reference.gram(X, order, h, m, inv))
        assert_allclose(out, want, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("d, k", [(0, 1), (5, 1), (7, 2), (8, 1), (14, 3), (40, 9)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_second_moments_of_columns_beside_the_rows(dtype, d, k):
    rng = np.random.RandomState(0)
    rows, X = make_rows("dense", dtype, np.zeros(N), np.ones(N), rng, d)
    order, more = rng.permutation(N)[:70], rng.standard_normal((N, k))
    shift, inv_scale = rng.standard_normal(d + k), rng.uniform(0.5, 2.0, d + k)
    mixed = np.ones((70, 1))
    mixed[66] = 0.5  # the blocks before have nothing but ones
    for h in (np.ones((70, 1)), mixed, rng.standard_normal((70, 2))):
        for by in [(None, None), (shift, None), (None, inv_scale), (shift, inv_scale)]:
            out = np.full((h.shape[1], d + k + 1, d + k + 1), 0.5)
            _kernels.gram_block(rows, order, h, *by, out, more)
            m, inv = (one if a is None else a for a, one in zip(by, (0.0, 1.0), strict=True))
            want = 0.5 + np.triu(_reference.gram(X, order, h, m, inv, more))
            assert_allclose(out, want, rtol=1e-11, atol=1e-11)


def test_second_moments_refuse_columns_that_do_not_fit():
    rng = np.random.RandomState(0)
    rows, _ = make_rows("dense", np.float64, np.zeros(N), np.ones(N), rng, 3)
    order, h, out = np.arange(N), np.ones((N, 1)), np.zeros((1, 5, 5))
    with pytest.raises(ValueError, match="more must have"):
        _kernels.gram_block(rows, order, h, None, None, out, np.zeros((N - 1, 1)))
    with pytest.raises(ValueError, match="a block of out must have 6 entries; got 5"):
        _kernels.gram_block(rows, order, h, None, None, out, np.zeros((N, 2)))
    with pytest.raises(ValueError, match="shift must have 4 entries; got 3"):
        _kernels.gram_block(rows, order, h, np.zeros(3), None, out, np.zeros((N, 1)))
    rows, _ = make_rows("csr32", np.float64, np.zeros(N), np.ones(N), rng, 3)
    with pytest.raises(ValueError, match="Only dense rows"):
        _kernels.gram_block(rows, order, h, None, None, out, np.zeros((N, 1)))


def test_second_moments_of_a_row_that_stores_a_column_twice_and_out_of_order():
    X = sparse.csr_matrix((np.array([2.0, 3.0, 5.0, 7.0]), [4, 1, 4, 0], [0, 3, 4]), (2, 40))
    rows = Rows(False, X.data, X.indices, X.indptr, 40, np.zeros(2), False, np.ones(2))
    out = np.zeros((1, 41, 41))
    _kernels.gram_block(rows, np.arange(2), np.ones((2, 1)), None, None, out)
    assert_array_equal(out[0], np.triu(_reference.gram(X, np.arange(2), np.ones((2, 1)))[0]))


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("name", [*SEPARABLE, *OF_CLASSES])
def test_losses_and_slopes_at_predictors_are_those_of_the_classes(name, k):
    loss = {**SEPARABLE, **OF_CLASSES}[name]
    k = 3 if name in OF_CLASSES else k
    rows, _, _, _, rng = case("dense", np.float64, k, loss=loss)
    eta = rng.uniform(-3, 3, (N, k))
    eta[0] = 1e308  # of weight zero: adds exactly nothing, whatever its loss
    for part in (slice(0, N), slice(10, 43)):
        q, s, y = eta[part], rows.s[part], rows.y[part]
        u, shift = np.full(q.shape, np.nan), rng.uniform(-1, 1, k)
        pointwise = loss.pointwise()
        begin = q - shift
        q = begin + shift
        total, *sums = _kernels.losses_at(rows, part.start, part.stop, begin, shift, pointwise, u)
        flat = q[:, 0] if k == 1 else q
        with np.errstate(over="ignore", invalid="ignore"):
            value = _reference.weigh(s, loss.value(y, flat, np)).sum()
            slope = _reference.weigh(s, loss.gradient(y, flat, np)).reshape(q.shape)
        assert_allclose(total, value, rtol=1e-11)
        assert_allclose(u, slope, rtol=1e-11, atol=1e-13)
        assert_array_equal(u[s == 0], 0.0)
        assert_allclose(sums, (u.sum(axis=0), np.abs(u).sum(axis=0)), rtol=1e-11, atol=1e-12)
        # Without predictors the shift is all there is, and slopes need not be kept.
        ends = rows, part.start, part.stop
        alone = _kernels.losses_at(*ends, None, shift, pointwise, None)
        zeros = _kernels.losses_at(*ends, np.zeros_like(q), shift, pointwise, u)
        for one, other in zip(alone, zeros, strict=True):
            assert_array_equal(one, other)


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("name", [*SEPARABLE, *OF_CLASSES])
def test_losses_along_a_line_are_those_at_its_points(name, k):
    loss = {**SEPARABLE, **OF_CLASSES}[name]
    k = 3 if name in OF_CLASSES else k
    rows, _, _, _, rng = case("dense", np.float64, k, loss=loss)
    begin, moved = rng.uniform(-2, 2, (2, N, k))
    pointwise = loss.pointwise()
    for part, t in ((slice(0, N), 0.7), (slice(10, 43), -0.3), (slice(4, 4), 1.0)):
        given = begin[part], moved[part]
        eta, u = np.full((2, *given[0].shape), np.nan)
        found = _kernels.losses_along(rows, part.start, part.stop, *given, t, pointwise, eta, u)
        there, slopes = given[0] + t * given[1], np.empty_like(u)
        zero = np.zeros(k)
        value, *_ = _kernels.losses_at(rows, part.start, part.stop, there, zero, pointwise, slopes)
        assert_allclose(eta, there, rtol=1e-15, atol=1e-15)
        assert_allclose(u, slopes, rtol=1e-12, atol=1e-14)
        assert_allclose(found, (value, np.vdot(slopes, given[1])), rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("wrong", ["begin", "moved", "eta", "u"])
def test_arrays_of_a_line_must_fit(wrong):
    rows, *_ = case("dense", np.float64, 1, loss=SEPARABLE["log_loss"])
    arrays = {name: np.zeros((N, 1)) for name in ("begin", "moved", "eta", "u")}
    arrays[wrong] = np.zeros((N - 1, 1))
    begin, moved, eta, u = arrays.values()
    pointwise = SEPARABLE["log_loss"].pointwise()
    with pytest.raises(ValueError, match=f"{wrong} must have {N} entries"):
        _kernels.losses_along(rows, 0, N, begin, moved, 1.0, pointwise, eta, u)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("k", [1, 3])
def test_a_full_pass_leaves_the_predictors_where_they_are_wanted(layout, k):
    loss = SEPARABLE["squared_error"]
    rows, X, W, b, _ = case(layout, np.float64, k, loss=loss)
    pointwise, part = loss.pointwise(), slice(5, 40)
    grad, eta = np.empty(W.size + k), np.full((35, k), np.nan)
    value = _kernels.full_pass(rows, part.start, part.stop, W, b, pointwise, grad, eta)
    other = np.empty_like(grad)
    assert value == _kernels.full_pass(rows, part.start, part.stop, W, b, pointwise, other)
    assert_array_equal(grad, other)
    assert_allclose(eta, (X @ W.T + b)[part], rtol=1e-12, atol=1e-13)
    with pytest.raises(ValueError, match="eta must have 35 entries"):
        _kernels.full_pass(rows, part.start, part.stop, W, b, pointwise, grad, eta[:-1])


@pytest.mark.parametrize(
    "change, message",
    [
        ({"stop": N + 1}, f"rows 0:{N + 1} are not within 0:{N}"),
        ({"start": -1}, "rows -1:"),
        ({"coef": np.zeros((2, 6))}, "coef"),
        ({"intercept": np.zeros(3)}, "intercept"),
        ({"eta": np.zeros((N - 1, 2))}, "eta"),
        ({"eta": np.zeros((N, 1))}, "eta"),
    ],
)
def test_shapes_that_disagree_are_told(change, message):
    rows, _, W, b, _ = case("csr32", np.float64, 2)
    given = {"start": 0, "stop": N, "coef": W, "intercept": b, "eta": np.zeros((N, 2)), **change}
    with pytest.raises(ValueError, match=message):
        _kernels.linear_map(rows, *given.values())


def quadratic(n, seed):
    rng = np.random.RandomState(seed)
    A, c = rng.standard_normal((2 * n, n)), rng.standard_normal(n)
    weight = np.full(n, 0.3)
    weight[:: max(2, n // 2)] = 0.0  # an intercept pays nothing
    return A.T @ A / (2 * n), c, weight


@pytest.mark.parametrize("sweeps", [1, 2, 5, 300])
@pytest.mark.parametrize("n", [1, 2, 7, 20])
def test_coordinate_descent_takes_the_steps_of_its_twin(n, sweeps):
    H, c, l1 = quadratic(n, n)
    x = np.random.RandomState(1).standard_normal(n) * (np.arange(n) % 3 > 0)
    slope = H @ x - c
    twin_x, twin_slope = x.copy(), slope.copy()
    done = _kernels.descend_quadratic(H, x, slope, l1, sweeps, 1e-9)
    assert done == _reference.descend_quadratic(H, twin_x, twin_slope, l1, sweeps, 1e-9)
    assert_allclose(x, twin_x, rtol=1e-9, atol=1e-12)
    assert_allclose(slope, twin_slope, rtol=1e-9, atol=1e-12)
    assert_allclose(slope, H @ x - c, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("n", [2, 7, 20])
def test_coordinate_descent_ends_where_no_coordinate_can_gain(n):
    H, c, l1 = quadratic(n, n)
    x, slope = np.zeros(n), -c
    assert _kernels.descend_quadratic(H, x, slope, l1, 10_000, 1e-12) < 10_000
    at_zero = np.maximum(np.abs(slope) - l1, 0.0)
    assert np.abs(np.where(x == 0, at_zero, slope + l1 * np.sign(x))).max() < 1e-11


def test_coordinate_descent_refuses_arrays_that_do_not_fit():
    H, c, l1 = quadratic(4, 0)
    with pytest.raises(ValueError, match="must fit x, which has 4 entries"):
        _kernels.descend_quadratic(H, np.zeros(4), -c, l1[:3], 5, 1e-9)


@pytest.mark.parametrize("stored", [0, 1, 5, 7, 8, 19])
def test_the_type_of_indices_changes_no_bit(stored):
    rng = np.random.default_rng(stored)
    n, d = 300, 50
    columns = np.sort([rng.choice(d, stored, replace=False) for _ in range(n)], axis=1)
    entries, w, u = rng.standard_normal(n * stored), rng.standard_normal(d), np.ones((n, 1))
    found = []
    for kind in (np.int32, np.int64):
        starts = np.arange(n + 1, dtype=kind) * kind(stored)
        table = Rows(
            False, entries, columns.ravel().astype(kind), starts, d, np.ones(n), False, np.ones(n)
        )
        eta, sums = np.empty((n, 1)), np.zeros(d + 1)
        _kernels.linear_map(table, 0, n, w[None], np.zeros(1), eta)
        _kernels.adjoint_map(table, 0, n, u, sums)
        found.append((eta, sums))
    assert_array_equal(found[0][0], found[1][0])
    assert_array_equal(found[0][1], found[1][1])
