"""A converted model says in onnxruntime what the model says in Python."""

import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skgd.onnx
from skgd import GDClassifier, GDRegressor
from skgd.losses import LogLoss

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def convert():
    skl2onnx = pytest.importorskip("skl2onnx")
    ort = pytest.importorskip("onnxruntime")
    skgd.onnx.register()

    def convert(est, X, **options):
        more = {"options": {id(est if not hasattr(est, "steps") else est[-1]): options}}
        graph = skl2onnx.to_onnx(est, X[:1], **(more if options else {}))
        session = ort.InferenceSession(
            graph.SerializeToString(), providers=["CPUExecutionProvider"]
        )
        return session.run(None, {session.get_inputs()[0].name: X})

    return convert


@pytest.fixture(params=[np.float32, np.float64])
def X(request, rows):
    return rows(80, 4).astype(request.param)


def tolerance(X):
    return 1e-6 if X.dtype == np.float32 else 1e-12


@pytest.mark.parametrize("labels", ["numbers", "text"])
@pytest.mark.parametrize("kind", ["binary", "classes"])
@pytest.mark.parametrize("loss", ["log_loss", "modified_huber"])
def test_probabilities(convert, X, target, loss, kind, labels):
    y = target(X, kind).astype(int)
    y = np.array(["a", "b", "c", "d"])[y] if labels == "text" else 3 * y - 1
    est = GDClassifier(loss, alpha=0.01, random_state=0).fit(X, y)
    label, p = convert(est, X, zipmap=False)
    assert_array_equal(label, est.predict(X))
    assert_allclose(p, est.predict_proba(X), atol=tolerance(X))
    if X.dtype == np.float32:
        label, p = convert(est, X)
        p = [[row[c] for c in est.classes_] for row in p]
        assert_allclose(p, est.predict_proba(X), atol=1e-6)
    label, scores = convert(est, X, raw_scores=True)
    assert_allclose(scores.squeeze(), est.decision_function(X), atol=20 * tolerance(X))


def test_labels_may_be_numbers_from_zero(convert, rows, target):
    X = rows(80, 4).astype(np.float32)
    y = np.array(["a", "b", "c", "d"])[target(X, "classes").astype(int)]
    for loss in ("log_loss", "hinge"):
        est = GDClassifier(loss).fit(X, y)
        label = convert(est, X, zipmap=False, nocl=True)[0]
        assert_array_equal(est.classes_[label], est.predict(X))


def test_an_option_that_would_do_nothing_is_refused(convert, rows, target):
    X = rows(80, 4).astype(np.float32)
    est = GDClassifier("hinge").fit(X, target(X, "binary").astype(int))
    with pytest.raises(NotImplementedError, match="goes with probabilities"):
        convert(est, X, zipmap=False, output_class_labels=True)


def test_far_from_all_classes_all_are_alike(convert, rows):
    X = rows(80, 2)
    y = np.digitize(X[:, 0], [-0.5, 0.5])
    est = GDClassifier("modified_huber").fit(X, y)
    est.coef_[:], est.intercept_[:] = 0.0, -5.0
    _, p = convert(est, X, zipmap=False)
    assert_allclose(p, est.predict_proba(X))
    assert_allclose(p, 1 / 3)


@pytest.mark.parametrize("kind", ["binary", "classes"])
@pytest.mark.parametrize("loss", ["hinge", "squared_error"])
def test_decision_values_where_there_are_no_probabilities(convert, X, target, loss, kind):
    y = target(X, kind).astype(int)
    est = GDClassifier(loss, alpha=0.01, random_state=0).fit(X, y)
    for options in ({}, {"zipmap": False}):
        label, scores = convert(est, X, **options)
        assert_array_equal(label, est.predict(X))
        want = est.decision_function(X).reshape(len(X), -1)
        assert scores.shape == want.shape
        assert_allclose(scores, want, atol=20 * tolerance(X))


@pytest.mark.parametrize("loss", ["squared_error", "huber", "poisson", "gamma", "tweedie"])
def test_regressors(convert, X, target, loss):
    y = np.exp(target(X, "regression") / 4)
    est = GDRegressor(loss).fit(X, y)
    (found,) = convert(est, X)
    assert found.shape == (len(X), 1)
    assert_allclose(found[:, 0], est.predict(X), rtol=10 * tolerance(X))


def test_several_targets(convert, X, target):
    Y = target(X, "targets")
    est = GDRegressor().fit(X, Y)
    assert_allclose(convert(est, X)[0], est.predict(X), atol=20 * tolerance(X))


def test_pipelines_and_sparse_coefficients(convert, X, target):
    y = target(X, "classes").astype(int)
    est = make_pipeline(StandardScaler(), GDClassifier(penalty="l1", alpha=0.01)).fit(X, y)
    est[-1].sparsify()
    label, p = convert(est, X, zipmap=False)
    assert_array_equal(label, est.predict(X))
    assert_allclose(p, est.predict_proba(X), atol=1e-6)


def test_whole_numbers_as_input(convert, target, rows):
    X = np.rint(3 * rows(80, 4)).astype(np.int64)
    est = GDClassifier().fit(X, target(X, "binary").astype(int))
    assert_allclose(convert(est, X, zipmap=False)[1], est.predict_proba(X), atol=1e-6)


class Mine(LogLoss):
    """A loss of a user's own, whose probabilities no graph is known for."""


def test_what_has_no_graph_is_refused(convert, rows, target):
    X = rows(80, 4)
    y = target(X, "binary").astype(int)
    with pytest.raises(NotImplementedError, match="no ONNX graph for the probabilities of Mine"):
        convert(GDClassifier(Mine()).fit(X, y), X, zipmap=False)
    with pytest.raises(NotImplementedError, match=r"these are \[0.5, 1.5\]"):
        skgd.onnx._labels(np.array([0.5, 1.5]))


def test_without_skl2onnx_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    with pytest.raises(ImportError, match=r"pip install 'skgd\[onnx\]'"):
        skgd.onnx.register()
