"""Points of a path are optima, say so, and cost less than fits of their own."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge, enet_path, lasso_path

from skgd import GDClassifier, GDRegressor, GDRegressorCV, regularization_path
from skgd.objectives import LinearObjective
from skgd.solvers import Adam, Newton, _smoothing

TIGHT = {"tol": 1e-10, "max_iter": 20_000}
CASES = [
    (GDRegressor(), "regression"),
    (GDRegressor(penalty="l1"), "regression"),
    (GDRegressor(penalty="elasticnet", fit_intercept=False), "regression"),
    (GDRegressor(penalty="l1"), "targets"),
    (GDRegressor("huber", epsilon=1.0), "regression"),
    (GDRegressor("absolute_error", penalty="l1"), "regression"),
    (GDRegressor("poisson", penalty="elasticnet"), "counts"),
    (GDClassifier(), "binary"),
    (GDClassifier(penalty="l1"), "binary"),
    (GDClassifier("hinge"), "binary"),
    (GDClassifier("squared_hinge", penalty="l1", class_weight="balanced"), "binary"),
    (GDClassifier(), "classes"),
    (GDClassifier(penalty="l1"), "classes"),
    (GDClassifier(solver="gd"), "binary"),
    (GDClassifier(penalty="l1", solver="lbfgs"), "binary"),
    (GDRegressor(penalty="l1", solver="agd"), "regression"),
]


def total(F, est, model, X, y, kind):
    if kind == "binary":
        y = 2 * y - 1
    if est.loss == "huber":
        r = np.abs(X @ model.coef_ + model.intercept_ - y)
        rows = np.where(r <= est.epsilon, r**2 / 2, est.epsilon * r - est.epsilon**2 / 2)
        return rows.mean() + model.alpha * (model.coef_**2).sum() / 2
    s = None
    if est.__dict__.get("class_weight"):
        s = 1.0 / np.array([(y == label).sum() for label in y])
    options = {"loss": est.loss, "alpha": model.alpha, "penalty": est.penalty, "s": s}
    return F(X, y, model.coef_, model.intercept_, **options)


@pytest.mark.parametrize("est, kind", CASES, ids=lambda case: str(case).replace("\n", ""))
def test_points_are_optima_and_their_certificates_hold(est, kind, rows, target, F):
    X = rows(n=150, d=6)
    y = target(X, kind)
    path = regularization_path(est, X, y, n_alphas=6)
    assert path.converged.all()
    assert (path.gaps <= est.tol).all()
    for i, alpha in enumerate(path.alphas):
        model = path.estimator(i)
        own = clone(est).set_params(alpha=alpha, tol=1e-9, max_iter=20_000, solver="auto")
        best = total(F, est, own.fit(X, y), X, y, kind)
        null = regularization_path(clone(est), X, y, alphas=[1e12]).estimator(0)
        null.alpha = 0.0
        whole = total(F, est, null, X, y, kind) - best
        over = total(F, est, model, X, y, kind) - best
        assert over <= max(model.optimality_, 1e-9) * whole + 1e-9 * abs(best)
        assert_array_equal(path.coefs[i], model.coef_)
        assert_array_equal(path.intercepts[i], model.intercept_)
        assert path.gap_kinds[i] == model.optimality_kind_
        assert (path.gaps[i], path.n_iter[i]) == (model.optimality_, model.n_iter_)
        assert_allclose(model.loss_curve_[-1], total(F, est, model, X, y, kind), rtol=1e-9)


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
def test_coefficients_are_those_of_scikit_learn(l1_ratio, rows, target):
    X = rows(n=120, d=8)
    y = target(X, "regression")
    est = GDRegressor(penalty="elasticnet", l1_ratio=l1_ratio, **TIGHT)
    path = regularization_path(est, X, y, n_alphas=12)
    centred = np.asfortranarray(X - X.mean(axis=0)), y - y.mean()
    if l1_ratio == 1.0:
        alphas, coefs, _ = lasso_path(*centred, alphas=12, tol=1e-14, max_iter=100_000)
    else:
        alphas, coefs, _ = enet_path(*centred, l1_ratio=l1_ratio, alphas=12, tol=1e-14)
    assert_allclose(path.alphas, alphas, rtol=1e-10)
    assert_allclose(path.coefs, coefs.T, atol=1e-6)


@pytest.mark.parametrize("kind", ["regression", "binary", "classes", "counts", "targets"])
@pytest.mark.parametrize("penalty", ["l1", "elasticnet"])
def test_a_grid_begins_where_the_last_coefficient_vanishes(kind, penalty, rows, target):
    X = rows(n=100, d=5) * [1.0, 1e3, 1e-3, 1.0, 1.0] + 7.0
    y = target(rows(n=100, d=5), kind)
    regressor = GDRegressor("poisson" if kind == "counts" else "squared_error")
    est = GDClassifier() if kind in ("binary", "classes") else regressor
    est.set_params(penalty=penalty)
    top = regularization_path(est, X, y, n_alphas=3).alphas[0]
    path = regularization_path(est.set_params(**TIGHT), X, y, alphas=[0.999 * top, top])
    assert not path.coefs[0].any()
    assert path.coefs[1].any()
    # The start is the optimum, and rounding is not compared with rounding until it looks so.
    at_top = clone(est).set_params(alpha=top, tol=1e-4).fit(X, y)
    assert not at_top.coef_.any()
    assert at_top.n_iter_ == 1
    assert at_top.stop_reason_ == "converged"


@pytest.mark.parametrize("loss, kind", [("absolute_error", "regression"), ("hinge", "binary")])
def test_a_grid_of_a_kinked_loss_begins_with_zeros(loss, kind, rows, target):
    X = rows(n=101, d=5)
    est = (GDRegressor if kind == "regression" else GDClassifier)(loss, penalty="l1")
    path = regularization_path(est, X, target(X, kind), n_alphas=8)
    assert_allclose(path.coefs[0], 0.0, atol=1e-9)
    assert path.coefs[-1].any()


def test_a_grid_of_an_l2_penalty_spans_what_matters_whatever_the_scales(rows, target):
    X = rows(n=200, d=5)
    y = target(X, "binary")
    scales = np.array([1e3, 1.0, 1.0, 1.0, 1e-3])
    free = LogisticRegression(C=1e10, tol=1e-10, max_iter=10_000).fit(X, y).coef_ / scales
    path = regularization_path(GDClassifier(), X * scales, y)
    assert np.abs(path.coefs[0] / free)[0, 0] < 0.2
    assert_allclose(path.coefs[-1], free, rtol=0.1)
    assert_allclose(path.alphas[1:] / path.alphas[:-1], path.alphas[1] / path.alphas[0])


def test_eps_and_the_number_of_strengths_shape_the_grid(rows, target):
    X = rows()
    y = target(X, "regression")
    path = regularization_path(GDRegressor(), X, y, n_alphas=5, eps=0.01)
    assert len(path) == 5
    assert_allclose(path.alphas[-1] / path.alphas[0], 0.01)
    assert len(regularization_path(GDRegressor(), X, y, n_alphas=1)) == 1


def test_given_strengths_are_followed_downwards_and_zero_is_one_of_them(rows, target):
    X = rows()
    y = target(X, "regression")
    path = regularization_path(GDRegressor(**TIGHT), X, y, alphas=[0.1, 0.0, 10.0])
    assert_array_equal(path.alphas, [10.0, 0.1, 0.0])
    for alpha, coef in zip(path.alphas, path.coefs, strict=True):
        assert_allclose(coef, Ridge(alpha=alpha * len(y)).fit(X, y).coef_, rtol=1e-5)


def test_targets_that_columns_say_nothing_about_have_a_path_too(rows):
    X = rows()
    path = regularization_path(GDRegressor(penalty="l1"), X, np.ones(len(X)), n_alphas=3)
    assert not path.coefs.any()
    assert_allclose(path.intercepts, 1.0)
    assert regularization_path(GDRegressor(), X, np.ones(len(X)), n_alphas=3).converged.all()


# ---- rows ----


@pytest.mark.parametrize("kind", ["regression", "targets", "binary"])
def test_every_home_of_rows_gives_the_same_path(kind, house, rows, target):
    X = rows(n=200, d=5)
    y = target(X, kind)
    est = (GDClassifier if kind == "binary" else GDRegressor)(tol=1e-9)
    here = regularization_path(est, house(X), y, n_alphas=5)
    there = regularization_path(est, X, y, n_alphas=5)
    # Sums of float32 rows are float64, and so are these rows.
    assert_allclose(here.alphas, there.alphas, rtol=1e-6)
    assert_allclose(here.coefs, there.coefs, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("kind", ["regression", "binary"])
@pytest.mark.parametrize("penalty", ["l1", "l2"])
def test_weights_are_rows(kind, penalty, rows, target):
    X = rows(n=90, d=4)
    y = target(X, kind)
    s = np.random.RandomState(3).randint(0, 3, size=90).astype(float)
    est = (GDClassifier if kind == "binary" else GDRegressor)(penalty=penalty, **TIGHT)
    whole = regularization_path(est, X, y, n_alphas=6, sample_weight=s)
    again = np.repeat(np.arange(90), s.astype(int))
    repeated = regularization_path(est, X[again], y[again], n_alphas=6)
    assert_allclose(whole.alphas, repeated.alphas, rtol=1e-9)
    assert_allclose(whole.coefs, repeated.coefs, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("penalty", ["l1", "l2", "elasticnet"])
def test_squared_errors_are_followed_without_another_reading(penalty, rows, target, monkeypatch):
    X = rows(n=300, d=5)
    y = target(X, "targets")
    read = []
    look = LinearObjective.look

    def watched(self, theta):
        read.append(self.n_rows)
        return look(self, theta)

    monkeypatch.setattr(LinearObjective, "look", watched)
    path = regularization_path(GDRegressor(penalty=penalty), X, y, n_alphas=8)
    assert not read  # there is no run
    assert (path.gaps <= 1e-4).all()


def test_columns_far_from_zero_are_followed_on_the_rows(rows, target, monkeypatch):
    # Second moments lose the digits that the rows have.
    X = rows(n=300, d=3) + 1e11
    y = target(rows(n=300, d=3), "regression")
    read = []
    look = LinearObjective.look

    def watched(self, theta):
        read.append(self.n_rows)
        return look(self, theta)

    monkeypatch.setattr(LinearObjective, "look", watched)
    path = regularization_path(GDRegressor(tol=1e-6), X, y, alphas=[1.0, 0.1])
    assert max(read) == 300
    own = GDRegressor(tol=1e-6, alpha=0.1).fit(X, y)
    assert_allclose(path.coefs[1], own.coef_, rtol=1e-3)


def test_dependent_columns_and_more_columns_than_rows(rows, target):
    X = rows(n=40, d=30)
    X = np.hstack([X, X[:, :20]])
    y = target(X, "regression")
    path = regularization_path(GDRegressor(tol=1e-8), X, y, n_alphas=5)
    assert (path.gaps <= 1e-8).all()
    twice = regularization_path(
        GDRegressor(tol=1e-8), np.vstack([X, X, X]), np.tile(y, 3), n_alphas=5
    )
    assert_allclose(twice.coefs, path.coefs, rtol=1e-2, atol=1e-4)


# ---- solvers ----


def test_newton_goes_on_from_what_is_known(rows, target):
    X = rows(n=2000, d=10, seed=4)
    y = target(X, "binary")
    path = regularization_path(GDClassifier(solver=Newton()), X, y)
    own = [GDClassifier(alpha=alpha).fit(X, y).n_iter_ for alpha in path.alphas]
    assert path.n_iter.sum() < 0.7 * sum(own)


@pytest.mark.parametrize("solver", ["sgd", Adam(), "momentum"])
def test_stochastic_solvers_go_on_from_point_to_point(solver, rows, target):
    X = rows(n=300, d=4)
    y = target(X, "binary")
    est = GDClassifier(solver=solver, random_state=0, max_iter=20, tol=None)
    path = regularization_path(est, X, y, alphas=[0.1, 0.01])
    first = clone(est).set_params(alpha=0.1).fit(X, y)
    assert_allclose(path.coefs[0], first.coef_, rtol=1e-9)
    best = GDClassifier(alpha=0.01, tol=1e-10).fit(X, y)
    assert path.estimator(1).loss_curve_[0] < first.loss_curve_[0]
    assert path.estimator(1).loss_curve_[-1] < best.loss_curve_[-1] + 0.02
    path.estimator(1).partial_fit(X, y)


def test_a_rate_of_the_users_is_followed_on_the_rows(rows, target):
    X = rows()
    y = target(X, "regression")
    est = GDRegressor(solver="gd", eta0=0.05, max_iter=3, tol=None)
    path = regularization_path(est, X, y, alphas=[0.1])
    assert_allclose(path.coefs[0], clone(est).set_params(alpha=0.1).fit(X, y).coef_, rtol=1e-12)


class Box:
    """A penalty that has a prox alone: coefficients between -1 and 1."""

    separable = True

    def value(self, coef):
        return 0.0 if (np.abs(coef) <= 1.0).all() else np.inf

    def prox(self, coef, step):
        return np.clip(coef, -1.0, 1.0)


def test_a_penalty_of_the_users_needs_strengths(rows, target):
    X = rows()
    y = target(X, "regression")
    est = GDRegressor(penalty=Box())
    with pytest.raises(ValueError, match="alphas must be given for penalty="):
        regularization_path(est, X, y)
    path = regularization_path(est, X, y, alphas=[1.0, 0.5])
    assert_allclose(path.coefs[0], clone(est).set_params(alpha=1.0).fit(X, y).coef_, atol=1e-3)


# ---- manners ----


def test_the_estimator_stays_as_it_was_and_the_models_are_copies(rows, target):
    X = rows()
    y = target(X, "regression")
    est = GDRegressor(alpha=0.5)
    before = dict(vars(est))
    path = regularization_path(est, X, y, n_alphas=3)
    assert vars(est) == before
    model = path.estimator(-1)
    assert model.alpha == path.alphas[-1]
    model.coef_[:] = 0.0
    assert path.estimator(-1).coef_.any()
    assert path.estimator(-1).predict(X).shape == y.shape
    assert "3 alphas" in repr(path)
    with pytest.raises(IndexError, match=r"i must be in \[-3, 2\]; got 3"):
        path.estimator(3)


def test_warm_start_begins_at_the_coefficients_of_the_last_fit(rows, target):
    X = rows()
    y = target(X, "binary")
    est = GDClassifier(solver="gd", alpha=0.1, warm_start=True, tol=1e-8).fit(X, y)
    warm = regularization_path(est, X, y, alphas=[0.1])
    cold = regularization_path(clone(est), X, y, alphas=[0.1])
    assert warm.n_iter[0] < 0.2 * cold.n_iter[0]


def test_a_path_that_is_too_short_warns_once(rows, target):
    X = rows()
    y = target(X, "binary")
    with pytest.warns(ConvergenceWarning, match="2 of 2 fits of GDClassifier stopped") as caught:
        regularization_path(
            GDClassifier(solver="gd", max_iter=1, tol=1e-9), X, y, alphas=[0.1, 0.01]
        )
    assert len(caught) == 1
    assert caught[0].filename == __file__


def test_an_interrupt_ends_the_path(rows, target, monkeypatch):
    X = rows()

    def broken(self, problem, state):
        raise KeyboardInterrupt

    monkeypatch.setattr(Newton, "step", broken)
    with pytest.raises(KeyboardInterrupt):
        regularization_path(GDClassifier(), X, target(X, "binary"))


@pytest.mark.parametrize(
    "est, options, error, message",
    [
        (Ridge(), {}, TypeError, "est must be a GDClassifier or a GDRegressor; got Ridge"),
        (
            GDRegressorCV(),
            {},
            TypeError,
            "est must be a GDClassifier or a GDRegressor; got GDRegressorCV",
        ),
        (GDRegressor(penalty=None), {}, ValueError, "penalty=None has no strength"),
        (GDRegressor(early_stopping=True), {}, ValueError, "early_stopping=True stops each fit"),
        (GDRegressor(tol=-1), {}, ValueError, r"tol must be in \[0, inf\]"),
        (GDRegressor(), {"alphas": 0.1}, TypeError, "alphas must be a sequence of numbers"),
        (GDRegressor(), {"alphas": "abc"}, TypeError, "alphas must be a sequence of numbers"),
        (GDRegressor(), {"alphas": []}, ValueError, "alphas must hold at least one"),
        (GDRegressor(), {"alphas": [1, -1]}, ValueError, r"alphas must be in \[0, inf\); got -1"),
        (GDRegressor(), {"alphas": [np.nan]}, ValueError, r"alphas must be in \[0, inf\)"),
        (GDRegressor(), {"n_alphas": 0}, ValueError, "n_alphas must be at least 1; got 0"),
        (GDRegressor(), {"n_alphas": 2.5}, TypeError, "n_alphas must be an integer"),
        (GDRegressor(), {"eps": 1.0}, ValueError, r"eps must be in \(0, 1\); got 1.0"),
        (GDRegressor(), {"sample_weight": [1.0]}, ValueError, "sample_weight.shape"),
        (
            GDClassifier(learning_rate="optimal", solver="sgd"),
            {"alphas": [1.0, 0.0]},
            ValueError,
            "learning_rate='optimal' divides by alpha",
        ),
    ],
)
def test_bad_input_is_named_before_any_work(est, options, error, message, rows, target):
    X = rows()
    with pytest.raises(error, match=message):
        regularization_path(est, X, target(X, "binary"), **options)


def test_sparse_rows_stay_sparse(rows, target):
    X = sp.random_array((400, 60), density=0.05, format="csr", rng=0)
    y = target(rows(n=400, d=4), "binary")
    path = regularization_path(GDClassifier(penalty="l1", tol=1e-6), X, y, n_alphas=6)
    dense = regularization_path(GDClassifier(penalty="l1", tol=1e-6), X.toarray(), y, n_alphas=6)
    assert_allclose(path.coefs, dense.coefs, atol=1e-3)


@pytest.mark.parametrize("wider", [5.0, 1e-9])
@pytest.mark.parametrize("loss, kind", [("quantile", "regression"), ("hinge", "binary")])
def test_bands_begin_where_those_of_the_strength_before_ended(
    rows, target, monkeypatch, wider, loss, kind
):
    monkeypatch.setattr(_smoothing, "_WIDER", wider)
    X = rows(n=300, d=5)
    y = target(X, kind)
    est = (GDRegressor if kind == "regression" else GDClassifier)(loss, tol=1e-6)
    path = regularization_path(est, X, y, n_alphas=6)
    assert path.gaps.max() <= 1e-6
    for i, alpha in enumerate(path.alphas):
        alone = clone(est).set_params(alpha=alpha).fit(X, y)
        assert_allclose(path.estimator(i).loss_curve_[-1], alone.loss_curve_[-1], rtol=1e-5)
    if wider > 1.0:
        fits = sum(clone(est).set_params(alpha=a).fit(X, y).n_iter_ for a in path.alphas)
        assert path.n_iter.sum() < fits
