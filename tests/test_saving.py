"""Saved models come back whole: pickle, joblib, skops, and files of earlier versions."""

import pickle

import joblib
import pytest
from make_models import MODELS, data
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from solver_names import STREAMING

from skgd import GDClassifier, GDRegressor
from skgd.losses import Huber
from skgd.schedules import Cosine
from skgd.solvers import get_solver_names

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def X(rows):
    return rows(60, 4)


@pytest.fixture
def labels(X, target):
    return target(X, "classes").astype(int)


def there_and_back(how, est, tmp_path):
    if how == "pickle":
        return pickle.loads(pickle.dumps(est))
    if how == "joblib":
        joblib.dump(est, tmp_path / "a")
        return joblib.load(tmp_path / "a")
    if how == "joblib, mapped":
        joblib.dump(est, tmp_path / "a")
        return joblib.load(tmp_path / "a", mmap_mode="r")
    io = pytest.importorskip("skops.io")
    packed = io.dumps(est)
    unknown = io.get_untrusted_types(data=packed)
    assert all(name.startswith("skgd.") for name in unknown), unknown
    return io.loads(packed, trusted=unknown)


@pytest.mark.parametrize("how", ["pickle", "joblib", "joblib, mapped", "skops"])
@pytest.mark.parametrize("solver", get_solver_names())
def test_a_model_comes_back_and_learns_on(X, labels, tmp_path, solver, how):
    est = GDClassifier(solver=solver, max_iter=5, random_state=0).fit(X, labels)
    back = there_and_back(how, est, tmp_path)
    assert_array_equal(back.predict_proba(X), est.predict_proba(X))
    if solver in STREAMING:
        assert_array_equal(back.partial_fit(X, labels).coef_, est.partial_fit(X, labels).coef_)
    assert_array_equal(back.fit(X, labels).coef_, est.fit(X, labels).coef_)


@pytest.mark.parametrize("how", ["pickle", "joblib", "skops"])
def test_objects_as_parameters_and_pipelines_come_back(X, labels, tmp_path, how):
    est = GDRegressor(
        Huber(epsilon=0.5), solver="sgd", learning_rate=Cosine(end=0.1), eta0=0.01, max_iter=3
    )
    pipe = make_pipeline(StandardScaler(), est.set_params(random_state=0)).fit(X, labels)
    back = there_and_back(how, pipe, tmp_path)
    assert_array_equal(back.predict(X), pipe.predict(X))
    assert repr(back[-1].loss) == "Huber(epsilon=0.5)"


def test_no_rows_are_saved(rows, target):
    X = rows(3000, 40)
    for est in (GDClassifier(), GDClassifier("hinge"), GDClassifier(penalty="l1", alpha=0.01)):
        assert len(pickle.dumps(est.fit(X, target(X, "binary")))) < 0.05 * X.nbytes


@pytest.mark.parametrize("path", sorted(MODELS.glob("*.pickle")), ids=lambda path: path.stem)
def test_models_of_earlier_versions_load(path):
    X, y, labels = data()
    kept = pickle.loads(path.read_bytes())
    model = pickle.loads(kept["model"])
    found = model.predict(X)
    if found.dtype.kind == "f":
        assert_allclose(found, kept["predicted"], rtol=1e-12)
    else:
        assert found.tolist() == kept["predicted"]
    if "after" in kept:
        model.partial_fit(X, labels if hasattr(model, "classes_") else y)
        assert_allclose(model.coef_, kept["after"], rtol=1e-9)


def test_there_are_models_of_earlier_versions():
    assert len(list(MODELS.glob("*.pickle"))) >= 7
