"""Fits of the squared error that read X for its moments alone."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import ElasticNet, Lasso

from skgd import GDRegressor, _fit
from skgd._at_once import ridge as ridge_of
from skgd.losses import SquaredError
from skgd.objectives import LinearObjective, compressed, make_objective


@pytest.fixture
def read(monkeypatch):
    """Numbers of rows of each full pass."""
    found, look = [], LinearObjective.look

    def watched(self, theta):
        found.append(self.n_rows)
        return look(self, theta)

    monkeypatch.setattr(LinearObjective, "look", watched)
    return found


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 6)) * [1.0, 10.0, 1e3, 0.1, 1.0, 1.0] + [0, 5, 0, 3, 1e3, 0]
    X[:, 5] = 2.0  # constant
    return X, X @ [1.0, 0.2, 0.0, 3.0, -1.0, 0.0] + rng.standard_normal(400) + 7.0


def ridge(X, y, alpha, s, fit_intercept=True):
    """The closed form, from a QR of augmented rows."""
    mass = s.sum()
    m, t = (s @ X / mass, s @ y / mass) if fit_intercept else (0.0, 0.0 * y[0])
    root = np.sqrt(s / mass)[:, None]
    rows = np.vstack([root * (X - m), np.sqrt(alpha) * np.eye(X.shape[1])])
    targets = np.concatenate([root[:, 0] * (y - t), np.zeros(X.shape[1])])
    w = np.linalg.lstsq(rows, targets, rcond=None)[0]
    return w, t - np.sum(m * w)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("house", [np.asarray, sp.csr_array])
def test_it_is_the_closed_form(house, weighted, fit_intercept, data, read):
    X, y = data
    s = np.random.default_rng(1).integers(0, 3, len(y)).astype(float) if weighted else None
    est = GDRegressor(alpha=0.1, tol=1e-10, fit_intercept=fit_intercept)
    est.fit(house(X), y, sample_weight=s)
    assert not read
    w, b = ridge(X, y, 0.1, np.ones(len(y)) if s is None else s, fit_intercept)
    assert_allclose(est.coef_, w, rtol=2e-3, atol=1e-5)  # two columns are almost the same
    assert est.optimality_kind_ == "gap"
    assert est.optimality_ <= 1e-10
    F = [
        np.average((y - X @ v - c) ** 2, weights=s) / 2 + 0.05 * (v @ v)
        for v, c in ((w, b), (est.coef_, est.intercept_[0]))
    ]
    null = np.average(y**2, weights=s) / 2  # what digits are lost of
    assert F[1] == pytest.approx(F[0], rel=1e-9, abs=1e-12 * null)
    assert est.loss_curve_[-1] == pytest.approx(F[1], rel=1e-9, abs=1e-12 * null)


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
def test_it_is_scikit_learns_with_an_l1_part(l1_ratio, data, read):
    X, y = data
    Z = X / np.maximum(X.std(axis=0), 1e-3)
    est = GDRegressor(penalty="elasticnet", alpha=0.05, l1_ratio=l1_ratio, tol=1e-9).fit(Z, y)
    assert not read
    peer = ElasticNet(0.05, l1_ratio=l1_ratio, tol=1e-12, max_iter=100_000).fit(Z, y)
    assert_allclose(est.coef_, peer.coef_, rtol=1e-5, atol=1e-7)
    assert (est.coef_ == 0).any()


def test_targets_side_by_side_are_each_on_its_own(data, read):
    X, y = data
    both = GDRegressor(alpha=0.1).fit(X, np.column_stack([y, -2 * y + X[:, 0]]))
    assert not read
    assert_allclose(both.coef_[0], GDRegressor(alpha=0.1).fit(X, y).coef_, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    "more",
    [
        {"solver": "lbfgs"},
        {"loss": "huber"},
        {"early_stopping": True},
        {"tol": 1e-15, "max_iter": 3},
    ],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_all_rows_are_read_where_they_are_asked_for(more, data, read):
    X, y = data
    GDRegressor(**more).fit(X, y)
    assert max(read) >= 360


def test_callbacks_and_starts_see_the_rows_themselves(data, read):
    X, y = data
    GDRegressor().set_callbacks(lambda event: None).fit(X, y)
    assert max(read) == 400
    read.clear()
    GDRegressor().fit(X, y, coef_init=np.ones(6))
    assert max(read) == 400


def test_columns_far_from_zero_need_the_rows(data, read):
    X, y = data
    far = X + 1e10
    est = GDRegressor(tol=1e-6).fit(far, y)
    assert max(read) == 400
    w, _ = ridge(far, y, 1e-4, np.ones(400))
    F = [np.mean((y - y.mean() - (far - far.mean(0)) @ v) ** 2) / 2 for v in (w, est.coef_)]
    assert F[1] <= F[0] * (1 + 1e-5)


@pytest.mark.parametrize(
    "rows, targets", [(1e-100, 1.0), (1.0, 1e-120), (1e100, 1.0), (1.0, 1e140)]
)
def test_squares_that_vanish_or_are_large_do_no_harm(rows, targets, data):
    X, y = data
    est = GDRegressor(penalty=None).fit(X * rows, y * targets)
    own = GDRegressor(penalty=None).fit(X, y)
    assert_allclose(est.coef_ * (rows / targets), own.coef_, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("penalty", ["l1", "l2"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_what_is_said_of_a_fit_is_the_same_on_few_rows_and_on_all(penalty, data, monkeypatch):
    X, y = data
    few = GDRegressor(penalty=penalty, alpha=0.1).fit(X, y)
    monkeypatch.setattr(_fit, "worth_few", lambda plan, problem: False)
    whole = GDRegressor(penalty=penalty, alpha=0.1).fit(X, y)
    assert set(vars(few)) == set(vars(whole))
    for name in ("n_iter_", "t_", "converged_", "stop_reason_", "optimality_kind_", "tol"):
        assert getattr(few, name) == getattr(whole, name)
    assert repr(few.solver_) == repr(whole.solver_)
    assert few.coef_.dtype == whole.coef_.dtype
    assert_allclose(few.coef_, whole.coef_, rtol=1e-3, atol=1e-4)
    assert set(few.history_) == set(whole.history_)
    assert few.history_["rate"] == whole.history_["rate"]
    assert few.loss_curve_[-1] == pytest.approx(whole.loss_curve_[-1], rel=1e-4)


def test_squared_errors_need_no_run(data, read):
    X, y = data
    some = {"penalty": "elasticnet"}, {"penalty": "l1"}, {"penalty": "l1", "alpha": 1e4}
    for more in ({}, {"loss": SquaredError()}, {"solver": "newton"}, {"max_iter": 1}, *some):
        est = GDRegressor(**{"alpha": 0.1, **more}).fit(X, y)
        assert not read
        assert (est.n_iter_, est.stop_reason_, est.optimality_kind_) == (1, "converged", "gap")
    for more in ({"verbose": 1}, {"tol": None}, {"penalty": None}):
        GDRegressor(alpha=0.1, **{"max_iter": 3, **more}).fit(X, y)
        assert read  # something is shown of a run, or a step is not all
        if "verbose" in more:
            assert max(read) <= 7  # as many rows as there are columns and targets
        read.clear()


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5, 1e-3])
@pytest.mark.parametrize("alpha", [1e-6, 1e-2, 10.0])
@pytest.mark.filterwarnings("ignore:Objective did not converge")
def test_elastic_net_without_a_run_is_scikit_learns(alpha, l1_ratio, rows, target, house):
    X = rows(n=400, d=7)
    X[:, 6] = X[:, 5]  # dependent
    X[:, 4] = 3.0
    Y = np.column_stack([target(X, "regression"), X @ np.arange(7.0)])
    s = np.random.RandomState(0).uniform(size=400)
    est = GDRegressor(penalty="elasticnet", alpha=alpha, l1_ratio=l1_ratio, tol=1e-8)
    est.fit(house(X), Y, sample_weight=s)
    assert est.optimality_ <= 1e-8
    peer = ElasticNet(alpha, l1_ratio=l1_ratio, tol=1e-14, max_iter=10**6)
    F = []
    for q in range(2):
        peer.fit(X, Y[:, q], sample_weight=s)
        for w, b in ((est.coef_[q], est.intercept_[q]), (peer.coef_, peer.intercept_)):
            errors = np.average((Y[:, q] - X @ w - b) ** 2, weights=s)
            F.append(errors / 2 + alpha * (l1_ratio * abs(w).sum() + (1 - l1_ratio) * w @ w / 2))
    null = np.average((Y - np.average(Y, axis=0, weights=s)) ** 2, axis=0, weights=s).sum() / 2
    digits = 1e-12 if est.coef_.dtype == np.float64 else 1e-7
    assert F[0] + F[2] - F[1] - F[3] <= (est.optimality_ + digits) * null
    assert est.loss_curve_[-1] == pytest.approx(F[0] + F[2], rel=digits, abs=10 * digits * null)
    assert not est.coef_[:, 4].any()


@pytest.mark.parametrize("alpha", [1e-12, 1e-6, 1.0])
@pytest.mark.parametrize("near", [1.0, 1e-4, 1e-8])
def test_the_figure_is_never_below_the_truth(near, alpha):
    for seed in range(5):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal((300, 8)) * 10.0 ** rng.uniform(-4, 4, 8)
        X[:, 1] = X[:, 0] * (1.0 + near * rng.standard_normal(300))
        X += rng.standard_normal(8) * 10.0 ** rng.uniform(-4, 4, 8)
        y = X @ rng.standard_normal(8) + rng.standard_normal(300)
        est = GDRegressor(alpha=alpha, tol=1e-6).fit(X, y)
        w, _ = ridge(X, y, alpha, np.ones(300))
        Z, t = (X - X.mean(axis=0)).astype(np.longdouble), y - y.mean()
        F = [
            np.mean((t - Z @ v) ** 2) / 2 + alpha * (v @ v) / 2
            for v in np.array([est.coef_, w, 0 * w], dtype=np.longdouble)
        ]
        assert (F[0] - F[1]) / (F[2] - F[1]) <= est.optimality_ <= 1e-6


def test_all_categories_of_a_column_and_a_slight_l1_penalty_need_no_run(data, read):
    X, y = data
    X = np.column_stack([X[:, :4], np.eye(5)[np.random.default_rng(2).integers(0, 5, len(y))]])
    y = y + 1e5 * X[:, 5]
    for alpha in (1e-3, 1.0, 100.0):
        est = GDRegressor(penalty="l1", alpha=alpha).fit(X, y)
        assert not read
        peer = Lasso(alpha, tol=1e-12, max_iter=10**6).fit(X, y)
        F = [
            np.mean((y - X @ m.coef_ - m.intercept_) ** 2) / 2 + alpha * np.abs(m.coef_).sum()
            for m in (est, peer)
        ]
        assert F[0] - F[1] <= est.optimality_ * np.var(y) / 2
        assert est.optimality_ <= 1e-4


def test_coefficients_that_hang_on_rounding_are_not_solved_at_once():
    # The second moments of two columns that are alike to nine digits tell them apart by none.
    for seed in range(20):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal((500, 2))
        X[:, 1] = X[:, 0] + 1e-9 * X[:, 1]
        y = X[:, 0] + rng.standard_normal(500)
        small = compressed(make_objective(X, y, np.ones(500), SquaredError()))
        assert ridge_of(small, 1e-20) is None
        assert ridge_of(small, 1e-10) is not None


def test_numbers_at_the_end_of_their_range_raise_no_warning_of_their_own():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((500, 3))
    for y in (X @ [1.0, 2.0, 3.0] * 1e120, X[:, 0] * 1e-130, np.zeros(500), np.full(500, 1e100)):
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            warnings.simplefilter("ignore", ConvergenceWarning)
            for alpha in (1e-300, 1e-100, 1e10, 1e300):
                assert np.isfinite(GDRegressor(alpha=alpha).fit(X, y).coef_).all()


def test_long_rows_that_are_not_finite_are_named_whatever_they_weigh(data):
    X = np.random.default_rng(0).standard_normal((110_000, 10))
    y = X[:, 0].copy()
    for weight in (1.0, 0.0):
        X[7, 3], s = np.nan, np.ones(len(y))
        s[7] = weight
        with pytest.raises(ValueError, match="NaN"):
            GDRegressor().fit(X, y, sample_weight=s)


@pytest.mark.parametrize("unit", [1e-40, 1e-9, 1e40])
def test_the_unit_of_weights_does_not_matter(unit, data):
    X, y = data
    s = np.random.default_rng(1).random(len(y))
    one, other = (GDRegressor(alpha=0.1).fit(X, y, sample_weight=s * u) for u in (1.0, unit))
    assert one.n_iter_ == other.n_iter_
    assert_allclose(other.coef_, one.coef_, rtol=1e-7, atol=1e-9)


def test_float32_rows_give_float32_coefficients(data):
    X, y = data
    est = GDRegressor(alpha=0.1).fit(X.astype(np.float32), y.astype(np.float32))
    assert est.coef_.dtype == est.intercept_.dtype == np.float32
    w, _ = ridge(X, y, 0.1, np.ones(400))
    assert_allclose(est.coef_, w, rtol=2e-3, atol=1e-3)
