"""F found during the next pass: the run is the one that a second reading would have made."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import make_classification, make_regression

from skgd import GDClassifier, GDRegressor
from skgd.solvers import _stochastic

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = make_classification(n_samples=400, n_features=12, random_state=0)
X[:, 0] = 1e3 + 50 * X[:, 0]
T = make_regression(n_samples=400, n_features=12, random_state=0)[1]


@pytest.fixture
def runs(monkeypatch):
    """Return a function that fits twice, F by a second reading and F while looking ahead."""

    def run(fit):
        out = []
        for entries in (2**62, 0):
            monkeypatch.setattr(_stochastic, "_WORTH_READING", entries)
            out.append(fit())
        return out

    return run


def passes_of(monkeypatch):
    counted = []
    whole = _stochastic.Stochastic.run_pass

    def run_pass(self, problem, state, order, still=None):
        counted.append(still is not None)
        return whole(self, problem, state, order, still)

    monkeypatch.setattr(_stochastic.Stochastic, "run_pass", run_pass)
    return counted


def same(a, b):
    assert_array_equal(a.coef_, b.coef_)
    assert_array_equal(a.intercept_, b.intercept_)
    assert_allclose(a.loss_curve_, b.loss_curve_, rtol=1e-12)
    assert (a.n_iter_, a.t_, a.stop_reason_) == (b.n_iter_, b.t_, b.stop_reason_)
    assert_array_equal(a.history_["rate"], b.history_["rate"])


@pytest.mark.parametrize("layout", [np.asarray, sp.csr_matrix])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"eta0": 1e-5, "learning_rate": "constant"},
        {"penalty": "l1", "alpha": 1e-2},
        {"average": 3},
        {"average": 600, "eta0": 1e-5, "learning_rate": "invscaling"},
        {"shuffle": False},
        {"eta0": 1e-4, "learning_rate": "adaptive", "max_iter": 60},
        {"eta0": 1e9, "learning_rate": "constant"},
        {"early_stopping": True},
        {"learning_rate": "cosine"},
    ],
)
def test_a_run_is_the_same_to_the_last_bit(runs, options, layout):
    given = {"max_iter": 25, "random_state": 3, **options}

    def fit():
        return GDClassifier(solver="sgd", **given).fit(layout(X), Y)

    same(*runs(fit))


def test_several_classes(runs):
    classes = Y + (X[:, 3] > 0)

    def fit():
        return GDClassifier(solver="sgd", max_iter=20, random_state=0).fit(X, classes)

    same(*runs(fit))


def test_several_targets_and_weights(runs):
    s = np.random.RandomState(0).uniform(size=400).round(1)
    targets = np.c_[T, -2 * T, np.sin(T)]

    def fit():
        model = GDRegressor(solver="sgd", max_iter=20, random_state=0)
        return model.fit(X, targets, sample_weight=s)

    same(*runs(fit))


def test_the_rows_are_read_once_a_pass(monkeypatch):
    counted = passes_of(monkeypatch)
    monkeypatch.setattr(_stochastic, "_WORTH_READING", 0)
    GDClassifier(solver="sgd", eta0=1e-7, max_iter=7, tol=None).fit(X, Y)
    assert counted == [False] + 6 * [True]


def test_a_pass_is_thrown_away_only_where_a_run_stops_early(monkeypatch):
    counted = passes_of(monkeypatch)
    monkeypatch.setattr(_stochastic, "_WORTH_READING", 0)
    model = GDClassifier(solver="sgd", eta0=1e-7, max_iter=500, tol=1e-3).fit(X, Y)
    assert model.stop_reason_ == "no_improvement"
    assert len(counted) == model.n_iter_ + 1


@pytest.mark.parametrize("size", [1, 8])
def test_batches_and_small_data_are_read_again(monkeypatch, size):
    counted = passes_of(monkeypatch)
    if size > 1:
        monkeypatch.setattr(_stochastic, "_WORTH_READING", 0)
    GDClassifier(solver="sgd", batch_size=size, eta0=1e-7, max_iter=3, tol=None).fit(X, Y)
    assert not any(counted)


def test_a_stream_goes_on_from_the_point_that_was_shown(runs):
    def fit():
        model = GDClassifier(solver="sgd", max_iter=400, tol=1e-3, random_state=0)
        model.fit(X, Y)
        assert model.stop_reason_ == "no_improvement"
        return pickle.loads(pickle.dumps(model)).partial_fit(X[:100], Y[:100])

    same(*runs(fit))


@pytest.mark.parametrize("at", [2, 3])
def test_an_interrupt_while_looking_ahead_loses_nothing(monkeypatch, at):
    monkeypatch.setattr(_stochastic, "_WORTH_READING", 0)
    whole, calls = _stochastic.Stochastic._one_row_pass, []

    def interrupted(self, *args):
        calls.append(args)
        if len(calls) == at:
            raise KeyboardInterrupt
        return whole(self, *args)

    monkeypatch.setattr(_stochastic.Stochastic, "_one_row_pass", interrupted)
    model = GDClassifier(solver="sgd", eta0=1e-7, max_iter=9, tol=None, random_state=0)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y)
    assert model.n_iter_ == len(model.loss_curve_) == at - 2
    assert np.isfinite(model.coef_).all()


def test_an_order_has_every_row_once_and_anywhere(monkeypatch):
    seen = []
    whole = _stochastic.Stochastic.run_pass

    def run_pass(self, problem, state, order, still=None):
        seen.append(order)
        return whole(self, problem, state, order, still)

    s = np.ones(400)
    s[::7] = 0.0
    monkeypatch.setattr(_stochastic.Stochastic, "run_pass", run_pass)
    GDClassifier(solver="sgd", eta0=1e-7, max_iter=200, tol=None).fit(X, Y, sample_weight=s)
    orders = np.array(seen)
    assert_array_equal(np.sort(orders, axis=1), np.tile(np.flatnonzero(s), (200, 1)))
    # Every row is as likely anywhere: the mean place of each over 200 passes.
    places = np.argsort(orders, axis=1).mean(axis=0) / orders.shape[1]
    assert abs(places - 0.5).max() < 5 / np.sqrt(12 * 200)
    assert len({tuple(order) for order in orders}) == 200
