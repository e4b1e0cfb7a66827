"""Steps with a remembered slope a row are those of their twin, and their flow is exact."""

import itertools

import numpy as np
import pytest
from kernel_cases import DTYPES, LAYOUTS, SEPARABLE, draw, make_rows, model, point_slope, weights
from numpy.testing import assert_allclose, assert_array_equal
from scipy.integrate import solve_ivp

from skgd import _kernels, losses
from skgd._kernels import _reference

N, D = 41, 7
MODES = ["sag", "saga", "svrg"]
OF_CLASSES = {"softmax": losses.Softmax(), "one_vs_rest": losses.SquaredHinge().multiclass()}


def run_both(layout, dtype, loss, k, mode, batch_size, l1, shift, fit_intercept=True):
    """Return what kernel and twin leave behind, as pairs."""
    rng = np.random.RandomState(0)
    y, s = draw(loss, N, k, rng), weights(N, rng)
    rows, X = make_rows(layout, dtype, y, s, rng, D, codes=loss.codes)
    coef, intercept = model(k, D, rng)
    coef[:, 2] = 0.0
    order = rng.randint(N, size=3 * N)
    share = rng.uniform(0.5, 2.0, 3 * N)
    slopes, mean = 0.1 * rng.standard_normal((N, k)), 0.1 * rng.standard_normal((k, D))
    mean_slope = 0.1 * rng.standard_normal(k)
    a = np.where(np.arange(D) % 3, rng.uniform(0.0, 0.5, D), 0.0)
    a[1] = 1e-7
    metric = (
        rng.uniform(0.5, 2.0, D),
        rng.standard_normal(D) if shift else None,
        a,
        np.where(np.arange(D) % 2, 0.1, 0.0) if l1 else None,
    )
    found = []
    for twin in (False, True):
        kept = [v.copy() for v in (coef, intercept, slopes, mean, mean_slope)]
        tail = (metric, 0.7, 33.0, fit_intercept)
        if twin:
            args = (X, y, s, order, share, batch_size, mode, 0.05, *kept, *tail)
            _reference.sag_block(*args, point_slope(loss))
        else:
            args = (rows, order, share, batch_size, mode, 0.05, *kept, *tail)
            _kernels.sag_block(*args, loss.pointwise())
        found.append(kept)
    return list(zip(*found, strict=True))


@pytest.mark.parametrize("l1", [False, True])
@pytest.mark.parametrize("batch_size", [1, 4])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_steps_are_those_of_the_twin(layout, dtype, mode, batch_size, l1):
    for k in (1, 3):
        pairs = run_both(layout, dtype, losses.SquaredError(), k, mode, batch_size, l1, False)
        for one, other in pairs:
            assert_allclose(one, other, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("l1", [False, True])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("mode", MODES)
def test_dense_rows_may_be_centred(mode, l1, fit_intercept):
    for batch_size in (1, 4):
        pairs = run_both(
            "dense", float, losses.LogLoss(), 1, mode, batch_size, l1, fit_intercept, fit_intercept
        )
        for one, other in pairs:
            assert_allclose(one, other, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", [n for n, loss in SEPARABLE.items() if loss.curvature])
def test_every_loss_is_served(name, layout):
    for one, other in run_both(layout, float, SEPARABLE[name], 1, "saga", 1, True, False):
        assert_allclose(one, other, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", OF_CLASSES)
@pytest.mark.parametrize("mode", MODES)
def test_classes_are_served(mode, name, layout):
    for one, other in run_both(layout, float, OF_CLASSES[name], 3, mode, 2, True, False):
        assert_allclose(one, other, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("a", [0.0, 1e-3, 0.8])
@pytest.mark.parametrize("drift", [-0.7, -0.1, 0.0, 0.1, 0.7])
@pytest.mark.parametrize("pull", [0.0, 0.2])
def test_the_flow_solves_its_equation(a, drift, pull):
    w = np.array([-1.0, -0.05, 0.0, 0.05, 1.0])
    found = _reference.drifted(w, a, drift, pull, 0.5)
    for start, end in zip(w, found, strict=True):
        # The sign is smoothed a little, for a solver that knows no kinks.
        want = solve_ivp(
            lambda t, v: -a * v - drift - pull * np.tanh(v / 1e-5),
            (0.0, 0.5),
            [start],
            method="LSODA",
            rtol=1e-9,
            atol=1e-11,
        ).y[0, -1]
        assert abs(end - want) < 2e-5


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_block_in_two_parts_is_the_whole(layout):
    rng = np.random.RandomState(1)
    y, s = rng.standard_normal(N), np.ones(N)
    rows, _ = make_rows(layout, np.float64, y, s, rng, D)
    order, share = rng.randint(N, size=60), np.ones(60)
    metric = np.ones(D), None, np.full(D, 0.1), np.full(D, 0.05)
    found = []
    for cuts in ([0, 60], [0, 24, 60]):
        kept = [np.ones((1, D)), np.zeros(1), np.zeros((N, 1)), np.zeros((1, D)), np.zeros(1)]
        for i, j in itertools.pairwise(cuts):
            args = (rows, order[i:j], share[i:j], 2, "saga", 0.05, *kept, metric, 1.0, N, True)
            _kernels.sag_block(*args, losses.SquaredError().pointwise())
        found.append(kept)
    for one, other in zip(*found, strict=True):
        assert_allclose(one, other, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"order": np.array([N])}, "row numbers"),
        ({"share": np.ones(2)}, "share"),
        ({"mode": "sgd"}, "mode"),
        ({"batch_size": 0}, "batch_size"),
        ({"coef": np.zeros((1, D + 1))}, "coef"),
        ({"slopes": np.zeros((N - 1, 1))}, "slopes"),
        ({"mean": np.zeros((1, D - 1))}, "mean"),
        ({"metric": (np.ones(D), np.ones(D), np.ones(D), None)}, "CSR"),
        ({"metric": (np.ones(D - 1), None, np.ones(D), None)}, "inv2"),
    ],
)
def test_arguments_that_do_not_fit_are_told(change, message):
    rng = np.random.RandomState(0)
    rows, _ = make_rows("csr32", np.float64, np.zeros(N), np.ones(N), rng, D)
    args = {
        "order": np.array([0]),
        "share": np.ones(1),
        "batch_size": 1,
        "mode": "saga",
        "rate": 0.1,
        "coef": np.zeros((1, D)),
        "intercept": np.zeros(1),
        "slopes": np.zeros((N, 1)),
        "mean": np.zeros((1, D)),
        "mean_slope": np.zeros(1),
        "metric": (np.ones(D), None, np.ones(D), None),
        "weight_factor": 1.0,
        "n_active": N,
        "fit_intercept": True,
        "pointwise": losses.SquaredError().pointwise(),
        **change,
    }
    before = args["coef"].copy()
    with pytest.raises(ValueError, match=message):
        _kernels.sag_block(rows, *args.values())
    assert_array_equal(args["coef"], before)
