"""The minimum of a quadratic model plus a penalty with a kink."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize
from sklearn import linear_model

from skgd.solvers import _composite


def quadratic(n, seed, dependent=False):
    rng = np.random.RandomState(seed)
    A = rng.standard_normal((3 * n, n))
    if dependent:
        A[:, n // 2 :] = A[:, : n - n // 2] + 1e-4 * rng.standard_normal((3 * n, n - n // 2))
    y = rng.standard_normal(3 * n)
    return A, y, A.T @ A / (3 * n), A.T @ y / (3 * n)


@pytest.mark.parametrize("dependent", [False, True])
@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 1.1])
@pytest.mark.parametrize("n", [1, 4, 30])
def test_the_composite_minimum_is_the_lasso(n, share, dependent):
    A, y, H, c = quadratic(n, n, dependent and n > 1)
    alpha = share * np.abs(c).max()
    x = np.random.RandomState(1).standard_normal(n) * (np.arange(n) % 2)
    z = _composite.lasso(H, x, H @ x - c, np.full(n, alpha))
    slope = H @ z - c
    off = np.where(z == 0, np.maximum(np.abs(slope) - alpha, 0), slope + alpha * np.sign(z))
    assert np.abs(off).max() < 1e-10
    exact = linear_model.Lasso(alpha, fit_intercept=False, tol=1e-12, max_iter=10**6).fit(A, y)

    def value(w):
        return 0.5 * w @ H @ w - c @ w + alpha * np.abs(w).sum()

    assert value(z) <= value(exact.coef_) + 1e-12
    if not dependent:
        assert_allclose(z, exact.coef_, atol=1e-7)


def test_entries_that_hang_together_are_factored_anew(monkeypatch):
    solve, refused = np.linalg.solve, []

    def never(*args):
        refused.append(args)
        raise np.linalg.LinAlgError

    _, _, H, c = quadratic(60, 0, dependent=True)
    x, l1 = np.ones(60), np.full(60, 0.2 * np.abs(c).max())
    usual = _composite.lasso(H, x, H @ x - c, l1)
    monkeypatch.setattr(np.linalg, "solve", never)
    other = _composite.lasso(H, x, H @ x - c, l1)
    monkeypatch.setattr(np.linalg, "solve", solve)
    assert refused
    assert_allclose(other, usual, atol=1e-8)


@pytest.mark.parametrize("dropped", [1, 32])  # zeros until the others are factored anew
def test_a_composite_minimum_that_is_left_early_is_on_the_way(monkeypatch, dropped):
    monkeypatch.setattr(_composite, "_DROPPED", dropped)
    monkeypatch.setattr(_composite, "_SWEEPS", 2)
    _, _, H, c = quadratic(60, 0, dependent=True)
    x, l1 = np.ones(60), np.full(60, 0.2 * np.abs(c).max())

    def value(w):
        return 0.5 * w @ H @ w - c @ w + l1 @ np.abs(w)

    early, late = (_composite.lasso(H, x, H @ x - c, l1, left) for left in (0.5, 0.0))
    assert value(late) < value(early) < value(x)
    slope = H @ late - c
    off = np.where(late == 0, np.maximum(np.abs(slope) - l1, 0), slope + l1 * np.sign(late))
    assert np.abs(off).max() < 1e-10


def test_the_composite_minimum_leaves_entries_without_a_weight_free():
    _, _, H, c = quadratic(10, 0)
    l1 = np.where(np.arange(10) < 3, 0.0, 1e6)
    z = _composite.lasso(H, np.ones(10), H @ np.ones(10) - c, l1)
    assert_array_equal(z[3:], 0.0)
    assert_allclose(z[:3], np.linalg.solve(H[:3, :3], c[:3]), rtol=1e-10)


def test_accelerated_steps_find_the_minimum_of_a_model():
    _, _, H, c = quadratic(10, 0)
    x = np.ones(10)
    z = _composite.accelerated(lambda v: H @ v, lambda z, _: np.maximum(z, 0), x, H @ x - c)
    best = minimize(
        lambda w: (0.5 * w @ H @ w - c @ w, H @ w - c), x, jac=True, bounds=[(0, None)] * 10
    ).x
    # A model is not the function: three digits of its minimum are enough.
    assert_allclose(z, best, atol=5e-3)
