"""Predictions, shapes, copies, searches, and a user's own parts inside both estimators."""

import copy
import inspect
import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit, softmax
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skgd
from skgd import GDClassifier, GDRegressor
from skgd.losses import Huber, Tweedie
from skgd.penalties import ElasticNet
from skgd.rules import Rule
from skgd.schedules import Cosine, Schedule
from skgd.solvers import SGD, Adam, Momentum

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def X(rows):
    return rows(80, 4)


@pytest.fixture
def y(X, target):
    return target(X, "regression")


@pytest.fixture
def two(X, target):
    return np.array(["no", "yes"])[target(X, "binary")]


@pytest.fixture
def three(X, target):
    return np.array([10, 20, 30])[target(X, "classes")]


# ---- classification ----


def test_two_classes_have_one_row_of_coefficients(X, two):
    est = GDClassifier().fit(X, two)
    assert est.coef_.shape == (1, 4)
    assert est.intercept_.shape == (1,)
    assert est.classes_.tolist() == ["no", "yes"]
    eta = est.decision_function(X)
    assert_allclose(eta, X @ est.coef_[0] + est.intercept_[0], rtol=1e-12)
    assert_array_equal(est.predict(X), np.where(eta > 0, "yes", "no"))
    proba = est.predict_proba(X)
    assert_allclose(proba, np.column_stack([expit(-eta), expit(eta)]), rtol=1e-12)
    assert_allclose(est.predict_log_proba(X), np.log(proba))
    assert est.score(X, two) == np.mean(est.predict(X) == two)


def test_three_classes_are_one_softmax_model(X, three):
    est = GDClassifier(alpha=0.01, tol=1e-13).fit(X, three)
    assert est.coef_.shape == (3, 4)
    assert est.intercept_.shape == (3,)
    eta = est.decision_function(X)
    assert eta.shape == (80, 3)
    assert_allclose(est.predict_proba(X), softmax(eta, axis=1), rtol=1e-12)
    assert_array_equal(est.predict(X), est.classes_[eta.argmax(axis=1)])
    oracle = LogisticRegression(C=1 / (0.01 * 80), tol=1e-12, max_iter=10_000).fit(X, three)
    assert_allclose(est.coef_, oracle.coef_, atol=1e-5)
    assert_allclose(est.predict_proba(X), oracle.predict_proba(X), atol=1e-6)


@pytest.mark.parametrize("labels", ["two", "three"])
def test_modified_huber_gives_scikit_learns_probabilities(X, labels, request):
    labels = request.getfixturevalue(labels)
    ours = GDClassifier("modified_huber").fit(X, labels)
    theirs = SGDClassifier("modified_huber", max_iter=1, tol=None).fit(X, labels)
    theirs.coef_, theirs.intercept_ = ours.coef_, ours.intercept_
    far = 5 * np.vstack([X, -X])  # where every class may have probability zero
    for rows in (X, far):
        assert_allclose(ours.predict_proba(rows), theirs.predict_proba(rows), atol=1e-12)
    assert_allclose(ours.predict_proba(far).sum(axis=1), 1.0)
    assert np.isneginf(ours.predict_log_proba(far)).any()


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge", "perceptron", "squared_error", Huber()])
@pytest.mark.parametrize("method", ["predict_proba", "predict_log_proba"])
def test_losses_without_probabilities_name_the_way_out(X, two, loss, method):
    est = GDClassifier(loss).fit(X, two)
    assert not hasattr(est, method)
    with pytest.raises(AttributeError) as caught:
        getattr(est, method)
    assert "CalibratedClassifierCV" in str(caught.value) + str(caught.value.__cause__)
    calibrated = CalibratedClassifierCV(est, cv=3).fit(X, two)
    assert calibrated.predict_proba(X).shape == (80, 2)


def test_probabilities_of_far_rows_are_zero_and_one_and_finite_in_logs(X, two):
    est = GDClassifier().fit(X, two)
    est.coef_ = est.coef_ * 1e4
    proba = est.predict_proba(X)
    assert np.isfinite(proba).all()
    assert not np.isnan(est.predict_log_proba(X)).any()


@pytest.mark.parametrize(
    "labels", [[0, 1], [-1, 1], [True, False], ["b", "a"], [2.0, 7.0], [5, 3, 4]]
)
def test_labels_of_any_kind_come_back(X, labels):
    y = np.array(labels)[np.arange(80) % len(labels)]
    est = GDClassifier(max_iter=5).fit(X, y)
    assert_array_equal(est.classes_, np.unique(y))
    assert est.predict(X).dtype == y.dtype
    assert set(est.predict(X).tolist()) <= set(labels)


# ---- regression ----


@pytest.mark.parametrize("solver", ["auto", "sgd", "adam"])
def test_targets_keep_their_shape(X, y, solver):
    many = np.column_stack([y, -y, 2 * y + 1])
    shapes = {
        "vector": (y, (4,), (1,), (80,)),
        "column": (y[:, None], (1, 4), (1,), (80, 1)),
        "matrix": (many, (3, 4), (3,), (80, 3)),
    }
    for target, coef, intercept, prediction in shapes.values():
        est = GDRegressor(solver=solver, max_iter=5).fit(X, target)
        assert est.coef_.shape in (coef, coef[-1:] if coef[0] == 1 else coef)
        assert est.intercept_.shape == intercept
        assert est.predict(X).shape == prediction
        assert np.isfinite(est.score(X, target))


def test_several_targets_are_fitted_as_each_alone(X, target):
    y = target(X, "targets")
    together = GDRegressor(alpha=0.1, tol=1e-10).fit(X, y)
    oracle = Ridge(alpha=0.1 * 80).fit(X, y)
    assert_allclose(together.coef_, oracle.coef_, atol=1e-6)
    assert_allclose(together.intercept_, oracle.intercept_, atol=1e-6)
    assert_allclose(together.predict(X), oracle.predict(X), atol=1e-6)


@pytest.mark.parametrize("loss", ["poisson", "gamma", "tweedie", Tweedie(power=1.9)])
def test_a_log_link_predicts_means(X, target, loss):
    y = target(X, "positive")
    est = GDRegressor(loss).fit(X, y)
    assert_allclose(est.predict(X), np.exp(X @ est.coef_ + est.intercept_), rtol=1e-12)
    assert_allclose(est.predict(X).mean(), y.mean(), rtol=0.05)


@pytest.mark.parametrize("cls", [GDClassifier, GDRegressor])
@pytest.mark.parametrize("solver", ["auto", "gd", "sgd", "adam"])
@pytest.mark.parametrize("eta0", ["auto", 0.01])
def test_without_an_intercept_it_is_zero(X, two, cls, solver, eta0):
    est = cls(solver=solver, fit_intercept=False, max_iter=20, eta0=eta0).fit(X, two == "yes")
    assert_array_equal(est.intercept_, np.zeros(1))
    assert est.coef_.any()
    start = {"coef_init": np.ones(4), "intercept_init": [3.0]}
    assert_array_equal(est.fit(X, two == "yes", **start).intercept_, np.zeros(1))


# ---- attributes ----


@pytest.mark.parametrize("solver", ["auto", "gd", "sgd", "adam"])
def test_every_fitted_attribute_is_there(X, two, solver):
    est = GDClassifier(solver=solver, max_iter=7).fit(X, two)
    assert est.n_features_in_ == 4
    assert isinstance(est.n_iter_, int)
    assert 1 <= est.n_iter_ <= 7
    assert est.t_ > est.n_iter_
    assert isinstance(est.converged_, bool)
    words = "converged no_improvement early_stopping max_iter callback time_limit interrupted"
    assert est.stop_reason_ in words.split()
    assert est.optimality_ >= 0
    assert est.optimality_kind_ == "gap"
    assert est.solver_.get_params() is not None
    assert est.solver == solver  # parameters are not written to


def test_parameters_are_what_was_given(X, two):
    given = {"loss": Huber(0.5), "solver": Adam(0.8), "penalty": ElasticNet(0.5)}
    given["learning_rate"] = Cosine(end=0.1)
    before = {name: repr(part) for name, part in given.items()}
    est = GDClassifier(**given, eta0=0.1, max_iter=3).fit(X, two)
    for name, part in given.items():
        assert getattr(est, name) is part
        assert repr(part) == before[name]
    assert est.solver_ is not given["solver"]
    assert est.solver_.beta_1 == 0.8


@pytest.mark.parametrize("cls", [GDClassifier, GDRegressor])
def test_signatures_are_those_of_the_documentation(cls):
    fit = list(inspect.signature(cls.fit).parameters)
    assert fit == (
        "self X y coef_init intercept_init sample_weight X_val y_val sample_weight_val".split()
    )
    partial = list(inspect.signature(cls().partial_fit).parameters)
    classes = ["classes"] if cls is GDClassifier else []
    assert partial == ["X", "y", *classes, "sample_weight"]
    kinds = [p.kind for p in inspect.signature(cls).parameters.values()]
    assert kinds[0].name == "POSITIONAL_OR_KEYWORD"
    assert {kind.name for kind in kinds[1:]} == {"KEYWORD_ONLY"}


def test_tags_say_what_can_be_learnt():
    from sklearn.utils import get_tags

    assert get_tags(GDClassifier()).input_tags.sparse
    assert get_tags(GDRegressor()).target_tags.multi_output
    assert get_tags(GDRegressor("gamma")).target_tags.positive_only
    assert not get_tags(GDRegressor()).target_tags.positive_only


# ---- sparse coefficients ----


@pytest.mark.parametrize("labels", ["two", "three"])
def test_sparse_coefficients_predict_the_same(X, labels, request):
    labels = request.getfixturevalue(labels)
    est = GDClassifier(penalty="l1", alpha=0.05).fit(X, labels)
    dense, seen = est.coef_.copy(), est.decision_function(X)
    assert (dense == 0).any()
    assert est.sparsify() is est
    assert sp.issparse(est.coef_)
    for rows in (X, sp.csr_array(X), sp.csr_matrix(X)):
        assert_allclose(est.decision_function(rows), seen, rtol=1e-12)
        assert est.predict_proba(rows).shape == (80, len(est.classes_))
    pickle.loads(pickle.dumps(est))
    assert est.densify() is est
    assert_array_equal(est.coef_, dense)
    assert est.densify() is est


@pytest.mark.parametrize("shape", ["vector", "matrix"])
def test_sparse_coefficients_of_a_regressor_predict_the_same(X, y, shape):
    y = y if shape == "vector" else np.column_stack([y, y])
    est = GDRegressor(solver="adam").fit(X, y)
    dense, seen = est.coef_.copy(), est.predict(X)
    assert_allclose(est.sparsify().predict(X), seen, rtol=1e-12)
    assert_allclose(est.predict(sp.csr_array(X)), seen, rtol=1e-12)
    assert_array_equal(est.densify().coef_, dense)


def test_sparse_coefficients_go_on_learning(X, y):
    dense = GDRegressor(solver="adam").partial_fit(X, y)
    sparse = copy.deepcopy(dense).sparsify()
    assert_array_equal(sparse.partial_fit(X, y).coef_, dense.partial_fit(X, y).coef_)
    warm = GDRegressor(warm_start=True).fit(X, y).sparsify().fit(X, y)
    assert isinstance(warm.coef_, np.ndarray)


# ---- copies ----


@pytest.mark.parametrize("cls", [GDClassifier, GDRegressor])
def test_a_clone_has_the_parameters_and_nothing_else(X, two, cls):
    est = cls(Huber(0.3), solver=Momentum(0.5), alpha=0.2, max_iter=3).fit(X, two == "yes")
    copied = clone(est)
    assert repr(copied) == repr(est)
    assert copied.solver is not est.solver
    with pytest.raises(NotFittedError):
        copied.predict(X)


@pytest.mark.parametrize("solver", ["auto", "gd", "sgd", "adam", "nadam"])
@pytest.mark.parametrize("protocol", [2, pickle.HIGHEST_PROTOCOL])
def test_a_pickle_predicts_and_learns_on_bit_for_bit(X, two, solver, protocol):
    est = GDClassifier(solver=solver, max_iter=4, random_state=3, average=True).fit(X, two)
    loaded = pickle.loads(pickle.dumps(est, protocol))
    assert_array_equal(loaded.predict_proba(X), est.predict_proba(X))
    assert_array_equal(loaded.loss_curve_, est.loss_curve_)
    if solver != "gd":
        for _ in range(2):
            est.partial_fit(X, two)
            loaded.partial_fit(X, two)
        assert_array_equal(loaded.coef_, est.coef_)
        assert loaded.t_ == est.t_


# ---- pipelines and searches ----


def test_a_grid_reaches_inside_objects(X, two):
    grid = {"solver__beta_2": [0.9, 0.999], "loss__epsilon": [0.5, 2.0], "alpha": [1e-4, 1.0]}
    est = GDClassifier(loss=Huber(), solver=Adam(), max_iter=5, random_state=0)
    search = GridSearchCV(est, grid, cv=2).fit(X, two)
    assert len(search.cv_results_["params"]) == 8
    assert search.best_estimator_.solver.beta_2 == search.best_params_["solver__beta_2"]
    assert search.best_estimator_.solver_.beta_2 == search.best_params_["solver__beta_2"]
    assert est.solver.beta_2 == 0.999


def test_a_grid_mixes_names_and_objects(X, y):
    grid = {
        "solver": ["gd", "sgd", Adam(beta_1=0.5), SGD()],
        "learning_rate": ["constant", Cosine(), "invscaling"],
        "eta0": [0.01],
    }
    search = GridSearchCV(GDRegressor(max_iter=3), grid, cv=2, error_score="raise").fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.parametrize("n_jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_pipeline_is_cross_validated(X, y, n_jobs):
    model = make_pipeline(StandardScaler(), GDClassifier(max_iter=20))
    scores = cross_val_score(model, X, y > 0, cv=3, n_jobs=n_jobs)
    assert scores.min() > 0.7
    model.set_params(gdclassifier__alpha=0.5)
    assert model.fit(X, y > 0)[-1].alpha == 0.5


# ---- a user's own parts ----


class Cubic:
    """|eta - y|^3, with nothing but the two methods."""

    def value(self, y, eta):
        return np.abs(eta - y) ** 3

    def gradient(self, y, eta):
        return 3 * (eta - y) * np.abs(eta - y)


class Probit:
    """A classification loss that brings probabilities, through the namespace given."""

    kinds = ("classification",)

    def value(self, y, eta, xp):
        return xp.log1p(xp.exp(-y * eta))

    def gradient(self, y, eta, xp):
        return -y / (1 + xp.exp(y * eta))

    def proba(self, eta, xp):
        p = 1 / (1 + xp.exp(-eta))
        return xp.stack([1 - p, p], axis=1)


class NonNegative:
    separable = True

    def value(self, coef):
        return 0.0

    def prox(self, coef, t):
        return np.clip(coef, 0, None)


class SignRule(Rule):
    """Moves every coordinate by the rate, whatever its gradient's size."""

    def update(self, grad, vectors, scalars, t, xp):
        return xp.sign(grad), None


class Thirds(Schedule):
    def base_rates(self, k, t, n_steps, context):
        return context.eta0 / 3


def third(t):
    return 0.01 / 3


@pytest.mark.parametrize("solver", ["auto", "gd", "sgd", "momentum", "adam"])
def test_a_users_loss_is_minimised(X, y, solver, F):
    from scipy.optimize import minimize

    def value(w):
        return np.mean(np.abs(X @ w[:4] + w[4] - y) ** 3) + 0.005 * w[:4] @ w[:4]

    oracle = minimize(value, np.zeros(5), tol=1e-12)
    est = GDRegressor(Cubic(), solver=solver, alpha=0.01, max_iter=300).fit(X, y)
    reached = value(np.r_[est.coef_, est.intercept_])
    assert_allclose(est.loss_curve_[-1], reached, rtol=1e-10)
    slack = 1e-4 if solver in ("auto", "gd") else 0.03
    assert reached <= oracle.fun + slack * (value(np.zeros(5)) - oracle.fun)


def test_a_users_loss_may_bring_probabilities(X, two, three):
    for labels in (two, three):
        est = GDClassifier(Probit(), max_iter=30).fit(X, labels)
        proba = est.predict_proba(X)
        assert proba.shape == (80, len(est.classes_))
        assert_allclose(proba.sum(axis=1), 1)
    ours, theirs = (GDClassifier(loss, tol=1e-12).fit(X, two) for loss in (Probit(), "log_loss"))
    assert_allclose(ours.coef_, theirs.coef_, atol=1e-5)
    with pytest.raises(ValueError, match="is not a loss for regression"):
        GDRegressor(Probit()).fit(X, two == "yes")


@pytest.mark.parametrize("solver", ["auto", "gd", "sgd", "adam", "rmsprop"])
@pytest.mark.parametrize("labels", ["two", "three"])
def test_a_users_loss_and_penalty_serve_any_number_of_classes(X, labels, solver, request):
    labels = request.getfixturevalue(labels)
    est = GDClassifier(Cubic(), solver=solver, max_iter=5).fit(X, labels)
    assert est.score(X, labels) > 0.4
    est = GDClassifier(penalty=NonNegative(), solver=solver, max_iter=5).fit(X, labels)
    assert est.coef_.min() >= 0
    assert est.coef_.any()


def test_a_users_rule_schedule_and_function_are_followed(X, y):
    common = {"max_iter": 4, "tol": None, "shuffle": False, "batch_size": 20}
    est = GDRegressor(solver=SignRule(), eta0=0.01, alpha=0.0, **common).fit(X, y)
    w, b = np.zeros(4), 0.0
    for start in [0, 20, 40, 60] * 4:
        rows = slice(start, start + 20)
        r = X[rows] @ w + b - y[rows]
        w, b = w - 0.01 * np.sign(r @ X[rows]), b - 0.01 * np.sign(r.sum())
    assert_allclose(est.coef_, w, atol=1e-12)
    assert_allclose(est.intercept_, [b], atol=1e-12)

    by_class = GDRegressor(solver="sgd", eta0=0.01, learning_rate=Thirds(), **common).fit(X, y)
    by_function = GDRegressor(solver="sgd", learning_rate=third, **common).fit(X, y)
    by_number = GDRegressor(solver="sgd", eta0=0.01 / 3, **common).fit(X, y)
    assert_allclose(by_class.coef_, by_number.coef_, rtol=1e-12)
    assert_allclose(by_function.coef_, by_number.coef_, rtol=1e-12)


@pytest.mark.parametrize(
    "est", [GDRegressor(Cubic()), GDRegressor(penalty=NonNegative())], ids=["loss", "penalty"]
)
def test_a_model_with_a_users_parts_is_cloned_and_pickled(X, y, est):
    est = clone(est).set_params(solver="adam", max_iter=3, random_state=0).fit(X, y)
    loaded = pickle.loads(pickle.dumps(est))
    assert_array_equal(loaded.partial_fit(X, y).coef_, est.partial_fit(X, y).coef_)


# ---- summary ----


def test_the_summary_says_how_it_went(X, y):
    est = GDRegressor(penalty="l1", alpha=0.5, solver=Adam(beta_1=0.8), max_iter=30).fit(X, y)
    text = skgd.summary(est)
    assert "GDRegressor: loss squared_error, penalty l1, alpha 0.5" in text
    assert "Adam(beta_1=0.8)" in text
    assert f"{est.stop_reason_} after {est.n_iter_} iterations, {est.t_ - 1} updates" in text
    assert f"1 x 4, {np.count_nonzero(est.coef_)} not zero" in text
    assert skgd.summary(est.sparsify()) == text
    streamed = GDRegressor().partial_fit(X, y)
    assert "GDRegressor" in skgd.summary(streamed)
    with pytest.raises(NotFittedError):
        skgd.summary(GDRegressor())
