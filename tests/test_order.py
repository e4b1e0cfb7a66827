"""Rows in random order."""

import numpy as np
import pytest

from skgd import _kernels
from skgd._kernels import _reference
from skgd.solvers import _order
from skgd.solvers._order import permuted


@pytest.fixture
def few_are_many(monkeypatch):
    monkeypatch.setattr(_order, "_MANY", 0)
    monkeypatch.setattr(_order, "_DRAWN", 3)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 7, 100])
def test_the_kernel_is_its_twin(n):
    rng = np.random.default_rng(n)
    for top in range(1, n + 1):
        for m in {0, 1, top // 2, top - 1}:
            if m < top:
                u = rng.random(m)
                mine, twin = np.arange(n), np.arange(n)
                _kernels.swap_down(mine, top, u)
                _reference.swap_down(twin, top, u)
                assert (mine == twin).all()


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 5, 50])
def test_each_row_is_there_once_and_the_given_order_is_left_alone(n, few_are_many):
    rows = np.arange(n)[::-1] * 2
    kept = rows.copy()
    found = permuted(np.random.default_rng(0), rows)
    assert found.dtype == np.intp
    assert (np.sort(found) == np.sort(rows)).all()
    assert (rows == kept).all()


def test_each_order_is_as_likely_as_any_other(few_are_many):
    rng, times = np.random.default_rng(0), 24_000
    orders = [tuple(permuted(rng, np.arange(4))) for _ in range(times)]
    found = np.unique(orders, axis=0, return_counts=True)[1]
    assert len(found) == 24
    # Chi-square with 23 degrees of freedom is above 50 once in a thousand times.
    expected = times / 24
    assert ((found - expected) ** 2 / expected).sum() < 50


def test_of_many_rows_places_do_not_depend_on_where_they_were():
    n, groups = 2**17, 16
    found = permuted(np.random.RandomState(0), np.arange(n))
    assert (np.sort(found) == np.arange(n)).all()
    table = np.zeros((groups, groups))
    np.add.at(table, (found * groups // n, np.arange(n) * groups // n), 1)
    expected = n / groups**2
    # Chi-square with 225 degrees of freedom is above 297 once in a thousand times.
    assert ((table - expected) ** 2 / expected).sum() < 297


def test_the_last_number_below_one_stays_inside():
    last = np.nextafter(1.0, 0.0)
    for n in (2, 3, 2**16, 2**16 + 1, 10**6 + 3):
        order = np.arange(n)
        _kernels.swap_down(order, n, np.array([last]))
        assert (order == np.arange(n)).all()  # the highest place with itself


@pytest.mark.parametrize(
    ("top", "u"), [(6, [0.5]), (3, [0.1, 0.2, 0.3]), (3, [1.0]), (3, [-0.1]), (3, [np.nan])]
)
def test_what_would_leave_the_array_is_refused(top, u):
    with pytest.raises(ValueError, match=r"not possible|must be in"):
        _kernels.swap_down(np.arange(5), top, np.array(u))
