"""The estimators inside scikit-learn's searches, ensembles, selectors and transformers."""

import email
import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.feature_extraction import FeatureHasher
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.feature_selection import RFE, SelectFromModel
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import permutation_importance
from sklearn.metrics import accuracy_score
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    cross_val_predict,
    cross_val_score,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skgd import GDClassifier, GDRegressor, GDRegressorCV, _links
from skgd.losses import Huber, LogCosh
from skgd.schedules import Exponential
from skgd.solvers import Adam, Momentum

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def cancer():
    return load_breast_cancer(return_X_y=True)


@pytest.fixture(scope="module")
def diabetes():
    return load_diabetes(return_X_y=True)


# ---- searches ----


def test_a_grid_reaches_into_solver_loss_and_schedule(diabetes):
    grid = [
        {"solver": ["sgd", "gd"], "loss": ["squared_error", "huber"], "alpha": [0.1]},
        {"solver": [Adam(), Momentum()], "learning_rate": ["cosine", "invscaling"], "eta0": [0.1]},
        {"solver": [Adam()], "solver__beta_2": [0.9, 0.99]},
        {"loss": [Huber(), LogCosh()]},
        {"loss": [LogCosh()], "loss__delta": [0.5, 50.0]},
        {"solver": ["sgd"], "eta0": [0.1], "learning_rate": [Exponential()],
         "learning_rate__decay": [0.5, 0.9]},
    ]  # fmt: skip
    search = GridSearchCV(GDRegressor(max_iter=20, random_state=0), grid, cv=2, error_score="raise")
    search.fit(*diabetes)
    assert len(search.cv_results_["params"]) == 4 + 4 + 2 + 2 + 2 + 2
    assert search.best_score_ > 0.3
    for name, few, many in (("loss__delta", 0.5, 50.0), ("solver__beta_2", 0.9, 0.99)):
        tried = [p.get(name) for p in search.cv_results_["params"]]
        scores = search.cv_results_["mean_test_score"]
        assert scores[tried.index(few)] != scores[tried.index(many)]


def test_halving_may_spend_iterations(cancer):
    search = HalvingGridSearchCV(
        GDClassifier(solver="sgd", tol=None, random_state=0),
        {"alpha": [1e-4, 1e-3, 1e-2, 1.0]},
        resource="max_iter",
        max_resources=24,
        min_resources=6,
        factor=2,
        random_state=0,
    ).fit(*cancer)
    assert search.n_resources_ == [6, 12, 24]
    assert search.best_estimator_.n_iter_ == 24


class Threads(GDClassifier):
    """Says how many threads its passes have."""

    def fit(self, X, y):
        from skgd._compat import thread_count

        self.threads_ = thread_count(self.n_jobs)
        return super().fit(X, y)

    def score(self, X, y):
        return self.threads_


@pytest.mark.parametrize("backend", ["loky", "threading", "multiprocessing"])
def test_a_search_on_all_cores_gives_each_fit_one_thread(cancer, backend):
    import joblib

    with joblib.parallel_config(backend=backend, n_jobs=2):
        threads = cross_val_score(Threads(), *cancer, cv=3)
    assert_array_equal(threads, 1)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_predictions_across_folds(cancer, n_jobs):
    X, y = cancer
    predicted = cross_val_predict(GDClassifier(), X, y, cv=3, n_jobs=n_jobs, method="predict_proba")
    assert accuracy_score(y, predicted.argmax(axis=1)) > 0.9


# ---- metadata ----


def test_weights_and_validation_rows_are_routed(cancer):
    X, y = cancer
    s = np.linspace(0.5, 2.0, len(y))
    with config_context(enable_metadata_routing=True):
        est = GDClassifier(solver="sgd", early_stopping=True, max_iter=30, random_state=0)
        est.set_fit_request(X_val=True, y_val=True, sample_weight=True, sample_weight_val=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipe = Pipeline([("scale", scaler), ("gd", est)], transform_input=["X_val"])
        val = {"X_val": X[:150], "y_val": y[:150], "sample_weight_val": s[:150]}
        pipe.fit(X[150:], y[150:], sample_weight=s[150:], **val)
    best = pipe[-1].history_["validation_score"].max()
    scaled = pipe[0].transform(X)
    assert best == pytest.approx(pipe[-1].score(scaled[:150], y[:150], sample_weight=s[:150]))
    assert best > 0.9
    plain = GDClassifier(solver="sgd", early_stopping=True, max_iter=30, random_state=0)
    val["X_val"] = scaled[:150]
    plain.fit(scaled[150:], y[150:], sample_weight=s[150:], **val)
    assert_array_equal(plain.coef_, pipe[-1].coef_)


def test_weights_reach_fits_and_scores_of_a_search(cancer):
    X, y = cancer
    s = np.where(y == 1, 5.0, 1.0)
    with config_context(enable_metadata_routing=True):
        est = GDClassifier().set_fit_request(sample_weight=True)
        est.set_score_request(sample_weight=True)
        search = GridSearchCV(est, {"alpha": [1e-3, 10.0]}, cv=3).fit(X, y, sample_weight=s)
    plain = GDClassifier(**search.best_params_).fit(X, y, sample_weight=s)
    assert_array_equal(search.best_estimator_.coef_, plain.coef_)
    bare = GDClassifier(**search.best_params_).fit(X, y)
    assert np.abs(bare.coef_ - plain.coef_).max() > 1e-6


# ---- ensembles, calibration, multiclass ----


def test_decision_values_can_be_calibrated(cancer):
    X, y = cancer
    calibrated = CalibratedClassifierCV(GDClassifier("hinge"), cv=3).fit(X, y)
    p = calibrated.predict_proba(X)
    assert_allclose(p.sum(axis=1), 1.0)
    assert accuracy_score(y, p.argmax(axis=1)) > 0.9
    fitted = FrozenEstimator(GDClassifier("hinge").fit(X, y))
    assert CalibratedClassifierCV(fitted).fit(X, y).score(X, y) > 0.9


@pytest.mark.parametrize(
    "wrap",
    [
        OneVsRestClassifier,
        lambda est: StackingClassifier([("a", est), ("b", GDClassifier("hinge"))], cv=3),
        lambda est: VotingClassifier([("a", est), ("b", GDClassifier(alpha=1.0))], voting="soft"),
        lambda est: BaggingClassifier(est, n_estimators=3, random_state=0),
    ],
)
def test_ensembles_take_it(cancer, wrap):
    assert wrap(GDClassifier(alpha=0.01)).fit(*cancer).score(*cancer) > 0.9


def test_several_labels_and_transformed_targets(cancer, diabetes):
    X, y = cancer
    labels = np.column_stack([y, X[:, 0] > 15])
    assert MultiOutputClassifier(GDClassifier()).fit(X, labels).score(X, labels) > 0.9
    X, y = diabetes
    est = TransformedTargetRegressor(GDRegressor(), func=np.log, inverse_func=np.exp).fit(X, y)
    assert est.score(X, y) > 0.4


# ---- selection and inspection ----


def test_columns_are_selected_by_coefficients(diabetes):
    X, y = diabetes
    lasso = SelectFromModel(GDRegressor(penalty="l1", alpha=1.0)).fit(X, y)
    assert lasso.get_support().sum() == np.count_nonzero(lasso.estimator_.coef_)
    assert 0 < lasso.get_support().sum() < 10
    assert RFE(GDRegressor(), n_features_to_select=3).fit(X, y).support_.sum() == 3
    found = permutation_importance(GDRegressor().fit(X, y), X, y, n_repeats=2, random_state=0)
    assert found.importances_mean.argmax() in (2, 4, 8)


def test_the_html_representation_shows_what_was_set(diabetes):
    est = GDRegressor("huber", solver=Adam(beta_2=0.99))
    assert "GDRegressor" in est._repr_html_()
    assert "beta_2=0.99" in repr(est)
    assert "fitted" in est.fit(*diabetes)._repr_html_()


# ---- frames, text, hashes ----


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_frames_pass_through_pipelines(kind):
    pytest.importorskip(kind)
    rng = np.random.RandomState(0)
    frame = pd.DataFrame({"size": rng.lognormal(3, 1, 200), "town": rng.choice(list("abc"), 200)})
    y = np.log(frame["size"]) + (frame["town"] == "a")
    if kind == "polars":
        import polars

        frame = polars.from_pandas(frame)
    columns = make_column_transformer(
        (OneHotEncoder(sparse_output=False), ["town"]), (StandardScaler(), ["size"])
    )
    pipe = make_pipeline(columns, GDRegressor()).set_output(transform=kind).fit(frame, y)
    assert pipe[-1].feature_names_in_.tolist()[-1] == "standardscaler__size"
    assert pipe.score(frame, y) > 0.6
    with pytest.raises(ValueError, match="feature names"):
        pipe[-1].predict(pd.DataFrame(np.zeros((1, 4)), columns=list("wxyz")))


def test_text_and_hashes(rows):
    texts = ["good fine nice", "bad awful poor"] * 30
    y = np.arange(60) % 2
    pipe = make_pipeline(HashingVectorizer(), GDClassifier()).fit(texts, y)
    assert pipe.score(texts, y) == 1.0
    words = [dict.fromkeys(text.split(), 1) for text in texts]
    X = FeatureHasher(n_features=2**20).transform(words)
    long = X.copy()
    long.indices, long.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    short, wide = (GDClassifier(random_state=0).fit(A, y) for A in (X, long))
    assert_array_equal(short.coef_, wide.coef_)
    assert long.indices.dtype == np.int64
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert GDClassifier().partial_fit(long, y, classes=[0, 1]).score(long, y) == 1.0


@pytest.mark.parametrize("cls", [GDRegressor, GDClassifier, GDRegressorCV])
def test_diagrams_link_to_the_page_where_the_package_knows_its_address(monkeypatch, cls):
    monkeypatch.setattr(_links, "address", lambda: "https://docs.example/skgd")
    page = f"https://docs.example/skgd/api/generated/skgd.{cls.__name__}.html"
    assert page in cls()._repr_html_()
    monkeypatch.setattr(_links, "address", lambda: "")
    shown = cls()._repr_html_()
    assert "docs.example" not in shown
    assert "https://scikit-learn.org" not in shown


def test_the_address_is_that_of_the_package(monkeypatch):
    found = email.message_from_string(
        "Project-URL: Source, https://example/x\nProject-URL: Documentation, https://docs.example/y/\n"
    )
    monkeypatch.setattr(_links.metadata, "metadata", lambda name: found)
    assert _links.address.__wrapped__() == "https://docs.example/y"
