"""A fit that was cut short goes on from its checkpoint with the same bits, or says why not."""

import os
import pickle
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_array_equal
from sklearn.datasets import make_classification

import skgd
from skgd import GDClassifier, GDRegressor, load_checkpoint
from skgd.callbacks import Checkpoint
from skgd.solvers import get_solver_names

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def X(rows):
    return rows(120, 5)


@pytest.fixture
def labels(X, target):
    return target(X, "binary")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.checkpoint"


def cut(est, path, k, *data, every=1, **more):
    """Fit until iteration ``k``, with a checkpoint every few."""
    stop = lambda event: event.iteration == k  # noqa: E731
    est.set_callbacks(Checkpoint(path, every=every), stop)
    return est.fit(*data, **more)


def assert_same_run(one, other):
    assert_array_equal(one.coef_, other.coef_)
    assert_array_equal(one.intercept_, other.intercept_)
    for name in ("n_iter_", "t_", "stop_reason_", "optimality_", "converged_"):
        assert getattr(one, name) == getattr(other, name), name
    assert set(one.history_) == set(other.history_)
    for name in set(one.history_) - {"seconds"}:
        assert_array_equal(one.history_[name], other.history_[name])


@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("solver", get_solver_names())
def test_the_run_goes_on_bit_for_bit(X, labels, path, solver, storage):
    X = storage(X * [1.0, 10.0, 0.1, 1.0, 5.0])
    make = lambda: GDClassifier(solver=solver, max_iter=12, tol=1e-9, random_state=3)  # noqa: E731
    whole = make().fit(X, labels)
    cut(make(), path, 3, X, labels)
    found = load_checkpoint(path)
    assert_array_equal(found.classes_, whole.classes_)
    assert found.predict(X).shape == (120,)
    assert_same_run(found.fit(X, labels), whole)


@pytest.mark.parametrize(
    "params",
    [
        {"loss": "hinge"},
        {"loss": "hinge", "penalty": "l1", "alpha": 0.01},
        {"penalty": "l1", "alpha": 0.01},
        {"solver": "sgd", "early_stopping": True, "tol": 1e-3},
        {"solver": "sgd", "learning_rate": "adaptive", "eta0": 0.1, "n_iter_no_change": 1},
        {"solver": "sgd", "learning_rate": "cosine", "eta0": 0.1},
        {"solver": "adam", "average": 5, "tol": 1e-5},
        {"solver": "gd", "eta0": 1e4},
        {"solver": "sgd", "random_state": None, "max_iter": 6},
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", ["binary", "classes"])
def test_whatever_watches_the_run_goes_on_too(X, target, path, params, kind):
    y = target(X, kind)
    make = lambda: GDClassifier(**{"random_state": 1, "max_iter": 40} | params)  # noqa: E731
    state = np.random.get_state()  # noqa: NPY002
    whole = make().fit(X, y)
    np.random.set_state(state)  # noqa: NPY002
    cut(make(), path, 4, X, y)
    np.random.seed(99)  # noqa: NPY002
    assert_same_run(load_checkpoint(path).fit(X, y), whole)


def test_many_pauses_are_as_good_as_none(X, target, path):
    y = target(X, "regression")
    est = GDRegressor("huber", solver="saga", max_iter=30, tol=1e-12, random_state=0)
    whole = skgd.GDRegressor(**est.get_params()).fit(X, y)
    cut(est, path, 2, X, y)
    for k in range(4, whole.n_iter_, 2):
        cut(load_checkpoint(path), path, k, X, y)
    assert_same_run(load_checkpoint(path).fit(X, y), whole)


def test_more_iterations_may_be_asked_for(X, labels, path):
    params = {"solver": "sgd", "eta0": 0.01, "tol": None, "random_state": 0}
    GDClassifier(max_iter=5, **params).set_callbacks(Checkpoint(path)).fit(X, labels)
    more = load_checkpoint(path).set_params(max_iter=9).fit(X, labels)
    whole = GDClassifier(max_iter=9, **params).fit(X, labels)
    assert_same_run(more, whole)


def test_without_warm_start_the_fit_begins_anew(X, labels, path):
    est = GDClassifier(solver="sgd", max_iter=6, tol=None, random_state=0)
    whole = cut(est, path, 4, X, labels)
    again = load_checkpoint(path).set_params(warm_start=False, max_iter=4).fit(X, labels)
    assert again.n_iter_ == 4
    assert_array_equal(again.coef_, whole.coef_)
    assert again.set_params(warm_start=True, max_iter=1).fit(X, labels).n_iter_ == 1


def test_until_it_goes_on_it_is_a_model_that_was_interrupted(X, labels, path):
    whole = cut(
        GDClassifier(solver="saga", max_iter=9, tol=None, random_state=0), path, 4, X, labels
    )
    found = load_checkpoint(path)
    assert_array_equal(found.coef_, whole.coef_)
    assert (found.n_iter_, found.stop_reason_) == (4, "interrupted")
    assert "interrupted after 4 iterations" in skgd.summary(found)
    assert_array_equal(found.history_["value"], whole.history_["value"])


def test_a_run_that_fails_can_be_tried_again(X, labels, path):
    make = lambda: GDClassifier(solver="adam", max_iter=9, tol=None, random_state=0)  # noqa: E731
    whole = make().fit(X, labels)
    cut(make(), path, 3, X, labels)
    found = load_checkpoint(path)

    def fails(event):
        if event.iteration == 6:
            raise RuntimeError("not this time")

    with pytest.raises(RuntimeError, match="not this time"):
        found.set_callbacks(fails).fit(X, labels)
    assert_same_run(found.set_callbacks().fit(X, labels), whole)


def test_a_second_fit_begins_where_the_first_ended_not_at_the_checkpoint(X, labels, path):
    cut(GDClassifier(solver="gd", max_iter=50), path, 3, X, labels)
    est = load_checkpoint(path).fit(X, labels)
    first = est.n_iter_
    assert est.fit(X, labels).n_iter_ < first


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda X, y: (X[:-1], y[:-1]), r"shape of X differ: \(119, 5\), was \(120, 5\)"),
        (lambda X, y: (X.astype(np.float32), y), "type of X differ: float32, was float64"),
        (lambda X, y: (sp.csr_array(X), y), "storage of X differ: sparse, was dense"),
        (lambda X, y: (X + 1, y), "entries of X differ. Pass the same"),
        (lambda X, y: (X, 1 - y), "targets differ"),
        (lambda X, y: (X, y, None, None, np.arange(120.0)), "weights differ"),
    ],
)
def test_other_data_are_refused(X, labels, path, change, message):
    cut(GDClassifier(solver="gd", max_iter=9), path, 3, X, labels)
    est = load_checkpoint(path)
    before = est.coef_.copy()
    with pytest.raises(ValueError, match=message):
        est.fit(*change(X, labels))
    assert_array_equal(est.coef_, before)
    est.fit(X, labels)  # nothing was lost


def test_other_parameters_are_refused_with_what_differs(X, labels, path):
    cut(GDClassifier(solver="gd", max_iter=9), path, 3, X, labels)
    with pytest.raises(ValueError, match=r"alpha=0.1 \(was 0.0001\), solver='agd' \(was 'gd'\)"):
        load_checkpoint(path).set_params(alpha=0.1, solver="agd").fit(X, labels)
    with pytest.raises(ValueError, match=r"alpha=0.1 \(was 0.0001\)"):
        load_checkpoint(path, GDClassifier(solver="gd", alpha=0.1))
    with pytest.raises(ValueError, match="is of a GDClassifier, not of a GDRegressor"):
        load_checkpoint(path, GDRegressor(solver="gd"))
    assert load_checkpoint(path, GDClassifier(solver="gd", max_iter=7)).max_iter == 7
    with pytest.raises(ValueError, match="coef_init and intercept_init were given"):
        load_checkpoint(path).fit(X, labels, coef_init=np.zeros((1, 5)))


def test_another_version_is_refused(X, labels, path, monkeypatch):
    cut(GDClassifier(max_iter=9), path, 1, X, labels)
    monkeypatch.setattr(skgd, "__version__", "99.0")
    with pytest.raises(ValueError, match=r"written by skgd .*, here is 99\.0"):
        load_checkpoint(path)


def test_damaged_files_are_named(X, labels, path):
    cut(GDClassifier(max_iter=9), path, 1, X, labels)
    content = path.read_bytes()
    path.write_bytes(content[:-7])
    with pytest.raises(ValueError, match=r"a\.checkpoint' is damaged"):
        load_checkpoint(path)
    path.write_bytes(content[:60] + bytes([content[60] ^ 1]) + content[61:])
    with pytest.raises(ValueError, match=r"a\.checkpoint' is damaged"):
        load_checkpoint(path)
    path.write_bytes(pickle.dumps({}))
    with pytest.raises(ValueError, match="is not a checkpoint of skgd"):
        load_checkpoint(path)


def test_a_folder_that_is_not_there_is_named_before_any_work(X, labels, tmp_path):
    est = GDClassifier().set_callbacks(Checkpoint(tmp_path / "nowhere" / "a"))
    with pytest.raises(FileNotFoundError, match="no such folder"):
        est.fit(X, labels)
    assert not hasattr(est, "coef_")


def test_files_are_written_as_often_as_asked(X, labels, path, monkeypatch):
    written = []
    monkeypatch.setattr(
        "skgd.callbacks._checkpoint.write_checkpoint",
        lambda path, record: written.append(record.iteration),
    )
    est = GDClassifier(solver="sgd", max_iter=10, tol=None)
    est.set_callbacks(Checkpoint(path, every=3)).fit(X, labels)
    assert written == [3, 6, 9]
    written.clear()
    est.set_callbacks(Checkpoint(path, seconds=1000.0)).fit(X, labels)
    assert written == [1]


def test_what_fails_while_writing_leaves_the_file_before(X, labels, path, monkeypatch):
    cut(GDClassifier(max_iter=9), path, 1, X, labels)
    before = path.read_bytes()

    def broken(handle):
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="no space left"):
        cut(GDClassifier(max_iter=9), path, 1, X, labels)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_a_checkpoint_holds_no_rows(path):
    X, y = make_classification(20_000, 40, random_state=0)
    est = GDClassifier(solver="adam", max_iter=2, tol=None)
    est.set_callbacks(Checkpoint(path)).fit(X, y)
    assert path.stat().st_size < 0.01 * X.nbytes


LONG = """
    import sys, numpy as np
    from skgd import GDClassifier, load_checkpoint
    from skgd.callbacks import Checkpoint

    rng = np.random.RandomState(0)
    X = rng.standard_normal((2000, 20))
    y = (X[:, 0] + rng.standard_normal(2000) > 0).astype(int)
    path, resume = sys.argv[1], sys.argv[2] == "resume"
    est = GDClassifier(solver="sgd", eta0=1e-3, max_iter=300, tol=None, random_state=0)
    est = load_checkpoint(path) if resume else est
    est.set_callbacks(Checkpoint(path))
    print("started", flush=True)
    est.fit(X, y)
    np.save(path + ".npy", np.append(est.coef_, est.history_["value"]))
"""


def start(path, how):
    code = textwrap.dedent(LONG)
    return subprocess.Popen([sys.executable, "-c", code, str(path), how], stdout=subprocess.PIPE)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_killing_the_process_loses_nothing(path, tmp_path, kills):
    whole = tmp_path / "whole"
    assert start(whole, "fresh").wait() == 0
    rng = np.random.RandomState(7)
    killed = 0
    for _ in range(kills):
        process = start(path, "resume" if path.exists() else "fresh")
        process.stdout.readline()
        time.sleep(rng.uniform(0.02, 0.3 if kills < 5 else 0.06))
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        if path.exists():
            load_checkpoint(path)  # readable, whenever the kill came
    assert killed
    assert start(path, "resume" if path.exists() else "fresh").wait() == 0
    assert_array_equal(np.load(f"{path}.npy"), np.load(f"{whole}.npy"))
