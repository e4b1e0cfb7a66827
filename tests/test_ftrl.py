"""The regularised leader: its kernel is its twin, its limit the optimum, its zeros exact."""

import numpy as np
import pytest
import scipy.sparse as sp
from kernel_cases import DTYPES, LAYOUTS, SEPARABLE, draw, make_rows, model, point_slope, weights
from numpy.testing import assert_allclose
from scipy.optimize import minimize_scalar
from sklearn.linear_model import Lasso

from skgd import GDClassifier, GDRegressor, _kernels, losses
from skgd._kernels import _reference

N, D = 41, 7


def run_both(layout, dtype, loss, k, penalised, shift=False, fit_intercept=True):
    rng = np.random.RandomState(0)
    y, s = draw(loss, N, k, rng), weights(N, rng)
    rows, X = make_rows(layout, dtype, y, s, rng, D, codes=loss.codes)
    coef, centre = model(k, D, rng)
    order = rng.randint(N, size=2 * N)
    z, z0 = rng.standard_normal((k, D)), rng.standard_normal(k)
    square, square0 = rng.uniform(size=(k, D)), rng.uniform(size=k)
    scales = rng.uniform(0.5, 2.0, D), rng.standard_normal(D) if shift else None
    some = np.where(np.arange(D) % 2, 0.02, 0.0)
    penalties = (some, 0.5 * some) if penalised else (None, None)
    found = []
    for twin in (False, True):
        kept = [v.copy() for v in (coef, centre, z, square, z0, square0)]
        args = (order, 5, 0.3, 0.7, *kept, scales, penalties, 0.9, fit_intercept)
        if twin:
            _reference.ftrl_block(X, y, s, *args, point_slope(loss))
        else:
            _kernels.ftrl_block(rows, *args, loss.pointwise())
        found.append(kept)
    return zip(*found, strict=True)


@pytest.mark.parametrize("penalised", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_steps_are_those_of_the_twin(layout, dtype, penalised):
    for k in (1, 3):
        for one, other in run_both(layout, dtype, losses.SquaredError(), k, penalised):
            assert_allclose(one, other, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_dense_rows_may_be_centred(fit_intercept):
    pairs = run_both("dense", float, losses.LogLoss(), 1, True, True, fit_intercept)
    for one, other in pairs:
        assert_allclose(one, other, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", ["softmax", *SEPARABLE])
def test_every_loss_is_served(name, layout):
    loss = SEPARABLE.get(name, losses.Softmax())
    k = 1 if name in SEPARABLE else 3
    for one, other in run_both(layout, float, loss, k, True):
        assert_allclose(one, other, rtol=1e-7, atol=1e-9)


def test_a_coefficient_is_the_minimum_of_its_sum():
    # One column, one row after the other: the sum of the formula, minimised by SciPy.
    rng = np.random.RandomState(0)
    x, y = rng.standard_normal(12), rng.standard_normal(12)
    rate, beta, l1, l2 = 0.5, 1.3, 0.05, 0.2
    rows, _ = make_rows("dense", np.float64, y, np.ones(12), rng, 1)
    rows = rows._replace(data=x.copy())
    coef, z, square = np.zeros((1, 1)), np.zeros((1, 1)), np.zeros((1, 1))
    kept = (coef, np.zeros(1), z, square, np.zeros(1), np.zeros(1))
    slopes, points = [], []
    for t in range(12):

        def total(w, t=t):
            roots = np.sqrt(np.cumsum(np.square([0.0, *slopes])))
            sigma = np.diff(roots) / rate
            value = np.dot(slopes, np.full(t, w)) + beta / (2 * rate) * w**2
            value += 0.5 * np.dot(sigma, (w - np.array(points)) ** 2) if t else 0.0
            return value + t * (l1 * abs(w) + 0.5 * l2 * w**2)

        w = minimize_scalar(total, bracket=(-1, 1), tol=1e-12).x
        assert abs(w - coef[0, 0]) < 1e-6
        points.append(coef[0, 0])
        slopes.append((coef[0, 0] * x[t] - y[t]) * x[t])
        args = (np.array([t]), t, rate, beta, *kept, (np.ones(1), None))
        args += ((np.array([l1]), np.array([l2])), 1.0, False)
        _kernels.ftrl_block(rows, *args, losses.SquaredError().pointwise())


@pytest.mark.parametrize("home", [np.asarray, sp.csr_array])
def test_zeros_are_those_of_the_lasso(home):
    rng = np.random.RandomState(0)
    X = rng.standard_normal((500, 20)) * 10.0 ** rng.uniform(-3, 3, 20)
    X[rng.uniform(size=X.shape) < 0.3] = 0.0
    y = X / X.std(axis=0) @ np.r_[2.0, -1.0, 1.5, np.zeros(17)] + rng.standard_normal(500)
    X = X / X.std(axis=0) * np.linspace(0.5, 2.0, 20)
    want = Lasso(alpha=0.1).fit(X, y)
    est = GDRegressor(
        penalty="l1", alpha=0.1, solver="ftrl", max_iter=300, tol=None, random_state=0
    )
    est.fit(home(X), y)
    assert_allclose(est.coef_, want.coef_, atol=0.02)
    assert np.count_nonzero(est.coef_[want.coef_ == 0]) <= 2
    assert est.coef_[np.abs(want.coef_) > 0.02].all()


def test_a_stream_has_exact_zeros_all_along():
    rng = np.random.RandomState(0)
    est = GDClassifier(penalty="l1", alpha=0.03, solver="ftrl", random_state=0)
    for _ in range(30):
        X = sp.random_array((100, 50), density=0.2, rng=rng, format="csr")
        y = (X @ np.r_[5.0, -5.0, np.zeros(48)] + 0.1 * rng.standard_normal(100) > 0).astype(int)
        est.partial_fit(X, y, classes=[0, 1])
        held = np.flatnonzero(est.coef_[0])
        assert len(held) < 50
    assert {0, 1} <= set(held)
    assert len(held) < 10


@pytest.mark.parametrize("size", [1e-9, 1e9])
def test_no_unit_matters(size):
    rng = np.random.RandomState(0)
    X = rng.standard_normal((300, 4))
    y = X @ [1.0, -1.0, 0.5, 0.0] + 0.1 * rng.standard_normal(300)
    options = {"solver": "ftrl", "random_state": 0, "max_iter": 20, "tol": None, "alpha": 0.0}
    plain = GDRegressor(**options).fit(X, y)
    scaled = GDRegressor(**options).fit(X * size, y)
    assert_allclose(scaled.coef_ * size, plain.coef_, rtol=1e-6)
    assert plain.score(X, y) > 0.98
    dear = GDRegressor(**options).fit(X, 1e6 * y)
    assert_allclose(dear.coef_, 1e6 * plain.coef_, rtol=1e-6)


@pytest.mark.parametrize(
    "given, name",
    [
        ({"learning_rate": "cosine"}, "learning_rate"),
        ({"batch_size": 4}, "batch_size"),
        ({"average": True}, "average"),
        ({"clip_value": 1.0}, "clip_value"),
    ],
)
def test_what_it_has_no_use_for_is_refused_by_name(given, name):
    X = np.random.RandomState(0).standard_normal((20, 2))
    est = GDRegressor(solver="ftrl", **given)
    for act in (est.fit, est.partial_fit):
        with pytest.raises(ValueError, match=name):
            act(X, X[:, 0])
