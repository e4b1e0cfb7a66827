"""No rate, however absurd, leads to NaN or to a model worse than none, and it is told once."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning
from solver_names import ANY_PENALTY, TAKE_RATES

from skgd import GDClassifier, GDRegressor
from skgd._protocols import Event, Rescale
from skgd.callbacks import DivergenceGuard
from skgd.losses import get_loss_names

RATES = [1e-12, 1e-6, 1e-2, 1.0, 1e3, 1e12]
# The others search for their steps and refuse a rate.
SCALES = {"unit": 1.0, "tiny": 1e-6, "huge": 1e6, "mixed": np.logspace(-6, 6, 5)}
KINDS = {"poisson": "counts", "gamma": "positive", "tweedie": "positive"}


def blaming(caught):
    """Return the warnings about a rate; there must be none but about convergence."""
    assert all(issubclass(w.category, ConvergenceWarning) for w in caught)
    return [str(w.message) for w in caught if "rate is too large" in str(w.message)]


def fit(est, X, y):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        return est.fit(X, y), caught


def assert_no_worse_than_zero(F, est, X, y, loss, **options):
    y = 2 * y - 1 if isinstance(est, GDClassifier) else y
    k = len(np.atleast_1d(est.intercept_))
    zero = F(X, y, np.zeros((k, X.shape[1])), np.zeros(k), loss=loss, **options)
    with np.errstate(over="ignore"):
        got = F(X, y, est.coef_, est.intercept_, loss=loss, **options)
    assert got <= zero * (1 + 1e-9)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("eta0", RATES)
@pytest.mark.parametrize("solver", TAKE_RATES)
def test_any_rate_on_any_columns_gives_a_finite_model_no_worse_than_zero(
    rows, target, F, solver, eta0, scale
):
    X = rows(60, 5)
    y = target(X, "regression")
    X = X * SCALES[scale] + (3 if scale == "mixed" else 0)
    est = GDRegressor(solver=solver, eta0=eta0, max_iter=15, random_state=0)
    est, caught = fit(est, X, y)
    assert np.isfinite(est.coef_).all()
    assert np.isfinite(est.intercept_).all()
    assert_no_worse_than_zero(F, est, X, y, "squared_error", alpha=1e-4)
    told = blaming(caught)
    assert len(told) <= 1
    if told:
        assert f"eta0={eta0!r}" in told[0]
        assert "or leave eta0='auto' and learning_rate='auto'" in told[0]


@pytest.mark.parametrize("solver", TAKE_RATES)
def test_a_rate_that_diverges_is_told_exactly_once(rows, target, solver):
    X = rows(60, 5)
    y = target(X, "regression")
    for eta0 in (1e6, 1e9, 1e12):
        est = GDRegressor(solver=solver, eta0=eta0, max_iter=30, random_state=0)
        est, caught = fit(est, X, y)
        (message,) = blaming(caught)
        assert f"eta0={eta0!r}" in message
        assert est.history_["rate"][-1] < eta0


@pytest.mark.parametrize("cls, kind", [(GDRegressor, "regression"), (GDClassifier, "binary")])
def test_warnings_point_at_the_line_of_the_user(rows, target, cls, kind):
    X = rows(60, 5)
    y = target(X, kind)
    _, caught = fit(cls(solver="gd", eta0=1e9, max_iter=5), X, y)
    assert len(caught) == 2  # the rate, and max_iter
    with warnings.catch_warnings(record=True) as more:
        warnings.simplefilter("always")
        cls(solver="sgd", eta0=1e9).partial_fit(
            X, y, **({"classes": [0, 1]} if kind == "binary" else {})
        )
    assert {w.filename for w in [*caught, *more]} == {__file__}


@pytest.mark.parametrize("solver", ["gd", "sgd", "adam"])
def test_after_going_back_the_run_makes_progress(rows, target, solver):
    X = rows(60, 5)
    y = target(X, "regression")
    with pytest.warns(ConvergenceWarning):
        est = GDRegressor(solver=solver, eta0=1e4, max_iter=100, tol=None, random_state=0).fit(X, y)
    # The rate ends within a factor of 100 of the largest that does not diverge.
    assert est.loss_curve_[-1] < 0.7 * np.mean(y**2) / 2


@pytest.mark.parametrize("eta0", [1e-8, 1.0, 1e8])
@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_any_rate_suits_every_loss(rows, target, F, kind, eta0):
    X = rows(60, 5) * np.logspace(-3, 3, 5)
    for loss in get_loss_names(kind):
        for solver in ("gd", "sgd", "adam"):
            classifies = kind == "classification"
            y = target(X / np.logspace(-3, 3, 5), "binary" if classifies else "positive")
            cls = GDClassifier if classifies else GDRegressor
            est = cls(loss, solver=solver, eta0=eta0, max_iter=10, random_state=0)
            est, caught = fit(est, X, y)
            assert np.isfinite(est.coef_).all(), (loss, solver)
            assert len(blaming(caught)) <= 1
            if loss != "perceptron":
                assert_no_worse_than_zero(F, est, X, y, loss, alpha=1e-4)


@pytest.mark.parametrize("home", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", ["targets", "classes"])
def test_several_outputs_in_every_home_are_guarded(rows, target, kind, dtype, home):
    X = rows(60, 5)
    y = target(X, kind)
    X = home((X * 1e5).astype(dtype))
    for solver in TAKE_RATES:
        cls = GDClassifier if kind == "classes" else GDRegressor
        est, caught = fit(cls(solver=solver, eta0=1e6, max_iter=10, random_state=0), X, y)
        assert np.isfinite(est.coef_).all()
        assert np.isfinite(est.loss_curve_).all() or est.loss_curve_[-1] < np.inf
        assert len(blaming(caught)) <= 1


@pytest.mark.parametrize(
    "params",
    [
        {"average": True},
        {"penalty": "l1", "alpha": 0.1},
        {"penalty": "elasticnet", "alpha": 10.0},
        {"alpha": 1e8},
        {"learning_rate": "optimal", "alpha": 1e-6, "eta0": "auto"},
        {"learning_rate": "one_cycle"},
        {"learning_rate": "adaptive"},
        {"learning_rate": lambda step: 1e5 * step},
        {"clip_norm": 1e6},
        {"early_stopping": True},
        {"fit_intercept": False},
        {"batch_size": 16},
    ],
    ids=lambda p: "-".join(p),
)
@pytest.mark.parametrize("solver", ["gd", "sgd", "momentum", "adam"])
def test_options_do_not_open_the_guard(rows, target, F, solver, params):
    X = rows(80, 5) * np.logspace(-2, 4, 5)
    y = target(X, "regression")
    options = {"solver": solver, "eta0": 1e3, "max_iter": 25, "random_state": 0, **params}
    est, caught = fit(GDRegressor(**options), X, y)
    assert np.isfinite(est.coef_).all()
    assert len(blaming(caught)) <= 1
    if "early_stopping" not in params:
        penalty, alpha = est.penalty, est.alpha
        assert_no_worse_than_zero(F, est, X, y, "squared_error", penalty=penalty, alpha=alpha)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("solver", ANY_PENALTY)
def test_rates_from_the_data_need_no_warning(rows, target, F, solver, scale):
    X = rows(60, 5)
    y = target(X, "binary")
    X = X * SCALES[scale]
    est, caught = fit(GDClassifier(solver=solver, penalty=None, random_state=0), X, y)
    assert not blaming(caught)
    assert est.score(X, y) > 0.7
    assert_no_worse_than_zero(F, est, X, y, "log_loss", penalty=None, alpha=0)


@pytest.mark.parametrize("solver", ["sgd", "momentum", "adam", "adagrad"])
@pytest.mark.parametrize("eta0", [1e-12, 1.0, 1e6, 1e12])
def test_streams_are_guarded_call_by_call(rows, target, solver, eta0):
    X = rows(60, 5) * np.logspace(-3, 3, 5)
    y = target(X, "regression")
    est = GDRegressor(solver=solver, eta0=eta0, random_state=0)
    for i in range(0, 60, 20):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            est.partial_fit(X[i : i + 20], y[i : i + 20])
        assert np.isfinite(est.coef_).all()
        assert np.isfinite(est.intercept_).all()
        assert np.isfinite(est.loss_curve_).all()
        told = blaming(caught)
        assert len(told) == len(caught) <= 1
        assert all(f"eta0={eta0!r}" in message for message in told)


def test_targets_beyond_all_bounds_are_survived(rows):
    X = rows(40, 3)
    for size in (1e-300, 1e-150, 1e100, 1e150):
        y = size * (X[:, 0] + 1)
        est, _ = fit(GDRegressor(penalty=None), X, y)
        assert np.isfinite(est.coef_).all()
        if 1e-150 <= size <= 1e100:
            assert est.score(X, y) > 0.99


# ---- the callback itself ----


def event(value, theta=0.0, rate=1.0, iteration=1):
    point = np.array([theta])
    return Event(iteration, iteration, iteration, 0.0, value, np.nan, rate, point)


def test_the_guard_lets_pass_what_stays_in_bounds_and_keeps_the_best_point():
    guard = DivergenceGuard(np.array([9.0]), 4.0, 6.0, None)
    assert [guard(event(v, v)) for v in (3.0, 5.9, 1.0, 2.0)] == [None] * 4
    assert (guard.value, guard.theta.tolist(), guard.restarts) == (1.0, [1.0], [])


@pytest.mark.parametrize("value", [6.1, np.inf, np.nan])
def test_the_guard_goes_back_to_the_best_point_with_ever_smaller_rates(value):
    guard = DivergenceGuard(np.array([9.0]), 4.0, 6.0, "eta0=7")
    guard(event(2.0, 5.0))
    with pytest.warns(ConvergenceWarning, match=r"with eta0=7 \(rate 3 in pass 2\)"):
        first = guard(event(value, rate=3.0, iteration=2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        later = [guard(event(value)) for _ in range(3)]
    assert isinstance(first, Rescale)
    assert (first.factor, first.value, first.theta.tolist()) == (0.1, 2.0, [5.0])
    assert np.allclose([answer.factor for answer in later], [1e-2, 1e-4, 1e-8])


def test_the_guard_begins_gently_again_after_a_good_pass():
    guard = DivergenceGuard(np.array([9.0]), 4.0, 6.0, None)
    factors = [guard(event(100.0)).factor for _ in range(2)]
    guard(event(3.0))
    assert [*factors, guard(event(100.0)).factor] == pytest.approx([0.1, 0.01, 0.1])


@pytest.mark.parametrize(
    ("given", "advised"),
    [({}, False), ({"eta0": 1e-9}, True), ({"solver": "gd", "learning_rate": "optimal"}, True)],
)
def test_a_run_that_ends_early_is_told_to_scale_only_where_columns_are_not(rows, given, advised):
    X = rows(200, 4)
    y = X[:, 0] + X[:, 1] ** 3 > 0
    options = {"solver": "gd", "max_iter": 2, "tol": 1e-12, **given}
    _, caught = fit(GDClassifier(**options), X, y)
    (told,) = [str(w.message) for w in caught if "max_iter=2" in str(w.message)]
    assert ("scale the columns" in told) == advised
