"""Sparse rows times tables of many outputs give what NumPy gives."""

import numpy as np
import pytest
from kernel_cases import DTYPES, LAYOUTS, make_rows
from numpy.testing import assert_allclose, assert_array_equal

from skgd import _kernels

N, D = 83, 11
SPARSE = [layout for layout in LAYOUTS if layout != "dense"]


def case(layout, dtype, d=D):
    rng = np.random.RandomState(0)
    rows, X = make_rows(layout, dtype, np.zeros(N), np.ones(N), rng, d)
    return rows, np.asarray(X.toarray() if hasattr(X, "toarray") else X, dtype=float), rng


@pytest.mark.parametrize("k", [1, 3, 8, 9, 20, 32, 33, 70])
@pytest.mark.parametrize("start, stop", [(0, N), (5, 5), (17, 80)])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", SPARSE)
def test_predictors_are_those_of_numpy(layout, dtype, start, stop, k):
    rows, X, rng = case(layout, dtype)
    W, b = rng.standard_normal((k, D)), rng.standard_normal(k)
    table = np.zeros((D, _kernels.table_width(k)))
    table[:, :k] = W.T
    eta = np.full((stop - start, k), np.nan)
    _kernels.linear_across(rows, start, stop, table, b, eta)
    assert_allclose(eta, X[start:stop] @ W.T + b, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(
    "k, first, last", [(1, 0, 1), (9, 0, 9), (20, 7, 20), (70, 3, 69), (4, 2, 2)]
)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", SPARSE)
def test_the_way_back_is_the_transpose(layout, dtype, k, first, last):
    rows, X, rng = case(layout, dtype)
    u = rng.standard_normal((N, k))
    sums = np.full((D, _kernels.table_width(last - first)), np.nan)
    _kernels.adjoint_across(rows, u, first, last, sums)
    assert_allclose(sums[:, : last - first], X.T @ u[:, first:last], rtol=1e-12, atol=1e-12)
    assert_array_equal(sums[:, last - first :], 0.0)


@pytest.mark.parametrize("k", [0, 1, 8, 9, 64, 65])
def test_tables_are_of_whole_registers(k):
    width = _kernels.table_width(k)
    assert width % 8 == 0
    assert k <= width < k + 8


@pytest.mark.parametrize(
    "change, message",
    [
        ({"layout": "dense"}, "rows must be CSR"),
        ({"start": 3, "stop": 2}, "not within"),
        ({"stop": N + 1}, "not within"),
        ({"width": 3}, "multiple of 8"),
        ({"width": 8, "k": 9}, "multiple of 8"),
        ({"d": D + 1}, "table"),
        ({"eta": (N, 2)}, "eta"),
        ({"eta": (2, 3)}, "eta"),
    ],
)
def test_shapes_that_disagree_are_told(change, message):
    given = {"layout": "csr32", "start": 0, "stop": N, "width": 16, "k": 3, "d": D, **change}
    rows, _, _ = case(given["layout"], np.float64)
    eta = np.empty(given.get("eta", (N, given["k"])))
    table = np.zeros((given["d"], given["width"]))
    with pytest.raises(ValueError, match=message):
        _kernels.linear_across(
            rows, given["start"], given["stop"], table, np.zeros(given["k"]), eta
        )


@pytest.mark.parametrize(
    "change, message",
    [
        ({"layout": "dense"}, "rows must be CSR"),
        ({"first": 2, "last": 1}, "outputs 2:1"),
        ({"last": 4}, "outputs 0:4"),
        ({"width": 4}, "multiple of 8"),
        ({"n": N - 1}, "u"),
        ({"d": D - 1}, "sums"),
    ],
)
def test_the_way_back_tells_shapes_that_disagree(change, message):
    given = {"layout": "csr64", "first": 0, "last": 3, "width": 8, "n": N, "d": D, **change}
    rows, _, _ = case(given["layout"], np.float64)
    with pytest.raises(ValueError, match=message):
        _kernels.adjoint_across(
            rows,
            np.zeros((given["n"], 3)),
            given["first"],
            given["last"],
            np.zeros((given["d"], given["width"])),
        )
