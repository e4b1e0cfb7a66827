"""Coefficients that decay late, checks of rows, and steps of several models, beside NumPy."""

import numpy as np
import pytest
from kernel_cases import DTYPES, LAYOUTS, draw, make_rows
from numpy.testing import assert_allclose, assert_array_equal

from skgd import _kernels, losses
from skgd._protocols import State
from skgd.solvers import Hedge

INDICES = [np.int32, np.int64]


def late(m=3, k=2, d=9, seed=0):
    """Models in rows of one array, with intercepts behind them, as solvers keep them."""
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((m, k * d + k))
    clock = rng.uniform(1.0, 2.0, m)
    seen = clock[:, None] * rng.uniform(size=(m, d))
    return vectors[:, :-k].reshape(m, k, d), rng.uniform(0.0, 3.0, d), seen, clock


def left(coef, decay, seen, clock):
    time = clock[:, None] - seen
    return coef * np.exp(-time if decay is None else -decay * time)[:, None]


@pytest.mark.parametrize("decays", [True, False])
@pytest.mark.parametrize("m, k, d", [(1, 1, 1), (4, 1, 33), (3, 2, 9), (2, 3, 0)])
def test_what_is_late_is_what_numpy_says(decays, m, k, d):
    coef, decay, seen, clock = late(m, k, d)
    decay = decay if decays else None
    want = left(coef, decay, seen, clock)
    if d:
        columns = np.array([d - 1, 0, d // 2])
        out = np.empty((m, k, 3))
        _kernels.take_columns(coef, decay, seen, clock, columns, out)
        assert_allclose(out, want[:, :, columns], rtol=1e-14)
    _kernels.decay_all(coef, decay, seen, clock)
    assert_allclose(coef, want, rtol=1e-14)
    if d:
        assert not seen.any()
        assert not clock.any()


@pytest.mark.parametrize("index", INDICES)
def test_columns_that_are_put_are_as_of_now(index):
    coef, _, seen, clock = late()
    want, when = coef.copy(), seen.copy()
    columns = np.array([7, 2], dtype=index)
    values = np.random.default_rng(1).standard_normal((3, 2, 2))
    _kernels.put_columns(coef, seen, clock, columns, values)
    want[:, :, columns], when[:, columns] = values, clock[:, None]
    assert_array_equal(coef, want)
    assert_array_equal(seen, when)


@pytest.mark.parametrize("m, k, d", [(1, 1, 1), (4, 2, 100), (2, 1, 0)])
def test_products_of_models(m, k, d):
    coef = late(m, k, d)[0]
    assert_allclose(_kernels.products(coef), np.einsum("mkc,nkc->mn", coef, coef), rtol=1e-13)


@pytest.mark.parametrize("index", INDICES)
def test_entries_are_numbered_by_their_columns(index):
    rng = np.random.default_rng(0)
    indices, table = rng.integers(0, 20, 50).astype(index), np.full(20, -1, dtype=np.int32)
    columns, place = np.empty_like(indices), np.empty_like(indices)
    count = _kernels.distinct(indices, table, columns, place)
    assert_array_equal(np.sort(columns[:count]), np.unique(indices))
    assert_array_equal(columns[place], indices)
    assert (table == -1).all()


@pytest.mark.parametrize("index", INDICES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_columns_that_outgrow_their_scales(index, dtype):
    rng = np.random.default_rng(0)
    indices = rng.integers(0, 12, 60).astype(index)
    data = (rng.standard_normal(60) * 3).astype(dtype)
    data[indices == 5] = 0.0
    scale = rng.uniform(0.1, 1.0, 12)
    unseen = np.zeros(12, dtype=np.uint8)
    unseen[[5, 7]] = 1
    table = np.full(12, -1, dtype=np.int32)
    columns, sizes = np.empty_like(indices), np.empty(60)
    before = unseen.copy()
    count = _kernels.outgrown(data, indices, scale, unseen, 4.0, table, columns, sizes)
    want = {}
    for c in range(12):
        size = np.abs(data[indices == c].astype(float))
        large = size[(size > 0) & (bool(before[c]) | (size > 4.0 * scale[c]))]
        if len(large):
            want[c] = large.max()
    assert dict(zip(columns[:count].tolist(), sizes[:count].tolist(), strict=True)) == want
    assert 5 not in want
    assert 7 in want
    assert 2 < len(want) < 12
    assert (table == -1).all()
    assert unseen.tolist() == [c == 5 for c in range(12)]


@pytest.mark.parametrize("index", INDICES)
@pytest.mark.parametrize("most", [0.5, np.inf])
def test_columns_get_other_scales_and_all_that_follows(index, most):
    rng = np.random.default_rng(0)
    arrays = rng.uniform(1.0, 2.0, (5, 9))
    columns, scales = np.array([7, 2], dtype=index), np.array([0.25, 3.0])
    want = arrays.copy()
    strong = 0.1 / scales**2
    mild = np.minimum(strong, most)
    want[:, columns] = scales, 1 / scales, 1 / scales**2, mild, strong
    assert _kernels.set_scales(columns, scales, 0.1, most, *arrays) == mild.max()
    assert_allclose(arrays, want, rtol=1e-15)
    assert _kernels.set_scales(columns[:0], scales[:0], 0.1, most, *arrays) == 0.0


@pytest.mark.parametrize("dtype", DTYPES)
def test_numbers_that_are_not_finite_are_seen(dtype):
    data = np.ones(7, dtype=dtype)
    assert _kernels.is_finite(data)
    assert _kernels.is_finite(data[:0])
    for bad in (np.nan, np.inf, -np.inf):
        data[3] = bad
        assert not _kernels.is_finite(data)
    data[2] = np.inf
    assert not _kernels.is_finite(data)


@pytest.mark.parametrize("index", INDICES)
@pytest.mark.parametrize(
    "indptr, indices, n_stored, sound",
    [
        ([0, 2, 3], [0, 4, 1], 3, True),
        ([0, 2, 2], [0, 4, 1], 3, True),
        ([0], [], 0, True),
        ([0, 2, 3], [0, 5, 1], 3, False),
        ([0, 2, 3], [0, -1, 1], 3, False),
        ([1, 2, 3], [0, 4, 1], 3, False),
        ([0, 3, 2], [0, 4, 1], 3, False),
        ([0, 2, 4], [0, 4, 1], 4, False),
        ([0, 2, 3], [0, 4, 1], 2, False),
        ([], [], 0, False),
    ],
)
def test_rows_that_a_kernel_may_trust(index, indptr, indices, n_stored, sound):
    arrays = np.array(indptr, dtype=index), np.array(indices, dtype=index)
    assert _kernels.is_csr(*arrays, n_stored, 5) is sound


def test_arrays_that_do_not_fit_are_refused():
    coef, decay, seen, clock = late()
    columns = np.array([1, 2])
    out = np.empty((3, 2, 2))
    calls = [
        lambda: _kernels.decay_all(coef, decay[:-1], seen, clock),
        lambda: _kernels.decay_all(coef, decay, seen[:, :-1].copy(), clock),
        lambda: _kernels.decay_all(coef, decay, seen, clock[:-1]),
        lambda: _kernels.decay_all(np.moveaxis(coef, 1, 2), None, np.zeros((3, 2)), clock),
        lambda: _kernels.take_columns(coef, decay, seen, clock, np.array([1, 9]), out),
        lambda: _kernels.take_columns(coef, decay, seen, clock, np.array([1, -1]), out),
        lambda: _kernels.take_columns(coef, decay, seen, clock, columns, out[:, :1].copy()),
        lambda: _kernels.put_columns(coef, seen, clock, columns, out[:, :, :1].copy()),
        lambda: _kernels.put_columns(coef, seen, clock, np.array([9, 0]), out),
        lambda: _kernels.products(np.moveaxis(coef, 1, 2)),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=r"must|range|length|expected|entries"):
            call()


CASES = [
    (losses.LogLoss(), 1),
    (losses.SquaredError(), 2),
    (losses.Softmax(), 3),
    (losses.OneVsRest(losses.Hinge()), 3),
]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("loss, k", CASES)
@pytest.mark.parametrize("form", ["textbook", "metric", "centred"])
def test_a_block_of_hedge_is_its_parts_one_by_one(layout, loss, k, form):
    if form == "centred" and layout != "dense":
        pytest.skip("sparse rows are not centred")
    rng, n, d, m = np.random.RandomState(0), 12, 7, 4
    y, s = draw(loss, n, k, rng), np.ones(n)
    rows, _ = make_rows(layout, np.float64, y, s, rng, d, codes=loss.codes)
    order, pointwise = rng.permutation(n), loss.pointwise()
    vectors = 0.1 * rng.standard_normal((m, k * d + k))
    coef, intercept = vectors[:, :-k].reshape(m, k, d), vectors[:, -k:]
    weights = rng.dirichlet(np.ones(m))
    want = [(W.copy(), b.copy()) for W, b in zip(coef, intercept, strict=True)]
    shift = rng.standard_normal(d) if form == "centred" else None
    inv = rng.uniform(0.5, 2.0, d) if form != "textbook" else None
    metric = None if inv is None else (inv * inv, shift, np.full(d, 0.1), None)
    state = State(np.zeros(k * d + k))
    state.memory.update(bend=0.7, null=1.3)
    state.rate_scale = 0.5

    values = [_kernels.full_pass(rows, 0, n, W, b, pointwise) / 1.3 for W, b in want]
    p = Hedge.weighed(values, weights)
    norms = _kernels.row_norms(rows, shift, inv)[order] + 1.0
    paces = Hedge.rates_of(state, norms) * 3.0
    for (W, b), rates in zip(want, paces, strict=True):
        _kernels.sgd_block(rows, order, rates, W, b, 0.02, 0.0, 1.0, True, pointwise, metric=metric)

    got, terms = np.empty((m, n)), Hedge.block_terms(state, 3.0)
    args = terms, (shift, inv), metric, 0.02, True, pointwise
    _kernels.hedge_block(rows, order, coef, intercept, weights, got, *args)
    assert_allclose(weights, p, rtol=1e-14)
    assert_allclose(got, paces, rtol=1e-14)
    for W, b, (V, c) in zip(coef, intercept, want, strict=True):
        assert_allclose(W, V, rtol=1e-12, atol=1e-14)
        assert_allclose(b, c, rtol=1e-12, atol=1e-14)


def test_weights_stay_where_no_loss_is_finite():
    rng = np.random.RandomState(0)
    y = draw(losses.LogLoss(), 3, 1, rng)
    rows, _ = make_rows("dense", np.float64, y, np.ones(3), rng)
    state = State(np.zeros(8))
    state.memory.update(bend=1.0, null=1.0)
    for broken, want in (([0, 1, 2, 3], [0.25] * 4), ([1], [0.3333, 0.0025, 0.3333, 0.3333])):
        vectors, weights = np.zeros((4, 8)), np.full(4, 0.25)
        vectors[broken] = np.nan
        arrays = vectors[:, :-1].reshape(4, 1, 7), vectors[:, -1:], weights, np.empty((4, 3))
        terms = Hedge.block_terms(state, 1.0)
        args = terms, (None, None), None, 0.0, True, losses.LogLoss().pointwise()
        _kernels.hedge_block(rows, np.arange(3), *arrays, *args)
        assert_allclose(weights, want, atol=1e-3)
        lost = [np.nan if i in broken else 3 * np.log(2) for i in range(4)]
        assert_allclose(weights, Hedge.weighed(lost, np.full(4, 0.25)))
