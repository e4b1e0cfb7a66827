"""One-row steps of the kernels equal their twin, and what they do late equals doing it at once."""

import numpy as np
import pytest
import scipy.sparse as sp
from kernel_cases import (
    DTYPES,
    EMPTY,
    LAYOUTS,
    SEPARABLE,
    draw,
    make_rows,
    model,
    point_slope,
    point_value,
    weights,
)
from numpy.testing import assert_allclose, assert_array_equal

from skgd import _kernels, losses
from skgd._kernels import _reference, get_pointwise
from skgd._protocols import Rows


def check_sgd(
    loss,
    layout,
    dtype=np.float64,
    k=1,
    l2=0.0,
    l1=0.0,
    metric=None,
    fit_intercept=True,
    average_from=None,
    big_rates=False,
    mean_atol=1e-12,
    with_still=False,
    d=7,
):
    rng, n = np.random.RandomState(2), 150
    y, s = draw(loss, n, k, rng), weights(n, rng)
    rows, X = make_rows(layout, dtype, y, s, rng, d, codes=loss.codes)
    order = rng.permutation(n)
    rates = rng.uniform(0.001, 0.1, size=n)
    if big_rates:
        rates[[20, 60, 61]] = 1.0 / l2  # shrinks everything to zero
    else:
        rates[50:100] = 0.01  # the flow of a dense step is kept while the rate is
    got, want = ([*model(k, d, np.random.RandomState(3))] for _ in range(2))
    means = ([None, None], [None, None])
    if average_from is not None:
        means = tuple([np.ones((k, d)), np.ones(k)] for _ in range(2))
    has_l1 = l1 > 0 if metric is None else metric[3].any()
    received = [np.zeros(k * d + 1) if has_l1 else None for _ in range(2)]
    still = model(k, d, np.random.RandomState(5)) if with_still else None
    options = (6, average_from or 1, 2, metric)
    counted, value = _kernels.sgd_block(
        rows,
        order,
        rates,
        *got,
        l2,
        l1,
        0.9,
        fit_intercept,
        loss.pointwise(),
        *means[0],
        *options,
        received[0],
        still,
    )
    counted2, value2 = _reference.sgd_block(
        X,
        y,
        s,
        order,
        rates,
        *want,
        l2,
        l1,
        0.9,
        fit_intercept,
        point_slope(loss),
        *means[1],
        *options,
        received[1],
        still,
        point_value(loss),
    )
    assert counted == counted2
    assert_allclose(value, value2, rtol=1e-12)
    if with_still:
        # The rows in any order: what a pass over all of them finds.
        assert_allclose(value, _kernels.full_pass(rows, 0, n, *still, loss.pointwise(), None))
    else:
        assert np.isnan(value)
    # What a late coordinate received when it vanished is exact to first order in the decay.
    decays = l2 > 0 if metric is None else metric[2].any()
    atol = 5e-3 if layout != "dense" and has_l1 and decays else 1e-12
    for a, b in zip(got, want, strict=True):
        assert_allclose(a, b, rtol=1e-11, atol=atol)
    if has_l1:
        assert_allclose(*received, rtol=1e-11, atol=atol)
    if average_from is not None:
        for a, b in zip(*means, strict=True):
            assert_allclose(a, b, rtol=1e-11, atol=max(atol, mean_atol))
    return got


MODELS = [
    (losses.LogLoss(), 1),
    (losses.SquaredError(), 3),
    (losses.Softmax(), 3),
    (losses.OneVsRest(losses.Hinge()), 3),
]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", SEPARABLE)
def test_sgd_block_equals_its_twin_for_every_loss(name, layout):
    check_sgd(SEPARABLE[name], layout, l2=0.1)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("loss, k", MODELS)
@pytest.mark.parametrize("l2, l1", [(0.0, 0.0), (0.3, 0.0), (0.0, 0.2), (0.3, 0.2)])
def test_late_steps_equal_eager_ones(loss, k, dtype, layout, l2, l1):
    check_sgd(loss, layout, dtype, k, l2, l1)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("loss, k", MODELS)
@pytest.mark.parametrize("l1", [0.0, 0.2])
def test_the_loss_of_a_point_that_stands_still(loss, k, dtype, layout, l1):
    check_sgd(loss, layout, dtype, k, 0.3, l1, with_still=True)


def test_the_loss_of_a_point_that_stands_still_on_centred_rows():
    rng = np.random.RandomState(4)
    metric = rng.uniform(0.2, 2, size=7), rng.standard_normal(7), rng.uniform(size=7), np.zeros(7)
    check_sgd(losses.LogLoss(), "dense", metric=metric, with_still=True)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_loss_of_a_point_over_more_rows_than_a_block(layout):
    loss, rng, n, k = losses.Softmax(), np.random.RandomState(1), 700, 300
    y, s = draw(loss, n, k, rng), weights(n, rng)
    rows, _ = make_rows(layout, np.float64, y, s, rng, 4)
    still = model(k, 4, rng)
    coef, intercept = model(k, 4, rng)
    _, value = _kernels.sgd_block(
        rows,
        rng.permutation(n),
        np.full(n, 0.01),
        coef,
        intercept,
        0.0,
        0.0,
        1.0,
        True,
        loss.pointwise(),
        still=still,
    )
    assert_allclose(value, _kernels.full_pass(rows, 0, n, *still, loss.pointwise(), None))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("l1", [0.0, 0.1])
def test_a_shrink_to_zero_is_survived(layout, l1):
    check_sgd(losses.LogLoss(), layout, l2=2.0, l1=l1, big_rates=True)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("average_from", [1, 70, 1000])
def test_averages_are_exact_without_l1(layout, k, average_from):
    loss = losses.SquaredError()
    check_sgd(loss, layout, k=k, l2=0.3, average_from=average_from)
    if average_from > 1:
        check_sgd(loss, layout, k=k, l2=2.0, average_from=average_from, big_rates=True)


def test_averages_are_exact_with_l1_on_dense_rows():
    check_sgd(losses.SquaredError(), "dense", l2=0.1, l1=0.2, average_from=5)


@pytest.mark.parametrize("with_metric", [False, True])
def test_averages_with_l1_on_csr_are_close(with_metric):
    metric = (np.full(7, 0.5), None, np.full(7, 0.1), np.full(7, 0.3)) if with_metric else None
    check_sgd(
        losses.SquaredError(),
        "csr32",
        l2=0.1,
        l1=0.2,
        metric=metric,
        average_from=1,
        mean_atol=2e-3,
    )


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("loss, k", MODELS)
@pytest.mark.parametrize("decay, pull", [(2.0, 0.0), (0.0, 0.8), (0.3, 0.8)])
def test_late_flows_equal_eager_ones(loss, k, dtype, layout, decay, pull):
    rng = np.random.RandomState(4)
    a = decay * np.r_[0.0, 1e-12, rng.uniform(size=5)]
    l1m = np.where(rng.uniform(size=7) < 0.7, pull, 0.0)
    check_sgd(loss, layout, dtype, k, metric=(rng.uniform(0.2, 2, size=7), None, a, l1m))


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("strength", [0.0, 0.5])
@pytest.mark.parametrize("average_from", [None, 20])
def test_a_metric_works_on_centred_rows(k, strength, average_from):
    rng = np.random.RandomState(4)
    a, l1m = strength * rng.uniform(size=7), strength * rng.uniform(size=7)
    metric = rng.uniform(0.2, 2, size=7), 3 * rng.standard_normal(7), a, l1m
    check_sgd(losses.SquaredError(), "dense", k=k, metric=metric, average_from=average_from)


@pytest.mark.parametrize("d", [1, 4, 8, 9, 12, 63, 255, 256, 257])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("decay", [0.0, 0.4])
def test_rows_of_any_width_overlap(d, dtype, centred, decay):
    rng = np.random.RandomState(4)
    options = {"dtype": dtype, "d": d, "with_still": True}
    check_sgd(losses.LogLoss(), "dense", l2=0.1, **options)
    a, shift = decay * rng.uniform(size=d), rng.standard_normal(d) if centred else None
    metric = rng.uniform(0.2, 2, size=d), shift, a, np.zeros(d)
    check_sgd(losses.LogLoss(), "dense", metric=metric, **options)


def test_a_product_of_two_rows_that_overflows_is_not_one_of_the_predictor():
    # x . x is infinite, x . w is not: the move is then taken before the dot.
    X = np.full((6, 9), 1e160)
    y, s, order = np.array([1.0, -1.0] * 3), np.ones(6), np.arange(6)
    rows = Rows(True, X.ravel(), EMPTY, EMPTY, 9, y, False, s)
    rates = np.full(6, 1e-319)
    got, want = ([np.zeros((1, 9)), np.zeros(1)] for _ in range(2))
    loss = losses.LogLoss()
    fixed = (0.0, 0.0, 1.0, True)
    _kernels.sgd_block(rows, order, rates, *got, *fixed, loss.pointwise())
    _reference.sgd_block(X, y, s, order, rates, *want, *fixed, point_slope(loss))
    assert np.isfinite(got[0]).all()
    assert np.abs(got[0]).max() > 0.0
    for a, b in zip(got, want, strict=True):
        assert_allclose(a, b, rtol=1e-6)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_sgd_block_leaves_the_intercept_where_none_is_wanted(layout):
    _, intercept = check_sgd(losses.LogLoss(), layout, fit_intercept=False)
    assert_array_equal(intercept, model(1, 7, np.random.RandomState(3))[1])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_l1_gives_exact_zeros(layout):
    coef, _ = check_sgd(losses.LogLoss(), layout, l1=0.5)
    assert (coef == 0).any()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_slopes_are_bounded(layout):
    rng = np.random.RandomState(0)
    rows, _ = make_rows(layout, np.float64, np.ones(3), np.ones(3), rng)
    coef, intercept = np.zeros((1, 7)), np.array([500.0])
    _kernels.sgd_block(
        rows,
        np.array([2]),
        np.ones(1),
        coef,
        intercept,
        0.0,
        0.0,
        1.0,
        True,
        get_pointwise("poisson"),
    )
    assert intercept[0] == 500.0 - 1e12


@pytest.mark.parametrize("index", [np.int32, np.int64])
def test_columns_that_a_row_has_twice_decay_once(index):
    rng = np.random.default_rng(0)
    n, d = 60, 9
    columns = [rng.integers(0, d, rng.integers(0, 7)).astype(index) for _ in range(n)]
    starts = np.append(0, np.cumsum([len(one) for one in columns])).astype(index)
    columns = np.concatenate(columns)
    values = rng.standard_normal(len(columns))
    dense = sp.csr_matrix((values, columns, starts), shape=(n, d)).toarray()
    y, s = np.where(rng.uniform(size=n) < 0.5, -1.0, 1.0), rng.uniform(0.5, 2.0, n)
    metric = rng.uniform(0.2, 2.0, d), None, rng.uniform(0.0, 0.5, d), None
    order, rates = rng.permutation(n), rng.uniform(0.0, 0.3, n)
    nothing, found = np.empty(0, np.int32), []
    for rows in (
        Rows(False, values, columns, starts, d, y, False, s),
        Rows(True, dense.ravel(), nothing, nothing, d, y, False, s),
    ):
        W, b, still = np.full((1, d), 0.3), np.zeros(1), (np.full((1, d), 0.1), np.zeros(1))
        fixed = 0.0, 0.0, 1.0, True, losses.LogLoss().pointwise()
        _, value = _kernels.sgd_block(rows, order, rates, W, b, *fixed, metric=metric, still=still)
        found.append((W, b, value))
    for sparse, full in zip(*found, strict=True):
        assert_allclose(sparse, full, rtol=1e-10, atol=1e-12)
