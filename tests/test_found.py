"""Faults that random fits and a stranger's reading brought to light."""

import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import make_regression
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import r2_score
from threadpoolctl import ThreadpoolController

from skgd import GDClassifier, GDRegressor
from skgd._problem import Problem
from skgd.callbacks import NoImprovement
from skgd.losses import LogCosh, Poisson, Tweedie
from skgd.objectives import make_objective
from skgd.penalties import L1

STOCHASTIC = ["sgd", "momentum", "adam"]


@pytest.fixture
def raw_columns():
    """Rows whose columns have means far from zero, and targets."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3)) * [1.0, 10.0, 0.1] + [5.0, 100.0, 3.0]
    return X, X @ [1.0, 0.2, 3.0]


class Shrink:
    """A penalty that is not separable: the Euclidean norm."""

    def value(self, coef):
        return float(np.linalg.norm(coef))

    def prox(self, coef, t):
        norm = np.linalg.norm(coef)
        return coef * (max(0.0, 1 - t / norm) if norm > 0 else 0.0)


# -- weights --------------------------------------------------------------------------


@pytest.mark.parametrize("solver", ["gd", *STOCHASTIC])
def test_weights_that_add_up_to_one_give_the_model_of_equal_weights(raw_columns, solver):
    X, y = raw_columns
    model = GDRegressor(solver=solver, random_state=0, max_iter=5, tol=None)
    plain = model.fit(X, y).coef_
    weighted = model.fit(X, y, sample_weight=np.full(len(y), 1 / len(y))).coef_
    np.testing.assert_allclose(weighted, plain, rtol=1e-9)


def test_held_out_rows_are_scored_with_their_weights():
    X, y = make_regression(60, 3, noise=30.0, random_state=0)
    seen = []

    def score(model, X, y, sample_weight=None):
        seen.append(sample_weight)
        return r2_score(y, model.predict(X), sample_weight=sample_weight)

    s = np.random.default_rng(0).uniform(1, 9, size=len(y))
    model = GDRegressor(early_stopping=True, scoring=score, random_state=0)
    model.fit(X, y, sample_weight=s)
    assert len(seen[0]) == 6
    assert np.isin(seen[0], s).all()
    seen.clear()
    model.fit(X, y)
    assert seen[0] is None


@pytest.mark.parametrize("solver", ["gd", "newton", *STOCHASTIC])
@pytest.mark.parametrize("power", [-1000, 900])
def test_weights_of_any_size_give_the_model_of_equal_weights_to_the_last_bit(
    raw_columns, solver, power
):
    X, y = raw_columns
    model = GDRegressor(solver=solver, random_state=0, max_iter=5, tol=None)
    y = 1e60 * y  # products of weights and losses would overflow
    plain = model.fit(X, y, sample_weight=np.full(len(y), 0.5)).coef_
    weighted = model.fit(X, y, sample_weight=np.full(len(y), 2.0**power)).coef_
    np.testing.assert_array_equal(weighted, plain)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_weights_whose_sums_overflow_are_refused_by_name(raw_columns, method):
    X, y = raw_columns
    learn = getattr(GDRegressor(solver="sgd"), method)
    with pytest.raises(ValueError, match=r"sample_weight goes up to .* overflow"):
        learn(X, y, sample_weight=np.full(len(y), 1e307))


# -- numbers out of range -------------------------------------------------------------


@pytest.mark.parametrize("solver", ["gd", *STOCHASTIC])
def test_columns_whose_squares_overflow_are_refused_by_name(solver):
    X = np.random.default_rng(0).normal(size=(40, 3)) * [1.0, 1e170, 1.0]
    with pytest.raises(ValueError, match=r"Column 1 of X .* overflow"):
        GDRegressor(solver=solver).fit(X, X[:, 0])


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "poisson"])
def test_targets_whose_squares_overflow_are_refused_by_name(loss, method):
    X = np.random.default_rng(0).normal(size=(40, 3))
    learn = getattr(GDRegressor(loss, solver="sgd"), method)
    with pytest.raises(ValueError, match=r"y goes from .* overflow"):
        learn(X, 1e160 * np.abs(X[:, 0]))


def test_a_validation_score_that_overflows_counts_as_worst_and_ends_no_fit():
    X = np.r_[np.zeros((20, 1)), np.full((20, 1), 1.0)]
    X_val, y_val = np.array([[1e6], [2e6]]), np.array([1.0, 2.0])
    model = GDRegressor("poisson", solver="gd", max_iter=3, tol=None)
    model.fit(X, np.exp(X[:, 0]), X_val=X_val, y_val=y_val)
    assert np.isneginf(model.history_["validation_score"]).all()


def test_a_scorer_of_the_users_that_raises_is_heard():
    X, y = make_regression(40, 2, random_state=0)

    def score(model, X, y):
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        GDRegressor(early_stopping=True, scoring=score).fit(X, y)


@pytest.mark.parametrize("penalty", ["l1", Shrink()])
def test_a_run_that_diverges_gives_no_warning_of_numpy(penalty):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 4)) * 1e3
    y = rng.poisson(3.0, size=40).astype(float)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ConvergenceWarning)
        GDRegressor("poisson", solver="gd", penalty=penalty, eta0=1e9, max_iter=5).fit(X, y)


def test_the_smoothness_at_a_point_that_overflows_is_infinite_without_a_warning():
    X = np.full((5, 1), 1e300)
    problem = Problem(make_objective(X, np.ones(5), np.ones(5), Poisson()), L1(), 1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert problem.smoothness(np.array([1.0, 0.0])) == np.inf


@pytest.mark.parametrize("solver", ["adam", "adamw", "nadam"])
def test_a_large_constant_column_leaves_float32_coefficients_exact(solver):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    X[:, 1] = 1e6
    y = (X[:, 0] > 0).astype(int)
    model = GDClassifier(solver=solver, alpha=1e-12, max_iter=3, tol=None, random_state=0)
    model.fit(X.astype(np.float32), y)
    assert abs(model.coef_[0, 1]) < 1e-4
    assert model.score(X.astype(np.float32), y) > 0.9


@pytest.mark.parametrize("scale", [1e-6, 1e-2, 1.0, 1e3, 1e6])
def test_sgd_learns_sparse_columns_of_one_size_whatever_that_size_is(scale):
    rng = np.random.default_rng(0)
    X = sp.csr_matrix((rng.random((500, 20)) < 0.1) * scale)
    y = X @ rng.normal(size=20) / scale + 3.0
    model = GDRegressor(solver="sgd", alpha=0, max_iter=10, tol=None, random_state=0)
    assert model.fit(X, y).score(X, y) > 0.98


@pytest.mark.parametrize("size", [1e-12, 1e-9, 1e-5, 0.5, 0.999, 1.001, 5.0])
def test_log_cosh_keeps_its_digits_where_residuals_are_tiny(size):
    r = np.longdouble(size)
    exact = np.log1p(2 * np.sinh(r / 2) ** 2)
    value = LogCosh(delta=2.0).value(np.zeros(1), np.array([2 * size]), np)
    np.testing.assert_allclose(value, [float(4 * exact)], rtol=1e-14)
    # The compiled twin: one row, whose F at zero coefficients is its loss.
    rows = make_objective(np.ones((1, 1)), np.array([2 * size]), np.ones(1), LogCosh(delta=2.0))
    np.testing.assert_allclose(rows.loss_sum(np.zeros(2)), float(4 * exact), rtol=1e-14)


# -- streams --------------------------------------------------------------------------


@pytest.mark.parametrize("solver", ["sgd", "momentum"])
def test_one_odd_chunk_does_not_end_a_streams_learning(solver):
    rng = np.random.default_rng(0)
    w = np.array([1.0, -2.0, 3.0])
    model = GDRegressor(solver=solver, eta0=0.02, random_state=0)
    for chunk in range(60):
        X = rng.normal(size=(50, 3))
        y = X @ w
        if chunk == 3:
            with pytest.warns(ConvergenceWarning, match="too large for these rows"):
                model.partial_fit(X * 1e4, y)
        else:
            model.partial_fit(X, y)
    np.testing.assert_allclose(model.coef_, w, rtol=1e-2)


def test_columns_that_grow_in_a_stream_keep_their_exact_zeros():
    rng = np.random.default_rng(0)
    w = np.r_[np.ones(5), np.zeros(25)]
    model = GDRegressor(solver="sgd", penalty="l1", alpha=0.3, random_state=0)
    for chunk in range(40):
        X = rng.normal(size=(100, 30)) * (1.0 if chunk < 20 else 8.0)
        model.partial_fit(X, X @ w + 0.5 * rng.normal(size=100))
        if chunk > 10:
            np.testing.assert_array_equal(model.coef_ != 0, w != 0)


def test_a_rate_too_large_for_two_chunks_in_turn_stays_lowered():
    rng = np.random.default_rng(0)
    model = GDRegressor(solver="sgd", eta0=10.0, random_state=0)
    rates = []
    for _ in range(20):
        X = rng.normal(size=(50, 3))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.partial_fit(X, X @ [1.0, -2.0, 3.0])
        rates.append(model.history_["rate"][0])
    assert max(rates) <= 1.0
    assert rates[-1] == rates[-2]
    assert model.score(X, X @ [1.0, -2.0, 3.0]) > 0.99


def test_rows_on_which_f_is_infinite_are_passed_over_and_said_to_be():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2))
    y = np.exp(X @ [0.5, -0.5])
    model = GDRegressor("poisson", solver="sgd", eta0=0.01, random_state=0).partial_fit(X, y)
    coef, rate = model.coef_.copy(), model.history_["rate"][0]
    with pytest.warns(ConvergenceWarning, match="nothing was learnt"):
        model.partial_fit(np.sign(coef) * np.full((5, 2), 1e6), np.ones(5))
    np.testing.assert_array_equal(model.coef_, coef)
    model.partial_fit(X, y)
    assert model.history_["rate"][0] == rate
    assert not np.array_equal(model.coef_, coef)


def test_partial_fit_records_its_seconds():
    X, y = make_regression(40, 2, random_state=0)
    assert GDRegressor().partial_fit(X, y).history_["seconds"][0] > 0


# -- stopping and messages ------------------------------------------------------------


def test_without_tol_an_adaptive_rate_runs_on_where_f_is_zero():
    X = np.r_[np.full((20, 2), 5.0), np.full((20, 2), -5.0)]
    y = np.repeat([1, 0], 20)
    model = GDClassifier(
        "hinge", alpha=0, solver="sgd", learning_rate="adaptive", eta0=1.0, tol=None, max_iter=90
    )
    model.fit(X, y)
    assert model.loss_curve_[-1] == 0
    assert (model.n_iter_, model.stop_reason_) == (90, "max_iter")
    assert model.history_["rate"][-1] == 1.0


def test_no_tolerance_never_stops():
    rule = NoImprovement(-np.inf, 1)

    class Event:
        value = 0.0

    assert all(rule(Event) is None for _ in range(5))


def test_gd_on_a_loss_with_a_kink_is_not_told_of_an_optimality_that_it_does_not_watch():
    X, y = make_regression(40, 2, random_state=0)
    with pytest.warns(ConvergenceWarning, match="before any rule to stop held"):
        GDRegressor("absolute_error", solver="gd", max_iter=3).fit(X, y)


def test_a_penalty_that_does_not_suit_names_the_solver_as_the_user_does():
    X, y = make_regression(40, 2, random_state=0)
    with pytest.raises(ValueError, match="solver Adam differs"):
        GDRegressor(penalty=Shrink(), solver="adam").fit(X, y)


def test_float32_rows_of_extreme_size_are_predicted_in_float64():
    X, y = np.full((3, 1), 1e22, dtype=np.float32), np.array(["a", "b", "a"])
    with np.errstate(over="raise"):
        model = GDClassifier("perceptron", solver="gd", eta0=1e-4, max_iter=1, tol=None).fit(X, y)
        assert np.isfinite(model.decision_function(X)).all()


def test_heavy_tails_are_told_from_weights_of_any_size():
    X, y = np.array([[0.1], [-0.1], [0.6]]), np.array(["a", "b", "a"])
    model = GDClassifier("absolute_error", solver="adadelta", max_iter=1, tol=None, random_state=0)
    with np.errstate(over="raise"):
        model.partial_fit(X, y, classes=["a", "b"], sample_weight=[1e200, 2e200, 1.5e200])
    assert np.isfinite(model.coef_).all()


def test_one_class_of_huge_weight_in_a_first_chunk_has_a_finite_start():
    model = GDClassifier(solver="adadelta", max_iter=1, tol=None, random_state=0)
    model.partial_fit([[0.3]], ["b"], classes=["a", "b"], sample_weight=[1.75e200])
    assert np.isfinite(model.intercept_).all()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("solver", ["adagrad", "sgd", "newton"])
def test_targets_whose_squares_vanish_are_fitted_by_nothing(solver):
    # F is zero in floating point wherever one looks, though not in truth.
    X, y = np.array([[0.126], [-0.132]]), np.array([-2.3e-301, 2.4e-301])
    est = GDRegressor("huber", solver=solver, max_iter=1, random_state=0).fit(X, y)
    assert not est.coef_.any()
    assert not est.intercept_.any()


LABELS = [
    np.array([-128, 127], np.int8),
    np.array([-128, 0, 127], np.int8),
    np.array([2**64 - 9, 2**64 - 2, 2**64 - 1], np.uint64),
    np.array([-(2**63), -(2**63) + 5]),
    np.array([-5, 2**40]),
    np.array([5, 6], ">i4"),
    np.array([False, True]),
]


@pytest.mark.parametrize("labels", LABELS, ids=str)
def test_whole_numbers_of_any_type_and_size_are_labels(labels):
    y = labels[np.arange(30) % len(labels)]
    X = np.random.RandomState(0).standard_normal((30, 2))
    est = GDClassifier().fit(X, y)
    assert est.classes_.dtype == labels.dtype
    np.testing.assert_array_equal(est.classes_, labels)
    assert set(est.predict(X)) <= set(labels)


def test_blas_has_its_threads_back_when_the_last_of_several_fits_has_ended():
    X = np.random.RandomState(0).standard_normal((4000, 5))
    y = (X[:, 0] > 0).astype(int)
    libraries = ThreadpoolController().select(user_api="blas")

    def threads():
        return [library.num_threads for library in libraries.lib_controllers]

    def one(i):
        rows = slice(0, 2000 + 200 * i)
        return GDClassifier(alpha=1e-6 * (i + 1), n_jobs=1).fit(X[rows], y[rows])

    with libraries.limit(limits=2):
        before = threads()
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(one, range(12)))
        assert threads() == before
        with pytest.raises(ValueError, match="NaN"):
            GDClassifier().fit(X * np.nan, y)
        assert threads() == before


@pytest.mark.parametrize("weight", [1e-2, 1e-6, 1e-30])
@pytest.mark.parametrize("classes", [2, 3])
def test_a_class_of_little_weight_is_compared_with_the_best_intercepts(weight, classes):
    X = np.random.default_rng(0).normal(size=(9, 1))
    y = np.arange(9) % classes
    s = np.where(y == 0, weight, 1.0)
    est = GDClassifier(alpha=0.1, solver="newton", tol=0.3).fit(X, y, sample_weight=s)
    share = np.bincount(y, s) / s.sum()
    null = -(share * np.log(share)).sum()
    assert est.loss_curve_[-1] <= null * (1 + 1e-9) + 1e-20


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_an_infinite_intercept_whose_f_is_finite_is_not_kept(method):
    # exp(-inf) is zero: the loss of a log link hides what has overflowed.
    class Penalty:
        separable = True

        def value(self, coef):
            return 0.0

        def prox(self, coef, t):
            return np.maximum(coef, 0.0)

    X = np.full((30, 1), 0.5)
    y = np.full(30, 10.0)
    est = GDRegressor(Tweedie(0.0), solver="sgd", penalty=Penalty(), eta0=60.0, max_iter=1)
    getattr(est.set_params(random_state=0, batch_size=1), method)(X, y)
    assert np.isfinite(est.coef_).all()
    assert np.isfinite(est.intercept_).all()
