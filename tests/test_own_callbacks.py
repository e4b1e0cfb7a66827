"""Callbacks of skgd and of its users: they see the user's variables, and are obeyed."""

import io
import pickle
import re
import sys
import time

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skgd
from skgd import GDClassifier, GDRegressor, _compat
from skgd.callbacks import Callback, EarlyStopping, PrintProgress, Stop, TimeLimit, _progress
from skgd.solvers import Adam

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
SOLVERS = ["gd", "newton", "sgd", "adam"]


@pytest.fixture
def X(rows):
    return rows(100, 4) * [1.0, 10.0, 0.1, 1.0] + 3.0


@pytest.fixture
def y(X, target):
    return target(X, "regression")


class Kept(Callback):
    """Keeps the events of each fit apart."""

    def __init__(self):
        self.fits = []

    def start(self, fit):
        events = []
        self.fits.append((fit, events))
        return events.append


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_function_sees_each_iteration_in_the_users_variables(X, y, solver, F):
    seen = []

    def look(event):
        seen.append((event.iteration, event.value, event.theta, event.coef, event.intercept))
        with pytest.raises(ValueError, match="read-only"):
            event.theta[0] = 1.0

    est = GDRegressor(solver=solver, max_iter=4, tol=None, alpha=0.1, random_state=0)
    est.set_callbacks(look).fit(X, y)
    assert [k for k, *_ in seen] == [1, 2, 3, 4]
    for _, value, theta, coef, intercept in seen:
        assert_array_equal(theta, [*coef, *intercept])
        assert_allclose(value, F(X, y, coef, intercept, loss="squared_error", alpha=0.1))
    assert_array_equal(seen[-1][3], est.coef_)
    quiet = clone(est).set_callbacks().fit(X, y)
    assert_array_equal(quiet.coef_, est.coef_)


def test_true_ends_the_fit(X, y):
    est = GDRegressor(solver="sgd", max_iter=50, tol=None)
    est.set_callbacks(lambda event: event.iteration == 3).fit(X, y)
    assert (est.n_iter_, est.stop_reason_, est.converged_) == (3, "callback", False)
    est.set_callbacks(lambda event: None, lambda event: False).fit(X, y)
    assert est.stop_reason_ == "max_iter"


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_function_may_end_the_fit_at_a_point_of_its_own(X, y, solver):
    theta = np.array([1.0, 2.0, -1.0, 0.5, 3.0]) * 1e-3
    est = GDRegressor(solver=solver, max_iter=50, tol=None)
    est.set_callbacks(lambda event: Stop("callback", theta, 0.0)).fit(X, y)
    assert_allclose([*est.coef_, *est.intercept_], theta, rtol=1e-9)


def test_one_object_watches_many_fits_apart(X, y):
    kept = Kept()
    est = GDRegressor(solver="sgd", max_iter=2, tol=None).set_callbacks(kept)
    grid = GridSearchCV(est, {"alpha": [0.1, 1.0]}, cv=2).fit(X, y)
    assert [len(events) for _, events in kept.fits] == [2] * 5
    assert {fit.estimator.alpha for fit, _ in kept.fits} == {0.1, 1.0}
    assert grid.best_estimator_.n_iter_ == 2


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_callbacks_go_with_clones_into_pipelines_and_searches(X, y, n_jobs):
    est = GDRegressor(solver="sgd", max_iter=30, tol=None)
    est.set_callbacks(EarlyStopping(patience=1, min_delta=1e9))
    grid = GridSearchCV(
        make_pipeline(StandardScaler(), est), {"gdregressor__alpha": [0.1, 1.0]}, n_jobs=n_jobs
    )
    found = grid.fit(X, y).best_estimator_[-1]
    assert (found.n_iter_, found.stop_reason_) == (2, "early_stopping")
    assert pickle.loads(pickle.dumps(found)).n_iter_ == 2


def test_the_time_limit_holds(X, y):
    est = GDRegressor(solver="sgd", max_iter=10**9, tol=None).set_callbacks(TimeLimit(0.1))
    begin = time.monotonic()
    est.fit(X, y)
    assert 0.1 <= time.monotonic() - begin < 5.0
    assert (est.stop_reason_, est.converged_) == ("time_limit", False)
    assert est.set_callbacks(TimeLimit(1e-9)).fit(X, y).n_iter_ == 1


def test_early_stopping_on_f_restores_the_best(X, y):
    est = GDRegressor(solver="sgd", eta0=0.02, batch_size=1, max_iter=400, tol=None, random_state=0)
    rule = EarlyStopping(patience=4)
    est.set_callbacks(rule).fit(X, y)
    values = est.loss_curve_
    assert est.stop_reason_ == "early_stopping"
    assert est.n_iter_ == np.argmin(values) + 1 + 4
    short = clone(est).set_callbacks().set_params(max_iter=int(np.argmin(values)) + 1).fit(X, y)
    assert_allclose(est.coef_, short.coef_, rtol=1e-9)
    last = clone(est).set_callbacks(EarlyStopping(patience=4, restore_best=False)).fit(X, y)
    assert np.abs(last.coef_ - short.coef_).max() > 1e-6


def test_a_figure_that_is_not_known_is_told(X, y):
    est = GDRegressor(solver="sgd", max_iter=9, tol=None).set_callbacks(EarlyStopping("violation"))
    with pytest.raises(ValueError, match=r"sgd.* does not compute the violation.*verbose"):
        est.fit(X, y)
    est.set_params(verbose=1).fit(X, y)


def test_early_stopping_watches_violation_or_validation_scores(X, y):
    est = GDRegressor(solver="gd", max_iter=100, tol=None)
    est.set_callbacks(EarlyStopping("violation", patience=1)).fit(X, y)
    violations = est.history_["violation"]
    assert violations[-1] >= violations[:-1].min()
    est = GDRegressor(solver="sgd", max_iter=200, tol=None, random_state=0)
    est.set_callbacks(EarlyStopping("validation_score", patience=2))
    est.fit(X[:50], y[:50], X_val=X[50:], y_val=y[50:])
    scores = est.history_["validation_score"]
    assert est.n_iter_ == np.argmax(scores) + 3
    assert est.score(X[50:], y[50:]) == pytest.approx(scores.max(), rel=1e-12)
    with pytest.raises(ValueError, match="needs validation rows: pass X_val"):
        est.fit(X, y)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: TimeLimit(0), "seconds must be positive; got 0"),
        (lambda: EarlyStopping("loss"), "monitor must be .* got 'loss'"),
        (lambda: EarlyStopping(patience=0), "patience must be at least 1; got 0"),
        (lambda: EarlyStopping(min_delta=-1.0), "min_delta must be at least 0; got -1.0"),
        (lambda: PrintProgress(0), "every must be at least 1; got 0"),
        (lambda: GDRegressor().set_callbacks(TimeLimit), "got the class TimeLimit. Call it first"),
        (lambda: GDRegressor().set_callbacks(3), "A callback is a function of an event.*got 3"),
        (lambda: GDRegressor().set_callbacks(Adam()), r"A callback is a function.*got Adam\(\)"),
    ],
)
def test_bad_callbacks_are_named(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()


def test_before_version_1_9_skgds_own_work_and_others_are_refused(X, y, monkeypatch):
    class Theirs:
        def on_fit_task_end(self, estimator, context): ...

    with pytest.raises(RuntimeError, match=r"needs scikit-learn 1\.9; here is"):
        _compat.keep_plainly(GDRegressor(), [Theirs()])
    est = _compat.keep_plainly(GDRegressor(solver="sgd"), [TimeLimit(1e-9)])
    assert est.fit(X, y).stop_reason_ == "time_limit"
    assert not _compat.callbacks_of(_compat.keep_plainly(est, []))


# ---- progress ----


def test_lines_come_as_often_as_asked(X, y, capsys):
    est = GDRegressor(solver="sgd", max_iter=7, tol=None).set_callbacks(PrintProgress(3))
    est.fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert [int(re.search(r"pass +(\d+)", line)[1]) for line in lines] == [3, 6]


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("module", ["tqdm", "rich"])
def test_a_terminal_shows_a_bar(X, y, module, monkeypatch):
    pytest.importorskip(module)
    if module == "rich":
        monkeypatch.setitem(sys.modules, "tqdm", None)
        monkeypatch.setenv("TERM", "xterm")
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    GDRegressor(solver="sgd", max_iter=7, tol=None, verbose=1).fit(X, y)
    shown = screen.getvalue()
    assert "7/7" in shown
    assert "F " in shown
    assert "[GDRegressor] pass" not in shown


def test_lines_stand_in_for_a_bar(X, y, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setitem(sys.modules, "rich.progress", None)
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    assert isinstance(_progress.progress("a", 1, 9), _progress.Lines)
    GDRegressor(solver="sgd", max_iter=2, tol=None, verbose=1).fit(X, y)
    assert screen.getvalue().count("pass") == 2
    assert isinstance(_progress.progress("a", 2, 9), _progress.Lines)


# ---- tables ----


def test_the_history_as_a_frame(X, y):
    pytest.importorskip("pandas")
    est = GDRegressor(solver="sgd", max_iter=3, tol=None, early_stopping=True).fit(X, y)
    frame = skgd.history_frame(est)
    assert frame.index.tolist() == [1, 2, 3]
    assert frame.index.name == "iteration"
    assert_array_equal(frame["validation_score"], est.history_["validation_score"])
    with pytest.raises(ValueError, match="not fitted"):
        skgd.history_frame(GDRegressor())


def test_a_frame_without_pandas_names_it(X, y, monkeypatch):
    est = GDClassifier().fit(X, y > 0)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="pip install pandas"):
        skgd.history_frame(est)


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_last_iteration_is_seen_too(X, y, solver):
    kept = Kept()
    est = GDRegressor(solver=solver, max_iter=500, tol=1e-3).set_callbacks(kept).fit(X, y)
    assert est.stop_reason_ != "max_iter"
    assert [event.iteration for event in kept.fits[0][1]] == list(range(1, est.n_iter_ + 1))
